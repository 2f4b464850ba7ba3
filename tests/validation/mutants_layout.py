"""Mutants of the tree: groups, arrays, shapes, documents, files and root attributes."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from .good_stores import N_PIX, N_SPEC, text
from .mutants import (
    HOUSE,
    INFO,
    WARNING,
    Mutant,
    add,
    attributes,
    bytes_of,
    document,
    file,
    remove,
    rewrite,
    together,
)

CUBE = np.ones((N_SPEC, N_PIX), "f4")
SOON = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _unfinished_beside(store: Path) -> None:
    shutil.copytree(store, store.with_name(f"{store.name}.tmp"))


def _index_is_a_directory(store: Path) -> None:
    (store / "index.parquet").rename(store / "part-0.parquet")
    (store / "index.parquet").mkdir()
    (store / "part-0.parquet").rename(store / "index.parquet/part-0.parquet")


TREE = [
    Mutant(
        "G-01",
        "an instrument below signal",
        add("signal/harps/flux_raw", CUBE),
        "signal/harps/flux_raw",
        also=("E-01",),
    ),
    Mutant("G-01", "a tree of stars", add("hd1234/epoch1/flux_raw", CUBE), "hd1234/epoch1/flux_raw", also=("E-01",)),
    *(Mutant("L-01", f"no group {group}", remove(group), group) for group in ("signal", "continuum", "metadata")),
    *(Mutant("L-01", f"no group {group}", remove(group), group, HOUSE) for group in ("representations", "params")),
    *(
        Mutant("L-02", f"no array {path}", remove(path), path)
        for path in (
            *("signal/wavelength", "signal/flux_raw", "signal/uncertainty_raw"),
            *("continuum/continuum_model", "continuum/continuum_uncertainty", "continuum/method"),
        )
    ),
    Mutant("L-03", "no index", remove("index.parquet"), "index.parquet", says="missing"),
    Mutant("L-03", "an index of several files", _index_is_a_directory, "index.parquet", says="a directory"),
    Mutant("L-03", "an index of CSV", file("index.parquet", b"spec_id,snr\nx,3\n"), "index.parquet", says="read"),
    Mutant(
        "L-03",
        "an index without its end",
        bytes_of("index.parquet", lambda content: content[:-100]),
        "index.parquet",
        says="read",
    ),
    Mutant("L-04", "notes beside the arrays", file("notes.txt", b"look"), "notes.txt", HOUSE),
    Mutant("L-04", "a log among the chunks", file("params/teff/c/job.log"), "params/teff/c/job.log", HOUSE),
    Mutant("L-04", "a directory of plots", file("plots/2025/hr.png"), "plots", HOUSE),
    Mutant("L-04", "a chunk beyond the array", file("signal/flux_raw/c/2/0"), "signal/flux_raw/c/2", HOUSE),
    Mutant("L-05", "another name", lambda store: None, "mutant.h5", name="mutant.h5"),
    Mutant("L-05", "a store moved aside", lambda store: None, "mutant.zarr.old", name="mutant.zarr.old"),
    Mutant(
        "L-06",
        "half a document",
        bytes_of("params/logg/zarr.json", lambda content: content[:100]),
        "params/logg",
        says="zarr.json",
    ),
    Mutant(
        "L-06",
        "consolidated metadata of before",
        attributes("signal/flux_raw", units="erg / (Angstrom cm2 s sr)"),
        "signal/flux_raw",
        says="consolidate",
        also=("U-04",),
        base="consolidated",
    ),
    Mutant(
        "L-06",
        "an array added after consolidation",
        add("metadata/seeing", np.full(30, 0.8)),
        ("metadata/seeing/.zarray", "metadata/seeing/.zattrs"),
        says="consolidate",
        base="format 2 consolidated",
    ),
    Mutant("L-06", "a group without its document", remove("signal/zarr.json"), "signal", says="does not see"),
    Mutant("L-06", "a group of format 2 without its document", remove("params/.zgroup"), "params", base="format 2"),
    Mutant(
        "L-06",
        "a shape of text",
        document("params/logg/zarr.json", lambda content: content.update(shape=["many"])),
        "params/logg",
    ),
    Mutant("E-01", "a group that is not named", add("quality/mask", CUBE.astype("i4")), "quality", INFO),
    Mutant(
        "E-01", "an array that is not named", add("representations/best_fit", CUBE), "representations/best_fit", INFO
    ),
    Mutant("E-01", "an array of the root", add("mask", CUBE.astype("i4")), "mask", INFO),
    Mutant("E-01", "an attribute that is not named", attributes("", telescope="VLT"), "root", INFO),
    Mutant("W-03", "a build beside it", _unfinished_beside, "mutant.zarr.tmp", INFO),
]

SHAPES = [
    Mutant("D-01", "one dimension", rewrite("signal/flux_raw", np.ravel), "signal/flux_raw"),
    Mutant("D-01", "three dimensions", rewrite("signal/flux_raw", lambda f: f[:, :, None]), "signal/flux_raw"),
    Mutant("D-01", "no spectrum", rewrite("signal/flux_raw", lambda f: f[:0], chunks=(1024, N_PIX)), "signal/flux_raw"),
    *(
        Mutant("D-02", f"{path} of another shape", rewrite(path, change), path)
        for path, change in (
            ("signal/uncertainty_raw", lambda values: values[:, 1:]),
            ("continuum/continuum_model", lambda values: values[1:]),
            ("continuum/continuum_uncertainty", np.ravel),
            ("representations/normalized_flux", lambda values: values[:, :20]),
        )
    ),
    Mutant("D-02", "an unknown array of another shape", add("signal/sky", CUBE[:7]), "signal/sky", also=("E-01",)),
    Mutant("D-03", "a label too few", rewrite("continuum/method", lambda values: values[1:]), "continuum/method"),
    Mutant("D-04", "a parameter too few", rewrite("params/teff", lambda values: values[1:]), "params/teff"),
    Mutant("D-04", "metadata with two axes", rewrite("metadata/ra", lambda values: values[:, None]), "metadata/ra"),
    Mutant("D-04", "one value for all", rewrite("metadata/object", lambda values: values[:1]), "metadata/object"),
    Mutant(
        "D-04",
        "a nested group of parameters",
        add("params/gaia/teff", np.ones(N_SPEC)),
        ("params/gaia", "params/gaia/teff"),
    ),
    Mutant(
        "S-02", "a wavelength too many", rewrite("signal/wavelength", lambda w: np.append(w, 9e3)), "signal/wavelength"
    ),
    Mutant(
        "S-02",
        "a grid of another number of spectra",
        rewrite("signal/wavelength", lambda values: values[1:]),
        "signal/wavelength",
        base="ragged",
    ),
]

PROVENANCE = [
    *(
        Mutant("V-01", f"no {key}", attributes("", **{key: None}), "root", says=key)
        for key in ("schema_version", "ingest_pipeline", "created_at", "git_commit")
    ),
    Mutant("V-01", "an empty git_commit", attributes("", git_commit=""), "root", says="git_commit"),
    Mutant("V-01", "a number as ingest_pipeline", attributes("", ingest_pipeline=3), "root", says="ingest_pipeline"),
    Mutant("V-02", "schema_version is a number", attributes("", schema_version=2.0), "root", says="2.0"),
    Mutant("V-02", "schema_version 2.1", attributes("", schema_version="2.1"), "root", says="newer"),
    Mutant(
        "V-02",
        "schema_version 2.1 for a reader",
        attributes("", schema_version="2.1"),
        "root",
        INFO,
        says="newer",
        question={"for_reading": True},
    ),
    Mutant("V-02", "schema_version 3.0", attributes("", schema_version="3.0"), "root", says="another layout"),
    Mutant("V-03", "created_at without a zone", attributes("", created_at="2025-05-06T07:08:09"), "root", HOUSE),
    Mutant("V-03", "created_at in the future", attributes("", created_at=SOON), "root", HOUSE, says="future"),
    Mutant("V-03", "created_at with slashes", attributes("", created_at="06/05/2025"), "root", HOUSE),
    Mutant("V-04", "an unknown commit", attributes("", git_commit="unknown"), "root", HOUSE),
    Mutant("Q-01", "fewer spectra than were accepted", attributes("", n_accepted=1031), "signal/flux_raw", says="1031"),
    Mutant(
        "Q-01",
        "more spectra than expected",
        lambda store: None,
        "signal/flux_raw",
        says="12 expected",
        question={"n_spec_expected": 12},
    ),
    Mutant("M-09", "exposure times in an attribute", attributes("", exptimes=[1.0] * N_SPEC), "root", also=("E-01",)),
    Mutant("M-09", "names in an attribute of a group", attributes("metadata", names=["x"] * N_SPEC), "metadata"),
    Mutant("P-04", "teff of the root", attributes("", teff=5777.0), "root", also=("E-01",)),
    Mutant("P-04", "Teff of the root", attributes("", Teff=5777.0), "root", also=("E-01",)),
    Mutant("P-04", "logg of a group", attributes("signal", logg=4.44), "signal"),
    Mutant("P-04", "a parameter of the store at an array", attributes("signal/flux_raw", e_teff=3), "signal/flux_raw"),
]

HEADERS = [
    Mutant(
        "H-01",
        "no header field of FITS files",
        lambda store: [shutil.rmtree(path) for path in (store / "metadata").glob("h0_*")] and None,
        "metadata",
        WARNING,
    ),
    Mutant("H-02", "upper case", add("metadata/h0_EXPTIME", text(["1"] * N_SPEC)), "metadata/h0_EXPTIME"),
    Mutant("H-02", "a keyword with a dash", add("metadata/h0_mjd-obs", text(["1"] * N_SPEC)), "metadata/h0_mjd-obs"),
    Mutant("H-03", "a third card without the second", remove("metadata/h0_ctype1_2"), "metadata/h0_ctype1_3", WARNING),
    Mutant("H-03", "a second card without the first", remove("metadata/h0_ctype1"), "metadata/h0_ctype1_2", WARNING),
    Mutant("H-04", "a number", rewrite("metadata/h0_exptime", lambda v: v.astype("f8")), "metadata/h0_exptime"),
    Mutant("H-05", "structural cards", add("metadata/h0_naxis1", text(["4096"] * N_SPEC)), "metadata", WARNING),
    Mutant(
        "H-05",
        "hundreds of fields",
        together(*(add(f"metadata/h1_key{i:03d}x", text([""] * 30)) for i in range(200))),
        "metadata",
        WARNING,
        says="206 header fields",
        base="adu",
    ),
]

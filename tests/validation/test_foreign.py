"""Stores like those of the converters of the contract's owner: exactly what they break is found, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import zarr

from spectral_zarr import Verdict, validate
from spectral_zarr.cluster import Executor, ThreadExecutor
from spectral_zarr.contract import Severity

from .foreign_writers import N_SPEC, Habits, columns, write

Found = set[tuple[str, str, str, int]]

HOUSE: Found = {
    *(("warning", "Z-01", path, 0) for path in columns()),
    ("warning", "V-03", "root", 0),
    ("warning", "V-04", "root", 0),
}
"""The codec of one-dimensional arrays, a time without a zone and an unknown commit: no MUST of the contract."""

NOTED: Found = {("info", "Q-01", "signal/flux_raw", 0), ("info", "Q-06", "root", 0)}

SNAPPY = ("warning", "I-03", "index.parquet", 0)

CONVERTERS: dict[str, tuple[Habits, Found]] = {
    "polars": (Habits(), set()),
    # pandas makes a null of every NaN.
    "pandas": (Habits("pandas"), {SNAPPY, ("warning", "I-03", "index.parquet:feh", 1)}),
    "pandas with its index": (
        Habits("pandas", indexed=True),
        {
            SNAPPY,
            ("warning", "I-03", "index.parquet:feh", 1),
            ("warning", "I-03", "index.parquet:__index_level_0__", 0),
        },
    ),
    "polars with nulls": (Habits(nulls=True), {("warning", "I-03", "index.parquet:simulator", N_SPEC)}),
    "pandas with nulls": (
        Habits("pandas", nulls=True),
        {
            SNAPPY,
            ("warning", "I-03", "index.parquet:feh", 1),
            ("warning", "I-03", "index.parquet:simulator", 0),
            ("warning", "I-03", "index.parquet:simulator", N_SPEC),
        },
    ),
    "a sentinel": (Habits(missing=-999.0), {("error", "P-03", "params/feh", 1)}),
    "a chunk for every row": (
        Habits(chunk_rows=1),
        {
            ("error", "K-03", path, 0)
            for path in (
                *("signal/wavelength", "signal/flux_raw", "signal/uncertainty_raw"),
                *("continuum/continuum_model", "continuum/continuum_uncertainty"),
            )
        }
        | {
            ("warning", "K-01", path, 0)
            for path in (
                *("signal/flux_raw", "signal/uncertainty_raw"),
                *("continuum/continuum_model", "continuum/continuum_uncertainty"),
            )
        },
    ),
    "pixels too fine for float32": (Habits(step=0.01), {("warning", "S-03", "signal/wavelength", N_SPEC)}),
    "Latin-1": (
        Habits(first_name="HDé".encode("latin-1")),
        {("error", "M-06", "metadata/h0_object/0", 1)},
    ),
    "a letter cut in half": (
        Habits(first_name="HD é".encode()[:-1]),
        {("error", "M-06", "metadata/h0_object/0", 1)},
    ),
}


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """One child process for all of these tests."""
    with ThreadExecutor(1) as threads:
        yield threads


def found(verdict: Verdict) -> Found:
    return {(str(f.severity), f.rule, f.where, f.count) for f in verdict.findings}


@pytest.mark.parametrize("name", CONVERTERS)
def test_a_converter_breaks_exactly_what_it_breaks(name: str, tmp_path: Path, executor: Executor) -> None:
    habits, broken = CONVERTERS[name]
    verdict = validate(write(tmp_path / "owner.zarr", habits), executor=executor)
    assert found(verdict) == HOUSE | NOTED | broken
    assert verdict.valid == all(severity != "error" for severity, *_ in broken)


def test_strict_makes_errors_of_our_own_rules_only(tmp_path: Path, executor: Executor) -> None:
    verdict = validate(write(tmp_path / "owner.zarr", Habits()), strict=True, executor=executor)
    assert {f.rule for f in verdict.findings if f.severity is Severity.ERROR} == {"Z-01", "V-03", "V-04"}


def test_the_stores_are_shaped_as_their_description_says(tmp_path: Path) -> None:
    store = write(tmp_path / "owner.zarr", Habits())
    root = zarr.open_group(str(store), mode="r")
    assert root.metadata.zarr_format == 2
    assert root["metadata/spec_id"].dtype == np.dtype("S8")
    assert (root["signal/wavelength"].dtype, root["signal/wavelength"].ndim) == (np.float32, 2)
    assert "zstd" not in str(root["params/teff"].compressors)
    # Text that is nothing but fill value has no chunk.
    assert sorted(path.name for path in (store / "metadata" / "gaia_id").iterdir()) == [".zarray", ".zattrs"]
    assert pyarrow.parquet.read_metadata(store / "index.parquet").created_by.startswith(("Polars", "polars"))
    other = write(tmp_path / "other.zarr", Habits("pandas"))
    assert b"pandas" in pyarrow.parquet.read_schema(other / "index.parquet").metadata

"""Rules on chunks, compression, provenance, writing and completeness."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from spectral_zarr.contract import schema
from spectral_zarr.contract.chunks import (
    BLOSC_LIMIT_BYTES,
    FEWEST_ROWS,
    HIGH_RESOLUTION_PIXELS,
    HUGE_BYTES,
    is_tiny,
    spectral_chunks,
)
from spectral_zarr.contract.facts import ArrayFacts, StoreFacts
from spectral_zarr.contract.rules.registry import Breach, Level, rows, rule, same, structure
from spectral_zarr.contract.version import Reading, reading

MUST, SHOULD, HOUSE, INFO = Level.MUST, Level.SHOULD, Level.HOUSE, Level.INFO

_COMMIT = re.compile(r"[0-9a-f]{7,64}(-dirty)?\Z")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(?P<zone>Z|\+00:00)?\Z")


@structure(
    "K-01",
    SHOULD,
    "below 10,000 pixels chunks are (1024, N_pix)",
    "write the recommended chunks, unless a measurement favours others",
)
def _chunks(facts: StoreFacts) -> Iterator[Breach]:
    if facts.n_pix < HIGH_RESOLUTION_PIXELS:
        yield from _not_recommended(facts)


@structure(
    "K-02",
    SHOULD,
    "from 10,000 pixels on chunks are (256, 4096), wider where few rows would make them tiny",
    "write the recommended chunks, unless a measurement favours others",
)
def _high_resolution_chunks(facts: StoreFacts) -> Iterator[Breach]:
    if facts.n_pix >= HIGH_RESOLUTION_PIXELS:
        yield from _not_recommended(facts)


@structure("K-03", MUST, "no tiny chunks", "write chunks of at least 1 MiB, or of 4096 values in one dimension")
def _tiny_chunks(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        if len(array.shape) not in (1, 2) or 0 in array.shape:
            continue
        if is_tiny(array.shape, array.chunks, array.itemsize):
            yield Breach(path, f"chunks of {array.chunks} for a shape of {array.shape}", _at_most_a_warning(path))
        elif len(array.shape) == 2 and array.chunks[0] <= FEWEST_ROWS < array.shape[0]:
            yield Breach(path, f"chunks of {array.chunks[0]} rows", SHOULD)


@structure("K-04", HOUSE, "chunks are at most 256 MiB", "write smaller chunks; Blosc ends at 2 GiB")
def _huge_chunks(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        nbytes = array.itemsize
        for length in array.inner_chunks or array.chunks:
            nbytes *= length
        limit = BLOSC_LIMIT_BYTES if array.kind == "text" else HUGE_BYTES
        if nbytes > limit:
            level = MUST if nbytes > BLOSC_LIMIT_BYTES else None
            yield Breach(path, f"a chunk holds {nbytes} bytes", _at_most_a_warning(path) or level)


@structure(
    "Z-01",
    MUST,
    "arrays are compressed with Blosc, zstd, bitshuffle, level 5 to 7",
    "name the codec for every array; the default of zarr is another one",
)
def _codec(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        if not _codec_is_right(array):
            found = "Blosc({}, clevel={}, {})".format(*array.codec) if array.codec else "not Blosc"
            level = None if len(array.shape) == 2 else HOUSE
            yield Breach(path, f"the codec is {found}", _at_most_a_warning(path) or level)


@structure(
    "Z-02",
    HOUSE,
    "the codec knows the element size of numbers",
    "set typesize to the item size: with 1, the bit transpose finds nothing to gain",
)
def _typesize(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        if array.kind != "text" and array.typesize is not None and array.typesize != array.itemsize:
            yield Breach(path, f"typesize {array.typesize} for {array.kind}")


rows(
    "Z-03",
    MUST,
    "every chunk can be decoded",
    "restore the chunk from a copy, or write the store anew",
    damaged="chunks that cannot be decoded",
    killed="reading these rows ended the process that read them",
)


@structure("Z-04", MUST, "decoding needs no code from the store", "write the array with a standard codec")
def _decodable(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        if array.unreadable:
            yield Breach(path, array.unreadable)


@structure(
    "V-01", MUST, "the root has schema_version, ingest_pipeline, created_at and git_commit", "set the root attribute"
)
def _provenance(facts: StoreFacts) -> Iterator[Breach]:
    for key in schema.ROOT_ATTRIBUTES:
        value = facts.attributes.get(key)
        if value is None or value == "" or (key != "schema_version" and not isinstance(value, str)):
            yield Breach("root", f"{key} is {'missing' if key not in facts.attributes else repr(value)}")


@structure("V-02", MUST, 'schema_version is the text "2.0"', 'write the text "2.0"')
def _schema_version(facts: StoreFacts) -> Iterator[Breach]:
    version = facts.attributes.get("schema_version")
    if version is None or version == "" or version == schema.SCHEMA_VERSION:
        return
    found = reading(version)
    if found is Reading.NEWER_MINOR:
        message = f"{version!r} is a newer minor version: readers accept it, writers must name the one they follow"
        yield Breach("root", message, INFO if facts.for_reading else None)
    elif found is Reading.OTHER_MAJOR:
        yield Breach("root", f"{version!r} is another layout; readers of {schema.SCHEMA_VERSION} refuse it")
    else:
        yield Breach("root", f"it is {version!r}")


@structure("V-03", HOUSE, "created_at is UTC, YYYY-MM-DDThh:mm:ssZ", "write the UTC time with the letter Z")
def _created_at(facts: StoreFacts) -> Iterator[Breach]:
    value = facts.attributes.get("created_at")
    if not isinstance(value, str) or not value:
        return
    match = _MOMENT.match(value)
    try:
        moment = datetime.fromisoformat(value) if match is not None else None
    except ValueError:
        moment = None
    if match is None or moment is None:
        yield Breach("root", f"created_at is {value!r}")
    elif match["zone"] is None:
        yield Breach("root", f"created_at is {value!r}, without a zone")
    elif moment > datetime.now(UTC) + timedelta(days=1):
        yield Breach("root", f"created_at is {value!r}, in the future")


@structure("V-04", HOUSE, "git_commit is a commit, perhaps -dirty", "write the commit of the pipeline")
def _git_commit(facts: StoreFacts) -> Iterator[Breach]:
    value = facts.attributes.get("git_commit")
    if isinstance(value, str) and value and not _COMMIT.match(value):
        yield Breach("root", f"git_commit is {value!r}")


rule("W-01", MUST, "a store is written beside its final path and renamed", "write to <dataset>.zarr.tmp")
rule("W-02", MUST, "a store is validated fully before the one atomic rename", "validate, then rename")


@structure(
    "W-03",
    INFO,
    "the final path is never partial and never written in place",
    "a build is in progress or was interrupted; resume it or abort it",
)
def _unfinished(facts: StoreFacts) -> Iterator[Breach]:
    if facts.unfinished_beside:
        yield Breach(facts.unfinished_beside, "an unfinished store lies beside this one")


rule("W-04", HOUSE, "each chunk has one writer", "align the blocks of tasks with chunk rows")


@structure("Q-01", MUST, "N_spec is what is expected", "find out which spectra are missing or doubled")
def _expected(facts: StoreFacts) -> Iterator[Breach]:
    if facts.n_spec_expected is None:
        yield Breach(schema.FLUX, "not checked: nobody says how many spectra there should be", INFO)
    elif facts.n_spec and facts.n_spec != facts.n_spec_expected:
        yield Breach(schema.FLUX, f"{facts.n_spec} spectra, {facts.n_spec_expected} expected")


rows(
    "Q-02",
    MUST,
    "no row of flux_raw is only NaN and zero",
    "reject such spectra at ingest",
    empty="rows without a measurement",
)
same("Q-03", MUST, "all params are (N_spec,)", "D-04")
same("Q-04", MUST, "all metadata are (N_spec,)", "D-04")
same("Q-05", MUST, "the index has N_spec rows", "I-01")
rows(
    "Q-06",
    MUST,
    "every file is what its receipt says",
    "the disk or another program damaged it: restore it from a copy or build the store anew",
    damaged="the file is not what was written",
    unchecked=("not checked against receipts: damage that still decodes is not found without --deep", INFO),
)

rule("E-02", MUST, "minor versions only add; a change of the layout is 3.0", "raise the major version")
same("F-01", MUST, "no hierarchy of instruments or objects", "G-01")
same("F-02", MUST, "no parameters as attributes", "P-04")
same("F-03", MUST, "no sentinels for missing values", "P-03")
same("F-04", MUST, "no direct writes to the final path", "W-01")
same("F-05", MUST, "no tiny chunks", "K-03")
same("F-06", MUST, "no mixed wavelength units", "U-05")


def _at_most_a_warning(path: str) -> Level | None:
    # Readers ignore what the contract does not name, so how it is stored makes no store invalid.
    return None if schema.is_named(path) else SHOULD


def _not_recommended(facts: StoreFacts) -> Iterator[Breach]:
    if not facts.n_spec or not facts.n_pix:
        return
    wanted = spectral_chunks(facts.n_spec, facts.n_pix)
    allowed = {(wanted.rows, wanted.columns)}
    if facts.n_pix >= HIGH_RESOLUTION_PIXELS:
        allowed.add((wanted.rows, min(4096, facts.n_pix)))
    for path, array in facts.arrays.items():
        aligned = path in schema.CUBES and array.shape == (facts.n_spec, facts.n_pix)
        if aligned and not {_clipped(array, array.chunks), _clipped(array, array.inner_chunks)} & allowed:
            yield Breach(path, f"the chunks are {array.chunks}, recommended {(wanted.rows, wanted.columns)}")


def _clipped(array: ArrayFacts, chunks: tuple[int, ...] | None) -> tuple[int, ...]:
    # A chunk that reaches beyond the array is the same as one that ends with it.
    return tuple(min(chunk, length) for chunk, length in zip(chunks or (), array.shape, strict=False))


def _codec_is_right(array: ArrayFacts) -> bool:
    if array.codec is None:
        return False
    cname, clevel, shuffle = array.codec
    return cname == schema.CNAME and clevel in schema.CLEVELS and shuffle == schema.SHUFFLE

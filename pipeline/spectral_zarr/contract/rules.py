"""The clauses of the contract as named rules over the structure of a store; facts in, findings out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from spectral_zarr.contract import schema
from spectral_zarr.contract.chunks import (
    BLOSC_LIMIT_BYTES,
    HIGH_RESOLUTION_PIXELS,
    HUGE_BYTES,
    is_tiny,
    spectral_chunks,
)
from spectral_zarr.contract.facts import ArrayFacts, RowFacts, StoreFacts
from spectral_zarr.contract.findings import Finding, Severity
from spectral_zarr.contract.naming import HEADER_NAME, PARAM_NAME


class Level(StrEnum):
    """Where a rule comes from: the contract's MUST or SHOULD, or our reading where the contract is silent."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    HOUSE = "HOUSE"


Breach = tuple[str, str]
"""Where a rule is broken, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One clause."""

    id: str
    level: Level
    clause: str
    check: Callable[[StoreFacts], Iterator[Breach]] | None = None


RULES: dict[str, Rule] = {}


def _rule(identifier: str, level: Level, clause: str) -> Callable[[Callable[[StoreFacts], Iterator[Breach]]], None]:
    def register(check: Callable[[StoreFacts], Iterator[Breach]]) -> None:
        RULES[identifier] = Rule(identifier, level, clause, check)

    return register


def _counted(identifier: str, level: Level, clause: str) -> None:
    RULES[identifier] = Rule(identifier, level, clause)


def check_structure(facts: StoreFacts, *, strict: bool = False) -> list[Finding]:
    """Apply every structural rule.

    Parameters
    ----------
    facts : StoreFacts
        Structure of the store.
    strict : bool
        Whether a broken HOUSE rule is an error.
    """
    return [
        Finding(rule.id, severity(rule, strict=strict), where, message)
        for rule in RULES.values()
        if rule.check is not None
        for where, message in rule.check(facts)
    ]


def check_rows(facts: RowFacts, *, strict: bool = False) -> list[Finding]:
    """Findings for what was counted in the rows."""
    return [
        Finding(rule, severity(RULES[rule], strict=strict), where, RULES[rule].clause, rows, count)
        for (rule, where), (rows, count) in sorted(facts.offences.items())
    ]


def severity(rule: Rule, *, strict: bool) -> Severity:
    """Error for MUST, and for HOUSE when strict; else a warning."""
    return Severity.ERROR if rule.level is Level.MUST or (strict and rule.level is Level.HOUSE) else Severity.WARNING


@_rule("L-01", Level.MUST, "the five groups exist; params and representations may be empty")
def _groups(facts: StoreFacts) -> Iterator[Breach]:
    for group in schema.GROUPS:
        if group not in facts.groups:
            yield group, "the group is missing; create it"


@_rule("L-02", Level.MUST, "the six required arrays exist")
def _arrays(facts: StoreFacts) -> Iterator[Breach]:
    for path in schema.REQUIRED_ARRAYS:
        if path not in facts.arrays:
            yield path, "the array is missing; write it, all-NaN where nothing is known"


@_rule("L-03", Level.MUST, "index.parquet lies inside the store and can be read")
def _index(facts: StoreFacts) -> Iterator[Breach]:
    if facts.index is None:
        yield "index.parquet", "missing or unreadable; write it from the arrays"


@_rule("L-04", Level.HOUSE, "nothing else lies in the root")
def _foreign(facts: StoreFacts) -> Iterator[Breach]:
    for name in facts.foreign:
        yield name, "not part of a store; remove it"


@_rule("L-05", Level.MUST, "the name ends in .zarr")
def _name(facts: StoreFacts) -> Iterator[Breach]:
    if not facts.name.endswith((".zarr", ".zarr.tmp")):
        yield facts.name, "rename the store to <dataset>.zarr"


@_rule("D-01", Level.MUST, "flux_raw is (N_spec, N_pix) with at least one spectrum and one pixel")
def _flux_shape(facts: StoreFacts) -> Iterator[Breach]:
    flux = facts.arrays.get(schema.FLUX)
    if flux is not None and (len(flux.shape) != 2 or 0 in flux.shape):
        yield schema.FLUX, f"the shape is {flux.shape}"


@_rule("D-02", Level.MUST, "every 2-D array of signal, continuum and representations is (N_spec, N_pix)")
def _cube_shapes(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        group = path.split("/")[0]
        cube = path in schema.CUBES or (len(array.shape) == 2 and group in ("signal", "continuum", "representations"))
        if cube and array.shape != (facts.n_spec, facts.n_pix):
            yield path, f"the shape is {array.shape}, flux_raw has {(facts.n_spec, facts.n_pix)}"


@_rule("D-03", Level.MUST, "continuum/method is (N_spec,)")
def _method_shape(facts: StoreFacts) -> Iterator[Breach]:
    method = facts.arrays.get(schema.METHOD)
    if method is not None and method.shape != (facts.n_spec,):
        yield schema.METHOD, f"the shape is {method.shape}, expected {(facts.n_spec,)}"


@_rule("D-04", Level.MUST, "every array of params and metadata is (N_spec,)")
def _column_shapes(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        if path.startswith(("params/", "metadata/")) and array.shape != (facts.n_spec,):
            yield path, f"the shape is {array.shape}, expected {(facts.n_spec,)}"


@_rule("G-01", Level.MUST, "no groups below the five of the contract: spectra first")
def _nested(facts: StoreFacts) -> Iterator[Breach]:
    for group in facts.groups:
        if "/" in group and group.split("/")[0] in schema.GROUPS:
            yield group, "a nested group; put its arrays into the group above"


@_rule("S-01", Level.SHOULD, "flux_raw is float32")
def _flux_dtype(facts: StoreFacts) -> Iterator[Breach]:
    flux = facts.arrays.get(schema.FLUX)
    if flux is not None and flux.kind != "float32":
        yield schema.FLUX, f"the dtype is {flux.kind}"


@_rule("S-02", Level.MUST, "wavelength is (N_pix,) or (N_spec, N_pix)")
def _wavelength_shape(facts: StoreFacts) -> Iterator[Breach]:
    wavelength = facts.arrays.get(schema.WAVELENGTH)
    if wavelength is not None and wavelength.shape not in ((facts.n_pix,), (facts.n_spec, facts.n_pix)):
        yield schema.WAVELENGTH, f"the shape is {wavelength.shape}"


@_rule("S-03", Level.HOUSE, "wavelength is float64")
def _wavelength_dtype(facts: StoreFacts) -> Iterator[Breach]:
    wavelength = facts.arrays.get(schema.WAVELENGTH)
    if wavelength is not None and wavelength.kind != "float64":
        yield schema.WAVELENGTH, f"the dtype is {wavelength.kind}"


@_rule("C-02", Level.MUST, "continuum/method is text")
def _method_kind(facts: StoreFacts) -> Iterator[Breach]:
    method = facts.arrays.get(schema.METHOD)
    if method is not None and method.kind != "text":
        yield schema.METHOD, f"the dtype is {method.kind}"


@_rule("R-02", Level.MUST, "normalized_uncertainty only together with normalized_flux")
def _normalized_pair(facts: StoreFacts) -> Iterator[Breach]:
    if schema.NORMALIZED_UNCERTAINTY in facts.arrays and schema.NORMALIZED not in facts.arrays:
        yield schema.NORMALIZED_UNCERTAINTY, "write normalized_flux or remove the uncertainty"


@_rule("P-01", Level.MUST, "parameters are floating point")
def _param_dtype(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in _params(facts):
        if not array.kind.startswith("float"):
            yield path, f"the dtype is {array.kind}, which cannot hold NaN"


@_rule("P-02", Level.MUST, "parameter arrays have no attributes")
def _param_attributes(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in _params(facts):
        keys = set(array.attributes) - ({"_ARRAY_DIMENSIONS"} if facts.zarr_format == 2 else set())
        if keys:
            yield path, f"remove the attributes {', '.join(sorted(keys))}"
    for key in facts.group_attributes.get("params", {}):
        yield "params", f"remove the attribute {key}"


@_rule("P-04", Level.MUST, "no parameter values in attributes")
def _param_as_attribute(facts: StoreFacts) -> Iterator[Breach]:
    names = {path.removeprefix("params/") for path, _ in _params(facts)}
    names |= {"teff", "logg", "feh", "m_h", "mh", "alpha", "vmic", "vsini", "rv"}
    for where, attributes in (("root", facts.attributes), *facts.group_attributes.items()):
        for key in attributes:
            if key in names:
                yield where, f"the attribute {key} is a parameter; store it as params/{key}"


@_rule("P-06", Level.HOUSE, "parameter names are snake_case")
def _param_names(facts: StoreFacts) -> Iterator[Breach]:
    for path, _ in _params(facts):
        if not PARAM_NAME.match(path.removeprefix("params/")):
            yield path, "rename it"


@_rule("M-03", Level.HOUSE, "the typical metadata fields are written")
def _typical(facts: StoreFacts) -> Iterator[Breach]:
    for name in ("spec_id", "source_type", "instrument", "flux_type", "snr", "date_obs", "gaia_id", "gaia_dr"):
        if f"metadata/{name}" not in facts.arrays:
            yield f"metadata/{name}", "the field is missing"


@_rule("M-09", Level.MUST, "metadata are arrays, not attributes")
def _metadata_as_attribute(facts: StoreFacts) -> Iterator[Breach]:
    for key, value in facts.attributes.items():
        if isinstance(value, list) and facts.n_spec > 1 and len(value) == facts.n_spec:
            yield "root", f"the attribute {key} has one value per spectrum; store it as metadata/{key}"


@_rule("H-02", Level.MUST, "header fields are named h{hdu}_{keyword} and are text")
def _header_names(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        name = path.removeprefix("metadata/")
        if path.startswith("metadata/") and re.match(r"h\d", name):
            if not HEADER_NAME.match(name):
                yield path, "rename it"
            elif array.kind != "text":
                yield path, f"the dtype is {array.kind}"


@_rule("U-01", Level.MUST, "spectral arrays declare their units")
def _units(facts: StoreFacts) -> Iterator[Breach]:
    for path in schema.ARRAYS_WITH_UNITS:
        array = facts.arrays.get(path)
        units = array.attributes.get("units") if array is not None else "absent"
        if not isinstance(units, str) or not units.strip():
            yield path, "set the attribute units to a unit text"


@_rule("K-01", Level.SHOULD, "chunks are (1024, N_pix), or (256, 4096) from 10,000 pixels on")
def _recommended_chunks(facts: StoreFacts) -> Iterator[Breach]:
    if facts.n_spec and facts.n_pix:
        wanted = spectral_chunks(facts.n_spec, facts.n_pix)
        narrow = (wanted.rows, min(4096, facts.n_pix)) if facts.n_pix >= HIGH_RESOLUTION_PIXELS else None
        for path, array in facts.arrays.items():
            if path in schema.CUBES and array.chunks not in ((wanted.rows, wanted.columns), narrow):
                yield path, f"the chunks are {array.chunks}, recommended {(wanted.rows, wanted.columns)}"


@_rule("K-03", Level.MUST, "no tiny chunks")
def _tiny_chunks(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        if len(array.shape) in (1, 2) and 0 not in array.shape and is_tiny(array.shape, array.chunks, array.itemsize):
            yield path, f"the chunks are {array.chunks}; write larger ones"


@_rule("K-04", Level.HOUSE, "chunks are at most 256 MiB")
def _huge_chunks(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        nbytes = array.itemsize
        for length in array.chunks:
            nbytes *= length
        if nbytes > (BLOSC_LIMIT_BYTES if array.kind == "text" else HUGE_BYTES):
            yield path, f"a chunk holds {nbytes} bytes; write smaller ones"


@_rule("Z-01", Level.MUST, "spectral arrays are compressed with Blosc, zstd, bitshuffle, level 5 to 7")
def _codec(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        if len(array.shape) == 2 and not _codec_is_right(array):
            yield path, f"the codec is {array.codec or 'not Blosc'}"


@_rule("Z-02", Level.HOUSE, "all other arrays are compressed the same way")
def _codec_1d(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        if len(array.shape) != 2 and not _codec_is_right(array):
            yield path, f"the codec is {array.codec or 'not Blosc'}"


@_rule("I-01", Level.MUST, "the index has the eight columns and one row per spectrum")
def _index_columns(facts: StoreFacts) -> Iterator[Breach]:
    if facts.index is not None:
        for name in schema.INDEX_COLUMNS:
            if name not in facts.index.columns:
                yield "index.parquet", f"the column {name} is missing"
        if facts.index.rows != facts.n_spec:
            yield "index.parquet", f"{facts.index.rows} rows for {facts.n_spec} spectra"


@_rule("V-01", Level.MUST, "the four provenance attributes are non-empty text")
def _provenance(facts: StoreFacts) -> Iterator[Breach]:
    for key in schema.ROOT_ATTRIBUTES:
        value = facts.attributes.get(key)
        if value is None or value == "" or (key != "schema_version" and not isinstance(value, str)):
            yield "root", f"set the attribute {key}"


@_rule("V-02", Level.MUST, 'schema_version is the text "2.0"')
def _schema_version(facts: StoreFacts) -> Iterator[Breach]:
    version = facts.attributes.get("schema_version")
    if version is not None and version != schema.SCHEMA_VERSION:
        yield "root", f"schema_version is {version!r}"


@_rule("V-03", Level.HOUSE, "created_at is UTC, YYYY-MM-DDThh:mm:ssZ")
def _created_at(facts: StoreFacts) -> Iterator[Breach]:
    value = facts.attributes.get("created_at")
    if isinstance(value, str) and not re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$", value):
        yield "root", f"created_at is {value!r}"


@_rule("V-04", Level.HOUSE, "git_commit is a commit, perhaps -dirty")
def _git_commit(facts: StoreFacts) -> Iterator[Breach]:
    value = facts.attributes.get("git_commit")
    if isinstance(value, str) and value and not re.match(r"^[0-9a-f]{7,64}(-dirty)?$", value):
        yield "root", f"git_commit is {value!r}"


@_rule("Q-01", Level.MUST, "N_spec is what the plan promised")
def _expected(facts: StoreFacts) -> Iterator[Breach]:
    if facts.n_spec_expected is not None and facts.n_spec != facts.n_spec_expected:
        yield schema.FLUX, f"{facts.n_spec} spectra, {facts.n_spec_expected} expected"


_counted("Q-02", Level.MUST, "no row of flux_raw is only NaN and zero; reject such spectra at ingest")
_counted("Q-06", Level.MUST, "every chunk is what its receipt says; the disk or another program damaged it")
_counted("S-04", Level.HOUSE, "wavelengths increase strictly, with NaN only at the row end")
_counted("S-06", Level.HOUSE, "uncertainties are positive or NaN")
_counted("S-07", Level.HOUSE, "values are finite or NaN, never infinite")
_counted("P-03", Level.MUST, "missing parameters are NaN, never sentinels")
_counted("M-01", Level.MUST, "source_type is observed, synthetic, emulator, forward_model or stacked")
_counted("M-02", Level.MUST, "flux_type is flux or intensity")
_counted("M-04", Level.HOUSE, "spec_id is unique, printable and without blanks")
_counted("M-08", Level.HOUSE, "date_obs is an ISO date or ''")
_counted("I-02", Level.HOUSE, "row i of the index is row i of the arrays")


def _params(facts: StoreFacts) -> list[tuple[str, ArrayFacts]]:
    return [(path, array) for path, array in facts.arrays.items() if path.startswith("params/")]


def _codec_is_right(array: ArrayFacts) -> bool:
    if array.codec is None:
        return False
    cname, clevel, shuffle = array.codec
    return cname == schema.CNAME and clevel in schema.CLEVELS and shuffle == schema.SHUFFLE

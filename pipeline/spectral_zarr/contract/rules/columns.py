"""Rules on parameters, metadata, projected header fields and the index."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import ArrayFacts, RowFacts, StoreFacts
from spectral_zarr.contract.naming import BULK_HEADER_NAME, HEADER_NAME, NUMBERED_NAME, PARAM_NAME
from spectral_zarr.contract.rules.registry import Breach, Level, also, gathered, rows, same, structure

MUST, SHOULD, HOUSE = Level.MUST, Level.SHOULD, Level.HOUSE

MOST_HEADER_FIELDS = 200
LONGEST_ROW_GROUP = 1_000_000

_PARAMETERS = frozenset({"teff", "logg", "feh", "m_h", "mh", "alpha", "vmic", "vsini", "rv"})
_KINDS = {field.name: field.kind for field in schema.METADATA}
_PLAIN_TEXT = ("string", "large_string", "string_view")


@structure("P-01", MUST, "parameters are (N_spec,) and floating point", "write float64, NaN where a value is missing")
def _param_dtype(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in _members(facts, "params"):
        if array.kind not in ("float32", "float64"):
            # Half precision holds NaN, but neither 300,000 K nor a tenth of a kelvin.
            level = HOUSE if array.kind == "float16" else None
            yield Breach(path, f"the dtype is {array.kind}, which cannot hold every value and NaN", level)


@structure("P-02", MUST, "parameters have no attributes", "remove the attributes; units belong into documentation")
def _param_attributes(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in _members(facts, "params"):
        keys = set(array.attributes)
        if keys == {"_ARRAY_DIMENSIONS"} and facts.zarr_format == 2:
            # That is how xarray names dimensions in format 2, and no parameter.
            yield Breach(path, "the attribute _ARRAY_DIMENSIONS of xarray", SHOULD)
        elif keys:
            yield Breach(path, f"the attributes {', '.join(sorted(keys))}")
    for key in facts.group_attributes.get("params", {}):
        yield Breach("params", f"the attribute {key}")


rows(
    "P-03",
    MUST,
    "missing parameters are NaN, never sentinels",
    "convert the sentinels of the catalogue to NaN",
    sentinel="values that stand for missing",
    repeated="exactly 9999 K in three rows or more",
    infinite="infinite values",
    error="errors of zero or below beside a missing value",
)


@structure("P-04", MUST, "no parameter values in attributes", "store them as params/<name>, one value per spectrum")
def _param_as_attribute(facts: StoreFacts) -> Iterator[Breach]:
    names = _PARAMETERS | {path.removeprefix("params/").lower() for path, _ in _members(facts, "params")}
    attributes = [("root", facts.attributes), *facts.group_attributes.items()]
    attributes += [(path, array.attributes) for path, array in facts.arrays.items() if not path.startswith("params/")]
    for where, mapping in attributes:
        for key in mapping:
            # The group of the parameters may have no attribute at all, which is another rule.
            if key.lower() in names and where != "params":
                yield Breach(where, f"the attribute {key} is a parameter")


same("P-05", MUST, "params may be empty; the index has teff, logg and feh all the same", "I-01")


@structure("P-06", HOUSE, "parameter names are snake_case", "rename it, for example teff, e_teff, m_h")
def _param_names(facts: StoreFacts) -> Iterator[Breach]:
    for path, _ in _members(facts, "params"):
        name = path.removeprefix("params/")
        if "/" not in name and not PARAM_NAME.match(name):
            yield Breach(path, "not a lower-case name")


rows(
    "P-07",
    HOUSE,
    "teff is in K, logg in log10(cm s-2), feh in dex, mu in 0 to 1",
    "convert the values to the unit of the parameter",
    implausible="values that no star has",
)
rows(
    "P-08",
    HOUSE,
    "spectra of intensity have params/mu",
    "write the cosine of the angle as params/mu, one row per angle",
    no_mu="intensities without a finite params/mu",
)

rows(
    "M-01",
    MUST,
    f"source_type is {', '.join(schema.SourceType)}",
    "write metadata/source_type with one of these for every spectrum",
    unknown="other values",
)
rows(
    "M-02",
    MUST,
    f"flux_type is {' or '.join(schema.FluxType)}",
    "write metadata/flux_type with one of these for every spectrum",
    unknown="other values",
)


@also("M-01")
def _source_type(facts: StoreFacts) -> Iterator[Breach]:
    yield from _text_field(facts, "source_type")


@also("M-02")
def _flux_type(facts: StoreFacts) -> Iterator[Breach]:
    yield from _text_field(facts, "flux_type")


@structure("M-03", HOUSE, "the typical metadata fields are written", "write it, '' or NaN where it is unknown")
def _typical(facts: StoreFacts) -> Iterator[Breach]:
    for name in ("spec_id", "instrument", "snr", "date_obs"):
        if f"metadata/{name}" not in facts.arrays and "metadata" in facts.groups:
            yield Breach(f"metadata/{name}", "the field is missing", None if name == "spec_id" else SHOULD)


rows(
    "M-04",
    HOUSE,
    "spec_id is unique, printable ASCII and without blanks",
    "make the identifiers unique, for example with the product in front",
    malformed="empty identifiers, or such with blanks or other characters",
    repeated="identifiers that occur before",
)


@structure("M-05", HOUSE, "gaia_id and gaia_dr are written as text", "write them, '' where they are unknown")
def _gaia(facts: StoreFacts) -> Iterator[Breach]:
    for name in ("gaia_id", "gaia_dr"):
        array = facts.arrays.get(f"metadata/{name}")
        if array is None and "metadata" in facts.groups:
            yield Breach(f"metadata/{name}", "the field is missing")
        elif array is not None and array.kind != "text":
            yield Breach(f"metadata/{name}", f"the dtype is {array.kind}; a float would lose digits")


rows(
    "M-06",
    HOUSE,
    "text is UTF-8",
    "write variable-length UTF-8",
    undecodable=("bytes that are not UTF-8", MUST),
)


@also("M-06")
def _text_kinds(facts: StoreFacts) -> Iterator[Breach]:
    for name, kind in _KINDS.items():
        array = facts.arrays.get(f"metadata/{name}")
        known = name in ("source_type", "flux_type", "gaia_id", "gaia_dr")
        if array is not None and kind == "text" and array.kind != "text" and not known:
            yield Breach(f"metadata/{name}", f"the dtype is {array.kind}")


rows(
    "M-07",
    HOUSE,
    "snr is a number, NaN where it is unknown",
    "write a float, NaN where it is unknown",
    infinite="infinite ratios",
)


@also("M-07")
def _snr(facts: StoreFacts) -> Iterator[Breach]:
    array = facts.arrays.get("metadata/snr")
    if array is not None and not array.kind.startswith("float"):
        yield Breach("metadata/snr", f"the dtype is {array.kind}")


rows(
    "M-08",
    HOUSE,
    "date_obs is YYYY-MM-DDThh:mm:ss.sss, YYYY-MM-DD or ''",
    "write the UTC start of the exposure in ISO form",
    malformed="other forms, times that the calendar or the clock do not have, or years outside 1970 to 2100",
)


@structure("M-09", MUST, "metadata are arrays, not attributes", "store it as metadata/<name>")
def _metadata_as_attribute(facts: StoreFacts) -> Iterator[Breach]:
    attributes = [("root", facts.attributes), *facts.group_attributes.items()]
    for where, mapping in attributes:
        for key, value in mapping.items():
            # A store of two spectra may well have two readers.
            known = key in schema.ADDED_ROOT_ATTRIBUTES
            if isinstance(value, list) and facts.n_spec > 1 and len(value) == facts.n_spec and not known:
                yield Breach(where, f"the attribute {key} has one value per spectrum")


rows(
    "M-10",
    MUST,
    "missing metadata are NaN or '', never sentinels",
    "convert the sentinels to NaN, in text to ''",
    sentinel="numbers that stand for missing",
    text=("text that stands for missing", HOUSE),
)


rows(
    "M-11",
    SHOULD,
    "models name their simulator: synthetic, emulator and forward_model",
    "write the code and its version, for example PHOENIX-ACES-2011",
    unnamed="models without a simulator",
)


@gathered(
    "H-01",
    SHOULD,
    "the reusable fields of FITS headers are projected into metadata",
    "project airmass, time, sky position, target and instrument as h{hdu}_{keyword}",
)
def _no_header_fields(facts: StoreFacts, found: RowFacts) -> Iterator[Breach]:
    if found.from_fits and not _header_fields(facts):
        yield Breach("metadata", "no field comes from a header, although the sources are FITS files")


@structure("H-02", MUST, "header fields are named h{hdu}_{keyword} in lower case", "map every other character to _")
def _header_names(facts: StoreFacts) -> Iterator[Breach]:
    for name in _header_fields(facts):
        if not HEADER_NAME.match(name):
            yield Breach(f"metadata/{name}", "not of that form")


@structure(
    "H-03",
    SHOULD,
    "repeated cards are numbered _2, _3, ... without a gap",
    "number them in the order of the header; ignore this when the keyword itself ends in a number",
)
def _header_numbers(facts: StoreFacts) -> Iterator[Breach]:
    names = set(_header_fields(facts))
    for name in sorted(names):
        if (match := NUMBERED_NAME.match(name)) is None:
            continue
        base, number = match["base"], int(match["number"])
        before = base if number == 2 else f"{base}_{number - 1}"
        if number >= 2 and before not in names:
            yield Breach(f"metadata/{name}", f"there is no {before}")


@structure("H-04", MUST, "header fields are UTF-8 text", "write the text of the card")
def _header_text(facts: StoreFacts) -> Iterator[Breach]:
    for name in _header_fields(facts):
        array = facts.arrays[f"metadata/{name}"]
        if array.kind != "text":
            yield Breach(f"metadata/{name}", f"the dtype is {array.kind}")


@structure(
    "H-05",
    SHOULD,
    "no bulk blocks of headers: calibration series, telemetry, structural cards",
    "project fewer fields",
)
def _header_bulk(facts: StoreFacts) -> Iterator[Breach]:
    names = _header_fields(facts)
    if len(names) > MOST_HEADER_FIELDS:
        yield Breach("metadata", f"{len(names)} header fields")
    bulk = [name for name in names if BULK_HEADER_NAME.match(name)]
    if bulk:
        yield Breach("metadata", f"header fields without reusable content: {', '.join(sorted(bulk)[:8])}")


@structure(
    "I-01",
    MUST,
    "the index has the eight columns and one row per spectrum",
    "write it from the arrays, with NaN columns for parameters that the store has not",
)
def _index_columns(facts: StoreFacts) -> Iterator[Breach]:
    if facts.index is None:
        return
    for name in schema.INDEX_COLUMNS:
        if name not in facts.index.columns:
            yield Breach("index.parquet", f"the column {name} is missing")
    if facts.n_spec and facts.index.rows != facts.n_spec:
        yield Breach("index.parquet", f"{facts.index.rows} rows for {facts.n_spec} spectra")


rows(
    "I-02",
    HOUSE,
    "row i of the index is row i of the arrays",
    "write the index last, from the tables of the arrays",
    differs="values that differ from the array",
)
rows(
    "I-03",
    HOUSE,
    "the index is plain: text and double without nulls, no index of pandas, zstd, at most a million rows a row group",
    "write plain Arrow types, NaN instead of null",
    null="nulls",
)


@also("I-03")
def _index_types(facts: StoreFacts) -> Iterator[Breach]:
    index = facts.index
    if index is None:
        return
    for name in schema.INDEX_COLUMNS:
        kind = index.columns.get(name)
        wanted = _PLAIN_TEXT if name in schema.INDEX_TEXT else ("double",)
        if kind is not None and kind not in wanted:
            yield Breach(f"index.parquet:{name}", f"the type is {kind}, not {wanted[0]}")
    for name in index.columns:
        if re.fullmatch(r"__index_level_\d+__", name):
            yield Breach(f"index.parquet:{name}", "an index of pandas")
    if index.longest_row_group > LONGEST_ROW_GROUP:
        yield Breach("index.parquet", f"a row group has {index.longest_row_group} rows")
    if other := index.compressions - {"zstd"}:
        yield Breach("index.parquet", f"compressed with {', '.join(sorted(other))}")


def _members(facts: StoreFacts, group: str) -> list[tuple[str, ArrayFacts]]:
    return [(path, array) for path, array in facts.arrays.items() if path.startswith(f"{group}/")]


def _header_fields(facts: StoreFacts) -> list[str]:
    names = [path.removeprefix("metadata/") for path, _ in _members(facts, "metadata")]
    return [name for name in names if re.match(r"h\d", name)]


def _text_field(facts: StoreFacts, name: str) -> Iterator[Breach]:
    array = facts.arrays.get(f"metadata/{name}")
    if array is None and "metadata" in facts.groups:
        yield Breach(f"metadata/{name}", "the field is missing")
    elif array is not None and array.kind != "text":
        yield Breach(f"metadata/{name}", f"the dtype is {array.kind}")

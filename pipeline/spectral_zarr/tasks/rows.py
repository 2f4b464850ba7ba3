"""The columns of staged spectra: one row per spectrum, as text and numbers, without pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spectral_zarr.contract.columns import param_sentinels
from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.contract.rows import SENTINELS, is_listed
from spectral_zarr.contract.schema import METADATA
from spectral_zarr.model import Note, Observation, Spectrum
from spectral_zarr.store.arrow import flags, has_text, integers_or_null, numbers, texts
from spectral_zarr.transforms import Prepared

HEADER_PREFIX, PARAM_PREFIX = "header:", "param:"


class _Facts(NamedTuple):
    """Columns of a spectrum beside those of its `Observation`."""

    spec_id: str
    wavelength_medium: str
    n_pix_valid: int
    pix_offset: int
    order_overlap: str
    wave_min: float
    wave_max: float
    source_file: str
    source_companions: str
    source_hdu: int
    source_row: int
    source_size: int
    source_sha256: str
    reader: str
    grid_scale: str
    grid_start: float
    grid_step: float
    grid_first: int | None
    grid_digest: str
    n_pix: int
    flux_unit: str
    flux_unit_original: str
    continuum_method: str
    has_uncertainty: bool
    has_continuum: bool
    has_normalized: bool


_KINDS = {
    **{field.name: str(field.kind) for field in METADATA},
    **dict.fromkeys(("grid_start", "grid_step"), "float64"),
    **dict.fromkeys(("grid_scale", "grid_digest", "flux_unit", "flux_unit_original", "continuum_method"), "text"),
    **dict.fromkeys(("has_uncertainty", "has_continuum", "has_normalized"), "flag"),
    "grid_first": "int64 or null",
    "n_pix": "int64",
}
_OBSERVED = tuple(field.name for field in fields(Observation) if field.name != "notes")
_observed = attrgetter(*_OBSERVED)
_NAMES = (*_OBSERVED, *_Facts._fields)
_RANGES = {"ra": (-360.0, 360.0), "dec": (-90.0, 90.0)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a spectrum comes from."""

    name: str
    size: int
    sha256: str
    reader: str
    companions: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of one spectrum; `values` as `_NAMES` has them, `notes` of what it lacks."""

    values: tuple[Any, ...]
    header: dict[HeaderKey, str]
    params: dict[str, float]
    notes: tuple[Note, ...] = ()


def header_column(key: HeaderKey) -> str:
    """Column name of a header key in the staging store."""
    return f"{HEADER_PREFIX}{key[0]}:{key[2]}:{key[1]}"


def header_key(column: str) -> HeaderKey:
    """Inverse of `header_column`."""
    hdu, occurrence, keyword = column.removeprefix(HEADER_PREFIX).split(":", 2)
    return int(hdu), keyword, int(occurrence)


def header_keys(table: pa.Table) -> tuple[HeaderKey, ...]:
    """Header keys of a staged table with text in some row."""
    names = (name for name in table.column_names if name.startswith(HEADER_PREFIX))
    return tuple(header_key(name) for name in names if has_text(table[name]))


def make_row(prepared: Prepared, place: Place, spec_id: str) -> Row:
    """Columns of one canonical spectrum."""
    source, grid = prepared.source, prepared.grid
    facts = _Facts(
        spec_id=spec_id,
        wavelength_medium=source.sampling.medium,
        n_pix_valid=prepared.n_valid,
        pix_offset=0,
        order_overlap="sorted" if prepared.was_sorted else "",
        wave_min=grid.wave_min,
        wave_max=grid.wave_max,
        source_file=place.name,
        source_companions=place.companions,
        source_hdu=source.hdu,
        source_row=source.row,
        source_size=place.size,
        source_sha256=place.sha256,
        reader=place.reader,
        grid_scale=grid.scale,
        grid_start=grid.start,
        grid_step=grid.step,
        grid_first=grid.first,
        grid_digest=grid.digest,
        n_pix=grid.n_pix,
        flux_unit=prepared.flux_unit,
        flux_unit_original=source.flux_unit if _is_written(source) else "",
        continuum_method=source.continuum_method if prepared.continuum is not None else "none",
        has_uncertainty=prepared.uncertainty is not None,
        has_continuum=prepared.continuum is not None,
        has_normalized=prepared.normalized is not None,
    )
    params = {name: float(value) if math.isfinite(value) else math.nan for name, value in source.params.items()}
    notes: tuple[Note, ...] = ()
    if prepared.observation.notes:
        said = (note.partition(": ") for note in prepared.observation.notes)
        notes = tuple(Note(kind, 1, place.name, reason) for kind, _, reason in said)
    return Row((*_observed(prepared.observation), *facts), dict(source.header), params, notes)


def _is_written(source: Spectrum) -> bool:
    # What the rule of a product or the user says is not the original of anything.
    return source.unit_written or source.flux_unit in source.header.values()


def rows_table(rows: list[Row]) -> pa.Table:
    """Columns of a batch; header and parameter columns are sorted, absent text is '' and numbers NaN.

    Notes
    -----
    Numbers that stand for missing are NaN whatever the reader made of them: one that reached the store would break
    the contract for all of its rows.
    """
    columns = zip(*(row.values for row in rows), strict=True) if rows else [()] * len(_NAMES)
    fixed = dict(zip(_NAMES, columns, strict=True))
    names = list(_KINDS)
    arrays = [_column(fixed[name], kind, name) for name, kind in _KINDS.items()]
    for key, column in sorted(_header_columns(rows)):
        arrays.append(texts(column))
        names.append(header_column(key))
    params = {
        name: np.array([row.params.get(name, math.nan) for row in rows], np.float64)
        for name in _union(row.params for row in rows)
    }
    missing = {name: np.isnan(values) for name, values in params.items()}
    for name, values in params.items():
        values[param_sentinels(name, values, missing)] = np.nan
        arrays.append(numbers(values))
        names.append(PARAM_PREFIX + name)
    return pa.table(arrays, names=names)


def _column(values: Sequence[Any], kind: str, name: str) -> pa.Array:
    if kind == "text":
        return texts(values)
    if kind == "flag":
        return flags(values)
    if kind == "int64 or null":
        return integers_or_null(values)
    found = np.array(values, kind)
    if name in _OBSERVED:
        low, high = _RANGES.get(name, (-np.inf, np.inf))
        found[is_listed(found, SENTINELS) | np.isinf(found) | (found < low) | (found > high)] = np.nan
    return numbers(found)


def _header_columns(rows: list[Row]) -> Iterable[tuple[HeaderKey, Sequence[str]]]:
    keys = tuple(rows[0].header) if rows else ()
    # Files of one survey have the same keys in the same order, and equal objects are the same: no key is looked up.
    if all(tuple(row.header) == keys for row in rows):
        return zip(keys, zip(*(row.header.values() for row in rows), strict=True), strict=True)
    return [(key, [row.header.get(key, "") for row in rows]) for key in _union(row.header for row in rows)]


def _union(mappings: Iterable[dict[Any, Any]]) -> list[Any]:
    found: dict[Any, None] = {}
    last: Any = None
    for mapping in mappings:
        # Files of one survey repeat the same keys; a key view compares much faster than it merges.
        if last is None or mapping.keys() != last:
            found.update(dict.fromkeys(mapping))
            last = mapping.keys()
    return sorted(found)

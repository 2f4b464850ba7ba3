"""The columns of staged spectra: one row per spectrum, as text and numbers, without pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from spectral_zarr.contract.columns import param_sentinels
from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.contract.rows import SENTINELS, is_listed
from spectral_zarr.contract.schema import METADATA
from spectral_zarr.model import Observation
from spectral_zarr.store.arrow import flags, has_text, integers_or_null, numbers, texts
from spectral_zarr.transforms import Prepared

HEADER_PREFIX, PARAM_PREFIX = "header:", "param:"

_GRID = (
    ("grid_scale", "text"),
    ("grid_start", "float64"),
    ("grid_step", "float64"),
    ("grid_first", "int64 or null"),
    ("grid_digest", "text"),
    ("n_pix", "int64"),
    ("flux_unit", "text"),
    ("flux_unit_original", "text"),
    ("continuum_method", "text"),
    ("has_uncertainty", "flag"),
    ("has_continuum", "flag"),
    ("has_normalized", "flag"),
)
_FIXED = (*((field.name, str(field.kind)) for field in METADATA), *_GRID)
_OBSERVED = tuple(field.name for field in fields(Observation))
_observed = attrgetter(*_OBSERVED)
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
    """The columns of one spectrum."""

    values: dict[str, Any]
    header: dict[HeaderKey, str]
    params: dict[str, float]


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
    source, grid, observation = prepared.source, prepared.grid, prepared.observation
    values: dict[str, Any] = dict(zip(_OBSERVED, _observed(observation), strict=True))
    values.update(
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
        flux_unit_original=source.flux_unit,
        continuum_method=source.continuum_method if prepared.continuum is not None else "none",
        has_uncertainty=prepared.uncertainty is not None,
        has_continuum=prepared.continuum is not None,
        has_normalized=prepared.normalized is not None,
    )
    params = {name: float(value) if math.isfinite(value) else math.nan for name, value in source.params.items()}
    return Row(values, dict(source.header), params)


def rows_table(rows: list[Row]) -> pa.Table:
    """Columns of a batch; header and parameter columns are sorted, absent text is '' and numbers NaN.

    Notes
    -----
    Numbers that stand for missing are NaN whatever the reader made of them: one that reached the store would break
    the contract for all of its rows.
    """
    arrays = [_column([row.values[name] for row in rows], kind, name) for name, kind in _FIXED]
    names = [name for name, _ in _FIXED]
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


def _column(values: list[Any], kind: str, name: str) -> pa.Array:
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

"""Joining a catalogue of parameters to the spectra: exactly one row for a key, unmatched spectra counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spectral_zarr.config import CatalogOptions
from spectral_zarr.contract import schema
from spectral_zarr.contract.columns import FEWEST_HOT_SENTINELS, HOT_SENTINEL
from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.errors import BadCatalog
from spectral_zarr.model import CatalogPlan
from spectral_zarr.readers.catalog import Catalog, read_catalog
from spectral_zarr.store.arrow import numbers, texts
from spectral_zarr.tasks.rows import PARAM_PREFIX, header_column

FILE_FIELDS = ("file_name", "file_stem")
KEY = "key"

_FIELDS = {
    "gaia_id": ("source_id", "gaia_source_id", "gaiadr3_source_id", "gaiaedr3_source_id", "dr3_source_id", "gaia_id"),
    "object_id": ("apogee_id", "object_id"),
    "spec_id": ("sobject_id", "spec_id"),
    "file_name": ("file", "filename", "file_name"),
}
"""Field of the store to names of key columns that mean it."""


def catalog_field(options: CatalogOptions) -> str:
    """The field of the store that the key column equals.

    Raises
    ------
    BadCatalog
        When the name of the key column does not tell.
    """
    if options.field:
        return options.field
    name = options.key.lower()
    field = next((field for field, names in _FIELDS.items() if name in names), "")
    field = field or (name if name in (one.name for one in schema.METADATA if one.kind == "text") else "")
    if not field:
        message = f"which field equals {options.key}? Write {options.key}=FIELD, for example {options.key}=h0_obsid"
        raise BadCatalog(message, path=options.file)
    return field


def plan_catalog(
    options: CatalogOptions, header: Iterable[tuple[HeaderKey, str]], tables: Callable[[list[str]], Iterable[pa.Table]]
) -> tuple[CatalogPlan, pa.Table]:
    """Read a catalogue and keep the rows that some spectrum needs.

    Parameters
    ----------
    options : CatalogOptions
        The catalogue.
    header : iterable of (HeaderKey, str)
        Header fields of the store.
    tables : callable
        Gives, for names of staged columns, the rows that are published, batch by batch.

    Returns
    -------
    CatalogPlan
        What the plan records.
    Table
        The rows to join.

    Raises
    ------
    BadCatalog
        When the key is unknown, two rows claim one spectrum, or no spectrum has a row.
    """
    catalog, field = read_catalog(options), catalog_field(options)
    column = staged_column(field, header)
    wanted = pa.chunked_array([keys_of(table, column, field) for table in tables([column])], pa.string())
    place = pc.index_in(wanted, value_set=catalog.keys)
    matched = pc.and_(pc.is_valid(place), pc.not_equal(wanted, ""))
    n_matched = pc.sum(matched).as_py() or 0
    if not n_matched:
        example = next((key for key in wanted.to_pylist()[:1000] if key), "")
        message = f"no spectrum has a row: {field} is for example '{example}', {options.key} '{_first(catalog.keys)}'"
        raise BadCatalog(message, path=options.file)
    _refuse_repeated(catalog, wanted, options)
    places = place.filter(matched).to_numpy()
    rows = np.unique(places)
    hot = catalog.params.get("teff", np.empty(0)) == HOT_SENTINEL
    if hot.any() and np.count_nonzero(hot[places]) >= FEWEST_HOT_SENTINELS:
        for name in {"teff", "e_teff"} & catalog.params.keys():
            catalog.params[name][hot] = np.nan
    params = {name: values[rows] for name, values in catalog.params.items()}
    params = {name: values for name, values in params.items() if np.isfinite(values).any()}
    kept = pa.table([catalog.keys.take(pa.array(rows)), *map(numbers, params.values())], names=[KEY, *params])
    plan = CatalogPlan(
        name=catalog.name,
        sha256=catalog.sha256,
        key=options.key,
        field=field,
        params=tuple(sorted(params)),
        n_matched=n_matched,
        nbytes=kept.nbytes,
    )
    return plan, kept


def staged_column(field: str, header: Iterable[tuple[HeaderKey, str]]) -> str:
    """Name of the staged column that holds a field.

    Raises
    ------
    BadCatalog
        When the spectra have no such field of text.
    """
    if field in FILE_FIELDS:
        return "source_file"
    if any(one.name == field and one.kind == "text" for one in schema.METADATA):
        return field
    for key, name in header:
        if name == field:
            return header_column(key)
    raise BadCatalog(f"the spectra have no text called {field}; name another field as --catalog-key COLUMN=FIELD")


def keys_of(table: pa.Table, column: str, field: str) -> Any:
    """Identifiers of staged spectra as text."""
    keys = table[column].combine_chunks()
    if field not in FILE_FIELDS:
        return pc.utf8_trim_whitespace(keys)
    names = [name.rpartition("/")[2] for name in keys.to_pylist()]
    return texts(names if field == "file_name" else [Path(name.removesuffix(".gz")).stem for name in names])


def _refuse_repeated(catalog: Catalog, wanted: Any, options: CatalogOptions) -> None:
    counts = pc.value_counts(catalog.keys)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    claimed = repeated.filter(pc.and_(pc.is_in(repeated, value_set=wanted), pc.not_equal(repeated, "")))
    if len(claimed):
        shown = ", ".join(claimed[:5].to_pylist())
        message = f"{len(claimed)} keys occur in several rows, first {shown}; keep one row for each spectrum"
        raise BadCatalog(message, path=options.file)


def _first(keys: Any) -> str:
    return next((key for key in keys[:1000].to_pylist() if key), "")


def joined(table: pa.Table, plan: CatalogPlan, kept: pa.Table, column: str) -> pa.Table:
    """Staged columns with the parameters of the catalogue, NaN where a spectrum has no row.

    Parameters
    ----------
    table : Table
        Staged columns, parameters included.
    plan : CatalogPlan
        The plan of the join.
    kept : Table
        The catalogue rows that `plan_catalog` kept.
    column : str
        Staged column with the identifiers.
    """
    place = pc.index_in(keys_of(table, column, plan.field), value_set=kept[KEY].combine_chunks())
    known: NDArray[np.bool_] = pc.is_valid(place).to_numpy(zero_copy_only=False)
    rows = pc.fill_null(place, 0).to_numpy()
    for name in plan.params:
        values = np.where(known, kept[name].to_numpy()[rows], np.nan)
        table = _replaced(table, PARAM_PREFIX + name, numbers(values))
    sources = table["params_source"].to_pylist()
    label = f"catalogue:{plan.name}"
    return _replaced(
        table, "params_source", texts([label if here else text for here, text in zip(known, sources, strict=True)])
    )


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)

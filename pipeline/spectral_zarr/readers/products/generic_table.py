"""Any table with a wavelength and a flux column: one pixel per row, the whole spectrum in one row, or one in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.contract.companions import Kind
from spectral_zarr.contract.units import is_magnitude
from spectral_zarr.errors import MissingField, RefusedProduct, SourceError, UnknownUnit
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.axis import stated_medium
from spectral_zarr.readers.companion_units import companion_unit
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.masks import ANY_BIT, Bad, bad_by_masks, named_mask_bits
from spectral_zarr.readers.observing import first_number, observe, velocity_frame
from spectral_zarr.readers.row_facts import RowColumns
from spectral_zarr.readers.several import asked_hdus, has_vectors, named_by_hdu, require_one, spectrum_tables
from spectral_zarr.readers.space import indefinite
from spectral_zarr.readers.table_columns import (
    TableColumns,
    bare_name,
    table_columns,
    unit_text,
    wavelength_unit,
)


class GenericTable:
    """Spectrum in a binary table, without knowledge of who made it.

    Columns are found by the names that tables of one-dimensional spectra customarily have (specutils and linetools
    readers, iSpec), whatever their case and without a unit in parentheses, or by the names in ``[readers.table]``,
    which win. Where several columns could be meant the file is refused. Units come from TUNIT or the configuration.
    A table with vectors in several rows has a spectrum in each, with its identifier, parameters and facts in other
    columns (`RowColumns`). Where several HDUs hold a spectrum, ``hdu`` in ``[readers]`` chooses.
    """

    name = "generic-table"
    version = "1"
    title = "any table with columns for wavelength and flux"
    priority = 110
    policy = HeaderPolicy(allow=("AIRORVAC",))
    parts = True

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return bool(_tables(file, options))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        tables = _tables(file, options)
        if not asked_hdus(file, options, options.table.hdu):
            require_one(file, tables)
        if not tables:
            raise MissingField("no table has a wavelength and a flux column", path=file.name)
        counts = [table.n_rows if has_vectors(table, options.table) else 1 for table in tables]
        wanted, first = file.part.of_range(sum(counts)), 0
        for table, count in zip(tables, counts, strict=True):
            rows = range(max(wanted.start - first, 0), min(wanted.stop - first, count))
            first += count
            if not rows:
                continue
            if has_vectors(table, options.table):
                yield from _rows(file, table, rows, options, policy)
            else:
                yield named_by_hdu(_spectrum(file, table, options, policy), file, several=len(tables) > 1)


def _tables(file: FitsFile, options: ReaderOptions) -> list[Hdu]:
    asked = asked_hdus(file, options, options.table.hdu)
    if asked:
        return list(asked) if all(hdu.kind == "table" for hdu in asked) else []
    return spectrum_tables(file, options.table)


def _spectrum(file: FitsFile, table: Hdu, options: ReaderOptions, policy: HeaderPolicy) -> Spectrum:
    columns = table_columns(table.layout.columns, options.table, path=file.name, hdu=table.index)
    flux = _values(table, columns.flux, file.name)
    noise = _values(table, columns.noise, file.name) if columns.noise else None
    flags = [(column.name, _flags(table, column, file.name)) for column in columns.masks]
    noise = _known(noise, columns)
    common = _common(file, table, columns, options, policy)
    return replace(
        common,
        flux=flux,
        sampling=replace(common.sampling, values=_values(table, columns.wavelength, file.name)),
        noise=noise,
        bad=_bad(file, table, flags, noise, options),
        missing=_indefinite(flux),
        continuum=_values(table, columns.continuum, file.name) if columns.continuum else None,
    )


def _rows(
    file: FitsFile, table: Hdu, rows: range, options: ReaderOptions, policy: HeaderPolicy
) -> Iterator[Spectrum | SourceError]:
    """The spectra of the rows; plain vectors are views of the bytes of the file, and no copy is held of them."""
    columns = table_columns(table.layout.columns, options.table, path=file.name, hdu=table.index)
    common = _common(file, table, columns, options, policy)
    of_rows = RowColumns(file, table, options.table)
    axes = table.column_data(columns.wavelength)
    if axes.ndim == 1 and axes.dtype.kind != "O":
        message = f"{columns.wavelength.name} has one number in each row beside the vectors of {columns.flux.name}"
        raise RefusedProduct(f"{message}; set wavelength in [readers.table]", path=file.name, hdu=table.index)
    fluxes = table.column_data(columns.flux)
    noises = table.column_data(columns.noise) if columns.noise else None
    continua = table.column_data(columns.continuum) if columns.continuum else None
    masks = [(column.name, table.column_data(column)) for column in columns.masks]
    for row in rows:
        axis, flux = np.ravel(axes[row]), np.ravel(fluxes[row])
        if not flux.size or axis.size != flux.size:
            message = f"the row has {flux.size} pixels of flux and {axis.size} wavelengths; leave it out"
            yield MissingField(message, path=file.name, hdu=table.index, row=row)
            continue
        # Vectors of one length are padded behind the last pixel of a shorter spectrum.
        known = np.isfinite(axis) if columns.scale != "linear" else np.isfinite(axis) & (axis > 0)
        keep = slice(None) if known.all() else known
        flux = flux[keep]
        noise = _known(None if noises is None else np.ravel(noises[row])[keep], columns)
        flags = [(name, np.ravel(values[row])[keep]) for name, values in masks]
        try:
            bad = _bad(file, table, flags, noise, options, row)
        except SourceError as error:
            yield error
            continue
        yield replace(
            common,
            spec_id=of_rows.spec_id(row),
            flux=flux,
            sampling=replace(common.sampling, values=axis[keep]),
            observation=of_rows.observation(common.observation, row),
            noise=noise,
            bad=bad,
            missing=_indefinite(flux),
            continuum=None if continua is None else np.ravel(continua[row])[keep],
            params=of_rows.params(row),
            row=row,
        )


def _common(
    file: FitsFile, table: Hdu, columns: TableColumns, options: ReaderOptions, policy: HeaderPolicy
) -> Spectrum:
    """What the spectra of a table share; it has no pixels."""
    unit, flux_unit = _units(file, table, columns, options.table)
    header = file.primary
    frame = header.text("SPECSYS") or table.header.text("SPECSYS")
    return Spectrum(
        spec_id="",
        flux=np.empty(0),
        flux_unit=flux_unit,
        sampling=Sampling(
            unit=unit,
            medium=_medium(file, table, columns.wavelength, options.table),
            scale=columns.scale,
        ),
        observation=observe(
            header if "OBJECT" in header or "OBJECT" not in table.header else table.header,
            velocity_frame=velocity_frame(frame),
            berv=first_number(header, "BERV"),
        ),
        noise_kind=columns.noise_kind,
        noise_unit=_companion_unit(file, table, columns, columns.noise, columns.noise_kind, flux_unit),
        continuum_unit=_companion_unit(file, table, columns, columns.continuum, "continuum", flux_unit),
        zero_padded=True,
        continuum_method=f"column:{columns.continuum.name}" if columns.continuum else "none",
        header=project([(0, header), (table.index, table.header)], policy, {table.index: columns.numbers()}),
        hdu=table.index,
    )


def _values(table: Hdu, column: TableColumn, path: str) -> NDArray[Any]:
    values = table.column_data(column)
    if table.n_rows == 1:
        return np.ravel(values[0])
    if values.ndim != 1 or values.dtype.kind == "O":
        message = f"column {column.name} holds vectors in {table.n_rows} rows and the flux does not; leave the file out"
        raise RefusedProduct(message, path=path, hdu=table.index)
    return values


def _flags(table: Hdu, column: TableColumn, path: str) -> NDArray[Any]:
    values = table.column_data(column)
    if values.ndim == 2 and values.shape[0] == table.n_rows > 1 and values.dtype.kind == "b":
        # A column of several bits: the first of them is bit 0.
        bits: NDArray[np.uint64] = values.astype(np.uint64) << np.arange(values.shape[1], dtype=np.uint64)
        flags: NDArray[np.uint64] = bits.sum(axis=1, dtype=np.uint64)
        return flags
    return _values(table, column, path)


def _bad(
    file: FitsFile,
    table: Hdu,
    flags: list[tuple[str, NDArray[Any]]],
    noise: NDArray[Any] | None,
    options: ReaderOptions,
    row: int | None = None,
) -> Bad | None:
    bits = named_mask_bits(table.header, file.primary) if flags else ANY_BIT
    return bad_by_masks(flags, noise, options, path=file.name, hdu=table.index, row=row, bits=bits)


def _known(noise: NDArray[Any] | None, columns: TableColumns) -> NDArray[Any] | None:
    unknown = _indefinite(noise) if noise is not None and columns.noise_kind == "sigma" else None
    return noise if noise is None or unknown is None or not unknown.any() else np.where(unknown, np.nan, noise)


def _indefinite(values: NDArray[Any]) -> NDArray[np.bool_] | None:
    return indefinite(values) if values.dtype.kind == "f" else None


def _units(file: FitsFile, table: Hdu, columns: TableColumns, options: TableOptions) -> tuple[str, str]:
    """Units of wavelength and flux; what is missing of either is said at once."""
    column = columns.flux
    written = _written(file, table, column)
    if is_magnitude(written):
        message = f"{column.name} is in magnitudes ('{written}'), which are no flux; convert it"
        raise RefusedProduct(message, path=file.name, hdu=table.index)
    of_wavelength = options.wavelength_unit or wavelength_unit(columns.wavelength)
    of_flux = options.flux_unit or written
    problems = []
    if not of_wavelength:
        unit = unit_text(columns.wavelength)
        what = f"has the unit '{unit}'" if unit else "has no unit"
        problems.append((columns.wavelength.name, what, "wavelength_unit"))
    if not of_flux:
        problems.append((column.name, "has no unit", "flux_unit"))
    if problems:
        said = " and ".join(f"the column {name} {what}" for name, what, _ in problems)
        message = f"{said}; set {' and '.join(option for _, _, option in problems)} in [readers.table]"
        raise UnknownUnit(message, path=file.name, hdu=table.index)
    return of_wavelength, of_flux


def _companion_unit(
    file: FitsFile, table: Hdu, columns: TableColumns, companion: TableColumn | None, kind: Kind, flux_unit: str
) -> str:
    if companion is None:
        return ""
    return companion_unit(
        unit_text(companion),
        kind,
        flux_unit,
        beside=_written(file, table, columns.flux),
        name=companion.name,
        flux_name=columns.flux.name,
        path=file.name,
        hdu=table.index,
    )


def _written(file: FitsFile, table: Hdu, flux: TableColumn) -> str:
    return unit_text(flux) or table.header.text("BUNIT") or file.primary.text("BUNIT")


def _medium(file: FitsFile, table: Hdu, column: TableColumn, options: TableOptions) -> str:
    if options.medium != "unknown":
        return options.medium
    if "obs.atmos" in column.ucd.lower() or bare_name(column.name) == "awav":
        return "air"
    return stated_medium(table.header, stated_medium(file.primary, "unknown"))


READERS = (GenericTable(),)

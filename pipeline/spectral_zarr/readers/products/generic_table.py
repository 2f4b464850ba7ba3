"""Any table with a wavelength and a flux column, one pixel per row or the whole spectrum in one row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.contract.units import is_magnitude
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.file import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.observing import first_number, observe, velocity_frame
from spectral_zarr.readers.space import indefinite
from spectral_zarr.readers.table_columns import (
    TableColumns,
    bare_name,
    is_spectrum,
    same_unit,
    table_columns,
    unit_text,
    wavelength_unit,
)


class GenericTable:
    """Spectrum in a binary table, without knowledge of who made it.

    Columns are found by the names that tables of one-dimensional spectra customarily have (specutils and linetools
    readers, iSpec), whatever their case and without a unit in parentheses, or by the names in ``[readers.table]``,
    which win. Where several columns could be meant the file is refused. Units come from TUNIT or the configuration.
    """

    name = "generic-table"
    version = "1"
    title = "any table with columns for wavelength and flux"
    priority = 110
    policy = HeaderPolicy(allow=("AIRORVAC",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file, options.table) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table = _table(file, options.table)
        if table is None:
            raise MissingField("no table has a wavelength and a flux column", path=file.name)
        columns = table_columns(table.layout.columns, options.table, path=file.name, hdu=table.index)
        flux = _values(table, columns.flux, file.name)
        noise = _values(table, columns.noise, file.name) if columns.noise else None
        unit, flux_unit = _units(file, table, columns, options.table)
        header = file.primary
        frame = header.text("SPECSYS") or table.header.text("SPECSYS")
        yield Spectrum(
            spec_id="",
            flux=flux,
            flux_unit=flux_unit,
            sampling=Sampling(
                unit=unit,
                medium=_medium(file, table, columns.wavelength, options.table),
                scale=columns.scale,
                values=_values(table, columns.wavelength, file.name),
            ),
            observation=observe(
                header if "OBJECT" in header or "OBJECT" not in table.header else table.header,
                velocity_frame=velocity_frame(frame),
                berv=first_number(header, "BERV"),
            ),
            noise=noise,
            noise_kind=columns.noise_kind,
            bad=_indefinite(noise) if noise is not None and columns.noise_kind == "sigma" else None,
            missing=_indefinite(flux),
            zero_padded=True,
            continuum=_values(table, columns.continuum, file.name) if columns.continuum else None,
            continuum_method=f"column:{columns.continuum.name}" if columns.continuum else "none",
            header=project([(0, header), (table.index, table.header)], policy, {table.index: columns.numbers()}),
            hdu=table.index,
        )


def _table(file: FitsFile, options: TableOptions) -> Hdu | None:
    tables = [hdu for hdu in file.hdus if hdu.kind == "table" and not hdu.compressed and _is_one_spectrum(hdu, options)]
    configured = next((hdu for hdu in tables if hdu.index == options.hdu), None)
    return configured or (tables[0] if len(tables) == 1 else None)


def _is_one_spectrum(hdu: Hdu, options: TableOptions) -> bool:
    if not is_spectrum(hdu.layout.columns, options):
        return False
    vectors = hdu.n_rows == 1 and any(column.repeat > 1 for column in hdu.layout.columns)
    # Text in every row is the mark of a catalogue or a line list, unless the user names the columns.
    listing = any(column.dtype.startswith("S") for column in hdu.layout.columns) and not options.wavelength
    return vectors or (hdu.n_rows > 1 and not listing)


def _values(table: Hdu, column: TableColumn, path: str) -> NDArray[Any]:
    values = table.column_data(column)
    if table.n_rows == 1:
        return np.ravel(values[0])
    if values.ndim != 1 or values.dtype.kind == "O":
        message = f"column {column.name} holds vectors in {table.n_rows} rows, so several spectra; write one file each"
        raise RefusedProduct(message, path=path, hdu=table.index)
    return values


def _indefinite(values: NDArray[Any]) -> NDArray[np.bool_] | None:
    return indefinite(values) if values.dtype.kind == "f" else None


def _units(file: FitsFile, table: Hdu, columns: TableColumns, options: TableOptions) -> tuple[str, str]:
    """Units of wavelength and flux; what is missing of either is said at once."""
    column = columns.flux
    written = unit_text(column) or table.header.text("BUNIT") or file.primary.text("BUNIT")
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
    noise = columns.noise
    comparable = noise is not None and columns.noise_kind == "sigma" and not options.flux_unit
    if noise is not None and comparable and unit_text(noise) and not same_unit(unit_text(noise), of_flux):
        message = f"{noise.name} is in '{unit_text(noise)}' and {column.name} in '{of_flux}'; convert one of them"
        raise UnknownUnit(message, path=file.name, hdu=table.index)
    return of_wavelength, of_flux


def _medium(file: FitsFile, table: Hdu, column: TableColumn, options: TableOptions) -> str:
    if options.medium != "unknown":
        return options.medium
    if "obs.atmos" in column.ucd.lower() or bare_name(column.name) == "awav":
        return "air"
    said = (table.header.text("AIRORVAC") or file.primary.text("AIRORVAC")).lower()
    return {"air": "air", "vac": "vacuum", "vacuum": "vacuum"}.get(said, "unknown")


READERS = (GenericTable(),)

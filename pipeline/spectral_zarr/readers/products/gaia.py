"""Gaia RVS and XP sampled mean spectra in FITS: one source as DataLink gives it, or many sources in one table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Pixels, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.gaia import (
    COEFFICIENTS,
    TIME_SERIES,
    GaiaRow,
    gaia_spectrum,
    is_named_gaia,
    is_table_of_sources,
    release_and_source,
)
from spectral_zarr.readers.observing import NOWHERE, sky_cells, sky_texts
from spectral_zarr.readers.space import placed, unit_of, used_columns

_POSITION = re.compile(r"^\(\s*([-+0-9.eE]+)\s*,\s*([-+0-9.eE]+)\s*\)$")


class GaiaFits:
    """Spectra of a FITS file of the Gaia archive.

    Gaia DR3 data model, ``rvs_mean_spectrum`` and ``xp_sampled_mean_spectrum``. Three layouts: a table of one source
    with wavelength (nm), flux and flux_error and its source_id in the card SOURCEID or in the file name; a table with a
    row per source, vectors of flux and flux_error and the fixed grid of the product as wavelengths; a table with a row
    per source and sample. Mean spectra have no date and are ``stacked``. RVS spectra are normalised.
    """

    name = "gaia-fits"
    version = "1"
    title = "Gaia RVS and XP sampled mean spectra, FITS of one or many sources"
    priority = 0
    policy = HeaderPolicy(
        allow=(r"SOURCEID|SOLUTION|POS|REFEPOCH|EPOCHEXT|PUBLISHE|TITLE|WAVE(STAR|END|EXTE)|DATAMODE",),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file) is not None or _coefficients(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        table = _table(file)
        if table is None:
            coefficients = _coefficients(file)
            place = coefficients.index if coefficients is not None else 1
            raise RefusedProduct(COEFFICIENTS, path=file.name, hdu=place)
        header = project(
            [(0, file.primary), (table.index, table.header)],
            policy,
            {table.index: used_columns(table, "source_id", "wavelength", "flux", "flux_error")},
        )
        if table.find("source_id") is None:
            yield gaia_spectrum(_single(file, table, header), name=file.name, hdu=table.index)
            return
        flux = _column(table, "flux")
        if flux is not None and flux.ndim == 1 and flux.dtype.kind == "f":
            yield from _samples(file, table, header)
            return
        if table.find("wavelength") is None and table.find("solution_id") is None:
            message = (
                "no wavelength and no solution_id: the sampling of GaiaXPy is in another file; add the wavelengths"
            )
            raise MissingField(message, path=file.name, hdu=table.index)
        for row in file.part.of_range(table.n_rows):
            build = partial(_of_row, file, table, row, header)
            yield placed(build, path=file.name, hdu=table.index, row=row)


def _table(file: FitsFile) -> Hdu | None:
    for hdu in file.hdus[1:]:
        if hdu.n_rows == 0 or hdu.find("flux_error") is None or hdu.find("flux") is None:
            continue
        names = hdu.layout.by_name.keys()
        declared = hdu.header.text("PUBLISHE").upper().startswith("ESA/GAIA") or is_named_gaia(file.name)
        if is_table_of_sources(names) or (declared and "wavelength" in names and not TIME_SERIES & set(names)):
            return hdu
    return None


def _coefficients(file: FitsFile) -> Hdu | None:
    return next((hdu for hdu in file.hdus[1:] if hdu.find("bp_coefficients", "rp_coefficients") is not None), None)


def _single(file: FitsFile, table: Hdu, header: Any) -> GaiaRow:
    card = table.header.text("SOURCEID")
    position = _POSITION.match(table.header.text("POS"))
    return GaiaRow(
        source_id=card if card.isdigit() else release_and_source(file.name)[1],
        flux=table.column("flux"),
        error=table.column("flux_error"),
        wavelength=table.column("wavelength"),
        wavelength_unit=unit_of(table, "wavelength", "nm"),
        flux_unit=unit_of(table, "flux", ""),
        sky=sky_texts(position[1], position[2]) if position else NOWHERE,
        header=header,
    )


def _of_row(file: FitsFile, table: Hdu, row: int, header: Any) -> Spectrum:
    wavelength = table.flat_cell("wavelength", row) if table.find("wavelength") is not None else None
    found = GaiaRow(
        source_id=table.cell_text("source_id", row),
        flux=_numbers(table.flat_cell("flux", row)),
        error=_numbers(table.flat_cell("flux_error", row)),
        wavelength=wavelength,
        wavelength_unit=unit_of(table, "wavelength", "nm"),
        flux_unit=unit_of(table, "flux", ""),
        sky=sky_cells(table, row, ("ra", "dec")),
        header=header,
    )
    return gaia_spectrum(found, name=file.name, hdu=table.index, row=row)


def _samples(file: FitsFile, table: Hdu, header: Any) -> Iterator[Spectrum | SourceError]:
    identifiers = np.asarray(table.column("source_id"))
    if identifiers.dtype.kind == "f":
        message = "the source_id is a floating-point number, which cannot hold 64-bit identifiers; write it as integer"
        raise MissingField(message, path=file.name, hdu=table.index)
    columns = {name: table.column(name) for name in ("wavelength", "flux", "flux_error")}
    starts = np.flatnonzero(np.r_[True, identifiers[1:] != identifiers[:-1]])
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), identifiers.size], strict=True):
        found = GaiaRow(
            source_id=_identifier(identifiers[start]),
            flux=columns["flux"][start:stop],
            error=columns["flux_error"][start:stop],
            wavelength=columns["wavelength"][start:stop],
            wavelength_unit=unit_of(table, "wavelength", "nm"),
            flux_unit=unit_of(table, "flux", ""),
            sky=sky_cells(table, start, ("ra", "dec")),
            header=header,
        )
        build = partial(gaia_spectrum, found, name=file.name, hdu=table.index, row=start)
        yield placed(build, path=file.name, hdu=table.index, row=start)


def _column(table: Hdu, name: str) -> NDArray[Any] | None:
    column = table.find(name)
    return None if column is None or not column.dtype else table.column_data(column)


def _identifier(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1").strip("\0 ")
    return str(int(value)) if isinstance(value, np.integer | int) else str(value)


def _numbers(values: Pixels) -> Pixels:
    return values if values.dtype.kind in "fiu" else np.asarray(values, dtype=np.float64)


READERS = (GaiaFits(),)

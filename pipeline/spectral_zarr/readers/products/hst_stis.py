"""HST STIS extracted spectra: first-order gratings as one spectrum per exposure, echelle orders as rows on request."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct, SourceError
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import STIS_BITS, bad_pixels
from spectral_zarr.readers.space import (
    FLAM,
    SPACE_POLICY,
    cell,
    helcorr_frame,
    length,
    observe_hst,
    placed,
    root_name,
    tables_with,
    unit_of,
    used_columns,
)


class StisX1d:
    """Spectra of x1d and sx1 files of the STIS pipeline.

    STIS Data Handbook, chapter 2: every SCI extension is one exposure and every row of its table one order, with
    SPORDER, NELEM and the vectors WAVELENGTH (Angstrom, vacuum, heliocentric where HELCORR is complete), FLUX, ERROR
    and DQ. Pixels with a bit of SDQFLAGS are bad. First-order gratings have one row. Echelle orders overlap and no
    product merges them, so they are refused unless ``[readers] echelle = "rows"``. The cards of the table of a
    spectrum are projected as those of HDU 1, whichever extension it is.
    """

    name = "hst-stis-x1d"
    version = "1"
    title = "HST STIS x1d and sx1, one spectrum per exposure; echelle orders on request"
    priority = 0
    policy = SPACE_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return file.primary.text("INSTRUME") == "STIS" and bool(_exposures(file))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        exposures = _exposures(file)
        orders = max(table.n_rows for table in exposures)
        if orders > 1 and options.echelle != "rows":
            message = (
                f'{orders} echelle orders that overlap and that nobody merged; set [readers] echelle = "rows" to get'
                " one row per order, or merge them first (HASP cspec files are merged)"
            )
            raise RefusedProduct(message, path=file.name, hdu=exposures[0].index)
        for number, table in enumerate(exposures, start=1):
            extension = str(table.header.integer("EXTVER") or number) if len(exposures) > 1 else ""
            for row in range(table.n_rows):
                build = partial(_spectrum, file, policy, options, table, row, extension, merged=orders == 1)
                yield placed(build, path=file.name, hdu=table.index, row=row)


def _exposures(file: FitsFile) -> list[Hdu]:
    return tables_with(file.hdus, "SPORDER", "WAVELENGTH", "FLUX")


def _spectrum(
    file: FitsFile,
    policy: HeaderPolicy,
    options: ReaderOptions,
    table: Hdu,
    row: int,
    extension: str,
    *,
    merged: bool,
) -> Spectrum:
    primary, header, path = file.primary, table.header, file.name
    order = "" if merged else table.cell_text("SPORDER", row)
    n_pix = length(table, row, "NELEM")
    bits = header.integer("SDQFLAGS")
    return Spectrum(
        spec_id=_spec_id(primary, extension, order),
        flux=cell(table, row, "FLUX", n_pix=n_pix, path=path),
        flux_unit=unit_of(table, "FLUX", FLAM),
        sampling=Sampling(
            unit=unit_of(table, "WAVELENGTH", "Angstrom"),
            medium="vacuum",
            values=cell(table, row, "WAVELENGTH", n_pix=n_pix, path=path),
        ),
        observation=observe_hst(primary, header, velocity_frame=helcorr_frame(primary), order=order),
        noise=cell(table, row, "ERROR", n_pix=n_pix, path=path),
        noise_unit=unit_of(table, "ERROR", ""),
        bad=bad_pixels(cell(table, row, "DQ", n_pix=n_pix, path=path), options, STIS_BITS if bits is None else bits),
        zero_padded=True,
        header=project(
            [(0, primary), (1, header)], policy, {1: used_columns(table, "WAVELENGTH", "FLUX", "ERROR", "DQ")}
        ),
        hdu=table.index,
        row=row,
    )


def _spec_id(primary: Header, extension: str, order: str) -> str:
    root = root_name(primary)
    if not root:
        return ""
    # The sum of the CR-split exposures has the ROOTNAME of the file of the exposures.
    summed = "sx1" if "_sx1" in primary.text("FILENAME") else ""
    return "-".join(part for part in (root, summed, extension, f"o{order:0>3}" if order else "") if part)


READERS = (StisX1d(),)

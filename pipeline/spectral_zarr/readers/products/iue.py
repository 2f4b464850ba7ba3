"""IUE spectra of the NEWSIPS archive: low-dispersion apertures (MXLO) and high-dispersion orders (MXHI)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import partial

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import dated, first_text, mjd_of_julian, moment, observe, positive, sky
from spectral_zarr.readers.space import (
    SPACE_POLICY,
    cell,
    length,
    placed,
    tables_with,
    unit_of,
    used_columns,
)

FLUX_UNIT = "ERG/CM2/S/A"
_LONG_DAY = re.compile(r"^(\d\d)/(\d\d)/(\d{4})$")


class IueLow:
    """Low-dispersion spectra, one per aperture.

    NEWSIPS manual (Garhart et al. 1997, IUE NASA Newsletter 57), section 12.8: the rows of the table are the apertures
    LARGE and SMALL, with NPOINTS, the first WAVELENGTH and the step DELTAW in Angstrom, and the vectors FLUX and SIGMA
    (erg s-1 cm-2 Angstrom-1) and QUALITY. Vacuum, heliocentric. Pixels with a negative QUALITY are bad; outside the
    calibrated range FLUX is zero and SIGMA is -1. The observing cards of an aperture begin with its letter, L or S.
    """

    name = "iue-mxlo"
    version = "1"
    title = "IUE NEWSIPS low dispersion (MXLO), one spectrum per aperture"
    priority = 0
    policy = SPACE_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file, "FLUX") is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        table = _found(file, "FLUX")
        for row in range(table.n_rows):
            build = partial(_aperture, file, policy, table, row)
            yield placed(build, path=file.name, hdu=table.index, row=row)


class IueHigh:
    """High-dispersion orders, which overlap and are rows of the store only on request.

    NEWSIPS manual, section 12.9: the rows of the table are orders; the vectors of 768 values are filled from STARTPIX
    (one-based) on with NPOINTS values, and WAVELENGTH and DELTAW are the wavelength at STARTPIX and the step, in
    Angstrom, vacuum, heliocentric. ABS_CAL is the calibrated flux, zero outside the calibrated range. The NOISE vector
    is not calibrated, so the uncertainty is unknown. Pixels with a negative QUALITY are bad.
    """

    name = "iue-mxhi"
    version = "1"
    title = "IUE NEWSIPS high dispersion (MXHI), echelle orders on request"
    priority = 0
    policy = SPACE_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file, "ABS_CAL") is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        table = _found(file, "ABS_CAL")
        if options.echelle != "rows":
            message = (
                f'{table.n_rows} echelle orders that overlap and that nobody merged; set [readers] echelle = "rows" to'
                " get one row per order"
            )
            raise RefusedProduct(message, path=file.name, hdu=table.index)
        for row in range(table.n_rows):
            build: Callable[[], Spectrum] = partial(_order, file, policy, table, row)
            yield placed(build, path=file.name, hdu=table.index, row=row)


def _table(file: FitsFile, flux: str) -> Hdu | None:
    if file.primary.text("TELESCOP").upper() != "IUE":
        return None
    return next(iter(tables_with(file.hdus, "NPOINTS", "WAVELENGTH", "DELTAW", flux)), None)


def _found(file: FitsFile, flux: str) -> Hdu:
    table = _table(file, flux)
    if table is None:
        raise MissingField(f"no table has NPOINTS, WAVELENGTH, DELTAW and {flux}; leave the file out", path=file.name)
    return table


def _aperture(file: FitsFile, policy: HeaderPolicy, table: Hdu, row: int) -> Spectrum:
    path, n_pix = file.name, length(table, row, "NPOINTS")
    aperture = table.cell_text("APERTURE", row).upper()
    flux = cell(table, row, "FLUX", n_pix=n_pix, path=path)
    bad = cell(table, row, "QUALITY", n_pix=n_pix, path=path) < 0
    return Spectrum(
        spec_id=_spec_id(file.primary, aperture),
        flux=flux,
        flux_unit=unit_of(table, "FLUX", FLUX_UNIT),
        sampling=_sampling(table, row, flux.size, path),
        observation=_observation(file.primary, aperture),
        noise=cell(table, row, "SIGMA", n_pix=n_pix, path=path),
        noise_unit=unit_of(table, "SIGMA", ""),
        bad=bad,
        missing=bad & (flux == 0),
        zero_padded=True,
        header=project(
            [(0, file.primary), (table.index, table.header)],
            policy,
            {table.index: used_columns(table, "APERTURE", "WAVELENGTH", "DELTAW", "FLUX", "SIGMA", "QUALITY")},
        ),
        hdu=table.index,
        row=row,
    )


def _order(file: FitsFile, policy: HeaderPolicy, table: Hdu, row: int) -> Spectrum:
    path, n_pix = file.name, length(table, row, "NPOINTS")
    start = length(table, row, "STARTPIX")
    if n_pix is None or start is None:
        message = "the order has no NPOINTS or no STARTPIX, so nothing of it was extracted"
        raise MissingField(message, path=path, hdu=table.index, row=row)
    pixels = slice(start - 1, start - 1 + n_pix)
    flux = cell(table, row, "ABS_CAL", n_pix=pixels.stop, path=path)[pixels]
    bad = cell(table, row, "QUALITY", n_pix=pixels.stop, path=path)[pixels] < 0
    order = table.cell_text("ORDER", row)
    aperture = file.primary.text("APERTURE").upper()
    return Spectrum(
        spec_id="-".join(part for part in (_spec_id(file.primary, aperture), f"o{order:0>3}") if part),
        flux=flux,
        flux_unit=unit_of(table, "ABS_CAL", FLUX_UNIT),
        sampling=_sampling(table, row, n_pix, path),
        observation=_observation(file.primary, aperture, order=order),
        bad=bad,
        missing=bad & (flux == 0),
        zero_padded=True,
        header=project(
            [(0, file.primary), (table.index, table.header)],
            policy,
            {table.index: used_columns(table, "ORDER", "WAVELENGTH", "STARTPIX", "DELTAW", "ABS_CAL", "QUALITY")},
        ),
        hdu=table.index,
        row=row,
    )


def _sampling(table: Hdu, row: int, n_pix: int, path: str) -> Sampling:
    start, step = table.cell_number("WAVELENGTH", row), table.cell_number("DELTAW", row)
    if not (start > 0 and math.isfinite(start) and math.isfinite(step) and step > 0):
        message = f"the row begins at WAVELENGTH {start:g} with DELTAW {step:g}; fetch the file again"
        raise MissingField(message, path=path, hdu=table.index, row=row)
    unit = unit_of(table, "WAVELENGTH", "Angstrom")
    return Sampling(unit=unit, medium="vacuum", start=start, step=step, n_pix=n_pix)


def _spec_id(primary: Header, aperture: str) -> str:
    camera, image = primary.text("CAMERA").upper(), primary.integer("IMAGE")
    if not camera or image is None:
        return ""
    return "-".join(part for part in (f"{camera}{image:05d}", aperture) if part)


def _observation(primary: Header, aperture: str, *, order: str = "") -> Observation:
    letter = "S" if aperture.startswith("S") else "L"
    return observe(
        primary,
        instrument=f"IUE {primary.text('CAMERA').upper()}".strip(),
        object=" ".join(first_text(primary, f"{letter}TARGET", f"{letter}OBJECT").split()),
        object_id=" ".join(primary.text(f"{letter}OBJECT").split()),
        program_id=primary.text("PGM-ID"),
        date_obs=_moment(primary, letter),
        mjd=dated(mjd_of_julian(primary.number(f"{letter}JD-OBS"))),
        exptime=positive(primary.number(f"{letter}EXPTIME")),
        **sky(
            primary, (f"{letter}TARGRA", f"{letter}TARGDEC"), (f"{letter}RA", f"{letter}DEC"), ("RA", "DEC")
        )._asdict(),
        velocity_frame="heliocentric",
        flux_calibration="absolute",
        order=order,
    )


def _moment(primary: Header, letter: str) -> str:
    day = primary.text(f"{letter}DATEOBS")
    if match := _LONG_DAY.match(day):
        day = f"{match[3]}-{match[2]}-{match[1]}"
    return moment(day, primary.text(f"{letter}TIMEOBS"))


READERS = (IueLow(), IueHigh())

"""Writers of simple layouts: ELODIE archive images, any plain 1-D image with a linear axis, and a plain table."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.cards import (
    Column,
    Header,
    Part,
    Value,
    big_endian,
    image_text,
    padding,
    row_dtype,
    table_text,
)
from spectral_zarr.readers.samples.draw import Draw, Sample, Star, mjd, stamp
from spectral_zarr.readers.samples.spectra import observe, stellar_flux, template

_ELODIE_MASKS = ((6276.0, 6319.0), (6472.0, 6492.0), (6532.0, 6534.0), (6574.0, 6576.0))
_TABLE = (
    Column("wave", "D", "Angstrom"),
    Column("flux", "E", "erg/s/cm2/Angstrom"),
    Column("err", "E", "erg/s/cm2/Angstrom"),
)

_TARGET = """
OBJECT = 'HD 1000' / Target
RA = 165.5125 / [deg] Right ascension
DEC = 21.9672 / [deg] Declination
EQUINOX = 2000.0 / Equinox of coordinates
DATE-OBS = '2011-03-22T22:03:39.000' / Start of observation (UTC)
MJD-OBS = 55642.9192083 / Start of observation
EXPTIME = 120.0 / [s] Exposure time
AIRMASS = 1.1 / Airmass
SNR = 120.0 / Median signal to noise ratio per pixel
SPECSYS = 'BARYCENT' / Reference frame of the wavelengths
VELOCITY = 12.3 / [km/s] Barycentric correction (applied)
"""

_ELODIE_WCS = """
CRPIX1 = 1.0 / Reference pixel
CRVAL1 = 4000.0 / Wavelength at the reference pixel
CDELT1 = 0.05 / Step
CD1_1 = 0.05 / Step
CTYPE1 = 'AWAV' / Air wavelength
CUNIT1 = '0.1 nm' / Angstrom
"""
_ELODIE = """
EXTNAME = 'INTENSITY' / Flux in instrumental units
BUNIT = 'instrumental' / Unit of the intensity
OBJECT = 'HD001000' / Name of the object
DATASET = 'elodie:20001231/0012' / Identifier in the archive
IMANUM = 12 / Number of the image in the night
ALPHA = 11.034 / [h] Right ascension, J2000
DELTA = 21.967 / [deg] Declination, J2000
EXPTIME = 120.0 / [s] Exposure time
SN = 120.0 / Signal to noise ratio at 550 nm
JDB1 = 2451910.0 / Barycentric Julian date, integer part
JDB2 = 0.4192 / Barycentric Julian date, fraction
DATE-OBS = '2000-12-31' / Date of observation
TELESCOP = 'OHP 1.93m' / Telescope
INSTRUME = 'ELODIE' / Spectrograph
ORIGIN = 'OHP' / Observatoire de Haute-Provence
BERV = 12.3 / [km/s] Barycentric velocity (not applied)
VR = 0.0 / [km/s] Radial velocity from the correlation
VERSION = 'TGMET 3.1' / Version of the extraction
"""


def write_elodie(draw: Draw) -> Sample:
    """Write one ELODIE archive spectrum: intensity, normalisation and noise, telluric bands masked by NaN."""
    star = draw.star(faint=30.0)
    short = draw.shortened(56_000)
    length = short or 56_000
    # A shortened spectrum still contains a masked band.
    start = round(max(4000.0, 6290.0 - 0.025 * length), 2) if short else 4000.0
    wave = np.round(start + 0.05 * np.arange(length), 4)
    berv = round(float(draw.rng.uniform(-29.0, 29.0)), 4)
    # The archive leaves the Earth's motion in the wavelengths.
    flux, sigma = _observed(draw, star._replace(velocity=star.velocity - berv), wave, 42000.0)
    curve = 1.0 + 0.2 * np.sin((wave - start) / 450.0)
    for low, high in _ELODIE_MASKS:
        flux[(wave >= low) & (wave <= high)] = np.nan
    night = 1995 + draw.index // 200_000
    began = draw.moment(night)
    number = draw.index % 9999 + 1
    day = began.strftime("%Y%m%d")
    shared: dict[str, Value] = {"NAXIS1": length, "CRVAL1": start}
    barycentric = mjd(began) + 2400000.504
    changes: dict[str, Value] = {
        **shared,
        "OBJECT": f"HD{int(draw.hd_name()[3:]):06d}",
        "DATASET": f"elodie:{day}/{number:04d}",
        "IMANUM": number,
        "ALPHA": round(star.ra / 15.0, 6),
        "DELTA": star.dec,
        "EXPTIME": round(float(draw.rng.uniform(60.0, 3600.0)), 1),
        "SN": star.snr,
        "JDB1": float(int(barycentric)),
        "JDB2": round(barycentric % 1.0, 6),
        "DATE-OBS": began.date().isoformat(),
        "BERV": berv,
        "VR": star.velocity,
    }
    primary, normalisation, noise = _elodie_headers()
    parts: list[Part] = []
    for header, values, cards in (
        (primary, flux * np.float32(star.snr), changes),
        (normalisation, curve, shared),
        (noise, sigma * np.float32(star.snr), shared),
    ):
        data = big_endian(values, ">f4")
        parts += [header.render(cards), data, padding(len(data))]
    return Sample(f"elodie_{day}_{number:04d}_s1d.fits", tuple(parts))


def write_wcs1d(draw: Draw) -> Sample:
    """Write one plain image; its wavelengths are in air for even seeds and in vacuum for odd ones."""
    star = draw.star()
    length = 4096 if draw.n_pix is None else draw.n_pix
    wave = 4000.0 + 0.5 * np.arange(length, dtype=np.float64)
    flux, _ = _observed(draw, star, wave, 5000.0)
    data = big_endian(flux * np.float32(10.0 ** (-0.4 * star.magnitude) * 3.6e-9), ">f4")
    medium = "WAVE" if draw.seed % 2 else "AWAV"
    changes: dict[str, Value] = {**_target(draw, star), "NAXIS1": length, "CTYPE1": medium}
    parts: tuple[Part, ...] = (_wcs1d_header().render(changes), data, padding(len(data)))
    return Sample(f"star{draw.index + 1:06d}.fits", parts)


def write_table(draw: Draw) -> Sample:
    """Write one table with the columns wave, flux and err."""
    star = draw.star()
    n_pix = 3000 if draw.n_pix is None else draw.n_pix
    length = n_pix - int(draw.rng.integers(0, max(1, n_pix // 20)))
    start = round(float(draw.rng.uniform(4780.0, 4820.0)), 3)
    wave = start + 0.2 * np.arange(length, dtype=np.float64)
    flux, sigma = _observed(draw, star, wave, 20000.0)
    scale = np.float32(10.0 ** (-0.4 * star.magnitude) * 3.6e-9)
    table = np.empty(length, row_dtype(_TABLE))
    table["wave"], table["flux"], table["err"] = wave, flux * scale, sigma * scale
    primary, header = _table_headers()
    parts: tuple[Part, ...] = (
        primary.render(_target(draw, star)),
        header.render({"NAXIS2": length}),
        table.tobytes(),
        padding(table.nbytes),
    )
    return Sample(f"{draw.hd_name().lower().replace(' ', '')}_{draw.index + 1:06d}.fits", parts)


def _observed(
    draw: Draw, star: Star, wave: npt.NDArray[np.float64], resolution: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    lines = template(3950.0, 7000.0, resolution, air=True)
    return observe(stellar_flux(wave, lines.depth_at(wave, star.velocity), star.teff, star.feh), star.snr, draw.rng)


def _target(draw: Draw, star: Star) -> dict[str, Value]:
    began = draw.moment()
    return {
        "OBJECT": draw.hd_name(),
        "RA": star.ra,
        "DEC": star.dec,
        "DATE-OBS": stamp(began),
        "MJD-OBS": round(mjd(began), 8),
        "EXPTIME": round(float(draw.rng.uniform(60.0, 3600.0)), 1),
        "AIRMASS": round(float(draw.rng.uniform(1.0, 1.8)), 3),
        "SNR": star.snr,
        "VELOCITY": round(float(draw.rng.uniform(-29.0, 29.0)), 4),
    }


@lru_cache(maxsize=1)
def _elodie_headers() -> tuple[Header, Header, Header]:
    primary = Header(image_text(-32, (1,), primary=True), _ELODIE_WCS, _ELODIE)
    names = (("FCANOR", "Normalisation curve"), ("NOISE", "1-sigma error of the intensity"))
    curve, noise = (
        Header(image_text(-32, (1,)), f"EXTNAME = '{name}' / {what}", "BUNIT = 'instrumental'", _ELODIE_WCS)
        for name, what in names
    )
    return primary, curve, noise


@lru_cache(maxsize=1)
def _wcs1d_header() -> Header:
    history = "\n".join(f"HISTORY order {n}: extracted, flattened, merged" for n in range(1, 46))
    return Header(
        image_text(-32, (1,), primary=True),
        """
CRPIX1 = 1.0 / Reference pixel
CRVAL1 = 4000.0 / Wavelength at the reference pixel
CDELT1 = 0.5 / Step
CTYPE1 = 'AWAV' / Wavelength
CUNIT1 = 'Angstrom' / Unit of the axis
BUNIT = 'erg/s/cm2/Angstrom' / Unit of the flux
TELESCOP = 'ACME 1.5m' / Telescope
INSTRUME = 'ECHELLE' / Spectrograph
ORIGIN = 'ACME Observatory' / Where this file was written
OBSERVER = 'UNKNOWN' / Name of observer
GAIN = 1.2 / [e-/adu] Gain
RDNOISE = 4.1 / [e-] Read noise
""",
        _TARGET,
        "FILTER = 'none' / Filter\nSLIT = 1.0 / [arcsec] Slit width\nBINNING = '1x1' / Detector binning",
        history,
    )


@lru_cache(maxsize=1)
def _table_headers() -> tuple[Header, Header]:
    primary = Header(
        "SIMPLE = T / conforms to FITS standard\nBITPIX = 8 / array data type\nNAXIS = 0\nEXTEND = T",
        "TELESCOP = 'ACME 1.5m' / Telescope\nINSTRUME = 'ECHELLE' / Spectrograph",
        _TARGET,
        "AIRORVAC = 'air' / Medium of the wavelengths",
    )
    return primary, Header(table_text(_TABLE, 1), "EXTNAME = 'SPECTRUM' / Name of this extension")

"""Writers of intensity spectra of the spectropolarimeters ESPaDOnS (CFHT) and NARVAL (PolarBase)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.cards import Column, Header, Part, Value, padding, row_dtype, table_text
from spectral_zarr.readers.samples.draw import Draw, Sample, Star, mjd
from spectral_zarr.readers.samples.spectra import LIGHT_SPEED, continuum, line_strength, observe, template

_START_NM, _STOP_NM = 369.4, 1048.0
_FULL = 213_560

_ESPADONS = """
SIMPLE = T / Standard FITS
BITPIX = -32 / 32-bit floating point
NAXIS = 2 / Number of axes
NAXIS1 = 213560 / Number of pixel columns
NAXIS2 = 12 / Number of pixel rows
EXTEND = T / File may contain extensions
COMMENT
COMMENT Observation Summary
COMMENT -------------------
CMMTOBS = '' / Comment on the observation
CMMTSEQ = '1 exposure' / Comment on the sequence
OBJECT = 'HD 1000' / Target
OBSERVER = 'QSO Team' / Observer
PI_NAME = 'QSO Team' / Principal investigator
RUNID = '11AC01' / Run of the Queued Service Observing
FILENAME = '1234567i' / Base filename at acquisition
PATHNAME = '/data/pua/espadons' / Original directory name at acquisition
DATE = '2011-03-22T10:03:39' / UTC Date of file creation
HSTTIME = 'Tue Mar 22 00:08:48 HST 2011' / Local time in Hawaii
IMAGESWV = 'CFHT DetCom v3.66' / Image creation software version
INSTRUME = 'ESPaDOnS' / Instrument Name
INSTMODE = 'Spectroscopy, star only' / Instrument Mode
TELESCOP = 'CFHT 3.6m' / Telescope
ORIGIN = 'CFHT' / Canada-France-Hawaii Telescope
DETECTOR = 'OLAPA' / Science Detector
OBSTYPE = 'OBJECT' / Observation / Exposure type
EXPTYPE = 'OBJECT' / See OBSTYPE
EXPTIME = 120.0 / Integration time (seconds)
DARKTIME = 120.0 / Dark current time (seconds)
DATE-OBS = '2011-03-22' / Date at start of observation (UTC)
UTC-OBS = '10:03:39.60' / Time at start of observation (UTC)
UTIME = '10:03:39.60' / Time at start of observation (UTC)
TIME-OBS = '10:03:39.60' / Time at start of observation (UTC)
MJD-OBS = 55642.4192083 / Modified Julian Date at start of observation
MJDATE = 55642.4192083 / Modified Julian Date at start of observation
SIDTIME = '11:38:24.15' / Sidereal time at start of observation
EPOCH = 2000.0 / Equinox of coordinates
EQUINOX = 2000.0 / Equinox of coordinates
RADECSYS = 'FK5' / Coordinate system for equinox (FK4/FK5/GAPPT)
RA = '11:02:03.00' / Object right ascension
DEC = '21:58:02.0' / Object declination
RA_DEG = 165.5125 / Object right ascension in degrees
DEC_DEG = 21.9672 / Object declination in degrees
OBJRA = '11:02:03.00' / Target right ascension
OBJDEC = '21:58:02.0' / Target declination
OBJEQN = 2000.0 / Target equinox
TELALT = 77.9 / Telescope altitude in degrees at start
TELAZ = 190.1 / Telescope azimuth in degrees at start
AIRMASS = 1.023 / Airmass at start of observation
FOCUSID = 'CASSEGRAIN' / Telescope focus in use
TEMPERAT = 2.1 / Outside temperature (C)
WINDSPED = 5.4 / Wind speed (knots)
WINDDIR = 72.0 / Wind direction (degrees)
RELHUMID = 24.3 / Relative humidity (%)
BAROPRES = 616.4 / Barometric pressure (mb)
EREADSPD = 'Normal: 4.70e noise, 1.60e/ADU, 38s' / Detector readout speed
CRUNID = '11AQ05' / Camera run
QRUNID = '11AQ05' / Queue run
SNR24 = 120.0 / S/N per CCD bin, order 24
COMMENT
COMMENT Reduction
COMMENT ---------
REDUCTIO = 'Intensity' / Type of reduction
NORMAL = '2' / Normalized and unnormalized spectra
AUTOWAVE = '2' / With and without the telluric wavelength correction
COL1 = 'Wavelength' / Normalized
COL2 = 'Intensity' / Normalized
COL3 = 'ErrorBar' / Normalized
COL4 = 'Wavelength' / UnNormalized
COL5 = 'Intensity' / UnNormalized
COL6 = 'ErrorBar' / UnNormalized
COL7 = 'Wavelength' / Normalized, no autowave correction
COL8 = 'Intensity' / Normalized, no autowave correction
COL9 = 'ErrorBar' / Normalized, no autowave correction
COL10 = 'Wavelength' / UnNormalized, no autowave correction
COL11 = 'Intensity' / UnNormalized, no autowave correction
COL12 = 'ErrorBar' / UnNormalized, no autowave correction
COMMENT Upena processing
COMMENT Upena version: 1.0. Upena uses Libre-ESpRIT,
COMMENT Libre-ESpRIT, version 2.06: automatic reduction of echelle spectra.
COMMENT Wavelengths are in nanometers, in air.
COMMENT Radial velocity correction is heliocentric.
"""

_NARVAL_COLUMNS = (Column("AWAV", "E", "1 nm"), Column("FLUX_NOR", "E", "1.E-26 jy"), Column("FLUX_ERR", "E", "c"))
_NARVAL = """
SIMPLE = T / file does conform to FITS standard
BITPIX = 8 / number of bits per data pixel
NAXIS = 0 / number of data axes
EXTEND = T / FITS dataset may contain extensions
OBJECT = 'HD 1000' / Target
TELESCOP = 'TBL' / Telescope Bernard Lyot
INSTRUME = 'NARVAL' / Instrument
ORIGIN = 'PolarBase' / Database
RA = 165.5125 / [deg] Right ascension
DEC = 21.9672 / [deg] Declination
EQUINOX = 2000.0 / Equinox of coordinates
DATE-OBS = '2011-03-22T22:03:39' / Start of observation (UTC)
MJD-OBS = 55642.9192083 / Start of observation
HJD = 2455643.4240000 / Heliocentric Julian date
EXPTIME = 120.0 / [s] Exposure time
AIRMASS = 1.1 / Airmass
SNR = 120.0 / Peak signal to noise ratio per 2.6 km/s
OBSTYPE = 'I' / Stokes parameter
SPECSYS = 'HELIOCEN' / Reference frame of the wavelengths
HELVEL = 12.3 / [km/s] Heliocentric velocity (applied)
NORM = T / Continuum normalised to one
COMMENT Libre-ESpRIT reduction
"""


def write_espadons(draw: Draw) -> Sample:
    """Write one CFHT intensity file: four groups of wavelength, intensity and error as the rows of an image."""
    star = draw.star(faint=40.0)
    rng = draw.rng
    wave, norm, sigma, level = _spectrum(draw, star)
    length = wave.size
    matrix = np.zeros((12, length), ">f4")
    telluric_shift = float(rng.normal(0.0, 0.3))
    for group in range(4):
        scale = level if group % 2 else np.float32(1.0)
        shift = 1.0 if group < 2 else 1.0 + telluric_shift / LIGHT_SPEED
        rows = slice(3 * group, 3 * group + 3)
        matrix[rows] = wave * shift, norm * scale, sigma * scale
        # Each reduction keeps its own number of pixels and is padded to the longest.
        head, tail = rng.integers(0, min(40, length // 50) + 1, 2)
        matrix[rows, :head] = 0.0
        matrix[rows, length - int(tail) :] = 0.0
    began = draw.moment(2011)
    odometer = 1_200_000 + draw.seed % 100 * 20_000 + draw.index
    clock = began.time().isoformat(timespec="milliseconds")[:11]
    changes: dict[str, Value] = {
        "NAXIS1": length,
        "OBJECT": draw.hd_name(),
        "FILENAME": f"{odometer}i",
        "DATE": began.isoformat(timespec="seconds"),
        "DATE-OBS": began.date().isoformat(),
        "UTC-OBS": clock,
        "UTIME": clock,
        "TIME-OBS": clock,
        "MJD-OBS": round(mjd(began), 7),
        "MJDATE": round(mjd(began), 7),
        "RA": _clock(star.ra / 15.0, 2),
        "DEC": _clock(star.dec, 1),
        "RA_DEG": star.ra,
        "DEC_DEG": star.dec,
        "OBJRA": _clock(star.ra / 15.0, 2),
        "OBJDEC": _clock(star.dec, 1),
        "EXPTIME": round(float(rng.uniform(30.0, 1800.0)), 1),
        "AIRMASS": round(float(rng.uniform(1.0, 1.8)), 3),
        "SNR24": star.snr,
    }
    parts: tuple[Part, ...] = (_espadons_header().render(changes), matrix.tobytes(), padding(matrix.nbytes))
    return Sample(f"{odometer}i.fits", parts)


def write_narval(draw: Draw) -> Sample:
    """Write one PolarBase table of scalars: wavelength in nm, normalised intensity, error."""
    star = draw.star(faint=40.0)
    wave, norm, sigma, _ = _spectrum(draw, star)
    table = np.empty(wave.size, row_dtype(_NARVAL_COLUMNS))
    table["AWAV"], table["FLUX_NOR"], table["FLUX_ERR"] = wave, norm, sigma
    began = draw.moment()
    name = draw.hd_name()
    primary, header = _narval_headers()
    changes: dict[str, Value] = {
        "OBJECT": name,
        "RA": star.ra,
        "DEC": star.dec,
        "DATE-OBS": began.isoformat(timespec="seconds"),
        "MJD-OBS": round(mjd(began), 7),
        "HJD": round(mjd(began) + 2400000.504, 7),
        "EXPTIME": round(float(draw.rng.uniform(60.0, 2400.0)), 1),
        "AIRMASS": round(float(draw.rng.uniform(1.0, 1.8)), 3),
        "SNR": star.snr,
        "HELVEL": round(float(draw.rng.uniform(-29.0, 29.0)), 4),
    }
    parts: tuple[Part, ...] = (
        primary.render(changes),
        header.render({"NAXIS2": wave.size}),
        table.tobytes(),
        padding(table.nbytes),
    )
    day = began.strftime("%Y__%d%b%y").lower()
    target = name.lower().replace(" ", "_")
    return Sample(f"narval__{day}__norm__{target}_{draw.index:05d}.fts", parts)


def _spectrum(
    draw: Draw, star: Star
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return wavelength (nm), normalised intensity, its error and the level that undoes the normalisation."""
    rng = draw.rng
    short = draw.shortened(_FULL)
    n_pix = short or _FULL
    length = n_pix - int(rng.integers(0, max(1, min(60, n_pix // 20))))
    step = float(np.log(_STOP_NM / _START_NM)) / _FULL
    # A shortened spectrum starts beside the sodium lines.
    start = (588.0 if short else _START_NM) * (1.0 + float(rng.uniform(-28.0, 28.0)) / LIGHT_SPEED)
    wave = start * np.exp(step * np.arange(length))
    lines = template(3680.0, 10520.0, 65000.0, air=True)
    depth = lines.depth_at(wave * 10.0, star.velocity)
    norm, sigma = observe(np.exp(depth * np.float32(-line_strength(star.teff, star.feh))), star.snr, rng)
    # The blaze makes the edges of each order noisy in the normalised spectrum only.
    phase = np.log(wave / _START_NM) * (40.0 / np.log(_STOP_NM / _START_NM)) % 1.0
    blaze = (0.35 + 0.65 * np.sin(np.pi * phase)).astype(np.float32)
    sigma /= np.sqrt(blaze)
    level = continuum(wave * 10.0, star.teff) * blaze * np.float32(star.snr)
    return wave, norm, sigma, level


def _clock(value: float, digits: int) -> str:
    units = round(abs(value) * 3600 * 10**digits)
    whole, fraction = divmod(units, 10**digits)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{fraction:0{digits}d}"


@lru_cache(maxsize=1)
def _espadons_header() -> Header:
    orders = "\n".join(f"COMMENT order #{61 - n}: S/N {30 + 4 * n} per 1.8 km/s" for n in range(40))
    velocity = "COMMENT Heliocentric velocity correction of the wavelengths (km/s): applied"
    return Header(_ESPADONS, velocity, orders)


@lru_cache(maxsize=1)
def _narval_headers() -> tuple[Header, Header]:
    return Header(_NARVAL), Header(table_text(_NARVAL_COLUMNS, 1), "EXTNAME = 'SPECTRUM' / Name of this extension")

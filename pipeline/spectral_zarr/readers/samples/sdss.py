"""Writer of SDSS/BOSS `spec-PPPP-MMMMM-FFFF.fits` files (the lite form: coadd, catalogue row, line fits)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.cards import (
    Header,
    Part,
    Value,
    empty_rows,
    padding,
    row_dtype,
    set_text,
    table_text,
)
from spectral_zarr.readers.samples.draw import Draw, Sample, Star
from spectral_zarr.readers.samples.sdss_layout import COADD, LINES, PRIMARY, SPECOBJ, SPZLINE
from spectral_zarr.readers.samples.spectra import LIGHT_SPEED, observe, stellar_flux, template

_STEP = 1e-4
_FINE = 8
_FIRST_K, _LAST_K = 35516, 39700
_MARGIN_K = 60
_BRIGHT_SKY = 1 << 23
_SUBCLASSES = ("K5", "K3", "K1", "G8", "G5", "G2", "F9", "F7", "F5", "F3")


def write_spec(draw: Draw) -> Sample:
    """Write one SDSS spec file of 3850 to 4600 pixels, or of at most `n_pix`."""
    star = draw.star(faint=8.0, bright=80.0)
    rng = draw.rng
    plate = 3586 + (draw.seed % 97) * 40 + draw.index // 1000
    fiber = draw.index % 1000 + 1
    day = 55181 + (plate * 7) % 2400
    n_pix = draw.shortened(4600)
    length = int(rng.integers(3850, 4601)) if n_pix is None else n_pix - int(rng.integers(0, max(1, n_pix // 20)))
    first = _FIRST_K + int(rng.integers(0, 300))
    coadd, snr = _coadd(draw, star, first, length)
    # Now and then the header keeps the start that the plate had before the spectrum was trimmed.
    header_k = first - 13 if draw.index % 8 == 5 else first
    exposures = 2 * (3 + (plate + fiber) % 5)
    primary, coadd_header, obj_header, line_header = _headers(exposures)
    tai = (day + float(rng.uniform(0.05, 0.45))) * 86400.0
    changes: dict[str, Value] = {
        "MJD": day,
        "MJDLIST": str(day),
        "TAI-BEG": tai,
        "TAI-END": tai + 900.0,
        "NAME": f"{plate}-{day - 10}-01",
        "PLATEID": plate,
        "PLUGFILE": f"plPlugMapM-{plate}-{day - 10}-01.par",
        "RA": round(star.ra - 0.4, 6),
        "DEC": round(star.dec - 0.3, 6),
        "RADEG": round(star.ra - 0.4, 5),
        "DECDEG": round(star.dec - 0.3, 5),
        "AIRMASS": round(float(rng.uniform(1.0, 1.6)), 5),
        "EXPTIME": 450.16 * exposures,
        "HELIO_RV": float(rng.uniform(-29.0, 29.0)),
        "SKYCHI2": float(rng.normal(1.07, 0.03)),
        "COEFF0": round(header_k * _STEP, 4),
        "FBADPIX": float(np.mean(coadd["ivar"] == 0.0)),
        "PLUG_RA": star.ra,
        "PLUG_DEC": star.dec,
        "THING_ID": int(rng.integers(1, 2**28)),
        "FIBERID": fiber,
    }
    catalogue = _catalogue(draw, star, plate, day, fiber, first, length, snr)
    lines = _lines().copy()
    lines["PLATE"], lines["MJD"], lines["FIBERID"] = plate, day, fiber
    lines["LINEZ"][6:] = np.float32(star.velocity / LIGHT_SPEED)
    parts: list[Part] = [primary.render(changes), coadd_header.render({"NAXIS2": length})]
    parts += [coadd.tobytes(), padding(coadd.nbytes), obj_header.render(), catalogue.tobytes()]
    parts += [padding(catalogue.nbytes), line_header.render(), lines.tobytes(), padding(lines.nbytes)]
    return Sample(f"spec-{plate:04d}-{day}-{fiber:04d}.fits", tuple(parts))


def _coadd(draw: Draw, star: Star, first: int, length: int) -> tuple[npt.NDArray[np.void], float]:
    rng = draw.rng
    grid = template(
        10.0 ** ((_FIRST_K - _MARGIN_K) * _STEP),
        10.0 ** ((_LAST_K + 1000 + _MARGIN_K) * _STEP),
        2000.0,
        air=False,
        step=_STEP * float(np.log(10.0)) / _FINE,
    )
    k = np.arange(first, first + length)
    wavelength = _lattice()[first - _FIRST_K : first - _FIRST_K + length]
    shift = round(star.velocity / LIGHT_SPEED / grid.step)
    depth = grid.slice((first - _FIRST_K + _MARGIN_K) * _FINE - shift, _FINE, length)
    model = stellar_flux(wavelength, depth, star.teff, star.feh)
    flux, sigma = observe(model, star.snr, rng)
    bad = rng.integers(0, length, max(1, length // 50))
    # A dead column spoils neighbours too.
    bad[1::2] = np.minimum(bad[::2][: bad[1::2].size] + 1, length - 1)
    level = np.float32(10.0 ** (0.4 * (14.0 - star.magnitude)))
    ivar = 1.0 / np.square(sigma * level)
    ivar[bad] = 0.0
    coadd = np.zeros(length, row_dtype(COADD))
    coadd["flux"] = flux * level
    coadd["loglam"] = k * _STEP
    coadd["ivar"] = ivar
    sky = _sky()[first - _FIRST_K : first - _FIRST_K + length]
    bright = np.flatnonzero(sky > 25.0)
    coadd["and_mask"][bad[::4]] = _BRIGHT_SKY
    coadd["or_mask"][bad] = 1 << 25
    coadd["or_mask"][bright] |= _BRIGHT_SKY
    coadd["wdisp"] = np.float32(0.95) + np.float32(2e-5) * (k - 38000).astype(np.float32)
    coadd["sky"] = sky * np.float32(rng.uniform(0.7, 1.4))
    coadd["model"] = model * level
    good = ivar > 0.0
    return coadd, float(np.median(flux[good] / sigma[good]))


def _catalogue(
    draw: Draw, star: Star, plate: int, day: int, fiber: int, first: int, length: int, snr: float
) -> npt.NDArray[np.void]:
    row = _specobj().copy()
    spec_id = (plate << 50) | (fiber << 38) | ((day - 50000) << 24) | (10 << 10)
    redshift = star.velocity / LIGHT_SPEED
    ra, dec = np.radians([star.ra, star.dec])
    set_text(row, "SPECOBJID", f"{spec_id:>22d}")
    set_text(row, "PLATEID", str(plate << 50))
    row["CX"], row["CY"], row["CZ"] = np.cos(ra) * np.cos(dec), np.sin(ra) * np.cos(dec), np.sin(dec)
    row["PLATE"], row["MJD"], row["FIBERID"] = plate, day, fiber
    row["PLUG_RA"], row["PLUG_DEC"] = star.ra, star.dec
    set_text(row, "SUBCLASS", _SUBCLASSES[min(9, int((star.teff - 3900.0) / 290.0))])
    row["Z"] = row["ELODIE_Z"] = redshift
    row["Z_ERR"] = row["ELODIE_Z_ERR"] = 1e-5 + 2e-4 / snr
    row["RCHI2"] = draw.rng.normal(1.1, 0.1)
    row["DOF"] = length - 60
    row["WAVEMIN"], row["WAVEMAX"] = 10.0 ** (first * _STEP), 10.0 ** ((first + length - 1) * _STEP)
    row["WCOVERAGE"] = length * _STEP
    row["SN_MEDIAN_ALL"] = snr
    row["SN_MEDIAN"] = snr * np.array([0.4, 0.9, 1.1, 1.1, 0.7])
    row["ELODIE_TEFF"], row["ELODIE_LOGG"], row["ELODIE_FEH"] = star.teff, star.logg, star.feh
    return row


@lru_cache(maxsize=1)
def _lattice() -> npt.NDArray[np.float64]:
    return np.asarray(10.0 ** (np.arange(_FIRST_K, _LAST_K + 1500) * _STEP), np.float64)


@lru_cache(maxsize=1)
def _sky() -> npt.NDArray[np.float32]:
    wavelength = _lattice()
    rng = np.random.Generator(np.random.SFC64(2000))
    sky = 4.0 + rng.gamma(2.0, 0.2, wavelength.size)
    # Airglow: single lines in the green, the OH forest in the red.
    for line in (5578.9, 5891.6, 6302.0, 6365.5, *rng.uniform(7200.0, 10400.0, 160)):
        sky += rng.uniform(5.0, 60.0) * np.exp(-0.5 * np.square((wavelength - line) / 2.0))
    return sky.astype(np.float32)


@lru_cache(maxsize=1)
def _specobj() -> npt.NDArray[np.void]:
    row = empty_rows(SPECOBJ)
    for name, text in {
        "SURVEY": "boss", "INSTRUMENT": "BOSS", "CHUNK": "boss1", "PROGRAMNAME": "boss", "PLATERUN": "2009.10.a",
        "PLATEQUALITY": "good", "FIRSTRELEASE": "dr9", "RUN2D": "v5_10_0", "RUN1D": "v5_10_0",
        "SOURCETYPE": "STD", "TARGETTYPE": "SCIENCE", "CLASS": "STAR", "TFILE": "spEigenStar-55734.fits",
        "ELODIE_FILENAME": "RAC/L/00681.fits", "ELODIE_OBJECT": "HD184499", "ELODIE_SPTYPE": "G0V",
        "CLASS_NOQSO": "STAR", "FLUXOBJID": "1237656240627122213", "BESTOBJID": "1237656240627122213",
    }.items():  # fmt: skip
        set_text(row, name, text)
    row["PLATESN2"], row["LAMBDA_EFF"], row["BLUEFIBER"] = 14.2, 5400.0, -1
    row["SPECPRIMARY"] = row["SPECBOSS"] = row["NSPECOBS"] = row["SPECTROGRAPHID"] = 1
    row["TCOLUMN"] = [9, *[-1] * 9]
    row["NPOLY"], row["ELODIE_BV"] = 4, 0.547
    row["Z_PERSON"] = row["CLASS_PERSON"] = 0
    return row


@lru_cache(maxsize=1)
def _lines() -> npt.NDArray[np.void]:
    lines = empty_rows(SPZLINE, len(LINES))
    lines["LINENAME"] = [name.ljust(13).encode() for name, _ in LINES]
    lines["LINEWAVE"] = [wavelength for _, wavelength in LINES]
    for name in ("LINEZ_ERR", "LINESIGMA_ERR", "LINEAREA_ERR", "LINEEW_ERR", "LINECONTLEVEL_ERR", "LINECHI2"):
        lines[name] = -1.0
    return lines


@lru_cache(maxsize=16)
def _headers(exposures: int) -> tuple[Header, Header, Header, Header]:
    half = exposures // 2
    names = [f"{camera}-{104927 + n:08d}-00104934-00104935" for camera in ("b1", "r1") for n in range(half)]
    primary = Header(
        PRIMARY.replace("NEXP = 14", f"NEXP = {exposures}").replace("= 7 /", f"= {half} /"),
        *(f"EXPID{number:02d} = '{name}'" for number, name in enumerate(names, 1)),
    )
    return (
        primary,
        Header(table_text(COADD, 1), "EXTNAME = 'COADD   '\nCOMMENT Coadded spectrum"),
        Header(table_text(SPECOBJ, 1), "EXTNAME = 'SPECOBJ '\nCOMMENT Metadata from specObj row"),
        Header(table_text(SPZLINE, len(LINES)), "EXTNAME = 'SPZLINE '\nCOMMENT Line fits from spZline"),
    )

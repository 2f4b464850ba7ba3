"""Writers of HARPS spectra: the legacy archive product and the s1d image of the instrument's own pipeline."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.cards import Header, Part, Value, big_endian, image_text, padding
from spectral_zarr.readers.samples.draw import Draw, Sample, Star, mjd, stamp
from spectral_zarr.readers.samples.eso import Setup, Vector, write_product
from spectral_zarr.readers.samples.eso_cards import DET, INS, OBS_TPL, TEL, device_cards, sensor_cards
from spectral_zarr.readers.samples.spectra import LIGHT_SPEED, observe, stellar_flux, template

_STEP = 0.01
_FIRST_K, _LAST_K = 377_980, 691_400
_FULL = 313_168
_GAP = (5304.0, 5337.0)
_ORDERS = 72

_SETUP = Setup(
    instrument="HARPS",
    telescope="ESO-3P6",
    software="HARPS_3.5",
    frame="BARYCENT",
    resolution=115000,
    vectors=(
        Vector("WAVE", "D", "angstrom", "spec:Data.SpectralAxis.Value", "em.wl;obs.atmos"),
        Vector("FLUX", "E", "adu", "spec:Data.FluxAxis.Value", "phot.flux.density;em.wl;src.net;stat.uncalib"),
        Vector(
            "ERR",
            "E",
            "adu",
            "spec:Data.FluxAxis.Accuracy.StatError",
            "stat.error;phot.flux.density;em.wl;src.net;stat.uncalib",
        ),
    ),
    origin="ESO-LASILLA",
)


def write_adp(draw: Draw) -> Sample:
    """Write one legacy archive product: all errors NaN, the gap between the CCDs exact zeros."""
    star = draw.star()
    berv = float(draw.rng.uniform(-28.0, 28.0))
    first, length = _range(draw, berv)
    wave = _lattice()[first - _FIRST_K : first - _FIRST_K + length]
    flux = _flux(draw, star, wave, length).astype(">f4")
    return write_product(
        draw,
        _SETUP,
        _headers(),
        star,
        (wave.astype(">f8"), flux, _nan()[:length]),
        _drs_changes(draw, star, berv),
    )


def write_s1d(draw: Draw) -> Sample:
    """Write one s1d image with the 3,000 cards of the instrument pipeline."""
    star = draw.star()
    berv = float(draw.rng.uniform(-28.0, 28.0))
    first, length = _range(draw, berv)
    wave = _lattice()[first - _FIRST_K : first - _FIRST_K + length]
    flux = big_endian(_flux(draw, star, wave, length), ">f4")
    began = draw.moment()
    name = draw.hd_name()
    changes: dict[str, Value] = {
        **_drs_changes(draw, star, berv),
        "NAXIS1": length,
        "CRVAL1": round(first * _STEP, 2),
        "DATE": stamp(began),
        "OBJECT": name,
        "RA": star.ra,
        "DEC": star.dec,
        "MJD-OBS": round(mjd(began), 8),
        "DATE-OBS": stamp(began),
        "ESO OBS NAME": name,
        "ESO OBS TARG NAME": name,
    }
    parts: tuple[Part, ...] = (_s1d_header().render(changes), flux, padding(len(flux)))
    return Sample(f"HARPS.{stamp(began)}_s1d_A.fits", parts)


def _range(draw: Draw, berv: float) -> tuple[int, int]:
    """Choose the first lattice index and the number of pixels."""
    loss = int(draw.rng.integers(0, 150))
    n_pix = draw.shortened(_FULL)
    if n_pix is None:
        return round(3781.37 * (1.0 + berv / LIGHT_SPEED) / _STEP), _FULL - loss
    # A shortened spectrum still straddles the gap.
    length = n_pix - min(loss, n_pix // 20)
    first = round((_GAP[0] * (1.0 + berv / LIGHT_SPEED) - 0.4 * n_pix * _STEP) / _STEP)
    return min(max(_FIRST_K, first), _LAST_K - length), length


def _flux(draw: Draw, star: Star, wave: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float32]:
    lines = template(3765.0, 6930.0, 60000.0, air=True)
    flux = stellar_flux(wave, lines.depth_at(wave, star.velocity), star.teff, star.feh)
    # The pipeline keeps the response of the spectrograph: weak in the blue.
    response = np.interp(wave, (3780.0, 4300.0, 5000.0, 6000.0, 6915.0), (0.05, 0.4, 0.9, 1.0, 0.8))
    flux *= response.astype(np.float32)
    flux, _ = observe(flux, star.snr, draw.rng)
    flux *= np.float32(star.snr**2 * 1.36)
    gap_end = _GAP[1] if draw.shortened(_FULL) is None else min(_GAP[1], _GAP[0] + 0.05 * length * _STEP)
    low, high = np.searchsorted(wave, (_GAP[0], gap_end))
    flux[low:high] = 0.0
    return flux


def _drs_changes(draw: Draw, star: Star, berv: float) -> dict[str, Value]:
    moment = draw.moment()
    changes: dict[str, Value] = {
        "ESO DRS BERV": berv,
        "ESO DRS BJD": round(mjd(moment) + 2400000.502, 8),
        "ESO DRS CCF RVC": star.velocity,
    }
    signal = star.snr * (0.1 + 0.9 * np.sin(np.linspace(0.1, 2.2, _ORDERS))) + draw.rng.uniform(-0.5, 0.5, _ORDERS)
    for order, value in enumerate(signal.tolist()):
        changes[f"ESO DRS SPE EXT SN{order}"] = round(value, 1)
    return changes


@lru_cache(maxsize=1)
def _lattice() -> npt.NDArray[np.float64]:
    # Dividing gives the doubles nearest to the decimals, as reading "3781.19" does.
    return np.asarray(np.arange(_FIRST_K, _LAST_K + 1) / 100.0, np.float64)


@lru_cache(maxsize=1)
def _nan() -> npt.NDArray[np.float32]:
    return np.full(_FULL, np.nan, ">f4")


def _drs_text(*, cosmics: bool) -> str:
    lines = [
        "ESO DRS VERSION = 'HARPS_3.5' / DRS version",
        "ESO DRS CCD SIGDET = 4.74174201795094 / CCD Readout Noise [e-]",
        "ESO DRS CCD CONAD = 1.36 / CCD conv factor [e-/ADU]",
        "ESO DRS BLAZE FILE = 'HARPS.2010-09-18T21:48:00.221_blaze_A.fits' / Blaze file used",
        "ESO DRS SPE EXT OPT = 3 / Option extraction",
        "ESO DRS SPE EXT WINDOW = 17 / Size of extraction window",
        "ESO DRS SPE EXT COSM = 3.5 / threshold cosmic detection",
    ]
    lines += [f"ESO DRS SPE EXT SN{order} = 0.8 / S_N order center{order}" for order in range(_ORDERS)]
    if cosmics:
        lines += [
            f"ESO DRS SPE NBCOS{order} = {order * 37 % 90} / NbCos detected order{order}" for order in range(_ORDERS)
        ]
    lines += [
        "ESO DRS BERV = -23.5438771778635 / Barycentric Earth Radial Velocity",
        "ESO DRS BJD = 2455458.48996366 / Barycentric Julian Day",
        "ESO DRS BERVMX = 31.4919550700153 / Maximum BERV",
        "ESO DRS CCF RVC = -9.2 / Baryc RV (drift corrected) (km/s)",
        "ESO DRS CCF CONTRAST = 41.2 / Contrast of CCF (%)",
        "ESO DRS CCF FWHM = 6.9 / FWHM of CCF (km/s)",
        "ESO DRS CCF MASK = 'G2' / Mask filename",
        "ESO DRS DRIFT RV USED = 0. / Used RV drift (m/s)",
    ]
    return "\n".join(lines)


def _calibration_text() -> str:
    rng = np.random.Generator(np.random.SFC64(3032))
    groups = (
        ("LOC CTR", 360, "Coeff center order", 1e-9), ("LOC FWHM", 648, "Coeff fwhm order", 1e-12),
        ("LOC ERROR", 288, "Coeff profile error order", 1e-5), ("FLAT RMS", 72, "FF RMS order", 1e-2),
        ("TH COEFF LL", 288, "coeff ll(x,order)", 1e-9), ("TH COEFF X", 288, "coeff x=(ll,order)", 1.0),
        ("TH CHISQ ORDER", 72, "reduced chi-square", 2.0), ("TH RMS ORDER", 72, "rms around fit (m/s)", 10.0),
        ("TH LINE", 94, "lines used", 1.0),
    )  # fmt: skip
    return "\n".join(
        f"ESO DRS CAL {name}{number} = {scale * float(rng.normal()):.14E} / {what}{number // 5}"
        for name, count, what, scale in groups
        for number in range(count)
    )


def _instrument_text(sensor_fields: int) -> str:
    names = {"template": "HARPS_ech_obs_all", "instrument": "HARPS", "detector": "harps - Harps"}
    common = "".join((OBS_TPL, TEL, DET, INS)).format(**names)
    return "\n".join((common, device_cards("HARPS", 12), sensor_cards(40, sensor_fields)))


@lru_cache(maxsize=1)
def _headers() -> tuple[Header, Header]:
    history = "\n".join(f"HISTORY DRS: order {order} merged" for order in range(_ORDERS))
    return _SETUP.headers("\n".join((_instrument_text(7), _drs_text(cosmics=False), history)))


@lru_cache(maxsize=1)
def _s1d_header() -> Header:
    return Header(
        image_text(-32, (_FULL,), primary=True),
        """
COMMENT   FITS (Flexible Image Transport System) format is defined in 'Astronomy
COMMENT   and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H
CRPIX1 = 1. / Reference pixel
CRVAL1 = 3781.19 / Coordinate at reference pixel
CDELT1 = 0.01 / Coordinate increment par pixel
CTYPE1 = 'Angstrom' / Units of coordinate
BUNIT = 'Relative Flux' / Units of data values
ORIGIN = 'ESO-LASILLA' / European Southern Observatory.
DATE = '2010-09-18T23:57:39.004' / UT date when this file was written
TELESCOP = 'ESO-3P6' / ESO Telescope Name
INSTRUME = 'HARPS' / Instrument used.
OBJECT = 'HD 1000' / Original target.
RA = 229.863516 / RA (J2000) pointing (deg)
DEC = -7.72219 / DEC (J2000) pointing (deg)
EQUINOX = 2000. / Standard FK5 (years)
RADECSYS = 'FK5' / Coordinate reference frame
EXPTIME = 900.0007 / Total integration time
MJD-OBS = 55457.98791873 / MJD start
DATE-OBS = '2010-09-18T23:42:36.178' / Date of observation
UTC = 85351.000 / UTC at start (sec)
LST = 67842.827 / LST at start (sec)
PI-COI = 'UNKNOWN' / PI-COI name.
""",
        _instrument_text(11),
        _drs_text(cosmics=True),
        _calibration_text(),
    )

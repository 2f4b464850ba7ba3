"""Writers of UVES spectra: the archive product and the one-dimensional image of the pipeline."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.cards import Header, Part, Value, big_endian, padding
from spectral_zarr.readers.samples.draw import Draw, Sample, Star, mjd, stamp
from spectral_zarr.readers.samples.eso import Setup, Vector, write_product
from spectral_zarr.readers.samples.eso_cards import (
    DET,
    INS,
    OBS_TPL,
    TEL,
    device_cards,
    order_cards,
    recipe_cards,
    sensor_cards,
)
from spectral_zarr.readers.samples.spectra import observe, stellar_flux, template

_SETUP = Setup(
    instrument="UVES",
    telescope="ESO-VLT-U2",
    software="uves/5.1.5",
    frame="TOPOCENT",
    resolution=42310,
    vectors=(
        Vector("WAVE", "D", "angstrom", "spec:Data.SpectralAxis.Value", "em.wl;obs.atmos"),
        Vector(
            "FLUX_REDUCED",
            "E",
            "adu",
            "eso:Data.FluxAxis.Value",
            "phot.flux.density;em.wl;src.net;meta.main;stat.uncalib",
        ),
        Vector(
            "ERR_REDUCED",
            "E",
            "adu",
            "eso:Data.FluxAxis.Accuracy.StatError",
            "stat.error;phot.flux.density;em.wl;meta.main;stat.uncalib",
        ),
        Vector(
            "BGFLUX_REDUCED",
            "E",
            "adu",
            "eso:Data.BackgroundModel.Value",
            "phot.flux.density;em.wl;instr.background;stat.uncalib",
        ),
    ),
    origin="ESO-PARANAL",
)


def write_adp(draw: Draw) -> Sample:
    """Write one archive product: its own grid, topocentric, with padded ends (flux 0, error 1)."""
    star = draw.star(faint=10.0)
    wave, _, _ = _grid(draw, 50_000)
    barycor = float(draw.rng.uniform(-29.0, 29.0))
    flux, sigma = _counts(draw, star, wave, barycor)
    background = draw.rng.normal(3.0, 1.2, wave.size).astype(np.float32)
    pad = min(wave.size // 20, int(draw.rng.integers(40, 61)))
    for part in (slice(0, pad), slice(wave.size - pad, None)):
        flux[part], sigma[part], background[part] = 0.0, 1.0, 0.0
    arrays = (wave.astype(">f8"), flux.astype(">f4"), sigma.astype(">f4"), background.astype(">f4"))
    changes: dict[str, Value] = {
        "ESO QC VRAD BARYCOR": round(barycor, 6),
        "ESO QC VRAD HELICOR": round(barycor - 0.005, 6),
    }
    return write_product(draw, _SETUP, _headers(), star, arrays, changes)


def write_pipeline(draw: Draw) -> Sample:
    """Write one product of the observatory pipeline: a linear image in ADU whose OBJECT is the product's name."""
    star = draw.star(faint=10.0)
    wave, start, step = _grid(draw, 42_751)
    barycor = float(draw.rng.uniform(-29.0, 29.0))
    flux, _ = _counts(draw, star, wave, barycor)
    began = draw.moment(2011)
    name = draw.hd_name()
    changes: dict[str, Value] = {
        "NAXIS1": wave.size,
        "DATE": began.isoformat(timespec="seconds"),
        "CRVAL1": start,
        "CDELT1": step,
        "RA": star.ra,
        "DEC": star.dec,
        "MJD-OBS": round(mjd(began), 8),
        "DATE-OBS": stamp(began),
        "DATAMIN": float(flux.min()),
        "DATAMAX": float(flux.max()),
        "ESO OBS NAME": name,
        "ESO OBS TARG NAME": name,
        "ESO TEL AIRM START": round(float(draw.rng.uniform(1.0, 1.8)), 3),
        "ESO QC VRAD BARYCOR": round(barycor, 6),
        "ESO QC VRAD HELICOR": round(barycor - 0.005, 6),
    }
    data = big_endian(flux, ">f4")
    parts: tuple[Part, ...] = (_pipeline_header().render(changes), data, padding(len(data)))
    return Sample(f"r.UVES.{stamp(began).replace(':', '')}-A01_0000.fits", parts)


def _grid(draw: Draw, default: int) -> tuple[npt.NDArray[np.float64], float, float]:
    rng = draw.rng
    n_pix = draw.shortened(default) or default
    length = n_pix - int(rng.integers(0, max(1, n_pix // 50)))
    # Twelve digits, so that the card and the column agree.
    start = round(float(rng.uniform(4720.0, 4790.0)), 8)
    step = round(float(rng.uniform(0.01480, 0.01510)), 13)
    return start + step * np.arange(length, dtype=np.float64), start, step


def _counts(
    draw: Draw, star: Star, wave: npt.NDArray[np.float64], barycor: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    lines = template(4690.0, 7600.0, 45000.0, air=True)
    flux = stellar_flux(wave, lines.depth_at(wave, star.velocity - barycor), star.teff, star.feh)
    flux, sigma = observe(flux, star.snr, draw.rng)
    counts = np.float32(1.2 * star.snr**2)
    return flux * counts, sigma * counts


_QC_TAIL = """
ESO QC DID = 'UVES-1.14' / ESO QC DID
ESO QC TEST1 ID = 'Science-Reduction-Test-Results' / Name of QC test
ESO QC EX NORD = 31 / No. of orders extracted
ESO QC EX XSIZE = 1500 / Input image width (pixels)
ESO QC EX YSIZE = 18 / Extraction slit (pixels)
ESO QC VRAD BARYCOR = -27.472006 / Barycentric radial velocity correction
ESO QC VRAD HELICOR = -27.477197 / Heliocentric radial velocity correction
"""


def _instrument_text(devices: int, sensors: int, orders: int) -> str:
    names = {"template": "UVES_dic2_obs_exp", "instrument": "UVES", "detector": "ccdUV - uves"}
    common = "".join((OBS_TPL, TEL, DET, INS)).format(**names)
    recipe = recipe_cards("uves_obs_redchain", 6, 28)
    return "\n".join(
        (common, device_cards("UVES", devices), sensor_cards(sensors, 6), recipe, order_cards(orders), _QC_TAIL)
    )


@lru_cache(maxsize=1)
def _headers() -> tuple[Header, Header]:
    history = "\n".join(f"HISTORY merged order {n} with its neighbour" for n in range(1, 46))
    return _SETUP.headers("\n".join((_instrument_text(12, 3, 27), history)))


@lru_cache(maxsize=1)
def _pipeline_header() -> Header:
    return Header(
        """
SIMPLE = T / file does conform to FITS standard
BITPIX = -32 / number of bits per data pixel
NAXIS = 1 / number of data axes
NAXIS1 = 42751 / length of data axis 1
EXTEND = T / FITS dataset may contain extensions
DATE = '2011-08-11T23:44:46' / file creation date (YYYY-MM-DDThh:mm:ss UT)
CTYPE1 = 'WAVELENGTH [Ang]' / Auto Added Keyword
BUNIT = 'ADU' / Auto Added Keyword
CRVAL1 = 3732.05623191818 / Auto Added Keyword
CRPIX1 = 1. / Auto Added Keyword
CDELT1 = 0.0296533834852385 / Auto Added Keyword
ORIGIN = 'ESO' / European Southern Observatory.
TELESCOP = 'ESO-VLT-U2' / ESO Telescope Name
INSTRUME = 'UVES' / Instrument used.
OBJECT = 'RED_SCI_POINT_BLUE' / Original target.
RA = 230.876323 / RA (J2000) pointing (deg)
DEC = -38.35773 / DEC (J2000) pointing (deg)
EQUINOX = 2000. / Standard FK5 (years)
RADECSYS = 'FK5' / Coordinate reference frame
MJD-OBS = 55784.97491049 / MJD start
DATE-OBS = '2011-08-11T23:23:52.266' / Date of observation
UTC = 84223. / 23:23:43.000 UTC at start (sec)
LST = 57744.3 / 16:02:24.300 LST at start (sec)
PI-COI = 'UNKNOWN' / PI-COI name.
OBSERVER = 'UNKNOWN' / Name of observer.
PIPEFILE = 'red_science_blue.fits' / Filename of data product
DATAMIN = 0.000000 / Minimum pixel value
DATAMAX = 4729.290936 / Maximum pixel value
EXPTIME = 1200.0013 / Total integration time
BNOISE = 2.22931946633772 / Master bias RMS on frame
""",
        _instrument_text(26, 20, 31),
        """
COMMENT   FITS (Flexible Image Transport System) format is defined in 'Astronomy
COMMENT   and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H
HISTORY FTU-2_5_2/2011-08-11/ADD: GEN.MOON.RA
HISTORY FTU-2_5_2/2011-08-11/ADD: GEN.MOON.DEC
""",
    )

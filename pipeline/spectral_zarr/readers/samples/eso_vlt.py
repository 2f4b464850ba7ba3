"""Writers of the archive products of X-shooter, ESPRESSO, NIRPS and FEROS."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.cards import Header, Value
from spectral_zarr.readers.samples.draw import Draw, Sample, mjd
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
from spectral_zarr.readers.samples.spectra import LIGHT_SPEED, air_wavelength, observe, stellar_flux, template

_CGS = "erg.cm**(-2).s**(-1).angstrom**(-1)"
_FLUX_UCD = "phot.flux.density;em.wl;src.net"
_ERROR_UCD = "stat.error;phot.flux.density;em.wl;src.net"
_QUALITY_UCD = "meta.code.qual;phot.flux.density;em.wl"

_XSHOOTER = Setup(
    instrument="XSHOOTER",
    telescope="ESO-VLT-U2",
    software="xshoo/2.5.2",
    since=2010,
    frame="TOPOCENT",
    resolution=8935,
    nm_per_unit=1.0,
    fluxcal="ABSOLUTE",
    fluxerr="10.",
    origin="ESO-PARANAL",
    vectors=(
        Vector("WAVE", "D", "nm", "spec:Data.SpectralAxis.Value", "em.wl;obs.atmos"),
        Vector("FLUX", "E", _CGS, "spec:Data.FluxAxis.Value", f"{_FLUX_UCD};meta.main"),
        Vector("ERR", "E", _CGS, "spec:Data.FluxAxis.Accuracy.StatError", f"{_ERROR_UCD};meta.main"),
        Vector("QUAL", "J", "", "spec:Data.FluxAxis.Accuracy.QualityStatus", "meta.code.qual;meta.main"),
        Vector("SNR", "E", "", "eso:Data.FluxAxis.Accuracy.SNR", "stat.snr;meta.main"),
        Vector("FLUX_REDUCED", "E", "adu", "eso:Data.FluxAxis.Value", f"{_FLUX_UCD};stat.uncalib"),
        Vector("ERR_REDUCED", "E", "adu", "eso:Data.FluxAxis.Accuracy.StatError", f"{_ERROR_UCD};stat.uncalib"),
    ),
)


def _espresso_vectors() -> tuple[Vector, ...]:
    # The misspelt utype is the archive's own.
    axis = "Spectrum.Data.FluxAxis"
    vectors = [Vector("WAVE", "D", "angstrom", "Spectrum.Data.SpectralAxis.Value", "em.wl;meta.main")]
    for suffix, unit, main in (("", f"10**(-16){_CGS}", ";meta.main"), ("_EL", "e-", ""), ("_CAL", "", "")):
        unit = unit or f"10**(-16){_CGS}"
        utype = axis if main else f"eso:{axis}"
        group = [
            Vector(f"FLUX{suffix}", "E", unit, f"{utype}.Value", f"{_FLUX_UCD}{main}"),
            Vector(f"ERR{suffix}", "E", unit, f"{utype}.Accurancy.StatError", f"{_ERROR_UCD}{main}"),
            Vector(f"QUAL{suffix}", "J", "", f"{utype}.Accurancy.QualityStatus", f"{_QUALITY_UCD}{main}"),
        ]
        vectors += group
        if main:
            vectors.append(Vector("SNR", "E", "", "eso:Data.FluxAxis.Accurancy.SNR", "stat.snr;meta.main"))
            vectors.append(
                Vector("WAVE_AIR", "D", "angstrom", "eso:Spectrum.Data.SpectralAxis.Value", "em.wl;obs.atmos")
            )
    return tuple(vectors)


_ESPRESSO = Setup(
    instrument="ESPRESSO",
    telescope="ESO-VLT-U1",
    software="espdr/3.0.0",
    since=2018,
    frame="BARYCENT",
    resolution=138000,
    vectors=_espresso_vectors(),
    fluxcal="ABSOLUTE",
    fluxerr="-2.",
    origin="ESO-PARANAL",
)
_NIRPS = Setup(
    instrument="NIRPS",
    telescope="ESO-3P6",
    software="espdr/3.2.0",
    since=2023,
    frame="BARYCENT",
    resolution=84000,
    vectors=_espresso_vectors(),
    fluxcal="ABSOLUTE",
    fluxerr="-2.",
    origin="ESO-LASILLA",
)
_FEROS_VECTORS = (
    Vector("WAVE", "D", "angstrom", "spec:Data.SpectralAxis.Value", "em.wl;obs.atmos"),
    Vector("FLUX", "E", "adu", "spec:Data.FluxAxis.Value", f"{_FLUX_UCD};stat.uncalib"),
    Vector("ERR", "E", "adu", "spec:Data.FluxAxis.Accuracy.StatError", f"{_ERROR_UCD};stat.uncalib"),
)


def write_xshooter(draw: Draw) -> Sample:
    """Write one VIS-arm product: nm, topocentric, about 17 % of the pixels flagged."""
    star = draw.star(faint=10.0)
    rng = draw.rng
    barycor = round(float(rng.uniform(-29.0, 29.0)), 6)
    length = draw.shortened(24_317) or 24_317
    wave = np.round(533.66 + 0.02 * np.arange(length), 8)
    lines = template(5300.0, 10300.0, 9000.0, air=True)
    model = stellar_flux(wave * 10.0, lines.depth_at(wave * 10.0, star.velocity - barycor), star.teff, star.feh)
    flux, sigma = observe(model, star.snr, rng)
    quality = _flag_runs(rng, length, 0.17, 9, (4, 16, 64, 524288))
    spikes = quality == 16
    flux[spikes] += rng.exponential(0.5, int(spikes.sum())).astype(np.float32)
    scale = np.float32(10.0 ** (-0.4 * star.magnitude) * 3.6e-9)
    counts = np.float32(star.snr**2)
    arrays = (
        wave.astype(">f8"), (flux * scale).astype(">f4"), (sigma * scale).astype(">f4"), quality.astype(">i4"),
        (flux / sigma).astype(">f4"), (flux * counts).astype(">f4"), (sigma * counts).astype(">f4"),
    )  # fmt: skip
    changes: dict[str, Value] = {"ESO QC VRAD BARYCOR": barycor, "ESO QC VRAD HELICOR": round(barycor - 0.005, 6)}
    return write_product(draw, _XSHOOTER, _xshooter_headers(), star, arrays, changes)


def write_espresso(draw: Draw) -> Sample:
    """Write one ESPRESSO product: vacuum and air wavelength, three pairs of flux and error, NaN where blind."""
    return _write_espresso_like(draw, _ESPRESSO, _espresso_headers, 3771.4, 1.667821e-6, 443_262, 5880.0)


def write_nirps(draw: Draw) -> Sample:
    """Write one NIRPS product, of the layout of ESPRESSO in the near infrared."""
    return _write_espresso_like(draw, _NIRPS, _nirps_headers, 9660.0, 3.335641e-6, 207_500, 10700.0)


def write_feros(draw: Draw) -> Sample:
    """Write one FEROS product; only re-reduced files (one in four) have errors."""
    star = draw.star()
    rng = draw.rng
    barycor = float(rng.uniform(-28.0, 28.0))
    short = draw.shortened(189_600)
    n_pix = short or 189_600
    length = n_pix - int(rng.integers(0, max(1, min(120, n_pix // 20))))
    first = round((5880.0 if short else 3527.9) * (1.0 + barycor / LIGHT_SPEED) / 0.03)
    wave = np.round((first + np.arange(length)) * 0.03, 6)
    lines = template(3500.0, 9260.0, 48000.0, air=True)
    flux, sigma = observe(stellar_flux(wave, lines.depth_at(wave, star.velocity), star.teff, star.feh), star.snr, rng)
    counts = np.float32(star.snr**2)
    flux *= counts
    flux[: min(12, length // 50)] = 0.0
    again = draw.index % 4 == 3
    arrays: tuple[npt.NDArray[np.generic], ...] = (wave.astype(">f8"), flux.astype(">f4"))
    if again:
        arrays += ((sigma * counts).astype(">f4"),)
    setup, headers = _feros(again)
    changes: dict[str, Value] = {
        "ESO DRS BARYCORR": round(barycor, 6),
        "ESO DRS BJD": round(mjd(draw.moment(setup.since)) + 2400000.502, 8),
    }
    return write_product(draw, setup, headers, star, arrays, changes)


def _write_espresso_like(
    draw: Draw,
    setup: Setup,
    headers: Callable[[], tuple[Header, Header]],
    start: float,
    step: float,
    full: int,
    window: float,
) -> Sample:
    star = draw.star()
    rng = draw.rng
    short = draw.shortened(full)
    length = short or full
    # A shortened spectrum starts beside strong lines, still on the same grid.
    first = min(full - length, round(np.log(window / start) / step)) if short else 0
    wave, vacuum, air = (values[first : first + length] for values in _grid(start, step, full))
    lines = template(start * 0.995, start * float(np.exp(step * full)) * 1.005, 120000.0, air=False)
    model = stellar_flux(wave, lines.depth_at(wave, star.velocity), star.teff, star.feh)
    flux, sigma = observe(model, star.snr, rng)
    quality = _flag_runs(rng, length, 0.01, 6, (1, 2, 16384))
    blind = _flag_runs(rng, length, 0.02, max(4, length // 500), (1,)) != 0
    blind[: length // 100] = blind[length - length // 200 :] = True
    flux[blind] = sigma[blind] = np.nan
    quality[blind] = 1
    big_flux, big_sigma = flux.astype(">f4"), sigma.astype(">f4")
    flags = quality.astype(">i4")
    electrons = np.float32(star.snr**2)
    arrays = (
        vacuum, big_flux, big_sigma, flags, (flux / sigma).astype(">f4"), air, (flux * electrons).astype(">f4"),
        (sigma * electrons).astype(">f4"), flags, big_flux, big_sigma, flags,
    )  # fmt: skip
    changes: dict[str, Value] = {
        "ESO QC BERV": round(float(rng.uniform(-29.0, 29.0)), 9),
        "ESO QC BJD": round(mjd(draw.moment(setup.since)) + 2400000.502, 8),
        "ESO QC CCF RV": star.velocity,
    }
    return write_product(draw, setup, headers(), star, arrays, changes)


def _flag_runs(
    rng: np.random.Generator, length: int, fraction: float, run: int, codes: tuple[int, ...]
) -> npt.NDArray[np.int32]:
    """Return flags in runs of up to `run` pixels that cover about `fraction` of the spectrum."""
    flags = np.zeros(length, np.int32)
    # Runs overlap, so that more are needed than would fit side by side.
    count = max(1, round(-np.log1p(-fraction) * length / (run / 2.0 + 0.5)))
    starts = rng.integers(0, length, count)
    sizes = rng.integers(1, run + 1, count)
    values = rng.choice(np.array(codes, np.int32), count)
    # Written offset by offset: a Python loop over runs would cost more than the spectrum.
    for offset in range(run):
        longer = sizes > offset
        flags[np.minimum(starts[longer] + offset, length - 1)] = values[longer]
    return flags


@lru_cache(maxsize=2)
def _grid(
    start: float, step: float, full: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    wave = np.asarray(start * np.exp(step * np.arange(full)), np.float64)
    return wave, wave.astype(">f8"), air_wavelength(wave).astype(">f8")


_VELOCITY_QC = """
ESO QC BERV = -12.345678901 / [km/s] Barycentric correction
ESO QC BJD = 2458849.50000000 / Barycentric Julian date
ESO QC CCF RV = 0.0 / [km/s] Radial velocity
ESO QC CCF RV ERROR = 0.0005 / [km/s] Uncertainty on radial velocity
ESO QC CCF FWHM = 8.1 / [km/s] CCF FWHM
ESO QC CCF CONTRAST = 55.2 / CCF contrast
"""
_BARYCOR_QC = """
ESO QC DID = 'XSHOOTER-1.14' / ESO QC DID
ESO QC VRAD BARYCOR = -27.472006 / Barycentric radial velocity correction
ESO QC VRAD HELICOR = -27.477197 / Heliocentric radial velocity correction
"""


def _instrument_text(instrument: str, template_name: str, recipe: str, *extra: str) -> str:
    names = {"template": template_name, "instrument": instrument, "detector": f"{instrument.lower()} - CCD"}
    common = "".join((OBS_TPL, TEL, DET, INS)).format(**names)
    return "\n".join((common, device_cards(instrument, 12), sensor_cards(8, 6), recipe_cards(recipe, 8, 30), *extra))


@lru_cache(maxsize=1)
def _xshooter_headers() -> tuple[Header, Header]:
    return _XSHOOTER.headers(
        _instrument_text("XSHOOTER", "XSHOOTER_slt_obs_Stare", "xsh_scired_slit_stare", order_cards(15), _BARYCOR_QC)
    )


@lru_cache(maxsize=1)
def _espresso_headers() -> tuple[Header, Header]:
    orders = order_cards(170, ripple=False)
    return _ESPRESSO.headers(
        _instrument_text("ESPRESSO", "ESPRESSO_singleHR_obs", "espdr_sci_red", orders, _VELOCITY_QC)
    )


@lru_cache(maxsize=1)
def _nirps_headers() -> tuple[Header, Header]:
    orders = order_cards(71, ripple=False)
    return _NIRPS.headers(_instrument_text("NIRPS", "NIRPS_generic_obs", "espdr_sci_red", orders, _VELOCITY_QC))


@lru_cache(maxsize=2)
def _feros(with_errors: bool) -> tuple[Setup, tuple[Header, Header]]:
    setup = Setup(
        instrument="FEROS",
        telescope="MPI-2.2",
        software="fern/1.0",
        frame="BARYCENT",
        resolution=48000,
        vectors=_FEROS_VECTORS if with_errors else _FEROS_VECTORS[:2],
        origin="ESO-LASILLA",
    )
    drs = "ESO DRS BARYCORR = -12.345678 / Barycentric correction (km/s)\nESO DRS BJD = 2453000.5 / Barycentric JD"
    return setup, setup.headers(_instrument_text("FEROS", "FEROS_ech_obs_objsky", "feros_drs", drs))

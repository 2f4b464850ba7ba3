"""Writer of APOGEE apStar files: coadds and visits of one star, at rest."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.apogee_layout import (
    IMAGE_WCS,
    LSF,
    PIXELS,
    STAR_HEAD,
    STAR_TAIL,
    STAR_UNITS,
    VISIT,
    idl_table_text,
    velocity_columns,
)
from spectral_zarr.readers.samples.cards import (
    Header,
    Part,
    Value,
    big_endian,
    empty_rows,
    image_text,
    padding,
    set_text,
)
from spectral_zarr.readers.samples.draw import Draw, Sample, Star, mjd, sexagesimal, stamp
from spectral_zarr.readers.samples.spectra import observe, stellar_flux, template

_STEP = 6e-6
_START = 4.179
_NO_ERROR = np.float32(1e10)
_STAR_WINDOWS = ((206, 3307), (3545, 6114), (6301, 8367))
# The Gauss-Hermite description of the line spread function: orders first, then polynomial coefficients.
_LSF = np.array([
    1, 4287, 5, 1, 1, 1, 1, 1, 0, 1.87, -2.9e-5, -1.4e-2, -1.6e-7, -0.28, 1.5e-5, 8.7e-2, -7.5e-6, 0.34, -1.6e-5,
    -5.8e-2, 1, 2, 0, 0, 0.01, 0.06,
])  # fmt: skip
_IMAGE_TYPES = (">f4", ">f4", ">i2", ">f4", ">f4", ">f4", ">f4")


def write_apstar(draw: Draw) -> Sample:
    """Write one apStar file; its fixed grid of 8575 pixels ignores `n_pix`, one file in four has one visit."""
    star = draw.star(faint=40.0, bright=250.0)
    visits = 1 if draw.index % 4 == 2 else int(draw.rng.integers(2, 6))
    name = f"2M{sexagesimal(star)}"
    began = [draw.moment(2013) + timedelta(days=11 * n) for n in range(visits)]
    corrections = draw.rng.uniform(-28.0, 28.0, visits)
    velocities = star.velocity + draw.rng.normal(0.0, 0.3, visits)
    fibers = [1 + (draw.index * 7 + 6 * n) % 300 for n in range(visits)]
    plate = 4400 + draw.index % 5000
    files = [f"apVisit-r6-{plate}-{int(mjd(t))}-{f:03d}.fits" for t, f in zip(began, fibers, strict=True)]
    primary, images, lsf, table = _star_headers(visits)
    changes: dict[str, Value] = {
        **star_cards(draw, star, visits),
        "OBJID": name,
        "VERR": round(0.3 / star.snr**0.5, 6),
        "MEANFIB": float(np.mean(fibers)),
        "RVTEFF": round(star.teff / 100.0) * 100.0,
        "RVLOGG": round(star.logg * 2.0) / 2.0,
        "RVFEH": round(star.feh * 2.0) / 2.0,
    }
    for n in range(visits):
        changes |= {
            f"SFILE{n + 1}": files[n],
            f"DATE{n + 1}": stamp(began[n]),
            f"JD{n + 1}": round(mjd(began[n]) + 2400000.5, 5),
            f"HJD{n + 1}": round(mjd(began[n]) + 0.004, 7),
            f"FIBER{n + 1}": fibers[n],
            f"BC{n + 1}": round(float(corrections[n]), 5),
            f"VRAD{n + 1}": round(float(velocities[n] - corrections[n]), 5),
            f"VHELIO{n + 1}": round(float(velocities[n]), 5),
            f"SNRVIS{n + 1}": round(star.snr / visits**0.5, 4),
        }
    parts: list[Part] = [primary.render(changes)]
    for header, dtype, image in zip(images, _IMAGE_TYPES, _star_images(draw, star, visits), strict=True):
        data = big_endian(image, dtype)
        parts += [header.render(), data, padding(len(data))]
    parts += [lsf.render(), big_endian(_LSF, ">f8"), padding(8 * _LSF.size)]
    row = _velocity_row(star, files, plate, began, fibers, velocities, corrections)
    parts += [table.render(), row.tobytes(), padding(row.nbytes)]
    return Sample(f"apStar-r6-{name}.fits", tuple(parts))


def star_cards(draw: Draw, star: Star, visits: int) -> dict[str, Value]:
    """Return the cards that the headers of apStar and aspcapStar share."""
    longitude = round((star.ra * 1.3 + 120.0) % 360.0, 9)
    return {
        "J": round(star.magnitude + 0.5, 3),
        "H": star.magnitude,
        "K": round(star.magnitude - 0.1, 3),
        "LOCID": 4000 + draw.index % 2000,
        "FIELD": f"{int(longitude):03d}{int(star.dec / 2.0):+03d}",
        "RA": star.ra,
        "DEC": star.dec,
        "GLON": longitude,
        "GLAT": round(star.dec / 2.0, 9),
        "NVISITS": visits,
        "VHELIO": star.velocity,
        "VSCATTER": 0.0 if visits == 1 else round(float(draw.rng.uniform(0.03, 0.5)), 6),
        "SNR": star.snr,
    }


def _star_images(draw: Draw, star: Star, visits: int) -> tuple[npt.NDArray[np.generic], ...]:
    rng = draw.rng
    rows = 1 if visits == 1 else visits + 2
    model = stellar_flux(_wavelength(), rest_depth(), star.teff, star.feh)
    level = np.float32(10.0 ** (0.4 * (15.0 - star.magnitude)))
    flux = np.empty((rows, PIXELS), np.float32)
    error = np.empty_like(flux)
    mask = np.zeros((rows, PIXELS), np.int16)
    for row in range(rows):
        coadd = row < 2
        flux[row], error[row] = observe(model, star.snr if coadd else star.snr / visits**0.5, rng)
    if rows > 1:
        # Both coadds hold the same photons and differ by the weights only.
        flux[1] = flux[0] + 0.1 * (flux[1] - flux[0])
    flux *= level
    error *= level
    airglow = _airglow()
    sky = rng.standard_normal((rows, PIXELS), np.float32) * (0.1 * airglow) + airglow
    error *= np.sqrt(1.0 + airglow / np.float32(50.0))
    sky_error = error * np.float32(0.7)
    telluric = np.broadcast_to(_telluric(), flux.shape).copy()
    telluric_error = np.full_like(flux, 0.002)
    mask[:, airglow > 100.0] = 1 << 12
    mask[:, _telluric() < 0.85] |= 1 << 13
    bad = rng.integers(0, PIXELS, 80)
    mask[:, bad] |= 1
    for row in range(rows):
        edges = rng.integers(0, 6, 6) if row > 1 else np.zeros(6, np.int64)
        windows = [
            (low + int(edges[2 * n]), high - int(edges[2 * n + 1])) for n, (low, high) in enumerate(_STAR_WINDOWS)
        ]
        gaps = outside(tuple(windows))
        flux[row, gaps], error[row, gaps] = 0.0, _NO_ERROR
        mask[row, gaps] = 16433
        sky_error[row, gaps] = np.nan if row == 0 else 0.0
        telluric[row, gaps] = telluric_error[row, gaps] = 0.0
    images = (flux, error, mask, sky, sky_error, telluric, telluric_error)
    return tuple(image[0] for image in images) if rows == 1 else images


def _velocity_row(
    star: Star,
    files: list[str],
    plate: int,
    began: list[datetime],
    fibers: list[int],
    velocities: npt.NDArray[np.float64],
    corrections: npt.NDArray[np.float64],
) -> npt.NDArray[np.void]:
    visits = len(files)
    row = empty_rows(velocity_columns(visits))
    days = np.array([mjd(moment) for moment in began])
    set_text(row, "FILE", "".join(file.ljust(30) for file in files))
    set_text(row, "PLATE", f"{plate:04d}" * visits)
    for column, values in {
        "FIBER": np.array(fibers), "MJD": np.floor(days), "JD": days + 2400000.5, "VREL": velocities - corrections,
        "VRELERR": np.full(visits, 0.1), "VHELIO": velocities, "BC": corrections, "SYNTHVHELIO": velocities,
        "SYNTHVREL": velocities - corrections, "SYNTHVRELERR": np.full(visits, 0.15),
    }.items():  # fmt: skip
        row[column] = values if visits > 1 else values[0]
    row["TEFF"], row["LOGG"], row["FEH"] = star.teff, star.logg, star.feh
    lag = np.arange(401.0) - 200.0
    peak = np.exp(-0.5 * np.square(lag / 4.0)).astype(np.float32)
    row["CCFLAG"], row["AUTOCF"], row["CCF"] = lag, peak, np.tile(0.8 * peak, row["CCF"].shape[1] // 401)
    row["CCFERR"] = 0.01
    row["CCFW0"], row["CCFDW"] = 15100.801541641493, _STEP
    return row


def outside(windows: tuple[tuple[int, int], ...]) -> npt.NDArray[np.bool_]:
    """Return the pixels that lie in none of the windows, between the detectors."""
    gaps = np.ones(PIXELS, np.bool_)
    for low, high in windows:
        gaps[low:high] = False
    return gaps


@lru_cache(maxsize=1)
def _wavelength() -> npt.NDArray[np.float64]:
    return np.asarray(10.0 ** (_START + _STEP * np.arange(PIXELS)), np.float64)


@lru_cache(maxsize=1)
def rest_depth() -> npt.NDArray[np.float32]:
    """Return the optical depth of a star at rest on the grid of the survey."""
    return template(15080.0, 17020.0, 22500.0, air=False).depth_at(_wavelength(), 0.0)


@lru_cache(maxsize=1)
def _airglow() -> npt.NDArray[np.float32]:
    rng = np.random.Generator(np.random.SFC64(1700))
    pixel = np.arange(PIXELS)
    sky = np.full(PIXELS, 12.0)
    for centre, height in zip(rng.uniform(0, PIXELS, 90), rng.exponential(900.0, 90), strict=True):
        sky += height * np.exp(-0.5 * np.square((pixel - centre) / 2.2))
    return sky.astype(np.float32)


@lru_cache(maxsize=1)
def _telluric() -> npt.NDArray[np.float32]:
    rng = np.random.Generator(np.random.SFC64(1600))
    pixel = np.arange(PIXELS)
    depth = np.full(PIXELS, 0.006)
    for centre, height in zip(rng.uniform(0, PIXELS, 160), rng.exponential(0.1, 160), strict=True):
        depth += height * np.exp(-0.5 * np.square((pixel - centre) / 3.0))
    return np.asarray(np.exp(-depth), np.float32)


@lru_cache(maxsize=8)
def _star_headers(visits: int) -> tuple[Header, tuple[Header, ...], Header, Header]:
    shape = (PIXELS,) if visits == 1 else (visits + 2, PIXELS)
    primary = Header(STAR_HEAD, *(VISIT.format(n=n + 1) for n in range(visits)), STAR_TAIL)
    images = tuple(
        Header(image_text(16 if dtype == ">i2" else -32, shape), IMAGE_WCS, f"BUNIT = '{unit}' /")
        for dtype, unit in zip(_IMAGE_TYPES, STAR_UNITS, strict=True)
    )
    dimensions = ""
    if visits > 1:
        dimensions = f"TDIM1 = '(30, {visits}) ' /\nTDIM3 = '(4, {visits})  ' /\n"
        dimensions += f"TDIM24 = '( 401, {visits + 2})' /\nTDIM25 = '( 401, {visits + 2})' /"
    return primary, images, Header(LSF), Header(idl_table_text(velocity_columns(visits), dimensions))

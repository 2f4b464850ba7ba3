"""Writer of APOGEE aspcapStar files: one normalised spectrum with the fitted model and parameters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.apogee import outside, rest_depth, star_cards
from spectral_zarr.readers.samples.apogee_layout import (
    ASPCAP_COLUMNS,
    ASPCAP_DIMENSIONS,
    ASPCAP_PRIMARY,
    IMAGE_WCS,
    PIXELS,
    idl_table_text,
)
from spectral_zarr.readers.samples.cards import Header, Part, big_endian, empty_rows, image_text, padding, set_text
from spectral_zarr.readers.samples.draw import Draw, Sample, Star, sexagesimal
from spectral_zarr.readers.samples.spectra import line_strength, observe

_WINDOWS = ((246, 3274), (3585, 6080), (6344, 8335))


def write_aspcapstar(draw: Draw) -> Sample:
    """Write one aspcapStar file; its fixed grid of 8575 pixels ignores `n_pix`."""
    star = draw.star(faint=40.0, bright=250.0)
    name = f"2M{sexagesimal(star)}"
    visits = 1 + draw.index % 6
    primary, image, table = _headers()
    model = np.exp(rest_depth() * np.float32(-line_strength(star.teff, star.feh)))
    flux, sigma = observe(model, star.snr, draw.rng)
    gaps = outside(_WINDOWS)
    for values in (flux, sigma, model):
        values[gaps] = 0.0
    parts: list[Part] = [primary.render({**star_cards(draw, star, visits), "OBJ": name})]
    for values in (flux, sigma, model):
        parts += [image.render(), big_endian(values, ">f4"), padding(4 * PIXELS)]
    row = _row(draw, star, name, visits)
    parts += [table.render(), row.tobytes(), padding(row.nbytes)]
    return Sample(f"aspcapStar-r6-l30e.2-{name}.fits", tuple(parts))


def _row(draw: Draw, star: Star, name: str, visits: int) -> npt.NDArray[np.void]:
    rng = draw.rng
    row = _blank_row().copy()
    set_text(row, "FILE", f"apStar-r6-{name}")
    set_text(row, "APOGEE_ID", name)
    row["RA"], row["DEC"] = star.ra, star.dec
    row["H"], row["SNR"], row["VHELIO"], row["NVISITS"] = star.magnitude, star.snr, star.velocity, visits
    fit = np.array([star.teff, star.logg, 1.3, star.feh, 0.02, 0.05, 0.03, 3.0, 0.0])
    row["FPARAM"] = fit
    # The calibrated parameters are missing where the calibration does not reach.
    calibrated = fit + rng.normal(0.0, 0.02, 9)
    if draw.index % 5 == 3:
        calibrated[[0, 1, 3, 4, 5, 6]] = -9999.0
    row["PARAM"] = calibrated
    row["PARAM_CHI2"] = rng.uniform(1.0, 30.0)
    row["PARAM_COV"] = row["FPARAM_COV"] = np.diag([400.0, 0.01, *[0.001] * 7]).ravel()
    elements = star.feh + rng.normal(0.0, 0.08, 26)
    row["FELEM"], row["FELEM_ERR"] = elements, 0.03
    row["ELEM"] = row["X_H"] = elements if draw.index % 5 != 3 else -9999.0
    row["X_M"] = elements - star.feh
    row["ELEM_ERR"] = row["X_H_ERR"] = row["X_M_ERR"] = 0.05
    row["ELEM_CHI2"] = rng.uniform(0.5, 30.0, 26)
    return row


@lru_cache(maxsize=1)
def _blank_row() -> npt.NDArray[np.void]:
    row = empty_rows(ASPCAP_COLUMNS)
    texts = {"RED_VERS": "v3_31", "FIELD": "120-45", "AK_TARG_METHOD": "SFD", "TARGFLAGS": "APOGEE_SHORT"}
    for column, text in {**texts, "CLASS": "GKg", "FILTERFILE": "global.mask"}.items():
        set_text(row, column, text)
    row["LOCATION_ID"] = 4476
    row["AK_WISE"] = np.nan
    row["NDIM"] = row["NOV"] = 6
    row["NTHREADS"], row["BADFRAC"] = 16, 0.04
    row["INDV"] = row["INDINI"] = [1, 2, -1, 3, 4, 5, 6, -1, -1]
    row["FPARAM_CLASS"] = row["CHI2_CLASS"] = -9999.0
    return row


@lru_cache(maxsize=1)
def _headers() -> tuple[Header, Header, Header]:
    image = Header(image_text(-32, (PIXELS,)), IMAGE_WCS)
    return Header(ASPCAP_PRIMARY), image, Header(idl_table_text(ASPCAP_COLUMNS, ASPCAP_DIMENSIONS))

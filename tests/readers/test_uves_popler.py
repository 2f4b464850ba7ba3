"""UVES_popler images: rows by their labels, status as mask, pixels without data.

The files are written with astropy from the header that the program writes (UP_ARR01 to UP_ARR09).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.transforms import prepare

N_PIX = 90
LABELS = (
    "Normalized flux spectrum",
    "Normalized error",
    "Norm. expected fluctuation",
    "Continuum by which data are normalized",
    "Status",
    "NPIX before clip",
    "NPIX after clip",
    "chisq. before clip",
    "chisq. after clip",
)
START, STEP = 3.51672940407668, 3.62161104717198e-06


def rows() -> np.ndarray:
    data = np.zeros((9, N_PIX))
    data[0] = 1 + 0.1 * np.sin(np.arange(N_PIX))
    data[1], data[2], data[3], data[4] = 0.02, 0.025, 500.0, 1
    data[0, 20:23], data[1, 20:23], data[4, 20:23] = 1.0, -1.0, -2
    data[4, 40] = -1
    return data


def write(write_fits: Any, data: np.ndarray, *, labels: bool = True, **cards: Any) -> Path:
    hdu = fits.PrimaryHDU(data)
    usual = {"CRVAL1": START, "CD1_1": STEP, "CDELT1": STEP, "CRPIX1": 1, "CTYPE1": "LOGLIN", "DC-FLAG": 1}
    hdu.header.update({**usual, "OBJECT": "J010104-285801", "UP_NEXP": 12, "UP_TEXP": 54000.0, **cards})
    if labels:
        hdu.header.update({f"UP_ARR{i:02d}": label for i, label in enumerate(LABELS, 1)})
    else:
        hdu.header.add_history("UVES_popler: UVES POst Pipeline Echelle Reduction, by M. T. Murphy")
    return write_fits(hdu)


@pytest.mark.parametrize("labels", [True, False])
def test_the_rows_are_flux_error_and_status(write_fits: Any, read_one: Any, claimants: Any, labels: bool) -> None:
    path = write(write_fits, rows(), labels=labels)
    assert claimants(path) == ["uves-popler"]
    _, spectrum = read_one(path)
    ready = prepare(spectrum)
    nothing = np.arange(20, 23)
    expected = rows()[0].astype("f4")
    expected[nothing] = np.nan
    np.testing.assert_array_equal(ready.flux, expected)
    sigma = np.full(N_PIX, 0.02, "f4")
    sigma[[*nothing, 40]] = np.nan
    np.testing.assert_array_equal(ready.uncertainty, sigma)
    np.testing.assert_allclose(ready.grid.wavelength(), 10 ** (START + STEP * np.arange(N_PIX)), rtol=1e-13)
    assert ready.normalized is not None
    assert ready.continuum is None
    observation = spectrum.observation
    assert (spectrum.sampling.medium, observation.velocity_frame) == ("vacuum", "heliocentric")
    assert (observation.source_type, observation.exptime) == ("stacked", 54000.0)


def test_a_linear_axis_and_a_single_exposure(write_fits: Any, read_one: Any) -> None:
    cards = {"CRVAL1": 4000.0, "CD1_1": 0.05, "CDELT1": 0.05, "CTYPE1": "LINEAR", "DC-FLAG": 0, "UP_NEXP": 1}
    _, spectrum = read_one(write(write_fits, rows(), **cards))
    np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), 4000 + 0.05 * np.arange(N_PIX), rtol=1e-13)
    assert spectrum.observation.source_type == "observed"


def test_orders_of_the_program_are_refused(write_fits: Any, read_one: Any) -> None:
    path = write(write_fits, rows()[:4], labels=False, UP_ARR01="Wavelengths of pixel centres")
    with pytest.raises(RefusedProduct, match="wavelengths of pixel centres"):
        read_one(path)


def test_a_combined_spectrum_is_published(write_fits: Any, tmp_path: Path) -> None:
    path = write(write_fits, rows())
    ingest(IngestRequest((str(path),), str(tmp_path / "popler.zarr")), SerialExecutor())
    assert validate(str(tmp_path / "popler.zarr")).valid

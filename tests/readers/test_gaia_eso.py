"""GIRAFFE and Gaia-ESO spectra of the ESO archive, and the native images of the GIRAFFE pipeline.

The files are written with astropy from the ESO Science Data Products Standard and the release descriptions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import RefusedProduct, UnknownUnit
from spectral_zarr.transforms import prepare

N_PIX = 64
WAVE = np.linspace(848.0, 900.0, N_PIX)
FLUX = np.linspace(0.8, 1.1, N_PIX)
CARDS = {
    "PRODCATG": "SCIENCE.SPECTRUM",
    "INSTRUME": "GIRAFFE",
    "OBJECT": "06440032+0052227",
    "ARCFILE": "ADP.2016-05-02T10:00:00.123.fits",
    "SPECSYS": "HELIOCEN",
    "FLUXCAL": "UNCALIBRATED",
    "MJD-OBS": 55972.1,
    "SNR": 55.5,
}


def product(stem: str = "", *, case: Any = str, unit: str = "", **columns: Any) -> fits.BinTableHDU:
    """A one-row table; the column names carry the suffix of a pipeline product such as `_REDUCED`."""
    flux = "spec:Data.FluxAxis"
    roles = [
        ("WAVE", WAVE, "nm", "spec:Data.SpectralAxis.Value", "em.wl;obs.atmos"),
        (f"FLUX{stem}", FLUX, unit, f"{flux}.Value", "phot.flux.density;em.wl;src.net;meta.main"),
        (f"ERR{stem}", 0.01 * FLUX, unit, f"{flux}.Accurancy.StatError", "stat.error;phot.flux.density;meta.main"),
        *columns.values(),
    ]
    made = [fits.Column(case(name), f"{N_PIX}E", unit=one or None, array=a[None]) for name, a, one, *_ in roles]
    table = fits.BinTableHDU.from_columns(made, name="phase3spectrum")
    for i, (*_, utype, ucd) in enumerate(roles, 1):
        table.header[f"TUTYP{i}"], table.header[f"TUCD{i}"] = utype, ucd
    table.header["VOCLASS"] = "SPECTRUM V1.0"
    return table


@pytest.mark.parametrize("case", [str, str.lower])
def test_a_gaia_eso_spectrum_is_named_by_its_cname(write_fits: Any, read_one: Any, claimants: Any, case: Any) -> None:
    path = write_fits(product(case=case), **CARDS)
    assert claimants(path) == ["eso-sdp"]
    _, spectrum = read_one(path)
    ready = prepare(spectrum)
    np.testing.assert_allclose(ready.wavelength, 10 * WAVE.astype("f4").astype("f8"), rtol=1e-13)
    np.testing.assert_array_equal(ready.flux, FLUX.astype("f4"))
    np.testing.assert_array_equal(ready.uncertainty, (0.01 * FLUX).astype("f4"))
    observation = spectrum.observation
    assert (observation.object, observation.object_id) == ("06440032+0052227", "06440032+0052227")
    assert (spectrum.sampling.medium, observation.velocity_frame) == ("air", "heliocentric")
    assert (spectrum.spec_id, ready.flux_unit) == ("ADP.2016-05-02T10:00:00.123", "dimensionless")
    assert not spectrum.normalized_product


def test_a_normalised_spectrum_says_so(write_fits: Any, read_one: Any) -> None:
    _, spectrum = read_one(write_fits(product(), **CARDS, CONTNORM=True))
    assert spectrum.normalized_product
    assert spectrum.observation.flux_calibration == "normalized"


def test_the_reduced_flux_of_giraffe_has_its_own_error(write_fits: Any, read_one: Any) -> None:
    _, spectrum = read_one(write_fits(product("_REDUCED", unit="adu"), **{**CARDS, "OBJECT": "NGC 104"}))
    np.testing.assert_array_equal(spectrum.noise, (0.01 * FLUX).astype("f4"))
    assert (spectrum.flux_unit, spectrum.observation.object_id) == ("adu", "")


def test_a_calibrated_flux_without_unit_is_refused(write_fits: Any, read_one: Any) -> None:
    _, spectrum = read_one(write_fits(product(), **{**CARDS, "FLUXCAL": "ABSOLUTE"}))
    with pytest.raises(UnknownUnit):
        prepare(spectrum)


def test_native_images_of_all_fibres_are_refused(write_fits: Any, read_one: Any) -> None:
    image = fits.PrimaryHDU(np.ones((130, N_PIX), np.float32))
    cards = {"INSTRUME": "GIRAFFE", "ESO__PRO__CATG": "SCIENCE_RBNSPECTRA"}
    with pytest.raises(RefusedProduct, match="GIRAFFE pipeline image"):
        read_one(write_fits(image, **cards))


def test_gaia_eso_spectra_are_published(write_fits: Any, tmp_path: Path) -> None:
    path = write_fits(product(), **CARDS)
    ingest(IngestRequest((str(path),), str(tmp_path / "ges.zarr")), SerialExecutor())
    assert validate(str(tmp_path / "ges.zarr")).valid

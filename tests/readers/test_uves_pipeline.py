"""UVES pipeline images: the target from its own card, the frame topocentric, other categories refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.errors import RefusedProduct
from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare

CATEGORY = "ESO__PRO__CATG"


@pytest.fixture
def merged(write_fits: Any) -> Any:
    def write(shape: tuple[int, ...] = (40,), **cards: Any) -> Path:
        hdu = fits.PrimaryHDU(np.ones(shape, np.float32))
        usual = {"INSTRUME": "UVES", "CRVAL1": 3732.0, "CDELT1": 0.03, "CRPIX1": 1.0, "CTYPE1": "WAVELENGTH [Ang]"}
        return write_fits(hdu, **{**usual, CATEGORY: "RED_SCI_POINT_BLUE", **cards})

    return write


class TestRealFiles:
    @pytest.mark.parametrize("stem", ["r.UVES.2011-08-11T232352.266-A01_0000", "r.UVES.2011-08-12T232000.666-A01_0000"])
    def test_every_value_agrees_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any, stem: str
    ) -> None:
        path = real_files / "eso-pipeline" / f"{stem}.fits"
        hdu = reference(path)[0]
        assert claimants(path) == ["uves-pipeline"]
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, hdu.data)
        expected = hdu.header["CRVAL1"] + hdu.header["CDELT1"] * np.arange(hdu.data.size)
        np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), expected, rtol=1e-14)
        assert (spectrum.flux_unit, spectrum.sampling.unit, spectrum.sampling.medium) == ("ADU", "Ang", "air")
        observation = spectrum.observation
        assert observation.object == "MN-Lup"
        assert observation.velocity_frame == "topocentric"
        assert observation.berv == hdu.header["ESO QC VRAD BARYCOR"]
        assert np.isnan(observation.rv_applied)
        assert observation.date_obs == hdu.header["DATE-OBS"]


class TestMadeFiles:
    def test_generated_files_agree_with_astropy(
        self, tmp_path: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        for path in write_samples(tmp_path, "uves-pipeline", 2, n_pix=500):
            hdu = reference(path)[0]
            assert claimants(path) == ["uves-pipeline"]
            _, spectrum = read_one(path)
            np.testing.assert_array_equal(spectrum.flux, hdu.data)
            assert prepare(spectrum).grid.start == hdu.header["CRVAL1"]
            assert spectrum.observation.object == hdu.header["ESO OBS TARG NAME"]

    def test_a_header_that_names_another_frame_is_believed(self, merged: Any, read_one: Any) -> None:
        assert read_one(merged(SPECSYS="BARYCENT"))[1].observation.velocity_frame == "barycentric"

    def test_a_calibrated_product_has_the_unit_of_its_header(self, merged: Any, read_one: Any) -> None:
        unit = "10**(-16)erg.cm**(-2).s**(-1).angstrom**(-1)"
        _, spectrum = read_one(merged(BUNIT=unit, **{CATEGORY: "FLUXCAL_SCI_POINT_BLUE"}))
        assert (spectrum.flux_unit, spectrum.observation.flux_calibration) == (unit, "absolute")

    @pytest.mark.parametrize("category", ["ERRORBAR_SCI_POINT_BLUE", "FLUXCAL_ERRORBAR_SCI_POINT", "MERGED_SKY_SCI"])
    def test_errors_and_skies_are_refused(self, merged: Any, read_one: Any, category: str) -> None:
        with pytest.raises(RefusedProduct, match=category):
            read_one(merged(**{CATEGORY: category}))

    def test_unmerged_orders_are_refused(self, merged: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="30x40"):
            read_one(merged((30, 40)))

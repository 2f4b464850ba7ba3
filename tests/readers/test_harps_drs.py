"""HARPS and HARPS-N s1d images, and the refusal of what lies beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.errors import RefusedProduct
from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare

REAL = ("HARPS.2006-09-08T02:12:38.604_s1d_A.fits", "HARPS.2010-09-18T23:42:36.178_s1d_A.fits")
S1D = {"INSTRUME": "HARPS", "ESO__DRS__VERSION": "HARPS_3.5", "ESO__DRS__BERV": -13.25}


@pytest.fixture
def s1d(write_fits: Any) -> Any:
    def write(values: Any = None, axis: str = "Angstrom", **cards: Any) -> Path:
        hdu = fits.PrimaryHDU(np.ones(50, np.float32) if values is None else values)
        usual = {"CRVAL1": 3781.37, "CDELT1": 0.01, "CTYPE1": axis, "BUNIT": "Relative Flux"}
        return write_fits(hdu, **{**usual, **S1D, **cards})

    return write


class TestRealFiles:
    @pytest.mark.parametrize("name", REAL)
    def test_every_value_agrees_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any, name: str
    ) -> None:
        path = real_files / "harps-drs" / name
        hdu = reference(path)[0]
        assert claimants(path) == ["harps-s1d"]
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, hdu.data)
        assert spectrum.flux_unit == "Relative Flux"
        assert spectrum.noise is None
        grid = prepare(spectrum).grid
        expected = hdu.header["CRVAL1"] + hdu.header["CDELT1"] * np.arange(hdu.data.size)
        np.testing.assert_allclose(grid.wavelength(), expected, rtol=0, atol=1e-7)
        assert grid.first == round(hdu.header["CRVAL1"] / 0.01)
        observation = spectrum.observation
        assert (spectrum.sampling.medium, observation.velocity_frame) == ("air", "barycentric")
        assert observation.rv_applied == observation.berv == hdu.header["ESO DRS BERV"]
        assert observation.date_obs == hdu.header["DATE-OBS"]
        assert observation.program_id == hdu.header["ESO OBS PROG ID"]

    def test_the_gap_between_the_detectors_is_blank(self, real_files: Path, read_one: Any) -> None:
        ready = prepare(read_one(real_files / "harps-drs" / REAL[0])[1])
        wavelength = ready.grid.wavelength()
        assert np.isnan(ready.flux[(wavelength > 5310) & (wavelength < 5330)]).all()

    def test_a_cross_correlation_function_is_refused(self, real_files: Path, read_one: Any) -> None:
        (path,) = (real_files / "not-a-spectrum").iterdir()
        with pytest.raises(RefusedProduct, match="km/s"):
            read_one(path)


class TestMadeFiles:
    def test_generated_files_agree_with_astropy(
        self, tmp_path: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        for path in write_samples(tmp_path, "harps-s1d", 2, n_pix=500):
            hdu = reference(path)[0]
            assert claimants(path) == ["harps-s1d"]
            _, spectrum = read_one(path)
            np.testing.assert_array_equal(spectrum.flux, hdu.data)
            expected = hdu.header["CRVAL1"] + 0.01 * np.arange(hdu.data.size)
            np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), expected, rtol=0, atol=1e-7)

    def test_a_step_that_went_through_float32_still_lies_on_the_lattice(self, s1d: Any, read_one: Any) -> None:
        path = s1d(np.ones(313_120, np.float32), CDELT1=float(np.float32(0.01)))
        assert prepare(read_one(path)[1]).grid.first == 378137

    def test_harps_n_has_its_own_observatory_cards(self, write_fits: Any, read_one: Any) -> None:
        hdu = fits.PrimaryHDU(np.ones(50, np.float32))
        cards = {"INSTRUME": "HARPN", "TNG__DRS__VERSION": "HARPN_3.7", "TNG__DRS__BERV": 21.5, "CTYPE1": "Angstrom"}
        name, spectrum = read_one(write_fits(hdu, CRVAL1=3870.0, CDELT1=0.01, **cards))
        assert name == "harps-s1d"
        assert (spectrum.observation.instrument, spectrum.observation.berv) == ("HARPN", 21.5)
        assert spectrum.header[0, "TNG DRS BERV", 1] == "21.5"

    def test_a_repeated_axis_card_with_another_text_is_accepted(self, s1d: Any, read_one: Any) -> None:
        path = s1d()
        raw = bytearray(path.read_bytes())
        # The card that astropy would not write twice takes the place of one that is not needed.
        card = raw.index(b"BUNIT   =")
        raw[card : card + 80] = b"CTYPE1  = 'Pixel   '".ljust(80)
        path.write_bytes(raw)
        assert read_one(path)[0] == "harps-s1d"

    def test_unmerged_orders_are_refused(self, s1d: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="72 echelle orders"):
            read_one(s1d(np.ones((72, 40), np.float32), axis="pixel"))

    def test_a_one_dimensional_correlation_is_refused(self, s1d: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="cross-correlation"):
            read_one(s1d(axis="km/s"))

    def test_a_line_without_wavelength_axis_is_refused(self, s1d: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="CTYPE1"):
            read_one(s1d(axis="pixel"))

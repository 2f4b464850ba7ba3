"""ELODIE archive images: noise from its HDU, wavelengths in tenths of a nanometre, correlations refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.errors import RefusedProduct
from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare

WCS = {"CRVAL1": 4000.0, "CDELT1": 0.05, "CTYPE1": "AWAV", "CUNIT1": "0.1 nm", "BUNIT": "instrumental"}


def s1d(**cards: Any) -> list[Any]:
    intensity = fits.PrimaryHDU(np.arange(1.0, 31.0, dtype=np.float32))
    intensity.header.update({**WCS, **cards})
    noise = fits.ImageHDU(np.full(30, 0.1, np.float32), name="NOISE")
    return [intensity, fits.ImageHDU(np.full(30, 2.0, np.float32), name="FCANOR"), noise]


class TestMadeFiles:
    def test_a_file_without_instrument_is_known_by_its_hdus(self, write_fits: Any, read_one: Any) -> None:
        name, spectrum = read_one(write_fits(*s1d()))
        assert name == "elodie-s1d"
        np.testing.assert_array_equal(spectrum.noise, np.full(30, 0.1, np.float32))
        ready = prepare(spectrum)
        assert (ready.grid.start, ready.grid.step, ready.flux_unit) == (4000.0, 0.05, "dimensionless")

    def test_sexagesimal_right_ascension_is_in_hours(self, write_fits: Any, read_one: Any) -> None:
        observation = read_one(write_fits(*s1d(ALPHA="12 30 00", DELTA="-10 30 00")))[1].observation
        assert (observation.ra, observation.dec) == (187.5, -10.5)

    def test_a_number_for_right_ascension_may_be_hours_and_is_left_out(self, write_fits: Any, read_one: Any) -> None:
        observation = read_one(write_fits(*s1d(ALPHA=12.5, DELTA=-10.5)))[1].observation
        assert np.isnan(observation.ra)
        assert observation.dec == -10.5

    def test_a_cross_correlation_function_is_refused(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="cross-correlation"):
            read_one(write_fits(*s1d(IMATYP="COR", INSTRUME="ELODIE")))

    def test_generated_files_agree_with_astropy(
        self, tmp_path: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        for path in write_samples(tmp_path, "elodie", 2):
            hdus = reference(path)
            assert claimants(path) == ["elodie-s1d"]
            _, spectrum = read_one(path)
            np.testing.assert_array_equal(spectrum.flux, hdus[0].data)
            np.testing.assert_array_equal(spectrum.noise, hdus["NOISE"].data)
            header, observation = hdus[0].header, spectrum.observation
            expected = header["CRVAL1"] + header["CDELT1"] * np.arange(hdus[0].data.size)
            np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), expected, rtol=1e-12)
            assert (spectrum.sampling.medium, observation.velocity_frame) == ("air", "topocentric")
            assert (observation.snr, observation.snr_method) == (header["SN"], "header:SN")
            assert observation.date_obs == header["DATE-OBS"]

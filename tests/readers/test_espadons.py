"""CFHT ESPaDOnS matrices, whose groups are never mixed, and PolarBase tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.errors import BadWavelength, RefusedProduct
from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare

N_PIX = 200
WAVE = np.linspace(500.0, 510.0, N_PIX)


def groups(height: int, count: int, shifts: Any = (0.001, 0.002, 0.0, 0.0)) -> np.ndarray:
    matrix = np.zeros((height * count, N_PIX), np.float32)
    for group in range(count):
        rows = matrix[group * height : (group + 1) * height]
        rows[:] = 1000 * (group + 1) + np.arange(height)[:, None]
        rows[0] = WAVE + shifts[group]
    return matrix


@pytest.fixture
def matrix(write_fits: Any) -> Any:
    def write(values: Any, **cards: Any) -> Path:
        return write_fits(fits.PrimaryHDU(np.asarray(values, np.float32)), **{"INSTRUME": "ESPaDOnS", **cards})

    return write


class TestMatrix:
    def test_the_flux_is_the_last_group(self, matrix: Any, read_one: Any) -> None:
        _, spectrum = read_one(matrix(groups(3, 4)))
        assert (spectrum.flux[0], spectrum.noise[0], spectrum.row) == (4001, 4002, 10)
        np.testing.assert_array_equal(spectrum.sampling.values, np.float32(WAVE))
        assert (spectrum.sampling.unit, spectrum.sampling.medium) == ("nm", "air")

    def test_the_normalised_flux_has_the_same_wavelengths(self, matrix: Any, read_one: Any) -> None:
        _, spectrum = read_one(matrix(groups(3, 4)))
        assert (spectrum.normalized[0], spectrum.normalized_sigma[0]) == (3001, 3002)

    def test_other_wavelengths_of_the_normalised_group_leave_it_out(self, matrix: Any, read_one: Any) -> None:
        assert read_one(matrix(groups(3, 4, (0.0, 0.0, 0.001, 0.0))))[1].normalized is None

    def test_groups_that_are_filled_differently_still_match(self, matrix: Any, read_one: Any) -> None:
        values = groups(3, 4)
        values[6:9, :5] = 0
        values[9:12, -3:] = 0
        ready = prepare(read_one(matrix(values))[1])
        assert ready.flux.size == N_PIX - 3
        np.testing.assert_array_equal(np.isnan(ready.normalized), np.arange(N_PIX - 3) < 5)
        assert np.isfinite(ready.flux).all()

    def test_a_polarisation_sequence_has_the_error_in_the_sixth_row(self, matrix: Any, read_one: Any) -> None:
        path = matrix(groups(6, 4), DATE_dash_OB1="2011-03-22", UTIME1="10:03:39.60")
        _, spectrum = read_one(path)
        assert (spectrum.flux[0], spectrum.noise[0], spectrum.row) == (4001, 4005, 19)
        assert (spectrum.normalized[0], spectrum.normalized_sigma[0]) == (3001, 3005)
        assert spectrum.observation.date_obs == "2011-03-22T10:03:39.60"

    def test_two_groups_are_normalised_and_unnormalised(self, matrix: Any, read_one: Any) -> None:
        _, spectrum = read_one(matrix(groups(3, 2, (0.0, 0.0))))
        assert (spectrum.flux[0], spectrum.normalized[0]) == (2001, 1001)

    def test_one_group_is_a_normalised_product(self, matrix: Any, read_one: Any) -> None:
        _, spectrum = read_one(matrix(groups(3, 1)))
        assert spectrum.normalized_product
        assert spectrum.flux[0] == 1001

    def test_the_comments_identify_a_file_without_instrument(self, write_fits: Any, read_one: Any) -> None:
        hdu = fits.PrimaryHDU(groups(3, 4))
        hdu.header.add_comment("Upena processing")
        name, spectrum = read_one(write_fits(hdu))
        assert (name, spectrum.observation.instrument) == ("espadons-cfht", "ESPaDOnS")

    def test_overlapping_orders_are_refused(self, matrix: Any, read_one: Any) -> None:
        values = groups(3, 4)
        values[9, 100:] -= 0.5
        with pytest.raises(BadWavelength, match="orders overlap"):
            prepare(read_one(matrix(values))[1])

    def test_a_raw_frame_is_refused(self, matrix: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="not a reduced spectrum"):
            read_one(matrix(np.ones((100, 80))))

    def test_generated_files_agree_with_astropy(
        self, tmp_path: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        for path in write_samples(tmp_path, "espadons", 2, n_pix=400):
            hdu = reference(path)[0]
            assert claimants(path) == ["espadons-cfht"]
            _, spectrum = read_one(path)
            np.testing.assert_array_equal(spectrum.flux, hdu.data[10])
            np.testing.assert_array_equal(spectrum.noise, hdu.data[11])
            np.testing.assert_array_equal(spectrum.sampling.values, hdu.data[9])
            assert spectrum.observation.date_obs == f"{hdu.header['DATE-OBS']}T{hdu.header['UTC-OBS']}"
            assert np.isfinite(prepare(spectrum).flux).all()


class TestPolarBase:
    def table(self, flux: str) -> fits.BinTableHDU:
        columns = [
            fits.Column("AWAV", "E", unit="1 nm", array=WAVE),
            fits.Column(flux, "E", unit="1.E-26 jy", array=np.ones(N_PIX)),
            fits.Column("FLUX_ERR", "E", unit="c", array=np.full(N_PIX, 0.01)),
        ]
        return fits.BinTableHDU.from_columns(columns)

    def test_a_normalised_flux_is_a_normalised_product(self, write_fits: Any, read_one: Any) -> None:
        name, spectrum = read_one(write_fits(self.table("FLUX_NOR"), INSTRUME="NARVAL"))
        assert (name, spectrum.normalized_product) == ("polarbase", True)
        assert (spectrum.sampling.unit, spectrum.sampling.medium) == ("1 nm", "air")
        assert spectrum.observation.velocity_frame == "heliocentric"

    def test_an_unnormalised_flux_is_relative_whatever_its_unit_says(self, write_fits: Any, read_one: Any) -> None:
        _, spectrum = read_one(write_fits(self.table("FLUX"), INSTRUME="NARVAL"))
        assert (spectrum.normalized_product, spectrum.flux_unit) == (False, "Relative Flux")

    def test_generated_files_agree_with_astropy(
        self, tmp_path: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        for path in write_samples(tmp_path, "narval", 2, n_pix=400):
            hdus = reference(path)
            assert claimants(path) == ["polarbase"]
            _, spectrum = read_one(path)
            np.testing.assert_array_equal(spectrum.flux, hdus[1].data["FLUX_NOR"])
            np.testing.assert_array_equal(spectrum.noise, hdus[1].data["FLUX_ERR"])
            np.testing.assert_array_equal(spectrum.sampling.values, hdus[1].data["AWAV"])
            assert spectrum.observation.instrument == "NARVAL"
            prepare(spectrum)

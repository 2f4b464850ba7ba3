"""GALAH: real files of release 4 pixel by pixel, and release 3 as files with the layout of its documentation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import BadWavelength, MissingField, RefusedProduct
from spectral_zarr.transforms import prepare

from .galah_files import WINDOWS, release_3

STAR = "210115000101001"


class TestRealFiles:
    @pytest.fixture
    def arms(self, real_files: Path) -> list[Path]:
        return [real_files / "galah-dr4" / f"{STAR}{ccd}.fits" for ccd in (1, 2, 3, 4)]

    def test_the_four_arms_are_one_row_as_astropy_reads_them(
        self, arms: list[Path], read_one: Any, reference: Any, claimants: Any
    ) -> None:
        files = [reference(path) for path in arms]
        name, spectrum = read_one(arms[0])
        assert name == "galah" and claimants(arms[0]) == claimants(arms[3]) == ["galah"]
        wavelength = [f[0].header["CRVAL1"] + f[0].header["CDELT1"] * np.arange(4096) for f in files]
        np.testing.assert_allclose(spectrum.sampling.values, np.concatenate(wavelength), rtol=1e-15)
        for given, hdu in ((spectrum.flux, 0), (spectrum.normalized, 1), (spectrum.noise, 2)):
            np.testing.assert_array_equal(given, np.concatenate([f[hdu].data for f in files]))
        assert (spectrum.sampling.medium, spectrum.noise_kind, spectrum.flux_unit) == ("air", "relative", "counts")

    def test_the_sigma_is_the_relative_error_times_the_flux_where_it_is_positive(
        self, arms: list[Path], read_one: Any, reference: Any
    ) -> None:
        files = [reference(path) for path in arms]
        flux, normalized, relative = (np.concatenate([f[hdu].data for f in files]) for hdu in (0, 1, 2))
        prepared = prepare(read_one(arms[0])[1])
        with np.errstate(invalid="ignore"):
            expected = np.where(relative > 0, np.abs(flux) * relative, np.nan)
            of_normalized = np.where(relative > 0, np.abs(normalized) * relative, np.nan)
        assert np.isnan(expected).sum() == 10
        np.testing.assert_array_equal(prepared.uncertainty, expected.astype("f4"))
        np.testing.assert_array_equal(prepared.normalized_uncertainty, of_normalized.astype("f4"))
        np.testing.assert_array_equal(prepared.normalized, normalized.astype("f4"))
        assert prepared.flux_unit == "ct"

    def test_facts_come_from_the_first_arm_and_the_signal_to_noise_ratio_from_the_second(
        self, arms: list[Path], read_one: Any, reference: Any
    ) -> None:
        first, second = reference(arms[0])[0].header, reference(arms[1])[0].header
        spectrum = read_one(arms[2])[1]
        observation = spectrum.observation
        assert spectrum.spec_id == STAR
        assert (observation.gaia_id, observation.gaia_dr) == ("3335074476514836608", "EDR3")
        assert (observation.date_obs, observation.mjd) == ("2021-01-15T10:44:28.919", first["UTMJD_S"])
        assert (observation.snr, observation.snr_method) == (second["SNR"], "header:SNR")
        assert (observation.ra, observation.dec) == (first["RA_ICRS"], first["DEC_ICRS"])
        assert (observation.exptime, observation.airmass) == (5400.0, first["AIRMASS"])
        assert (observation.berv, observation.velocity_frame) == (first["BARYEFF"], "barycentric")
        assert (observation.object_id, observation.object) == ("05505952+0759226", "gaiadr2_3335074476514836608")
        assert (observation.arm_merge, observation.source_type) == ("concatenated", "observed")
        assert observation.resolving_power == 28_000

    def test_the_first_guess_of_parameters_stays_header_text_and_none_is_missing(
        self, arms: list[Path], read_one: Any, reference: Any
    ) -> None:
        spectrum = read_one(arms[0])[1]
        assert not spectrum.params
        assert spectrum.header[0, "TEFF_R", 1] == repr(reference(arms[0])[0].header["TEFF_R"])
        assert spectrum.header[0, "GALAH_ID", 1] == ""
        assert not any(keyword.startswith(("BRD", "CAM", "COMB")) for _, keyword, _ in spectrum.header)

    def test_a_file_of_release_4_without_its_last_hdus_is_not_taken_for_an_older_one(
        self, arms: list[Path], tmp_path: Path, read_one: Any, reference: Any
    ) -> None:
        hdus = reference(arms[0])
        fits.HDUList(list(hdus[:5])).writeto(tmp_path / arms[0].name)
        spectrum = read_one(tmp_path / arms[0].name)[1]
        np.testing.assert_array_equal(spectrum.noise, hdus[2].data)
        np.testing.assert_array_equal(spectrum.normalized, hdus[1].data)

    @pytest.mark.parametrize("present", [(1,), (2, 3, 4), (1, 2, 4)])
    def test_a_missing_arm_is_left_out(
        self, arms: list[Path], tmp_path: Path, read_one: Any, reference: Any, present: tuple[int, ...]
    ) -> None:
        for ccd in present:
            shutil.copy(arms[ccd - 1], tmp_path)
        spectrum = read_one(tmp_path / arms[present[0] - 1].name)[1]
        flux = np.concatenate([reference(arms[ccd - 1])[0].data for ccd in present])
        np.testing.assert_array_equal(spectrum.flux, flux)
        assert spectrum.spec_id == STAR
        assert spectrum.observation.arm_merge == ("concatenated" if len(present) > 1 else "")

    def test_an_ingest_publishes_a_valid_store(self, arms: list[Path], tmp_path: Path, reference: Any) -> None:
        outcome = ingest(IngestRequest((str(arms[0].parent),), str(tmp_path / "x.zarr")), SerialExecutor())
        assert outcome.plan.n_spec == 1
        assert validate(tmp_path / "x.zarr").valid
        store = zarr.open_group(tmp_path / "x.zarr", mode="r")
        for path, start in zip(arms, range(0, 16384, 4096), strict=True):
            flux = store["signal/flux_raw"][0, start : start + 4096]
            np.testing.assert_array_equal(flux, reference(path)[0].data.astype("f4"))
            normalized = store["representations/normalized_flux"][0, start : start + 4096]
            np.testing.assert_array_equal(normalized, reference(path)[1].data.astype("f4"))
        assert store["metadata/source_file"][0] == arms[0].name
        assert store["metadata/source_companions"][0] == "|".join(path.name for path in arms[1:])


class TestRelease3:
    @pytest.mark.parametrize("first_pixel", [0.0, 1.0])
    def test_crval1_is_the_first_pixel_and_the_shifted_normalised_flux_is_left_out(
        self, tmp_path: Path, read_one: Any, claimants: Any, reference: Any, first_pixel: float
    ) -> None:
        paths = [release_3(tmp_path, ccd, first_pixel=first_pixel) for ccd in (1, 2, 3, 4)]
        name, spectrum = read_one(paths[0])
        assert name == "galah" and claimants(paths[0]) == ["galah"]
        wavelength = np.concatenate([start + step * np.arange(400) for start, step in WINDOWS])
        np.testing.assert_allclose(spectrum.sampling.values, wavelength, rtol=1e-15)
        np.testing.assert_array_equal(spectrum.flux, np.concatenate([reference(path)[0].data for path in paths]))
        np.testing.assert_array_equal(spectrum.noise, np.concatenate([reference(path)[1].data for path in paths]))
        assert spectrum.normalized is None and spectrum.normalized_sigma is None
        assert spectrum.spec_id == "170418003701205"
        assert np.isnan(prepare(spectrum).uncertainty[[3, 7, 403, 407]]).all()

    def test_texts_that_say_none_are_missing(self, tmp_path: Path, read_one: Any) -> None:
        spectrum = read_one(release_3(tmp_path, 2, BARYEFF="None"))[1]
        observation = spectrum.observation
        assert (observation.gaia_id, observation.gaia_dr) == ("", "")
        assert np.isnan(observation.berv) and np.isnan(observation.ra)
        assert spectrum.header[0, "RVCOM", 1] == ""
        assert observation.date_obs == "2017-04-18T15:00:00.000"

    def test_a_file_without_normalised_flux_and_under_another_name_is_read(self, tmp_path: Path, read_one: Any) -> None:
        path = release_3(tmp_path, 4, n_hdus=4)
        spectrum = read_one(path.rename(tmp_path / "my star.fits"))[1]
        assert (spectrum.spec_id, spectrum.observation.arm_merge, spectrum.flux.size) == ("", "", 400)
        assert (spectrum.observation.snr, spectrum.observation.snr_method) == (44.0, "header:SNR")

    def test_without_the_second_arm_the_median_signal_to_noise_ratio_counts(
        self, tmp_path: Path, read_one: Any
    ) -> None:
        paths = [release_3(tmp_path, ccd) for ccd in (1, 3, 4)]
        assert read_one(paths[0])[1].observation.snr == 43.0

    def test_the_high_resolution_mode_has_no_nominal_resolving_power(self, tmp_path: Path, read_one: Any) -> None:
        assert np.isnan(read_one(release_3(tmp_path, 1, SLITMASK="IN"))[1].observation.resolving_power)


class TestRefusals:
    def test_other_layouts_are_named(self, tmp_path: Path, write_fits: Any, read_one: Any) -> None:
        image = fits.ImageHDU(np.ones(10))
        with pytest.raises(MissingField, match="three more images"):
            read_one(write_fits(fits.PrimaryHDU(np.ones(10)), image, ORIGIN="GALAH DR3"))
        for names in (("input_sigma", *"abcde"), ("normalised_spectrum", "normalised_sigma", "CCF")):
            hdus = [fits.ImageHDU(np.ones(10), name=name) for name in names]
            with pytest.raises(RefusedProduct, match="order of the HDUs"):
                read_one(write_fits(fits.PrimaryHDU(np.ones(10)), *hdus, ORIGIN="GALAH"))

    def test_an_error_of_another_length_and_a_missing_axis_are_refused(self, tmp_path: Path, read_one: Any) -> None:
        path = release_3(tmp_path, 1)
        with fits.open(path, mode="update") as hdus:
            hdus[1].data = hdus[1].data[:-1]
        with pytest.raises(MissingField, match="shape"):
            read_one(path)
        path.unlink()
        with pytest.raises(MissingField, match="CRVAL1"):
            read_one(release_3(tmp_path, 2, CRVAL1="None"))

    def test_a_companion_of_another_survey_and_a_second_copy_of_an_arm_are_refused(
        self, tmp_path: Path, read_one: Any
    ) -> None:
        first = release_3(tmp_path, 1)
        shutil.copy(first, tmp_path / f"{first.name}.gz")
        with pytest.raises(RefusedProduct, match="CCD 1 of the same star") as caught:
            read_one(first)
        assert caught.value.path == f"{first.name}.gz"
        (tmp_path / f"{first.name}.gz").unlink()
        fits.PrimaryHDU(np.ones(10)).writeto(first.with_name("1704180037012052.fits"))
        with pytest.raises(RefusedProduct, match="not that of GALAH") as caught:
            read_one(first)
        assert caught.value.path == "1704180037012052.fits"

    def test_arms_of_the_same_wavelengths_are_refused(self, tmp_path: Path, read_one: Any) -> None:
        first = release_3(tmp_path, 1)
        shutil.copy(first, first.with_name("1704180037012052.fits"))
        with pytest.raises(BadWavelength, match="within another"):
            read_one(first)

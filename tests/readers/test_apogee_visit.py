"""APOGEE apVisit: files written with astropy in the layout of the data model, for there is no real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import BadWavelength
from spectral_zarr.transforms import prepare

ENDS = ((16956.0, 16473.0), (16433.0, 15850.0), (15808.0, 15145.0))
"""First and last wavelength of the red, green and blue detector in the order of the file."""

CARDS = {
    "TELESCOP": "apo25m", "PLATE": "5094    ", "MJD5": 55874, "FIBERID": 88, "OBJID": "2M00005143+5615568", "SNR": 95.5,
    "DATE-OBS": "2011-11-09T01:24:49.560", "EXPTIME": 500.6, "BC": -12.3, "VHELIO": -20.5, "VERR": 0.1, "RA": 0.2,
    "DEC": 56.2,
}  # fmt: skip


def chips(n_pix: int = 4096, ends: Any = ENDS) -> tuple[Any, Any]:
    """Wavelengths, and a flux whose values tell detector and pixel apart."""
    wavelength = np.array([np.linspace(first, last, n_pix) for first, last in ends])
    return wavelength, 1.0 + np.arange(3 * n_pix).reshape(3, n_pix)


@pytest.fixture
def visit(write_fits: Any) -> Any:
    def write(
        flux: Any = None, error: Any = None, mask: Any = None, wavelength: Any = None, n_pix: int = 4096, **cards: Any
    ) -> Path:
        default_wavelength, default_flux = chips(n_pix)
        arrays = (
            (default_flux if flux is None else flux).astype("f4"),
            (np.full((3, n_pix), 0.5) if error is None else error).astype("f4"),
            (np.zeros((3, n_pix)) if mask is None else mask).astype("i2"),
            default_wavelength if wavelength is None else wavelength,
        )
        units = ("Flux (10^-17 ergs/s/cm^2/Ang)", "Err (10^-17 ergs/s/cm^2/Ang)", "Mask", "Wavelength (Ang)")
        hdus = [fits.ImageHDU(array) for array in arrays]
        for hdu, unit in zip(hdus, units, strict=True):
            hdu.header["BUNIT"] = unit
        sky = fits.ImageHDU(np.ones((3, n_pix), "f4"))
        header = {key: value for key, value in {**CARDS, **cards}.items() if value is not None}
        return write_fits(*hdus, sky, **header)

    return write


class TestPixels:
    @pytest.mark.parametrize("n_pix", [4096, 2048])
    def test_the_detectors_are_joined_from_blue_to_red(
        self, visit: Any, read_one: Any, claimants: Any, n_pix: int
    ) -> None:
        path = visit(n_pix=n_pix)
        assert claimants(path) == ["apogee-apvisit"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        wavelength, flux = chips(n_pix)
        np.testing.assert_array_equal(ready.wavelength, wavelength.ravel()[::-1])
        np.testing.assert_array_equal(ready.flux, flux.ravel()[::-1])
        np.testing.assert_array_equal(ready.uncertainty, np.full(3 * n_pix, 0.5))
        assert (np.diff(ready.wavelength) > 0).all()
        assert spectrum.observation.arm_merge == "concatenated"
        assert ready.flux_unit == "1e-17 erg / (Angstrom cm2 s)"

    @pytest.mark.parametrize("bit", range(15))
    def test_only_bad_bits_of_the_mask_make_a_pixel_bad(self, visit: Any, read_one: Any, bit: int) -> None:
        mask = np.zeros((3, 4096), "i2")
        mask[1, 7] = 1 << bit
        ready = prepare(read_one(visit(mask=mask))[1])
        # Red, green, blue, each descending: the eighth pixel of green lies 2 * 4096 - 8 from the blue end.
        bad = [2 * 4096 - 8] if bit in (0, 1, 2, 3, 4, 5, 6, 7, 14) else []
        assert np.isnan(ready.uncertainty).nonzero()[0].tolist() == bad
        assert np.isfinite(ready.flux).all()

    def test_sentinel_errors_are_bad_and_their_zeros_are_missing(self, visit: Any, read_one: Any) -> None:
        flux, error = chips()[1].astype("f4"), np.full((3, 4096), 0.5, "f4")
        error[0, [0, 10]] = 1e10
        error[0, 20] = 1.6e7
        flux[0, 10] = 0
        ready = prepare(read_one(visit(flux=flux, error=error))[1])
        last = 3 * 4096 - 1
        assert np.isnan(ready.flux).nonzero()[0].tolist() == [last - 10]
        assert np.isnan(ready.uncertainty).nonzero()[0].tolist() == [last - 10, last]
        assert ready.uncertainty[last - 20] == np.float32(1.6e7)

    def test_ascending_detectors_in_another_order_give_the_same_spectrum(self, visit: Any, read_one: Any) -> None:
        wavelength, flux = chips()
        ready = prepare(read_one(visit(flux=flux[::-1, ::-1], wavelength=wavelength[::-1, ::-1]))[1])
        np.testing.assert_array_equal(ready.flux, flux.ravel()[::-1])

    def test_overlapping_detectors_are_cut_in_the_middle(self, visit: Any, read_one: Any) -> None:
        wavelength, _ = chips(ends=((16956.0, 16400.0), *ENDS[1:]))
        _, spectrum = read_one(visit(wavelength=wavelength))
        assert spectrum.observation.arm_merge == "cut at mid-overlap"
        assert (np.diff(prepare(spectrum).wavelength) > 0).all()

    def test_wavelengths_that_step_back_are_refused(self, visit: Any, read_one: Any) -> None:
        wavelength, _ = chips()
        wavelength[2, 100] = wavelength[2, 99]
        with pytest.raises(BadWavelength, match="step back"):
            read_one(visit(wavelength=wavelength))


class TestFacts:
    def test_the_frame_is_that_of_the_observatory(self, visit: Any, read_one: Any) -> None:
        _, spectrum = read_one(visit())
        observation = spectrum.observation
        assert (observation.velocity_frame, spectrum.sampling.medium) == ("topocentric", "vacuum")
        assert (observation.berv, observation.source_type) == (-12.3, "observed")
        assert np.isnan(observation.rv_applied)
        assert spectrum.params == {"rv": -20.5, "e_rv": 0.1}
        assert (observation.date_obs, observation.exptime) == ("2011-11-09T01:24:49.560", 500.6)
        assert observation.mjd == pytest.approx(55874.0589069)
        assert (observation.snr, observation.object_id) == (95.5, "2M00005143+5615568")

    @pytest.mark.parametrize(
        ("cards", "expected"),
        [
            ({}, "apogee-apo25m-5094-55874-088"),
            ({"PLATE": 12345, "TELESCOP": "lco25m", "FIBERID": 3}, "apogee-lco25m-12345-55874-003"),
            ({"PLATE": None, "FIELD": "N 188"}, "apogee-apo25m-N_188-55874-088"),
            ({"TELESCOP": "apo1m", "PLATE": "hip"}, "apogee-apo1m-hip-55874-2M00005143+5615568"),
            ({"FIBERID": None}, "apogee-apo25m-5094-55874-2M00005143+5615568"),
        ],
    )
    def test_telescope_plate_night_and_fibre_identify_a_visit(
        self, visit: Any, read_one: Any, cards: Any, expected: str
    ) -> None:
        assert read_one(visit(**cards))[1].spec_id == expected

    def test_the_file_name_tells_the_telescope_where_no_card_does(self, visit: Any, read_one: Any) -> None:
        path = visit(TELESCOP=None)
        path = path.rename(path.with_name("asVisit-dr17-1234-58000-001.fits"))
        assert read_one(path)[1].spec_id.startswith("apogee-lco25m-")

    def test_a_gaia_identifier_comes_with_its_release(self, visit: Any, read_one: Any) -> None:
        observation = read_one(visit(GSRCID=2871506206373398913, GRELEASE="EDR3"))[1].observation
        assert (observation.gaia_id, observation.gaia_dr) == ("2871506206373398913", "EDR3")
        assert read_one(visit(GSRCID=-1, GRELEASE="EDR3"))[1].observation.gaia_dr == ""

    def test_sentinels_of_the_velocity_are_missing(self, visit: Any, read_one: Any) -> None:
        _, spectrum = read_one(visit(VHELIO=999999.0, BC=999999.0))
        assert spectrum.params == {}
        assert np.isnan(spectrum.observation.berv)


class TestIngest:
    def test_visits_are_published_with_a_wavelength_each(self, visit: Any, tmp_path: Path) -> None:
        source = tmp_path / "visits"
        source.mkdir()
        wavelength, flux = chips()
        for fiber in (1, 2):
            made = visit(flux=flux * fiber, wavelength=wavelength + 0.01 * fiber, FIBERID=fiber)
            made.rename(source / f"apVisit-r12-5094-55874-{fiber:03d}.fits")
        ingest(IngestRequest((str(source),), str(tmp_path / "visits.zarr")), SerialExecutor())
        assert validate(tmp_path / "visits.zarr").valid
        store = zarr.open_group(tmp_path / "visits.zarr", mode="r")
        np.testing.assert_array_equal(store["signal/wavelength"][1], (wavelength + 0.02).ravel()[::-1])
        np.testing.assert_array_equal(store["signal/flux_raw"][1], 2 * flux.ravel()[::-1])

"""APOGEE apStar and aspcapStar: the first row, sentinels of the error, parameters and identifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare

GRID = 10 ** (4.179 + 6e-6 * np.arange(8575))
STARS = ("apStar-r6-2M00452143+1634446.fits", "apStar-r6-2M19535443+4424541.fits")
WCS = {"CRVAL1": 4.179, "CDELT1": 6e-6, "CRPIX1": 1, "CTYPE1": "LOG-LINEAR", "DC-FLAG": 1}


def image(values: Any, dtype: str = "f4", **cards: Any) -> fits.ImageHDU:
    hdu = fits.ImageHDU(np.asarray(values).astype(dtype))
    hdu.header.update({**WCS, **cards})
    return hdu


@pytest.fixture
def star(write_fits: Any) -> Any:
    def write(rows: int = 1, error: Any = None, flux: Any = None, mask: Any = None, **cards: Any) -> Path:
        shape = (8575,) if rows == 1 else (rows, 8575)
        flux = np.full(shape, 3.0) if flux is None else flux
        error = np.full(shape, 0.1) if error is None else error
        usual = {"OBJID": "2M1", "FIELD": "M 13", "TELESCOP": "apo25m", "NVISITS": max(1, rows - 2), "SNR": 80.0}
        return write_fits(
            image(flux), image(error), image(np.zeros(shape) if mask is None else mask, "i2"), **{**usual, **cards}
        )

    return write


@pytest.fixture
def aspcap(write_fits: Any) -> Any:
    def write(param: Any, *extra: fits.Column, **cards: Any) -> Path:
        size = len(param)
        covariance = np.diag(np.arange(1.0, size + 1) ** 2)[None]
        columns = [
            fits.Column("APOGEE_ID", "18A", array=["2M00452143+1634446"]),
            fits.Column("FIELD", "8A", array=["120-45"]),
            fits.Column("PARAM", f"{size}E", array=np.array([param])),
            fits.Column("PARAM_COV", f"{size * size}E", dim=f"({size},{size})", array=covariance),
            *extra,
        ]
        flux, error = np.ones(8575), np.full(8575, 0.02)
        flux[:200] = error[:200] = 0
        images = [image(flux), image(error), image(flux)]
        return write_fits(*images, fits.BinTableHDU.from_columns(columns), **{"NVISITS": 2, "SNR": 90.0, **cards})

    return write


class TestRealFiles:
    @pytest.mark.parametrize("name", STARS)
    def test_the_first_row_agrees_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any, name: str
    ) -> None:
        path = real_files / "apogee" / name
        hdus = reference(path)
        assert claimants(path) == ["apogee-apstar"]
        _, spectrum = read_one(path)
        flux, error = hdus[1].data[0], hdus[2].data[0]
        np.testing.assert_array_equal(spectrum.flux, flux)
        np.testing.assert_array_equal(spectrum.noise, error)
        # BADPIX to NOSKY are the bits 0 to 7 and NOT_ENOUGH_PSF is 14.
        bad = (error >= 1e9) | (hdus[3].data[0] & 0x40FF != 0)
        np.testing.assert_array_equal(spectrum.bad, bad)
        assert spectrum.flux_unit == "Flux (10^-17 erg/s/cm^2/Ang)"
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.grid.wavelength(), GRID, rtol=1e-12)
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), bad)
        np.testing.assert_array_equal(np.isnan(ready.flux), (error >= 1e9) & (flux == 0))
        header, observation = hdus[0].header, spectrum.observation
        assert (observation.source_type, observation.date_obs) == ("stacked", "")
        assert (observation.velocity_frame, spectrum.sampling.medium) == ("rest", "vacuum")
        assert observation.rv_applied == header["VHELIO"]
        assert (observation.snr, observation.snr_method) == (header["SNR"], "header:SNR")
        assert spectrum.spec_id == f"apogee-apo25m-{header['FIELD']}-{header['OBJID']}"

    def test_a_normalised_star_agrees_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        path = real_files / "apogee" / "aspcapStar-r6-l30e.2-2M00452143+1634446.fits"
        hdus = reference(path)
        assert claimants(path) == ["apogee-aspcapstar"]
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, hdus[1].data)
        np.testing.assert_array_equal(spectrum.noise, hdus[2].data)
        np.testing.assert_array_equal(spectrum.missing, hdus[1].data == 0)
        assert spectrum.normalized_product
        assert spectrum.spec_id == "aspcap-apo-120-45-2M00452143+1634446"

    def test_parameters_that_were_not_calibrated_are_missing(self, real_files: Path, read_one: Any) -> None:
        params = read_one(real_files / "apogee" / "aspcapStar-r6-l30e.2-2M00452143+1634446.fits")[1].params
        assert all(np.isnan(params[name]) for name in ("teff", "logg", "m_h", "alpha_m", "e_teff"))
        assert params["vmic"] == pytest.approx(10**0.2219545)
        assert "feh" not in params


class TestGeneratedFiles:
    @pytest.mark.parametrize("product", ["apstar", "aspcapstar"])
    def test_values_agree_with_astropy(
        self, tmp_path: Path, read_one: Any, reference: Any, claimants: Any, product: str
    ) -> None:
        for path in write_samples(tmp_path, product, 6):
            hdus = reference(path)
            assert claimants(path) == [f"apogee-{product}"]
            _, spectrum = read_one(path)
            np.testing.assert_array_equal(spectrum.flux, np.atleast_2d(hdus[1].data)[0])
            np.testing.assert_array_equal(spectrum.noise, np.atleast_2d(hdus[2].data)[0])
            visits = hdus[0].header["NVISITS"]
            assert spectrum.observation.source_type == ("observed" if visits == 1 else "stacked")
            prepare(spectrum)


class TestApStar:
    def test_one_visit_is_an_observation_with_a_date(self, star: Any, read_one: Any) -> None:
        _, spectrum = read_one(star(DATE1="2013-10-22T05:06:52.142", JD1=2456587.73637))
        assert spectrum.observation.source_type == "observed"
        assert spectrum.observation.date_obs == "2013-10-22T05:06:52.142"
        assert spectrum.observation.mjd == pytest.approx(56587.23637)
        assert spectrum.flux.shape == (8575,)

    def test_one_visit_may_also_be_an_image_of_one_row(self, star: Any, read_one: Any, claimants: Any) -> None:
        flux = np.full((1, 8575), 3.0)
        path = star(2, error=flux / 30, flux=flux, NVISITS=1)
        with fits.open(path, mode="update") as hdus:
            hdus[3].data = hdus[3].data[:1].astype("i4")
        assert claimants(path) == ["apogee-apstar"]
        np.testing.assert_array_equal(read_one(path)[1].flux, flux[0])

    def test_a_misspelt_unit_is_that_of_the_product(self, star: Any, read_one: Any) -> None:
        path = star()
        with fits.open(path, mode="update") as hdus:
            hdus[1].header["BUNIT"] = "Flux (10^-17 ergs/s/cm^2/Ang)"
        assert prepare(read_one(path)[1]).flux_unit == "1e-17 erg / (Angstrom cm2 s)"

    def test_the_velocity_has_another_name_in_sdss_v(self, star: Any, read_one: Any) -> None:
        assert read_one(star(VRAD=-33.5))[1].observation.rv_applied == -33.5

    def test_a_combination_scaled_sentinel_is_bad(self, star: Any, read_one: Any) -> None:
        error = np.full((5, 8575), 0.1)
        error[0, 100] = 1e10 / np.sqrt(3)
        assert read_one(star(5, error))[1].bad.nonzero()[0].tolist() == [100]

    def test_each_bit_of_the_mask_is_bad_or_a_warning(self, star: Any, read_one: Any) -> None:
        mask = np.zeros(8575, "i4")
        mask[100:116] = 1 << np.arange(16)
        _, spectrum = read_one(star(mask=mask.astype("u2").view("i2")))
        ready = prepare(spectrum)
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(ready.uncertainty)), [*range(100, 108), 114])
        assert np.isfinite(ready.flux).all()

    def test_an_unmeasured_pixel_with_flux_keeps_it(self, star: Any, read_one: Any) -> None:
        error, flux = np.full(8575, 0.1), np.full(8575, 3.0)
        error[[50, 60]] = 1e10
        flux[60] = 0
        ready = prepare(read_one(star(error=error, flux=flux))[1])
        assert ready.flux[50] == 3.0
        assert np.isnan(ready.flux[60])
        assert np.isnan(ready.uncertainty[[50, 60]]).all()

    def test_an_unknown_velocity_is_missing(self, star: Any, read_one: Any) -> None:
        _, spectrum = read_one(star(VHELIO=999999.0))
        assert np.isnan(spectrum.observation.rv_applied)
        assert "rv" not in spectrum.params

    def test_blanks_of_a_field_do_not_reach_the_identifier(self, star: Any, read_one: Any) -> None:
        assert read_one(star())[1].spec_id == "apogee-apo25m-M_13-2M1"

    def test_the_visits_tell_the_telescope_where_no_card_does(self, star: Any, read_one: Any) -> None:
        path = star(TELESCOP="", SFILE1="asVisit-dr17-1234-58000-001.fits")
        assert read_one(path)[1].spec_id == "apogee-lco25m-M_13-2M1"

    def test_a_gaia_identifier_comes_with_its_release(self, star: Any, read_one: Any) -> None:
        observation = read_one(star(GSRCID="2871506206373398912", GRELEASE="EDR3"))[1].observation
        assert (observation.gaia_id, observation.gaia_dr) == ("2871506206373398912", "EDR3")


class TestAspcapStar:
    PARAM = (4800.0, 2.5, 0.1, -0.3, 0.05, 0.1, 0.2, 0.3, 0.0)

    def test_parameters_come_from_their_positions(self, aspcap: Any, read_one: Any) -> None:
        params = read_one(aspcap(self.PARAM))[1].params
        expected = {"teff": 4800.0, "logg": 2.5, "m_h": -0.3, "c_m": 0.05, "n_m": 0.1, "alpha_m": 0.2}
        assert {name: params[name] for name in expected} == pytest.approx(expected)
        assert params["vmic"] == pytest.approx(10**0.1)
        assert [params[f"e_{name}"] for name in ("teff", "logg", "m_h", "alpha_m")] == [1.0, 2.0, 4.0, 7.0]

    def test_a_missing_parameter_leaves_the_others(self, aspcap: Any, read_one: Any) -> None:
        params = read_one(aspcap((-9999.0, *self.PARAM[1:])))[1].params
        assert np.isnan([params["teff"], params["e_teff"]]).all()
        assert params["logg"] == 2.5

    def test_named_columns_win_and_give_iron(self, aspcap: Any, read_one: Any) -> None:
        extra = [
            fits.Column("TEFF", "E", array=[4750.0]),
            fits.Column("TEFF_ERR", "E", array=[90.0]),
            fits.Column("FE_H", "E", array=[-0.28]),
            fits.Column("FE_H_ERR", "E", array=[-9999.99]),
            fits.Column("GAIAEDR3_SOURCE_ID", "K", array=[2871506206373398913]),
            fits.Column("TELESCOPE", "6A", array=["lco25m"]),
        ]
        _, spectrum = read_one(aspcap(self.PARAM, *extra))
        assert (spectrum.params["teff"], spectrum.params["e_teff"]) == (4750.0, 90.0)
        assert spectrum.params["feh"] == pytest.approx(-0.28)
        assert np.isnan(spectrum.params["e_feh"])
        assert spectrum.observation.gaia_id == "2871506206373398913"
        assert spectrum.spec_id == "aspcap-lco25m-120-45-2M00452143+1634446"

    def test_pixels_outside_the_windows_are_missing(self, aspcap: Any, read_one: Any) -> None:
        ready = prepare(read_one(aspcap(self.PARAM))[1])
        assert np.isnan(ready.flux[:200]).all()
        assert ready.flux_unit == "dimensionless"
        np.testing.assert_array_equal(ready.normalized, ready.flux)

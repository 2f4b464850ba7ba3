"""One-dimensional images of unknown origin: every convention of the axis, and what is refused instead of guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ImageOptions, ReaderOptions
from spectral_zarr.errors import BadWavelength, NotASpectrum, RefusedProduct, UnknownUnit
from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare

PIXELS = np.arange(10)


@pytest.fixture
def wavelength(write_fits: Any, line: Any, read_one: Any) -> Any:
    """Canonical wavelengths of a made image with the given cards; None removes a usual card."""

    def resolve(options: ReaderOptions | None = None, **cards: Any) -> np.ndarray:
        ready = prepare(read_one(write_fits(line(**cards)), options)[1])
        return ready.grid.wavelength()

    return resolve


class TestLinearAxis:
    def test_the_reference_pixel_counts_from_one(self, wavelength: Any) -> None:
        np.testing.assert_allclose(wavelength(), 5000.0 + 0.5 * PIXELS)

    def test_a_missing_reference_pixel_means_the_first(self, wavelength: Any) -> None:
        np.testing.assert_allclose(wavelength(CRPIX1=None), 5000.0 + 0.5 * PIXELS)

    @pytest.mark.parametrize("pixel", [-3575.0, 0.0, 5.0, 2518.0])
    def test_a_reference_pixel_may_lie_anywhere(self, wavelength: Any, pixel: float) -> None:
        np.testing.assert_allclose(wavelength(CRPIX1=pixel), 5000.0 + 0.5 * (PIXELS + 1 - pixel))

    def test_the_matrix_element_wins_over_the_increment(self, wavelength: Any) -> None:
        np.testing.assert_allclose(wavelength(CD1_1=0.7), 5000.0 + 0.7 * PIXELS)

    def test_the_matrix_element_replaces_a_missing_increment(self, wavelength: Any) -> None:
        np.testing.assert_allclose(wavelength(CD1_1=0.7, CDELT1=None), 5000.0 + 0.7 * PIXELS)

    def test_a_falling_axis_is_reversed(self, wavelength: Any) -> None:
        np.testing.assert_allclose(wavelength(CDELT1=-0.5), np.sort(5000.0 - 0.5 * PIXELS))

    def test_trailing_axes_of_length_one_are_accepted(self, write_fits: Any, line: Any, read_one: Any) -> None:
        hdu = line()
        hdu.data = hdu.data.reshape(1, 1, 10)
        assert read_one(write_fits(hdu))[1].flux.shape == (10,)

    def test_scaled_integers_are_read_as_astropy_does(
        self, write_fits: Any, line: Any, read_one: Any, reference: Any
    ) -> None:
        hdu = line()
        hdu.data = np.arange(100.0, 110.0)
        hdu.scale("int16", bscale=0.5, bzero=100.0)
        hdu.header.update(CRVAL1=5000.0, CDELT1=0.5, CUNIT1="Angstrom", BUNIT="adu")
        path = write_fits(hdu)
        np.testing.assert_array_equal(read_one(path)[1].flux, reference(path)[0].data)


class TestLogarithmicAxis:
    DECIMAL = 10 ** (3.6 + 1e-4 * PIXELS)
    NATURAL = np.exp(8.3 + 1e-5 * PIXELS)

    @pytest.mark.parametrize(
        "cards",
        [
            {"DC_dash_FLAG": 1},
            {"DC_dash_FLAG": True},
            {"CTYPE1": "LOG-LINEAR"},
            {"CTYPE1": "LOGLIN"},
            {"CTYPE1": "WAVE-LOG"},
            {"CTYPE1": "LOGLAM"},
            {"WFITTYPE": "LOG-LINEAR"},
            {"LOGLAM": 1},
            {"LOGLAM": True},
            {"CTYPE1": "LINEAR", "DC_dash_FLAG": 1},
            {"CUNIT1": "log(Angstrom)"},
            {},
        ],
    )
    def test_decimal_logarithms(self, wavelength: Any, cards: dict[str, Any]) -> None:
        np.testing.assert_allclose(wavelength(CRVAL1=3.6, CDELT1=1e-4, **cards), self.DECIMAL, rtol=1e-12)

    @pytest.mark.parametrize("axis", ["AWAV-LOG", "WAVE-LOG", "log(wavelength)", "LOG-LINEAR"])
    def test_natural_logarithms_are_told_by_their_magnitude(self, wavelength: Any, axis: str) -> None:
        np.testing.assert_allclose(wavelength(CRVAL1=8.3, CDELT1=1e-5, CTYPE1=axis), self.NATURAL, rtol=1e-12)

    @pytest.mark.parametrize(("unit", "factor"), [("Angstrom", 1.0), ("nm", 10.0), ("m", 1e10)])
    def test_the_fits_standard_keeps_crval_linear(
        self, write_fits: Any, line: Any, read_one: Any, unit: str, factor: float
    ) -> None:
        step, start = 0.2 / factor, 5000.0 / factor
        cards = {"CRVAL1": start, "CDELT1": step, "CTYPE1": "WAVE-LOG", "CUNIT1": unit, "CRPIX1": 3.0}
        ready = prepare(read_one(write_fits(line(**cards)))[1])
        expected = 5000.0 * np.exp((PIXELS - 2) * 0.2 / 5000.0)
        np.testing.assert_allclose(ready.grid.wavelength(), expected, rtol=1e-10)

    def test_coefficients_replace_missing_axis_cards(self, wavelength: Any) -> None:
        cards = {"COEFF0": 3.6, "COEFF1": 1e-4, "CRVAL1": None, "CDELT1": None, "CUNIT1": None}
        np.testing.assert_allclose(wavelength(**cards), self.DECIMAL, rtol=1e-12)

    def test_micrometres_are_not_taken_for_a_logarithm(self, wavelength: Any) -> None:
        np.testing.assert_allclose(wavelength(CRVAL1=3.6, CDELT1=1e-4, CUNIT1="um"), 36000.0 + PIXELS)

    def test_a_declared_linear_axis_is_not_taken_for_a_logarithm(self, wavelength: Any) -> None:
        with pytest.raises(BadWavelength):
            wavelength(CRVAL1=3.6, CDELT1=1e-4, DC_dash_FLAG=0)

    def test_a_logarithm_that_fits_no_convention_is_refused(self, wavelength: Any) -> None:
        with pytest.raises(BadWavelength, match="CRVAL1 = 4000"):
            wavelength(CRVAL1=4000.0, DC_dash_FLAG=1)


class TestUnits:
    def test_iraf_attributes_give_the_unit(self, wavelength: Any) -> None:
        attributes = "wtype=linear label=Wavelength units=angstroms"
        np.testing.assert_allclose(wavelength(CUNIT1=None, WAT1_001=attributes)[0], 5000.0)

    def test_iraf_attributes_are_cut_after_68_characters(self, wavelength: Any) -> None:
        text = "wtype=linear label=Wavelength dispersion=none remark=aaaaaaaaaaa units=nanometers"
        cards = {"WAT1_001": text[:68], "WAT1_002": text[68:]}
        np.testing.assert_allclose(wavelength(CUNIT1=None, CRVAL1=500.0, **cards)[0], 5000.0)

    @pytest.mark.parametrize("axis", ["WAVELENGTH [Ang]", "Angstrom", "Wavelength (Angstroms)"])
    def test_the_name_of_the_axis_may_hold_the_unit(self, wavelength: Any, axis: str) -> None:
        np.testing.assert_allclose(wavelength(CUNIT1=None, CTYPE1=axis)[0], 5000.0)

    def test_the_configuration_gives_a_missing_unit(self, wavelength: Any) -> None:
        options = ReaderOptions(image=ImageOptions(wavelength_unit="nm"))
        np.testing.assert_allclose(wavelength(options, CUNIT1=None, CRVAL1=500.0)[0], 5000.0)

    def test_an_unknown_unit_of_wavelength_names_the_key(self, wavelength: Any) -> None:
        with pytest.raises(UnknownUnit, match=r"wavelength_unit in \[readers.image\]"):
            wavelength(CUNIT1=None)

    def test_an_unknown_unit_of_flux_names_the_key(self, wavelength: Any) -> None:
        with pytest.raises(UnknownUnit, match=r"flux_unit in \[readers.image\]"):
            wavelength(BUNIT=None)

    def test_the_configuration_gives_a_missing_unit_of_flux(self, write_fits: Any, line: Any, read_one: Any) -> None:
        options = ReaderOptions(image=ImageOptions(flux_unit="Jy"))
        assert read_one(write_fits(line(BUNIT=None)), options)[1].flux_unit == "Jy"

    @pytest.mark.parametrize("said", ["furlongs per fortnight", "erg/s/cm2/A"])
    def test_units_of_the_user_win_over_those_of_the_cards(
        self, write_fits: Any, line: Any, read_one: Any, said: str
    ) -> None:
        options = ReaderOptions(image=ImageOptions(flux_unit="Jy", wavelength_unit="nm", medium="vacuum"))
        path = write_fits(line(BUNIT=said, CUNIT1="parsec", CTYPE1="AWAV", CRVAL1=500.0))
        spectrum = read_one(path, options)[1]
        ready = prepare(spectrum)
        assert (ready.flux_unit, spectrum.sampling.medium) == ("Jy", "vacuum")
        assert ready.grid.wavelength()[0] == pytest.approx(5000.0)


class TestMediumAndFrame:
    @pytest.mark.parametrize(
        ("cards", "medium"),
        [
            ({"CTYPE1": "AWAV"}, "air"),
            ({"CTYPE1": "WAVE"}, "vacuum"),
            ({"CTYPE1": "WAVELENGTH"}, "unknown"),
            ({"CTYPE1": "LINEAR", "VACUUM": "T"}, "vacuum"),
            ({"AIRORVAC": "air"}, "air"),
            ({}, "unknown"),
        ],
    )
    def test_the_header_tells_the_medium_or_nothing_does(
        self, write_fits: Any, line: Any, read_one: Any, cards: dict[str, Any], medium: str
    ) -> None:
        assert read_one(write_fits(line(**cards)))[1].sampling.medium == medium

    def test_the_configuration_gives_what_is_missing(self, write_fits: Any, line: Any, read_one: Any) -> None:
        options = ReaderOptions(image=ImageOptions(medium="air", velocity_frame="rest"))
        _, spectrum = read_one(write_fits(line()), options)
        assert (spectrum.sampling.medium, spectrum.observation.velocity_frame) == ("air", "rest")

    def test_specsys_wins_over_the_configuration(self, write_fits: Any, line: Any, read_one: Any) -> None:
        options = ReaderOptions(image=ImageOptions(velocity_frame="rest"))
        path = write_fits(line(SPECSYS="BARYCENT"))
        assert read_one(path, options)[1].observation.velocity_frame == "barycentric"


class TestCompanions:
    @pytest.mark.parametrize(("name", "kind"), [("ERROR", "sigma"), ("IVAR", "ivar"), ("VARIANCE", "variance")])
    def test_an_hdu_of_the_same_length_is_the_noise(
        self, write_fits: Any, line: Any, read_one: Any, name: str, kind: str
    ) -> None:
        _, spectrum = read_one(write_fits(line(), fits.ImageHDU(np.full(10, 4.0), name=name)))
        assert spectrum.noise_kind == kind
        np.testing.assert_array_equal(spectrum.noise, np.full(10, 4.0))

    def test_an_hdu_of_another_length_is_not(self, write_fits: Any, line: Any, read_one: Any) -> None:
        assert read_one(write_fits(line(), fits.ImageHDU(np.ones(9), name="ERROR")))[1].noise is None

    def test_explicit_wavelengths_win_over_the_cards(self, write_fits: Any, line: Any, read_one: Any) -> None:
        explicit = fits.ImageHDU(np.linspace(6000.0, 6009.5, 10), name="WAVELENGTH")
        explicit.header["BUNIT"] = "Angstrom"
        continuum = fits.ImageHDU(np.full(10, 7.0), name="CONTINUUM")
        _, spectrum = read_one(write_fits(line(), explicit, continuum))
        np.testing.assert_array_equal(spectrum.sampling.values, explicit.data)
        assert spectrum.continuum_method == "hdu:CONTINUUM"

    def test_the_only_spectrum_behind_an_empty_primary_is_read(self, write_fits: Any, line: Any, read_one: Any) -> None:
        primary = line()
        _, spectrum = read_one(write_fits(fits.PrimaryHDU(), fits.ImageHDU(primary.data, primary.header)))
        assert spectrum.hdu == 1
        np.testing.assert_array_equal(spectrum.flux, primary.data)


class TestRefusals:
    @pytest.mark.parametrize(
        "cards",
        [
            {"CTYPE1": "VELO-LSR", "CUNIT1": "m/s"},
            {"CTYPE1": "km/s", "CUNIT1": None},
            {"CTYPE1": "FREQ", "CUNIT1": "Hz"},
            {"CUNIT1": "GHz"},
            {"CTYPE1": "ENER", "CUNIT1": "keV"},
            {"CTYPE1": "PIXEL"},
            {"CTYPE1": "WAVE-TAB"},
            {"CTYPE1": "AWAV-GRI"},
        ],
    )
    def test_other_axes_are_refused(self, wavelength: Any, cards: dict[str, Any]) -> None:
        with pytest.raises(RefusedProduct):
            wavelength(**cards)

    def test_several_spectra_in_one_image_are_refused(self, write_fits: Any, line: Any, read_one: Any) -> None:
        hdu = line(CTYPE1="LINEAR")
        hdu.data = np.ones((4, 10), np.float32)
        with pytest.raises(RefusedProduct, match="4 x 10"):
            read_one(write_fits(hdu))

    def test_an_image_of_the_sky_is_no_spectrum(self, write_fits: Any, line: Any, read_one: Any) -> None:
        hdu = line(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CUNIT1="deg")
        hdu.data = np.ones((10, 10), np.float32)
        with pytest.raises(NotASpectrum):
            read_one(write_fits(hdu))

    def test_an_image_without_axis_is_no_spectrum(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(NotASpectrum):
            read_one(write_fits(fits.PrimaryHDU(np.ones(10, np.float32))))


class TestFiles:
    @pytest.mark.parametrize("name", ["MILES_res2.50_star_m0001V.fits", "MILES_res2.50_star_m0002V.fits"])
    def test_a_miles_template_is_known_by_its_card(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any, name: str
    ) -> None:
        path = real_files / "stellar-libraries" / name
        hdu = reference(path)[0]
        assert claimants(path) == []
        reader, spectrum = read_one(path)
        assert reader == "generic-image"
        np.testing.assert_array_equal(spectrum.flux, hdu.data)
        ready = prepare(spectrum)
        expected = hdu.header["CRVAL1"] + hdu.header["CDELT1"] * PIXELS
        np.testing.assert_allclose(ready.grid.wavelength()[:10], expected)
        assert (spectrum.sampling.medium, ready.flux_unit) == ("air", "dimensionless")

    def test_generated_files_agree_with_astropy(self, tmp_path: Path, read_one: Any, reference: Any) -> None:
        for path in write_samples(tmp_path, "wcs1d", 2, n_pix=300):
            hdu = reference(path)[0]
            name, spectrum = read_one(path)
            assert name == "generic-image"
            np.testing.assert_array_equal(spectrum.flux, hdu.data)
            header = hdu.header
            expected = header["CRVAL1"] + header["CDELT1"] * (np.arange(300) + 1 - header["CRPIX1"])
            np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), expected, rtol=1e-12)
            assert spectrum.sampling.medium == {"AWAV": "air", "WAVE": "vacuum"}[header["CTYPE1"]]


@pytest.mark.parametrize(("mjd", "kept"), [(58407.5, 58407.5), (2965661.6, np.nan), (0.0, np.nan), (2458408.0, np.nan)])
def test_a_date_that_is_no_modified_julian_date_is_unknown(
    write_fits: Any, line: Any, read_one: Any, mjd: float, kept: float
) -> None:
    facts = read_one(write_fits(line(MJD_dash_OBS=mjd)))[1].observation
    np.testing.assert_equal(facts.mjd, kept)
    assert bool(facts.date_obs) == np.isfinite(kept)

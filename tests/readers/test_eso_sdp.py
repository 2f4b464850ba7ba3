"""ESO science data products: columns by UTYPE and UCD, one class per rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.transforms import prepare

AXIS = "Data.FluxAxis"
MAIN = "phot.flux.density;em.wl;src.net;meta.main"
SIDE = "phot.flux.density;em.wl;src.net"
FLUX = np.linspace(1.0, 2.0, 8)
ERROR = np.full(8, 0.1)
Column = tuple[str, Any, str, str, str]


def wave(unit: str = "angstrom", ucd: str = "em.wl;obs.atmos", values: Any = None) -> Column:
    return "WAVE", np.arange(5000.0, 5008.0) if values is None else values, unit, "spec:Data.SpectralAxis.Value", ucd


def flux(name: str = "FLUX", unit: str = "adu", utype: str = f"spec:{AXIS}.Value", ucd: str = MAIN) -> Column:
    return name, FLUX + len(name), unit, utype, ucd


def error(name: str = "ERR", unit: str = "adu", utype: str = f"spec:{AXIS}.Accuracy.StatError") -> Column:
    return name, ERROR + len(name), unit, utype, "stat.error"


def table(*columns: Column, rows: int = 1) -> fits.BinTableHDU:
    made = []
    for name, values, unit, _, _ in columns:
        values = np.asarray(values)
        code = {"f": "D", "i": "J"}[values.dtype.kind]
        made.append(fits.Column(name, f"{values.size}{code}", unit=unit or None, array=np.stack([values] * rows)))
    hdu = fits.BinTableHDU.from_columns(made)
    hdu.header["EXTNAME"] = "SPECTRUM"
    for number, (_, _, _, utype, ucd) in enumerate(columns, 1):
        if utype:
            hdu.header[f"TUTYP{number}"] = utype
        if ucd:
            hdu.header[f"TUCD{number}"] = ucd
    return hdu


@pytest.fixture
def product(write_fits: Any) -> Any:
    def write(*columns: Column, rows: int = 1, **cards: Any) -> Path:
        usual = {"PRODCATG": "SCIENCE.SPECTRUM", "INSTRUME": "UVES", "SPECSYS": "TOPOCENT"}
        return write_fits(table(*columns, rows=rows), **{**usual, **cards})

    return write


class TestColumns:
    def test_the_column_with_meta_main_is_the_flux(self, product: Any, read_one: Any) -> None:
        path = product(wave(), flux("FLUX_EL", ucd=SIDE), error("ERR_EL"), flux("FLUX"), error("ERR"))
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, FLUX + 4)
        np.testing.assert_array_equal(spectrum.noise, ERROR + 3)

    def test_a_calibrated_flux_wins_over_an_uncalibrated_one(self, product: Any, read_one: Any) -> None:
        reduced = flux("FLUX_REDUCED", ucd=f"{SIDE};stat.uncalib")
        path = product(wave(), reduced, error("ERR_REDUCED"), flux("FLUX", "Jy", ucd=SIDE), error("ERR", "Jy"))
        _, spectrum = read_one(path)
        assert spectrum.flux_unit == "Jy"
        np.testing.assert_array_equal(spectrum.noise, ERROR + 3)

    def test_an_uncalibrated_flux_is_read_where_it_is_the_only_one(self, product: Any, read_one: Any) -> None:
        reduced = flux("FLUX_REDUCED", ucd=f"{SIDE};stat.uncalib")
        _, spectrum = read_one(product(wave(), reduced, error("ERR_REDUCED")))
        np.testing.assert_array_equal(spectrum.flux, FLUX + 12)
        assert spectrum.observation.flux_calibration == "counts"

    def test_a_background_with_the_ucd_of_a_flux_is_not_the_flux(self, product: Any, read_one: Any) -> None:
        decoy = flux("BGFLUX_REDUCED", utype="eso:Data.BackgroundModel.Value", ucd=f"{SIDE};stat.uncalib")
        path = product(wave(), decoy, flux("FLUX_REDUCED", ucd=f"{SIDE};stat.uncalib"), error("ERR_REDUCED"))
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, FLUX + 12)

    @pytest.mark.parametrize("prefix", ["Spectrum.", "spec:", "spec:Spectrum.", "eso:", ""])
    def test_the_namespace_of_the_utype_does_not_matter(self, product: Any, read_one: Any, prefix: str) -> None:
        spectral = ("WAVE", wave()[1], "nm", f"{prefix}Data.SpectralAxis.Value", "em.wl")
        _, spectrum = read_one(product(spectral, flux(utype=f"{prefix}{AXIS}.Value"), error()))
        np.testing.assert_array_equal(spectrum.flux, FLUX + 4)
        assert spectrum.sampling.unit == "nm"

    def test_a_misspelt_accuracy_is_understood(self, product: Any, read_one: Any) -> None:
        misspelt = error(utype=f"Spectrum.{AXIS}.Accurancy.StatError")
        quality = ("QUAL", np.array([0, 1] * 4), "", f"Spectrum.{AXIS}.Accurancy.QualityStatus", "meta.code.qual")
        _, spectrum = read_one(product(wave(), flux(), misspelt, quality))
        assert spectrum.noise is not None
        np.testing.assert_array_equal(spectrum.bad, [False, True] * 4)

    def test_a_local_flux_yields_to_the_one_of_the_standard(self, product: Any, read_one: Any) -> None:
        path = product(wave(), flux("UNCORR_FLUX", utype=f"vandels:{AXIS}.Value", ucd=SIDE), flux(ucd=SIDE), error())
        np.testing.assert_array_equal(read_one(path)[1].flux, FLUX + 4)

    def test_tables_without_utypes_are_read_by_name(self, product: Any, read_one: Any) -> None:
        bare = [(name, values, unit, "", "") for name, values, unit, _, _ in (wave(), flux(), error("ERR_FLUX"))]
        _, spectrum = read_one(product(*bare))
        assert spectrum.noise is not None
        assert spectrum.sampling.medium == "unknown"


class TestError:
    def test_an_error_in_another_unit_is_refused(self, product: Any, read_one: Any) -> None:
        with pytest.raises(UnknownUnit, match="ERR is in 'adu' and FLUX in 'Jy'"):
            read_one(product(wave(), flux(unit="Jy"), error(unit="adu")))

    def test_an_error_of_another_flux_is_not_used(self, product: Any, read_one: Any) -> None:
        path = product(wave(), flux("FLUX"), flux("FLUX_REDUCED", ucd=SIDE), error("ERR_REDUCED"))
        assert read_one(path)[1].noise is None

    def test_a_unit_written_in_another_way_still_matches(self, product: Any, read_one: Any) -> None:
        one, other = "erg/s/cm2/angstrom", "erg.cm**(-2).s**(-1).angstrom**(-1)"
        assert read_one(product(wave(), flux(unit=one), error(unit=other)))[1].noise is not None

    def test_the_only_error_of_the_only_flux_may_have_any_name(self, product: Any, read_one: Any) -> None:
        assert read_one(product(wave(), flux(), error("DELTA_F")))[1].noise is not None

    def test_an_inverse_variance_without_unit_is_not_taken_for_an_error(self, product: Any, read_one: Any) -> None:
        assert read_one(product(wave(), flux(), error("IVAR", unit="")))[1].noise is None

    def test_an_error_that_is_all_nan_becomes_no_uncertainty(self, product: Any, read_one: Any) -> None:
        nothing = ("ERR", np.full(8, np.nan), "adu", f"spec:{AXIS}.Accuracy.StatError", "stat.error")
        assert prepare(read_one(product(wave(), flux(), nothing))[1]).uncertainty is None


class TestQuality:
    def quality(self, values: Any, name: str = "QUAL") -> Column:
        return name, np.asarray(values), "", f"spec:{AXIS}.Accuracy.QualityStatus", "meta.code.qual"

    def test_pixels_with_a_flag_are_bad_and_keep_their_flux(self, product: Any, read_one: Any) -> None:
        _, spectrum = read_one(product(wave(), flux(), error(), self.quality([0, 4, 0, 0, 16, 0, 0, 0])))
        ready = prepare(spectrum)
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), [0, 1, 0, 0, 1, 0, 0, 0])
        assert np.isfinite(ready.flux).all()

    def test_a_quality_that_never_is_zero_is_ignored(self, product: Any, read_one: Any) -> None:
        status = self.quality([1, 1, -5, 1, 1, 1, -5, 1], "STATUS")
        assert read_one(product(wave(), flux(), error(), status))[1].bad is None

    def test_the_flags_of_another_flux_are_not_used(self, product: Any, read_one: Any) -> None:
        columns = (wave(), flux(), error(), flux("FLUX_EL", ucd=SIDE), self.quality([1] + [0] * 7, "QUAL_EL"))
        assert read_one(product(*columns))[1].bad is None


class TestFill:
    def test_zero_flux_with_error_one_at_the_ends_of_uves_is_no_measurement(self, product: Any, read_one: Any) -> None:
        values, errors = FLUX.copy(), ERROR.copy()
        values[:2], errors[:2] = 0, 1
        columns = (("FLUX", values, "adu", *flux()[3:]), ("ERR", errors, "adu", *error()[3:]))
        ready = prepare(read_one(product(wave(), *columns))[1])
        np.testing.assert_array_equal(np.isnan(ready.flux), [1, 1, 0, 0, 0, 0, 0, 0])
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), [1, 1, 0, 0, 0, 0, 0, 0])

    def test_a_single_zero_inside_keeps_its_flux(self, product: Any, read_one: Any) -> None:
        values = FLUX.copy()
        values[4] = 0
        ready = prepare(read_one(product(wave(), ("FLUX", values, "adu", *flux()[3:]), error()))[1])
        assert ready.flux[4] == 0


class TestMediumAndFrame:
    @pytest.mark.parametrize(
        ("ucd", "medium"),
        [("em.wl;obs.atmos", "air"), ("em.wl", "vacuum"), ("em.wl;meta.main", "vacuum"), ("", "unknown")],
    )
    def test_only_the_ucd_tells_the_medium(self, product: Any, read_one: Any, ucd: str, medium: str) -> None:
        assert read_one(product(wave(ucd=ucd), flux(), INSTRUME="ESPRESSO"))[1].sampling.medium == medium

    def test_the_main_spectral_column_wins_over_the_air_wavelengths(self, product: Any, read_one: Any) -> None:
        air = ("WAVE_AIR", np.arange(4998.0, 5006.0), "angstrom", "eso:Data.SpectralAxis.Value", "em.wl;obs.atmos")
        _, spectrum = read_one(product(air, wave(ucd="em.wl;meta.main"), flux()))
        assert spectrum.sampling.medium == "vacuum"
        assert spectrum.sampling.values[0] == 5000.0

    @pytest.mark.parametrize(
        ("specsys", "frame"),
        [("BARYCENT", "barycentric"), ("HELIOCEN", "heliocentric"), ("TOPOCENT", "topocentric"), ("LSRK", "unknown")],
    )
    def test_specsys_tells_the_frame(self, product: Any, read_one: Any, specsys: str, frame: str) -> None:
        assert read_one(product(wave(), flux(), SPECSYS=specsys))[1].observation.velocity_frame == frame

    def test_a_barycentric_correction_counts_as_applied_only_in_that_frame(self, product: Any, read_one: Any) -> None:
        applied = read_one(product(wave(), flux(), SPECSYS="BARYCENT", ESO__DRS__BERV=-13.5))[1].observation
        left = read_one(product(wave(), flux(), SPECSYS="TOPOCENT", ESO__QC__VRAD__BARYCOR=-27.0))[1].observation
        assert (applied.berv, applied.rv_applied) == (-13.5, -13.5)
        assert left.berv == -27.0
        assert np.isnan(left.rv_applied)

    def test_wavelengths_in_nm_become_angstrom(self, product: Any, read_one: Any) -> None:
        ready = prepare(read_one(product(wave("nm", values=np.arange(500.0, 508.0)), flux()))[1])
        np.testing.assert_allclose(ready.wavelength, np.arange(5000.0, 5080.0, 10.0))

    def test_a_frequency_column_is_refused(self, product: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="not a wavelength"):
            read_one(product(wave("Hz", "em.freq"), flux()))

    def test_a_spectral_column_without_unit_is_refused_unless_configured(self, product: Any, read_one: Any) -> None:
        path = product(wave(""), flux())
        with pytest.raises(UnknownUnit, match="wavelength_unit"):
            read_one(path)
        options = ReaderOptions(table=TableOptions(wavelength_unit="Angstrom"))
        assert read_one(path, options)[1].sampling.unit == "Angstrom"


class TestNormalisation:
    def test_contnorm_makes_the_flux_a_normalised_product(self, product: Any, read_one: Any) -> None:
        _, spectrum = read_one(product(wave(), flux("FLUX_NORM", ""), error("ERR_NORM", ""), CONTNORM=True))
        assert spectrum.normalized_product
        assert spectrum.observation.flux_calibration == "normalized"
        assert spectrum.noise is not None

    def test_an_original_flux_beside_the_normalised_one_is_the_flux(self, product: Any, read_one: Any) -> None:
        path = product(
            wave(), flux("FLUX_NORM", ""), error("ERR_NORM", ""), flux("FLUX", ucd=SIDE), error("ERR"), CONTNORM=True
        )
        _, spectrum = read_one(path)
        assert not spectrum.normalized_product
        np.testing.assert_array_equal(spectrum.flux, FLUX + 4)
        np.testing.assert_array_equal(spectrum.normalized, FLUX + 9)
        np.testing.assert_array_equal(spectrum.normalized_sigma, ERROR + 8)

    def test_a_continuum_column_is_the_continuum(self, product: Any, read_one: Any) -> None:
        column = ("CONTINUUM", FLUX * 2, "adu", "eso:Data.ContinuumModel.Value", SIDE)
        _, spectrum = read_one(product(wave(), flux(), column))
        np.testing.assert_array_equal(spectrum.continuum, FLUX * 2)
        assert spectrum.continuum_method == "column:CONTINUUM"

    def test_a_continuum_in_another_unit_is_converted_or_refused(self, product: Any, read_one: Any) -> None:
        column = ("CONTINUUM", FLUX * 2000, "mJy", "", "")
        _, spectrum = read_one(product(wave(), flux(unit="Jy"), column))
        np.testing.assert_allclose(prepare(spectrum).continuum, FLUX * 2, rtol=1e-6)
        assert spectrum.continuum_method == "column:CONTINUUM"
        with pytest.raises(UnknownUnit, match="CONTINUUM is in 'mJy' and FLUX in 'adu'"):
            read_one(product(wave(), flux(), column))


class TestStorage:
    """Layouts of the same vectors that the hot path leaves to astropy."""

    def rewritten(self, product: Any, change: Any) -> Path:
        path = product(wave(), flux(), error())
        with fits.open(path) as hdus:
            columns = [change(column, hdus[1].data[column.name]) for column in hdus[1].columns]
            table_hdu = fits.BinTableHDU.from_columns(columns)
            for card in hdus[1].header.cards:
                if card.keyword.startswith(("TUTYP", "TUCD")):
                    table_hdu.header.append(card)
            fits.HDUList([hdus[0].copy(), table_hdu]).writeto(path, overwrite=True)
        return path

    def test_vectors_of_variable_length(self, product: Any, read_one: Any) -> None:
        def change(column: fits.Column, values: np.ndarray) -> fits.Column:
            cells = np.empty(1, dtype=object)
            cells[0] = values[0]
            return fits.Column(column.name, "PD()", unit=column.unit, array=cells)

        _, spectrum = read_one(self.rewritten(product, change))
        np.testing.assert_array_equal(spectrum.flux, FLUX + 4)
        np.testing.assert_array_equal(prepare(spectrum).wavelength, np.arange(5000.0, 5008.0))

    def test_vectors_with_dimensions(self, product: Any, read_one: Any) -> None:
        def change(column: fits.Column, values: np.ndarray) -> fits.Column:
            return fits.Column(column.name, "8D", unit=column.unit, dim="(8,1)", array=values.reshape(1, 1, 8))

        _, spectrum = read_one(self.rewritten(product, change))
        np.testing.assert_array_equal(spectrum.flux, FLUX + 4)
        np.testing.assert_array_equal(spectrum.noise, ERROR + 3)

    def test_scaled_integers(self, product: Any, read_one: Any, reference: Any) -> None:
        path = product(wave(values=np.arange(8)), flux(), error())
        fits.setval(path, "TSCAL1", value=0.5, ext=1)
        fits.setval(path, "TZERO1", value=5000.0, ext=1)
        values = read_one(path)[1].sampling.values
        np.testing.assert_array_equal(values, 5000.0 + 0.5 * np.arange(8))
        np.testing.assert_array_equal(values, reference(path)[1].data["WAVE"][0])


class TestHeader:
    def test_the_archive_name_is_the_identifier(self, product: Any, read_one: Any) -> None:
        path = product(wave(), flux(), ARCFILE="ADP.2014-09-16T11:05:24.123.fits")
        assert read_one(path)[1].spec_id == "ADP.2014-09-16T11:05:24.123"

    def test_without_archive_name_the_identifier_is_left_to_the_path(self, product: Any, read_one: Any) -> None:
        assert read_one(product(wave(), flux()))[1].spec_id == ""

    def test_sentinels_are_missing(self, product: Any, read_one: Any) -> None:
        observation = read_one(product(wave(), flux(), SNR=-1.0, RA=-9999.0, EXPTIME=-999.0))[1].observation
        assert np.isnan([observation.snr, observation.ra, observation.exptime]).all()
        assert observation.snr_method == ""

    def test_a_date_without_time_yields_to_the_modified_julian_date(self, product: Any, read_one: Any) -> None:
        cards = {"DATE_dash_OBS": "2011-08-11", "MJD_dash_OBS": 55784.97491049}
        assert read_one(product(wave(), flux(), **cards))[1].observation.date_obs == "2011-08-11T23:23:52.266"

    def test_several_epochs_are_stacked_and_have_no_date(self, product: Any, read_one: Any) -> None:
        cards = {"M_EPOCH": True, "DATE_dash_OBS": "2011-08-11T01:02:03"}
        observation = read_one(product(wave(), flux(), **cards))[1].observation
        assert (observation.source_type, observation.date_obs) == ("stacked", "")

    def test_a_table_that_declares_the_vo_class_needs_no_category(self, write_fits: Any, read_one: Any) -> None:
        hdu = table(wave(), flux(), error())
        hdu.header["VOCLASS"] = "SPECTRUM V1.0"
        assert read_one(write_fits(hdu))[0] == "eso-sdp"


class TestRefusals:
    def test_several_rows_are_refused_with_what_was_seen(self, product: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="3 rows of WAVE, FLUX"):
            read_one(product(wave(), flux(), rows=3))

    def test_a_product_without_table_is_refused(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(MissingField, match="no binary table"):
            read_one(write_fits(PRODCATG="SCIENCE.SPECTRUM"))

    def test_a_table_without_flux_is_refused(self, product: Any, read_one: Any) -> None:
        with pytest.raises(MissingField, match="no flux axis"):
            read_one(product(wave(), error()))


class TestLattice:
    def grid(self, spectrum: Any) -> Any:
        return prepare(spectrum).grid

    def test_harps_files_of_the_legacy_pipeline_lie_on_a_hundredth_of_an_angstrom(
        self, product: Any, read_one: Any
    ) -> None:
        values = 3781.37 + 0.01 * np.arange(8)
        cards = {"INSTRUME": "HARPS", "ESO__DRS__VERSION": "HARPS_3.5"}
        grid = self.grid(read_one(product(wave(values=values), flux(), **cards))[1])
        assert (grid.scale, grid.first) == ("linear", 378137)

    def test_other_harps_files_keep_their_wavelengths(self, product: Any, read_one: Any) -> None:
        values = 3781.37 + 0.01 * np.arange(8)
        assert self.grid(read_one(product(wave(values=values), flux(), INSTRUME="HARPS"))[1]).scale == "explicit"

    def test_feros_files_beside_their_lattice_keep_their_wavelengths(self, product: Any, read_one: Any) -> None:
        on, beside = 3530.1 + 0.03 * np.arange(8), 3530.11 + 0.03 * np.arange(8)
        assert self.grid(read_one(product(wave(values=on), flux(), INSTRUME="FEROS"))[1]).first == 117670
        assert self.grid(read_one(product(wave(values=beside), flux(), INSTRUME="FEROS"))[1]).first is None

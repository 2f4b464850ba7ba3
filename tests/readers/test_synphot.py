"""Tables of synphot and of the STScI libraries, made with the headers of real ones, and look-alikes of CALSPEC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import RefusedProduct, UnknownUnit
from spectral_zarr.transforms import prepare

N = 40
WAVE = np.linspace(3000.0, 9000.0, N)
FLUX = 1e-8 * (2 + np.sin(np.arange(float(N))))
SUN = {"TEFF": 5777, "LOG_G": 4.4377, "LOG_Z": -0.5, "FILENAME": "sun_kurucz93.fits"}
INDEF = 1.6e38


def table(unit: str = "FLAM", *, wave_unit: str = "ANGSTROMS", **others: np.ndarray) -> fits.BinTableHDU:
    flux = others.pop("FLUX", FLUX)
    return fits.BinTableHDU.from_columns(
        [
            fits.Column("WAVELENGTH", "E", unit=wave_unit or None, array=WAVE),
            fits.Column("FLUX", "E", unit=unit or None, array=flux),
            *(fits.Column(name, "E", unit=unit or None, array=array) for name, array in others.items()),
        ]
    )


class TestSynphot:
    def test_a_kurucz_model_has_its_parameters(
        self, write_fits: Any, read_one: Any, claimants: Any, reference: Any
    ) -> None:
        path = write_fits(table(), **SUN)
        assert claimants(path) == ["stsci-synphot"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_array_equal(ready.flux, reference(path)[1].data["FLUX"])
        assert ready.flux_unit == "erg / (Angstrom cm2 s)"
        assert dict(spectrum.params) == {"teff": 5777.0, "logg": 4.4377, "m_h": -0.5, "feh": -0.5}
        facts = spectrum.observation
        assert (facts.source_type, facts.simulator, facts.velocity_frame) == ("synthetic", "ATLAS9-K93", "rest")
        assert spectrum.sampling.medium == "unknown"

    def test_what_synphot_evaluated_is_no_observation(self, write_fits: Any, read_one: Any) -> None:
        made = table()
        made.header["EXPR"] = "em(1215.7,0.04,3.05e-13,flam)"
        facts = read_one(write_fits(made))[1].observation
        assert (facts.source_type, facts.simulator) == ("synthetic", "synphot")
        facts = read_one(write_fits(table(), ORIGIN="pysynphot"))[1].observation
        assert facts.source_type == "synthetic"

    @pytest.mark.parametrize(
        ("target", "source_type"), [("Bright QSO", "stacked"), ("Model SPectrum of NGC 1068", "synthetic")]
    )
    def test_a_template_is_a_model_or_a_stack(
        self, write_fits: Any, read_one: Any, target: str, source_type: str
    ) -> None:
        made = table()
        made.header.update({"DBTABLE": "crgrid", "TARGETID": target, "SOURCE": "J.R. Walsh, May 1996"})
        facts = read_one(write_fits(made))[1].observation
        assert (facts.source_type, facts.object) == (source_type, target)
        assert bool(facts.simulator) == (source_type == "synthetic")

    @pytest.mark.parametrize(
        ("unit", "canonical"),
        [
            ("PHOTLAM", "ph / (Angstrom cm2 s)"),
            ("photnu", "ph / (Hz cm2 s)"),
            ("fnu", "erg / (Hz cm2 s)"),
            ("counts", "ct"),
        ],
    )
    def test_units_of_synphot_are_known(self, write_fits: Any, read_one: Any, unit: str, canonical: str) -> None:
        assert prepare(read_one(write_fits(table(unit), ORIGIN="synphot"))[1]).flux_unit == canonical

    def test_magnitudes_are_no_flux(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="STMAG"):
            read_one(write_fits(table("STMAG"), DBTABLE="= 'CRGRID'"))

    def test_a_wavelength_in_another_unit_is_refused(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(UnknownUnit, match="hertz"):
            read_one(write_fits(table(wave_unit="hertz"), ORIGIN="synphot"))

    def test_numbers_that_iraf_left_undefined_are_missing(self, write_fits: Any, read_one: Any) -> None:
        flux = np.where(np.arange(N) == 7, INDEF, FLUX)
        ready = prepare(read_one(write_fits(table(FLUX=flux), **SUN))[1])
        np.testing.assert_array_equal(np.isnan(ready.flux), np.arange(N) == 7)

    def test_a_model_is_published(self, write_fits: Any, tmp_path: Path) -> None:
        target = tmp_path / "sun.zarr"
        ingest(IngestRequest((str(write_fits(table(), **SUN)),), str(target)), SerialExecutor())
        assert validate(target).valid
        store = zarr.open_group(target, mode="r")
        assert (store["metadata/simulator"][0], store["params/teff"][0]) == ("ATLAS9-K93", 5777.0)


class TestLookAlikesOfCalspec:
    """Columns as of CALSPEC in tables of others: KCWI's standards have no units and wavelengths in air."""

    ERRORS = ("STATERROR", "SYSERROR", "FWHM")

    def others(self) -> dict[str, np.ndarray]:
        return dict.fromkeys(self.ERRORS, 0.05 * FLUX)

    def test_without_units_nothing_is_assumed(self, write_fits: Any, read_one: Any, claimants: Any) -> None:
        path = write_fits(table("", wave_unit="", **self.others()))
        assert claimants(path) == []
        with pytest.raises(UnknownUnit, match=r"WAVELENGTH has no unit.*FLUX has no unit.*and flux_unit"):
            read_one(path)

    def test_with_units_from_the_user_the_error_is_used(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(table("", wave_unit="", **self.others()))
        options = ReaderOptions(table=TableOptions(wavelength_unit="Angstrom", flux_unit="FLAM", medium="air"))
        name, spectrum = read_one(path, options)
        assert (name, spectrum.sampling.medium, spectrum.observation.instrument) == ("generic-table", "air", "")
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, (0.05 * FLUX).astype("f4"))

    def test_undefined_errors_of_the_sun_are_unknown(self, write_fits: Any, read_one: Any) -> None:
        others = {**self.others(), "STATERROR": np.full(N, INDEF)}
        cards = {"DBTABLE": "CRSPECTRUM", "TARGETID": "SUN_REFERENCE", "FILENAME": "sun_reference_stis_001.fits"}
        name, spectrum = read_one(write_fits(table(**others), **cards))
        ready = prepare(spectrum)
        assert (name, spectrum.observation.instrument) == ("hst-calspec", "")
        assert np.isfinite(ready.flux).all()
        assert ready.uncertainty is None or np.isnan(ready.uncertainty).all()

    def test_a_model_of_calspec_has_its_parameters(self, write_fits: Any, read_one: Any) -> None:
        cards = {"DBTABLE": "CRSPECTRUM", "TARGETID": "ALPHA_LYR_MOD", "TEFFGRAV": "9550/3.95"}
        _, spectrum = read_one(write_fits(table(CONTINUUM=FLUX), **cards))
        assert dict(spectrum.params) == {"teff": 9550.0, "logg": 3.95}
        assert spectrum.observation.params_source == "header"

    def test_magnitudes_stay_refused_whatever_unit_is_configured(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="magnitudes"):
            read_one(write_fits(table("ABmag")), ReaderOptions(table=TableOptions(flux_unit="FLAM")))

    def test_undefined_numbers_of_any_table_are_missing(self, write_fits: Any, read_one: Any) -> None:
        flux, error = np.where(np.arange(N) == 3, INDEF, FLUX), np.where(np.arange(N) == 5, INDEF, 0.1 * FLUX)
        name, spectrum = read_one(write_fits(table(FLUX=flux, ERROR=error)))
        assert name == "generic-table"
        ready = prepare(spectrum)
        np.testing.assert_array_equal(np.isnan(ready.flux), np.arange(N) == 3)
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), np.isin(np.arange(N), (3, 5)))

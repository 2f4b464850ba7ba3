"""Tables of unknown origin: customary names, configured names, units, and ambiguity refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import MissingField, NotASpectrum, RefusedProduct, UnknownUnit
from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare

WAVE = np.arange(5000.0, 5012.0)
FLUX = np.linspace(1.0, 2.0, 12)
ERROR = np.full(12, 0.5)
UNITS = {"wavelength_unit": "Angstrom", "flux_unit": "adu"}


def options(**table: Any) -> ReaderOptions:
    return ReaderOptions(table=TableOptions(**table))


@pytest.fixture
def pixels(write_fits: Any) -> Any:
    """A table with one pixel per row, columns by name with their unit after a comma."""

    def write(columns: dict[str, Any], *, vector: bool = False, **cards: Any) -> Path:
        made = []
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        for label, values in columns.items():
            name, _, unit = label.partition(",")
            values = np.asarray(values)
            code = {"f": "D", "i": "J", "U": "8A", "S": "8A"}[values.dtype.kind]
            form = f"{values.size}{code}" if vector else code
            made.append(fits.Column(name, form, unit=unit or None, array=values[None] if vector else values))
        return write_fits(fits.BinTableHDU.from_columns(made), **cards)

    return write


class TestNames:
    @pytest.mark.parametrize("wave", ["wave", "Wavelength", "LAMBDA", "lam", "AWAV", "waveobs", "WAVE (Angstrom)"])
    @pytest.mark.parametrize("flux", ["flux", "FLAM", "Intensity", " Flux (adu)"])
    def test_customary_names_are_found_in_any_case(self, pixels: Any, read_one: Any, wave: str, flux: str) -> None:
        name, spectrum = read_one(pixels({wave: WAVE, flux: FLUX}), options(**UNITS))
        assert name == "generic-table"
        np.testing.assert_array_equal(spectrum.sampling.values, WAVE)
        np.testing.assert_array_equal(spectrum.flux, FLUX)

    @pytest.mark.parametrize(
        ("label", "kind"),
        [
            ("err", "sigma"),
            ("Sigma", "sigma"),
            ("e_flux", "sigma"),
            ("uncertainty", "sigma"),
            ("unc_flux", "sigma"),
            ("noise", "sigma"),
            ("fluxerror", "sigma"),
            ("ivar", "ivar"),
            ("INVVAR", "ivar"),
            ("var", "variance"),
        ],
    )
    def test_the_name_tells_what_the_noise_is(self, pixels: Any, read_one: Any, label: str, kind: str) -> None:
        _, spectrum = read_one(pixels({"wave": WAVE, "flux": FLUX, label: ERROR}), options(**UNITS))
        assert spectrum.noise_kind == kind
        np.testing.assert_array_equal(spectrum.noise, ERROR)

    def test_a_table_without_noise_has_none(self, pixels: Any, read_one: Any) -> None:
        assert read_one(pixels({"wave,nm": WAVE, "flux,adu": FLUX}))[1].noise is None

    def test_a_continuum_names_its_column(self, pixels: Any, read_one: Any) -> None:
        _, spectrum = read_one(pixels({"wave,nm": WAVE, "flux,adu": FLUX, "Cont": ERROR}))
        assert spectrum.continuum_method == "column:Cont"

    def test_one_row_of_vectors_is_one_spectrum(self, pixels: Any, read_one: Any) -> None:
        path = pixels({"WAVE,Angstrom": WAVE, "FLUX,adu": FLUX, "ERR,adu": ERROR}, vector=True)
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, FLUX)
        np.testing.assert_array_equal(spectrum.noise, ERROR)

    @pytest.mark.parametrize(("label", "scale"), [("loglam", "log10"), ("LOGWAVE", "log10"), ("lnlam", "ln")])
    def test_a_logarithm_is_known_by_its_name(self, pixels: Any, read_one: Any, label: str, scale: str) -> None:
        values = np.log10(WAVE) if scale == "log10" else np.log(WAVE)
        _, spectrum = read_one(pixels({label: values, "flux,adu": FLUX}), options(wavelength_unit="Angstrom"))
        assert spectrum.sampling.scale == scale
        np.testing.assert_allclose(prepare(spectrum).wavelength, WAVE, rtol=1e-12)


class TestConfiguration:
    def test_configured_names_win(self, pixels: Any, read_one: Any) -> None:
        columns = {"wave": WAVE + 1, "flux": FLUX + 1, "err": ERROR, "L": WAVE, "best": FLUX, "scatter": ERROR * 2}
        chosen = options(wavelength="l", flux="best", uncertainty="scatter", **UNITS)
        _, spectrum = read_one(pixels(columns), chosen)
        np.testing.assert_array_equal(spectrum.sampling.values, WAVE)
        np.testing.assert_array_equal(spectrum.flux, FLUX)
        np.testing.assert_array_equal(spectrum.noise, ERROR * 2)

    def test_a_configured_logarithm_and_medium_are_used(self, pixels: Any, read_one: Any) -> None:
        chosen = options(wavelength="x", wavelength_scale="log10", medium="vacuum", **UNITS)
        _, spectrum = read_one(pixels({"x": np.log10(WAVE), "flux": FLUX}), chosen)
        assert (spectrum.sampling.scale, spectrum.sampling.medium) == ("log10", "vacuum")

    def test_a_configured_column_that_is_not_there_is_named(self, pixels: Any, read_one: Any) -> None:
        with pytest.raises(MissingField, match="no column sky"):
            read_one(pixels({"wave": WAVE, "flux": FLUX}), options(uncertainty="sky", **UNITS))

    def test_uncertainty_and_inverse_variance_together_are_refused(self, pixels: Any, read_one: Any) -> None:
        columns = {"wave": WAVE, "flux": FLUX, "err": ERROR, "ivar": ERROR}
        with pytest.raises(RefusedProduct, match="keep one"):
            read_one(pixels(columns), options(uncertainty="err", ivar="ivar", **UNITS))


class TestAmbiguity:
    @pytest.mark.parametrize(
        ("extra", "key"),
        [("lambda", "wavelength"), ("intensity", "flux"), ("sigma", "uncertainty"), ("ivar", "uncertainty or ivar")],
    )
    def test_two_candidates_are_refused_with_the_key(self, pixels: Any, read_one: Any, extra: str, key: str) -> None:
        columns = {"wave": WAVE, "flux": FLUX, "err": ERROR, extra: WAVE}
        with pytest.raises(RefusedProduct, match=rf"set {key} in \[readers.table\]"):
            read_one(pixels(columns), options(**UNITS))

    def test_two_tables_need_the_configuration(self, pixels: Any, write_fits: Any, read_one: Any) -> None:
        def table() -> fits.BinTableHDU:
            columns = [fits.Column("wave", "D", "nm", array=WAVE), fits.Column("flux", "D", "adu", array=FLUX)]
            return fits.BinTableHDU.from_columns(columns)

        other = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=WAVE)])
        path = write_fits(other, table(), table())
        with pytest.raises(RefusedProduct, match=r"2 \(table\), 3 \(table\).*set hdu = 2"):
            read_one(path)
        assert read_one(path, options(hdu=3))[1].hdu == 3


class TestUnits:
    def test_units_come_from_the_columns(self, pixels: Any, read_one: Any) -> None:
        _, spectrum = read_one(pixels({"wave,nm": WAVE / 10, "flux,erg/s/cm2/A": FLUX}))
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.wavelength, WAVE)
        assert ready.flux_unit == "erg / (Angstrom cm2 s)"

    def test_units_in_the_names_count(self, pixels: Any, read_one: Any) -> None:
        _, spectrum = read_one(pixels({"Wavelength (nm)": WAVE / 10, "Flux [Jy]": FLUX}))
        assert (spectrum.sampling.unit, spectrum.flux_unit) == ("nm", "Jy")

    def test_the_primary_header_may_hold_the_unit_of_the_flux(self, pixels: Any, read_one: Any) -> None:
        path = pixels({"wave,nm": WAVE, "flux": FLUX}, BUNIT="Jy")
        assert read_one(path)[1].flux_unit == "Jy"

    @pytest.mark.parametrize("key", ["wavelength_unit", "flux_unit"])
    def test_a_missing_unit_names_the_key(self, pixels: Any, read_one: Any, key: str) -> None:
        given = {name: unit for name, unit in UNITS.items() if name != key}
        with pytest.raises(UnknownUnit, match=rf"set {key} in \[readers.table\]"):
            read_one(pixels({"wave": WAVE, "flux": FLUX}), options(**given))

    def test_an_error_in_another_unit_is_refused(self, pixels: Any, read_one: Any) -> None:
        with pytest.raises(UnknownUnit, match="convert one of them"):
            read_one(pixels({"wave,nm": WAVE, "flux,Jy": FLUX, "err,%": ERROR}))


class TestMedium:
    def test_a_column_called_awav_is_in_air(self, pixels: Any, read_one: Any) -> None:
        assert read_one(pixels({"AWAV,nm": WAVE, "flux,adu": FLUX}))[1].sampling.medium == "air"

    def test_nothing_else_is_guessed(self, pixels: Any, read_one: Any) -> None:
        assert read_one(pixels({"wave,nm": WAVE, "flux,adu": FLUX}))[1].sampling.medium == "unknown"


class TestClaims:
    def test_the_column_names_of_polarbase_alone_do_not_make_it_polarbase(self, pixels: Any, read_one: Any) -> None:
        columns = {"AWAV,nm": WAVE, "FLUX,erg/s/cm2/Angstrom": FLUX, "FLUX_ERR,erg/s/cm2/Angstrom": ERROR}
        name, spectrum = read_one(pixels(columns))
        assert (name, spectrum.flux_unit) == ("generic-table", "erg/s/cm2/Angstrom")

    def test_a_catalogue_is_no_spectrum(self, pixels: Any, read_one: Any) -> None:
        with pytest.raises(NotASpectrum):
            read_one(pixels({"ra": WAVE, "dec": WAVE, "flux": FLUX}))

    def test_a_line_list_with_names_is_no_spectrum(self, pixels: Any, read_one: Any) -> None:
        columns = {"name": np.array(["Fe"] * 12), "wavelength,nm": WAVE, "flux,adu": FLUX}
        with pytest.raises(NotASpectrum):
            read_one(pixels(columns))
        assert read_one(pixels(columns), options(wavelength="wavelength"))[0] == "generic-table"

    def test_generated_files_agree_with_astropy(self, tmp_path: Path, read_one: Any, reference: Any) -> None:
        for path in write_samples(tmp_path, "generic-table", 2, n_pix=300):
            data = reference(path)[1].data
            name, spectrum = read_one(path)
            assert name == "generic-table"
            np.testing.assert_array_equal(spectrum.flux, data["flux"])
            np.testing.assert_array_equal(spectrum.noise, data["err"])
            np.testing.assert_array_equal(spectrum.sampling.values, data["wave"])
            assert (spectrum.sampling.unit, spectrum.flux_unit) == ("Angstrom", "erg/s/cm2/Angstrom")
            prepare(spectrum)

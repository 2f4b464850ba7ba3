"""Model grids in FITS made after their papers: Coelho, INTRIGOSS, BT-Settl (CIFIST) and BOSZ of 2017."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ImageOptions, ReaderOptions, TableOptions
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.transforms import prepare

WAVELENGTH = 5000.0 + 0.02 * np.arange(8)
FLUX = np.linspace(1e6, 2e6, 8)
COELHO = {"TEFF": 5750.0, "LOG_G": 4.5, "FEH": -0.5, "AFE": 0.4}
AXIS = {"CRVAL1": 5000.0, "CDELT1": 0.02}


def coelho(path: Path, **cards: Any) -> Path:
    hdu = fits.PrimaryHDU(FLUX.astype("f4"))
    hdu.header.update({key: value for key, value in {**COELHO, **AXIS, **cards}.items() if value is not None})
    hdu.writeto(path)
    return path


def table(path: Path, columns: dict[str, tuple[str, Any]], *, vectors: bool = False, **cards: Any) -> Path:
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    made = []
    for name, (unit, values) in columns.items():
        form, array = (f"{len(values)}D", [values]) if vectors else ("D", values)
        made.append(fits.Column(name, form, unit=unit or None, array=array))
    fits.HDUList([primary, fits.BinTableHDU.from_columns(made)]).writeto(path)
    return path


class TestCoelho:
    def test_wavelengths_are_in_air_and_parameters_in_the_header(
        self, tmp_path: Path, read_one: Any, claimants: Any
    ) -> None:
        path = coelho(tmp_path / "5750_45_m05p04.ms.fits", BUNIT="erg/s/cm2/A")
        assert claimants(path) == ["coelho"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.grid.wavelength(), WAVELENGTH, rtol=1e-13)
        assert (spectrum.sampling.medium, ready.flux_unit) == ("air", "erg / (Angstrom cm2 s)")
        assert spectrum.params == {"teff": 5750, "logg": 4.5, "feh": -0.5, "alpha_m": 0.4}
        assert spectrum.spec_id == "5750_45_m05p04.ms"

    def test_a_flux_without_unit_needs_the_configuration(self, tmp_path: Path, read_one: Any) -> None:
        path = coelho(tmp_path / "a.fits")
        with pytest.raises(UnknownUnit, match="flux_unit"):
            read_one(path)
        options = ReaderOptions(image=ImageOptions(flux_unit="normalized"))
        assert prepare(read_one(path, options)[1]).flux_unit == "dimensionless"

    def test_an_image_without_the_four_cards_is_of_no_library(self, tmp_path: Path, claimants: Any) -> None:
        assert claimants(coelho(tmp_path / "a.fits", AFE=None)) == []

    def test_a_card_without_a_number_is_a_missing_parameter(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(MissingField, match="LOG_G"):
            read_one(coelho(tmp_path / "a.fits", LOG_G="INDEF", BUNIT="adu"))


class TestIntrigoss:
    @pytest.mark.parametrize("vectors", [False, True])
    def test_columns_and_cards(self, tmp_path: Path, read_one: Any, claimants: Any, vectors: bool) -> None:
        columns = {"wavelength": ("Angstrom", WAVELENGTH), "surface_flux": ("", FLUX)}
        cards = {"TEFF": 5000, "LOG_G": 2.5, "FEH": 0.25, "ALPHA": 0.3, "VT": 1.0}
        path = table(tmp_path / "a.fits", columns, vectors=vectors, **cards)
        assert claimants(path) == ["intrigoss"]
        _, spectrum = read_one(path, ReaderOptions(table=TableOptions(medium="air")))
        np.testing.assert_array_equal(spectrum.flux, FLUX)
        np.testing.assert_array_equal(spectrum.sampling.values, WAVELENGTH)
        assert spectrum.params == {"teff": 5000, "logg": 2.5, "feh": 0.25, "alpha_m": 0.3, "vmic": 1}
        assert (spectrum.sampling.medium, prepare(spectrum).flux_unit) == ("air", "erg / (Angstrom cm2 s)")


class TestBtSettl:
    NAME = "lte035.0-4.5-0.5a+0.2.BT-Settl.spec.fits"

    def columns(self) -> dict[str, tuple[str, Any]]:
        return {"Wavelength": ("", WAVELENGTH / 1e4), "Flux": ("", FLUX)}

    def test_micrometres_become_angstrom_and_the_name_gives_the_parameters(
        self, tmp_path: Path, claimants: Any
    ) -> None:
        (tmp_path / "models").mkdir()
        for name in (self.NAME, self.NAME.replace("035.0", "030.5")):
            path = table(tmp_path / "models" / name, self.columns())
        assert claimants(path) == ["bt-settl"]
        target = tmp_path / "out.zarr"
        ingest(IngestRequest((str(tmp_path / "models"),), str(target)), SerialExecutor())
        assert not [finding for finding in validate(str(target)).findings if finding.severity == "error"]
        store = zarr.open_group(str(target), mode="r")
        np.testing.assert_allclose(store["signal/wavelength"][:], WAVELENGTH, rtol=1e-12)
        assert store["signal/wavelength"].attrs["medium"] == "vacuum"
        assert store["signal/flux_raw"].attrs["units"] == "W / (m2 um)"
        assert list(store["params/teff"][:]) == [3050, 3500]
        assert (store["params/logg"][0], store["params/feh"][0], store["params/alpha_m"][0]) == (4.5, -0.5, 0.2)
        assert store["metadata/simulator"][0] == "BT-Settl"

    def test_a_model_that_lost_its_name_is_refused(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(MissingField, match="name"):
            read_one(table(tmp_path / "a.fits", self.columns(), PHXTEFF=3500.0))

    def test_another_table_of_phoenix_is_refused(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="PHOENIX"):
            read_one(table(tmp_path / "a.fits", {"tau": ("", FLUX), "temp": ("K", FLUX)}, PHXTEFF=3500.0))


class TestBosz2017:
    NAME = "amp00cm05op03t4250g25v20modrt0b2000rs.fits"

    @pytest.mark.parametrize("vectors", [False, True])
    def test_the_flux_is_four_pi_times_the_specific_intensity(
        self, tmp_path: Path, read_one: Any, claimants: Any, vectors: bool
    ) -> None:
        columns = {
            "Wavelength": ("Angstrom", WAVELENGTH),
            "SpecificIntensity": ("", FLUX),
            "Continuum": ("", FLUX * 1.1),
        }
        path = table(tmp_path / self.NAME, columns, vectors=vectors)
        assert claimants(path) == ["bosz-2017"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        scale, _, unit = ready.flux_unit.partition(" ")
        assert (float(scale), unit) == (pytest.approx(4 * np.pi, rel=1e-15), "erg / (Angstrom cm2 s)")
        np.testing.assert_array_equal(ready.flux, FLUX.astype("f4"))
        np.testing.assert_array_equal(ready.continuum, (FLUX * 1.1).astype("f4"))
        assert (spectrum.sampling.medium, spectrum.observation.resolving_power) == ("vacuum", 2000)
        assert spectrum.params == {
            "teff": 4250, "logg": 2.5, "m_h": 0, "feh": 0, "c_m": -0.5, "alpha_m": 0.25, "vmic": 2, "vsini": 0,
        }  # fmt: skip

    def test_a_renamed_file_is_refused(self, tmp_path: Path, read_one: Any) -> None:
        columns = dict.fromkeys(("Wavelength", "SpecificIntensity", "Continuum"), ("", FLUX))
        with pytest.raises(MissingField, match="name does not give"):
            read_one(table(tmp_path / "a.fits", columns))

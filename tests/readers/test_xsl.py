"""The X-shooter Spectral Library: DR3 merged, arms of earlier releases, and the choice of flux.

The files are written with astropy from the format pages of the releases (Verro et al. 2022, Gonneau et al. 2020).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import MissingField
from spectral_zarr.transforms import prepare

UNIT = "erg/s/cm2/A"
CARDS = {
    "OBJECT": "HD_1638",
    "HNAME": "HD 1638",
    "XSL_ID": "X0004",
    "REST_VAL": 20.5,
    "REST_COR": True,
    "BARY_COR": -11.2,
    "SNR": 66.0,
}


def table(wave: np.ndarray, **columns: Any) -> fits.BinTableHDU:
    usual = {"WAVE": wave, "FLUX": np.full(wave.size, 2e-13), "ERR": np.full(wave.size, 1e-15), **columns}
    units = {"WAVE": "nm"}
    made = [fits.Column(n, "D", array=a, unit=units.get(n, UNIT)) for n, a in usual.items() if a is not None]
    return fits.BinTableHDU.from_columns(made)


MERGED = 10 ** np.linspace(np.log10(350.0), np.log10(2480.0), 400)


class TestMerged:
    def test_a_merged_spectrum_is_in_vacuum_at_rest(self, write_fits: Any, read_one: Any, claimants: Any) -> None:
        path = write_fits(table(MERGED, FLUX_DR=np.full(400, 3e-13)), **CARDS)
        assert claimants(path) == ["xsl"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.wavelength, 10 * MERGED, rtol=1e-13)
        np.testing.assert_allclose(ready.flux, 2e-13, rtol=1e-6)
        np.testing.assert_allclose(ready.uncertainty, 1e-15, rtol=1e-6)
        observation = spectrum.observation
        assert (spectrum.sampling.medium, observation.velocity_frame, observation.rv_applied) == (
            "vacuum",
            "rest",
            20.5,
        )
        assert (observation.object, observation.object_id, observation.snr) == ("HD 1638", "X0004", 66.0)
        assert (ready.flux_unit, spectrum.params) == ("erg / (Angstrom cm2 s)", {"rv": 20.5})

    @pytest.mark.parametrize("name", ["FLUX_DR", "FLUX_SC"])
    def test_the_dereddened_flux_can_be_chosen(self, write_fits: Any, read_one: Any, name: str) -> None:
        path = write_fits(table(MERGED, **{name: np.full(400, 3e-13)}), **CARDS)
        _, spectrum = read_one(path, ReaderOptions(table=TableOptions(flux=name)))
        assert spectrum.flux[0] == 3e-13
        assert spectrum.noise[0] == 1e-15

    def test_vectors_in_one_row(self, write_fits: Any, read_one: Any) -> None:
        columns = [
            fits.Column(name, "400D", array=array[None], unit=unit)
            for name, array, unit in (("WAVE", MERGED, "nm"), ("FLUX", MERGED, UNIT), ("ERR", MERGED, UNIT))
        ]
        _, spectrum = read_one(write_fits(fits.BinTableHDU.from_columns(columns), **CARDS))
        np.testing.assert_array_equal(spectrum.flux, MERGED)

    def test_the_name_of_the_file_is_enough(self, tmp_path: Path, read_one: Any) -> None:
        path = tmp_path / "xsl_spectrum_X0004_merged.fits"
        hdu = table(MERGED)
        hdu.header["TUNIT2"] = "what the author typed"
        hdu.writeto(path)
        name, spectrum = read_one(path)
        assert (name, spectrum.sampling.medium) == ("xsl", "vacuum")
        assert prepare(spectrum).flux_unit == "erg / (Angstrom cm2 s)"

    def test_an_unknown_column_has_a_code(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(table(MERGED), **CARDS)
        with pytest.raises(MissingField, match="FLUX_XX among WAVE, FLUX, ERR"):
            read_one(path, ReaderOptions(table=TableOptions(flux="FLUX_XX")))

    def test_merged_spectra_are_published(self, write_fits: Any, tmp_path: Path) -> None:
        path = write_fits(table(MERGED), **CARDS)
        ingest(IngestRequest((str(path),), str(tmp_path / "xsl.zarr")), SerialExecutor())
        assert validate(str(tmp_path / "xsl.zarr")).valid


class TestArms:
    ARM = np.linspace(533.0, 1020.0, 300)

    def test_an_arm_of_the_earlier_releases_is_in_air(self, write_fits: Any, read_one: Any) -> None:
        _, spectrum = read_one(write_fits(table(self.ARM), **CARDS))
        assert spectrum.sampling.medium == "air"

    def test_the_user_and_the_ucd_know_better(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(table(self.ARM), **CARDS)
        options = ReaderOptions(table=TableOptions(medium="vacuum"))
        assert read_one(path, options)[1].sampling.medium == "vacuum"
        hdu = table(self.ARM)
        hdu.header["TUCD1"] = "em.wl"
        assert read_one(write_fits(hdu, **CARDS))[1].sampling.medium == "vacuum"

    def test_a_spectrum_that_was_not_shifted_says_so(self, write_fits: Any, read_one: Any) -> None:
        observation = read_one(write_fits(table(self.ARM), **{**CARDS, "REST_COR": False}))[1].observation
        assert observation.velocity_frame == "barycentric"
        assert np.isnan(observation.rv_applied)

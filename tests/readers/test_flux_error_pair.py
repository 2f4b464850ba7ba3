"""Flux and error in two files: joined by name, checked by header, and an error is never taken for a flux."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import RefusedProduct, TooManyRejections
from spectral_zarr.transforms import prepare

N_PIX = 60
FLUX = np.linspace(1.0, 2.0, N_PIX, dtype=np.float32)
ERROR = np.full(N_PIX, 0.1, np.float32)


def write(path: Path, values: np.ndarray, **cards: Any) -> Path:
    """An image as the XIDL pipelines write it: log10 of Angstrom without a unit."""
    hdu = fits.PrimaryHDU(values)
    usual = {"CRVAL1": 3.5, "CDELT1": 1e-4, "CRPIX1": 1, "CTYPE1": "LINEAR", "DC-FLAG": 1, "INSTRUME": "HIRES"}
    hdu.header.update({**usual, "OBJECT": "star", "DATE-OBS": "2012-07-12", **cards})
    hdu.writeto(path)
    return path


class TestRealPair:
    def test_the_error_belongs_to_the_flux(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        flux, error = (real_files / "iraf-1d" / f"UM184_n{role}.fits" for role in "FE")
        assert claimants(flux) == claimants(error) == ["flux-error-pair"]
        name, spectrum = read_one(flux)
        header = reference(flux)[0].header
        assert name == "flux-error-pair"
        np.testing.assert_array_equal(spectrum.flux, reference(flux)[0].data)
        np.testing.assert_array_equal(spectrum.noise, reference(error)[0].data)
        ready = prepare(spectrum)
        expected = 10 ** (header["CRVAL1"] + header["CDELT1"] * np.arange(header["NAXIS1"]))
        np.testing.assert_allclose(ready.grid.wavelength(), expected, rtol=1e-12)
        sigma = reference(error)[0].data.astype("f8")
        known = np.isfinite(ready.uncertainty)
        np.testing.assert_array_equal(ready.uncertainty[known], sigma[known])
        assert (sigma[known] > 0).all()
        assert spectrum.observation.date_obs == "2012-07-12T08:33:49"

    def test_they_are_one_row_of_a_store(self, real_files: Path, tmp_path: Path) -> None:
        out = tmp_path / "um184.zarr"
        ingest(IngestRequest((str(real_files / "iraf-1d" / "UM184*"),), str(out)), SerialExecutor())
        assert validate(str(out)).valid
        store = zarr.open_group(str(out), mode="r")
        assert store["signal/flux_raw"].shape == (1, 16582)
        assert np.isfinite(store["signal/uncertainty_raw"][:]).any()

    def test_an_error_alone_is_refused(self, real_files: Path, tmp_path: Path) -> None:
        out = tmp_path / "x.zarr"
        with pytest.raises(TooManyRejections, match="error of a spectrum"):
            ingest(IngestRequest((str(real_files / "iraf-1d" / "UM184_nE.fits"),), str(out)), SerialExecutor())


class TestMadeFiles:
    """Files in the naming of HIRedux and MAKEE, written from the conventions that linetools documents."""

    @pytest.mark.parametrize(
        ("flux", "error"), [("a_F.fits", "a_E.fits"), ("a_f.fits", "a_e.fits"), ("a.fits", "ae.fits")]
    )
    def test_every_naming_finds_its_error(self, tmp_path: Path, read_one: Any, flux: str, error: str) -> None:
        write(tmp_path / error, ERROR)
        _, spectrum = read_one(write(tmp_path / flux, FLUX))
        np.testing.assert_array_equal(spectrum.flux, FLUX)
        np.testing.assert_array_equal(spectrum.noise, ERROR)

    def test_a_flux_alone_has_no_noise(self, tmp_path: Path, read_one: Any) -> None:
        assert read_one(write(tmp_path / "a_F.fits", FLUX))[1].noise is None

    def test_an_error_of_makee_is_refused_beside_its_flux(self, tmp_path: Path, read_one: Any) -> None:
        write(tmp_path / "a.fits", FLUX)
        with pytest.raises(RefusedProduct, match=r"error of a\.fits"):
            read_one(write(tmp_path / "ae.fits", ERROR))

    @pytest.mark.parametrize("name", ["a_E.fits", "other.fits"])
    def test_an_error_is_known_by_its_name_or_by_the_card_that_names_it(
        self, tmp_path: Path, read_one: Any, name: str
    ) -> None:
        with pytest.raises(RefusedProduct, match="error of a spectrum"):
            read_one(write(tmp_path / name, ERROR, SIGFILE=name, INSTRUME="MagE"))

    @pytest.mark.parametrize("cards", [{"OBJECT": "another"}, {"CRVAL1": 3.6}, {"DATE-OBS": "2013-01-01"}])
    def test_two_spectra_that_only_pair_up_by_name_are_refused(
        self, tmp_path: Path, read_one: Any, cards: dict[str, Any]
    ) -> None:
        write(tmp_path / "night_e.fits", FLUX, **cards)
        with pytest.raises(RefusedProduct, match="rename them"):
            read_one(write(tmp_path / "night_f.fits", FLUX))

    def test_a_series_of_another_instrument_is_not_joined(self, tmp_path: Path) -> None:
        for letter in "defg":
            write(tmp_path / f"night_{letter}.fits", FLUX, INSTRUME="X", CUNIT1="Angstrom", BUNIT="adu")
        out = tmp_path / "series.zarr"
        ingest(IngestRequest((str(tmp_path),), str(out)), SerialExecutor())
        assert zarr.open_group(str(out), mode="r")["signal/flux_raw"].shape == (4, N_PIX)

    def test_three_files_of_one_name_are_refused(self, tmp_path: Path, read_one: Any) -> None:
        for name in ("a_e.fits", "a_E.fits"):
            write(tmp_path / name, ERROR)
        with pytest.raises(RefusedProduct, match="share one name"):
            read_one(write(tmp_path / "a_F.fits", FLUX))


class TestNamesOfErrors:
    @pytest.mark.parametrize("suffix", [" (Error)", "(error)", " [sigma]"])
    def test_an_object_that_says_error_is_the_same_object(self, tmp_path: Path, read_one: Any, suffix: str) -> None:
        flux = write(tmp_path / "star_F.fits", FLUX)
        write(tmp_path / "star_E.fits", ERROR, OBJECT=f"star{suffix}")
        _, spectrum = read_one(flux)
        np.testing.assert_array_equal(spectrum.noise, ERROR)
        assert spectrum.observation.object == "star"

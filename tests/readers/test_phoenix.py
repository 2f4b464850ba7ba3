"""PHOENIX-ACES models: real files at R = 10,000, and HiRes and intensity files made after Husser et al. (2013)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import BadWavelength, MissingField, NoSources, RefusedProduct
from spectral_zarr.tasks.sources import scan_sources
from spectral_zarr.transforms import prepare

NAMES = (
    "lte05000-4.50-0.0.PHOENIX-ACES-AGSS-COND-2011-HiRes.fits",
    "lte05800-4.50-0.0.PHOENIX-ACES-AGSS-COND-2011-HiRes.fits",
)
WAVE = "WAVE_PHOENIX-ACES-AGSS-COND-2011.fits"
CARDS = {"PHXTEFF": 5800.0, "PHXLOGG": 4.5, "PHXM_H": -0.5, "PHXALPHA": 0.2, "PHXXI_L": 1.1, "BUNIT": "erg/s/cm^2/cm"}
GRID = np.array([500.0, 500.1, 500.3, 500.4, 501.0])


def image(data: Any, **cards: Any) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update({**CARDS, **cards})
    return hdu


def write(directory: Path, name: str, *hdus: Any) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    fits.HDUList(list(hdus)).writeto(directory / name)
    return directory / name


def hires(directory: Path, name: str = NAMES[0], **cards: Any) -> Path:
    abundances = fits.BinTableHDU.from_columns([fits.Column("abundance", "E", array=np.ones(3))])
    return write(directory, name, image(np.arange(1.0, 6.0), **cards), abundances)


def intensities(directory: Path, mu: Any, **cards: Any) -> Path:
    data = np.arange(1.0, 1.0 + 4 * 6, dtype=np.float32).reshape(4, 6)
    axis = {"CRVAL1": 500.0, "CDELT1": 1.0, "CRPIX1": 1, "BUNIT": "erg/s/cm^2/cm/sr", **cards}
    name = "lte05800-4.50-0.5.PHOENIX-ACES-AGSS-COND-SPECINT-2011.fits"
    return write(directory, name, image(data, **axis), fits.ImageHDU(mu, name="MU"))


class TestMediumResolution:
    @pytest.mark.parametrize("name", NAMES)
    def test_real_files_are_in_vacuum_on_a_natural_logarithm(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any, name: str
    ) -> None:
        path = real_files / "synthetic-phoenix" / name
        hdu = reference(path)[0]
        assert claimants(path) == ["phoenix-aces"]
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, hdu.data)
        ready = prepare(spectrum)
        expected = np.exp(hdu.header["CRVAL1"] + hdu.header["CDELT1"] * np.arange(hdu.data.size))
        np.testing.assert_allclose(ready.grid.wavelength(), expected, rtol=1e-13)
        assert (spectrum.sampling.medium, ready.flux_unit) == ("vacuum", "erg / (cm3 s)")
        assert spectrum.observation.resolving_power == 1e4
        assert spectrum.params["teff"] == hdu.header["PHXTEFF"]
        assert spectrum.params["vmic"] == hdu.header["PHXXI_L"]

    def test_lines_of_the_sun_lie_where_vacuum_puts_them(self, real_files: Path, read_one: Any) -> None:
        ready = prepare(read_one(real_files / "synthetic-phoenix" / NAMES[1])[1])
        wavelength = ready.grid.wavelength()
        for line in (5891.57, 6564.61, 8544.46):
            near = np.flatnonzero(np.abs(wavelength - line) < 3)
            assert abs(wavelength[near[np.argmin(ready.flux[near])]] - line) < 0.2

    def test_a_whole_directory_becomes_a_valid_store(self, real_files: Path, tmp_path: Path) -> None:
        target = tmp_path / "phoenix.zarr"
        ingest(IngestRequest((str(real_files / "synthetic-phoenix"),), str(target)), SerialExecutor())
        assert not [finding for finding in validate(str(target)).findings if finding.severity == "error"]
        store = zarr.open_group(str(target), mode="r")
        assert store["signal/wavelength"].shape == (212027,)
        assert store["signal/wavelength"].attrs["medium"] == "vacuum"
        np.testing.assert_array_equal(store["params/teff"][:], [5000.0, 5800.0])
        assert set(store["metadata/source_type"][:]) == {"synthetic"}
        assert set(store["metadata/simulator"][:]) == {"PHOENIX-ACES-2011"}
        assert np.isnan(store["signal/uncertainty_raw"][:]).all()

    def test_an_axis_that_contradicts_its_label_is_refused(self, tmp_path: Path, read_one: Any) -> None:
        hdu = image(np.ones(5), CRVAL1=8.0, CDELT1=1e-5, CTYPE1="AWAV")
        with pytest.raises(BadWavelength, match="contradict"):
            read_one(write(tmp_path, "a.fits", hdu))

    def test_a_linear_axis_is_vacuum_too(self, tmp_path: Path, read_one: Any) -> None:
        hdu = image(np.arange(1.0, 6.0), CRVAL1=3000.0, CDELT1=0.1, CTYPE1="AWAV")
        _, spectrum = read_one(write(tmp_path, "a.fits", hdu))
        assert spectrum.sampling.medium == "vacuum"
        np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), 3000 + 0.1 * np.arange(5))
        assert math.isnan(spectrum.observation.resolving_power)


class TestHighResolution:
    @pytest.mark.parametrize("levels", [(), ("Z-0.0",), ("grid", "Z-0.0")])
    def test_wavelengths_are_found_beside_and_above(
        self, tmp_path: Path, read_one: Any, claimants: Any, levels: tuple[str, ...]
    ) -> None:
        write(tmp_path, WAVE, fits.PrimaryHDU(GRID))
        path = hires(tmp_path.joinpath(*levels))
        assert claimants(path) == ["phoenix-aces"]
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.sampling.values, GRID)
        np.testing.assert_array_equal(spectrum.flux, np.arange(1.0, 6.0))
        assert spectrum.params == {"teff": 5800, "logg": 4.5, "m_h": -0.5, "feh": -0.5, "alpha_m": 0.2, "vmic": 1.1}
        assert spectrum.spec_id == NAMES[0].removesuffix(".fits")

    def test_the_configuration_names_another_file(self, tmp_path: Path, read_one: Any) -> None:
        wave = write(tmp_path / "elsewhere", "wave.fits", fits.PrimaryHDU(GRID * 2))
        options = ReaderOptions(wavelength_file=str(wave))
        _, spectrum = read_one(hires(tmp_path / "models"), options)
        np.testing.assert_array_equal(spectrum.sampling.values, GRID * 2)

    def test_the_file_of_wavelengths_is_no_source(self, tmp_path: Path) -> None:
        wave = write(tmp_path / "models", WAVE, fits.PrimaryHDU(GRID))
        hires(tmp_path / "models", "a.fits")
        hires(tmp_path / "models", "b.fits", PHXTEFF=6000.0)
        target = tmp_path / "out.zarr"
        outcome = ingest(IngestRequest((str(tmp_path / "models"),), str(target)), SerialExecutor())
        assert (outcome.plan.n_spec, outcome.rejections) == (2, ())
        np.testing.assert_array_equal(zarr.open_group(str(target), mode="r")["signal/wavelength"][:], GRID)
        with pytest.raises(NoSources):
            scan_sources([str(wave)])

    def test_without_wavelengths_the_message_names_the_file(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(MissingField, match=WAVE):
            read_one(hires(tmp_path))

    def test_wavelengths_of_another_resolution_are_refused(self, tmp_path: Path, read_one: Any) -> None:
        write(tmp_path, WAVE, fits.PrimaryHDU(GRID[:4]))
        with pytest.raises(BadWavelength, match="4 wavelengths for 5 pixels"):
            read_one(hires(tmp_path))

    def test_a_damaged_file_of_wavelengths_is_a_rejection(self, tmp_path: Path, read_one: Any) -> None:
        write(tmp_path, WAVE, fits.PrimaryHDU(GRID))
        (tmp_path / WAVE).write_bytes((tmp_path / WAVE).read_bytes()[:2900])
        with pytest.raises(MissingField, match="cannot be read"):
            read_one(hires(tmp_path))

    def test_parameters_that_the_header_lacks_come_from_the_name(self, tmp_path: Path, read_one: Any) -> None:
        write(tmp_path, WAVE, fits.PrimaryHDU(GRID))
        name = "lte05000-4.50-1.5.Alpha=+0.40.PHOENIX-ACES-AGSS-COND-2011-HiRes.fits"
        hdu = image(np.arange(1.0, 6.0))
        for keyword in ("PHXLOGG", "PHXM_H", "PHXALPHA", "PHXXI_L"):
            del hdu.header[keyword]
        params = read_one(write(tmp_path, name, hdu))[1].params
        assert params == {"teff": 5800, "logg": 4.5, "m_h": -1.5, "feh": -1.5, "alpha_m": 0.4}

    def test_a_model_atmosphere_is_refused_by_name(self, tmp_path: Path, read_one: Any) -> None:
        primary = fits.PrimaryHDU()
        primary.header.update(CARDS)
        table = fits.BinTableHDU.from_columns([fits.Column(name, "D", array=np.ones(3)) for name in ("tau", "temp")])
        with pytest.raises(RefusedProduct, match="PHOENIX"):
            read_one(write(tmp_path, "atm.fits", primary, table))


class TestIntensities:
    MU = np.array([0.002, 0.25, 0.5, 1.0])

    def test_every_angle_is_a_spectrum(self, tmp_path: Path, read_all: Any, claimants: Any) -> None:
        path = intensities(tmp_path, self.MU)
        assert claimants(path) == ["phoenix-intensity"]
        _, spectra = read_all(path)
        assert [spectrum.params["mu"] for spectrum in spectra] == list(self.MU)
        assert [spectrum.row for spectrum in spectra] == [0, 1, 2, 3]
        assert [spectrum.spec_id.rpartition("_mu")[2] for spectrum in spectra] == ["0.002", "0.25", "0.5", "1"]
        data = fits.getdata(path)
        for spectrum, row in zip(spectra, data, strict=True):
            np.testing.assert_array_equal(spectrum.flux, row)
            assert (spectrum.observation.flux_type, spectrum.sampling.medium) == ("intensity", "vacuum")
            np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), 500.0 + np.arange(6))
        assert prepare(spectra[0]).flux_unit == "erg / (cm3 s sr)"

    def test_angles_reach_the_store(self, tmp_path: Path) -> None:
        intensities(tmp_path / "models", self.MU)
        target = tmp_path / "out.zarr"
        ingest(IngestRequest((str(tmp_path / "models"),), str(target)), SerialExecutor())
        assert not [finding for finding in validate(str(target)).findings if finding.severity == "error"]
        store = zarr.open_group(str(target), mode="r")
        np.testing.assert_array_equal(store["params/mu"][:], self.MU)
        assert set(store["metadata/flux_type"][:]) == {"intensity"}

    def test_another_number_of_angles_is_refused(self, tmp_path: Path, read_all: Any) -> None:
        with pytest.raises(MissingField, match="3 angles for 4 rows"):
            read_all(intensities(tmp_path, self.MU[:3]))

    def test_a_file_without_angles_is_refused(self, tmp_path: Path, read_all: Any) -> None:
        path = write(tmp_path, "a.fits", image(np.ones((4, 6)), CRVAL1=500.0, CDELT1=1.0))
        with pytest.raises(MissingField, match="no HDU MU"):
            read_all(path)

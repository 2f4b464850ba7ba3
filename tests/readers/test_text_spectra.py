"""Spectra in text: Libre-ESpRIT tables with overlapping orders, and the tables of iSpec.

The files are written as PolarBase and iSpec write them; none of them is real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from spectral_zarr import IngestRequest, SerialExecutor, ingest, load_config, validate
from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import BadWavelength, MissingField, NotASpectrum, TooManyRejections, Truncated
from spectral_zarr.transforms import prepare

ORDERS = [np.linspace(500.0 + 9 * i, 510.0 + 9 * i, 40) for i in range(3)]
WAVE = np.concatenate(ORDERS)


def esprit(path: Path, *columns: np.ndarray, count: int | None = None, title: str = "HD  12345") -> Path:
    lines = [f"***Reduced spectrum of '{title}'", f" {WAVE.size if count is None else count} {len(columns)}"]
    lines += [" ".join(f"{value: .6e}" for value in row) for row in zip(WAVE, *columns, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


INTENSITY = 1 + 0.05 * np.sin(np.arange(WAVE.size))
ERROR = np.full(WAVE.size, 1e-3)
STOKES = 1e-4 * np.cos(np.arange(WAVE.size))


class TestLibreEsprit:
    @pytest.mark.parametrize("columns", [(INTENSITY, ERROR), (INTENSITY, STOKES, STOKES, STOKES, ERROR)])
    def test_the_intensity_and_its_error(
        self, tmp_path: Path, read_one: Any, claimants: Any, columns: tuple[np.ndarray, ...]
    ) -> None:
        path = esprit(tmp_path / "a.s", *columns)
        assert claimants(path) == ["libre-esprit"]
        _, spectrum = read_one(path)
        np.testing.assert_allclose(spectrum.flux, INTENSITY, rtol=1e-6)
        np.testing.assert_allclose(spectrum.noise, ERROR, rtol=1e-6)
        assert (spectrum.sampling.unit, spectrum.sampling.medium) == ("nm", "air")
        assert (spectrum.observation.object, spectrum.observation.velocity_frame) == ("HD 12345", "heliocentric")
        assert spectrum.normalized_product

    def test_an_unnormalised_intensity_is_relative(self, tmp_path: Path, read_one: Any) -> None:
        _, spectrum = read_one(esprit(tmp_path / "a.s", 2e4 * INTENSITY, ERROR))
        assert (spectrum.normalized_product, spectrum.flux_unit) == (False, "Relative Flux")

    def test_overlapping_orders_are_refused_by_default(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(BadWavelength, match="orders overlap"):
            prepare(read_one(esprit(tmp_path / "a.s", INTENSITY, ERROR))[1])

    def test_they_are_sorted_on_request(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        esprit(tmp_path / "in" / "a.s", INTENSITY, ERROR)
        toml = tmp_path / "c.toml"
        toml.write_text('[build]\norders = "sort"\n')
        out = tmp_path / "sorted.zarr"
        with pytest.raises(TooManyRejections):
            ingest(IngestRequest((str(tmp_path / "in"),), str(tmp_path / "no.zarr")), SerialExecutor())
        ingest(IngestRequest((str(tmp_path / "in"),), str(out), load_config(toml)), SerialExecutor())
        assert validate(str(out)).valid
        store = zarr.open_group(str(out), mode="r")
        order = np.argsort(WAVE, kind="stable")
        keep = order[np.concatenate(([True], np.diff(WAVE[order]) > 0))]
        wavelength = np.ravel(store["signal/wavelength"][:])
        np.testing.assert_allclose(wavelength, 10 * WAVE[keep], rtol=1e-6)
        np.testing.assert_allclose(store["signal/flux_raw"][0], INTENSITY[keep], rtol=1e-5)

    def test_each_order_is_a_row_on_request(self, tmp_path: Path, read_all: Any) -> None:
        _, spectra = read_all(esprit(tmp_path / "a.s", INTENSITY, ERROR), ReaderOptions(echelle="rows"))
        assert [one.observation.order for one in spectra] == ["1", "2", "3"]
        for i, spectrum in enumerate(spectra):
            np.testing.assert_allclose(prepare(spectrum).wavelength, 10 * ORDERS[i], rtol=1e-6)
            np.testing.assert_allclose(spectrum.flux, INTENSITY[40 * i : 40 * i + 40], rtol=1e-6)

    def test_a_file_that_ends_early_is_truncated(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(Truncated, match="120 lines"):
            read_one(esprit(tmp_path / "a.s", INTENSITY, ERROR, count=213542))

    def test_the_wavelength_may_be_counted_as_a_column(self, tmp_path: Path, read_one: Any) -> None:
        path = esprit(tmp_path / "a.s", INTENSITY, ERROR)
        path.write_text(path.read_text().replace(f" {WAVE.size} 2\n", f" {WAVE.size} 3\n"))
        np.testing.assert_allclose(read_one(path)[1].noise, ERROR, rtol=1e-6)

    def test_other_columns_have_a_code(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(MissingField, match="columns"):
            read_one(esprit(tmp_path / "a.s", INTENSITY, STOKES, ERROR))

    def test_a_line_that_is_cut_has_a_code(self, tmp_path: Path, read_one: Any) -> None:
        path = esprit(tmp_path / "a.s", INTENSITY, ERROR)
        path.write_text(path.read_text()[:-30])
        with pytest.raises(MissingField):
            read_one(path)


class TestIspec:
    WAVES = np.linspace(480.0, 680.0, 50)

    def write(self, path: Path, heading: str, *columns: np.ndarray, separator: str = "\t") -> Path:
        lines = [heading, *(separator.join(f"{value:.5f}" for value in row) for row in zip(*columns, strict=True))]
        path.write_text("\n".join(lines) + "\n")
        return path

    def test_the_columns_of_the_heading(self, tmp_path: Path, read_one: Any, claimants: Any) -> None:
        error = np.full(50, 0.01)
        error[3] = 0.0
        path = self.write(tmp_path / "sun.txt", "waveobs\tflux\terr", self.WAVES, self.WAVES / 500, error)
        assert claimants(path) == ["ispec-text"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.wavelength, 10 * self.WAVES, atol=1e-4)
        np.testing.assert_allclose(ready.flux, self.WAVES / 500, atol=1e-5)
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), np.arange(50) == 3)
        assert (ready.flux_unit, spectrum.sampling.medium) == ("dimensionless", "unknown")

    def test_the_configuration_gives_medium_and_unit(self, tmp_path: Path, read_one: Any) -> None:
        path = self.write(tmp_path / "sun.txt", "waveobs flux", self.WAVES, self.WAVES, separator=" ")
        options = ReaderOptions(table=TableOptions(medium="air", flux_unit="adu"))
        _, spectrum = read_one(path, options)
        assert (spectrum.sampling.medium, spectrum.flux_unit, spectrum.noise) == ("air", "adu", None)

    def test_another_heading_is_no_spectrum_of_ispec(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(NotASpectrum):
            read_one(self.write(tmp_path / "a.txt", "teff\tlogg\tfeh", self.WAVES, self.WAVES, self.WAVES))

    def test_named_files_are_published(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "sun.txt", "waveobs\tflux\terr", self.WAVES, self.WAVES / 500, self.WAVES / 5e4)
        ingest(IngestRequest((str(path),), str(tmp_path / "ispec.zarr")), SerialExecutor())
        assert validate(str(tmp_path / "ispec.zarr")).valid

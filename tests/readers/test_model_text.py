"""Model grids in text, laid out as their papers say: MARCS, BOSZ, POLLUX and AMBRE, Turbospectrum, Korg."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import BadWavelength, CorruptFits, MissingField, RefusedProduct, Truncated, UnknownUnit
from spectral_zarr.model.source import UNPACKED_BYTES
from spectral_zarr.tasks.sources import scan_sources
from spectral_zarr.transforms import prepare

MARCS = "s4000_g+1.5_m1.0_t02_mc_z-0.25_a+0.10_c-0.13_n+0.31_o+0.10_r+0.00_s+0.00.flx"
BOSZ = "bosz2024_mp_t5750_g+4.5_m-0.25_a+0.25_c-0.50_v2_r10000_resam.txt.gz"
BOSZ_2017 = "amm13cp00om03t3500g45v20modrt0b50000rs.asc.bz2"
POLLUX = "p6000:g+4.0:m0.0:t01:z-0.50:a+0.20.AMBRE.spec"

N = 40
WAVELENGTH = 5000.0 + 0.5 * np.arange(N)
NORMALIZED = 1.0 - 0.5 * np.exp(-0.5 * ((np.arange(N) - 20) / 3.0) ** 2)
CONTINUUM = 5e6 * (1 + 1e-4 * np.arange(N))
FLUX = NORMALIZED * CONTINUUM

PACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress}


def columns(path: Path, *arrays: Any, comments: str = "") -> Path:
    """Write columns of text, packed as the suffix says."""
    lines = [" ".join(f"{value:.10g}" for value in row) for row in zip(*arrays, strict=True)]
    text = (comments + "\n".join(lines) + "\n").encode()
    path.write_bytes(PACK.get(path.suffix, bytes)(text))
    return path


def published(directory: Path, target: Path) -> zarr.Group:
    ingest(IngestRequest((str(directory),), str(target)), SerialExecutor())
    assert not [finding for finding in validate(str(target)).findings if finding.severity == "error"]
    return zarr.open_group(str(target), mode="r")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


class TestMarcs:
    @pytest.mark.parametrize("suffix", ["", ".gz", ".bz2"])
    @pytest.mark.parametrize("wave", ["flx_wavelengths.vac", "flx_wavelengths.vac.gz"])
    def test_fluxes_get_the_wavelengths_of_the_grid(
        self, models: Path, read_one: Any, claimants: Any, suffix: str, wave: str
    ) -> None:
        columns(models / wave, WAVELENGTH)
        path = columns(models / (MARCS + suffix), FLUX)
        assert claimants(path) == ["marcs-flux"]
        _, spectrum = read_one(path)
        np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-9)
        np.testing.assert_array_equal(spectrum.sampling.values, WAVELENGTH)
        assert (spectrum.sampling.medium, prepare(spectrum).flux_unit) == ("vacuum", "erg / (Angstrom cm2 s)")
        assert spectrum.spec_id == MARCS.removesuffix(".flx")
        assert spectrum.params == {
            "teff": 4000, "logg": 1.5, "mass": 1, "vmic": 2, "m_h": -0.25, "feh": -0.25, "alpha_m": 0.1,
            "c_fe": -0.13, "n_fe": 0.31, "o_fe": 0.1, "r_fe": 0, "s_fe": 0,
        }  # fmt: skip

    def test_a_plane_parallel_model_has_no_mass(self, models: Path, read_one: Any) -> None:
        columns(models / "flx_wavelengths.vac", WAVELENGTH)
        name = "p5750_g+4.5_m0.0_t01_st_z+0.00_a+0.00_c+0.00_n+0.00_o+0.00_r+0.00_s+0.00.flx"
        params = read_one(columns(models / name, FLUX))[1].params
        assert "mass" not in params
        assert (params["teff"], params["logg"], params["feh"], params["vmic"]) == (5750, 4.5, 0, 1)

    def test_a_directory_becomes_a_valid_store(self, models: Path, tmp_path: Path) -> None:
        columns(models / "flx_wavelengths.vac", WAVELENGTH)
        columns(models / f"{MARCS}.gz", FLUX)
        store = published(models, tmp_path / "marcs.zarr")
        np.testing.assert_allclose(store["signal/flux_raw"][0], FLUX.astype("f4"))
        np.testing.assert_array_equal(store["signal/wavelength"][:], WAVELENGTH)
        assert np.isnan(store["signal/uncertainty_raw"][:]).all()
        assert (store["metadata/simulator"][0], store["metadata/source_type"][0]) == ("MARCS", "synthetic")

    def test_refusals_name_what_is_wrong(self, models: Path, read_one: Any) -> None:
        path = columns(models / MARCS, FLUX)
        with pytest.raises(MissingField, match=r"flx_wavelengths\.vac"):
            read_one(path)
        columns(models / "flx_wavelengths.vac", WAVELENGTH[:-1])
        with pytest.raises(BadWavelength, match="39 wavelengths for 40 pixels"):
            read_one(path)
        with pytest.raises(MissingField, match="original name"):
            read_one(columns(models / "renamed.flx", FLUX))
        with pytest.raises(MissingField, match="2 columns"):
            read_one(columns(models / MARCS.replace("4000", "4100"), FLUX, FLUX))


class TestBosz:
    def test_the_flux_is_four_pi_times_the_column(self, models: Path, tmp_path: Path, claimants: Any) -> None:
        columns(models / "bosz2024_wave_r10000.txt", WAVELENGTH)
        path = columns(models / BOSZ, FLUX, CONTINUUM)
        assert claimants(path) == ["bosz-2024"]
        store = published(models, tmp_path / "bosz.zarr")
        scale, _, unit = store["signal/flux_raw"].attrs["units"].partition(" ")
        np.testing.assert_allclose(store["signal/flux_raw"][0] * float(scale), 4 * np.pi * FLUX, rtol=1e-6)
        np.testing.assert_allclose(store["continuum/continuum_model"][0], CONTINUUM, rtol=1e-6)
        assert unit == "erg / (Angstrom cm2 s)"
        assert store["continuum/method"][0] == "column:CONTINUUM"
        expected = {"teff": 5750, "logg": 4.5, "m_h": -0.25, "feh": -0.25, "alpha_m": 0.25, "c_m": -0.5, "vmic": 2}
        assert {name: store[f"params/{name}"][0] for name in expected} == expected
        assert store["metadata/resolving_power"][0] == 1e4

    def test_spectra_at_the_original_resolution_have_their_wavelengths(self, models: Path, read_one: Any) -> None:
        name = BOSZ.replace("r10000_resam.txt.gz", "rorig_noresam.txt.bz2")
        _, spectrum = read_one(columns(models / name, WAVELENGTH, FLUX, CONTINUUM))
        np.testing.assert_array_equal(spectrum.sampling.values, WAVELENGTH)
        np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-9)
        assert np.isnan(spectrum.observation.resolving_power)

    def test_text_of_2017_has_parameters_rounded_to_tenths(self, models: Path, read_one: Any, claimants: Any) -> None:
        path = columns(models / BOSZ_2017, WAVELENGTH, FLUX, CONTINUUM)
        assert claimants(path) == ["bosz-2017-text"]
        _, spectrum = read_one(path)
        np.testing.assert_allclose(spectrum.continuum, CONTINUUM, rtol=1e-9)
        assert spectrum.params == {
            "teff": 3500, "logg": 4.5, "m_h": -1.25, "feh": -1.25, "c_m": 0, "alpha_m": -0.25, "vmic": 2, "vsini": 0,
        }  # fmt: skip

    def test_only_the_files_of_wavelengths_are_left_out(self, models: Path) -> None:
        for name in (BOSZ, BOSZ_2017, "bosz2024_wave_r10000.txt", "readme.txt"):
            columns(models / name, WAVELENGTH)
        assert [file.name for file in scan_sources([str(models)])] == [BOSZ_2017, BOSZ]

    def test_a_name_without_parameters_is_refused(self, models: Path, read_one: Any) -> None:
        with pytest.raises(MissingField, match="name does not give"):
            read_one(columns(models / "bosz2024_mine.txt", FLUX, CONTINUUM))


class TestColumns:
    @pytest.mark.parametrize("swapped", [False, True])
    def test_pollux_has_a_flux_and_a_normalised_one(
        self, models: Path, tmp_path: Path, claimants: Any, swapped: bool
    ) -> None:
        pair = (FLUX, NORMALIZED) if swapped else (NORMALIZED, FLUX)
        path = columns(models / POLLUX, WAVELENGTH, *pair)
        assert claimants(path) == ["pollux-text"]
        store = published(models, tmp_path / "pollux.zarr")
        np.testing.assert_allclose(store["signal/flux_raw"][0], FLUX, rtol=1e-6)
        np.testing.assert_allclose(store["representations/normalized_flux"][0], NORMALIZED, rtol=1e-6)
        assert store["signal/wavelength"].attrs["medium"] == "air"
        assert (store["params/teff"][0], store["params/feh"][0], store["params/alpha_m"][0]) == (6000, -0.5, 0.2)
        assert store["metadata/simulator"][0] == "AMBRE"

    def test_names_of_pollux_without_separators_are_understood(self, models: Path, read_one: Any) -> None:
        name = "M_s4750g2.0z-0.75t2.0_a0.20c0.00n0.00o0.20r0.00s0.00_VIS.spec"
        reader, spectrum = read_one(columns(models / name, WAVELENGTH, NORMALIZED, FLUX))
        params = spectrum.params
        assert (reader, params["teff"], params["logg"], params["feh"]) == ("pollux-text", 4750, 2, -0.75)

    def test_turbospectrum_takes_medium_version_and_parameters_from_comments(
        self, models: Path, read_one: Any, claimants: Any
    ) -> None:
        comments = "# Turbospectrum v20.1, wavelengths in vacuum\n# teff = 5777 logg=4.44 [Fe/H]: -0.1 vmic = 1.0\n"
        path = columns(models / "sun.spec", WAVELENGTH, NORMALIZED, FLUX, comments=comments)
        assert claimants(path) == ["turbospectrum-text"]
        _, spectrum = read_one(path)
        assert spectrum.params == {"teff": 5777, "logg": 4.44, "feh": -0.1, "vmic": 1}
        assert (spectrum.observation.simulator, spectrum.sampling.medium) == ("Turbospectrum-20.1", "vacuum")
        np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-9)
        np.testing.assert_allclose(spectrum.normalized, NORMALIZED, rtol=1e-9)

    def test_the_configuration_gives_the_medium(self, models: Path, read_one: Any) -> None:
        path = columns(models / "sun.spec", WAVELENGTH, NORMALIZED, FLUX)
        assert read_one(path)[1].sampling.medium == "unknown"
        options = ReaderOptions(table=TableOptions(medium="air"))
        assert read_one(path, options)[1].sampling.medium == "air"

    def test_named_columns_of_korg_win_over_their_scale(self, models: Path, read_one: Any, claimants: Any) -> None:
        comments = "# Korg v0.40.1\n# wavelength [A] flux continuum\n"
        path = columns(models / "korg.txt", WAVELENGTH, FLUX, CONTINUUM, comments=comments)
        assert claimants(path) == ["korg-text"]
        _, spectrum = read_one(path)
        np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-9)
        np.testing.assert_allclose(spectrum.continuum, CONTINUUM, rtol=1e-9)
        assert (spectrum.normalized, spectrum.continuum_method) == (None, "column:CONTINUUM")
        assert spectrum.observation.simulator == "Korg-0.40.1"

    def test_a_single_flux_needs_its_unit(self, models: Path, read_one: Any) -> None:
        path = columns(models / "sun.spec", WAVELENGTH, NORMALIZED)
        with pytest.raises(UnknownUnit, match="flux_unit"):
            read_one(path)
        _, spectrum = read_one(path, ReaderOptions(table=TableOptions(flux_unit="normalized")))
        assert spectrum.normalized_product
        np.testing.assert_allclose(prepare(spectrum).normalized, NORMALIZED.astype("f4"))

    def test_a_flux_and_its_error_are_not_taken_for_a_model(self, models: Path, read_one: Any) -> None:
        noise = np.random.default_rng(1)
        error = np.abs(noise.normal(0.5, 0.1, N))
        with pytest.raises(RefusedProduct, match="normalised"):
            read_one(columns(models / "supernova.spec", WAVELENGTH, noise.normal(900, 30, N), error))
        with pytest.raises(RefusedProduct, match="normalised"):
            read_one(columns(models / "supernova.spec", WAVELENGTH, FLUX * 1e-22, FLUX * 1e-24))

    def test_text_of_unknown_origin_is_not_claimed(self, models: Path, claimants: Any) -> None:
        assert claimants(columns(models / "table.txt", WAVELENGTH, FLUX)) == []


class TestIntensities:
    MU = (0.1, 0.5, 1.0)

    def write(self, path: Path, comments: str, *, swapped: bool = False) -> Path:
        arrays = [WAVELENGTH]
        for mu in self.MU:
            pair = (FLUX * mu, NORMALIZED * (0.9 + 0.1 * mu))
            arrays += pair[::-1] if swapped else pair
        return columns(path, *arrays, comments=comments)

    @pytest.mark.parametrize("swapped", [False, True])
    def test_every_pair_of_columns_is_an_angle(self, models: Path, tmp_path: Path, swapped: bool) -> None:
        name = "p5750_g+4.5_m0.0_t01_st_z+0.00_a+0.00_c+0.00_n+0.00_o+0.00_r+0.00_s+0.00.intensity.spec"
        self.write(models / name, "# mu-points 0.1 0.5 1.0\n", swapped=swapped)
        store = published(models, tmp_path / "mu.zarr")
        np.testing.assert_array_equal(store["params/mu"][:], self.MU)
        assert set(store["metadata/flux_type"][:]) == {"intensity"}
        assert set(store["params/teff"][:]) == {5750}
        assert store["signal/flux_raw"].attrs["units"] == "erg / (Angstrom cm2 s sr)"
        for row, mu in enumerate(self.MU):
            np.testing.assert_allclose(store["signal/flux_raw"][row], FLUX * mu, rtol=1e-6)
            normalized = store["representations/normalized_flux"][row]
            np.testing.assert_allclose(normalized, NORMALIZED * (0.9 + 0.1 * mu), rtol=1e-6)

    @pytest.mark.parametrize("comments", ["", "# mu-points 0.1 0.5\n", "# mu-points 0.1 0.5 1.5\n"])
    def test_without_as_many_angles_as_pairs_the_file_is_refused(
        self, models: Path, read_all: Any, comments: str
    ) -> None:
        with pytest.raises(MissingField, match="7 columns"):
            read_all(self.write(models / "sun.intensity.spec", comments))


class TestDamage:
    def test_a_bzip2_stream_that_ends_early_is_truncated(self, models: Path, read_one: Any) -> None:
        path = columns(models / BOSZ_2017, WAVELENGTH, FLUX, CONTINUUM)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(Truncated, match="bzip2"):
            read_one(path)

    def test_flipped_bytes_of_a_bzip2_stream_are_noticed(self, models: Path, read_one: Any) -> None:
        path = columns(models / BOSZ_2017, WAVELENGTH, FLUX, CONTINUUM)
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        path.write_bytes(raw)
        with pytest.raises(CorruptFits, match="bzip2"):
            read_one(path)

    def test_a_bzip2_bomb_is_refused(self, models: Path, read_one: Any) -> None:
        path = models / BOSZ_2017
        path.write_bytes(bz2.compress(bytes(UNPACKED_BYTES + 1)))
        with pytest.raises(CorruptFits, match="unpacks to more"):
            read_one(path)

    def test_words_between_the_numbers_are_refused(self, models: Path, read_one: Any) -> None:
        path = columns(models / POLLUX, WAVELENGTH, NORMALIZED, FLUX)
        path.write_text(path.read_text().replace("5010", "broken", 1))
        with pytest.raises(MissingField, match="not a table of numbers"):
            read_one(path)

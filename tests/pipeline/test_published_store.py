"""A published store holds what the files hold: pixels, wavelengths, units, header text and index, as astropy reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr
from astropy.io import fits

from spectral_zarr import Config, IngestRequest, Outcome, SerialExecutor, ingest, load_config, validate
from spectral_zarr.contract.schema import INDEX_COLUMNS, METADATA
from spectral_zarr.errors import ConfigError
from spectral_zarr.testing import write_samples


def build(sources: Path, target: Path, config: Config | None = None) -> Outcome:
    return ingest(IngestRequest((str(sources),), str(target), config=config or Config()), SerialExecutor())


@pytest.fixture(scope="module")
def sdss(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Outcome]:
    root = tmp_path_factory.mktemp("sdss")
    (root / "files").mkdir()
    write_samples(root / "files", "sdss-spec", 40)
    return root / "files", root / "sdss.zarr", build(root / "files", root / "sdss.zarr")


class TestSdssSamples:
    def test_flux_and_uncertainty_equal_astropy_at_the_lattice_position(self, sdss: tuple[Path, Path, Outcome]) -> None:
        files, target, _ = sdss
        store = zarr.open_group(target, mode="r")
        wavelength = store["signal/wavelength"][:]
        for row, name in enumerate(store["metadata/source_file"][:]):
            with fits.open(files / name, memmap=False) as hdus:
                table = hdus[1].data
                first = int(np.argmin(np.abs(np.log10(wavelength) - table["loglam"][0])))
                pixels = slice(first, first + len(table))
                assert np.max(np.abs(np.log10(wavelength[pixels]) - table["loglam"])) < 1e-6
                flux, sigma = store["signal/flux_raw"][row], store["signal/uncertainty_raw"][row]
                np.testing.assert_array_equal(flux[pixels], table["flux"])
                with np.errstate(divide="ignore"):
                    expected = np.where(table["ivar"] > 0, 1 / np.sqrt(table["ivar"].astype("f8")), np.nan)
                np.testing.assert_array_equal(sigma[pixels], expected.astype("f4"))
                outside = np.ones(flux.size, bool)
                outside[pixels] = False
                assert np.isnan(flux[outside]).all()
                assert store["metadata/pix_offset"][row] == first

    def test_rows_are_sorted_by_file_and_nothing_is_lost(self, sdss: tuple[Path, Path, Outcome]) -> None:
        files, target, outcome = sdss
        names = zarr.open_group(target, mode="r")["metadata/source_file"][:].tolist()
        assert names == sorted(path.name for path in files.iterdir())
        assert outcome.plan.n_spec == 40
        assert outcome.rejections == ()

    def test_the_store_is_valid_even_when_strict_but_for_the_commit(self, sdss: tuple[Path, Path, Outcome]) -> None:
        findings = validate(sdss[1], strict=True, deep=True).findings
        assert [finding for finding in findings if finding.rule != "V-04"] == []

    def test_the_plan_predicts_the_number_of_files(self, sdss: tuple[Path, Path, Outcome]) -> None:
        assert sdss[2].store_files == sdss[2].plan.n_files

    def test_the_index_repeats_the_arrays_in_contract_order(self, sdss: tuple[Path, Path, Outcome]) -> None:
        table = pq.read_table(sdss[1] / "index.parquet")
        store = zarr.open_group(sdss[1], mode="r")
        assert tuple(table.column_names[:8]) == INDEX_COLUMNS
        assert table["row_idx"].to_pylist() == list(range(40))
        for name in ("spec_id", "source_type", "instrument", "simulator"):
            assert table[name].to_pylist() == store[f"metadata/{name}"][:].tolist()
        np.testing.assert_array_equal(table["snr"].to_numpy(), store["metadata/snr"][:])
        assert np.isnan(table["teff"].to_numpy()).all()

    def test_header_fields_are_the_text_of_the_cards(self, sdss: tuple[Path, Path, Outcome]) -> None:
        files, target, _ = sdss
        metadata = zarr.open_group(target, mode="r")["metadata"]
        for row, name in enumerate(metadata["source_file"][:]):
            header = fits.getheader(files / name, 0)
            assert metadata["h0_plateid"][row] == str(header["PLATEID"])
            assert metadata["h0_exptime"][row] == repr(float(header["EXPTIME"]))
            assert metadata["h0_vacuum"][row] == "T"
            assert metadata["h1_ttype1"][row] == "flux"
            assert metadata["h0_bunit"][row] == header["BUNIT"].rstrip()

    def test_every_field_of_the_schema_is_there(self, sdss: tuple[Path, Path, Outcome]) -> None:
        metadata = zarr.open_group(sdss[1], mode="r")["metadata"]
        assert {field.name for field in METADATA} <= {name for name, _ in metadata.members()}

    def test_xarray_opens_every_group_without_a_word(self, sdss: tuple[Path, Path, Outcome]) -> None:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for group in ("signal", "continuum", "representations", "params", "metadata"):
                xr.open_zarr(sdss[1], group=group, consolidated=True)

    def test_an_unknown_continuum_takes_no_chunk_files(self, sdss: tuple[Path, Path, Outcome]) -> None:
        names = [path.name for path in (sdss[1] / "continuum" / "continuum_model").iterdir()]
        assert names == ["zarr.json"]
        assert np.isnan(zarr.open_group(sdss[1], mode="r")["continuum/continuum_model"][:]).all()

    def test_the_build_directory_keeps_proof_and_no_pixels(self, sdss: tuple[Path, Path, Outcome]) -> None:
        kept = {path.name for path in sdss[1].with_name("sdss.zarr.build").iterdir()}
        assert {"plan.json", "receipts", "rejections.parquet", "claims", "log"} <= kept
        assert "staged" not in kept
        assert not sdss[1].with_name("sdss.zarr.tmp").exists()


class TestHighResolution:
    def test_ragged_rows_are_padded_at_the_end_and_chunked_256_by_4096(self, tmp_path: Path) -> None:
        (tmp_path / "files").mkdir()
        write_samples(tmp_path / "files", "uves-adp", 5, n_pix=14_000)
        outcome = build(tmp_path / "files", tmp_path / "uves.zarr")
        assert outcome.plan.wavelength.kind == "ragged"
        store = zarr.open_group(tmp_path / "uves.zarr", mode="r")
        wavelength = store["signal/wavelength"][:]
        assert wavelength.dtype == np.float64
        for row, name in enumerate(store["metadata/source_file"][:]):
            with fits.open(tmp_path / "files" / name, memmap=False) as hdus:
                cells = hdus[1].data
                n = cells["WAVE"].shape[1]
                np.testing.assert_allclose(wavelength[row, :n], cells["WAVE"][0], rtol=1e-15)
                assert np.isnan(wavelength[row, n:]).all()
                flux = store["signal/flux_raw"][row]
                measured = np.isfinite(flux[:n])
                np.testing.assert_array_equal(flux[:n][measured], cells["FLUX_REDUCED"][0][measured])
                assert (cells["FLUX_REDUCED"][0][~measured] == 0).all()
                assert np.isnan(flux[n:]).all()
        assert store["signal/flux_raw"].chunks[0] == 5
        assert (
            store["signal/flux_raw"].chunks[1] % 4096 == 0 or store["signal/flux_raw"].chunks[1] == outcome.plan.n_pix
        )

    def test_harps_slices_of_one_lattice_share_a_wavelength(self, tmp_path: Path) -> None:
        (tmp_path / "files").mkdir()
        write_samples(tmp_path / "files", "harps-adp", 4, n_pix=12_000)
        outcome = build(tmp_path / "files", tmp_path / "harps.zarr")
        assert outcome.plan.wavelength.kind == "lattice"
        store = zarr.open_group(tmp_path / "harps.zarr", mode="r")
        wavelength = store["signal/wavelength"][:]
        assert wavelength.ndim == 1
        for row, name in enumerate(store["metadata/source_file"][:]):
            with fits.open(tmp_path / "files" / name, memmap=False) as hdus:
                cells = hdus[1].data
                offset, n = int(store["metadata/pix_offset"][row]), cells["WAVE"].shape[1]
                np.testing.assert_allclose(wavelength[offset : offset + n], cells["WAVE"][0], atol=1e-6)
                flux = store["signal/flux_raw"][row, offset : offset + n]
                np.testing.assert_array_equal(np.nan_to_num(flux, nan=0.0), cells["FLUX"][0])
        assert np.isnan(store["signal/uncertainty_raw"][:]).all()


class TestIdenticalGrids:
    def test_apstar_rows_share_the_survey_grid(self, tmp_path: Path) -> None:
        (tmp_path / "files").mkdir()
        write_samples(tmp_path / "files", "apstar", 6)
        outcome = build(tmp_path / "files", tmp_path / "apogee.zarr")
        assert outcome.plan.wavelength.kind == "identical"
        store = zarr.open_group(tmp_path / "apogee.zarr", mode="r")
        np.testing.assert_allclose(store["signal/wavelength"][:], 10 ** (4.179 + 6e-6 * np.arange(8575)), rtol=1e-13)

    def test_a_normalised_product_fills_flux_and_representation(self, tmp_path: Path) -> None:
        (tmp_path / "files").mkdir()
        write_samples(tmp_path / "files", "aspcapstar", 6)
        build(tmp_path / "files", tmp_path / "aspcap.zarr")
        store = zarr.open_group(tmp_path / "aspcap.zarr", mode="r")
        np.testing.assert_array_equal(store["signal/flux_raw"][:], store["representations/normalized_flux"][:])
        assert store["signal/flux_raw"].attrs["units"] == "dimensionless"
        assert dict(store["params/teff"].attrs) == {}
        assert not (store["params/teff"][:] == -9999).any()
        assert validate(tmp_path / "aspcap.zarr").valid


class TestOptions:
    def test_format_2_is_valid_and_has_no_attributes_on_params(self, tmp_path: Path) -> None:
        (tmp_path / "files").mkdir()
        write_samples(tmp_path / "files", "aspcapstar", 5)
        (tmp_path / "c.toml").write_text("[store]\nzarr_format = 2\n")
        build(tmp_path / "files", tmp_path / "two.zarr", load_config(tmp_path / "c.toml"))
        store = zarr.open_group(tmp_path / "two.zarr", mode="r")
        assert store.metadata.zarr_format == 2
        assert dict(store["params/teff"].attrs) == {}
        verdict = validate(tmp_path / "two.zarr", strict=True, deep=True)
        assert [finding for finding in verdict.findings if finding.rule != "V-04"] == []

    def test_tiny_chunks_are_refused_before_anything_is_filled(self, tmp_path: Path) -> None:
        (tmp_path / "files").mkdir()
        write_samples(tmp_path / "files", "sdss-spec", 20)
        (tmp_path / "c.toml").write_text("[store]\nchunk_rows = 4\n")
        with pytest.raises(ConfigError, match=r"\(4, \d+\) are tiny"):
            build(tmp_path / "files", tmp_path / "x.zarr", load_config(tmp_path / "c.toml"))
        assert not (tmp_path / "x.zarr").exists()

    def test_dataset_facts_of_the_configuration_replace_those_of_the_reader(self, tmp_path: Path) -> None:
        (tmp_path / "files").mkdir()
        write_samples(tmp_path / "files", "wcs1d", 3)
        (tmp_path / "c.toml").write_text(
            '[dataset]\ninstrument = "MIKE"\nsource_type = "stacked"\ndata_rights = "CC BY"\n'
        )
        build(tmp_path / "files", tmp_path / "w.zarr", load_config(tmp_path / "c.toml"))
        store = zarr.open_group(tmp_path / "w.zarr", mode="r")
        assert set(store["metadata/instrument"][:]) == {"MIKE"}
        assert set(store["metadata/source_type"][:]) == {"stacked"}
        assert store.attrs["data_rights"] == "CC BY"

"""Spectra in arrays: NumPy archives, HDF5 and Parquet with shared or own axes and all forms of parameter tables."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spectral_zarr import Config, IngestRequest, SerialExecutor, Tolerance, ingest, validate
from spectral_zarr.config import ArrayOptions, ReaderOptions, load_config
from spectral_zarr.errors import MissingField, NotASpectrum, RefusedProduct, UnknownUnit
from spectral_zarr.model import SourceFile
from spectral_zarr.readers import HeaderPolicy, find_reader, open_source
from spectral_zarr.readers.arrays import ArrayFile
from spectral_zarr.tasks.sources import scan_sources
from spectral_zarr.transforms import prepare

N_SPEC, N_PIX = 5, 12
WAVELENGTH = 5000.0 + 0.5 * np.arange(N_PIX)
FLUX = 1.0 + np.arange(N_SPEC * N_PIX, dtype=np.float32).reshape(N_SPEC, N_PIX)
TEFF = np.array([5000, 5250, 5500, 5750, 6000])
FEH = np.array([0.0, -0.5, -9999.0, -1.0, np.nan])
UNITS = {"wavelength_unit": "Angstrom", "flux_unit": "erg/s/cm2/A"}
FULL = {"wavelength": WAVELENGTH, "flux": FLUX, "teff": TEFF, "logg": np.full(N_SPEC, 4.5), "feh": FEH}


def write_npz(path: Path, values: dict[str, Any], facts: dict[str, str]) -> Path:
    np.savez_compressed(path, **values, **{name: np.array(text) for name, text in facts.items()})
    return path


def write_hdf5(path: Path, values: dict[str, Any], facts: dict[str, str]) -> Path:
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            if np.asarray(value).dtype.kind == "U":
                file.create_dataset(name, data=list(value), dtype=h5py.string_dtype())
            else:
                file.create_dataset(name, data=value)
        file.attrs.update(facts)
    return path


def write_parquet(path: Path, values: dict[str, Any], facts: dict[str, str]) -> Path:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        rows = np.broadcast_to(value, (N_SPEC, N_PIX)) if name == "wavelength" else np.asarray(value)
        columns[name] = pa.array(list(rows)) if rows.ndim == 2 else pa.array(rows)
    pq.write_table(pa.table(columns).replace_schema_metadata(facts), path, row_group_size=2)
    return path


FORMATS: dict[str, Callable[[Path, dict[str, Any], dict[str, str]], Path]] = {
    "models.npz": write_npz,
    "models.h5": write_hdf5,
    "models.parquet": write_parquet,
}
every_format = pytest.mark.parametrize("name", FORMATS)


class TestEveryFormat:
    @every_format
    def test_a_file_becomes_a_valid_store(self, tmp_path: Path, name: str) -> None:
        facts = {**UNITS, "medium": "vacuum", "simulator": "Synspec-54"}
        path = FORMATS[name](tmp_path / name, FULL, facts)
        target = tmp_path / "out.zarr"
        ingest(IngestRequest((str(path),), str(target)), SerialExecutor())
        assert not [finding for finding in validate(str(target)).findings if finding.severity == "error"]
        store = zarr.open_group(str(target), mode="r")
        np.testing.assert_array_equal(store["signal/flux_raw"][:], FLUX)
        np.testing.assert_array_equal(store["signal/wavelength"][:], WAVELENGTH)
        np.testing.assert_array_equal(store["params/teff"][:], TEFF)
        np.testing.assert_array_equal(store["params/feh"][:], [0.0, -0.5, np.nan, -1.0, np.nan])
        assert np.isnan(store["signal/uncertainty_raw"][:]).all()
        assert store["signal/wavelength"].attrs["medium"] == "vacuum"
        assert store["signal/flux_raw"].attrs["units"] == "erg / (Angstrom cm2 s)"
        assert set(store["metadata/source_type"][:]) == {"synthetic"}
        assert set(store["metadata/simulator"][:]) == {"Synspec-54"}
        assert list(store["metadata/spec_id"][:]) == [f"models-h0r{row}" for row in range(N_SPEC)]

    @every_format
    def test_each_spectrum_may_have_its_own_axis(self, tmp_path: Path, read_all: Any, name: str) -> None:
        own = WAVELENGTH + np.arange(N_SPEC)[:, None]
        values = {**FULL, "wavelength": own} if name != "models.parquet" else {**FULL, "wave": own}
        values = {key: value for key, value in values.items() if key != "wavelength" or name != "models.parquet"}
        _, spectra = read_all(FORMATS[name](tmp_path / name, values, UNITS))
        for spectrum, axis, flux in zip(spectra, own, FLUX, strict=True):
            np.testing.assert_array_equal(spectrum.sampling.values, axis)
            np.testing.assert_array_equal(spectrum.flux, flux)

    @every_format
    def test_uncertainties_need_a_word_on_the_origin(self, tmp_path: Path, read_all: Any, name: str) -> None:
        path = FORMATS[name](tmp_path / name, {**FULL, "ivar": FLUX * 4}, UNITS)
        with pytest.raises(RefusedProduct, match="source_type"):
            read_all(path)
        _, spectra = read_all(path, ReaderOptions(arrays=ArrayOptions(source_type="observed")))
        np.testing.assert_allclose(prepare(spectra[1]).uncertainty, 1 / np.sqrt(FLUX[1] * 4), rtol=1e-6)
        assert spectra[1].observation.source_type == "observed"

    @every_format
    def test_identifiers_keep_every_digit(self, tmp_path: Path, read_all: Any, name: str) -> None:
        ids = 5937083312263887616 + np.arange(N_SPEC)
        names = np.array([f"model{i}" for i in range(N_SPEC)])
        _, spectra = read_all(FORMATS[name](tmp_path / name, {**FULL, "gaia_id": ids, "spec_id": names}, UNITS))
        assert [spectrum.observation.gaia_id for spectrum in spectra] == [str(value) for value in ids]
        assert [spectrum.spec_id for spectrum in spectra] == list(names)

    @every_format
    def test_units_must_be_known(self, tmp_path: Path, read_all: Any, name: str) -> None:
        path = FORMATS[name](tmp_path / name, FULL, {"flux_unit": "adu"})
        with pytest.raises(UnknownUnit, match="wavelength_unit"):
            read_all(path)
        path = FORMATS[name](tmp_path / name, FULL, {"wavelength_unit": "nm"})
        with pytest.raises(UnknownUnit, match="flux_unit"):
            read_all(path)
        options = ReaderOptions(arrays=ArrayOptions(flux_unit="adu"))
        assert prepare(read_all(path, options)[1][0]).grid.wave_min == 50_000.0

    @every_format
    def test_configured_names_win(self, tmp_path: Path, read_all: Any, name: str) -> None:
        values = {"wavelength": WAVELENGTH, "flux": FLUX, "smooth": FLUX * 2, "T": TEFF}
        options = ArrayOptions(flux="smooth", params={"teff": "t"})
        _, spectra = read_all(FORMATS[name](tmp_path / name, values, UNITS), ReaderOptions(arrays=options))
        np.testing.assert_array_equal(spectra[2].flux, FLUX[2] * 2)
        assert [spectrum.params for spectrum in spectra] == [{"teff": value} for value in TEFF]

    @every_format
    def test_two_arrays_that_could_be_the_flux_are_refused(self, tmp_path: Path, read_all: Any, name: str) -> None:
        with pytest.raises(RefusedProduct, match="several arrays could be the flux"):
            read_all(FORMATS[name](tmp_path / name, {**FULL, "spectra": FLUX}, UNITS))

    @every_format
    def test_arrays_without_a_flux_are_not_claimed(self, tmp_path: Path, read_all: Any, name: str) -> None:
        with pytest.raises(NotASpectrum, match="teff"):
            read_all(FORMATS[name](tmp_path / name, {"teff": TEFF}, {}))

    @every_format
    def test_a_bad_row_does_not_take_the_others_along(self, tmp_path: Path, name: str) -> None:
        flux = FLUX.copy()
        flux[1], flux[3] = 0.0, np.nan
        path = FORMATS[name](tmp_path / name, {**FULL, "flux": flux}, UNITS)
        request = IngestRequest((str(path),), str(tmp_path / "out.zarr"), tolerance=Tolerance.parse("2"))
        outcome = ingest(request, SerialExecutor())
        assert [(one.code, one.row) for one in outcome.rejections] == [("all-zero", 1), ("all-nan", 3)]
        np.testing.assert_array_equal(zarr.open_group(outcome.target, mode="r")["params/teff"][:], [5000, 5500, 6000])

    @every_format
    def test_arrays_are_sources_when_they_are_named(self, tmp_path: Path, name: str) -> None:
        path = FORMATS[name](tmp_path / name, FULL, UNITS)
        (file,) = scan_sources([str(path)])
        opened = open_source(file)
        assert isinstance(opened, ArrayFile)
        assert (opened.size, len(opened.data)) == (path.stat().st_size, 8)


class TestParameterTables:
    @pytest.mark.parametrize("name", ["models.npz", "models.h5"])
    def test_a_structured_array_gives_all_its_fields(self, tmp_path: Path, read_all: Any, name: str) -> None:
        table = np.array([(1.0, 4.5, -0.5), (2.0, 4.0, 0.0)], dtype=[("T_eff", "f4"), ("log_g", "f8"), ("Mg/Fe", "f8")])
        values = {"wave": WAVELENGTH, "spectra": FLUX[:2], "parameters": table}
        _, spectra = read_all(FORMATS[name](tmp_path / name, values, UNITS))
        assert spectra[1].params == {"teff": 2.0, "logg": 4.0, "mg_fe": 0.0}

    @pytest.mark.parametrize("name", ["models.npz", "models.h5"])
    def test_a_table_takes_its_names_from_an_array_of_text(self, tmp_path: Path, read_all: Any, name: str) -> None:
        values = {
            "wavelength": WAVELENGTH,
            "flux": FLUX,
            "labels": np.column_stack([TEFF, FEH]),
            "label_names": np.array(["Teff", "[Fe/H]"]),
        }
        _, spectra = read_all(FORMATS[name](tmp_path / name, values, UNITS))
        assert spectra[1].params == {"teff": 5250, "feh": -0.5}

    @pytest.mark.parametrize("name", ["models.npz", "models.h5"])
    def test_a_table_without_names_is_refused_until_they_are_given(
        self, tmp_path: Path, read_all: Any, name: str
    ) -> None:
        values = {"wavelength": WAVELENGTH, "flux": FLUX, "theta": np.column_stack([TEFF, FEH])}
        path = FORMATS[name](tmp_path / name, values, UNITS)
        with pytest.raises(MissingField, match="param_names"):
            read_all(path)
        options = ReaderOptions(arrays=ArrayOptions(param_names=("teff", "feh")))
        assert read_all(path, options)[1][3].params == {"teff": 5750, "feh": -1.0}

    def test_a_group_of_hdf5_gives_all_its_datasets(self, tmp_path: Path, read_all: Any) -> None:
        values = {"grid/wl": WAVELENGTH, "grid/flux": FLUX, "grid/params/teff": TEFF, "grid/params/C_M": FEH}
        _, spectra = read_all(write_hdf5(tmp_path / "a.h5", values, UNITS))
        assert spectra[1].params == {"teff": 5250, "c_m": -0.5}

    def test_units_of_hdf5_are_attributes_of_the_datasets(self, tmp_path: Path, read_all: Any) -> None:
        path = write_hdf5(tmp_path / "a.h5", FULL, {})
        with h5py.File(path, "a") as file:
            file["wavelength"].attrs["units"] = "nm"
            file["flux"].attrs["unit"] = "FLAM"
        ready = prepare(read_all(path)[1][0])
        assert (ready.grid.wave_min, ready.flux_unit) == (50_000.0, "erg / (Angstrom cm2 s)")

    def test_the_configuration_file_names_parameters(self, tmp_path: Path) -> None:
        toml = tmp_path / "ingest.toml"
        toml.write_text('[readers.arrays]\nflux = "f"\nparam_names = ["teff"]\n[readers.arrays.params]\nfeh = "Z"\n')
        config: Config = load_config(toml)
        assert config.readers.arrays.params == {"feh": "Z"}
        assert config.readers.arrays.param_names == ("teff",)


class TestShapes:
    def test_one_spectrum_needs_no_axis_of_spectra(self, tmp_path: Path, read_one: Any) -> None:
        values = {"wl": WAVELENGTH, "norm_flux": FLUX[0], "teff": np.array([5777.0])}
        _, spectrum = read_one(write_npz(tmp_path / "sun.npz", values, UNITS))
        np.testing.assert_array_equal(spectrum.flux, FLUX[0])
        assert spectrum.normalized_product
        assert (spectrum.params, spectrum.spec_id) == ({"teff": 5777.0}, "sun")

    def test_columns_of_numbers_are_one_spectrum(self, tmp_path: Path, read_one: Any) -> None:
        path = tmp_path / "sun.parquet"
        pq.write_table(pa.table({"wave": WAVELENGTH, "flux": FLUX[0]}).replace_schema_metadata(UNITS), path)
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.sampling.values, WAVELENGTH)
        np.testing.assert_array_equal(spectrum.flux, FLUX[0])

    def test_lists_of_unequal_length_are_spectra_of_unequal_length(self, tmp_path: Path, read_all: Any) -> None:
        lengths = [3, 12, 0, 7]
        columns = {
            "wave": pa.array([WAVELENGTH[:n] for n in lengths]),
            "flux": pa.array([FLUX[0][:n] if n else None for n in lengths]),
            "gaia_id": pa.array([5937083312263887616, None, 1, 2]),
        }
        pq.write_table(pa.table(columns).replace_schema_metadata(UNITS), tmp_path / "a.parquet")
        _, spectra = read_all(tmp_path / "a.parquet")
        assert isinstance(spectra[2], MissingField)
        assert spectra[2].row == 2
        for i in (0, 1, 3):
            np.testing.assert_array_equal(spectra[i].flux, FLUX[0][: lengths[i]])
            np.testing.assert_array_equal(spectra[i].sampling.values, WAVELENGTH[: lengths[i]])
        assert [spectra[i].observation.gaia_id for i in (0, 1, 3)] == ["5937083312263887616", "", "2"]

    def test_transposed_fluxes_are_refused(self, tmp_path: Path, read_all: Any) -> None:
        with pytest.raises(MissingField, match="transposed"):
            read_all(write_npz(tmp_path / "a.npz", {"wave": WAVELENGTH, "flux": FLUX.T}, UNITS))

    def test_arrays_in_fortran_order_are_read_in_theirs(self, tmp_path: Path, read_all: Any) -> None:
        values = {"wave": WAVELENGTH, "flux": np.asfortranarray(FLUX)}
        _, spectra = read_all(write_npz(tmp_path / "a.npz", values, UNITS))
        np.testing.assert_array_equal([spectrum.flux for spectrum in spectra], FLUX)

    def test_a_companion_of_another_shape_is_refused(self, tmp_path: Path, read_all: Any) -> None:
        with pytest.raises(MissingField, match="must agree"):
            read_all(write_npz(tmp_path / "a.npz", {**FULL, "continuum": FLUX[:, :-1]}, UNITS))

    def test_a_file_without_rows_is_refused(self, tmp_path: Path, read_all: Any) -> None:
        values = {"wave": WAVELENGTH, "flux": np.empty((0, N_PIX))}
        with pytest.raises(MissingField, match="no rows"):
            read_all(write_npz(tmp_path / "a.npz", values, UNITS))

    @every_format
    def test_blocks_of_rows_join_without_seam(self, tmp_path: Path, name: str) -> None:
        path = FORMATS[name](tmp_path / name, FULL, UNITS)
        file = ArrayFile(path.read_bytes()[:8], name, str(path))
        blocks = list(file.rows(["flux", "teff"], block_bytes=200))
        assert [first for first, _ in blocks] == sorted({first for first, _ in blocks})
        assert len(blocks) > 1
        np.testing.assert_array_equal(np.concatenate([np.stack(block["flux"]) for _, block in blocks]), FLUX)
        np.testing.assert_array_equal(np.concatenate([block["teff"] for _, block in blocks]), TEFF)

    @pytest.mark.parametrize("name", ["models.npz", "models.h5"])
    def test_memory_does_not_grow_with_the_number_of_rows(self, tmp_path: Path, name: str) -> None:
        flux = np.random.default_rng(3).normal(size=(4000, 2000)).astype(np.float32)
        path = FORMATS[name](tmp_path / name, {"flux": flux}, UNITS)
        file = ArrayFile(path.read_bytes()[:8], name, str(path))
        tracemalloc.start()
        total = sum(float(np.sum(block["flux"], dtype=np.float64)) for _, block in file.rows(["flux"], 1 << 20))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        np.testing.assert_allclose(total, flux.sum(dtype=np.float64), rtol=1e-9)
        assert peak < 8 << 20 < flux.nbytes

    @given(
        flux=st.sampled_from([">f4", "<f8", "<f2", "<i4"]).flatmap(
            lambda dtype: arrays(dtype, st.tuples(st.integers(1, 6), st.integers(2, 9)), elements=st.integers(-99, 99))
        )
    )
    def test_any_numbers_survive_both_containers(self, tmp_path_factory: pytest.TempPathFactory, flux: Any) -> None:
        directory = tmp_path_factory.mktemp("arrays")
        values = {"wave": WAVELENGTH[: flux.shape[1]], "flux": flux}
        for name in ("models.npz", "models.h5"):
            path = FORMATS[name](directory / name, values, UNITS)
            file = open_source(SourceFile(str(path), name, 0))
            spectra = list(find_reader(file, ReaderOptions()).read(file, ReaderOptions(), HeaderPolicy()))
            np.testing.assert_array_equal([spectrum.flux for spectrum in spectra], flux)

"""Files of arrays that are damaged, of absurd shapes, with pickles or links to other files: refused with a code."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.errors import CorruptFits, MissingField, NotASpectrum, RefusedProduct, SourceError, TooManyRejections

WAVELENGTH = 5000.0 + np.arange(20)
FLUX = np.arange(1.0, 61.0).reshape(3, 20)
UNITS = {"wavelength_unit": "Angstrom", "flux_unit": "adu"}


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def member(shape: str, payload: bytes = b"", descr: str = "'<f8'", fortran: str = "False") -> bytes:
    """A ``.npy`` member with any header."""
    header = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + payload


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def npy(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


def sound(path: Path) -> Path:
    facts = {name: np.array(text) for name, text in UNITS.items()}
    if path.suffix == ".npz":
        np.savez(path, wavelength=WAVELENGTH, flux=FLUX, **facts)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.attrs.update(UNITS)
            file.create_dataset("wavelength", data=WAVELENGTH)
            file.create_dataset("flux", data=FLUX, compression="gzip")
    else:
        table = pa.table({"wave": [WAVELENGTH] * 3, "flux": list(FLUX)}).replace_schema_metadata(UNITS)
        pq.write_table(table, path)
    return path


class TestArchives:
    def test_pickled_arrays_are_refused_and_never_run(self, tmp_path: Path, read_all: Any) -> None:
        mark = tmp_path / "executed"
        objects = np.array([Trap(mark), Trap(mark)], dtype=object)
        pickle.loads(pickle.dumps(objects))
        assert mark.exists()
        mark.unlink()
        path = archive(tmp_path / "a.npz", wavelength=npy(WAVELENGTH), flux=npy(objects))
        with pytest.raises(RefusedProduct, match="objects"):
            read_all(path)
        assert not mark.exists()

    @pytest.mark.parametrize(
        "shape",
        ["(1000000000000, 20)", "(3, 1000000000000)", "(-3, 20)", "(-3, -20)", "(3, 21)", "(9223372036854775807, 3)"],
    )
    def test_absurd_shapes_are_refused_by_arithmetic(self, tmp_path: Path, read_all: Any, shape: str) -> None:
        path = archive(tmp_path / "a.npz", wavelength=npy(WAVELENGTH), flux=member(shape, FLUX.tobytes()))
        with pytest.raises(CorruptFits):
            read_all(path)

    @pytest.mark.parametrize(
        "header", [b"", b"\x93NUMPY", b"\x93NUMPY\x09\x00", member("(3, 20")[:-8], member("print(1)")]
    )
    def test_headers_that_cannot_be_read_are_refused(self, tmp_path: Path, read_all: Any, header: bytes) -> None:
        with pytest.raises(CorruptFits):
            read_all(archive(tmp_path / "a.npz", wavelength=npy(WAVELENGTH), flux=header))

    def test_a_bomb_of_zeros_is_refused(self, tmp_path: Path, read_all: Any) -> None:
        path = archive(tmp_path / "a.npz", wavelength=npy(WAVELENGTH), flux=npy(np.zeros((600_000, 20))))
        with pytest.raises(CorruptFits, match="declares 96000000 bytes"):
            read_all(path)

    def test_a_zip_of_anything_else_is_no_spectrum(self, tmp_path: Path, read_all: Any) -> None:
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme.txt", "nothing")
        with pytest.raises(NotASpectrum):
            read_all(path)

    def test_a_flipped_byte_of_the_values_is_noticed(self, tmp_path: Path, read_all: Any) -> None:
        path = sound(tmp_path / "a.npz")
        raw = bytearray(path.read_bytes())
        raw[raw.find(FLUX.tobytes()) + 40] ^= 0xFF
        path.write_bytes(raw)
        with pytest.raises(CorruptFits):
            read_all(path)


class TestHdf5:
    def test_values_that_were_never_written_are_refused(self, tmp_path: Path, read_all: Any) -> None:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("wavelength", data=WAVELENGTH)
            file.create_dataset("flux", shape=(10**12, 20), dtype="f4", chunks=(1000, 20))
        with pytest.raises(CorruptFits, match="declares"):
            read_all(tmp_path / "a.h5")

    def test_chunks_larger_than_memory_are_refused(self, tmp_path: Path, read_all: Any) -> None:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("flux", shape=(2**20, 900), dtype="f4", chunks=(2**20, 900))
        with pytest.raises(CorruptFits, match="rechunk"):
            read_all(tmp_path / "a.h5")

    def test_links_and_external_storage_are_not_followed(self, tmp_path: Path, read_all: Any) -> None:
        secret = sound(tmp_path / "other.h5")
        (tmp_path / "raw.bin").write_bytes(FLUX.tobytes())
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["spectra"] = h5py.ExternalLink(str(secret), "flux")
            file["flux"] = h5py.SoftLink("/elsewhere")
            file.create_dataset("fluxes", (3, 20), "f8", external=[(str(tmp_path / "raw.bin"), 0, 480)])
        with pytest.raises(NotASpectrum):
            read_all(tmp_path / "a.h5")

    def test_rows_of_unequal_length_are_refused(self, tmp_path: Path, read_all: Any) -> None:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("wavelength", data=WAVELENGTH)
            file.create_dataset("flux", (3,), dtype=h5py.vlen_dtype(np.float64))
        with pytest.raises(RefusedProduct, match="unequal length"):
            read_all(tmp_path / "a.h5")


class TestParquet:
    def test_a_bomb_of_repeated_values_is_refused(self, tmp_path: Path, read_all: Any) -> None:
        stops = pa.array(np.arange(0, 20_000_001, 200_000), pa.int32())
        flux = pa.ListArray.from_arrays(stops, pa.array(np.ones(20_000_000, np.float32)))
        pq.write_table(pa.table({"wave": flux, "flux": flux}).replace_schema_metadata(UNITS), tmp_path / "a.parquet")
        with pytest.raises(CorruptFits, match="declares"):
            read_all(tmp_path / "a.parquet")

    def test_a_list_of_text_is_refused(self, tmp_path: Path, read_all: Any) -> None:
        pq.write_table(pa.table({"flux": [["a"], ["b"]]}), tmp_path / "a.parquet")
        with pytest.raises(SourceError):
            read_all(tmp_path / "a.parquet")


class TestDamage:
    @pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.parquet"])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
    def test_a_file_cut_short_is_a_rejection_with_a_code(
        self, tmp_path: Path, read_all: Any, name: str, share: float
    ) -> None:
        path = sound(tmp_path / name)
        raw = path.read_bytes()
        path.write_bytes(raw[: max(int(len(raw) * share), 10)])
        with pytest.raises(CorruptFits):
            read_all(path)

    @pytest.mark.parametrize("name", ["a.npz", "a.parquet"])
    def test_any_flipped_byte_gives_the_values_or_a_code(self, tmp_path: Path, read_all: Any, name: str) -> None:
        path = sound(tmp_path / name)
        raw = path.read_bytes()
        for position in np.random.default_rng(7).integers(8, len(raw), 60):
            damaged = bytearray(raw)
            damaged[position] ^= 0x5A
            path.write_bytes(damaged)
            try:
                _, spectra = read_all(path)
            except SourceError as error:
                assert error.code != "reader-failure"
            else:
                assert len(spectra) <= len(FLUX)

    def test_an_ingest_reports_the_damage(self, tmp_path: Path) -> None:
        path = sound(tmp_path / "a.h5")
        path.write_bytes(path.read_bytes()[:600])
        with pytest.raises(TooManyRejections, match="corrupt-fits"):
            ingest(IngestRequest((str(path),), str(tmp_path / "out.zarr")), SerialExecutor())

    def test_a_wavelength_that_is_missing_is_named(self, tmp_path: Path, read_all: Any) -> None:
        np.savez(tmp_path / "a.npz", flux=FLUX, flux_unit=np.array("adu"))
        with pytest.raises(MissingField, match="wavelength"):
            read_all(tmp_path / "a.npz")

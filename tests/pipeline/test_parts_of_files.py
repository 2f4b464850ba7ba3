"""One large file with a spectrum in each row, read in parts by several tasks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr import Config, Outcome, validate
from spectral_zarr.config import BuildOptions, ReaderOptions
from spectral_zarr.model import Part, SourceFile, SourceFiles
from spectral_zarr.readers import open_source
from spectral_zarr.tasks.sources import make_batches

Build = Callable[..., Outcome]

N, N_PIX = 300, 40
WAVE = 5000.0 + np.arange(N_PIX, dtype="f8")
CUT = Config(build=BuildOptions(batch_bytes=32_000))


def flux(first: int = 0, n_rows: int = N) -> Any:
    return 1.0 + np.arange(first, first + n_rows)[:, None] + np.linspace(0, 0.5, N_PIX)[None, :]


def vectors(first: int = 0, n_rows: int = N, name: str = "") -> fits.BinTableHDU:
    return fits.BinTableHDU.from_columns(
        [
            fits.Column("WAVE", f"{N_PIX}D", unit="Angstrom", array=np.tile(WAVE, (n_rows, 1))),
            fits.Column("FLUX", f"{N_PIX}E", unit="erg/s/cm2/Angstrom", array=flux(first, n_rows)),
            fits.Column("SPEC_ID", "10A", array=[f"s{first + row:05d}" for row in range(n_rows)]),
            fits.Column("TEFF", "E", array=4000.0 + first + np.arange(n_rows)),
        ],
        name=name,
    )


def write(path: Path, *tables: fits.BinTableHDU) -> Path:
    path.parent.mkdir(exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    return path


def n_batches(outcome: Outcome) -> int:
    return len({batch.batch for batch in outcome.plan.batches})


class TestOneTable:
    def test_the_store_is_that_of_one_task(self, tmp_path: Path, build: Build) -> None:
        source = write(tmp_path / "in" / "rows.fits", vectors())
        cut, whole = tmp_path / "cut.zarr", tmp_path / "whole.zarr"
        outcome = build(source, cut, config=CUT)
        assert n_batches(outcome) == source.stat().st_size // CUT.build.batch_bytes > 2
        assert n_batches(build(source, whole)) == 1
        one, other = zarr.open_group(cut, mode="r"), zarr.open_group(whole, mode="r")
        np.testing.assert_array_equal(one["signal/flux_raw"][:], flux().astype("f4"))
        for array in ("params/teff", "metadata/spec_id", "metadata/source_row", "metadata/source_sha256"):
            np.testing.assert_array_equal(one[array][:], other[array][:])
        np.testing.assert_array_equal(one["metadata/source_row"][:], np.arange(N))
        index, expected = (pq.read_table(store / "index.parquet").to_pydict() for store in (cut, whole))
        assert index.keys() == expected.keys()
        for column, values in index.items():
            np.testing.assert_array_equal(values, expected[column])
        assert validate(cut).valid

    def test_the_file_counts_once_and_with_its_bytes(self, tmp_path: Path, build: Build) -> None:
        source = write(tmp_path / "in" / "rows.fits", vectors())
        outcome = build(source, tmp_path / "cut.zarr", config=CUT)
        assert outcome.source_bytes == source.stat().st_size
        batches = make_batches(SourceFiles(files_of(source)), CUT.build)
        assert (sum(batch.n_files for batch in batches), sum(batch.nbytes for batch in batches)) == (
            1,
            source.stat().st_size,
        )

    def test_two_tables_of_one_file_are_one_sequence(self, tmp_path: Path, build: Build) -> None:
        source = write(tmp_path / "in" / "rows.fits", vectors(name="ONE"), vectors(N, 50, name="TWO"))
        config = Config(readers=ReaderOptions(hdu=("ONE", "TWO")), build=CUT.build)
        build(source, tmp_path / "cut.zarr", config=config)
        store = zarr.open_group(tmp_path / "cut.zarr", mode="r")
        np.testing.assert_array_equal(store["signal/flux_raw"][:], flux(0, N + 50).astype("f4"))
        np.testing.assert_array_equal(store["metadata/source_hdu"][:], [1] * N + [2] * 50)

    def test_its_bytes_are_digested_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = write(tmp_path / "in" / "rows.fits", vectors())
        digested: list[int] = []
        sha256 = hashlib.sha256
        monkeypatch.setattr(hashlib, "sha256", lambda raw=b"": digested.append(len(raw)) or sha256(raw))
        (file,) = files_of(source)
        parts = [open_source(replace(file, part=Part(number, 3))) for number in (1, 2, 3)]
        assert {part.sha256 for part in parts} == {sha256(source.read_bytes()).hexdigest()}
        assert digested == [source.stat().st_size]

    def test_another_file_of_the_same_name_is_read_again(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in" / "rows.fits", vectors())
        (file,) = files_of(source)
        before = open_source(replace(file, part=Part(1, 2)))
        status = source.stat()
        write(tmp_path / "other" / "rows.fits", vectors(7)).replace(source)
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        assert open_source(replace(file, part=Part(2, 2))).data == source.read_bytes() != before.data


class TestOtherFiles:
    def test_one_spectrum_is_read_by_the_first_task_alone(self, tmp_path: Path, build: Build) -> None:
        image = fits.PrimaryHDU(np.linspace(1, 2, 50_000).astype("f8"))
        image.header.update(CRVAL1=5000.0, CDELT1=0.01, CTYPE1="WAVE", CUNIT1="Angstrom", BUNIT="erg/s/cm2/Angstrom")
        (tmp_path / "in").mkdir()
        image.writeto(tmp_path / "in" / "one.fits")
        outcome = build(tmp_path / "in", tmp_path / "one.zarr", config=CUT)
        assert outcome.plan.n_spec == 1

    def test_a_damaged_file_is_one_rejection(self, tmp_path: Path, build: Build) -> None:
        good = write(tmp_path / "in" / "a.fits", vectors())
        raw = write(tmp_path / "in" / "b.fits", vectors(N)).read_bytes()
        (tmp_path / "in" / "b.fits").write_bytes(raw[:-100])
        outcome = build(tmp_path / "in", tmp_path / "cut.zarr", config=CUT, max_rejected="1")
        assert [(one.name, one.code, one.hdu) for one in outcome.rejections] == [("b.fits", "truncated", 1)]
        assert outcome.plan.n_spec == N
        assert good.exists()

    def test_packed_files_are_never_cut(self) -> None:
        files = SourceFiles([SourceFile("/x/a.fits.gz", "a.fits.gz", 10**9), SourceFile("/x/b.h5", "b.h5", 10**9)])
        assert [len(batch.files) for batch in make_batches(files, CUT.build)] == [1, 1]


@given(st.integers(0, 10**6), st.integers(1, 500))
def test_parts_are_all_rows_once_and_in_order(count: int, of: int) -> None:
    parts = [Part(number, of).of_range(count) for number in range(1, of + 1)]
    assert [parts[0].start, parts[-1].stop] == [0, count]
    assert all(one.stop == other.start for one, other in pairwise(parts))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def files_of(source: Path) -> list[SourceFile]:
    return [SourceFile(str(source), source.name, source.stat().st_size)]

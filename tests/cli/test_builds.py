"""``abort`` and ``readers``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def stopped(run: Run, files: Path) -> Path:
    """A build that too many rejections stopped."""
    (files / "text.fits").write_text("no")
    assert run("ingest", files, "out.zarr", "--cluster", "serial").code == 3
    return Path("out.zarr")


class TestAbort:
    def test_a_stopped_build_is_removed(self, run: Run, stopped: Path, tmp_path: Path) -> None:
        assert run("abort", stopped).code == 0
        assert list(tmp_path.glob("out.zarr*")) == []

    def test_a_published_store_and_its_records_stay(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        assert run("ingest", spectra, "s.zarr", "--cluster", "serial").code == 0
        assert "it is published" in run("abort", "s.zarr").out
        assert (tmp_path / "s.zarr" / "index.parquet").exists()
        assert (tmp_path / "s.zarr.build" / "rejections.parquet").exists()

    def test_nothing_there(self, run: Run) -> None:
        result = run("abort", "missing.zarr")
        assert result.code == 0
        assert "nothing to do" in result.out

    def test_a_directory_of_somebody_else_is_refused(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "x.zarr.tmp").mkdir()
        assert run("abort", "x.zarr").code == 5
        assert (tmp_path / "x.zarr.tmp").is_dir()


class TestReaders:
    def test_every_reader_is_listed_and_refused_products_apart(self, run: Run) -> None:
        from spectral_zarr.readers import readers

        result = run("readers")
        found = run("readers", "--json").json
        names = {reader["name"] for reader in found["readers"]}
        assert names == {reader.name for reader in readers()} - {"unsupported"}
        assert all(name in result.out for name in names)
        assert "refused" in result.out
        assert any("DESI" in name for name in found["refused"])

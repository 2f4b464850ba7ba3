"""``spectral-zarr demo``: several valid stores in one go, and care with directories that are not its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from spectral_zarr.cli import demo
from tests.cli.conftest import Run


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of fewer and shorter spectra."""
    monkeypatch.setattr(demo, "PRODUCTS", (("sdss-spec", 6, 2000), ("uves-adp", 3, 300), ("wcs1d", 3, 256)))


class TestDemo:
    def test_every_product_becomes_a_valid_store(self, run: Run, short: None, tmp_path: Path) -> None:
        result = run("demo", "--cluster", "serial")
        assert result.code == 0
        for words in (
            "3 stores in spectral-zarr-demo",
            "one common lattice",
            "one grid per spectrum",
            "sdss-spec.zarr",
        ):
            assert words in result.out
        stores = sorted((tmp_path / "spectral-zarr-demo").glob("*.zarr"))
        assert len(stores) == 3
        assert run("validate", *stores, "--quiet").code == 0

    def test_the_lines_of_python_run(self, run: Run, short: None, capsys: pytest.CaptureFixture[str]) -> None:
        out = run("demo", "here", "--cluster", "serial").out
        lines = [line.strip() for line in out.splitlines() if line.startswith("    ")]
        code = "\n".join(line for line in lines if line.startswith(("import", "signal", "print")))
        exec(code, {})
        assert "signal" in code
        assert xr.open_zarr("here/sdss-spec.zarr", group="signal").flux_raw.shape[0] == 6

    def test_a_second_run_needs_force(self, run: Run, short: None, tmp_path: Path) -> None:
        assert run("demo", "here", "--cluster", "serial").code == 0
        (tmp_path / "here" / "mine.txt").write_text("keep me")
        result = run("demo", "here", "--cluster", "serial")
        assert result.code == 5
        assert "--force" in result.error
        assert run("demo", "here", "--cluster", "serial", "--force").code == 0
        assert (tmp_path / "here" / "mine.txt").read_text() == "keep me"

    def test_a_directory_with_other_files_is_never_touched(self, run: Run, short: None, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "sdss-spec.zarr").mkdir()
        assert run("demo", "mine", "--force").code == 2
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["sdss-spec.zarr"]

    def test_a_file_in_the_way(self, run: Run, short: None, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        assert run("demo", "file").code == 2

    def test_the_full_demo_is_small_enough(self) -> None:
        assert sum(count for _, count, _ in demo.PRODUCTS) >= 300

"""``spectral-zarr bench chunks``: what it measures, draws and recommends, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import zarr

from spectral_zarr.model.trial import Layout, RowsTask, TrialTask
from spectral_zarr.tasks.trials import try_layout, write_rows
from tests.cli.conftest import Run

PROGRAM = [sys.executable, "-c", "from spectral_zarr.cli import main; main()"]


class Tags(HTMLParser):
    """Tags of a page, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = {"src", "href", "xlink:href"}
        self.loaded += [value for name, value in attrs if name in names and value and not value.startswith("#")]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """An empty directory to measure."""
    directory = tmp_path / "disk"
    directory.mkdir()
    return directory


class TestSynthetic:
    def test_every_layout_is_measured_in_every_way_and_removed(self, run: Run, disk: Path) -> None:
        result = run("bench", "chunks", "--synthetic", 2048, 600, "--path", disk, "--rounds", 2, "--json", "--quiet")
        assert result.code == 0, result.err
        found = result.json
        assert (found["n_spec"], found["n_pix"], found["rows_tried"]) == (2048, 600, 2048)
        labels = [layout["label"] for layout in found["layouts"]]
        assert labels[0] == "(1024, 600) v3 clevel 5"
        assert "(128, 600) in shards (1024, 600) v3 clevel 5" in labels
        for layout in found["layouts"]:
            assert set(layout["rounds"]) == {"write", "row", "batch", "epoch", "window"}
            assert all(len(times) == 2 and min(times) > 0 for times in layout["rounds"].values())
            assert layout["bytes"] * layout["ratio"] == pytest.approx(2 * 4 * 2048 * 600)
            assert layout["cache"] in ("cold", "asked", "warm")
        assert found["recommendation"]["label"] in labels
        assert list(disk.iterdir()) == []

    def test_table_and_page(self, run: Run, disk: Path, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        result = run(
            *("bench", "chunks", "--synthetic", 64, 300, "--path", disk, "--rounds", 1, "--access", "row"),
            *("--plot", tmp_path / "trials.html"),
        )
        assert result.code == 0, result.err
        assert "recommended  (64, 300)" in result.out
        assert "row: of the" in result.out
        page = Tags()
        page.feed((tmp_path / "trials.html").read_text())
        assert {"h1", "svg", "li"} <= set(page.tags)
        assert page.loaded == [], "the page needs no other file"

    def test_picture(self, run: Run, disk: Path, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        result = run(
            *("bench", "chunks", "--synthetic", 64, 300, "--path", disk, "--rounds", 1),
            *("--plot", tmp_path / "trials.png"),
        )
        assert result.code == 0, result.err
        assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


class TestStore:
    def test_the_spectra_of_a_store_are_used(self, run: Run, published: Path, disk: Path) -> None:
        result = run("bench", "chunks", published, "--path", disk, "--rounds", 1, "--json", "--quiet")
        assert result.code == 0, result.err
        assert (result.json["n_spec"], result.json["n_pix"], result.json["rows_tried"]) == (12, 256, 12)
        assert list(disk.iterdir()) == []

    def test_rows_of_the_source_are_rows_of_the_store(self, published: Path, tmp_path: Path) -> None:
        source = tmp_path / "rows.npy"
        np.lib.format.open_memmap(source, "w+", np.dtype("<f4"), (2, 5, 256)).flush()
        assert write_rows(RowsTask(str(source), 1, 4, str(published), 7)) == 3
        store = zarr.open_group(published, mode="r")
        values = np.load(source)
        np.testing.assert_array_equal(values[0, 1:4], store["signal/flux_raw"][7:10])
        np.testing.assert_array_equal(values[1, 1:4], store["signal/uncertainty_raw"][7:10])
        assert not values[:, [0, 4]].any()


class TestTrial:
    def test_bytes_read_are_those_of_the_chunks_touched(self, tmp_path: Path) -> None:
        source = tmp_path / "rows.npy"
        np.lib.format.open_memmap(source, "w+", np.dtype("<f4"), (2, 64, 5000)).flush()
        write_rows(RowsTask(str(source), 0, 64))
        receipt = try_layout(TrialTask(str(tmp_path), str(source), Layout(16, 5000), 0))
        assert receipt.n_files == 2 * 4 + 4, "two arrays of four chunks, and documents of two groups and two arrays"
        assert receipt.nbytes_logical == 2 * 64 * 5000 * 4
        access = {one.name: one for one in receipt.accesses}
        assert [access[name].n_rows for name in ("write", "row", "batch", "epoch", "window")] == [64, 16, 192, 64, 64]
        assert access["window"].nbytes == 2 * 64 * 100 * 4
        chunks = receipt.nbytes
        for name, share in (("row", 16 / 4), ("epoch", 1.0), ("window", 1.0)):
            assert access[name].nbytes_read == pytest.approx(share * chunks, rel=0.1), name
        assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.npy"]

    def test_drawn_spectra_have_noise_lines_and_padding(self, tmp_path: Path) -> None:
        source = tmp_path / "rows.npy"
        np.lib.format.open_memmap(source, "w+", np.dtype("<f4"), (2, 40, 4000)).flush()
        write_rows(RowsTask(str(source), 0, 40))
        flux, sigma = np.load(source)
        missing = np.isnan(flux).mean()
        assert 0.02 < missing < 0.14
        assert np.isnan(sigma).sum() > np.isnan(flux).sum(), "pixels without an uncertainty"
        assert np.unique(flux[np.isfinite(flux)]).size > 0.9 * np.isfinite(flux).sum(), "noise to the last pixel"
        assert not np.array_equal(flux[0], flux[1], equal_nan=True)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            ((), 2, "--synthetic"),
            (("x.zarr", "--synthetic", 10, 10), 2, "--synthetic"),
            (("x.zarr",), 2, "x.zarr"),
            (("--synthetic", 10, 0), 2, "at least one"),
            (("--synthetic", 9000, 100, "--limit", 100), 2, "2048 rows"),
            (("--synthetic", 10, 10, "--access", "magic"), 2, "magic"),
            (("--synthetic", 10, 10, "--plot", "x.gif"), 2, ".png"),
            (("--synthetic", 10, 10, "--plot", "missing/x.png"), 2, "does not exist"),
            (("--synthetic", 10**9, 9999, "--limit", 10**9), 6, "--limit"),
        ],
    )
    def test_nothing_is_written(
        self, arguments: tuple[object, ...], code: int, words: str, run: Run, disk: Path
    ) -> None:
        result = run("bench", "chunks", *arguments, "--path", disk)
        assert result.code == code
        assert words in result.error
        assert list(disk.iterdir()) == []

    def test_the_directory_must_exist(self, run: Run, tmp_path: Path) -> None:
        result = run("bench", "chunks", "--synthetic", 10, 10, "--path", tmp_path / "nowhere")
        assert result.code == 2
        assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(number: signal.Signals, disk: Path) -> None:
    command = [*PROGRAM, "bench", "chunks", "--synthetic", "4096", "2000", "--path", str(disk), "--rounds", "99"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "try: " in line:
                break
        assert list(disk.iterdir()) != []
        os.kill(process.pid, number)
        rest = process.stderr.read()
    assert process.returncode == 75
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert list(disk.iterdir()) == []

"""``spectral-zarr bench ingest``: phases, numbers of workers, the forecast, and that nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectral_zarr.model.pace import PHASES
from spectral_zarr.testing import write_samples
from tests.cli.conftest import Run


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """An empty directory to write to."""
    directory = tmp_path / "disk"
    directory.mkdir()
    return directory


def test_every_phase_is_measured_with_every_number_of_workers(run: Run, disk: Path, tmp_path: Path) -> None:
    files = tmp_path / "more"
    write_samples(files, "wcs1d", 30, n_pix=256)
    result = run(
        *("bench", "ingest", files, "--path", disk, "--workers", "1,2", "--limit", 20, "--json", "--quiet"),
        *("--for-files", 40_000, "--cores", "8"),
    )
    assert result.code == 0, result.err
    runs, forecasts = result.json["runs"], result.json["forecasts"]
    assert [(one["workers"], one["files"], one["spectra"]) for one in runs] == [(1, 20, 20), (2, 20, 20)]
    assert runs[0]["source_bytes"] == sum(path.stat().st_size for path in sorted(files.iterdir())[:20])
    for one in runs:
        assert tuple(one["phases"]) == PHASES
        for phase in set(PHASES) - {"workers"}:
            assert one["phases"][phase]["seconds"] > 0, phase
    for phase in ("stage", "fill", "validate"):
        assert runs[1]["phases"][phase]["cpu_seconds"] > 0, "the time of the workers is counted"
    assert runs[1]["phases"]["workers"]["cpu_seconds"] > runs[0]["phases"]["workers"]["cpu_seconds"]
    assert [(one["files"], one["cores"]) for one in forecasts] == [(40_000, 1), (40_000, 2), (40_000, 8)]
    assert forecasts[0]["store_bytes"] == pytest.approx(2000 * runs[0]["store_bytes"])
    assert list(disk.iterdir()) == []


def test_table_and_assumptions(run: Run, spectra: Path, disk: Path) -> None:
    result = run("bench", "ingest", spectra, "--path", disk, "--workers", "1", "--cores", "4")
    assert result.code == 0, result.err
    for word in (*PHASES, "forecast", "1,000,000 files", "12 files", "4 cores are 4 times as fast as 1"):
        assert word in result.out
    assert list(disk.iterdir()) == []


def test_bad_files_are_left_out(run: Run, files: Path, disk: Path) -> None:
    (files / "broken.fits").write_bytes(b"no FITS file")
    result = run("bench", "ingest", files, "--path", disk, "--workers", "1", "--json", "--quiet")
    assert result.code == 0, result.err
    assert (result.json["runs"][0]["files"], result.json["runs"][0]["spectra"]) == (4, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--workers", "two"), 2, "--workers"),
        (("--workers", "0"), 2, "--workers"),
        (("--cores", "-1"), 2, "--cores"),
        (("missing.fits",), 2, "missing.fits"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: tuple[str, ...], code: int, words: str, run: Run, spectra: Path, disk: Path
) -> None:
    result = run("bench", "ingest", spectra, *arguments, "--path", disk)
    assert result.code == code
    assert words in result.error
    assert list(disk.iterdir()) == []


def test_an_ingest_that_fails_leaves_nothing(run: Run, tmp_path: Path, disk: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "broken.fits").write_bytes(b"no FITS file")
    result = run("bench", "ingest", tmp_path / "bad", "--path", disk, "--workers", "1")
    assert result.code == 3
    assert "nothing-accepted" in result.error
    assert list(disk.iterdir()) == []

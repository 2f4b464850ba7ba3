"""The command line run in this process: its exit code and what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spectral_zarr.cli import run as run_command
from spectral_zarr.testing import write_samples


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON, which has no NaN."""

        def refuse(word: str) -> float:
            raise ValueError(f"{word} is not JSON")

        return json.loads(self.out, parse_constant=refuse)

    @property
    def error(self) -> str:
        """The one error line."""
        lines = [line for line in self.err.splitlines() if line.startswith("error ")]
        assert len(lines) == 1, self.err
        return lines[0]


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in an empty directory, without colours or a terminal."""
    monkeypatch.chdir(tmp_path)
    for variable in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "COLUMNS", "SPECTRAL_ZARR_DEBUG"):
        monkeypatch.delenv(variable, raising=False)

    def command(*arguments: object) -> Result:
        capsys.readouterr()
        code = run_command([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        assert "Traceback" not in out + err
        return Result(code, out, err)

    return command


@pytest.fixture(scope="session")
def spectra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve sound files of one product."""
    directory = tmp_path_factory.mktemp("cli") / "spectra"
    write_samples(directory, "wcs1d", 12, n_pix=256)
    return directory


@pytest.fixture(scope="session")
def published(spectra: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published store; tests must not change it."""
    target = tmp_path_factory.mktemp("published") / "stars.zarr"
    assert run_command(["ingest", str(spectra), str(target), "--cluster", "serial", "--quiet"]) == 0
    return target


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory of three sound files, for a test to add others to."""
    directory = tmp_path / "files"
    write_samples(directory, "wcs1d", 3, n_pix=256)
    return directory

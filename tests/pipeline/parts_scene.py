"""A build in parts, the processes that run them, and the store that a serial ingest gives."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, load_config
from spectral_zarr.cluster import fill_part, finalise_parts, plan_parts, stage_part
from spectral_zarr.model import Part
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.testing import store_digest, write_samples
from spectral_zarr.testing.faults import Step

from .matrix import _epoch

__all__ = ["_epoch"]

N_FILES, N_BATCHES, N_BLOCKS = 150, 10, 3
CONFIG = "[build]\nbatch_files = 16\n[store]\nchunk_rows = 64\n"

PROGRAM = """
import sys
from pathlib import Path
from spectral_zarr import IngestRequest, load_config
from spectral_zarr.cli.failures import interrupt_on_terminate
from spectral_zarr.cluster import fill_part, finalise_parts, stage_part
from spectral_zarr.errors import SpectralZarrError
from spectral_zarr.model import Part
from spectral_zarr.testing.faults import Step, dies_at
files, config, target, step, number, signal = sys.argv[1:7]
interrupt_on_terminate()
request = IngestRequest((files,), target, load_config(Path(config)))
print("ready", flush=True)
for line in sys.stdin:
    phase, part = line.split()
    try:
        with dies_at(Step(step), number=int(number), with_signal=int(signal)):
            if phase == "stage":
                stage_part(request, Part.parse(part))
            elif phase == "fill":
                fill_part(target, Part.parse(part))
            else:
                finalise_parts(target, workers=1)
        print("done", flush=True)
    except SpectralZarrError as error:
        print(error.exit_code, error, flush=True)
"""
"""Runs the parts that it reads; a signal hits it at a step."""


class Parts:
    """A build in parts, and the digest of the store that a serial ingest of the same request gives."""

    def __init__(self, files: Path, config: Path, target: Path, serial: str) -> None:
        self.files, self.config, self.target, self.serial = files, config, target, serial
        self.paths = BuildPaths.of(target)

    @property
    def request(self) -> IngestRequest:
        return IngestRequest((str(self.files),), str(self.target), load_config(self.config))

    def stage(self, number: int, of: int = 3, **options: object) -> None:
        stage_part(replace(self.request, **options), Part(number, of))

    def plan(self) -> None:
        plan_parts(str(self.target), Tolerance())

    def fill(self, number: int, of: int = 3) -> None:
        fill_part(str(self.target), Part(number, of))

    def finalise(self, *, replacing: bool = False) -> None:
        finalise_parts(str(self.target), replacing=replacing, workers=1)

    def run(self, of: int = 3) -> None:
        for number in range(1, of + 1):
            self.stage(number, of)
        self.plan()
        for number in range(1, of + 1):
            self.fill(number, of)
        self.finalise()

    def start(
        self, step: Step = Step.PUBLISHED, number: int = 1, with_signal: int = signal.SIGKILL
    ) -> subprocess.Popen[str]:
        """A process that runs the parts that it is told; a signal hits it at a step."""
        words = (self.files, self.config, self.target, step, number, int(with_signal))
        command = [sys.executable, "-c", PROGRAM, *map(str, words)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def proofs(self) -> dict[str, int]:
        """Inode of every receipt, which changes when work is done again."""
        found = [*self.paths.staged.glob("*.receipt.json"), *self.paths.receipts.glob("*.json")]
        return {path.name: path.stat().st_ino for path in found}

    def assert_published(self) -> None:
        assert store_digest(self.target) == self.serial
        names = {path.name for path in self.target.parent.iterdir()}
        assert names == {self.target.name, self.paths.build.name}
        assert not list(self.target.parent.rglob("*.partial"))
        assert not self.paths.parts.exists()


def tell(process: subprocess.Popen[str], phase: str, part: str) -> None:
    """Let a process run a part."""
    assert process.stdin is not None
    process.stdin.write(f"{phase} {part}\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    """The next line of a process, '' when it has died."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def told(process: subprocess.Popen[str], phase: str, part: str) -> str:
    """What a process that runs a part at last says."""
    with process:
        assert answer(process) == "ready"
        tell(process, phase, part)
        return process.communicate(timeout=120)[0].strip()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, _epoch: None) -> tuple[Path, Path, str]:
    """Files for ten batches and three row blocks, their configuration, and the digest of the serial store."""
    root = tmp_path_factory.mktemp("source")
    write_samples(root / "files", "wcs1d", N_FILES, n_pix=4096)
    (root / "c.toml").write_text(CONFIG)
    request = IngestRequest((str(root / "files"),), str(root / "serial.zarr"), load_config(root / "c.toml"))
    outcome = ingest(request, SerialExecutor())
    assert outcome.plan.n_blocks == N_BLOCKS
    return root / "files", root / "c.toml", store_digest(root / "serial.zarr")


@pytest.fixture
def parts(source: tuple[Path, Path, str], tmp_path: Path) -> Parts:
    files, config, serial = source
    return Parts(files, config, tmp_path / "x.zarr", serial)

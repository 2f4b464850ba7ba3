"""A real Slurm of four nodes for all tests of this directory, and an empty queue after each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from .scene import Gate, Scene, make_scene
from .testbed import COMMAND, SLURM, Slurm


@pytest.fixture(scope="session")
def started_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A cluster that runs as long as the tests."""
    if shutil.which("sbatch") is None:
        pytest.skip("Slurm is not installed")
    directory = tmp_path_factory.mktemp("testbed")
    testbed = [sys.executable, str(SLURM / "testbed")]
    started = subprocess.run([*testbed, "start", str(directory)], capture_output=True, text=True, timeout=120)
    assert started.returncode == 0, started.stderr
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
    environment = {
        **inherited,
        "SLURM_CONF": str(directory / "slurm.conf"),
        "SPECTRAL_ZARR": str(COMMAND),
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    try:
        yield Slurm(directory, environment)
    finally:
        stopped = subprocess.run([*testbed, "stop", str(directory)], capture_output=True, text=True, timeout=120)
        assert stopped.returncode == 0, stopped.stderr


@pytest.fixture
def slurm(started_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """The cluster with nothing on it; clients of this process talk to it too."""
    monkeypatch.setenv("SLURM_CONF", started_slurm.environment["SLURM_CONF"])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", started_slurm.environment["SOURCE_DATE_EPOCH"])
    yield started_slurm
    started_slurm.clear()


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Sources and the store that they make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        yield make_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def halted(slurm: Slurm, scene: Scene, tmp_path: Path) -> tuple[Slurm, Gate, Path]:
    """A cluster whose jobs wait in the middle of the ingest, the gate that they wait at, and the target."""
    gate, environment = scene.gated(tmp_path, slurm.environment)
    return replace(slurm, environment=environment), gate, tmp_path / "x.zarr"

"""A small ingest that can be halted in the middle, so that what a fault meets is known and not a matter of luck."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spectral_zarr import IngestRequest, SerialExecutor, ingest, load_config
from spectral_zarr.testing import store_digest, write_samples

from .testbed import wait_until

N_FILES, BATCH_FILES = 24, 2
N_BATCHES = N_FILES // BATCH_FILES
N_FREE = 4
"""Batches that are staged while the gate is closed."""

HOOK = """
import os, sys, time
gate = os.environ.get("TEST_GATE", "")
if gate:
    with open(os.path.join(gate, "names")) as file:
        names = frozenset(file.read().split())
    opened = os.path.join(gate, "open")
    def wait(event, arguments):
        if event == "open" and isinstance(arguments[0], str) and os.path.basename(arguments[0]) in names:
            while not os.path.exists(opened):
                time.sleep(0.05)
    sys.addaudithook(wait)
"""
"""Every Python of a job imports this; one that opens a source behind the gate waits until the gate is open."""

PROFILE = """
partition = "main"
interface = "lo"
workers = 2
memory = "700MiB"
walltime = "10"
check_seconds = 1
"""


@dataclass(frozen=True)
class Scene:
    """Sources, the store that they make, and a gate in the middle of them."""

    root: Path
    digest: str

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def options(self) -> list[str]:
        """Options of every ingest of the sources."""
        return ["--config", str(self.root / "ingest.toml"), "--profile", str(self.root / "site.toml")]

    def gated(self, where: Path, environment: Mapping[str, str]) -> tuple[Gate, dict[str, str]]:
        """A closed gate, and the environment of jobs that wait at it."""
        gate = Gate(where / "gate")
        gate.directory.mkdir()
        names = sorted(path.name for path in self.files.iterdir())
        (gate.directory / "names").write_text("\n".join(names[N_FREE * BATCH_FILES :]))
        (gate.directory / "sitecustomize.py").write_text(HOOK)
        path = os.pathsep.join(filter(None, [str(gate.directory), environment.get("PYTHONPATH", "")]))
        return gate, {**environment, "PYTHONPATH": path, "TEST_GATE": str(gate.directory)}


@dataclass(frozen=True)
class Gate:
    """What the later half of the sources lies behind."""

    directory: Path

    def open(self) -> None:
        (self.directory / "open").touch()


def make_scene(root: Path) -> Scene:
    """Write the sources, and ingest them in this process."""
    write_samples(root / "files", "wcs1d", N_FILES, n_pix=64)
    (root / "ingest.toml").write_text(f"[build]\nbatch_files = {BATCH_FILES}\n")
    (root / "site.toml").write_text(PROFILE)
    target = root / "serial.zarr"
    ingest(IngestRequest((str(root / "files"),), str(target), load_config(root / "ingest.toml")), SerialExecutor())
    return Scene(root, store_digest(target))


def events(target: Path) -> list[dict[str, object]]:
    """Everything that the drivers of a build have written to their logs, in order."""
    lines: list[dict[str, object]] = []
    for path in sorted((target.parent / f"{target.name}.build" / "log").glob("*.jsonl")):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(lines, key=lambda line: float(str(line["time"])))


def proofs(target: Path) -> dict[int, tuple[int, float]]:
    """Batches with a proof on disk, and by which process it was made and when it began."""
    found = {}
    for path in sorted((target.parent / f"{target.name}.build" / "staged").glob("*.json")):
        receipt = json.loads(path.read_text())
        found[receipt["batch"]] = (receipt["run"]["pid"], receipt["run"]["start"])
    return found


def wait_for_proofs(target: Path, count: int = N_FREE, seconds: float = 60.0) -> None:
    """Wait until so many batches are staged."""
    wait_until(lambda: len(proofs(target)) >= count, seconds, f"{count} staged batches of {target}")


def used_proofs(target: Path) -> dict[int, tuple[int, float]]:
    """The proof of each batch that the last driver took, which a batch that is parsed again would not have."""
    staged = [event for event in events(target) if event["event"] == "staged"]
    return {int(str(event["batch"])): (int(str(event["pid"])), float(str(event["start"]))) for event in staged}

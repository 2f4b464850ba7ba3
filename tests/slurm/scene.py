"""A small ingest that can be halted in the middle, so that what a fault meets is known and not a matter of luck."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spectral_zarr import IngestRequest, SerialExecutor, ingest, load_config
from spectral_zarr.testing import store_digest, write_samples

from .testbed import PATIENCE, SLURM, Slurm, wait_until

N_FILES, BATCH_FILES = 24, 2
N_BATCHES = N_FILES // BATCH_FILES
N_FREE = 4
"""Batches that are staged while the gate is closed."""

HOOK = """
import os, sys, time
gate = os.environ.get("TEST_GATE", "")
if gate:
    with open(os.path.join(gate, "names")) as file:
        names = file.read().split()
    known, behind = frozenset(names), frozenset(names[int(os.environ["TEST_GATE_AT"]):])
    opened = os.path.join(gate, "open")
    opens = os.open(os.path.join(gate, "opens"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    def wait(event, arguments):
        if event == "open" and isinstance(arguments[0], str):
            name = os.path.basename(arguments[0])
            if name in known:
                os.write(opens, f"{name}\\n".encode())
            while name in behind and not os.path.exists(opened):
                time.sleep(0.05)
    sys.addaudithook(wait)
"""
"""Every Python of a job imports this; it writes down which sources it opens, and waits before those behind the gate."""

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
        (gate.directory / "names").write_text("\n".join(sorted(path.name for path in self.files.iterdir())))
        (gate.directory / "sitecustomize.py").write_text(HOOK)
        path = os.pathsep.join(filter(None, [str(gate.directory), environment.get("PYTHONPATH", "")]))
        variables = {"PYTHONPATH": path, "TEST_GATE": str(gate.directory), "TEST_GATE_AT": str(N_FREE * BATCH_FILES)}
        return gate, {**environment, **variables}


@dataclass(frozen=True)
class Gate:
    """What the later half of the sources lies behind."""

    directory: Path

    def open(self) -> None:
        (self.directory / "open").touch()

    def opens(self) -> Counter[str]:
        """How often each source was opened."""
        return Counter((self.directory / "opens").read_text().split())

    def names(self, batch: int) -> list[str]:
        """The sources of a batch."""
        return (self.directory / "names").read_text().split()[batch * BATCH_FILES : (batch + 1) * BATCH_FILES]


def make_scene(root: Path) -> Scene:
    """Write the sources, and ingest them in this process."""
    write_samples(root / "files", "wcs1d", N_FILES, n_pix=64)
    (root / "ingest.toml").write_text(f"[build]\nbatch_files = {BATCH_FILES}\n")
    (root / "site.toml").write_text(PROFILE)
    target = root / "serial.zarr"
    ingest(IngestRequest((str(root / "files"),), str(target), load_config(root / "ingest.toml")), SerialExecutor())
    return Scene(root, store_digest(target))


def logs(target: Path) -> list[list[dict[str, object]]]:
    """What each driver of a build has written to its log, the first driver first."""
    paths = sorted((target.parent / f"{target.name}.build" / "log").glob("*.jsonl"))
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]


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


@dataclass(frozen=True)
class Standing:
    """What was staged when a fault came, and how often each source had been opened until then."""

    gate: Gate
    target: Path
    proofs: dict[int, tuple[int, float]]
    opens: Counter[str]

    @classmethod
    def at(cls, gate: Gate, target: Path) -> Standing:
        """Wait until all batches before the gate are staged."""
        wait_for_proofs(target)
        return cls(gate, target, proofs(target), gate.opens())

    def assert_kept(self) -> None:
        """Each driver took each batch once, and the last one took all, with the proofs of then.

        A source of theirs is opened once more by each resume, which compares its SHA-256, and by nobody else.
        """
        staged = [[line for line in lines if line["event"] == "staged"] for lines in logs(self.target)]
        for lines in staged:
            assert set(Counter(line["batch"] for line in lines).values()) <= {1}
        used = {line["batch"]: (line["pid"], line["start"]) for line in staged[-1]}
        assert sorted(used) == list(range(N_BATCHES))
        assert {batch: used[batch] for batch in self.proofs} == self.proofs
        opens, n_resumes = self.gate.opens(), len(staged) - 1
        for name in (name for batch in self.proofs for name in self.gate.names(batch)):
            assert opens[name] == self.opens[name] + n_resumes > n_resumes, name


def submit(slurm: Slurm, scene: Scene, script: str, target: Path, *options: str) -> str:
    """Submit an ingest of the sources, whose driver writes to job.log beside the target."""
    words = ["--output=job.log", *options, str(SLURM / script), str(scene.files), str(target), *scene.options]
    return slurm.submit(*words, cwd=target.parent)


def submit_on_site(slurm: Slurm, scene: Scene, target: Path, site: str, *options: str) -> str:
    """Submit a driver whose worker jobs are those of another site profile."""
    profile = target.parent / "site.toml"
    profile.write_text(site)
    words = ["--output=job.log", *options, str(SLURM / "driver.sbatch"), str(scene.files), str(target)]
    return slurm.submit(*words, *scene.options[:2], "--profile", str(profile), cwd=target.parent)


def worker_jobs(slurm: Slurm, driver: str) -> list[str]:
    """Worker jobs that run."""
    listed = slurm.output("squeue", "--noheader", "--states=R", "--format=%i|%j").split()
    return [job for job, name in (line.split("|") for line in listed) if job != driver and name.startswith("sz-")]


def wait_for_workers(slurm: Slurm, driver: str, lost: set[str] | None = None, seconds: float = PATIENCE) -> set[str]:
    """Wait for two worker jobs beside those that are lost."""
    gone = lost or set()
    wait_until(lambda: len(set(worker_jobs(slurm, driver)) - gone) == 2, seconds, "two workers")
    return set(worker_jobs(slurm, driver)) - gone


def log(target: Path) -> str:
    """What the driver has said."""
    return (target.parent / "job.log").read_text()

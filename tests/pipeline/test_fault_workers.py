"""Workers that are killed, stand still or repeat themselves: the build goes on, with the bytes of any other."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spectral_zarr import Config, IngestRequest, SerialExecutor, ingest, load_config
from spectral_zarr.cluster.local import local_executor
from spectral_zarr.store.abort import abort_build
from spectral_zarr.store.claim import own_claim
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.request import request_facts
from spectral_zarr.testing import store_digest, write_samples
from spectral_zarr.testing.faults import Step
from spectral_zarr.testing.workers import DiesAt, DiesWithin, Disturbed

from .matrix import watched

DEADLINE = 60
WORKER_STEPS = [
    *(("stage_batch", Step.FILE_WRITTEN, number) for number in (1, 2, 3)),
    *(("stage_batch", Step.FILE_SYNCED, number) for number in (1, 2, 3)),
    *(("stage_batch", Step.FILE_REPLACED, number) for number in (1, 2, 3)),
    *(("fill_block", Step.BLOCK_BUFFERED, number) for number in (1, 2)),
    *(("fill_block", Step.FILE_WRITTEN, number) for number in (1, 2, 3)),
    *(("fill_block", Step.FILE_SYNCED, number) for number in (1, 2, 3)),
    *(("fill_block", Step.FILE_REPLACED, number) for number in (1, 2, 3)),
]
"""Files of a batch: pixels, columns, receipt. Files of a block: one chunk of flux and of its uncertainty, receipt."""


@dataclass(frozen=True)
class Batches:
    """Files of several batches and row blocks, and the digest of their store."""

    files: Path
    config: Config
    digest: str

    def request(self, target: Path, *, resume: bool = False) -> IngestRequest:
        return IngestRequest((str(self.files),), str(target), self.config, resume=resume)


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory, _epoch: None) -> Batches:
    root = tmp_path_factory.mktemp("batches")
    write_samples(root / "files", "sdss-spec", 140)
    (root / "c.toml").write_text("[build]\nbatch_files = 40\n[store]\nchunk_rows = 64\n")
    config = load_config(root / "c.toml")
    plan = ingest(IngestRequest((str(root / "files"),), str(root / "x.zarr"), config), SerialExecutor()).plan
    assert (len(plan.batches), plan.n_blocks) == (4, 3)
    return Batches(root / "files", config, store_digest(root / "x.zarr"))


class Kept(Disturbed):
    """Leaves the workers to the next ingest."""

    def close(self) -> None:
        return


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Any]:
    with local_executor(2) as executor:
        yield executor


def killed(batches: Batches, target: Path, workers: Any, disturbance: Callable[..., Any]) -> None:
    """L = 0, C and I: the ingest succeeds although a worker dies, and every row has its bytes."""
    with watched(target) as watcher:
        ingest(batches.request(target), Kept(workers, disturbance))
        watcher.look()
    assert watcher.digests == {batches.digest}
    assert {path.name for path in target.parent.iterdir()} >= {target.name, f"{target.name}.build"}
    assert not list(target.parent.rglob("*.partial"))


class TestKilledWorkers:
    @pytest.mark.parametrize(
        ("phase", "step", "number"),
        [
            pytest.param(*one, marks=() if one in (WORKER_STEPS[4], WORKER_STEPS[-4]) else pytest.mark.sweep)
            for one in WORKER_STEPS
        ],
    )
    def test_at_a_step(
        self, batches: Batches, tmp_path: Path, two_workers: Any, phase: str, step: Step, number: int
    ) -> None:
        marker = tmp_path / "killed"
        killed(batches, tmp_path / "x.zarr", two_workers, DiesAt(step, number, phase, str(marker)))
        assert marker.exists()

    def test_at_a_moment(self, batches: Batches, tmp_path: Path, two_workers: Any) -> None:
        self.at_moments(batches, tmp_path, two_workers, 1)

    @pytest.mark.sweep
    def test_at_200_moments(self, batches: Batches, tmp_path: Path, two_workers: Any) -> None:
        self.at_moments(batches, tmp_path, two_workers, 200)

    def at_moments(self, batches: Batches, tmp_path: Path, workers: Any, trials: int) -> None:
        draw = random.Random(trials)
        survived = tried = 0
        while tried - survived < trials and tried < 3 * trials:
            directory = tmp_path / str(tried)
            directory.mkdir()
            phase = draw.choice(["stage_batch", "fill_block"])
            seconds = draw.uniform(0.0005, 0.06 if phase == "stage_batch" else 0.02)
            marker = directory / "tried"
            killed(batches, directory / "x.zarr", workers, DiesWithin(seconds, phase, str(marker)))
            assert marker.exists()
            survived += marker.with_name("tried.survived").exists()
            tried += 1
        print("trials", tried, "killed", tried - survived)
        assert tried - survived >= trials


ZOMBIE = """
import sys
from pathlib import Path
from spectral_zarr import IngestRequest, ingest, load_config
from spectral_zarr.cluster.local import local_executor
from spectral_zarr.testing.faults import Step
from spectral_zarr.testing.workers import Disturbed, StopsAt
files, target, config, phase, step, marker = sys.argv[1:]
if __name__ == "__main__":
    workers = Disturbed(local_executor(2), StopsAt(Step(step), phase, marker))
    ingest(IngestRequest((files,), target, load_config(Path(config))), workers)
"""


def waited(path: Path) -> str:
    deadline = time.monotonic() + DEADLINE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.01)
    return path.read_text()


@pytest.mark.parametrize(
    "after",
    [
        "abort-and-build",
        pytest.param("abort", marks=pytest.mark.sweep),
        pytest.param("resume", marks=pytest.mark.sweep),
    ],
)
@pytest.mark.parametrize(
    ("phase", "step"),
    [
        ("fill_block", Step.FILE_WRITTEN),
        pytest.param("stage_batch", Step.FILE_WRITTEN, marks=pytest.mark.sweep),
        pytest.param("stage_batch", Step.FILE_SYNCED, marks=pytest.mark.sweep),
        pytest.param("fill_block", Step.BLOCK_BUFFERED, marks=pytest.mark.sweep),
        pytest.param("fill_block", Step.FILE_SYNCED, marks=pytest.mark.sweep),
    ],
)
def test_a_worker_that_wakes_after_its_build_is_gone_changes_nothing(
    batches: Batches, tmp_path: Path, phase: str, step: Step, after: str
) -> None:
    target, marker = tmp_path / "x.zarr", tmp_path / "zombie"
    (tmp_path / "zombie.py").write_text(ZOMBIE)
    config = batches.files.parent / "c.toml"
    command = [sys.executable, tmp_path / "zombie.py", batches.files, target, config, phase, step, marker]
    driver = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        zombie = int(waited(tmp_path / "zombie.pid"))
    finally:
        driver.kill()
        driver.wait()
    try:
        if after.startswith("abort"):
            assert abort_build(BuildPaths.of(target), own_claim(request_facts((), None, "")))
        if after != "abort":
            ingest(batches.request(target, resume=True), SerialExecutor())
        os.kill(zombie, signal.SIGCONT)
        waited(tmp_path / "zombie.ended")
    finally:
        end(zombie)
    remaining = {path.name for path in tmp_path.iterdir() if path.name.startswith("x.zarr")}
    if after == "abort":
        assert remaining == set()
        return
    assert store_digest(target) == batches.digest
    assert remaining == {"x.zarr", "x.zarr.build"}
    assert not list(tmp_path.glob("x.zarr/**/*.partial"))


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


class Repeating(SerialExecutor):
    """Runs every task twice, in random order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        waiting = list(tasks)
        self._random.shuffle(waiting)
        for task in waiting:
            function(task)
            yield function(task)


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(3, 30))])
def test_tasks_in_random_order_and_twice_give_the_same_bytes(batches: Batches, tmp_path: Path, seed: int) -> None:
    ingest(batches.request(tmp_path / "x.zarr"), Repeating(seed))
    assert store_digest(tmp_path / "x.zarr") == batches.digest

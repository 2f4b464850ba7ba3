"""Files that end or hang their process are rejected, lost workers cost a retry, and innocents lose nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, load_config
from spectral_zarr.cluster import Patience
from spectral_zarr.cluster.executor import Retry, TaskKind
from spectral_zarr.cluster.local import local_executor
from spectral_zarr.config import Config
from spectral_zarr.errors import ClusterLost, MemoryLimit
from spectral_zarr.testing import differing_files, write_samples

from .poison import install, poison

N_FILES = 24
SECONDS = 5.0
"""Long enough for a child to start on a busy machine."""

COMMAND = [sys.executable, "-c", "from spectral_zarr.cli import main; main()", "ingest"]


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reader is installed, and sound files wait for poison."""
    install(tmp_path / "reader", monkeypatch)
    write_samples(tmp_path / "files", "wcs1d", N_FILES, n_pix=256)
    return tmp_path / "files"


@pytest.fixture
def small(tmp_path: Path) -> Config:
    """Several batches."""
    (tmp_path / "small.toml").write_text("[build]\nbatch_files = 8\n")
    return load_config(tmp_path / "small.toml")


def request(
    files: Path, target: Path, config: Config, *, seconds: float = 600.0, resume: bool = False
) -> IngestRequest:
    return IngestRequest(
        (str(files),), str(target), config, Tolerance.parse("10"), resume=resume, patience=Patience(seconds / 60)
    )


def rejected(target: Path) -> dict[str, str]:
    table = pq.read_table(target.with_name(target.name + ".build") / "rejections.parquet").to_pydict()
    return dict(zip(table["source_file"], table["code"], strict=True))


def retries(target: Path) -> list[dict[str, object]]:
    lines = target.with_name(target.name + ".build").rglob("*.jsonl")
    events = [json.loads(line) for path in lines for line in path.read_text().splitlines()]
    return [event for event in events if event["event"] == "retry"]


def assert_innocents_are_as_without(files: Path, guilty: list[Path], target: Path, config: Config) -> None:
    for path in guilty:
        path.unlink()
    ingest(request(files, target.with_name("clean.zarr"), config), SerialExecutor())
    # The root document counts the rejections and names the plan.
    assert differing_files(target, target.with_name("clean.zarr")) == ["zarr.json"]


class TestWorkers:
    @pytest.mark.parametrize(
        ("way", "code"),
        [
            ("segfault", "reader-died"),
            ("exit", "reader-died"),
            ("memory", "reader-memory"),
            ("hang-with-lock", "reader-timeout"),
        ],
    )
    def test_a_file_that_ends_its_workers_is_rejected_alone(
        self, way: str, code: str, poisoned: Path, tmp_path: Path, small: Config, fixed_clock: None
    ) -> None:
        guilty = sorted(poisoned.iterdir())[11]
        poison(guilty, way)
        seconds = SECONDS if "hang" in way else 600.0
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        with local_executor(2, worker_memory=600 << 20) as executor:
            ingest(request(poisoned, tmp_path / "x.zarr", small, seconds=seconds), executor)
        left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        assert [child.cmdline() for child in left if "resource_tracker" not in str(child.cmdline())] == []
        assert rejected(tmp_path / "x.zarr") == {guilty.name: code}
        assert {event["batch"] for event in retries(tmp_path / "x.zarr")} >= {1}
        assert_innocents_are_as_without(poisoned, [guilty], tmp_path / "x.zarr", small)

    def test_two_files_of_one_batch_are_both_found(
        self, poisoned: Path, tmp_path: Path, small: Config, fixed_clock: None
    ) -> None:
        guilty = [sorted(poisoned.iterdir())[number] for number in (8, 15)]
        for path, way in zip(guilty, ("abort", "segfault"), strict=True):
            poison(path, way)
        with local_executor(1) as executor:
            ingest(request(poisoned, tmp_path / "x.zarr", small), executor)
        assert rejected(tmp_path / "x.zarr") == {path.name: "reader-died" for path in guilty}
        assert_innocents_are_as_without(poisoned, guilty, tmp_path / "x.zarr", small)

    def test_what_ends_a_worker_once_is_no_verdict(
        self, poisoned: Path, tmp_path: Path, small: Config, monkeypatch: pytest.MonkeyPatch, fixed_clock: None
    ) -> None:
        (tmp_path / "once").mkdir()
        monkeypatch.setenv("POISON_ONCE", str(tmp_path / "once"))
        poison(min(poisoned.iterdir()), "segfault")
        with local_executor(2) as executor:
            outcome = ingest(request(poisoned, tmp_path / "x.zarr", small), executor)
        assert (outcome.plan.n_spec, outcome.rejections) == (N_FILES, ())
        assert list((tmp_path / "once").iterdir())


class TestOneProcess:
    def run(self, files: Path, tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, str(files), "x.zarr", "-c", "small.toml", "--cluster", "serial", "--max-rejected", "10"]
        return subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    def test_the_attempt_after_one_that_died_finds_the_file(
        self, poisoned: Path, tmp_path: Path, small: Config, fixed_clock: None
    ) -> None:
        guilty = sorted(poisoned.iterdir())[11]
        poison(guilty, "segfault")
        assert self.run(poisoned, tmp_path).returncode == -signal.SIGSEGV
        again = self.run(poisoned, tmp_path, "--resume")
        assert again.returncode == 0, again.stderr
        assert rejected(tmp_path / "x.zarr") == {guilty.name: "reader-died"}
        assert_innocents_are_as_without(poisoned, [guilty], tmp_path / "x.zarr", small)

    def test_nothing_is_left_of_the_attempt_that_died(self, poisoned: Path, tmp_path: Path, small: Config) -> None:
        poison(max(poisoned.iterdir()), "segfault")
        assert self.run(poisoned, tmp_path).returncode == -signal.SIGSEGV
        assert len(list((tmp_path / "x.zarr.build").rglob("*.partial"))) == 1
        assert self.run(poisoned, tmp_path, "--resume", "--max-rejected", "0").returncode == 3
        assert list((tmp_path / "x.zarr.build").rglob("*.partial")) == []
        assert self.run(poisoned, tmp_path, "--resume").returncode == 0


class TestMemory:
    def test_workers_that_may_use_too_little_end_the_build_with_what_they_need(
        self, poisoned: Path, tmp_path: Path, small: Config
    ) -> None:
        poison(min(poisoned.iterdir()), "memory")
        with (
            local_executor(1, worker_memory=330 << 20) as executor,
            pytest.raises(MemoryLimit, match=r"batch 0 .* needs \d+ MiB and a worker may use 330"),
        ):
            ingest(request(poisoned, tmp_path / "x.zarr", small), executor)
        assert len([event for event in retries(tmp_path / "x.zarr") if event["batch"] == 0]) == 1
        assert not (tmp_path / "x.zarr").exists()

    def test_the_memory_that_the_plan_promises_is_enough(self, tmp_path: Path) -> None:
        write_samples(tmp_path / "files", "sdss-spec", 100)
        plain = ingest(IngestRequest((str(tmp_path / "files"),), str(tmp_path / "plain.zarr")), SerialExecutor())
        with local_executor(1, worker_memory=plain.plan.memory.worker) as executor:
            ingest(IngestRequest((str(tmp_path / "files"),), str(tmp_path / "x.zarr")), executor)
        assert retries(tmp_path / "x.zarr") == []


def own_number(number: int) -> int:
    return number


def die_unless(flag: str, number: int) -> int:
    try:
        Path(flag).open("x").close()
    except FileExistsError:
        return number
    os.kill(os.getpid(), signal.SIGKILL)
    return -1


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail_twice(directory: str, number: int) -> int:
    seen = len(list(Path(directory).glob(f"{number}-*")))
    (Path(directory) / f"{number}-{seen}").touch()
    if seen < 2:
        raise ConnectionResetError("a file server restarts")
    return number


def never(number: int) -> int:
    raise ConnectionResetError("for ever")


def by_itself(number: int) -> int:
    return -number


def kind(run: Callable[[int], int], told: list[Retry]) -> TaskKind[int, int]:
    return TaskKind(run=run, alone=by_itself, seconds=lambda task: 60.0, told=told.append)


@pytest.mark.parametrize("workers", [0, 2])
class TestRetries:
    @pytest.fixture
    def executor(self, workers: int, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
        monkeypatch.setattr("spectral_zarr.cluster.executor.PAUSE_SECONDS", 0.01)
        with local_executor(workers) if workers else SerialExecutor() as executor:
            yield executor

    def test_a_transient_error_is_tried_again_and_counted(self, executor, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        from functools import partial

        told: list[Retry] = []
        found = sorted(executor.map(kind(partial(fail_twice, str(tmp_path)), told), range(5)))
        assert found == [0, 1, 2, 3, 4]
        assert sorted((retry.task, retry.number) for retry in told) == [(n, k) for n in range(5) for k in (1, 2)]
        assert not any(retry.alone for retry in told)

    def test_a_transient_error_that_stays_is_raised_after_three_retries(self, executor) -> None:  # type: ignore[no-untyped-def]
        told: list[Retry] = []
        with pytest.raises(ConnectionResetError, match="for ever"):
            list(executor.map(kind(never, told), [7]))
        assert [retry.number for retry in told] == [1, 2, 3]


class TestLostWorkers:
    def test_a_task_that_ends_several_workers_runs_alone(self) -> None:
        told: list[Retry] = []
        with local_executor(2) as executor:
            assert list(executor.map(kind(die, told), [7])) == [-7]
        assert [(retry.number, retry.alone) for retry in told] == [(1, True)]
        assert re.match("2 workers died", told[0].reason)

    def test_a_worker_that_is_killed_costs_nothing(self, tmp_path: Path) -> None:
        from functools import partial

        told: list[Retry] = []
        with local_executor(2) as executor:
            found = list(executor.map(kind(partial(die_unless, str(tmp_path / "flag")), told), range(40)))
        assert sorted(abs(number) for number in found) == list(range(40))

    def test_a_worker_that_its_supervisor_gave_up_is_replaced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("spectral_zarr.cluster.local.GIVEN_UP_SECONDS", 0.5)
        with local_executor(1) as executor:
            cluster = executor._cluster
            (supervisor,) = cluster.workers.values()
            # What it does with a worker that dies before it has said that it runs.
            supervisor.auto_restart = False
            supervisor._on_worker_exit_sync = lambda code: None
            supervisor.process.on_exit = lambda code: None
            os.kill(supervisor.pid, signal.SIGKILL)
            assert list(executor.map(own_number, [7])) == [7]
            assert list(cluster.workers.values()) != [supervisor]

    def test_a_task_that_cannot_run_alone_ends_the_map_after_some_retries(self) -> None:
        with local_executor(1) as executor, pytest.raises(ClusterLost, match="again and again"):
            list(executor.map(die, [7]))

"""A signal to the driver ends a build cleanly: running tasks finish, their receipts count, and the next run goes on."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dask
import psutil
import pytest
from distributed.comm.core import CommClosedError

from spectral_zarr import IngestRequest, SerialExecutor, ingest, load_config
from spectral_zarr.cluster.executor import TaskKind
from spectral_zarr.cluster.local import local_executor
from spectral_zarr.cluster.open import open_executor
from spectral_zarr.errors import ClusterLost
from spectral_zarr.testing import differing_files, write_samples

from .poison import install, poison

PROGRAM = [sys.executable, "-c", "from spectral_zarr.cli import main; main()"]
PATIENCE = 120.0
"""Seconds after which a test that waits has failed."""


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kind(run: Callable[[int], int], drain_seconds: float = 60.0) -> TaskKind[int, int]:
    return TaskKind(run=run, alone=run, seconds=lambda task: 600.0, drain_seconds=drain_seconds)


def signalled(times: int, number: int) -> int:
    if number == 2:
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGTERM)
    return number


def wait_for(directory: Path, number: int) -> int:
    (directory / f"began-{number}").touch()
    until((directory / "go").exists)
    return number


def received(maps: Iterator[int]) -> list[int]:
    found: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        for receipt in maps:
            found.append(receipt)  # noqa: PERF402 (what came before the interrupt counts)
    return found


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before


class TestOneProcess:
    def test_the_running_task_finishes_and_no_other_begins(self) -> None:
        assert received(SerialExecutor().map(kind(partial(signalled, 1)), range(9))) == [0, 1, 2]

    def test_a_signal_in_the_last_task_is_not_lost(self) -> None:
        assert received(SerialExecutor().map(kind(partial(signalled, 1)), range(3))) == [0, 1, 2]

    def test_a_second_signal_stops_the_running_task(self) -> None:
        assert received(SerialExecutor().map(kind(partial(signalled, 2)), range(9))) == [0, 1]

    def test_without_a_lead_the_first_signal_stops_it(self) -> None:
        assert received(SerialExecutor().map(kind(partial(signalled, 1), 0.0), range(9))) == [0, 1]

    def test_the_lead_has_an_end(self, tmp_path: Path) -> None:
        def hang(number: int) -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            return wait_for(tmp_path, number)

        assert received(SerialExecutor().map(kind(hang, 0.2), range(9))) == []
        assert [path.name for path in tmp_path.iterdir()] == ["began-0"]


class TestWorkers:
    def interrupt(self, directory: Path, *, go: bool) -> None:
        def act() -> None:
            until(lambda: len(list(directory.glob("began-*"))) == 2)
            os.kill(os.getpid(), signal.SIGTERM)
            if go:
                (directory / "go").touch()

        threading.Thread(target=act).start()

    def test_what_is_in_flight_finishes_and_nothing_else_begins(self, tmp_path: Path) -> None:
        with local_executor(2) as executor:
            self.interrupt(tmp_path, go=True)
            found = received(executor.map(kind(partial(wait_for, tmp_path)), range(20)))
        assert sorted(found) == [0, 1, 2, 3]
        assert len(list(tmp_path.glob("began-*"))) == 4

    def test_tasks_that_do_not_finish_within_the_lead_are_left(self, tmp_path: Path) -> None:
        with local_executor(2) as executor:
            self.interrupt(tmp_path, go=False)
            assert received(executor.map(kind(partial(wait_for, tmp_path), 0.5), range(20))) == []
            (tmp_path / "go").touch()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sound files, one batch each, whose last one hangs its reader until it is written again."""
    install(tmp_path / "reader", monkeypatch)
    write_samples(tmp_path / "files", "wcs1d", 12, n_pix=256)
    (tmp_path / "c.toml").write_text("[build]\nbatch_files = 1\n")
    (tmp_path / "sound").write_bytes(max((tmp_path / "files").iterdir()).read_bytes())
    poison(max((tmp_path / "files").iterdir()), "hang")
    return tmp_path / "files"


def started(tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    """An ingest that has staged all batches but the last."""
    command = [*PROGRAM, "ingest", "files", "x.zarr", "-c", "c.toml", "--drain", "1", *options]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until(lambda: len(receipts(tmp_path)) == 11 or running.poll() is not None)
    assert running.poll() is None, running.communicate()
    return running


def receipts(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "x.zarr.build" / "staged").glob("*.receipt.json"))


def assert_resumed(tmp_path: Path) -> None:
    """The same command finishes the work, with the bytes of an undisturbed run, and stages nothing again."""
    kept = {path: path.stat().st_ino for path in receipts(tmp_path)}
    assert not (tmp_path / "x.zarr").exists()
    max((tmp_path / "files").iterdir()).write_bytes((tmp_path / "sound").read_bytes())
    command = [*PROGRAM, "ingest", "files", "x.zarr", "-c", "c.toml", "--cluster", "serial", "--resume"]
    descriptors = {path: path.open("rb") for path in kept}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for path, descriptor in descriptors.items():
        assert os.fstat(descriptor.fileno()).st_ino == kept[path]
        descriptor.close()
    log = "".join(path.read_text() for path in (tmp_path / "x.zarr.build").rglob("*.jsonl"))
    assert log.count('"published"') == 1
    request = IngestRequest((str(tmp_path / "files"),), str(tmp_path / "y.zarr"), load_config(tmp_path / "c.toml"))
    ingest(request, SerialExecutor())
    assert differing_files(tmp_path / "x.zarr", tmp_path / "y.zarr") == []


@pytest.mark.parametrize(
    "who",
    [
        "driver",
        pytest.param("driver twice", marks=pytest.mark.sweep),
        pytest.param("workers and driver", marks=pytest.mark.sweep),
        "everybody, then killed",
    ],
)
def test_a_build_on_workers_that_is_told_to_stop_goes_on_where_it_was(
    who: str, files: Path, tmp_path: Path, fixed_clock: None
) -> None:
    running = started(tmp_path, "--cluster", "local", "--workers", "2")
    driver = psutil.Process(running.pid)
    children = driver.children(recursive=True)
    if "workers" in who or "everybody" in who:
        for child in children:
            child.terminate()
    driver.terminate()
    if "twice" in who:
        driver.send_signal(signal.SIGINT)
    if "killed" in who:
        driver.kill()
        running.communicate(timeout=PATIENCE)
    else:
        _, shown = running.communicate(timeout=PATIENCE)
        assert running.returncode == 75, shown
        assert "error interrupted: " in shown
        assert "Traceback" not in shown
    for child in children:
        # The workers of a killed driver end by themselves, and hang in the poisoned file.
        if child.is_running():
            child.kill()
    psutil.wait_procs(children, timeout=PATIENCE)
    assert_resumed(tmp_path)


class Processes:
    """A scheduler and a worker that belong to nobody."""

    def __init__(self, directory: Path) -> None:
        address = directory / "scheduler.json"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host", "127.0.0.1"]
        self.scheduler = subprocess.Popen([*dask, "--port", "0", "--scheduler-file", str(address)], **quiet)  # type: ignore[call-overload]
        until(lambda: address.exists() and address.read_text().endswith("}"))
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-dashboard", "--host", "127.0.0.1"]
        options = ["--nthreads", "1", "--scheduler-file", str(address), "--local-directory", str(directory)]
        self.worker = subprocess.Popen([*worker, *options], start_new_session=True, **quiet)  # type: ignore[call-overload]
        self.address: str = json.loads(address.read_text())["address"]

    def close(self) -> None:
        family = [
            one for process in (self.worker, self.scheduler) if process.poll() is None
            for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        ]  # fmt: skip
        for process in family:
            if process.is_running():
                process.kill()
        for owned in (self.worker, self.scheduler):
            owned.wait()


@pytest.fixture
def foreign(tmp_path: Path, files: Path) -> Iterator[Processes]:
    (tmp_path / "dask").mkdir()
    processes = Processes(tmp_path / "dask")
    try:
        yield processes
    finally:
        processes.close()


class TestSchedulerDies:
    @pytest.mark.parametrize("logger", ["asyncio", "distributed.batched", "distributed.client", "distributed.core"])
    def test_a_closed_connection_is_told_once_and_without_a_traceback(self, logger: str) -> None:
        told: list[logging.LogRecord] = []
        listener = logging.Handler()
        listener.emit = told.append  # type: ignore[method-assign]
        logging.getLogger(logger).addHandler(listener)
        try:
            logging.getLogger(logger).error("closed", exc_info=CommClosedError("gone"))
            logging.getLogger(logger).error("broken", exc_info=ValueError("news"))
        finally:
            logging.getLogger(logger).removeHandler(listener)
        assert [record.getMessage() for record in told] == ["broken"]

    def test_a_build_ends_with_a_code_and_can_be_resumed(
        self, foreign: Processes, tmp_path: Path, fixed_clock: None
    ) -> None:
        running = started(tmp_path, "--cluster", foreign.address, "--workers", "1")
        foreign.scheduler.kill()
        _, shown = running.communicate(timeout=PATIENCE)
        assert running.returncode == 6, shown
        assert "error cluster-lost: " in shown
        assert "--resume" in shown
        assert "Traceback" not in shown
        assert_resumed(tmp_path)

    def test_a_map_ends_with_a_code(self, foreign: Processes, tmp_path: Path) -> None:
        plain = dask.config.set({"distributed.comm.require-encryption": False})
        with (
            plain,
            open_executor(foreign.address, 1) as executor,
            pytest.raises(ClusterLost, match="scheduler is gone"),
        ):
            for receipt in executor.map(kind(partial(wait_after, tmp_path)), range(9)):
                assert receipt == 0
                foreign.scheduler.kill()


def wait_after(directory: Path, number: int) -> int:
    return wait_for(directory, number) if number else number

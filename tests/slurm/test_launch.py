"""Worker jobs are closed to everybody without the key, and what keeps them from working is told before any task."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import dask
import psutil
import pytest

from spectral_zarr.cluster.launch import Launch, driver_address, worker_script
from spectral_zarr.cluster.launched import LaunchedExecutor
from spectral_zarr.cluster.open import open_executor
from spectral_zarr.cluster.preflight import preflight
from spectral_zarr.cluster.provenance import package_version
from spectral_zarr.cluster.rundir import RunDirectory
from spectral_zarr.cluster.slurm import queued_jobs
from spectral_zarr.config import SiteProfile
from spectral_zarr.errors import ClusterLost, EnvironmentFault, JobRefused, PreflightFailed, UsageError

from .testbed import COMMAND, Slurm

pytestmark = pytest.mark.slurm

SITE = SiteProfile(partition="main", interface="lo", memory="600MiB", walltime="10", check_seconds=1, workers=1)

STRANGER = """
import sys
from distributed import Client
from distributed.security import Security
address, how = sys.argv[1:]
keys = Security.temporary() if how == "foreign" else None
if how == "plain":
    address = address.replace("tls://", "tcp://")
try:
    Client(address, security=keys, timeout=5).run_on_scheduler(int)
except (OSError, TypeError, RuntimeError, ValueError) as error:
    print("refused", type(error).__name__)
else:
    print("let in")
"""


def square(number: int) -> int:
    return number * number


def seen_by_worker(number: int) -> tuple[int, int, str]:
    return os.getpid(), os.getppid(), os.environ.get("OMP_NUM_THREADS", "")


@contextmanager
def launched(
    tmp_path: Path, site: SiteProfile = SITE, **options: bool
) -> Iterator[tuple[LaunchedExecutor, Launch, list[str]]]:
    notes: list[str] = []
    launch = Launch(site, str(tmp_path / "x.zarr"), tmp_path / "run directory", **options)
    executor = open_executor("slurm", 0, launch, notes.append)
    assert isinstance(executor, LaunchedExecutor)
    with executor:
        yield executor, launch, notes


def listening(pid: int) -> set[str]:
    connections = psutil.Process(pid).net_connections("inet")
    return {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}


def stranger(address: str, how: str) -> str:
    """What becomes of another program that wants to use the scheduler."""
    command = [sys.executable, "-c", STRANGER, address, how]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()


def test_only_who_has_the_key_is_let_in_and_nothing_listens_beyond_the_interface(slurm: Slurm, tmp_path: Path) -> None:
    with launched(tmp_path) as (executor, launch, _):
        assert sorted(executor.map(square, range(5))) == [0, 1, 4, 9, 16]
        (worker, nanny, threads) = next(iter(executor.map(seen_by_worker, [0])))
        assert threads == "1"
        for pid in (os.getpid(), worker, nanny):
            assert listening(pid) == {"127.0.0.1"}
        address = executor._client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        for how in ("plain", "no key", "foreign"):
            assert stranger(address, how).startswith("refused"), how
        keys = list(launch.directory.glob("*.pem"))
        assert len(keys) == 3
        assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
        assert launch.directory.stat().st_mode & 0o777 == 0o700
        port = executor._fleet.cluster.scheduler.http_server.port
        for page in ("status", "info/main/workers.html", "health", "metrics"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(f"http://127.0.0.1:{port}/{page}", timeout=30)
        # Secrets are on no command line, only the paths of their files.
        words = " ".join(psutil.Process(nanny).cmdline())
        assert "key.pem" in words
        assert "PRIVATE" not in words
        name = launch.job_name
    assert not list(tmp_path.rglob("*.pem"))
    assert queued_jobs(name) == {}


def test_insecure_says_what_it_means_and_the_dashboard_how_to_get_there(slurm: Slurm, tmp_path: Path) -> None:
    with launched(tmp_path, insecure=True, dashboard=True) as (executor, launch, notes):
        assert listening(os.getpid()) == {"127.0.0.1"}
        assert executor.dashboard is not None
        address, tunnel = executor.dashboard
        port = executor._fleet.cluster.scheduler.http_server.port
        assert address == f"http://127.0.0.1:{port}/status"
        assert tunnel.startswith(f"ssh -L {port}:127.0.0.1:{port} ")
        assert {f"dashboard {address}", f"from your own machine: {tunnel}"} <= set(notes)
        assert list(executor.map(square, [3])) == [9]
        address = executor._client.scheduler.address
        assert address.startswith("tcp://127.0.0.1:")
        assert stranger(address, "plain") == "let in"
        assert not list(launch.directory.glob("*.pem"))
    assert any("can run programs as you" in note for note in notes)


def test_a_refusal_is_raised_at_once_with_the_words_of_sbatch(slurm: Slurm, tmp_path: Path) -> None:
    refused = pytest.raises(JobRefused, match="invalid partition specified")
    with launched(tmp_path, replace(SITE, partition="nowhere")) as (executor, _, _), refused:
        list(executor.map(square, [1]))
    assert slurm.jobs() == []


def test_workers_that_never_come_end_the_wait(slurm: Slurm, tmp_path: Path) -> None:
    with launched(tmp_path, replace(SITE, python="/bin/false")) as (executor, launch, _):
        with pytest.raises(ClusterLost, match="ended before their worker had come") as caught:
            list(executor.map(square, [1]))
        assert str(launch.directory) in str(caught.value)
    assert slurm.jobs() == []


def test_a_worker_is_replaced_although_the_cluster_hears_of_its_end_before_slurm_does(
    slurm: Slurm, tmp_path: Path
) -> None:
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}),
        launched(tmp_path) as (executor, launch, _),
    ):
        first, nanny, _ = next(iter(executor.map(seen_by_worker, [0])))
        executor._patience = 60.0
        (job,) = queued_jobs(launch.job_name) or {}
        os.kill(nanny, signal.SIGKILL)
        os.kill(first, signal.SIGKILL)
        assert next(iter(executor.map(seen_by_worker, [0])))[0] != first
        assert job not in (queued_jobs(launch.job_name) or {})


def test_jobs_of_a_killed_driver_are_cancelled_by_the_next_one(slurm: Slurm, tmp_path: Path) -> None:
    launch = Launch(SITE, str(tmp_path / "x.zarr"), tmp_path / "run")
    left = slurm.submit(f"--job-name={launch.job_name}", "--wrap", "sleep 600", "--output=/dev/null", cwd=tmp_path)
    other = slurm.submit("--job-name=sz-other", "--wrap", "sleep 600", "--output=/dev/null", cwd=tmp_path)
    with launched(tmp_path) as (executor, _, _):
        assert list(executor.map(square, [3])) == [9]
        assert slurm.wait(left)["JobState"] == "CANCELLED"
        assert slurm.state(other) == "RUNNING"


def test_a_worker_that_does_not_see_the_directory_is_found_before_any_task(slurm: Slurm, tmp_path: Path) -> None:
    with launched(tmp_path) as (executor, launch, _):
        assert list(executor.map(square, [3])) == [9]
        client = executor._client
        worker = str(next(iter(client.nthreads())))
        file = RunDirectory(launch.directory).token_file
        with pytest.raises(PreflightFailed, match="does not see this directory"):
            preflight(client, worker, "another token", file, tmp_path / "x.zarr")
        with pytest.raises(PreflightFailed, match="cannot be written to"):
            preflight(client, worker, file.read_text(), file, tmp_path / "nowhere" / "x.zarr")


def touch(path: str) -> str:
    Path(path).touch()
    return path


def test_workers_of_another_version_get_no_task(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = package_version()
    monkeypatch.setattr("spectral_zarr.cluster.preflight.package_version", lambda: "9.9")
    with launched(tmp_path) as (executor, _, _):
        with pytest.raises(PreflightFailed, match=f"spectral-zarr is {installed} on .* and 9.9 here") as caught:
            list(executor.map(touch, [str(tmp_path / "done")]))
        assert caught.value.code == "preflight"
    assert not (tmp_path / "done").exists()
    assert slurm.jobs() == []


def test_an_interface_that_is_not_there_is_named_before_anything_is_claimed(slurm: Slurm, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "site.toml").write_text('interface = "ib7"\n')
    words = ("ingest", "files", "x.zarr", "--cluster", "slurm", "--profile", "site.toml")
    done = slurm.run(COMMAND, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "usage: there is no interface 'ib7'" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "site.toml"]
    assert slurm.jobs() == []


def test_a_host_that_others_cannot_reach_needs_an_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostbyname", lambda name: "127.0.1.1")
    with pytest.raises(UsageError, match="name the network interface"):
        driver_address(replace(SITE, interface=""))
    monkeypatch.setattr("socket.gethostbyname", lambda name: "192.0.2.7")
    assert driver_address(replace(SITE, interface="")) == "192.0.2.7"
    with pytest.raises(UsageError, match="no interface 'ib7'"):
        driver_address(replace(SITE, interface="ib7"))


def test_a_run_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "theirs")
    with pytest.raises(EnvironmentFault, match="belongs to somebody else"):
        RunDirectory(tmp_path / "run").make()


def test_a_worker_leaves_before_its_job_is_ended(tmp_path: Path) -> None:
    launch = Launch(replace(SITE, walltime="01:00:00", lead_seconds=600), str(tmp_path / "x.zarr"), tmp_path / "run")
    script = worker_script(launch, RunDirectory(launch.directory), "tls://192.0.2.7:1", "w")
    lifetime, stagger = (int(text) for text in re.findall(r"--lifetime(?:-stagger)? (\d+)s", script))
    assert lifetime + stagger <= 3000
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0

"""What a cluster takes away in the middle of an ingest: nodes, room, the driver, Slurm itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from spectral_zarr.store.claim import current_claim
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.testing import store_digest

from .scene import N_BATCHES, PROFILE, Gate, Scene, Standing, log, proofs, submit, submit_on_site, wait_for_workers
from .testbed import SLURM, Slurm, wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.sweep]
LONG = 180.0


def assert_published(slurm: Slurm, job: str, scene: Scene, standing: Standing) -> None:
    assert slurm.wait(job, LONG)["ExitCode"] == "0:0", log(standing.target)
    assert store_digest(standing.target) == scene.digest
    standing.assert_kept()
    assert not list(standing.target.parent.rglob("*.pem"))


def test_a_node_that_goes_down_costs_its_worker_and_nothing_else(
    halted: tuple[Slurm, Gate, Path], scene: Scene
) -> None:
    slurm, gate, target = halted
    job = submit(slurm, scene, "driver.sbatch", target)
    standing = Standing.at(gate, target)
    home = slurm.facts(job)["NodeList"]
    lost = next(one for one in wait_for_workers(slurm, job, seconds=LONG) if slurm.facts(one)["NodeList"] != home)
    node = slurm.facts(lost)["NodeList"]
    slurm.output("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    wait_for_workers(slurm, job, {lost}, LONG)
    gate.open()
    assert_published(slurm, job, scene, standing)
    assert slurm.jobs() == []


def test_workers_that_make_room_for_a_more_important_job_are_replaced(
    halted: tuple[Slurm, Gate, Path], scene: Scene
) -> None:
    slurm, gate, target = halted
    site = PROFILE.replace('partition = "main"', 'partition = "spot"\ndirectives = ["--exclude=n1"]')
    job = submit_on_site(slurm, scene, target, site, "--nodelist=n1")
    standing = Standing.at(gate, target)
    workers = {one: slurm.facts(one)["NodeList"] for one in wait_for_workers(slurm, job, seconds=LONG)}
    node = max(workers.values())
    lost = {one for one, home in workers.items() if home == node}
    words = ("--partition=main", f"--nodelist={node}", "--exclusive", "--output=/dev/null", "--wrap", "sleep 600")
    other = slurm.submit(*words, cwd=target.parent)
    for one in lost:
        assert slurm.wait(one)["JobState"] == "PREEMPTED"
    wait_for_workers(slurm, job, lost, LONG)
    gate.open()
    assert_published(slurm, job, scene, standing)
    assert slurm.jobs() == [other]


def driver_of(target: Path) -> psutil.Process:
    claim = current_claim(BuildPaths.of(target))
    assert claim is not None
    return psutil.Process(claim.pid)


def kill_driver(slurm: Slurm, job: str, target: Path) -> None:
    """Nobody but the kernel hears of it, and the worker jobs end by themselves."""
    driver_of(target).kill()
    assert slurm.wait(job)["ExitCode"] == "137:0"
    wait_until(lambda: not slurm.jobs(), LONG, "worker jobs that miss their driver")


def kill_script_and_driver(slurm: Slurm, job: str, target: Path) -> None:
    """The worker jobs may still be there when the next driver comes."""
    driver = driver_of(target)
    script = driver.parent()
    assert script is not None
    script.kill()
    driver.kill()
    assert slurm.wait(job)["ExitCode"] == "0:9"


def cancel(slurm: Slurm, job: str, target: Path) -> None:
    """A job that somebody cancels stays cancelled, and has a few seconds only."""
    slurm.output("scancel", job)
    assert slurm.wait(job)["JobState"] == "CANCELLED"


@pytest.mark.parametrize("end", [kill_driver, kill_script_and_driver, cancel])
def test_a_driver_that_is_killed_leaves_a_build_that_the_same_job_finishes(
    end: Callable[[Slurm, str, Path], None], halted: tuple[Slurm, Gate, Path], scene: Scene
) -> None:
    slurm, gate, target = halted
    job = submit(slurm, scene, "driver.sbatch", target)
    standing = Standing.at(gate, target)
    wait_for_workers(slurm, job, seconds=LONG)
    assert list(target.parent.rglob("key.pem"))
    end(slurm, job, target)
    gate.open()
    job = submit(slurm, scene, "driver.sbatch", target)
    assert_published(slurm, job, scene, standing)
    wait_until(lambda: not slurm.jobs(), LONG, "an empty queue")


@contextmanager
def without_controller(slurm: Slurm) -> Iterator[None]:
    """Nobody answers the clients of Slurm, and its jobs go on."""
    testbed = [sys.executable, str(SLURM / "testbed")]
    subprocess.run([*testbed, "halt", str(slurm.directory)], check=True, timeout=60)
    try:
        yield
    finally:
        subprocess.run([*testbed, "resume", str(slurm.directory)], check=True, timeout=120)


def test_an_ingest_goes_on_while_slurm_does_not_answer(halted: tuple[Slurm, Gate, Path], scene: Scene) -> None:
    slurm, gate, target = halted
    job = submit(slurm, scene, "driver.sbatch", target)
    standing = Standing.at(gate, target)
    workers = wait_for_workers(slurm, job, seconds=LONG)
    with without_controller(slurm):
        assert slurm.run("squeue").returncode != 0
        gate.open()
        wait_until(lambda: len(proofs(target)) == N_BATCHES or target.exists(), LONG, "all batches")
    assert_published(slurm, job, scene, standing)
    assert {slurm.wait(one)["JobState"] for one in workers} <= {"CANCELLED", "COMPLETED"}
    assert "are replaced" not in log(target)
    assert slurm.jobs() == []

"""Whole ingests as jobs: the same bytes as in one process, whatever is lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectral_zarr.testing import store_digest

from .scene import (
    N_BATCHES,
    N_FREE,
    PROFILE,
    Gate,
    Scene,
    Standing,
    log,
    logs,
    proofs,
    submit,
    submit_on_site,
    wait_for_workers,
    worker_jobs,
)
from .testbed import COMMAND, SLURM, Slurm, wait_until

pytestmark = pytest.mark.slurm
LONG = 120.0


def test_a_driver_job_refuses_a_second_one_replaces_a_cancelled_worker_and_publishes_the_same_bytes(
    halted: tuple[Slurm, Gate, Path], scene: Scene
) -> None:
    slurm, gate, target = halted
    job = submit(slurm, scene, "driver.sbatch", target)
    standing = Standing.at(gate, target)
    both = wait_for_workers(slurm, job)
    words = ["--output=second.log", str(SLURM / "driver.sbatch"), str(scene.files), str(target), *scene.options]
    second = slurm.submit(*words, cwd=target.parent)
    assert slurm.wait(second)["ExitCode"] == "5:0", (target.parent / "second.log").read_text()
    assert set(worker_jobs(slurm, job)) == both
    lost = min(both)
    slurm.output("scancel", lost)
    wait_for_workers(slurm, job, {lost})
    gate.open()
    assert slurm.wait(job, LONG)["ExitCode"] == "0:0", log(target)
    assert store_digest(target) == scene.digest
    standing.assert_kept()
    assert "1 worker jobs ended and are replaced" in log(target)
    assert slurm.jobs() == []


@pytest.mark.sweep
def test_the_printed_script_runs_in_one_allocation_and_publishes_the_same_bytes(
    slurm: Slurm, scene: Scene, tmp_path: Path
) -> None:
    target = tmp_path / "x.zarr"
    words = [str(scene.files), str(target), *scene.options, "--workers", "2", "--quiet"]
    (tmp_path / "job.sbatch").write_text(slurm.output(COMMAND, "slurm-script", *words))
    job = slurm.submit("--nodes=3", "--output=job.log", "job.sbatch", cwd=tmp_path)
    assert slurm.wait(job, LONG)["ExitCode"] == "0:0", log(target)
    assert store_digest(target) == scene.digest
    assert not list(tmp_path.rglob("*.pem"))


@pytest.mark.parametrize(
    "script", [pytest.param("driver.sbatch", marks=pytest.mark.sweep), pytest.param("ingest.sbatch")]
)
def test_a_job_whose_time_is_up_requeues_itself_and_goes_on(
    script: str, halted: tuple[Slurm, Gate, Path], scene: Scene
) -> None:
    slurm, gate, target = halted
    nodes = ["--nodes=2", "--ntasks=3", "--mem-per-cpu=1000M"] if script == "ingest.sbatch" else []
    job = submit(slurm, scene, script, target, "--time=10", *nodes)
    standing = Standing.at(gate, target)
    # What Slurm does some time before the limit.
    slurm.output("scancel", "--batch", "--signal=TERM", job)
    wait_until(lambda: "finishing the tasks that run" in log(target), what="a driver that drains")
    gate.open()
    wait_until(lambda: "requeued; the next run continues" in log(target), what="the requeue")
    assert N_FREE <= len(proofs(target)) < N_BATCHES
    slurm.run_again(job)
    assert slurm.wait(job, LONG)["ExitCode"] == "0:0", log(target)
    assert slurm.facts(job)["Restarts"] == "1"
    assert store_digest(target) == scene.digest
    standing.assert_kept()
    assert [line["event"] for lines in logs(target) for line in lines].count("stopped") == 1


@pytest.mark.sweep
@pytest.mark.parametrize("script", ["driver.sbatch", "ingest.sbatch"])
def test_a_driver_that_is_requeued_without_warning_goes_on(
    script: str, halted: tuple[Slurm, Gate, Path], scene: Scene
) -> None:
    slurm, gate, target = halted
    nodes = ["--nodes=2", "--ntasks=3", "--mem-per-cpu=1000M"] if script == "ingest.sbatch" else []
    job = submit(slurm, scene, script, target, "--time=10", *nodes)
    standing = Standing.at(gate, target)
    slurm.output("scontrol", "requeue", job)
    slurm.run_again(job)
    gate.open()
    assert slurm.wait(job, LONG)["ExitCode"] == "0:0", log(target)
    assert store_digest(target) == scene.digest
    standing.assert_kept()


@pytest.mark.sweep
def test_the_real_limit_of_a_driver_ends_in_the_same_store(halted: tuple[Slurm, Gate, Path], scene: Scene) -> None:
    slurm, gate, target = halted
    options = ["--time=2", "--signal=B:TERM@60", "--output=job.log"]
    words = [*options, str(SLURM / "driver.sbatch"), str(scene.files), str(target), *scene.options, "--drain", "5"]
    job = slurm.submit(*words, cwd=target.parent)
    standing = Standing.at(gate, target)
    wait_until(lambda: "requeued; the next run continues" in log(target), 180, "the limit")
    gate.open()
    slurm.run_again(job)
    assert slurm.wait(job, LONG)["ExitCode"] == "0:0", log(target)
    assert store_digest(target) == scene.digest
    standing.assert_kept()


@pytest.mark.sweep
def test_workers_are_replaced_at_their_real_limit(halted: tuple[Slurm, Gate, Path], scene: Scene) -> None:
    slurm, gate, target = halted
    site = PROFILE.replace('walltime = "10"', 'walltime = "1"\nlead_seconds = 20')
    job = submit_on_site(slurm, scene, target, site)
    standing = Standing.at(gate, target)
    first = wait_for_workers(slurm, job)
    wait_for_workers(slurm, job, first, 150)
    gate.open()
    assert slurm.wait(job, LONG)["ExitCode"] == "0:0", log(target)
    assert store_digest(target) == scene.digest
    standing.assert_kept()

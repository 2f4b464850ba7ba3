"""PBS by the commands of Torque, which a package of Slurm provides over the testbed."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr.cluster.pbs import listed_jobs, queued_jobs
from spectral_zarr.errors import JobRefused
from spectral_zarr.testing import store_digest

from .scene import PROFILE, Gate, Scene, log, wait_for_proofs
from .test_launch import SITE, launched, square
from .test_losses import driver_of
from .testbed import COMMAND, SLURM, Slurm, wait_until

PBS = replace(SITE, scheduler="pbs", walltime="00:10:00")

needs_pbs = [
    pytest.mark.slurm,
    pytest.mark.skipif(shutil.which("qsub") is None, reason="slurm-wlm-torque is not installed"),
]

LISTED = """Job Id: 17.server
    Job_Name = sz-0123abcd
    Job_Owner = ada@login1
    job_state = R
    comment = Job run at Tue Dec 01
Job Id: 18.server
    Job_Name = sz-0123abcd
    Job_Owner = ada@login1
    job_state = C
Job Id: 19.server
    Job_Name = sz-0123abcd
    Job_Owner = ada@login1
    job_state = E
Job Id: 20.server
    Job_Name = sz-other
    Job_Owner = ada@login1
    job_state = R
Job Id: 21.server
    Job_Name = sz-0123abcd
    Job_Owner = bob@login1
    job_state = Q
Job Id: 22.server
    Job_Name = sz-0123abcd
    Job_Owner = ada@login1
    job_state = Q
"""
"""After the manuals of Torque and PBS Pro."""


def test_jobs_that_have_ended_and_those_of_others_are_not_in_the_queue() -> None:
    jobs = listed_jobs(LISTED, "sz-0123abcd", "ada")
    assert {number: job.state for number, job in jobs.items()} == {"17": "R", "19": "CG", "22": "Q"}
    assert jobs["17"].reason == "Job run at Tue Dec 01"
    assert jobs["22"].reason == "in the queue"


def assert_no_jobs(slurm: Slurm) -> None:
    """No job is left, but those that Slurm is still cleaning up after."""
    wait_until(lambda: not slurm.jobs(), 10, "the end of the deleted jobs")


class TestTorque:
    pytestmark = needs_pbs

    @pytest.fixture
    def site(self, scene: Scene, tmp_path: Path) -> list[str]:
        """Options of an ingest whose worker jobs are those of PBS."""
        profile = PROFILE.replace('walltime = "10"', 'walltime = "00:10:00"')
        (tmp_path / "pbs.toml").write_text(f'scheduler = "pbs"\n{profile}')
        return [*scene.options[:2], "--profile", str(tmp_path / "pbs.toml")]

    def test_a_worker_job_that_is_deleted_is_replaced_and_nothing_is_left(
        self, halted: tuple[Slurm, Gate, Path], scene: Scene, site: list[str]
    ) -> None:
        slurm, gate, target = halted
        words = [str(COMMAND), "ingest", str(scene.files), str(target), *site, "--cluster", "slurm"]
        where = target.parent / "where"
        where.mkdir()
        driver = subprocess.Popen(words, env=dict(slurm.environment), stderr=subprocess.PIPE, text=True, cwd=where)
        try:
            wait_for_proofs(target)
            both = set(slurm.jobs())
            assert len(both) == 2
            slurm.output("qdel", min(both))
            wait_until(lambda: len(set(slurm.jobs()) - both) == 1, what="a job in the place of the deleted one")
            gate.open()
            said = driver.communicate(timeout=120)[1]
        finally:
            driver.kill()
        assert driver.returncode == 0, said
        assert "1 worker jobs ended and are replaced" in said
        assert store_digest(target) == scene.digest
        assert_no_jobs(slurm)
        assert list((target.parent / "x.zarr.build" / "run").glob("worker-*.log"))
        assert not list(where.iterdir()), "jobs leave no files where the driver began"

    def test_ctrl_c_leaves_no_job(self, halted: tuple[Slurm, Gate, Path], scene: Scene, site: list[str]) -> None:
        slurm, _, target = halted
        words = [str(COMMAND), "ingest", str(scene.files), str(target), *site, "--cluster", "slurm", "--drain", "0"]
        driver = subprocess.Popen(words, env=dict(slurm.environment), stderr=subprocess.DEVNULL, cwd=target.parent)
        try:
            wait_for_proofs(target)
            driver.send_signal(signal.SIGINT)
            assert driver.wait(timeout=60) == 75
        finally:
            driver.kill()
        assert_no_jobs(slurm)

    def test_a_refusal_is_raised_at_once_with_the_words_of_qsub(self, slurm: Slurm, tmp_path: Path) -> None:
        words = "taken: sbatch: error: invalid partition specified: nowhere; .*Invalid partition name specified; see"
        refused = pytest.raises(JobRefused, match=words)
        with launched(tmp_path, replace(PBS, partition="nowhere")) as (executor, _, _), refused:
            list(executor.map(square, [1]))
        assert_no_jobs(slurm)

    def test_the_end_cancels_the_jobs_without_a_wait(self, slurm: Slurm, tmp_path: Path) -> None:
        with launched(tmp_path, PBS) as (executor, launch, notes):
            assert list(executor.map(square, [3])) == [9]
            assert len(queued_jobs(launch.job_name) or {}) == 1
        assert queued_jobs(launch.job_name) == {}
        assert not any("have not ended" in note for note in notes)

    def test_a_driver_job_that_is_deleted_goes_on_when_it_is_submitted_again(
        self, halted: tuple[Slurm, Gate, Path], scene: Scene, site: list[str]
    ) -> None:
        slurm, gate, target = halted
        asked = " ".join([str(scene.files), str(target), *site, "--drain", "0"])
        environment = {**slurm.environment, "INGEST": asked}
        pbs = replace(slurm, environment=environment)
        words = ("qsub", "-V", "-o", str(target.parent / "job.log"), str(SLURM / "driver.pbs"))
        first = pbs.output(*words, cwd=target.parent)
        wait_for_proofs(target)
        slurm.output("scancel", "--batch", "--signal=TERM", first)
        assert slurm.wait(first, 120)["ExitCode"] == "75:0", (target.parent / "job.log").read_text()
        assert "submit the same line again" in (target.parent / "job.log").read_text()
        gate.open()
        second = pbs.output(*words, cwd=target.parent)
        assert slurm.wait(second, 120)["ExitCode"] == "0:0", (target.parent / "job.log").read_text()
        assert store_digest(target) == scene.digest
        assert_no_jobs(slurm)

    def test_a_driver_job_whose_time_is_up_submits_itself_again_and_goes_on(
        self, halted: tuple[Slurm, Gate, Path], scene: Scene, site: list[str]
    ) -> None:
        slurm, gate, target = halted
        asked = shlex.join([str(scene.files), str(target), *site])
        pbs = replace(slurm, environment={**slurm.environment, "INGEST": asked})
        words = ("qsub", "-j", "oe", "-l", "walltime=00:30:00", "-o", "job.log", str(SLURM / "driver.pbs"))
        first = pbs.output(*words, cwd=target.parent)
        wait_for_proofs(target)
        script = driver_of(target).parent()
        assert script is not None
        timers = [one.cmdline() for one in script.children(recursive=True) if one.name() == "sleep"]
        assert timers == [["sleep", "1620"]]
        # What the timer does.
        slurm.output("scancel", "--batch", "--signal=USR1", first)
        wait_until(lambda: "finishing the tasks that run" in log(target), what="a driver that drains")
        gate.open()
        assert slurm.wait(first, 120)["ExitCode"] == "75:0", log(target)
        *_, second, said = log(target).splitlines()
        assert said == "submitted again; the next job continues"
        assert slurm.wait(second, 120)["ExitCode"] == "0:0"
        assert store_digest(target) == scene.digest
        assert_no_jobs(slurm)

    def test_a_driver_job_without_sources_says_how_it_is_used(self) -> None:
        done = subprocess.run([SLURM / "driver.pbs"], capture_output=True, text=True)
        assert (done.returncode, done.stderr.startswith('usage: INGEST="SOURCES')) == (2, True)

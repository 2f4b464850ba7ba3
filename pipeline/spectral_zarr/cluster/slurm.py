"""What Slurm is asked: which jobs there are, whether the owner of a claim still runs, and to cancel our own jobs."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spectral_zarr.store.claim import Claim, ask_about_jobs, own_claim
from spectral_zarr.store.request import RequestFacts

ANSWER_SECONDS = 60.0
"""Time that the controller has to answer; a busy one is slow, and jobs are not gone because it is."""

IDS_PER_CALL = 500
LEAKING = ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_")
KEPT = ("SLURM_CONF", "SLURM_CLUSTERS")
ENDING = "CG"
"""State of a job that has ended, and that Slurm is still cleaning up after."""


@dataclass(frozen=True, slots=True)
class OwnJob:
    """The job that this process runs in.

    Attributes
    ----------
    id : str
        '' outside of Slurm.
    restarts : int
        How often it was requeued; its id stays the same.
    """

    id: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that has not ended: its id, the short name of its state, and why it waits."""

    id: str
    state: str
    reason: str


def own_job(environment: Mapping[str, str] | None = None) -> OwnJob:
    """The job of this process, as its environment tells."""
    variables = os.environ if environment is None else environment
    restarts = variables.get("SLURM_RESTART_COUNT", "0")
    return OwnJob(variables.get("SLURM_JOB_ID", ""), int(restarts) if restarts.isdigit() else 0)


def claim_in_job(request: RequestFacts) -> Claim:
    """The claim of this process and its job; from here on, Slurm is asked about the jobs of other owners."""
    ask_about_jobs(job_lives)
    job = own_job()
    return own_claim(request, job.id, job.restarts)


def submission_environment() -> dict[str, str]:
    """The environment of a nested ``sbatch``: options of the job that this process runs in are not those of another."""
    return {name: text for name, text in os.environ.items() if name in KEPT or not name.startswith(LEAKING)}


def is_installed() -> bool:
    """Whether there are the commands of Slurm."""
    return all(shutil.which(command) for command in ("sbatch", "squeue", "scancel"))


def queued_jobs(name: str) -> dict[str, QueuedJob] | None:
    """Jobs of this user with a name that have not ended, by their id; None when the controller does not answer."""
    done = ask("squeue", "--noheader", f"--user={getpass.getuser()}", f"--name={name}", "--format=%i|%t|%r")
    if done is None or done.returncode != 0:
        return None
    jobs = [QueuedJob(*line.strip().split("|", 2)) for line in done.stdout.split("\n") if line.count("|") >= 2]
    return {job.id: job for job in jobs}


def cancel(ids: Iterable[str]) -> None:
    """Cancel jobs; it is no error when they have ended, or when the controller is away."""
    known = list(ids)
    for first in range(0, len(known), IDS_PER_CALL):
        ask("scancel", *known[first : first + IDS_PER_CALL])


def job_lives(job: str, restarts: int) -> bool | None:
    """Whether a job still runs under the restart count that it had.

    Parameters
    ----------
    job : str
        Id of the job.
    restarts : int
        Its restart count at the time in question.

    Returns
    -------
    bool or None
        None when Slurm does not tell.
    """
    own = own_job()
    if own.id == job:
        return restarts >= own.restarts
    done = ask("squeue", "--noheader", f"--jobs={job}", "--format=%t")
    if done is None:
        return None
    if done.returncode != 0:
        return False if "invalid job id" in done.stderr.lower() else None
    if not done.stdout.strip():
        return False
    shown = ask("scontrol", "show", "job", "--oneliner", job)
    if shown is None or shown.returncode != 0:
        return None
    facts = dict(word.split("=", 1) for word in shown.stdout.split() if "=" in word)
    if int(facts.get("Restarts", 0)) > restarts:
        return False
    # A requeued job waits under the count that it will have when it runs, and whoever ran in it has ended.
    return facts.get("JobState", "") not in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT")


def ask(*command: str) -> subprocess.CompletedProcess[str] | None:
    """What a command of a batch system says, None when there is no answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None

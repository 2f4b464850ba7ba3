"""Worker jobs of a batch system, one worker in each, through dask-jobqueue."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from distributed.deploy.cluster import Cluster
from distributed.deploy.spec import ProcessInterface
from distributed.diagnostics.plugin import SchedulerPlugin

from spectral_zarr.cluster.launch import Launch, scheduler_options, worker_script
from spectral_zarr.cluster.rundir import RunDirectory
from spectral_zarr.cluster.signals import handlers_kept
from spectral_zarr.cluster.slurm import submission_environment
from spectral_zarr.config import SiteProfile
from spectral_zarr.config.site import clock

with handlers_kept():
    from dask_jobqueue.core import Job, JobQueueCluster
    from dask_jobqueue.pbs import PBSCluster, PBSJob
    from dask_jobqueue.slurm import SLURMCluster, SLURMJob

SUBMISSIONS_AT_ONCE = 4
"""More would be taken for an attack by a busy controller."""

MIB = 1 << 20


@dataclass
class Orders:
    """What the jobs of one cluster share.

    Attributes
    ----------
    launch, run : Launch, RunDirectory
        What is wanted, and where the keys and the logs are.
    closing : bool
        Whether all jobs are cancelled together, so that none has to be cancelled alone.
    """

    launch: Launch
    run: RunDirectory
    closing: bool = False
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SUBMISSIONS_AT_ONCE))


class _WorkerJob(Job):
    """Submits our script, and remembers a refusal where dask-jobqueue would only log it."""

    orders: Orders

    def __init__(self, scheduler: str, name: str = "", **options: Any) -> None:
        super().__init__(scheduler, name, **options)  # type: ignore[no-untyped-call]
        self.refusal = ""
        self._command_template = worker_script(self.orders.launch, self.orders.run, scheduler, name)

    async def _submit_job(self, script: str) -> str:
        command = [*shlex.split(str(self.submit_command)), script]
        async with self.orders.turn:
            output: str = await self._call(command, env=submission_environment())  # type: ignore[no-untyped-call]
        if re.search(self.job_id_regexp, output) is None:
            # Some commands refuse a job with exit code 0.
            raise RuntimeError(output)
        return output

    async def start(self) -> None:
        try:
            await super().start()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, OSError) as error:
            # What was raised here would be lost in the event loop; whoever looks after the jobs finds it.
            self.refusal = _words(error)
            await ProcessInterface.start(self)

    async def close(self) -> None:
        if not self.orders.closing:
            await super().close()  # type: ignore[no-untyped-call]
        await ProcessInterface.close(self)


class _SlurmWorkerJob(_WorkerJob, SLURMJob):
    pass


class _PbsWorkerJob(_WorkerJob, PBSJob):
    # On the command line, where every PBS reads them; without, each job leaves two files where the driver began.
    submit_command = "qsub -j oe -o /dev/null -e /dev/null"
    job_id_regexp = r"^(?P<job_id>\d+)"

    def __init__(self, scheduler: str, name: str = "", **options: Any) -> None:
        super().__init__(scheduler, name, **options)
        # No form of "-o" names a file by its job in every PBS.
        log = f'exec > {shlex.quote(str(self.orders.run.path))}/worker-"${{PBS_JOBID:-$$}}".log 2>&1'
        self._command_template = f"{log}\n{self._command_template}"


class _Jobs(JobQueueCluster):
    """Every job has a name of its own: the scheduler may still know the worker of one that is gone."""

    def new_worker_spec(self) -> dict[Any, Any]:
        self._i += 1
        spec: dict[Any, Any] = super().new_worker_spec()  # type: ignore[no-untyped-call]
        return spec

    def _update_worker_status(self, op: str, msg: Any) -> None:
        # Not that of SpecCluster, which forgets the job of a worker that has left and never replaces it.
        Cluster._update_worker_status(self, op, msg)


class _SlurmJobs(_Jobs, SLURMCluster):
    pass


class _PbsJobs(_Jobs, PBSCluster):
    pass


class Registered(SchedulerPlugin):
    """Names of all workers that have ever come."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Remember a name."""
        self.names.add(str(scheduler.workers[worker].name))


def job_cluster(launch: Launch, run: RunDirectory, security: Any) -> tuple[Any, Orders]:
    """Start a scheduler in this process, without any job yet.

    Parameters
    ----------
    launch : Launch
        What is wanted.
    run : RunDirectory
        Where the keys and the logs are.
    security : distributed.Security or None
        Keys of the run.

    Returns
    -------
    SpecCluster, Orders
    """
    profile = launch.profile
    orders = Orders(launch, run)
    base, kind = (_SlurmJobs, _SlurmWorkerJob) if profile.scheduler == "slurm" else (_PbsJobs, _PbsWorkerJob)
    options: dict[str, Any] = {
        "job_cls": type(kind.__name__, (kind,), {"orders": orders}),
        "name": launch.job_name,
        "job_name": launch.job_name,
        "cores": 1,
        "processes": 1,
        "memory": f"{profile.memory_bytes}B",
        "queue": profile.partition or None,
        "account": profile.account or None,
        "walltime": profile.walltime or None,
        "scheduler_options": scheduler_options(launch, security),
        "protocol": launch.protocol,
        "security": security,
        "death_timeout": None,
        "local_directory": None,
        "job_script_prologue": [],
        "worker_extra_args": [],
        "silence_logs": logging.CRITICAL,
    }
    options |= _slurm_options(launch, run) if profile.scheduler == "slurm" else _pbs_options(profile)
    return base(**options), orders


def _slurm_options(launch: Launch, run: RunDirectory) -> dict[str, Any]:
    profile = launch.profile
    return {
        "job_cpu": profile.cores,
        "job_directives_skip": ["--mem=", *(() if profile.walltime else ["-t "])],
        "job_extra_directives": [
            *memory_directives(profile),
            # A job that was lost is replaced at once, and its number would wait for two minutes.
            "--no-requeue",
            "--open-mode=append",
            f"--output={shlex.quote(str(run.path))}/worker-%j.log",
            *profile.directives,
        ],
    }


def _pbs_options(profile: SiteProfile) -> dict[str, Any]:
    mib = -(-profile.job_bytes // MIB)
    memory = "" if profile.memory_style == "none" else f":mem={mib}mb"
    return {
        "resource_spec": f"select=1:ncpus={profile.cores}{memory}",
        # A number alone is minutes in a profile, and seconds in PBS, which knows no days.
        "walltime": clock(profile.walltime_seconds),
        "job_directives_skip": [] if profile.walltime else ["walltime="],
        "job_extra_directives": ["-r n", *profile.directives],
    }


def memory_directives(profile: SiteProfile) -> list[str]:
    """Options of ``sbatch`` that ask for the memory of a worker job."""
    if profile.memory_style == "none":
        return []
    share = profile.cores if profile.memory_style == "mem-per-cpu" else 1
    return [f"--{profile.memory_style}={-(-profile.job_bytes // (share * MIB))}M"]


def _words(error: Exception) -> str:
    # Some commands say why on the standard output, in quotes.
    before, _, said = str(error).partition("stderr:\n")
    lines = _lines(said) or _lines(before.partition("stdout:\n")[2]) or _lines(str(error))
    return "; ".join(lines[-2:]) or type(error).__name__


def _lines(text: str) -> list[str]:
    return [line for line in (line.strip(" '\t") for line in text.splitlines()) if line]

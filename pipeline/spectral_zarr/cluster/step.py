"""Workers in the nodes of the allocation that the driver runs in, started by one srun step."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from distributed import Scheduler
from distributed.deploy.spec import SpecCluster

from spectral_zarr.cluster.launch import Launch, scheduler_options, worker_script
from spectral_zarr.cluster.rundir import RunDirectory
from spectral_zarr.cluster.slurm import OwnJob, own_job
from spectral_zarr.config.site import without_headroom
from spectral_zarr.errors import ClusterLost, UsageError

MOST_STEPS = 5
"""Steps that may end while workers are wanted."""

END_SECONDS = 60.0
MIB = 1 << 20


class StepFleet:
    """One srun step of workers.

    Parameters
    ----------
    launch : Launch
        What is wanted; time and memory are those of the allocation.
    run : RunDirectory
        Where the keys and the logs are.
    security : distributed.Security or None
        Keys of the run.
    note : callable
        Is told what people should know.
    """

    def __init__(self, launch: Launch, run: RunDirectory, security: Any, note: Callable[[str], None]) -> None:
        self._launch = launch
        self._run = run
        self._note = note
        self._wanted = 0
        self._n_steps = 0
        self._step: subprocess.Popen[bytes] | None = None
        options = scheduler_options(launch, security)
        self.cluster: Any = SpecCluster(
            scheduler={"cls": Scheduler, "options": options},
            workers={},
            security=security,
            silence_logs=logging.CRITICAL,
            name=launch.job_name,
        )

    def start(self, workers: int) -> None:
        """Start the step."""
        self._wanted = workers
        self._begin()

    def _begin(self) -> None:
        job = own_job()
        self._n_steps += 1
        # A requeued job keeps its id, and whatever is named after the id alone is found again by its second run.
        name = f"workers-{job.id}-{job.restarts}-{self._n_steps}"
        script = self._run.path / f"{name}.sh"
        script.write_text(f"#!/bin/bash\n{worker_script(self._launch, self._run, self.cluster.scheduler_address)}")
        command = [
            *("srun", "--overlap", f"--ntasks={self._wanted}", "--cpus-per-task=1", "--kill-on-bad-exit=0", "--wait=0"),
            *("--open-mode=append", f"--output={self._run.path / name}-%t.log", "--job-name=workers", "--input=none"),
            *(option for line in self._launch.profile.directives for option in shlex.split(line)),
            *("bash", str(script)),
        ]
        # A session of its own, so that Ctrl-C in a terminal does not reach the workers before the driver has drained.
        self._step = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)

    def check(self) -> None:
        """Start another step when one has ended, and raise when that does not help."""
        if self._step is None or self._step.poll() is None:
            return
        code = self._step.returncode
        if self._n_steps >= MOST_STEPS:
            message = f"the srun step of the workers ended {self._n_steps} times, at last with {code}"
            raise ClusterLost(f"{message}; see {self._run.path}/workers-*.log, then use --resume")
        self._note(f"the srun step of the workers ended with {code}; starting another one")
        self._begin()

    def waiting(self) -> str:
        """Workers start as soon as Slurm lets them."""
        return f"{self._wanted} in an srun step"

    def close(self) -> None:
        """End the scheduler, which ends the workers, and wait for the step."""
        step, self._step = self._step, None
        self.cluster.close()
        if step is not None:
            try:
                step.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                step.terminate()
                try:
                    step.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    step.kill()
                    step.wait()
        self._run.close()


def within_allocation(launch: Launch, workers: int, environment: Mapping[str, str] | None = None) -> tuple[Launch, int]:
    """What fits into the allocation: its memory for each worker, and one task for the driver.

    Parameters
    ----------
    launch : Launch
        What is wanted.
    workers : int
        Number of workers; 0 for all tasks but one.
    environment : mapping, optional
        Variables of the job; by default those of this process.

    Returns
    -------
    Launch, int

    Raises
    ------
    UsageError
        When this process is in no job.
    """
    variables = os.environ if environment is None else environment
    job: OwnJob = own_job(variables)
    if not job.id:
        raise UsageError("--cluster srun works inside of a job: use slurm/ingest.sbatch, or --cluster slurm outside")
    tasks = int(variables.get("SLURM_NTASKS", "1"))
    cores = int(variables.get("SLURM_CPUS_PER_TASK", "1"))
    memory = _memory_per_task(variables, cores)
    profile = replace(launch.profile, walltime="")
    if memory:
        profile = replace(profile, memory=str(without_headroom(memory)))
    return replace(launch, profile=profile), workers or max(1, tasks - 1)


def _memory_per_task(variables: Mapping[str, str], cores: int) -> int:
    """Bytes that Slurm gives to each task, 0 when it does not limit the memory."""
    per_cpu, per_node = variables.get("SLURM_MEM_PER_CPU", ""), variables.get("SLURM_MEM_PER_NODE", "")
    if per_cpu.isdigit() and int(per_cpu):
        return int(per_cpu) * MIB * cores
    if per_node.isdigit() and int(per_node):
        # '2(x3),1' is three nodes of two tasks and one of one.
        most = max(int(part.partition("(")[0]) for part in variables.get("SLURM_TASKS_PER_NODE", "1").split(","))
        return int(per_node) * MIB // max(1, most)
    return 0

"""From the pace of measured ingests to a forecast for other numbers of files and cores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from spectral_zarr.model.pace import PARALLEL, IngestRun, Limit, PaceForecast

TASK_SECONDS = 0.004
"""What the driver and the scheduler need to send a task and to log its answer; benchmarks/scheduler.py measures it."""

TOO_FEW_TASKS = 1.25
"""From this on, the last round of tasks makes a difference."""

MOST_CORES = 1 << 20


def efficiency(runs: Sequence[IngestRun], run: IngestRun) -> float:
    """Work of the parallel phases per worker and second, relative to the run with the fewest workers."""
    fewest = min(runs, key=lambda one: one.workers)
    return _parallel(fewest) * fewest.workers / (_parallel(run) * run.workers)


def forecast(runs: Sequence[IngestRun], n_files: int, cores: int, task_seconds: float = TASK_SECONDS) -> PaceForecast:
    """What an ingest would take.

    Parameters
    ----------
    runs : sequence of IngestRun
        Measured with different numbers of workers, on files like those to come.
    n_files, cores : int
        What to foresee.
    task_seconds : float
        What the driver and the scheduler need for a task.

    Returns
    -------
    PaceForecast
        Elapsed time is the start of the workers, the phases of the driver in proportion to the files, and the
        parallel phases, from the measured run with the most workers that are no more than `cores`. These take as
        many rounds as there are tasks for a core, and no less than it takes to send all tasks.
    """
    fitting = [run for run in runs if run.workers <= cores] or [min(runs, key=lambda one: one.workers)]
    run = max(fitting, key=lambda one: one.workers)
    share = n_files / run.n_files
    start = next(cost.seconds for cost in run.phases if cost.phase == "workers")
    start_cpu = next(cost.cpu_seconds for cost in run.phases if cost.phase == "workers")
    fixed = run.fixed
    alone = start + fixed.seconds + share * max(0.0, run.seconds - start - _parallel(run) - fixed.seconds)
    work = share * _parallel(run) * run.workers
    n_tasks = _tasks(run, n_files)
    # What was measured holds as it is.
    measured = cores == run.workers
    rounds = work / cores if measured else math.ceil(n_tasks / cores) * work / n_tasks
    sending = 0.0 if measured else n_tasks * task_seconds
    parallel = max(rounds, sending)
    limit: Limit = "cores"
    if alone > parallel:
        limit = "driver"
    elif sending > rounds:
        limit = "scheduler"
    elif rounds > TOO_FEW_TASKS * work / cores:
        limit = "tasks"
    return PaceForecast(
        n_files=n_files,
        cores=cores,
        seconds=alone + parallel,
        alone_seconds=alone,
        cpu_seconds=(
            start_cpu * cores / run.workers
            + fixed.cpu_seconds
            + share * max(0.0, run.cpu_seconds - start_cpu - fixed.cpu_seconds)
        ),
        store_bytes=share * run.store_bytes,
        n_tasks=n_tasks,
        limit=limit,
        bytes_per_second=share * _moved(run) / parallel if parallel else 0.0,
        assumptions=_assumptions(runs, run, cores),
    )


def undisturbed(run: IngestRun) -> IngestRun:
    """The run as it would have been on cores of its own: every second is one of computing, and none of waiting."""
    phases = [
        replace(cost, seconds=cost.cpu_seconds / (run.workers if cost.phase in PARALLEL else 1)) for cost in run.phases
    ]
    return replace(run, phases=tuple(phases), fixed=replace(run.fixed, seconds=run.fixed.cpu_seconds))


def half_idle(runs: Sequence[IngestRun], n_files: int, task_seconds: float = TASK_SECONDS) -> int:
    """The number of cores, a power of two, from which on they are idle for more than half of the time."""
    least = min(run.workers for run in runs)
    work = least * forecast(runs, n_files, least, task_seconds).seconds
    cores = 1
    while cores < MOST_CORES and work / (cores * forecast(runs, n_files, cores, task_seconds).seconds) >= 0.5:
        cores *= 2
    return cores


def _tasks(run: IngestRun, n_files: int) -> int:
    blocks = math.ceil(n_files * run.n_spectra / run.n_files / run.block_rows)
    # A block is filled and checked.
    return math.ceil(n_files / run.batch_files) + 2 * blocks


def _moved(run: IngestRun) -> float:
    return run.source_bytes + 2 * run.staged_bytes + 2 * run.store_bytes


def _parallel(run: IngestRun) -> float:
    return sum(cost.seconds for cost in run.phases if cost.phase in PARALLEL)


def _assumptions(runs: Sequence[IngestRun], run: IngestRun, cores: int) -> tuple[str, ...]:
    alike = f"{run.source_bytes / run.n_files / 1e3:,.0f} kB and {run.n_spectra / run.n_files:.3g} spectra a file"
    measured = f"from {run.n_files:,} files with {run.workers} worker{'' if run.workers == 1 else 's'}"
    assumptions = [
        f"{measured}; the others are like them, {alike}",
        "the driver lists, plans and finalises alone, in proportion to the files but for what it does for the fewest; "
        "starting workers takes a fixed time",
        {
            "cold": "sources came from the file system and not from memory",
            "asked": "sources came from the file system if the kernel did as it was asked",
            "warm": "sources were in memory; from a disk or a server it takes longer",
        }[run.cache],
    ]
    if cores != run.workers:
        kept = f"{efficiency(runs, run):.0%} of that of {min(one.workers for one in runs)}"
        times = f"{cores} cores are {cores / run.workers:.3g} times as fast as {run.workers} in {', '.join(PARALLEL)}"
        assumptions.append(f"{times}: each keeps the pace measured ({kept}), and the file system keeps up")
    return tuple(assumptions)

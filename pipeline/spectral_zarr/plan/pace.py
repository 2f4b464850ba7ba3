"""From the pace of measured ingests to a forecast for other numbers of files and cores."""

from __future__ import annotations

from collections.abc import Sequence

from spectral_zarr.model.pace import PARALLEL, IngestRun, PaceForecast


def efficiency(runs: Sequence[IngestRun], run: IngestRun) -> float:
    """Work of the parallel phases per worker and second, relative to the run with the fewest workers."""
    fewest = min(runs, key=lambda one: one.workers)
    return _parallel(fewest) * fewest.workers / (_parallel(run) * run.workers)


def forecast(runs: Sequence[IngestRun], n_files: int, cores: int) -> PaceForecast:
    """What an ingest would take.

    Parameters
    ----------
    runs : sequence of IngestRun
        Measured with different numbers of workers, on files like those to come.
    n_files, cores : int
        What to foresee.

    Returns
    -------
    PaceForecast
        Elapsed time is the start of the workers, the phases of the driver in proportion to the files, and the
        parallel phases in proportion to the files and in inverse proportion to the cores, from the measured run
        with the most workers that are no more than `cores`.
    """
    fitting = [run for run in runs if run.workers <= cores] or [min(runs, key=lambda one: one.workers)]
    run = max(fitting, key=lambda one: one.workers)
    share = n_files / run.n_files
    parallel = _parallel(run)
    start = next(cost.seconds for cost in run.phases if cost.phase == "workers")
    start_cpu = next(cost.cpu_seconds for cost in run.phases if cost.phase == "workers")
    alone = run.seconds - start - parallel
    seconds = start + share * (alone + parallel * run.workers / cores)
    cpu = start_cpu * cores / run.workers + share * (run.cpu_seconds - start_cpu)
    return PaceForecast(n_files, cores, seconds, cpu, share * run.store_bytes, _assumptions(runs, run, cores))


def _parallel(run: IngestRun) -> float:
    return sum(cost.seconds for cost in run.phases if cost.phase in PARALLEL)


def _assumptions(runs: Sequence[IngestRun], run: IngestRun, cores: int) -> tuple[str, ...]:
    alike = f"{run.source_bytes / run.n_files / 1e3:,.0f} kB and {run.n_spectra / run.n_files:.3g} spectra a file"
    measured = f"from {run.n_files:,} files with {run.workers} worker{'' if run.workers == 1 else 's'}"
    assumptions = [
        f"{measured}; the others are like them, {alike}",
        "the driver lists, plans and finalises alone, in proportion to the files; starting workers takes a fixed time",
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

"""``spectral-zarr slurm-script``: a batch script that asks for what the plan of an ingest needs."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.asked import asked_config, sources_and_target
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import size

if TYPE_CHECKING:
    from spectral_zarr.cluster import IngestRequest
    from spectral_zarr.cluster.script import Form, Resources
    from spectral_zarr.config import SiteProfile

MIB = 1 << 20
LEAST_MIB = 1024
MOST_WORKERS = 64
TASK_MINUTES = 10
"""Steps of the time limit."""

WORK_PER_SURVEY = 3
"""Seconds of an ingest for each second of parsing: staged pixels are written and read again, compressed and checked."""

SAFETY = 2
UNMEASURED = "04:00:00"


def slurm_script(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="SOURCES... OUT.zarr", help="As for ingest.", show_default=False),
    ],
    form: Annotated[
        Literal["srun", "slurm"],
        typer.Option("--cluster", help="Workers in the allocation itself (srun), or worker jobs (slurm)."),
    ] = "srun",
    profile: options.Profile = None,
    config: options.Config = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=0, metavar="N", help="Workers of the ingest; 0 for what pays.")
    ] = 0,
    max_rejected: options.MaxRejected = "0",
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="Survey only the first N files and extrapolate; 0 for all.")
    ] = 0,
    quiet: options.Quiet = False,
) -> None:
    """Print a batch script for an ingest, with the memory, workers and time that its plan needs.

    The plan of an interrupted build is taken as it is; otherwise the sources are surveyed on all cores of this machine.
    """
    from spectral_zarr.cluster import IngestRequest
    from spectral_zarr.cluster.script import batch_script
    from spectral_zarr.config import Tolerance, load_profile
    from spectral_zarr.errors import UsageError

    sources, target = sources_and_target(paths)
    request = IngestRequest(
        sources, target, asked_config(config, None, "", ""), Tolerance.parse(max_rejected), limit=limit
    )
    site = load_profile(profile)
    if site.scheduler == "pbs":
        raise UsageError(f"this prints scripts for Slurm, and {profile} is for PBS: submit slurm/driver.pbs instead")
    needs = _from_plan(target) or _from_survey(request, quiet=quiet)
    arguments = [*map(_absolute, sources), _absolute(target), *_asked(config, profile, max_rejected)]
    script = batch_script(
        form, _resources(form, needs, site, workers), arguments, program=str(Path(sys.argv[0]).absolute())
    )
    typer.echo(script, nl=False)


@dataclass(frozen=True, slots=True)
class _Needs:
    """What an ingest needs: tasks, bytes of a worker, and seconds of one core, 0 when they were not measured."""

    n_files: int
    n_rows: int
    n_batches: int
    n_blocks: int
    memory: int
    seconds: float


def _from_plan(target: str) -> _Needs | None:
    from spectral_zarr.model import BuildPlan
    from spectral_zarr.store.paths import BuildPaths
    from spectral_zarr.store.records import read_record

    file = BuildPaths.of(target).plan
    if not file.exists():
        return None
    plan = read_record(file, BuildPlan)
    return _Needs(plan.n_input_files, plan.n_spec, len(plan.batches), plan.n_blocks, plan.memory.worker, 0.0)


def _from_survey(request: IngestRequest, *, quiet: bool) -> _Needs:
    from spectral_zarr.cluster import DeferredExecutor, preview
    from spectral_zarr.tasks.sources import make_batches, scan_sources

    with watching(quiet=quiet) as observer, DeferredExecutor("auto", 0, observer.note) as executor:
        began = time.monotonic()
        found = preview(request, executor, observer)
        seconds = (time.monotonic() - began) * executor.workers
    plan = found.plan
    files = scan_sources(replace(request, limit=0).sources)
    share = max(1.0, len(files) / max(1, plan.n_input_files))
    n_rows = math.ceil(plan.n_spec * share)
    n_batches = len(make_batches(files, request.config.build))
    n_blocks = math.ceil(n_rows / plan.chunk_rows)
    return _Needs(len(files), n_rows, n_batches, n_blocks, plan.memory.worker, seconds * share)


def _resources(form: Form, needs: _Needs, site: SiteProfile, workers: int) -> Resources:
    from spectral_zarr.cluster.script import SHIPPED, Resources
    from spectral_zarr.config.site import with_headroom

    count = workers or min(MOST_WORKERS, max(needs.n_batches, needs.n_blocks))
    # The driver has the share of a task too.
    job = max(LEAST_MIB, -(-with_headroom(needs.memory) // MIB))
    hours = WORK_PER_SURVEY * SAFETY * needs.seconds / 3600 / count
    walltime = _walltime(hours) if needs.seconds else UNMEASURED
    remarks = [
        f"{report.files(needs.n_files)}, {needs.n_rows:,} rows: {needs.n_batches:,} tasks to stage, {needs.n_blocks:,} "
        f"row blocks to fill; {size(needs.memory)} for each worker.",
    ]
    directives = [
        *([f"--partition={site.partition}"] if site.partition else []),
        *([f"--account={site.account}"] if site.account else []),
        *site.directives,
    ]
    if form == "slurm":
        shipped = SHIPPED["slurm"]
        remarks.append(
            f"Workers get what the profile says: {site.memory} each, and --workers {workers or site.workers}."
        )
        if site.memory_bytes < needs.memory:
            remarks.append(f'That is less than they need: set memory = "{-(-needs.memory // MIB)}MiB" in the profile.')
        return Resources(1, shipped.memory, shipped.walltime, directives, site.prologue, remarks)
    memory = "" if site.memory_style == "none" else f"--mem-per-cpu={job}M"
    return Resources(count + 1, memory, walltime, directives, site.prologue, remarks)


def _walltime(hours: float) -> str:
    minutes = max(TASK_MINUTES, math.ceil(hours * 60 / TASK_MINUTES) * TASK_MINUTES)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def _absolute(path: str) -> str:
    if path.startswith("@"):
        return f"@{Path(path[1:]).absolute()}"
    return str(Path(path).absolute())


def _asked(config: Path | None, profile: Path | None, max_rejected: str) -> list[str]:
    asked = [("--config", config), ("--profile", profile)]
    files = [word for option, path in asked if path is not None for word in (option, str(path.absolute()))]
    return [*files, *(["--max-rejected", max_rejected] if max_rejected != "0" else [])]

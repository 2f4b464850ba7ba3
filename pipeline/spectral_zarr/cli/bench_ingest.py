"""``spectral-zarr bench ingest``: the pace of an ingest by phase and number of workers, and a forecast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import duration, print_json, results, size
from spectral_zarr.errors import UsageError

if TYPE_CHECKING:
    from spectral_zarr.model.pace import IngestRun, PaceForecast


LIMITS = {
    "cores": "the cores",
    "tasks": "too few tasks for the cores",
    "scheduler": "the rate at which tasks are sent",
    "driver": "what the driver does alone",
}


def pace(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES...", help="Files, directories, quoted patterns or @list.txt.", show_default=False
        ),
    ],
    path: Annotated[
        Path,
        typer.Option("--path", metavar="DIR", help="Directory on the file system to write to.", show_default=False),
    ],
    workers: Annotated[
        str, typer.Option(metavar="N,N,...", help="Numbers of workers to try; 1, 2, 4 and so on unless given.")
    ] = "",
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Only the first N files; 0 for all.")] = 2000,
    for_files: Annotated[int, typer.Option(min=1, metavar="N", help="Files to make a forecast for.")] = 1_000_000,
    cores: Annotated[str, typer.Option(metavar="M,M,...", help="Cores to make a forecast for.")] = "16,100,1000",
    shared: Annotated[
        bool,
        typer.Option("--shared", help="Forecast from CPU seconds: the machine has other work."),
    ] = False,
    config: options.Config = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Ingest some files with several numbers of workers, and foresee what many files will take.

    Stores are written, validated and removed. Files that would be rejected are left out.
    """
    counts, wanted = _numbers(workers, "--workers"), _numbers(cores, "--cores")
    from spectral_zarr.cluster import PaceRequest, measure_pace
    from spectral_zarr.cluster.workers import available_cores
    from spectral_zarr.config import load_config
    from spectral_zarr.plan.pace import forecast, half_idle, undisturbed

    if not counts:
        most = available_cores()
        counts = tuple(sorted({most, *(2**power for power in range(most.bit_length()))}))
    request = PaceRequest(tuple(sources), str(path), counts, limit, load_config(config))
    with watching(quiet=quiet) as observer:
        runs = measure_pace(request, observer)
    basis = tuple(map(undisturbed, runs)) if shared else runs
    forecasts = [forecast(basis, for_files, number) for number in sorted({*counts, *wanted})]
    idle = half_idle(basis, for_files)
    if as_json:
        print_json(_json(runs, forecasts, idle))
        return
    _show(runs, forecasts, idle, path)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    words = [word for word in text.split(",") if word.strip()]
    if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise UsageError(f"{option} takes numbers such as 1,2,4 and not '{text}'")
    return tuple(sorted({int(word) for word in words}))


def _show(runs: tuple[IngestRun, ...], forecasts: list[PaceForecast], idle: int, path: Path) -> None:
    from spectral_zarr.model.pace import PHASES
    from spectral_zarr.plan.pace import efficiency

    first = runs[0]
    subject = f"{first.n_files:,} files, {size(first.source_bytes)}, {first.n_spectra:,} spectra, to {path}"
    report.heading("measured", subject, "removed again")
    heads = [head for run in runs for head in (f"cpu, {run.workers} w", f"wall, {run.workers} w")]
    made = report.table("phase", *heads, right=heads, keep=("phase",))
    for place, phase in enumerate(PHASES):
        costs = [run.phases[place] for run in runs]
        cells = [
            1e3 * seconds / run.n_spectra
            for run, cost in zip(runs, costs, strict=True)
            for seconds in (cost.cpu_seconds, cost.seconds)
        ]
        report.row(made, phase, *(f"{cell:.3g}" for cell in cells))
    totals = [1e3 * seconds / run.n_spectra for run in runs for seconds in (run.cpu_seconds, run.seconds)]
    report.row(made, "all", *(f"{cell:.3g}" for cell in totals), style="bold")
    results().print(made)
    results().print("\n  Milliseconds per spectrum with 1, 2, ... workers (w).", style="dim")
    report.facts(
        [(f"{run.workers} workers", f"each keeps {efficiency(runs, run):.0%} of its pace") for run in runs[1:]]
    )
    report.heading("forecast", f"{forecasts[0].n_files:,} files")
    columns = ("cores", "time", "driver alone", "cpu hours", "store", "files move", "hangs on")
    made = report.table(*columns, right=columns[:-1])
    for one in forecasts:
        cells_of = (
            *(duration(one.seconds), duration(one.alone_seconds), f"{one.cpu_seconds / 3600:.3g}"),
            *(size(one.store_bytes), f"{size(one.bytes_per_second)}/s", LIMITS[one.limit]),
        )
        report.row(made, f"{one.cores:,}", *cells_of)
    results().print(made)
    idle_words = f"From about {idle:,} cores on, they are idle for more than half of the time."
    results().print(f"\n  {forecasts[0].n_tasks:,} tasks. {idle_words}", style="dim")
    results().print("\n  This assumes, for the most cores:", style="dim")
    for assumption in max(forecasts, key=lambda one: one.cores).assumptions:
        results().print(f"  - {assumption}", soft_wrap=True)
    results().print()


def _json(runs: tuple[IngestRun, ...], forecasts: list[PaceForecast], idle: int) -> dict[str, Any]:
    from spectral_zarr.plan.pace import efficiency

    return {
        "runs": [
            {
                "workers": run.workers,
                "files": run.n_files,
                "spectra": run.n_spectra,
                "source_bytes": run.source_bytes,
                "store_bytes": run.store_bytes,
                "cache": run.cache,
                "efficiency": efficiency(runs, run),
                "fixed": {"seconds": run.fixed.seconds, "cpu_seconds": run.fixed.cpu_seconds},
                "phases": {
                    cost.phase: {"seconds": cost.seconds, "cpu_seconds": cost.cpu_seconds} for cost in run.phases
                },
            }
            for run in runs
        ],
        "forecasts": [
            {
                "files": one.n_files,
                "cores": one.cores,
                "seconds": one.seconds,
                "cpu_seconds": one.cpu_seconds,
                "store_bytes": one.store_bytes,
                "alone_seconds": one.alone_seconds,
                "tasks": one.n_tasks,
                "limit": one.limit,
                "bytes_per_second": one.bytes_per_second,
                "assumptions": list(one.assumptions),
            }
            for one in forecasts
        ],
        "half_idle_cores": idle,
    }

"""``spectral-zarr ingest``: all phases of a build, or only its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.asked import asked_config, sources_and_target
from spectral_zarr.cli.launch import asked_launch
from spectral_zarr.cli.plan import show_plan
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import duration, print_json, results, size

if TYPE_CHECKING:
    from spectral_zarr.cluster import Outcome


def ingest(
    paths: options.SourcesAndTarget,
    config: options.Config = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Read the sources, print the plan, write nothing.")
    ] = False,
    cluster: options.IngestCluster = "local",
    workers: options.Workers = 0,
    profile: options.Profile = None,
    run_directory: options.RunDirectory = None,
    dashboard: options.Dashboard = False,
    insecure: options.Insecure = False,
    max_rejected: options.MaxRejected = "0",
    catalog: options.Catalog = "",
    catalog_key: options.CatalogKey = "",
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted ingest.")] = False,
    replace_store: Annotated[
        bool, typer.Option("--replace", help="Put the new store in the place of an existing one, when it is complete.")
    ] = False,
    limit: options.Limit = 0,
    task_minutes: Annotated[
        float, typer.Option(min=0.01, metavar="MINUTES", help="Time after which a task that hangs is given up.")
    ] = 10.0,
    drain: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Time that running tasks get to finish after SIGTERM or Ctrl-C."),
    ] = 60.0,
    zarr_format: options.ZarrFormat = None,
    quiet: options.Silent = False,
    as_json: options.Json = False,
) -> None:
    """Turn FITS spectra into one Zarr store.

    The store appears under its name only when it is complete and every check has passed.
    """
    sources, target = sources_and_target(paths)
    from spectral_zarr.cluster import DeferredExecutor, IngestRequest, Patience
    from spectral_zarr.cluster import ingest as run_ingest
    from spectral_zarr.config import Tolerance

    request = IngestRequest(
        sources=sources,
        target=target,
        config=asked_config(config, zarr_format, catalog, catalog_key),
        tolerance=Tolerance.parse(max_rejected),
        resume=resume,
        replace=replace_store,
        limit=limit,
        patience=Patience(task_minutes, drain),
    )
    launch = asked_launch(
        cluster, target, profile, run_directory, insecure=insecure, dashboard=dashboard, dry_run=dry_run
    )
    if dry_run:
        show_plan(request, cluster, workers, launch, quiet=quiet, as_json=as_json)
        return
    with watching(quiet=quiet) as observer, DeferredExecutor(cluster, workers, observer.note, launch) as executor:
        outcome = run_ingest(request, executor, observer)
    show_published(outcome, target, quiet=quiet, as_json=as_json)


def show_published(outcome: Outcome, target: str, *, quiet: bool, as_json: bool, whole: bool = True) -> None:
    """Say what was published, and how fast when the `whole` build ran in this process."""
    from spectral_zarr.store.paths import BuildPaths

    plan = outcome.plan
    listing = str(BuildPaths.of(target).rejections)
    rate = plan.n_spec / max(outcome.seconds, 1e-3)
    if as_json:
        print_json(
            {
                "path": outcome.target,
                "rows": plan.n_spec,
                "n_pix": plan.n_pix,
                "wavelength": plan.wavelength.kind,
                "medium": plan.wavelength.medium,
                "flux_unit": plan.flux_unit,
                "readers": plan.readers,
                "catalogue": report.catalogue_json(plan),
                **report.rejected_json(outcome.rejections),
                "rejections_file": listing,
                "warnings": outcome.warnings,
                "notes": report.noted_json(plan.notes),
                "source_files": plan.n_input_files,
                "source_bytes": outcome.source_bytes,
                "store_files": outcome.store_files,
                "store_bytes": outcome.store_bytes,
                "seconds": round(outcome.seconds, 3),
                **({"spectra_per_second": round(rate, 1)} if whole else {}),
            }
        )
        return
    if quiet:
        report.tell_rejected(outcome.rejections, listing)
        return
    report.heading("published", target)
    entries = [
        ("rows", f"{plan.n_spec:,}, each {plan.n_pix:,} pixels"),
        ("wavelength", f"{report.wavelength_words(plan.wavelength.kind)}, {plan.wavelength.medium}"),
        ("flux", plan.flux_unit),
        *([("catalogue", report.catalogue(plan))] if plan.catalog is not None else []),
        *report.rejected_entries(outcome.rejections),
        *([("", f"listed in {listing}")] if outcome.rejections else []),
        *report.noted_entries(plan.notes),
        ("read", f"{size(outcome.source_bytes)} in {report.files(plan.n_input_files)}"),
        ("written", f"{size(outcome.store_bytes)} in {report.files(outcome.store_files)}"),
        ("time", duration(outcome.seconds) + (f", {rate:,.0f} spectra per second" if whole else "")),
        *([("warnings", f"{outcome.warnings}, see 'spectral-zarr validate'")] if outcome.warnings else []),
        ("path", outcome.target),
    ]
    report.facts(entries)
    if outcome.rejections:
        results().print()
        report.rejections(outcome.rejections)
    results().print()

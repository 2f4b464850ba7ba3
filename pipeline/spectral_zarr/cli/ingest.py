"""``spectral-zarr ingest``: all phases of a build, or only its plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.plan import show_plan
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import duration, print_json, results, size
from spectral_zarr.errors import UsageError

if TYPE_CHECKING:
    from spectral_zarr.cluster import IngestRequest, Outcome
    from spectral_zarr.config import Config


def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES... OUT.zarr",
            help="Files, directories, quoted patterns or @list.txt; last, the store to make.",
            show_default=False,
        ),
    ],
    config: options.Config = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Read the sources, print the plan, write nothing.")
    ] = False,
    cluster: options.LocalCluster = "local",
    workers: options.Workers = 0,
    max_rejected: Annotated[
        str, typer.Option(metavar="N|P%", help="Rejections to accept: a number such as 5, or a share such as 2%.")
    ] = "0",
    catalog: Annotated[
        str, typer.Option(metavar="TABLE", help="Stellar parameters to join: FITS, Parquet, CSV or VOTable.")
    ] = "",
    catalog_key: Annotated[
        str,
        typer.Option(
            metavar="COLUMN[=FIELD]",
            help="Column of the catalogue that identifies the spectra, and the metadata field that it equals.",
        ),
    ] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted ingest.")] = False,
    replace_store: Annotated[
        bool, typer.Option("--replace", help="Put the new store in the place of an existing one, when it is complete.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Only the first N files; 0 for all.")] = 0,
    task_minutes: Annotated[
        float, typer.Option(min=0.01, metavar="MINUTES", help="Time after which a task that hangs is given up.")
    ] = 10.0,
    drain: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Time that running tasks get to finish after SIGTERM or Ctrl-C."),
    ] = 60.0,
    zarr_format: Annotated[
        int | None, typer.Option(min=2, max=3, metavar="2|3", help="Zarr format; 3, or what the configuration says.")
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Turn FITS spectra into one Zarr store.

    The store appears under its name only when it is complete and every check has passed.
    """
    if len(paths) < 2:
        raise UsageError("name the sources first and the store to make last, for example: ingest spectra/ out.zarr")
    from spectral_zarr.cluster import DeferredExecutor, IngestRequest, Patience
    from spectral_zarr.cluster import ingest as run_ingest
    from spectral_zarr.config import Tolerance, load_config

    request = IngestRequest(
        sources=tuple(paths[:-1]),
        target=paths[-1],
        config=_with_catalog(_with_format(load_config(config), zarr_format), catalog, catalog_key),
        tolerance=Tolerance.parse(max_rejected),
        resume=resume,
        replace=replace_store,
        limit=limit,
        patience=Patience(task_minutes, drain),
    )
    if dry_run:
        show_plan(request, cluster, workers, quiet=quiet, as_json=as_json)
        return
    with watching(quiet=quiet) as observer, DeferredExecutor(cluster, workers, observer.note) as executor:
        outcome = run_ingest(request, executor, observer)
    _show(outcome, request, as_json=as_json)


def _with_format(config: Config, zarr_format: int | None) -> Config:
    if zarr_format is None:
        return config
    return replace(config, store=replace(config.store, zarr_format=cast(Literal[2, 3], zarr_format)))


def _with_catalog(config: Config, file: str, key: str) -> Config:
    known = config.catalog
    if key and not (file or known.file):
        raise UsageError("--catalog-key names a column of a catalogue; name the catalogue with --catalog")
    column, _, field = key.partition("=")
    joined = replace(known, file=file or known.file, key=column or known.key, field=field or known.field)
    return replace(config, catalog=joined)


def _show(outcome: Outcome, request: IngestRequest, *, as_json: bool) -> None:
    from spectral_zarr.store.paths import BuildPaths

    plan = outcome.plan
    listing = str(BuildPaths.of(request.target).rejections)
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
                "rejected": len(outcome.rejections),
                "rejections": report.rejections_json(outcome.rejections),
                "rejections_file": listing,
                "warnings": outcome.warnings,
                "source_files": plan.n_input_files,
                "source_bytes": outcome.source_bytes,
                "store_files": outcome.store_files,
                "store_bytes": outcome.store_bytes,
                "seconds": round(outcome.seconds, 3),
                "spectra_per_second": round(rate, 1),
            }
        )
        return
    report.heading("published", request.target)
    entries = [
        ("rows", f"{plan.n_spec:,}, each {plan.n_pix:,} pixels"),
        ("wavelength", f"{report.wavelength_words(plan.wavelength.kind)}, {plan.wavelength.medium}"),
        ("flux", plan.flux_unit),
        *([("catalogue", report.catalogue(plan))] if plan.catalog is not None else []),
        ("rejected", report.rejected(outcome.rejections)),
        *([("", f"listed in {listing}")] if outcome.rejections else []),
        ("read", f"{size(outcome.source_bytes)} in {report.files(plan.n_input_files)}"),
        ("written", f"{size(outcome.store_bytes)} in {report.files(outcome.store_files)}"),
        ("time", f"{duration(outcome.seconds)}, {rate:,.0f} spectra per second"),
        *([("warnings", f"{outcome.warnings}, see 'spectral-zarr validate'")] if outcome.warnings else []),
        ("path", outcome.target),
    ]
    report.facts(entries)
    if outcome.rejections:
        results().print()
        report.rejections(outcome.rejections)
    results().print()

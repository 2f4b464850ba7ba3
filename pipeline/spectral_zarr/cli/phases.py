"""``spectral-zarr stage``, ``plan``, ``fill`` and ``finalise``: the phases alone, for job arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.asked import asked_config, sources_and_target
from spectral_zarr.cli.ingest import show_published
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import counted, print_json, results, size
from spectral_zarr.errors import UsageError

if TYPE_CHECKING:
    from spectral_zarr.model import Part


def stage(
    paths: options.SourcesAndTarget,
    part: options.Part,
    config: options.Config = None,
    catalog: options.Catalog = "",
    catalog_key: options.CatalogKey = "",
    replace_store: Annotated[
        bool, typer.Option("--replace", help="Begin although the store exists; finalise --replace replaces it.")
    ] = False,
    limit: options.Limit = 0,
    zarr_format: options.ZarrFormat = None,
    quiet: options.Silent = False,
    as_json: options.Json = False,
) -> None:
    """Read one part of the sources, as one process of several (phase 1 of 4).

    The first part to come begins the build; all parts name the same sources and options. What is staged is not read
    again when the same part runs again.
    """
    from spectral_zarr.cluster import IngestRequest, stage_part

    sources, target = sources_and_target(paths)
    asked = asked_config(config, zarr_format, catalog, catalog_key)
    request = IngestRequest(sources=sources, target=target, config=asked, replace=replace_store, limit=limit)
    with watching(quiet=quiet) as observer:
        done = stage_part(request, _part(part), observer)
    if as_json:
        rejections = report.rejections_json(done.rejections)
        print_json(
            {
                "part": part,
                "batches": done.n_batches,
                "of_batches": done.of_batches,
                "files": done.n_files,
                "spectra": done.n_spectra,
                "rejections": rejections,
            }
        )
        return
    if quiet:
        report.tell_rejected(done.rejections)
        return
    report.heading("staged", target, f"part {part}")
    report.facts(
        [
            ("batches", f"{done.n_batches:,} of {done.of_batches:,}, {report.files(done.n_files)}"),
            ("spectra", f"{done.n_spectra:,}"),
            *report.rejected_entries(done.rejections),
        ]
    )
    results().print()


def plan(
    target: options.Target,
    max_rejected: options.MaxRejected = "0",
    quiet: options.Silent = False,
    as_json: options.Json = False,
) -> None:
    """Decide the layout of the store when all parts are staged (phase 2 of 4)."""
    from spectral_zarr.cluster import plan_parts
    from spectral_zarr.config import Tolerance

    tolerance = Tolerance.parse(max_rejected)
    with watching(quiet=quiet) as observer:
        found = plan_parts(target, tolerance, observer)
    made = found.plan
    if as_json:
        print_json(
            {
                "path": target,
                "rows": made.n_spec,
                "n_pix": made.n_pix,
                "blocks": made.n_blocks,
                "rejections": report.rejections_json(found.rejections),
                "memory_per_worker": made.memory.worker,
                "plan": made.sha256,
            }
        )
        return
    if quiet:
        report.tell_rejected(found.rejections)
        return
    report.heading("planned", target)
    report.facts(
        [
            ("rows", f"{made.n_spec:,}, each {made.n_pix:,} pixels"),
            ("to fill", counted(made.n_blocks, "row block")),
            ("memory", f"{size(made.memory.worker)} for each part"),
            *report.rejected_entries(found.rejections),
        ]
    )
    results().print()


def fill(
    target: options.Target,
    part: options.Part,
    quiet: options.Silent = False,
    as_json: options.Json = False,
) -> None:
    """Write one part of the row blocks, as one process of several (phase 3 of 4)."""
    from spectral_zarr.cluster import fill_part

    with watching(quiet=quiet) as observer:
        done = fill_part(target, _part(part), observer)
    if as_json:
        print_json({"part": part, "blocks": done.n_blocks, "of_blocks": done.of_blocks, "rows": done.n_rows})
        return
    if quiet:
        return
    report.heading("filled", target, f"part {part}")
    report.facts([("blocks", f"{done.n_blocks:,} of {done.of_blocks:,}, {counted(done.n_rows, 'row')}")])
    results().print()


def finalise(
    target: options.Target,
    replace_store: Annotated[bool, typer.Option("--replace", help="Replace an existing store, in one step.")] = False,
    workers: options.Workers = 0,
    quiet: options.Silent = False,
    as_json: options.Json = False,
) -> None:
    """Complete the store when all parts are filled, check every row, and publish it (phase 4 of 4)."""
    from spectral_zarr.cluster import finalise_parts

    with watching(quiet=quiet) as observer:
        outcome = finalise_parts(target, replacing=replace_store, workers=workers, observer=observer)
    show_published(outcome, target, quiet=quiet, as_json=as_json, whole=False)


def _part(text: str) -> Part:
    from spectral_zarr.model import Part

    try:
        return Part.parse(text)
    except ValueError as error:
        raise UsageError(f"--part takes a number and how many parts there are, such as 2/16: {error}") from error

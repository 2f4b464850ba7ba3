"""``ingest --dry-run``: the plan in words and numbers."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectral_zarr.cli import report
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import counted, listed, print_json, results, size
from spectral_zarr.errors import TooManyRejections

if TYPE_CHECKING:
    from spectral_zarr.cluster import IngestRequest, PlanPreview
    from spectral_zarr.cluster.launch import Launch
    from spectral_zarr.model import BuildPlan

_WHY = {
    "identical": "every spectrum has the same grid",
    "lattice": "every spectrum is a slice of one fixed lattice, so rows are aligned and padded with NaN",
    "ragged": "the grids differ, so each row has its own wavelengths, padded with NaN at its end",
}


def show_plan(
    request: IngestRequest, cluster: str, workers: int, launch: Launch | None = None, *, quiet: bool, as_json: bool
) -> None:
    """Survey the sources and print what an ingest would do; nothing is written.

    Raises
    ------
    SpectralZarrError
        What would end the ingest; what can be planned is printed before.
    """
    from spectral_zarr.cluster import DeferredExecutor, preview
    from spectral_zarr.model import counting
    from spectral_zarr.store.fsops import free_bytes

    with watching(quiet=quiet) as observer, DeferredExecutor(cluster, workers, observer.note, launch) as executor:
        found = preview(request, executor, observer)
    target = Path(request.target).absolute()
    free = free_bytes(target.parent)
    if as_json:
        print_json(_as_json(request, found, free))
    else:
        _print(request, found, free)
    rejected = len(counting(found.rejections))
    total = found.plan.n_spec + rejected
    if not request.tolerance.allows(rejected=rejected, total=total):
        message = (
            f"{rejected} of {total} would be rejected and the ingest would stop; leave them out, "
            f"or allow them with --max-rejected {rejected}"
        )
        raise TooManyRejections(message, path=request.target)
    if found.refusal is not None:
        raise found.refusal


def _print(request: IngestRequest, found: PlanPreview, free: int) -> None:
    plan = found.plan
    grid = plan.wavelength.grid
    extent = f", {report.angstroms(grid.wave_min, grid.wave_max)}" if grid is not None else ""
    report.heading("plan", request.target, "nothing was written", style="cyan")
    report.facts(
        [
            ("rows", f"{plan.n_spec:,} from {report.files(plan.n_input_files)}, {size(found.source_bytes)}"),
            ("pixels", f"{plan.n_pix:,}{extent}, {plan.wavelength.medium}"),
            ("wavelength", f"{report.wavelength_words(plan.wavelength.kind)}: {_WHY[plan.wavelength.kind]}"),
            ("flux", plan.flux_unit),
            ("readers", listed(plan.readers)),
            *report.rejected_entries(found.rejections),
            *report.noted_entries(plan.notes),
            *([("catalogue", report.catalogue(plan))] if plan.catalog is not None else []),
            ("parameters", listed(plan.params, most=60) or "none"),
            ("chunks", f"{plan.chunk_rows:,} rows by {plan.chunk_columns:,} pixels, {size(_chunk_bytes(plan))}"),
            ("tasks", f"{found.n_batches:,} to stage, {plan.n_blocks:,} to fill"),
            ("memory", f"{size(plan.memory.worker)} for each worker"),
            ("on disk", f"{plan.n_files:,} files, Zarr format {plan.zarr_format}; {size(free)} free"),
        ]
    )
    results().print()
    made = report.table("array", "shape", "type", "before compression", right=("before compression",), keep=("shape",))
    total = 0
    for entry in _arrays(plan):
        total += entry["bytes"] or 0
        amount = size(entry["bytes"]) if entry["holds_data"] else "no data, no files"
        report.row(made, entry["array"], _times(entry["shape"]), entry["type"], amount)
    made.add_section()
    report.row(made, "all", "", "", size(total), style="bold")
    results().print(made)
    results().print()
    if found.rejections:
        report.rejections(found.rejections)
        results().print()


def _chunk_bytes(plan: BuildPlan) -> int:
    return plan.chunk_rows * plan.chunk_columns * 4


def _times(shape: list[int]) -> str:
    return " x ".join(f"{n:,}" for n in shape)


def _arrays(plan: BuildPlan) -> list[dict[str, Any]]:
    """Every spectral array, then the (N_spec,) arrays group by group; text is counted with its pointers' size."""
    from spectral_zarr.store.arrays import array_specs

    spectral: list[dict[str, Any]] = []
    columns: dict[tuple[str, str], list[int]] = {}
    for spec in array_specs(plan):
        kind, group = spec.kind, spec.path.split("/")[0]
        named = spec.path in plan.arrays or len(kind.shape) == 2 or group == "signal"
        if not named:
            columns.setdefault((group, "text" if kind.dtype == "text" else "numbers"), []).append(_itemsize(kind.dtype))
            continue
        holds_data = spec.path in plan.arrays or len(kind.shape) == 1
        spectral.append(
            {
                "array": spec.path,
                "shape": list(kind.shape),
                "type": f"float{8 * _itemsize(kind.dtype)}",
                "bytes": prod(kind.shape) * _itemsize(kind.dtype) if holds_data else 0,
                "holds_data": holds_data,
            }
        )
    for (group, kind_of_columns), sizes in sorted(columns.items()):
        spectral.append(
            {
                "array": f"{group}/ ({counted(len(sizes), 'array')})",
                "shape": [plan.n_spec],
                "type": kind_of_columns,
                "bytes": plan.n_spec * sum(sizes),
                "holds_data": True,
            }
        )
    return spectral


TEXT_BYTES = 16
"""Typical bytes of a short text and its length."""


def _itemsize(dtype: str) -> int:
    return TEXT_BYTES if dtype == "text" else int(dtype[-1])


def _as_json(request: IngestRequest, found: PlanPreview, free: int) -> dict[str, Any]:
    plan, arrays = found.plan, _arrays(found.plan)
    return {
        "target": request.target,
        "rows": plan.n_spec,
        "n_pix": plan.n_pix,
        "source_files": plan.n_input_files,
        "source_bytes": found.source_bytes,
        "wavelength": plan.wavelength.kind,
        "medium": plan.wavelength.medium,
        "flux_unit": plan.flux_unit,
        "readers": plan.readers,
        "params": plan.params,
        "catalogue": report.catalogue_json(plan),
        **report.rejected_json(found.rejections),
        "notes": report.noted_json(plan.notes),
        "chunk": [plan.chunk_rows, plan.chunk_columns],
        "stage_tasks": found.n_batches,
        "fill_tasks": plan.n_blocks,
        "memory_per_worker": plan.memory.worker,
        "store_files": plan.n_files,
        "zarr_format": plan.zarr_format,
        "free_bytes": free,
        "arrays": arrays,
        "logical_bytes": sum(entry["bytes"] for entry in arrays),
    }

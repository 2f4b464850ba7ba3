"""Which staged spectrum fills which row of the store, for one row block."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from spectral_zarr.errors import DamagedBuild
from spectral_zarr.model import BatchRows, BuildPlan, Grid
from spectral_zarr.plan.planner import grid_of
from spectral_zarr.store.arrow import numbers
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record
from spectral_zarr.store.staging import read_columns

_GRID_COLUMNS = (
    *("grid_scale", "grid_start", "grid_step", "grid_first", "grid_digest", "n_pix", "wave_min", "wave_max"),
)


@dataclass(frozen=True, slots=True)
class StagedRow:
    """One row of the store and where its pixels are staged.

    Attributes
    ----------
    row : int
        Row of the store.
    batch, staged : int
        Batch and row within it.
    offset : int
        Column of the first pixel.
    grid : Grid
        Grid of the spectrum.
    grid_row : int
        Staged row of the same batch that holds the values of an explicit grid.
    """

    row: int
    batch: int
    staged: int
    offset: int
    grid: Grid
    grid_row: int


@lru_cache(maxsize=2)
def _load_plan(path: Path, sha256: str) -> BuildPlan:
    plan = read_record(path, BuildPlan)
    if plan.sha256 != sha256:
        raise DamagedBuild("the plan on disk is another one; start anew", path=str(path))
    return plan


def load_plan(target: str, sha256: str) -> BuildPlan:
    """The frozen plan of a build, cached in the worker."""
    return _load_plan(BuildPaths.of(target).plan, sha256)


def batches_of(plan: BuildPlan, rows: range) -> tuple[BatchRows, ...]:
    """The staged batches that hold rows of a range."""
    # There are thousands of both, so that not every batch is asked about every block.
    first = bisect_right(plan.batches, rows.start, key=_first_row) - 1
    last = bisect_left(plan.batches, rows.stop, key=_first_row)
    return tuple(b for b in plan.batches[max(first, 0) : last] if b.n_rows and b.first_row + b.n_rows > rows.start)


def _first_row(batch: BatchRows) -> int:
    return batch.first_row


def kept_rows(batch: BatchRows) -> list[int]:
    """Staged rows of a batch that are published, in order."""
    excluded = set(batch.excluded)
    return [row for row in range(batch.n_staged) if row not in excluded]


def published(table: pa.Table, batch: BatchRows) -> pa.Table:
    """Those rows of a staged table that are published, in order."""
    return table.take(numbers(np.array(kept_rows(batch), np.int64))) if batch.excluded else table


def place_rows(paths: BuildPaths, plan: BuildPlan, batches: tuple[BatchRows, ...], rows: range) -> Iterator[StagedRow]:
    """Rows of the store within `rows`, in order."""
    common = plan.wavelength.grid
    for batch in batches:
        columns = read_columns(paths.staged_columns(batch.batch), _GRID_COLUMNS).to_pydict()
        holder: dict[str, int] = {}
        for staged, digest in enumerate(columns["grid_digest"]):
            holder.setdefault(digest, staged)
        for row, staged in enumerate(kept_rows(batch), start=batch.first_row):
            if row in rows:
                grid = grid_of(columns, staged)
                lattice = plan.wavelength.kind == "lattice" and common is not None and common.first is not None
                offset = (grid.first or 0) - (common.first or 0) if lattice and common is not None else 0
                yield StagedRow(row, batch.batch, staged, offset, grid, holder[grid.digest])

"""The finalise phase: the (N_spec,) arrays and the index, from the staged columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from spectral_zarr.contract import schema
from spectral_zarr.model import BlockReceipt, BuildPlan, ChunkReceipt
from spectral_zarr.store.arrays import column_specs
from spectral_zarr.store.arrow import numbers, texts
from spectral_zarr.store.calls import Step, reached
from spectral_zarr.store.columns import IndexWriter, write_column_chunk, write_wavelength
from spectral_zarr.store.fsops import sync_directory
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import write_record
from spectral_zarr.store.staging import StagedPixels, read_columns
from spectral_zarr.tasks.catalog import joined, staged_column
from spectral_zarr.tasks.placement import kept_rows, load_plan, place_rows
from spectral_zarr.tasks.rows import PARAM_PREFIX, header_column
from spectral_zarr.tasks.stopwatch import Stopwatch

COLUMNS_BLOCK = -1
"""Block number of the receipt of the (N_spec,) arrays."""


def write_columns(target: str, plan_sha256: str, documents: tuple[ChunkReceipt, ...]) -> BlockReceipt:
    """Write every (N_spec,) array, the common wavelength and ``index.parquet``.

    Parameters
    ----------
    target : str
        Path of the store to be published.
    plan_sha256 : str
        Digest of the plan.
    documents : tuple of ChunkReceipt
        Receipts of the metadata documents.

    Returns
    -------
    BlockReceipt
        Size and CRC-32C of every chunk, every document and the index; also on disk.
    """
    watch = Stopwatch()
    paths = BuildPaths.of(target)
    plan = load_plan(target, plan_sha256)
    specs = column_specs(plan)
    sources = _staged_names(plan)
    receipts = list(documents)
    with IndexWriter(paths.tmp, plan.params) as index:
        for block, table in enumerate(_long_blocks(paths, plan)):
            receipts += [write_column_chunk(paths.tmp, spec, block, table[sources[spec.path]]) for spec in specs]
            index.add(table.rename_columns([name.removeprefix(PARAM_PREFIX) for name in table.column_names]))
        if plan.wavelength.kind != "ragged":
            receipts.append(_write_grid(paths, plan))
        reached(Step.COLUMNS_WRITTEN)
    receipts.append(index.receipt)
    reached(Step.INDEX_WRITTEN)
    receipt = BlockReceipt(COLUMNS_BLOCK, plan.sha256, tuple(receipts), watch.stop())
    write_record(paths.columns_receipt, receipt)
    sync_directory(paths.receipts)
    return receipt


def _staged_names(plan: BuildPlan) -> dict[str, str]:
    names = {schema.METHOD: "continuum_method"}
    names |= {f"metadata/{field.name}": field.name for field in schema.METADATA}
    names |= {f"metadata/{name}": header_column(key) for key, name in plan.header}
    return names | {f"params/{name}": PARAM_PREFIX + name for name in plan.params}


def _long_blocks(paths: BuildPaths, plan: BuildPlan) -> Iterator[pa.Table]:
    wanted = [*_staged_names(plan).values(), "grid_first"]
    join = _join(paths, plan)
    pending: list[pa.Table] = []
    rows = 0
    for batch in plan.batches:
        if batch.n_rows == 0:
            continue
        table = read_columns(paths.staged / f"{batch.batch:06d}.columns.arrow", wanted)
        if batch.excluded:
            table = table.take(numbers(np.array(kept_rows(batch), np.int64)))
        pending.append(join(_complete(table, wanted, plan)))
        rows += table.num_rows
        while rows >= schema.ARRAYS_1D_CHUNK:
            whole = pa.concat_tables(pending)
            yield whole.slice(0, schema.ARRAYS_1D_CHUNK)
            pending = [whole.slice(schema.ARRAYS_1D_CHUNK)]
            rows -= schema.ARRAYS_1D_CHUNK
    if rows:
        yield pa.concat_tables(pending)


def _join(paths: BuildPaths, plan: BuildPlan) -> Callable[[pa.Table], pa.Table]:
    catalog = plan.catalog
    if catalog is None:
        return lambda table: table
    kept, column = read_columns(paths.catalog), staged_column(catalog.field, plan.header)
    return lambda table: joined(table, catalog, kept, column)


def _complete(table: pa.Table, wanted: list[str], plan: BuildPlan) -> pa.Table:
    present = set(table.column_names)
    n = table.num_rows
    columns = {
        name: table[name]
        if name in present
        else (numbers(np.full(n, np.nan)) if name.startswith(PARAM_PREFIX) else texts([""] * n))
        for name in wanted
    }
    grid = plan.wavelength.grid
    if plan.wavelength.kind == "lattice" and grid is not None and grid.first is not None:
        first = grid.first
        columns["pix_offset"] = numbers(np.array([k - first for k in table["grid_first"].to_pylist()], np.int32))
    del columns["grid_first"]
    return pa.table(columns)


def _write_grid(paths: BuildPaths, plan: BuildPlan) -> ChunkReceipt:
    grid = plan.wavelength.grid
    assert grid is not None
    if grid.scale != "explicit":
        return write_wavelength(paths.tmp, grid.wavelength(), plan)
    values = np.empty(grid.n_pix)
    first = next(b for b in plan.batches if b.n_rows)
    place = next(place_rows(paths, plan, (first,), range(1)))
    pixels = StagedPixels(paths.staged / f"{first.batch:06d}.pixels.arrow")
    try:
        pixels.read_into("wavelength", place.grid_row, values)
    finally:
        pixels.close()
    return write_wavelength(paths.tmp, values, plan)

"""The finalise phase: the (N_spec,) arrays and the index, from the staged columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from spectral_zarr.contract import schema
from spectral_zarr.model import BatchRows, BlockReceipt, BuildPlan, ChunkReceipt
from spectral_zarr.store.arrays import column_specs
from spectral_zarr.store.arrow import numbers, texts, unmapped
from spectral_zarr.store.calls import Step, reached
from spectral_zarr.store.columns import ROW_GROUP, ColumnChunk, IndexWriter, write_wavelength
from spectral_zarr.store.create import ArraySpec
from spectral_zarr.store.fsops import sync_directory
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import write_record
from spectral_zarr.store.staging import MappedColumns, StagedPixels, read_columns
from spectral_zarr.tasks.memory import give_back
from spectral_zarr.tasks.placement import load_plan, place_rows, published
from spectral_zarr.tasks.rows import PARAM_PREFIX, header_column
from spectral_zarr.tasks.stopwatch import Stopwatch

COLUMNS_BLOCK = -1
"""Block number of the receipt of the (N_spec,) arrays."""

CELLS_AT_ONCE = 4 * schema.ARRAYS_1D_CHUNK
"""Cells of (N_spec,) arrays that are packed together: all columns of a long chunk take hundreds of megabytes."""

MOST_MAPPED = 100
"""Batches that stay mapped while groups of their columns are packed: each has a descriptor."""

Pieces = list[tuple[BatchRows, range]]
"""Batches and which of their published rows, counted within the batch."""


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
    give_back()
    paths = BuildPaths.of(target)
    plan = load_plan(target, plan_sha256)
    specs = column_specs(plan)
    columns = _StagedColumns(paths, plan)
    receipts = list(documents)
    with IndexWriter(paths.tmp, plan.params) as index:
        for block, pieces in enumerate(_blocks(plan, schema.ARRAYS_1D_CHUNK)):
            at_once = CELLS_AT_ONCE // sum(len(rows) for _, rows in pieces)
            for first in range(0, len(specs), at_once):
                receipts += _write_group(paths, columns, specs[first : first + at_once], block, pieces)
        for pieces in _blocks(plan, ROW_GROUP):
            _add_to_index(index, columns, pieces)
        if plan.wavelength.kind != "ragged":
            receipts.append(_write_grid(paths, plan))
        reached(Step.COLUMNS_WRITTEN)
    receipts.append(index.receipt)
    reached(Step.INDEX_WRITTEN)
    receipt = BlockReceipt(COLUMNS_BLOCK, plan.sha256, tuple(receipts), watch.stop())
    write_record(paths.columns_receipt, receipt)
    sync_directory(paths.receipts)
    give_back()
    return receipt


def _write_group(
    paths: BuildPaths, columns: _StagedColumns, group: tuple[ArraySpec, ...], block: int, pieces: Pieces
) -> list[ChunkReceipt]:
    chunks = [(columns.names[spec.path], ColumnChunk(spec, block)) for spec in group]
    for table in columns.tables([name for name, _ in chunks], pieces):
        for name, chunk in chunks:
            chunk.add(table[name])
    return [chunk.write(paths.tmp) for _, chunk in chunks]


def _add_to_index(index: IndexWriter, columns: _StagedColumns, pieces: Pieces) -> None:
    table = pa.concat_tables([unmapped(piece) for piece in columns.tables(columns.index_names, pieces)])
    index.add(table.rename_columns([name.removeprefix(PARAM_PREFIX) for name in table.column_names]))


def _blocks(plan: BuildPlan, length: int) -> Iterator[Pieces]:
    """The pieces of each block of so many rows."""
    pieces: Pieces = []
    room = length
    for batch in plan.batches:
        start = 0
        while start < batch.n_rows:
            stop = min(batch.n_rows, start + room)
            pieces.append((batch, range(start, stop)))
            room -= stop - start
            start = stop
            if room == 0:
                yield pieces
                pieces, room = [], length
    if pieces:
        yield pieces


class _StagedColumns:
    """Columns of the staged batches as they are published: without duplicates, with the parameters of a catalogue.

    Attributes
    ----------
    names : dict of str to str
        Staged column of each (N_spec,) array, by its path.
    """

    def __init__(self, paths: BuildPaths, plan: BuildPlan) -> None:
        self._paths = paths
        self._plan = plan
        self.names = {schema.METHOD: "continuum_method"}
        self.names |= {f"metadata/{field.name}": field.name for field in schema.METADATA}
        self.names |= {f"metadata/{name}": header_column(key) for key, name in plan.header}
        self.names |= {f"params/{name}": PARAM_PREFIX + name for name in plan.params}
        self._kept: pa.Table | None = None
        self._key = ""
        self._joined: list[str] = []
        self._mapped: dict[int, MappedColumns] = {}
        if plan.catalog is not None:
            # Arrow's functions take a tenth of the time of all other imports, and only catalogues need them.
            from spectral_zarr.tasks.catalog import staged_column

            self._kept = read_columns(paths.catalog)
            self._key = staged_column(plan.catalog.field, plan.header)
            self._joined = ["params_source", *(PARAM_PREFIX + name for name in plan.catalog.params)]

    @property
    def index_names(self) -> list[str]:
        """Staged columns of the index."""
        listed = (*schema.INDEX_COLUMNS, *schema.INDEX_EXTRA)
        return [name for name in self.names.values() if name in listed or name.startswith(PARAM_PREFIX)]

    def tables(self, names: list[str], pieces: Pieces) -> Iterator[pa.Table]:
        """Some columns of the rows of all pieces, batch by batch where that will do; each is good until the next."""
        there = {batch.batch for batch, _ in pieces}
        self._mapped = {batch: mapped for batch, mapped in self._mapped.items() if batch in there}
        if set(names).isdisjoint(self._joined) or self._plan.catalog is None:
            for batch, rows in pieces:
                mapped = self._mapping(batch)
                yield self._piece(names, mapped.table(), batch, rows)
                mapped.let_go()
            return
        from spectral_zarr.tasks.catalog import joined

        wanted = [*names, *(name for name in (*self._joined, self._key) if name not in names)]
        # Every join looks at all rows of the catalogue.
        table = pa.concat_tables(
            [self._piece(wanted, self._mapping(batch).table(), batch, rows) for batch, rows in pieces]
        )
        yield joined(table, self._plan.catalog, self._kept, self._key).select(names)

    def _piece(self, names: list[str], staged: pa.Table, batch: BatchRows, rows: range) -> pa.Table:
        wanted = {*names, "grid_first"}.intersection(staged.column_names)
        staged = published(staged.select(sorted(wanted)), batch).slice(rows.start, len(rows))
        columns = dict(zip(staged.column_names, staged.columns, strict=True))
        return pa.table({name: self._column(columns, name, staged.num_rows) for name in names})

    def _mapping(self, batch: BatchRows) -> MappedColumns:
        mapped = self._mapped.get(batch.batch) or MappedColumns(self._paths.staged_columns(batch.batch))
        if len(self._mapped) < MOST_MAPPED:
            self._mapped[batch.batch] = mapped
        return mapped

    def _column(self, columns: dict[str, Any], name: str, n: int) -> Any:
        wavelength = self._plan.wavelength
        first = wavelength.grid.first if wavelength.grid is not None and wavelength.kind == "lattice" else None
        if name == "pix_offset" and first is not None:
            return numbers(np.array([k - first for k in columns["grid_first"].to_pylist()], np.int32))
        if name in columns:
            return columns[name]
        return numbers(np.full(n, np.nan)) if name.startswith(PARAM_PREFIX) else texts([""] * n)


def _write_grid(paths: BuildPaths, plan: BuildPlan) -> ChunkReceipt:
    grid = plan.wavelength.grid
    assert grid is not None
    if grid.scale != "explicit":
        return write_wavelength(paths.tmp, grid.wavelength(), plan)
    values = np.empty(grid.n_pix)
    first = next(b for b in plan.batches if b.n_rows)
    place = next(place_rows(paths, plan, (first,), range(1)))
    pixels = StagedPixels(paths.staged_pixels(first.batch))
    try:
        pixels.read_into("wavelength", place.grid_row, values)
    finally:
        pixels.close()
    return write_wavelength(paths.tmp, values, plan)

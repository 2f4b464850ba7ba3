"""Scanning what of a store is not cut into rows: the common wavelength, the index and the other files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectral_zarr.contract.columns import check_simulator
from spectral_zarr.contract.cubes import WavelengthRows
from spectral_zarr.contract.rows import Counted, Offences
from spectral_zarr.store.chunk_reader import NOT_AS_WRITTEN, ArrayReader, ChunkProblem, file_problem
from spectral_zarr.store.columns import INDEX
from spectral_zarr.store.documents import ArrayLayout
from spectral_zarr.store.index import IndexColumns, differing_rows
from spectral_zarr.store.proof import NO_ARRAY, proof_of
from spectral_zarr.tasks.memory import give_back
from spectral_zarr.tasks.scan_columns import Columns, ColumnsScan, ColumnsTask, scan_columns

INDEX_ROWS = 16_384
"""Rows of the index that are compared together; those of the index and of the array are both held."""


@dataclass(frozen=True, slots=True)
class RestTask:
    """Everything of a store that is not cut into blocks of rows."""

    store: str
    n_spec: int
    wavelength: ArrayLayout | None
    factor: float
    index: tuple[tuple[str, ArrayLayout | None], ...]
    step: int
    proof: str = ""


def scan_columns_or_rest(task: ColumnsTask | RestTask) -> ColumnsScan:
    """Run either kind of task, so that both can be under way at the same time."""
    give_back()
    return scan_columns(task) if isinstance(task, ColumnsTask) else ColumnsScan(0, 0, scan_rest(task))


def scan_rest(task: RestTask) -> Counted:
    """Check the common wavelength, compare the index with the arrays, and files with their receipts."""
    offences = Offences()
    if task.wavelength is not None:
        _scan_grid(task, task.wavelength, offences)
    index_is_whole = not task.proof or _files_are_whole(task, offences)
    if task.index and index_is_whole:
        _compare_index(task, offences)
    return offences.counted()


def _scan_grid(task: RestTask, layout: ArrayLayout, offences: Offences) -> None:
    receipts = proof_of(task.proof).columns().get(layout.path, {}) if task.proof else None
    reader = ArrayReader(Path(task.store), layout, receipts)
    rows = WavelengthRows(layout.path, 0, 1, task.factor)
    finite = True
    for index in range(layout.grid[0]):
        try:
            values = reader.numbers(index)
        except ChunkProblem as problem:
            offences.note(problem.symptom, f"{layout.path}/{problem.key}", problem.reason)
            return
        first = index * layout.chunks[0]
        if values is None:
            values = np.full(min(layout.chunks[0], layout.shape[0] - first), layout.fill, np.dtype(layout.dtype))
        finite &= bool(np.isfinite(values).all())
        rows.add(first, values[None, :])
    if not finite:
        offences.note("S-02/not_finite", layout.path, "")
        return
    found = Offences()
    rows.report(found)
    for symptom, where in found.counted():
        offences.note(symptom, where, "")


def _compare_index(task: RestTask, offences: Offences) -> None:
    index = IndexColumns(Path(task.store))
    for name, layout in task.index:
        stored = _Stored(task, layout)
        for start, piece in index.pieces([name], INDEX_ROWS):
            column = piece[name]
            offences.add("I-03/null", f"index.parquet:{name}", start + np.flatnonzero(column.null))
            # Damaged chunks are reported by the scan of the columns.
            if (values := stored.read(start, start + len(column.values))) is not None:
                rows = differing_rows(column, values)
                offences.add("I-02/differs", f"index.parquet:{name}", start + rows)
    compared = {name for name, _ in task.index}
    if compared.issuperset(_MODEL):
        for start, piece in index.pieces(_MODEL, INDEX_ROWS):
            source_types, simulators = (piece[name].values for name in _MODEL)
            check_simulator(offences, "index.parquet:simulator", start, source_types, simulators)
    # The others are decoded as well: readers of the whole file fail when one of them is damaged.
    for name in index.names:
        if name not in compared:
            index.read(name, INDEX_ROWS)
    if index.problem:
        offences.note("Z-03/damaged", "index.parquet", index.problem)


_MODEL = ("source_type", "simulator")


class _Stored:
    """Values of the array of an index column, of which the block that was read last is held."""

    def __init__(self, task: RestTask, layout: ArrayLayout | None) -> None:
        self._task = task
        self._layout = layout
        self._rows = range(0)
        self._values: Any = None

    def read(self, start: int, stop: int) -> Any:
        """Values of a range of rows; None when there is no array, or a chunk of the block is damaged."""
        if self._layout is not None and not (self._rows.start <= start and stop <= self._rows.stop):
            step, self._values = self._task.step, None
            self._rows = range(start // step * step, min(-(-stop // step) * step, self._task.n_spec))
            block = ColumnsTask(
                self._task.store, self._rows.start, self._rows.stop, (self._layout,), proof=self._task.proof
            )
            self._values = Columns(block, Offences()).read(self._layout.path)
        return None if self._values is None else self._values[start - self._rows.start : stop - self._rows.start]


def _files_are_whole(task: RestTask, offences: Offences) -> bool:
    store, damaged = Path(task.store), set()
    for key, receipt in proof_of(task.proof).columns().get(NO_ARRAY, {}).items():
        if (problem := file_problem(store / key, receipt)) is not None:
            offences.note(NOT_AS_WRITTEN, key, problem)
            damaged.add(key)
    return INDEX not in damaged

"""Scanning the rows of a store: every chunk of a block decoded once, every row rule applied to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract import schema
from spectral_zarr.contract.cubes import FirstGrid, ValueRows, WavelengthRows, garbage_rows, sentinel_rows
from spectral_zarr.contract.rows import Counted, Offences
from spectral_zarr.store.chunk_reader import ArrayReader, ChunkProblem
from spectral_zarr.store.documents import ArrayLayout
from spectral_zarr.store.proof import Receipts, proof_of

SCAN_BYTES = 64 << 20
"""Decoded bytes of one array that a task covers, where its chunks are smaller."""

GARBAGE_BYTES = 32 << 20
"""Bytes of suspicious rows that are held at a time."""


@dataclass(frozen=True, slots=True)
class RowsTask:
    """Rows of a store to scan.

    Attributes
    ----------
    cubes : tuple of ArrayLayout
        The (N_spec, N_pix) arrays, the wavelength first where it is one of them.
    factor : float
        Converts wavelengths to Angstrom, NaN when the unit is not known.
    proof : str
        Published path whose build directory has the receipts, '' without receipts.
    """

    store: str
    start: int
    stop: int
    cubes: tuple[ArrayLayout, ...]
    factor: float
    proof: str = ""


@dataclass(frozen=True, slots=True)
class RowsScan:
    """What was found in a block of rows.

    Attributes
    ----------
    finite : tuple of str
        Arrays with a finite value.
    continuum : bytes
        One bit a row: whether it has a continuum.
    no_continuum : bytes
        One bit a row: whether it is known to have none; neither bit is set where a chunk is damaged.
    garbage : bytes
        One bit a row: whether its flux is garbage, if it is an observed one.
    shortest, longest : bytes
        Ends of the wavelengths in Angstrom, float32, empty when all rows share one grid.
    grids : tuple of FirstGrid
        First grid of each chunk row.
    one_grid : bool
        Whether all rows of each chunk row share the first grid of it.
    nbytes : int
        Bytes decoded.
    """

    start: int
    stop: int
    counted: Counted
    finite: tuple[str, ...] = ()
    continuum: bytes = b""
    no_continuum: bytes = b""
    garbage: bytes = b""
    shortest: bytes = b""
    longest: bytes = b""
    grids: tuple[FirstGrid, ...] = ()
    one_grid: bool = False
    nbytes: int = 0


def scan_rows(task: RowsTask) -> RowsScan:
    """Apply the row rules to a block of rows of every cube."""
    store, n_rows = Path(task.store), task.stop - task.start
    receipts: Receipts | None = proof_of(task.proof).blocks(range(task.start, task.stop)) if task.proof else None
    offences = Offences()
    n_valid: NDArray[np.int64] | None = None
    shortest, longest, (continuum, no_continuum, garbage) = b"", b"", np.zeros((3, n_rows), np.bool_)
    grids: tuple[FirstGrid, ...] = ()
    one_grid, finite, nbytes = False, [], 0
    for layout in task.cubes:
        reader = ArrayReader(store, layout, None if receipts is None else receipts.get(layout.path, {}))
        if layout.path == schema.WAVELENGTH:
            blocks = list(_wavelengths(reader, layout, task, offences))
            n_valid = np.concatenate([block.n_valid for _, block in blocks])
            ends = [(block.shortest, block.longest) for _, block in blocks]
            shortest, longest = (
                (np.concatenate(end) * task.factor).astype("<f4").tobytes() for end in zip(*ends, strict=True)
            )
            grids, one_grid = tuple(block.first for _, block in blocks), all(block.one_grid for _, block in blocks)
        else:
            for rows, values, whole in _values(reader, layout, task, n_valid, offences):
                inside = slice(rows.start - task.start, rows.stop - task.start)
                if values.finite:
                    finite.append(layout.path)
                if layout.path == schema.CONTINUUM:
                    continuum[inside] = values.filled
                    no_continuum[inside] = ~values.filled & whole
                elif layout.path == schema.FLUX and values.suspicious.size:
                    suspicious = values.suspicious
                    is_garbage, is_sentinel = _measure(reader, layout, rows, suspicious)
                    garbage[inside][suspicious] = is_garbage
                    offences.add("S-10/sentinel", layout.path, rows.start + suspicious[is_sentinel])
        nbytes += reader.nbytes
    return RowsScan(
        start=task.start,
        stop=task.stop,
        counted=offences.counted(),
        finite=tuple(sorted(set(finite))),
        continuum=np.packbits(continuum).tobytes(),
        no_continuum=np.packbits(no_continuum).tobytes(),
        garbage=np.packbits(garbage).tobytes(),
        shortest=shortest,
        longest=longest,
        grids=grids,
        one_grid=one_grid,
        nbytes=nbytes,
    )


def _values(
    reader: ArrayReader, layout: ArrayLayout, task: RowsTask, n_valid: NDArray[np.int64] | None, offences: Offences
) -> Iterator[tuple[range, ValueRows, bool]]:
    for rows, index in _chunk_rows(layout, task):
        valid = None if n_valid is None else n_valid[rows.start - task.start : rows.stop - task.start]
        block = ValueRows(layout.path, rows.start, len(rows), valid)
        whole = True
        for column in range(layout.grid[1]):
            chunk = _chunk(reader, layout, rows, index, column, offences)
            whole &= chunk is not None
            if chunk is not None and chunk.size:
                block.add(column * layout.chunks[1], chunk)
        block.report(offences, whole=whole)
        yield rows, block, whole


def _wavelengths(
    reader: ArrayReader, layout: ArrayLayout, task: RowsTask, offences: Offences
) -> Iterator[tuple[range, WavelengthRows]]:
    for rows, index in _chunk_rows(layout, task):
        block = WavelengthRows(layout.path, rows.start, len(rows), task.factor)
        whole = True
        for column in range(layout.grid[1]):
            chunk = _chunk(reader, layout, rows, index, column, offences, skip_nan=False)
            whole &= chunk is not None
            if chunk is not None:
                block.add(column * layout.chunks[1], chunk)
        if whole:
            block.report(offences)
        else:
            block.forget(layout.shape[1])
        yield rows, block


def _chunk_rows(layout: ArrayLayout, task: RowsTask) -> Iterator[tuple[range, int]]:
    length = layout.chunks[0]
    for index in range(task.start // length, -(-task.stop // length)):
        yield range(max(task.start, index * length), min(task.stop, (index + 1) * length)), index


def _chunk(
    reader: ArrayReader,
    layout: ArrayLayout,
    rows: range,
    index: int,
    column: int,
    offences: Offences,
    *,
    skip_nan: bool = True,
) -> NDArray[Any] | None:
    """Values of the rows in one chunk, empty when they are NaN only; None when the chunk is damaged."""
    try:
        values = reader.numbers(index, column)
    except ChunkProblem as problem:
        offences.note(problem.symptom, f"{layout.path}/{problem.key}", problem.reason, [rows.start])
        return None
    inside = slice(rows.start - index * layout.chunks[0], rows.stop - index * layout.chunks[0])
    if values is not None:
        return values[inside]
    width = min(layout.chunks[1], layout.shape[1] - column * layout.chunks[1])
    if skip_nan and layout.fill != layout.fill:
        return np.empty((len(rows), 0), np.dtype(layout.dtype))
    return np.broadcast_to(np.array(layout.fill, np.dtype(layout.dtype)), (len(rows), width))


def _measure(
    reader: ArrayReader, layout: ArrayLayout, rows: range, suspicious: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the suspicious rows are garbage, and which hold too many sentinels."""
    at_once = max(1, GARBAGE_BYTES // (layout.itemsize * layout.shape[1]))
    garbage, sentinel = np.zeros(suspicious.size, np.bool_), np.zeros(suspicious.size, np.bool_)
    for start in range(0, suspicious.size, at_once):
        wanted = suspicious[start : start + at_once]
        pieces = []
        for column in range(layout.grid[1]):
            # Damaged chunks have been reported.
            chunk = _chunk(reader, layout, rows, rows.start // layout.chunks[0], column, Offences())
            if chunk is not None:
                pieces.append(chunk[wanted])
        if pieces:
            flux = np.concatenate(pieces, axis=1)
            garbage[start : start + at_once] = garbage_rows(flux)
            sentinel[start : start + at_once] = sentinel_rows(flux)
    return garbage, sentinel


def unpack(bits: bytes, n_rows: int) -> NDArray[np.bool_]:
    """One bool a row from one bit a row."""
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=n_rows).astype(np.bool_)

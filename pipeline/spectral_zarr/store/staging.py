"""The staging store: per batch one Arrow file of ragged pixels and one of columns, read back without copies."""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from spectral_zarr.errors import DamagedBuild
from spectral_zarr.model import StagedFile
from spectral_zarr.store.arrow import lists
from spectral_zarr.store.fsops import Sink, translated, write_durable

FLUSH_BYTES = 16 << 20
"""Pixels that a stage task holds before it writes them."""

PIXEL_COLUMNS = ("flux", "uncertainty", "continuum", "normalized_flux", "normalized_uncertainty", "wavelength")
_PIXELS = pa.schema(
    [pa.field(name, pa.large_list(pa.float64() if name == "wavelength" else pa.float32())) for name in PIXEL_COLUMNS]
)

Arrays = dict[str, NDArray[Any] | None]


class PixelWriter:
    """Writes the pixel file of one batch in pieces of bounded size.

    Parameters
    ----------
    sink : Sink
        The open file.
    """

    def __init__(self, sink: Sink) -> None:
        self._writer = pa.ipc.new_file(sink, _PIXELS)
        self._pending: list[Arrays] = []
        self._pending_bytes = 0

    def add(self, arrays: Arrays) -> None:
        """Add the arrays of one spectrum, None for those that it does not have."""
        self._pending.append(arrays)
        self._pending_bytes += sum(array.nbytes for array in arrays.values() if array is not None)
        if self._pending_bytes >= FLUSH_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is pending and the footer."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._pending:
            return
        columns = [
            lists([row.get(name) for row in self._pending], "<f8" if name == "wavelength" else "<f4")
            for name in PIXEL_COLUMNS
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=_PIXELS))
        self._pending, self._pending_bytes = [], 0


def write_columns(path: Path, table: pa.Table) -> StagedFile:
    """Write the columns of one batch durably."""
    # Arrow writes each column in three small pieces.
    stream = pa.BufferOutputStream()
    with pa.ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table)
    payload = memoryview(stream.getvalue())
    write_durable(path, payload)
    return StagedFile(path.name, len(payload), google_crc32c.value(np.frombuffer(payload, np.uint8)))


def read_columns(path: Path, names: Collection[str] | None = None) -> pa.Table:
    """Columns of one batch; absent names are left out.

    Raises
    ------
    DamagedBuild
        When the file is not what was written.
    """
    table = MappedColumns(path).table()
    known = set(table.column_names)
    return table if names is None else table.select([name for name in names if name in known])


class MappedColumns:
    """The columns of one batch, mapped: nothing is read before it is looked at.

    Raises
    ------
    DamagedBuild
        When the file is not what was written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with translated(path), path.open("rb") as file, self._undamaged():
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._reader = pa.ipc.open_file(pa.py_buffer(self._map))

    @contextmanager
    def _undamaged(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            # Arrow's own error is one; the other is that of an empty file.
            raise DamagedBuild(f"a staged file is damaged: {error}; start anew", path=str(self._path)) from error

    def table(self) -> pa.Table:
        """All columns; a table takes several times the memory of what is held without it."""
        with self._undamaged():
            # A reader that is told the columns copies them and the gaps between them.
            return self._reader.read_all()

    def let_go(self) -> None:
        """Let the kernel have the pages that were looked at, which count as memory of this process."""
        self._map.madvise(mmap.MADV_DONTNEED)


class StagedPixels:
    """Reads single rows of a pixel file straight into a buffer.

    Only the offsets are mapped: mapped pixels would count as memory of the worker, reads into the chunk buffer do not.
    """

    def __init__(self, path: Path) -> None:
        with translated(path):
            self._path = path
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # As lists, because looking up single numbers in an array is slow.
            located = _locate(path)
            self._places: dict[str, tuple[list[int], list[int]]] = {
                name: (offsets.tolist(), lengths.tolist()) for name, (offsets, lengths) in located.items()
            }
        except pa.ArrowInvalid as error:
            os.close(self._descriptor)
            raise DamagedBuild(f"a staged file is damaged: {error}; start anew", path=str(path)) from error

    def has(self, column: str, row: int) -> bool:
        """Whether a row has the array."""
        return self._places[column][0][row] >= 0

    def read_into(self, column: str, row: int, buffer: NDArray[Any], start: int = 0) -> None:
        """Fill a contiguous one-dimensional buffer with pixels of a row, beginning at pixel `start`."""
        offsets, lengths = self._places[column]
        if offsets[row] < 0 or start + buffer.size > lengths[row]:
            raise DamagedBuild("a staged row is shorter than its columns; start anew", path=str(self._path), row=row)
        position = offsets[row] + start * buffer.itemsize
        # One read is enough for nearly every row, and then nothing more is needed than the call.
        view, count = buffer.data, self._read(buffer.data, position)
        if count < buffer.nbytes:
            view = view.cast("B")
            while count:
                view, position = view[count:], position + count
                if not view:
                    return
                count = self._read(view, position)
            raise DamagedBuild("a staged file was cut short; start anew", path=str(self._path), row=row)

    def _read(self, view: memoryview, position: int) -> int:
        try:
            return os.preadv(self._descriptor, [view], position)
        except OSError:
            with translated(self._path):
                raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _locate(path: Path) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    found: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {name: [] for name in PIXEL_COLUMNS}
    with translated(path), pa.memory_map(str(path)) as source:
        base = source.read_buffer().address
        reader = pa.ipc.open_file(source)
        for i in range(reader.num_record_batches):
            piece = reader.get_batch(i)
            for name in PIXEL_COLUMNS:
                rows = piece.column(name)
                width = 8 if name == "wavelength" else 4
                known, offsets, *_ = rows.buffers()
                bounds = np.frombuffer(offsets, np.int64, len(rows) + 1).copy()
                buffer = rows.values.buffers()[1]
                first = buffer.address - base if buffer is not None else 0
                places = first + bounds[:-1] * width
                if rows.null_count:
                    bits = np.unpackbits(np.frombuffer(known, np.uint8), count=len(rows), bitorder="little")
                    places = np.where(bits, places, -1)
                found[name].append((places, np.diff(bounds)))
    empty = np.zeros(0, dtype=np.int64)
    return {
        name: (np.concatenate([a for a, _ in parts] or [empty]), np.concatenate([b for _, b in parts] or [empty]))
        for name, parts in found.items()
    }

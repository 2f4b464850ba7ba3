"""The (N_spec,) arrays and the index, written in long chunks from the same staged tables."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numcodecs.vlen import VLenUTF8
from numpy.typing import NDArray

from spectral_zarr.contract import schema
from spectral_zarr.model import BuildPlan, ChunkReceipt, Rejection
from spectral_zarr.store.arrow import equally_long, numbers, texts, to_numpy
from spectral_zarr.store.chunks import chunk_key, encode, write_chunk
from spectral_zarr.store.create import ArraySpec
from spectral_zarr.store.fsops import open_sink, translated, write_plain

INDEX = "index.parquet"
_TEXTS_AT_ONCE = 8192
_COUNT_BYTES = 4
"""VLenUTF8 begins with the number of texts, and each text with its length."""
ROW_GROUP = 16_384
"""Rows of the index that are encoded together: the encoder takes several times the memory of what it encodes."""


class ColumnChunk:
    """One chunk of a (N_spec,) array, packed while its values come piece by piece.

    Parameters
    ----------
    spec : ArraySpec
        The array.
    block : int
        Index of the chunk.
    """

    def __init__(self, spec: ArraySpec, block: int) -> None:
        self._spec = spec
        self._block = block
        self._length = spec.kind.chunks[0]
        self._n = 0
        self._texts = bytearray()
        self._numbers = np.empty(0)
        if spec.kind.dtype == "text":
            self._texts += self._length.to_bytes(_COUNT_BYTES, "little")
        else:
            dtype = np.dtype(spec.kind.dtype)
            self._numbers = np.full(self._length, np.nan if dtype.kind == "f" else 0, dtype)

    def add(self, column: pa.ChunkedArray) -> None:
        """Add the values of the next rows, of which nothing is held."""
        n = len(column)
        if self._spec.kind.dtype == "text":
            _pack_texts(self._texts, column)
        elif n:
            self._numbers[self._n : self._n + n] = to_numpy(column)
        self._n += n

    def write(self, root: Path) -> ChunkReceipt:
        """Write the chunk, filled up with '', NaN or 0.

        `sync_tree` makes it durable: a build that is resumed writes it again.

        Parameters
        ----------
        root : Path
            Directory of the store.
        """
        kind = self._spec.kind
        payload: Any = self._numbers
        if kind.dtype == "text":
            self._texts += bytes(_COUNT_BYTES * (self._length - self._n))
            payload = self._texts
        key = chunk_key(kind.zarr_format, self._block)
        return write_chunk(root, self._spec.path, key, encode(payload, kind.clevel), write_plain)


def write_wavelength(root: Path, values: NDArray[np.float64], plan: BuildPlan) -> ChunkReceipt:
    """Write the (N_pix,) wavelength, in Angstrom."""
    key = chunk_key(plan.zarr_format, 0)
    return write_chunk(
        root, schema.WAVELENGTH, key, encode(np.ascontiguousarray(values, "<f8"), plan.clevel), write_plain
    )


def _pack_texts(packed: bytearray, column: pa.ChunkedArray) -> None:
    """Append the texts as numcodecs' VLenUTF8 packs them: each behind its length, as four bytes."""
    codec = VLenUTF8()
    for chunk in column.chunks:
        rows = equally_long(chunk)
        if rows is not None:
            # Most columns are empty, or repeat a word, or hold a date or a digest.
            packed += _behind_lengths(rows).data
            continue
        for start in range(0, len(chunk), _TEXTS_AT_ONCE):
            texts = np.array(chunk.slice(start, _TEXTS_AT_ONCE).to_pylist(), dtype=object)
            packed += memoryview(codec.encode(texts))[_COUNT_BYTES:]


def _behind_lengths(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    n, length = rows.shape
    found = np.empty((n, _COUNT_BYTES + length), np.uint8)
    found[:, :_COUNT_BYTES] = np.frombuffer(length.to_bytes(_COUNT_BYTES, "little"), np.uint8)
    found[:, _COUNT_BYTES:] = rows
    return found.reshape(-1)


class IndexWriter:
    """Writes ``index.parquet`` piece by piece.

    Parameters
    ----------
    root : Path
        Directory of the store.
    params : tuple of str
        Parameter names; all are columns, and teff, logg and feh are even when the store has none.
    """

    def __init__(self, root: Path, params: tuple[str, ...]) -> None:
        self._params = params
        self._open = ExitStack()
        self._sink = self._open.enter_context(open_sink(root / INDEX))
        self._rows = 0
        self._writer: pa.parquet.ParquetWriter | None = None

    def add(self, table: pa.Table) -> None:
        """Write the staged columns of the next `ROW_GROUP` rows; parameter columns are named by the parameter."""
        n = table.num_rows
        columns: dict[str, Any] = {}
        for name in (*schema.INDEX_COLUMNS, "row_idx", *schema.INDEX_EXTRA, *self._params):
            if name == "row_idx":
                columns[name] = numbers(np.arange(self._rows, self._rows + n, dtype=np.int64))
            elif name in table.column_names:
                columns[name] = table[name]
            else:
                columns[name] = numbers(np.full(n, np.nan))
        self._rows += n
        piece = pa.table(columns)
        if self._writer is None:
            self._writer = pa.parquet.ParquetWriter(self._sink, piece.schema, compression="zstd")
        self._writer.write_table(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file gets its name only when every piece and the footer are in it.
        with self._open:
            if error is not None:
                raise error
            if self._writer is not None:
                self._writer.close()

    @property
    def receipt(self) -> ChunkReceipt:
        """Size and CRC-32C of the whole file."""
        return ChunkReceipt("", INDEX, self._sink.size, self._sink.crc32c)


def write_rejections(path: Path, rejections: Iterable[Rejection]) -> None:
    """Write the list of rejections as Parquet, sorted by file, HDU and row."""
    rows = sorted(rejections, key=lambda r: (r.name.encode(), r.hdu, r.row, r.code))
    table = pa.table(
        {
            "code": texts([r.code for r in rows]),
            "source_file": texts([r.name for r in rows]),
            "hdu": numbers(np.array([r.hdu for r in rows], np.int32)),
            "row": numbers(np.array([r.row for r in rows], np.int32)),
            "reason": texts([r.reason for r in rows]),
        }
    )
    with open_sink(path) as sink:
        pa.parquet.write_table(table, sink, compression="zstd")


def read_rejections(path: Path) -> tuple[Rejection, ...]:
    """The rejections that `write_rejections` wrote."""
    with translated(path):
        rows = pa.parquet.read_table(path).to_pylist()
    return tuple(Rejection(row["code"], row["source_file"], row["hdu"], row["row"], row["reason"]) for row in rows)

"""Arrow arrays on their buffers: `pyarrow.array` would make every worker import pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_NUMPY = {"double": "<f8", "float": "<f4", "int64": "<i8", "int32": "<i4"}


def numbers(values: NDArray[Any]) -> pa.Array:
    """A number array on the memory of a contiguous NumPy array."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, [None, pa.py_buffer(values)])


def texts(values: Sequence[str]) -> pa.Array:
    """A string array; what UTF-8 cannot encode becomes '?'."""
    joined = "".join(values)
    content = joined.encode("utf-8", "replace")
    lengths: Iterable[int] = map(len, values)
    if not joined.isascii():
        lengths = (len(value.encode("utf-8", "replace")) for value in values)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int64, len(values)), out=offsets[1:])
    return pa.Array.from_buffers(pa.string(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(content)])


def flags(values: Sequence[bool]) -> pa.Array:
    """A boolean array."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def integers_or_null(values: Sequence[int | None]) -> pa.Array:
    """An int64 array with null for None."""
    data = np.array([0 if value is None else value for value in values], np.int64)
    known = _bits([value is not None for value in values])
    return pa.Array.from_buffers(pa.int64(), len(values), [known, pa.py_buffer(data)])


def lists(rows: Sequence[NDArray[Any] | None], dtype: str) -> pa.Array:
    """A large_list array of one-dimensional arrays, null for None."""
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([0 if row is None else row.size for row in rows], out=offsets[1:])
    present = [row for row in rows if row is not None]
    values = np.concatenate(present, dtype=dtype) if present else np.zeros(0, dtype)
    child = numbers(values)
    known = None if len(present) == len(rows) else _bits([row is not None for row in rows])
    return pa.Array.from_buffers(pa.large_list(child.type), len(rows), [known, pa.py_buffer(offsets)], children=[child])


def to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    """Numbers of a column without nulls."""
    return np.concatenate([_values(chunk) for chunk in column.chunks])


def _values(array: pa.Array) -> NDArray[Any]:
    """Numbers of an array without nulls, as a view."""
    return np.frombuffer(array.buffers()[1], _NUMPY[str(array.type)], array.offset + len(array))[array.offset :]


def has_text(column: pa.ChunkedArray) -> bool:
    """Whether any value of a text column without nulls is not ''."""
    return any(_n_bytes(chunk) for chunk in column.chunks if len(chunk))


def _n_bytes(texts: pa.StringArray) -> int:
    bounds = _bounds(texts)
    return int(bounds[-1] - bounds[0])


def _bounds(texts: pa.StringArray) -> NDArray[np.int32]:
    return np.frombuffer(texts.buffers()[1], np.int32, texts.offset + len(texts) + 1)[texts.offset :]


def equally_long(texts: pa.StringArray) -> NDArray[np.uint8] | None:
    """Bytes of texts without nulls as a view, shape (n, length); None when their lengths differ."""
    bounds = _bounds(texts)
    n, length = len(texts), int(bounds[1] - bounds[0]) if len(texts) else 0
    if not np.array_equal(bounds[1:], np.arange(1, n + 1) * length + bounds[0]):
        return None
    content = texts.buffers()[2]
    if not length or content is None:
        return np.empty((n, 0), np.uint8)
    return np.frombuffer(content, np.uint8, n * length, bounds[0]).reshape(n, length)


def has_number(column: pa.ChunkedArray) -> bool:
    """Whether any value of a number column without nulls is not NaN."""
    return not all(np.isnan(_values(chunk)).all() for chunk in column.chunks)


def unmapped(table: pa.Table) -> pa.Table:
    """The same columns in memory of their own, so that the file in which they are mapped can be let go."""
    # Arrow copies what it concatenates, and gives one array alone back as it is.
    columns = [pa.concat_arrays([*column.chunks, column.chunk(0)[:0]]) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _bits(values: Sequence[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.asarray(values, np.bool_), bitorder="little"))

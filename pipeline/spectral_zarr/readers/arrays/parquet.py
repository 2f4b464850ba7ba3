"""Parquet files: a spectrum per row, its pixels a list, read by batches of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from spectral_zarr.readers.arrays.column import (
    RAGGED,
    WHOLE_BYTES,
    ArrayColumn,
    ArrayStore,
    Block,
    as_text,
    check_whole,
)

_UNIT_KEYS = (b"unit", b"units")


class ParquetStore(ArrayStore):
    """An open Parquet file.

    Columns of lists are arrays of pixels, whose number may differ from row to row; the fields of a struct are columns
    of their own, called ``struct.field``. Units are in the metadata of the field, facts in those of the schema.
    """

    def __init__(self, path: str, name: str) -> None:
        self._file = pq.ParquetFile(path, pre_buffer=False, memory_map=False)
        self._nested: dict[str, tuple[str, str]] = {}
        super().__init__(name)

    def close(self) -> None:
        self._file.close()

    def whole(self, name: str) -> NDArray[Any]:
        check_whole(self.columns[name], self.name)
        blocks = [block[name] for block in self.rows([name], WHOLE_BYTES)]
        return np.concatenate([np.asarray(block) for block in blocks]) if blocks else np.empty(0)

    def rows(self, names: Sequence[str], block_bytes: int) -> Iterator[Block]:
        step = self.rows_per_block(names, block_bytes)
        if any(RAGGED in self.columns[name].shape for name in names):
            # Only the rows tell how long they are, and the first one stands for the others.
            first = next(self._batches(names, 1), None)
            step = min(step, max(1, block_bytes // max(first.nbytes, 1))) if first is not None else step
        for batch in self._batches(names, step):
            yield {name: _values(self._array(batch, name), self.columns[name]) for name in names}

    def _array(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        if name not in self._nested:
            return batch.column(name)
        struct, part = self._nested[name]
        return pc.struct_field(batch.column(struct), part)

    def _batches(self, names: Sequence[str], size: int) -> Iterator[pa.RecordBatch]:
        batches: Iterator[pa.RecordBatch] = self._file.iter_batches(size, columns=list(names), use_threads=False)
        return batches

    def list_columns(self) -> None:
        schema, metadata = self._file.schema_arrow, self._file.metadata
        for key, value in (schema.metadata or {}).items():
            self.facts[as_text(key).lower()] = as_text(value)
        # What a row group says of a column is not asked: on a damaged file, pyarrow ends the process there.
        stored = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        for field in schema:
            unit = _unit(field)
            if pa.types.is_struct(field.type):
                for part in field.type:
                    nested = part.with_name(f"{field.name}.{part.name}")
                    self.columns[nested.name] = _column(nested, metadata.num_rows, stored, _unit(part) or unit)
                    self._nested[nested.name] = (field.name, part.name)
            else:
                self.columns[field.name] = _column(field, metadata.num_rows, stored, unit)


def _column(field: pa.Field, n_rows: int, stored: int, unit: str) -> ArrayColumn:
    kind = field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        item = kind.value_type
        length = kind.list_size if pa.types.is_fixed_size_list(kind) else RAGGED
        return ArrayColumn(field.name, (n_rows, length), _kind(item), _width(item), stored, unit)
    return ArrayColumn(field.name, (n_rows,), _kind(kind), _width(kind), stored, unit)


def _unit(field: pa.Field) -> str:
    said = field.metadata or {}
    return next((as_text(said[key]) for key in _UNIT_KEYS if key in said), "")


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_floating(kind):
        return "f"
    if pa.types.is_integer(kind):
        return "u" if pa.types.is_unsigned_integer(kind) else "i"
    if pa.types.is_boolean(kind):
        return "b"
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    return "U" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else "O"


def _width(kind: pa.DataType) -> int:
    return max(kind.bit_width // 8, 1) if pa.types.is_primitive(kind) else 8


def _values(array: pa.Array, column: ArrayColumn) -> Sequence[Any] | NDArray[Any]:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if len(column.shape) == 1:
        if column.kind == "U":
            return ["" if value is None else value for value in array.to_pylist()]
        if column.kind in "iu" and array.null_count:
            # As floats, identifiers would lose their last digits.
            return [math.nan if value is None else value for value in array.to_pylist()]
        return np.asarray(array.to_numpy(zero_copy_only=False))
    lengths = np.array([0 if length is None else length for length in array.value_lengths().to_pylist()], np.int64)
    pixels = array.flatten()
    if column.kind == "b":
        # A flag that is missing is set.
        pixels = pixels.fill_null(True)
    flat = np.asarray(pixels.to_numpy(zero_copy_only=False))
    stops = np.cumsum(lengths)
    return [flat[stop - length : stop] for stop, length in zip(stops.tolist(), lengths.tolist(), strict=True)]

"""Reading ``index.parquet`` of any store in pieces, and comparing it with arrays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from spectral_zarr.store.columns import INDEX


@dataclass(frozen=True, slots=True)
class IndexColumn:
    """A piece of one column: its values, and which of them are null."""

    values: list[Any]
    null: NDArray[np.bool_]


class IndexColumns:
    """The index, read in pieces.

    Parameters
    ----------
    store : Path
        Directory of the store.

    Attributes
    ----------
    problem : str
        What ended the reading early, '' when nothing did.
    """

    def __init__(self, store: Path) -> None:
        self._path = store / INDEX
        self.problem = ""

    @cached_property
    def _parquet(self) -> Any:
        return pa.parquet.ParquetFile(self._path)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns; none when the file cannot be read."""
        try:
            return tuple(self._parquet.schema_arrow.names)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            return ()

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[tuple[int, dict[str, IndexColumn]]]:
        """First row of each piece of at most `rows` rows, and some columns of the piece."""
        start = 0
        for batch in self._batches(names, rows):
            try:
                columns = {name: _column(batch.column(name)) for name in names}
            except Exception as error:
                # Texts are decoded only here.
                self.problem = f"{type(error).__name__}: {error}"
                return
            yield start, columns
            start += batch.num_rows

    def read(self, name: str, rows: int) -> None:
        """Decode a column and forget it."""
        deque(self._batches([name], rows), maxlen=0)

    def _batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._parquet.iter_batches(batch_size=rows, columns=list(names))
        except Exception as error:
            # A decoder may raise anything on damaged bytes.
            self.problem = f"{type(error).__name__}: {error}"


def differing_rows(column: IndexColumn, stored: list[str] | NDArray[Any]) -> NDArray[np.intp]:
    """Positions where the index is not the array; NaN, null and '' are all nothing."""
    if isinstance(stored, list) and column.values == stored:
        return np.zeros(0, np.intp)
    if not isinstance(stored, list) and all(isinstance(value, float) for value in column.values):
        listed, numbers = np.array(column.values), stored.astype(np.float64)
        return np.flatnonzero((listed != numbers) & ~(np.isnan(listed) & np.isnan(numbers)))
    pairs = zip(column.values, stored if isinstance(stored, list) else stored.tolist(), strict=True)
    return np.array([i for i, (listed, value) in enumerate(pairs) if not _equal(listed, value)], np.intp)


def _equal(listed: Any, value: Any) -> bool:
    # Only NaN differs from itself.
    return bool(listed == value) or ((listed in (None, "") or listed != listed) and (value == "" or value != value))


def _column(column: pa.Array) -> IndexColumn:
    values = column.to_pylist()
    null = [value is None for value in values] if column.null_count else np.zeros(len(values))
    return IndexColumn(values, np.array(null, np.bool_))

"""What a file of arrays says about one of them, and the limits within which it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import CorruptFits, RefusedProduct
from spectral_zarr.model.source import UNPACKED_BYTES

Block = Mapping[str, Sequence[Any] | NDArray[Any]]
"""Values of some arrays for consecutive rows; an array of pixels has an array for each row."""

RAGGED = -1
"""In place of the number of pixels where it differs from row to row."""

WHOLE_BYTES = 512 << 20
"""Largest array that is read at once: a wavelength axis, or rows that cannot be told apart."""
_LARGEST_RATIO = 100
"""Bytes that an array may have for each that it takes in the file: it is read by rows."""
CHUNK_BYTES = 256 << 20
MOST_COLUMNS = 10_000


@dataclass(frozen=True, slots=True)
class ArrayColumn:
    """One array of a file.

    Attributes
    ----------
    name : str
        With its groups, separated by ``/``.
    shape : tuple of int
        Shape; the pixels of rows of unequal length are `RAGGED`.
    kind : str
        Kind of the dtype as in NumPy; ``U`` for text, ``O`` for what is not read.
    itemsize : int
        Bytes of one value in memory.
    stored : int
        Bytes that it takes in the file.
    unit : str
        Unit that the file gives, '' without one.
    names : tuple of str
        Names of the columns of a table of parameters.
    field : str
        Field of a structured array, the end of `name`; '' for an array that stands alone.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    itemsize: int
    stored: int
    unit: str = ""
    names: tuple[str, ...] = ()
    field: str = ""

    @property
    def numeric(self) -> bool:
        """Whether it holds real numbers."""
        return self.kind in "fiu"

    @property
    def nbytes(self) -> int:
        """Bytes in memory, without bound on the integer."""
        total = self.itemsize
        for length in self.shape:
            total *= abs(length)
        return total


class ArrayStore(ABC):
    """An open file of arrays, closed at the end of a ``with`` block.

    Attributes
    ----------
    columns : dict of str to ArrayColumn
        The arrays in the file.
    facts : dict of str to str
        Text about the file, by names in lower case.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns: dict[str, ArrayColumn] = {}
        self.facts: dict[str, str] = {}
        try:
            self.list_columns()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    @abstractmethod
    def list_columns(self) -> None:
        """Fill `columns` and `facts` without reading any array of numbers."""

    @abstractmethod
    def whole(self, name: str) -> NDArray[Any]:
        """All values of one array."""

    @abstractmethod
    def rows(self, names: Sequence[str], block_bytes: int) -> Iterator[Block]:
        """Blocks of about `block_bytes` bytes of arrays that agree in their first axis."""

    def rows_per_block(self, names: Sequence[str], block_bytes: int) -> int:
        """Rows of some arrays that take about `block_bytes` bytes, one at least."""
        n_rows = max(self.columns[names[0]].shape[0], 1)
        row_bytes = sum(-(-self.columns[name].nbytes // n_rows) for name in names)
        return max(1, block_bytes // max(row_bytes, 1))


def check_size(column: ArrayColumn, nbytes: int, file_size: int, path: str) -> None:
    """Refuse an array whose values cannot be in the bytes that it takes in the file.

    Parameters
    ----------
    column : ArrayColumn
        The array.
    nbytes : int
        Bytes that it declares, or that were read of it.
    file_size, path
        Bytes of the file and its name.

    Raises
    ------
    CorruptFits
    """
    stored = min(column.stored, file_size)
    if nbytes > max(UNPACKED_BYTES, _LARGEST_RATIO * stored):
        message = f"{column.name} declares {nbytes} bytes and takes {stored}; the file is damaged"
        raise CorruptFits(message, path=path)


def check_whole(column: ArrayColumn, path: str) -> None:
    """Refuse to read a large array at once.

    Raises
    ------
    RefusedProduct
    """
    if column.nbytes > WHOLE_BYTES:
        message = f"{column.name} takes {column.nbytes} bytes and cannot be read by rows; save it in C order"
        raise RefusedProduct(message, path=path)


def as_text(value: Any) -> str:
    """Text of a scalar as files of arrays hold it."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

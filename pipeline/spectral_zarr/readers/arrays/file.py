"""A file of arrays: recognised by its first bytes, listed at once, read by blocks of rows."""

from __future__ import annotations

import errno
import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from spectral_zarr.errors import CorruptFits, Unreadable
from spectral_zarr.model import SourceFile
from spectral_zarr.readers.arrays.column import ArrayStore, Block, as_text
from spectral_zarr.readers.raw import RawFile

BLOCK_BYTES = 32 << 20
"""Values of all arrays together that a block of rows holds, about."""

MOST_NAMES = 1000

_ENVIRONMENT = (errno.ENFILE, errno.EMFILE, errno.ENOMEM)


def _npz(path: str, name: str) -> ArrayStore:
    from spectral_zarr.readers.arrays.npz import NpzStore

    return NpzStore(path, name)


def _hdf5(path: str, name: str) -> ArrayStore:
    from spectral_zarr.readers.arrays.hdf5 import Hdf5Store

    return Hdf5Store(path, name)


def _parquet(path: str, name: str) -> ArrayStore:
    from spectral_zarr.readers.arrays.parquet import ParquetStore

    return ParquetStore(path, name)


_STORES: dict[bytes, Callable[[str, str], ArrayStore]] = {
    b"PK\x03\x04": _npz,
    b"\x89HDF\r\n\x1a\n": _hdf5,
    b"PAR1": _parquet,
}


def is_array_file(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a NumPy archive, HDF5 or Parquet."""
    return head.startswith(tuple(_STORES))


class ArrayFile(RawFile):
    """A NumPy archive, HDF5 or Parquet file, whose values stay on disk.

    Attributes
    ----------
    columns : mapping of str to ArrayColumn
        The arrays in the file.
    facts : mapping of str to str
        Text about the file, by names in lower case.
    lists : mapping of str to tuple of str
        Arrays of names in the file, by their own names in lower case.

    Raises
    ------
    CorruptFits
        When it cannot be read as what its first bytes say.
    """

    def __init__(self, raw: bytes, name: str, path: str = "", companions: tuple[SourceFile, ...] = ()) -> None:
        super().__init__(raw, name, path, companions)
        if not path:
            raise Unreadable("a file of arrays is read from disk only", path=name)
        self.size = Path(path).stat().st_size
        self._open = next(store for magic, store in _STORES.items() if raw.startswith(magic))
        with self._opened() as store:
            self.columns = dict(store.columns)
            self.facts = dict(store.facts)
            self.lists = {
                name.lower(): tuple(map(as_text, store.whole(name)))
                for name, column in self.columns.items()
                if column.kind == "U" and len(column.shape) == 1 and name.lower().endswith("names")
                if column.shape[0] <= MOST_NAMES
            }

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the bytes on disk."""
        with Path(self.path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def whole(self, name: str) -> NDArray[Any]:
        """All values of one array.

        Raises
        ------
        RefusedProduct
            When it is too large for that.
        CorruptFits
            When its values cannot be read.
        """
        with self._opened() as store:
            return store.whole(name)

    def rows(self, names: Sequence[str], block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, Block]]:
        """First row and values of blocks of rows, in a memory that does not depend on their number.

        Parameters
        ----------
        names : sequence of str
            Arrays with one length of the first axis.
        block_bytes : int
            Bytes of a block, about.

        Raises
        ------
        CorruptFits
            When values cannot be read.
        """
        first = 0
        with self._opened() as store:
            for block in store.rows(names, block_bytes):
                yield first, block
                first += len(block[names[0]])

    @contextmanager
    def _opened(self) -> Iterator[ArrayStore]:
        try:
            with self._open(self.path, self.name) as store:
                yield store
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
                raise
            raise CorruptFits(f"the arrays cannot be read: {error}; fetch the file again", path=self.name) from error
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
            raise CorruptFits(f"the arrays cannot be read: {error}; fetch the file again", path=self.name) from error

    def describe(self) -> str:
        """Names and shapes of the arrays in one line, for messages."""
        parts = [f"{column.name} {'x'.join(map(str, column.shape)) or 'scalar'}" for column in self.columns.values()]
        return "; ".join(parts[:12]) + ("; ..." if len(parts) > 12 else "")

"""Opening a store so that it stays the same one while it is read, even when another one takes its name."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Self
from weakref import finalize

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from spectral_zarr.errors import StoreChanged, UsageError
from spectral_zarr.store.fsops import ROOT_DOCUMENTS
from spectral_zarr.store.identity import build_id

_TRIES = 1000


class PinnedStore(LocalStore):
    """A read-only Zarr store, pinned by a descriptor of its directory.

    Parameters
    ----------
    path : str or Path
        Directory of the store.

    Attributes
    ----------
    path : Path
        What was opened.
    build_id : str
        Digest of the plan that the store was built from, '' for stores of other writers.

    Raises
    ------
    UsageError
        When there is no Zarr store.
    StoreChanged
        When the store was removed while it was being opened.

    Notes
    -----
    A chunk without a file is all fill value. So is, to zarr-python, one that was just deleted; reading one from a store
    whose root documents are gone therefore raises `StoreChanged`. A pickled store opens the path again, and raises
    `StoreChanged` when another store is there.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        descriptor = _open(self.path)
        root = Path(f"/proc/self/fd/{descriptor}")
        super().__init__(root, read_only=True)
        self._inode = os.fstat(descriptor).st_ino
        self._close = finalize(self, os.close, descriptor)
        self._documents = tuple(name for name in ROOT_DOCUMENTS if (root / name).exists())
        self.build_id = build_id(root)
        # A removal takes the root documents first, perhaps since they were seen.
        self._check()

    def is_current(self) -> bool:
        """Whether the path still names this store."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def with_read_only(self, read_only: bool = False) -> Self:
        """This store, which cannot be made writable."""
        if not read_only:
            raise UsageError("a pinned store is read-only", path=str(self.path))
        return self

    def close(self) -> None:
        """Let the store go; it cannot be read any more."""
        super().close()
        self._close()

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The bytes of a key, None when the store does not have it."""
        found = await super().get(key, prototype, byte_range)
        if found is None:
            self._check()
        return found

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of the bytes of several keys."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether the store has a key."""
        found = await super().exists(key)
        if not found:
            self._check()
        return found

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names below a prefix."""
        async for name in super().list_dir(prefix):
            yield name
        self._check()

    def _check(self) -> None:
        if not self._close.alive:
            raise StoreChanged("the store was closed; open it again", path=str(self.path))
        if not self._documents or not all((self.root / name).exists() for name in self._documents):
            raise StoreChanged("it was removed or replaced while it was read; open it again", path=str(self.path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PinnedStore) and (self.path, self._inode) == (other.path, other._inode)

    def __hash__(self) -> int:
        return hash((self.path, self._inode))

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self._inode, self.build_id)

    def __str__(self) -> str:
        return f"file://{self.path.as_posix()}"

    def __repr__(self) -> str:
        return f"PinnedStore('{self.path}')"


def open_store(path: str | Path) -> PinnedStore:
    """Open a store of any writer for reading, so that old and new are never mixed when it is replaced.

    Parameters
    ----------
    path : str or Path
        Directory of the store.

    Returns
    -------
    PinnedStore
        To be given to ``zarr.open_group(store, mode="r")`` or ``xarray.open_zarr(store, group="signal")``.

    Raises
    ------
    UsageError
        When there is no Zarr store.
    """
    return PinnedStore(path)


def _open(path: Path) -> int:
    for _ in range(_TRIES):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"no Zarr store: {error.strerror}", path=str(path)) from error
        root = Path(f"/proc/self/fd/{descriptor}")
        if any((root / name).is_file() for name in ROOT_DOCUMENTS):
            return descriptor
        inode = os.fstat(descriptor).st_ino
        os.close(descriptor)
        # Between opening and looking, the store may have been replaced and its documents removed.
        if not path.exists() or path.stat().st_ino == inode:
            break
    raise UsageError("no Zarr store: it has no root document", path=str(path))


def _reopen(path: Path, inode: int, build: str) -> PinnedStore:
    store = PinnedStore(path)
    if store._inode != inode or store.build_id != build:
        raise StoreChanged("another store has taken its place; open it again", path=str(path))
    return store

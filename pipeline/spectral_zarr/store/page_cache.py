"""Emptying the page cache of single files, so that reads come from the file system and not from memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from spectral_zarr.model.trial import Cache
from spectral_zarr.store.fsops import translated

TRIES = 20


def drop_cached(root: Path) -> Cache:
    """Ask the kernel to forget the pages of every file below a directory; see `drop_files`."""
    with translated(root):
        return drop_files(Path(directory) / name for directory, _, names in os.walk(root) for name in names)


def drop_files(paths: Iterable[Path]) -> Cache:
    """Ask the kernel to forget the pages of files, which must have been synced.

    Returns
    -------
    {'cold', 'asked', 'warm'}
        Whether the largest file is then seen to be out of memory, cannot be looked at, or is still in memory.

    Notes
    -----
    ``posix_fadvise(POSIX_FADV_DONTNEED)`` needs no privilege and leaves the files of others alone. It reaches the
    memory of this machine only, not the caches of a file server or of a disk.
    """
    if not hasattr(os, "posix_fadvise"):
        return "warm"
    largest, size = None, 0
    for path in paths:
        nbytes = _forget(path)
        if nbytes > size:
            largest, size = path, nbytes
    if largest is None:
        return "warm"
    state: Cache = "warm"
    for _ in range(TRIES):
        if (state := _look(largest)) != "warm":
            break
        # Pages that another core has just read are not let go at once.
        _forget(largest)
    # A look that finds nothing may have begun to read ahead.
    _forget(largest)
    return state


def _forget(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _look(path: Path) -> Cache:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return "cold"
    except OSError:
        # Some network file systems do not know reads that must not wait.
        return "asked"
    finally:
        os.close(descriptor)
    return "warm"

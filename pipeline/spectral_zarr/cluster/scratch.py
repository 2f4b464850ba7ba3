"""A bounded directory for measurements, which leave nothing behind."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spectral_zarr.errors import DiskFull, UsageError
from spectral_zarr.store.fsops import free_bytes, translated

SCRATCH = ".spectral-zarr-bench-"


@contextmanager
def scratch(parent: Path, needed: int) -> Iterator[Path]:
    """A directory of our own below an existing one, gone afterwards whatever happens.

    Parameters
    ----------
    parent : Path
        Directory on the file system to measure.
    needed : int
        Bytes that will be in it at one time. Whoever writes there must be gone when the block ends.

    Raises
    ------
    UsageError
        When the parent is no directory.
    DiskFull
        When the bytes do not fit; nothing was written.
    """
    if not parent.is_dir():
        raise UsageError("--path must be an existing directory", path=str(parent))
    free = free_bytes(parent)
    if needed > free:
        message = f"this needs {needed / 1e9:.1f} GB at one time and {free / 1e9:.1f} GB are free; give --limit"
        raise DiskFull(message, path=str(parent))
    with translated(parent):
        directory = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=parent))
    try:
        yield directory
    finally:
        with _uninterrupted():
            shutil.rmtree(directory)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    # A second Ctrl-C would leave half of the directory behind.
    signals = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

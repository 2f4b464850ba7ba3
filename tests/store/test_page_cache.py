"""Files leave the page cache, as a read that must not wait shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spectral_zarr.store.page_cache import drop_cached


def in_memory(path: Path) -> bool:
    """Whether the first byte can be had without waiting for a disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def test_synced_files_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    paths = [tmp_path / "a", *(tmp_path / "below" / str(number) for number in range(20))]
    for path in paths:
        with path.open("wb") as file:
            file.write(os.urandom(1 << 16))
            file.flush()
            os.fsync(file.fileno())
    try:
        assert all(in_memory(path) for path in paths)
    except OSError as error:
        pytest.skip(f"this file system cannot be asked: {error}")
    if drop_cached(tmp_path) == "warm":
        pytest.skip("this file system keeps its files in memory")
    # The kernel keeps what its journal still holds.
    assert sum(in_memory(path) for path in paths) < len(paths) / 2


def test_nothing_is_warm(tmp_path: Path) -> None:
    assert drop_cached(tmp_path) == "warm"

"""The file-system calls of a build as one value that tests replace, and its named steps, at which tests stop it."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2


class Step(StrEnum):
    """Steps of a build that a crash may follow; the value is the event in the log of the build."""

    CLAIMED = "claimed"
    FILE_WRITTEN = "file-written"
    FILE_SYNCED = "file-synced"
    FILE_REPLACED = "file-replaced"
    STAGED = "staged"
    PLANNED = "planned"
    INITIALISED = "initialised"
    BLOCK_BUFFERED = "block-buffered"
    FILLED = "filled"
    COLUMNS_WRITTEN = "columns-written"
    INDEX_WRITTEN = "index-written"
    FINALISED = "finalised"
    VALIDATED = "validated"
    QUIESCED = "quiesced"
    TREE_SYNCED = "tree-synced"
    INTENT_WRITTEN = "intent-written"
    OLD_MOVED = "old-moved"
    RENAMED = "renamed"
    PARENT_SYNCED = "parent-synced"
    RECORDED = "recorded"
    OLD_REMOVED = "old-removed"
    PUBLISHED = "published"


def _renameat2(source: str, target: str, flags: int) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), source, None, target)
    if function(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(flags)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), source, None, target)


def _rename_new(source: str, target: str) -> None:
    _renameat2(source, target, _NOREPLACE)


def _exchange(one: str, other: str) -> None:
    _renameat2(one, other, _EXCHANGE)


@dataclass(frozen=True, slots=True)
class FileCalls:
    """Every call by which a build changes the file system, and those that make changes durable.

    Attributes
    ----------
    rename_new : callable
        Rename that never replaces anything.
    exchange : callable
        Exchange of two names in one step.
    """

    open: Callable[..., int] = os.open
    write: Callable[..., int] = os.write
    fsync: Callable[[int], None] = os.fsync
    close: Callable[[int], None] = os.close
    mkdir: Callable[[str], None] = os.mkdir
    link: Callable[[str, str], None] = os.link
    rename: Callable[[str, str], None] = os.rename
    rename_new: Callable[[str, str], None] = _rename_new
    exchange: Callable[[str, str], None] = _exchange
    unlink: Callable[[str], None] = os.unlink
    rmtree: Callable[..., Any] = shutil.rmtree


SYNC_THREADS = 8
"""Files that are made durable side by side: a file system takes those that wait together into one commit."""

_REAL = FileCalls()
_calls = _REAL
_hook: Callable[[Step], None] | None = None


def calls() -> FileCalls:
    """The calls in use."""
    return _calls


def sync_threads() -> int:
    """Threads that may sync at once; one where the calls are replaced, so that their order is that of the program."""
    return SYNC_THREADS if _calls is _REAL else 1


@contextmanager
def replaced(other: FileCalls) -> Iterator[None]:
    """Use other calls in this process for the duration of the block."""
    global _calls
    before, _calls = _calls, other
    try:
        yield
    finally:
        _calls = before


def reached(step: Step) -> None:
    """Say that a step has been reached."""
    if _hook is not None:
        _hook(step)


@contextmanager
def hooked(hook: Callable[[Step], None]) -> Iterator[None]:
    """Call `hook` at every step that this process reaches during the block."""
    global _hook
    before, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = before

"""The file-system calls of the store: durable writes, exclusive creation, rename and removal."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spectral_zarr.errors import DiskFull, EnvironmentFault, StagingBusy, TargetExists
from spectral_zarr.store.paths import PARTIAL

_TRASH = ".trash-"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def translated(path: str | Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into an `EnvironmentFault` with a remedy."""
    try:
        yield
    except OSError as error:
        where = str(error.filename or path)
        if error.errno in _NO_SPACE:
            message = "no space, quota or inodes left; free some and run the same command with --resume"
            raise DiskFull(message, path=where) from error
        message = f"{error.strerror or error}; mend it and run the same command with --resume"
        raise EnvironmentFault(message, path=where) from error


def write_durable(path: Path, payload: bytes | memoryview) -> None:
    """Write a whole file so that after a crash it is absent, old or complete.

    A unique partial file is written, synced and renamed over `path`. The directory is not synced.
    """
    write_stream_durable(path, lambda descriptor: _write_all(descriptor, payload))


def write_stream_durable(path: Path, write: Callable[[int], None]) -> None:
    """Like `write_durable`, for content that `write` sends to a file descriptor."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    with translated(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            try:
                write(descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _write_all(descriptor: int, payload: bytes | memoryview) -> None:
    view = memoryview(payload)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable."""
    with translated(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Make every file and directory below `root` durable, leaves first."""
    with translated(root):
        for directory, _, files in os.walk(root, topdown=False):
            for name in files:
                descriptor = os.open(Path(directory) / name, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            sync_directory(Path(directory))


def create_exclusive(path: Path) -> None:
    """Create a directory, which elects exactly one winner among racing builds.

    Raises
    ------
    StagingBusy
        When it exists.
    """
    with translated(path):
        try:
            path.mkdir()
        except FileExistsError:
            raise StagingBusy("another build holds this target", path=str(path)) from None


def rename_new(source: Path, target: Path) -> None:
    """Rename a directory to a name that must not exist.

    Raises
    ------
    TargetExists
        When anything is at `target`.
    """
    if target.exists() or target.is_symlink():
        raise TargetExists("something was put there meanwhile; move it away, then use --resume", path=str(target))
    with translated(target):
        try:
            source.rename(target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise TargetExists("the target appeared during the build", path=str(target)) from error
            raise


def remove_aside(path: Path) -> None:
    """Remove a directory tree after renaming it, so that no writer finds it and a half-removed tree has no meaning."""
    aside = path.with_name(f"{path.name}{_TRASH}{uuid.uuid4().hex[:8]}")
    with translated(path):
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside)


def remove_leftovers(path: Path) -> None:
    """Remove what `remove_aside` left of this path when it was killed."""
    for aside in path.parent.glob(f"{glob.escape(path.name)}{_TRASH}*"):
        shutil.rmtree(aside, ignore_errors=True)


def free_bytes(path: Path) -> int:
    """Bytes that an unprivileged writer may still use on the file system of `path`."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def tree_size(root: Path) -> tuple[int, int]:
    """Number of files and their bytes below `root`."""
    files = nbytes = 0
    for directory, _, names in os.walk(root):
        files += len(names)
        nbytes += sum((Path(directory) / name).stat().st_size for name in names)
    return files, nbytes

"""The file-system operations of the store: durable writes, exclusive creation, rename, exchange and removal."""

from __future__ import annotations

import errno
import glob
import os
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from spectral_zarr.errors import TRANSIENT_ERRNOS, DiskFull, EnvironmentFault, TargetExists, TransientFault
from spectral_zarr.store.calls import Step, calls, reached, sync_threads
from spectral_zarr.store.paths import PARTIAL

_TRASH = ".trash-"
_SYNCED_AT_ONCE = 1024
ROOT_DOCUMENTS = ("zarr.json", ".zgroup", ".zattrs", ".zmetadata")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM, errno.EMLINK)


@contextmanager
def translated(path: str | Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into an `EnvironmentFault` with a remedy."""
    try:
        yield
    except OSError as error:
        where = _named(str(error.filename or path))
        if error.errno in _NO_SPACE:
            again = "free some and run the same command again, ingest with --resume"
            message = f"{_exhausted(error.errno, Path(where))}; {again}"
            raise DiskFull(message, path=where) from error
        message = f"{error.strerror or error}; mend it and run the same command again, ingest with --resume"
        kind = TransientFault if error.errno in TRANSIENT_ERRNOS else EnvironmentFault
        raise kind(message, path=where) from error


def _exhausted(number: int | None, path: Path) -> str:
    """What is used up where something was to be written, in words."""
    if number == errno.EDQUOT:
        return "the quota is used up"
    try:
        status = os.statvfs(path if path.exists() else path.parent)
    except OSError:
        return "no space or no inodes are left"
    if status.f_files and not status.f_favail:
        return "no inodes are left: the file system allows no more files, however small"
    return "no space is left"


def _named(path: str) -> str:
    """The name of a path that goes through a pinned directory."""
    pin = re.match(r"/proc/self/fd/\d+", path)
    try:
        return path if pin is None else str(Path(pin[0]).readlink()) + path[pin.end() :]
    except OSError:
        return path


def write_all(descriptor: int, payload: bytes | memoryview) -> None:
    """Write everything, however little each call takes."""
    view = memoryview(payload).cast("B")
    while view:
        view = view[calls().write(descriptor, view) :]


class Sink:
    """A file-like sink that counts and checksums what passes through it, see `open_sink`.

    Attributes
    ----------
    size, crc32c : int
        Bytes that were written, and their checksum.
    """

    closed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._open = True
        self.size = 0
        self.crc32c = 0

    def write(self, data: Any) -> int:
        """Write all of `data`; when the file is closed, nothing."""
        view = memoryview(data).cast("B")
        if not self._open:
            return len(view)
        if view:
            # An array of its memory, because the checksum takes no memoryview and bytes would be a copy.
            self.crc32c = google_crc32c.extend(self.crc32c, np.frombuffer(view, np.uint8))
        self.size += len(view)
        write_all(self._descriptor, view)
        return len(view)

    def flush(self) -> None:
        """Nothing is buffered here."""

    def close(self) -> None:
        """The descriptor belongs to whoever opened it."""

    def detach(self) -> None:
        """Write nothing any more: by then, the descriptor may be that of another file."""
        self._open = False


def write_durable(path: Path, payload: bytes | memoryview) -> None:
    """Write a whole file so that after a crash it is absent, old or complete.

    A unique partial file is written, synced and renamed over `path`. The directory is not synced, and never made:
    a writer that outlived its build must not bring a removed tree back.
    """
    with _open_durable(path) as descriptor:
        write_all(descriptor, payload)


@contextmanager
def open_sink(path: Path) -> Iterator[Sink]:
    """Like `write_durable`, for content that the block writes to a file-like object.

    A library that was interrupted may try to end its file long after the block, when it is collected.
    """
    with _open_durable(path) as descriptor:
        sink = Sink(descriptor)
        try:
            yield sink
        finally:
            sink.detach()


@contextmanager
def _open_durable(path: Path) -> Iterator[int]:
    partial = str(_partial(path))
    with translated(path):
        descriptor = calls().open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            try:
                yield descriptor
                reached(Step.FILE_WRITTEN)
                calls().fsync(descriptor)
                reached(Step.FILE_SYNCED)
            finally:
                calls().close(descriptor)
            calls().rename(partial, str(path))
            reached(Step.FILE_REPLACED)
        except BaseException:
            _unlink_quietly(partial)
            raise


def create_durable(path: Path, payload: bytes) -> bool:
    """Make a file with its whole content, unless it exists; among racing writers exactly one succeeds."""
    partial = str(_partial(path))
    with translated(path):
        write_durable(Path(partial), payload)
        made = True
        try:
            calls().link(partial, str(path))
        except OSError:
            if not path.exists():
                raise
            # The reply to a link that was made may be lost; then both names are the same file.
            made = Path(partial).exists() and path.samefile(partial)
        finally:
            _unlink_quietly(partial)
        sync_directory(path.parent)
    return made


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")


def _unlink_quietly(path: str) -> None:
    # What cannot be removed is removed with all partial files before the store is published.
    try:
        calls().unlink(path)
    except OSError:
        return


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file that has one writer."""
    descriptor = calls().open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        write_all(descriptor, line)
    finally:
        calls().close(descriptor)


def write_plain(path: Path, payload: bytes) -> None:
    """Write a file that `sync_tree` makes durable later."""
    with translated(path):
        descriptor = calls().open(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            write_all(descriptor, payload)
        finally:
            calls().close(descriptor)


def make_directory(path: Path) -> bool:
    """Make a directory; whether it is new."""
    with translated(path):
        try:
            calls().mkdir(str(path))
        except FileExistsError:
            if not path.is_dir():
                raise
            return False
    return True


def make_directories(path: Path, root: Path) -> None:
    """Make a directory and its parents below `root`, which must exist."""
    for parent in [*reversed(path.relative_to(root).parents), path.relative_to(root)]:
        if parent != Path():
            make_directory(root / parent)


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def sync_tree(root: Path) -> None:
    """Make every file below `root` durable, then every directory, several side by side."""
    files = (Path(directory) / name for directory, _, names in os.walk(root) for name in names)
    directories = (Path(directory) for directory, _, _ in os.walk(root))
    with ThreadPoolExecutor(sync_threads()) as pool:
        _sync_each(pool, files, os.O_RDONLY | os.O_CLOEXEC)
        _sync_each(pool, directories, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _sync_each(pool: ThreadPoolExecutor, paths: Iterator[Path], flags: int) -> None:
    # By pieces, because the pool makes an object for each call before the first begins.
    while piece := list(islice(paths, _SYNCED_AT_ONCE)):
        for _ in pool.map(partial(_sync, flags=flags), piece):
            pass


def _sync(path: Path, flags: int) -> None:
    with translated(path):
        descriptor = calls().open(str(path), flags)
        try:
            calls().fsync(descriptor)
        finally:
            calls().close(descriptor)


@contextmanager
def pinned(path: Path) -> Iterator[Path]:
    """A path to a directory that stays the same directory when its name is given to another one.

    Whoever writes through it and outlived its build cannot write into the next build of the same name.
    """
    with translated(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def rename_new(source: Path, target: Path) -> None:
    """Rename a directory to a name that must not exist.

    Raises
    ------
    TargetExists
        When anything is at `target`.
    """
    if os.path.lexists(target):
        raise TargetExists("something was put there meanwhile; move it away, then use --resume", path=str(target))
    with translated(target):
        try:
            try:
                calls().rename_new(str(source), str(target))
            except OSError as error:
                # A plain rename replaces an empty directory; where nothing better exists, the look above must do.
                if error.errno not in _UNSUPPORTED:
                    raise
                calls().rename(str(source), str(target))
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise TargetExists("the target appeared during the build", path=str(target)) from error
            raise


def can_exchange(target: Path) -> bool:
    """Whether two directories beside `target` can exchange their names in one step, found by doing it."""
    one, other = _trash(target), _trash(target)
    with translated(target.parent):
        try:
            for path in (one, other):
                calls().mkdir(str(path))
            calls().exchange(str(one), str(other))
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return False
            raise
        finally:
            for path in (one, other):
                calls().rmtree(str(path), ignore_errors=True)
    return True


def _trash(path: Path) -> Path:
    return path.with_name(f"{path.name}{_TRASH}{uuid.uuid4().hex[:8]}")


def remove_aside(path: Path, beside: Path | None = None) -> None:
    """Remove a directory tree after renaming it, so that no writer finds it and a half-removed tree has no meaning.

    What a killed removal leaves is removed by `remove_leftovers` of `beside`, by default of `path`.
    """
    aside = _trash(beside or path)
    with translated(path):
        try:
            calls().rename(str(path), str(aside))
        except FileNotFoundError:
            if not aside.exists():
                return
        remove_tree(aside)


def remove_tree(root: Path) -> None:
    """Remove a tree, its root documents first: who still reads from it finds out at the first chunk that is missing."""
    for name in ROOT_DOCUMENTS:
        if (root / name).exists():
            calls().unlink(str(root / name))
    calls().rmtree(str(root))


def remove_leftovers(path: Path) -> None:
    """Remove what `remove_aside` left of this path when it was killed."""
    for aside in path.parent.glob(f"{glob.escape(path.name)}{_TRASH}{'[0-9a-f]' * 8}"):
        calls().rmtree(str(aside), ignore_errors=True)


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

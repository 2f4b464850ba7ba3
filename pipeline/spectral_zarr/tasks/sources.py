"""Finding the source files without opening them, and cutting the sorted list into batches by bytes."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from spectral_zarr.config import BuildOptions
from spectral_zarr.errors import NoSources, UsageError
from spectral_zarr.model import Batch, SourceFile
from spectral_zarr.readers import SUFFIXES, beside_pattern, found_pattern, joined_patterns

LEAST_BATCH_BYTES, MOST_BATCH_BYTES, BATCHES_AIMED_AT = 16 << 20, 128 << 20, 32


def scan_sources(sources: Sequence[str]) -> tuple[SourceFile, ...]:
    """List the files to ingest, sorted by the bytes of their names.

    Parameters
    ----------
    sources : sequence of str
        Files, directories (searched recursively), glob patterns, or ``@list.txt`` with one of these per line.

    Returns
    -------
    tuple of SourceFile
        Names are relative to the directory given, or to the common parent of all that was given. Files that are
        one spectrum together by their names are one source, with the first of them in front; files that belong to a
        product and are no spectra, such as the wavelengths of a model grid, are left out.

    Raises
    ------
    NoSources
        When something named does not exist, or nothing is found.
    UsageError
        When one file is named twice, directly or by a hard or symbolic link.
    """
    roots = list(_expand(sources))
    if not roots:
        raise NoSources("no sources were given; name files, directories, patterns or @list.txt")
    parents = [root if root.is_dir() else root.parent for root in roots]
    base = Path(os.path.commonpath(parents))
    prefix = len(os.path.join(base, ""))  # noqa: PTH118 (a million Path objects take minutes)
    found: dict[str, SourceFile] = {}
    identities: dict[tuple[int, int], str] = {}
    beside = beside_pattern()
    for root in roots:
        for path, status in _walk(root) if root.is_dir() else [(str(root), root.stat())]:
            # Names that are not UTF-8 are escaped, so that reports and stores can hold them; the path opens the file.
            name = os.fsencode(path[prefix:]).decode("utf-8", "backslashreplace")
            if beside.fullmatch(name.rpartition("/")[2]):
                continue
            identity = (status.st_dev, status.st_ino)
            if identity in identities:
                if identities[identity] == name:
                    continue
                message = f"it is the same file as {identities[identity]}; name each file once"
                raise UsageError(message, path=name)
            identities[identity] = name
            found[name] = SourceFile(path, name, status.st_size)
    if not found:
        raise NoSources(f"no spectra ({', '.join(SUFFIXES)}) below {', '.join(map(str, roots))}")
    return _joined([found[name] for name in sorted(found, key=str.encode)])


def _joined(files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    groups: dict[tuple[str, ...], list[SourceFile]] = {}
    patterns = joined_patterns()
    for file in files:
        directory, _, name = file.name.rpartition("/")
        match = next((match for pattern in patterns if (match := pattern.fullmatch(name))), None)
        key = (file.name,) if match is None else (directory, match["key"])
        groups.setdefault(key, []).append(file)
    return tuple(replace(first, companions=tuple(others)) for first, *others in groups.values())


def _expand(sources: Iterable[str]) -> Iterator[Path]:
    for source in sources:
        if source.startswith("@"):
            listing = Path(source[1:])
            try:
                lines = listing.read_text().splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise NoSources(f"the list cannot be read: {error}", path=str(listing)) from error
            yield from _expand(line.strip() for line in lines if line.strip() and not line.startswith("#"))
        elif Path(source).exists():
            yield Path(source).absolute()
        elif glob.has_magic(source):
            matches = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 (a pattern may be absolute)
            if not matches:
                raise NoSources("no file matches the pattern", path=source)
            yield from (Path(match).absolute() for match in matches)
        else:
            raise NoSources("there is no such file or directory", path=source)


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    pending = [str(root)]
    known = found_pattern()
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                # Links to directories are not followed: a loop would never end.
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.name.lower().endswith(SUFFIXES) or known.fullmatch(entry.name):
                    try:
                        status = entry.stat()
                    except OSError:
                        status = entry.stat(follow_symlinks=False)
                    if not stat.S_ISDIR(status.st_mode):
                        yield entry.path, status


def make_batches(files: Sequence[SourceFile], options: BuildOptions) -> tuple[Batch, ...]:
    """Cut the files into contiguous batches of similar size in bytes.

    Parameters
    ----------
    files : sequence of SourceFile
        Sorted files.
    options : BuildOptions
        ``batch_bytes`` (0: a 32nd of the input, within 16 to 128 MiB) and ``batch_files``.

    Returns
    -------
    tuple of Batch
        Independent of the number of workers, so that a build can be resumed with any.
    """
    total = sum(file.nbytes for file in files)
    aim = options.batch_bytes or min(max(total // BATCHES_AIMED_AT, LEAST_BATCH_BYTES), MOST_BATCH_BYTES)
    batches: list[Batch] = []
    pending: list[SourceFile] = []
    pending_bytes = 0
    for file in files:
        if pending and (pending_bytes + file.nbytes > aim or len(pending) >= options.batch_files):
            batches.append(Batch(len(batches), tuple(pending)))
            pending, pending_bytes = [], 0
        pending.append(file)
        pending_bytes += file.nbytes
    if pending:
        batches.append(Batch(len(batches), tuple(pending)))
    return tuple(batches)

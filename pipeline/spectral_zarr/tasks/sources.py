"""Finding the source files without opening them, and cutting the sorted list into batches by bytes."""

from __future__ import annotations

import glob
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import islice
from operator import itemgetter
from pathlib import Path

import numpy as np

from spectral_zarr.config import BuildOptions
from spectral_zarr.errors import NoSources, UsageError
from spectral_zarr.model import Batch, Part, SourceFile, SourceFiles
from spectral_zarr.readers import PLAIN_SUFFIXES, SUFFIXES, beside_pattern, found_pattern, joined_patterns

See = Callable[[str, os.stat_result], None]

LEAST_BATCH_BYTES, MOST_BATCH_BYTES, BATCHES_AIMED_AT = 64 << 20, 128 << 20, 32


def scan_sources(sources: Sequence[str], limit: int = 0) -> SourceFiles:
    """List the files to ingest, sorted by the bytes of their names.

    Parameters
    ----------
    sources : sequence of str
        Files, directories (searched recursively), glob patterns, or ``@list.txt`` with one of these per line.
    limit : int
        Only the first sources, 0 for all; nothing is asked of the file system about the others but their names.

    Returns
    -------
    SourceFiles
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
    parents = [str(root if root.is_dir() else root.parent) for root in roots]
    base = os.path.commonpath(parents)
    wanted = _wanted(roots, base)
    # Eight bytes for each file: who is the same as whom is only asked when two of them agree.
    identities = array("q")
    listed = _listed(base, "", wanted, lambda name, status: identities.append(_identity(status)))
    files = SourceFiles(islice(listed, limit) if limit else listed)
    if not files:
        raise NoSources(f"no spectra ({', '.join(SUFFIXES)}) below {', '.join(map(str, roots))}")
    held = np.sort(np.frombuffer(identities, np.int64))
    repeated = set(held[1:][held[1:] == held[:-1]].tolist())
    if repeated:
        _refuse_twins(base, wanted, repeated)
    return files


def _identity(status: os.stat_result) -> int:
    return hash((status.st_dev, status.st_ino))


def _refuse_twins(base: str, wanted: _Wanted, repeated: set[int]) -> None:
    known: dict[tuple[int, int], str] = {}

    def look(name: str, status: os.stat_result) -> None:
        if _identity(status) not in repeated:
            return
        first = known.setdefault((status.st_dev, status.st_ino), name)
        if first != name:
            raise UsageError(f"it is the same file as {first}; name each file once", path=name)

    deque(_listed(base, "", wanted, look), maxlen=0)


@dataclass(slots=True)
class _Wanted:
    """What is wanted of a directory: all of it, or some files, and what of the directories below it."""

    whole: bool = False
    files: set[str] = field(default_factory=set)
    below: dict[str, _Wanted] = field(default_factory=dict)


def _wanted(roots: Iterable[Path], base: str) -> _Wanted:
    top = _Wanted()
    depth = len(Path(base).parts)
    for root in roots:
        whole = root.is_dir()
        *directories, name = root.parts[depth:] if not whole else (*root.parts[depth:], "")
        place = top
        for directory in directories:
            place = place.below.setdefault(directory, _Wanted())
        if whole:
            place.whole = True
        else:
            place.files.add(name)
    return top


def _listed(path: str, prefix: str, wanted: _Wanted, see: See) -> Iterator[SourceFile]:
    """Files below a directory, sorted by the bytes of their names; the names of one directory are held."""
    names, below = _entries(path, wanted)
    files = _joined(path, prefix, names, see)
    if not below:
        yield from files
        return
    directories = {f"{prefix}{_escaped(name)}/": name for name in below}
    places: Iterator[tuple[bytes, SourceFile | str]] = merge(
        ((file.name.encode(), file) for file in files),
        # With the separator, a directory stands where the names of the files in it do.
        sorted((name.encode(), name) for name in directories),
        key=itemgetter(0),
    )
    for _, place in places:
        if isinstance(place, SourceFile):
            yield place
        else:
            name = directories[place]
            yield from _listed(os.path.join(path, name), place, below[name], see)  # noqa: PTH118


def _escaped(name: str) -> str:
    # Names that are not UTF-8 are escaped, so that reports and stores can hold them; the path opens the file.
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _entries(path: str, wanted: _Wanted) -> tuple[set[str], dict[str, _Wanted]]:
    """Names of the files that are wanted of a directory, and the directories in which more are."""
    beside, known = beside_pattern(), found_pattern()

    def is_source(name: str) -> bool:
        return not beside.fullmatch(_escaped(name))

    names, below = set(filter(is_source, wanted.files)), dict(wanted.below)
    if wanted.whole:
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                # Links to directories are not followed: a loop would never end.
                if entry.is_dir(follow_symlinks=False):
                    below[name] = replace(below.get(name, _Wanted()), whole=True)
                elif (
                    (name.lower().endswith(SUFFIXES) or known.fullmatch(name))
                    and is_source(name)
                    and not _leads_to_directory(entry)
                ):
                    names.add(name)
    return names, below


def _leads_to_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False


def _joined(path: str, prefix: str, names: Iterable[str], see: See) -> Iterator[SourceFile]:
    """The files of one directory in order, where those that are one spectrum together are one."""

    def file_of(name: str) -> SourceFile:
        place, escaped = os.path.join(path, name), prefix + _escaped(name)  # noqa: PTH118
        status = status_of(place)
        if status is not None:
            see(escaped, status)
        return SourceFile(place, escaped, status.st_size if status is not None else 0)

    # Strings are ordered like their bytes in UTF-8.
    ordered = sorted(names, key=_escaped)
    groups: dict[str, list[str]] = {}
    members: dict[str, str] = {}
    patterns = joined_patterns()
    for name in ordered:
        match = next((match for pattern in patterns if (match := pattern.fullmatch(_escaped(name)))), None)
        if match is not None:
            members[name] = match["key"]
            group = groups.setdefault(match["key"], [])
            group.insert(0 if match.groupdict().get("lead") else len(group), name)
    for name in ordered:
        first, *others = groups[members[name]] if name in members else [name]
        if name == first:
            file = file_of(name)
            yield replace(file, companions=tuple(map(file_of, others))) if others else file


def status_of(path: str) -> os.stat_result | None:
    """Status of a file, or of a link that leads nowhere; None when there is none, which whoever opens it reports."""
    for look in (os.stat, os.lstat):
        with suppress(OSError):
            return look(path)
    return None


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


def files_of_batch(nbytes: float, options: BuildOptions) -> float:
    """Files of `nbytes` each in a batch, when there are very many."""
    return max(1.0, min((options.batch_bytes or MOST_BATCH_BYTES) / max(nbytes, 1.0), options.batch_files))


def _parts(files: Iterable[SourceFile], aim: int) -> Iterator[SourceFile]:
    """The files in order, those with room for several batches in parts; packed files are read whole."""
    for file in files:
        count = file.size // aim
        if count < 2 or file.companions or not file.name.lower().endswith(PLAIN_SUFFIXES):
            yield file
            continue
        for number in range(1, count + 1):
            yield replace(file, part=Part(number, count))


def make_batches(files: SourceFiles, options: BuildOptions) -> tuple[Batch, ...]:
    """Cut the files into contiguous batches of similar size in bytes.

    Parameters
    ----------
    files : SourceFiles
        Sorted files; of one that is larger than two batches, each batch has a part.
    options : BuildOptions
        ``batch_bytes`` (0: a 32nd of the input, within 64 to 128 MiB) and ``batch_files``.

    Returns
    -------
    tuple of Batch
        Independent of the number of workers, so that a build can be resumed with any.
    """
    aim = options.batch_bytes or min(max(files.nbytes // BATCHES_AIMED_AT, LEAST_BATCH_BYTES), MOST_BATCH_BYTES)
    batches: list[Batch] = []
    pending: list[SourceFile] = []
    pending_bytes = 0
    for file in _parts(files, aim):
        if pending and (pending_bytes + file.nbytes > aim or len(pending) >= options.batch_files):
            batches.append(Batch(len(batches), SourceFiles(pending)))
            pending, pending_bytes = [], 0
        pending.append(file)
        pending_bytes += file.nbytes
    if pending:
        batches.append(Batch(len(batches), SourceFiles(pending)))
    return tuple(batches)

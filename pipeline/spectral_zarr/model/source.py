"""Source files, the batches they are staged in, and the record of what was rejected."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, overload

from spectral_zarr.errors import LeftOut
from spectral_zarr.model.part import WHOLE, Part

PIECE = 4096
"""Files that are unpacked at one time."""


UNPACKED_BYTES = 64 << 20
"""What a compressed file may always unpack to."""

UNPACKED_RATIO = 10
"""Bytes that a compressed file may unpack to for each of its own: noise in float32 packs to a half or a quarter."""

_PACKED = (".gz", ".bz2", ".fz")


def most_unpacked(nbytes: int) -> int:
    """Bytes that compressed ones may unpack to: readers refuse more, and plans promise memory for as much."""
    return max(UNPACKED_BYTES, UNPACKED_RATIO * nbytes)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest: where it is, how it is named in the store, and how long it was when listed.

    Attributes
    ----------
    companions : tuple of SourceFile
        Further files of the same spectrum, such as its other arms, sorted by name.
    part : Part
        Of a large table with a spectrum in each row, the part of the rows that is meant.
    """

    path: str
    name: str
    size: int
    companions: tuple[SourceFile, ...] = ()
    part: Part = WHOLE

    @property
    def nbytes(self) -> int:
        """Bytes of the file and its companions, or of its part."""
        # Most have none, and there may be millions.
        if not self.companions and self.part == WHOLE:
            return self.size
        return len(self.part.of_range(self.size)) + sum(companion.size for companion in self.companions)

    @property
    def held(self) -> int:
        """Most bytes that the content of the file and its companions takes, unpacked."""
        own = most_unpacked(self.size) if self.name.lower().endswith(_PACKED) else self.size
        return own + sum(companion.held for companion in self.companions)

    @property
    def n_files(self) -> int:
        """The file and its companions; a file that is cut counts with its first part."""
        return 1 + len(self.companions) if self.part.number == 1 else 0


class SourceFiles(Sequence[SourceFile]):
    """Source files in order, which cannot be changed.

    A million with names of 33 bytes take 8 MB, where a million `SourceFile` take 500 MB.

    Parameters
    ----------
    files : iterable of SourceFile
        The files; nothing but what is being packed is held.

    Attributes
    ----------
    n_files, nbytes : int
        Number and bytes of all files, companions included.
    """

    __slots__ = ("_length", "_pieces", "n_files", "nbytes")

    def __init__(self, files: Iterable[SourceFile] = ()) -> None:
        pieces: list[bytes] = []
        self._length = self.n_files = self.nbytes = 0
        waiting = iter(files)
        while piece := list(islice(waiting, PIECE)):
            pieces.append(zlib.compress(pickle.dumps([_plain(file) for file in piece], 5), 1))
            self._length += len(piece)
            self.n_files += sum(file.n_files for file in piece)
            self.nbytes += sum(file.nbytes for file in piece)
        self._pieces = tuple(pieces)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[SourceFile]:
        for piece in self._pieces:
            yield from map(_file, pickle.loads(zlib.decompress(piece)))

    @overload
    def __getitem__(self, index: int) -> SourceFile: ...

    @overload
    def __getitem__(self, index: slice) -> SourceFiles: ...

    def __getitem__(self, index: int | slice) -> SourceFile | SourceFiles:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            if step < 1:
                raise ValueError("files have one order")
            return SourceFiles(islice(self, start, stop, step))
        index = range(self._length)[index]
        number, place = divmod(index, PIECE)
        return _file(pickle.loads(zlib.decompress(self._pieces[number]))[place])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceFiles) and self._pieces == other._pieces

    def __hash__(self) -> int:
        return hash(self._pieces)

    def __repr__(self) -> str:
        return f"<{self._length} source files>"


def _plain(file: SourceFile) -> tuple[Any, ...]:
    return file.path, file.name, file.size, tuple(map(_plain, file.companions)), (file.part.number, file.part.of)


def _file(plain: tuple[Any, ...]) -> SourceFile:
    path, name, size, companions, part = plain
    return SourceFile(path, name, size, tuple(map(_file, companions)), Part(*part) if part != (1, 1) else WHOLE)


@dataclass(frozen=True, slots=True)
class Batch:
    """A contiguous run of the sorted source files, the unit of the stage phase."""

    index: int
    files: Sequence[SourceFile]

    @property
    def nbytes(self) -> int:
        """Bytes of all source files together."""
        return self.files.nbytes if isinstance(self.files, SourceFiles) else sum(file.nbytes for file in self.files)

    @property
    def n_files(self) -> int:
        """Number of source files, companions included."""
        return self.files.n_files if isinstance(self.files, SourceFiles) else sum(file.n_files for file in self.files)


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What is known of a batch without the list of its files.

    Attributes
    ----------
    n_files, nbytes : int
        Number of source files, companions included, and their bytes.
    largest_file : int
        Most bytes that the content of a source takes, unpacked and with its companions.
    sources_digest : str
        Digest of everything that decides what is staged.
    """

    index: int
    n_files: int
    nbytes: int
    largest_file: int
    sources_digest: str


def counting(rejections: Iterable[Rejection]) -> tuple[Rejection, ...]:
    """The rejections but for those that the survey itself left out, which no tolerance is needed for."""
    return tuple(rejection for rejection in rejections if not rejection.by_survey)


@dataclass(frozen=True, slots=True)
class Note:
    """What was left out of spectra that were accepted, told in the summary.

    Attributes
    ----------
    kind : str
        What is missing, for example ``no position``.
    count : int
        Number of spectra.
    name, reason : str
        The first of their source files, and why it is missing there.
    """

    kind: str
    count: int
    name: str
    reason: str


def merged_notes(notes: Iterable[Note]) -> tuple[Note, ...]:
    """One note of each kind."""
    found: dict[str, Note] = {}
    for note in notes:
        known = found.get(note.kind)
        found[note.kind] = note if known is None else replace(known, count=known.count + note.count)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Rejection:
    """One file or spectrum that did not enter the store.

    Attributes
    ----------
    code : str
        Stable code of the error, for example ``truncated``.
    name : str
        Path of the source file relative to the ingested directory.
    hdu, row : int
        Place in the file, -1 when the whole file is meant.
    reason : str
        What was found and what to do.
    """

    code: str
    name: str
    hdu: int
    row: int
    reason: str

    @property
    def by_survey(self) -> bool:
        """Whether the survey itself left it out, so that it does not count as a rejection."""
        return self.code == LeftOut.code

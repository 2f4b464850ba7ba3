"""Source files, the batches they are staged in, and the record of what was rejected."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest: where it is, how it is named in the store, and how long it was when listed."""

    path: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A contiguous run of the sorted source files, the unit of the stage phase."""

    index: int
    files: tuple[SourceFile, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all source files together."""
        return sum(file.size for file in self.files)


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

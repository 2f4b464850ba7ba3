"""Source files, the batches they are staged in, and the record of what was rejected."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest: where it is, how it is named in the store, and how long it was when listed.

    Attributes
    ----------
    companions : tuple of SourceFile
        Further files of the same spectrum, such as its other arms, sorted by name.
    """

    path: str
    name: str
    size: int
    companions: tuple[SourceFile, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of the file and its companions."""
        return self.size + sum(companion.size for companion in self.companions)

    @property
    def n_files(self) -> int:
        """The file and its companions."""
        return 1 + len(self.companions)


@dataclass(frozen=True, slots=True)
class Batch:
    """A contiguous run of the sorted source files, the unit of the stage phase."""

    index: int
    files: tuple[SourceFile, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all source files together."""
        return sum(file.nbytes for file in self.files)

    @property
    def n_files(self) -> int:
        """Number of source files, companions included."""
        return sum(file.n_files for file in self.files)


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What is known of a batch without the list of its files.

    Attributes
    ----------
    n_files, nbytes : int
        Number of source files, companions included, and their bytes.
    largest_file : int
        Bytes of the largest source, with its companions.
    sources_digest : str
        Digest of everything that decides what is staged.
    """

    index: int
    n_files: int
    nbytes: int
    largest_file: int
    sources_digest: str


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

"""What a reader is: it claims files by their content and yields their spectra, untransformed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import SourceError
from spectral_zarr.model import Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy
from spectral_zarr.readers.raw import RawFile

MANY_FILES = -10
"""Priority of the products of which a data set may have millions of files."""


@runtime_checkable
class Reader(Protocol):
    """A survey product.

    Attributes
    ----------
    name : str
        Short stable name, for example ``sdss-spec``.
    version : str
        Raised when the same file would give other values; recorded in ``metadata/reader``.
    title : str
        One line for ``spectral-zarr readers``.
    priority : int
        Readers are asked in ascending order; products have 0, or `MANY_FILES` to be asked before the others where a
        survey has millions of files, generic layouts 100. Products exclude one another, whatever their order.
    policy : HeaderPolicy
        Header cards that the product adds to or removes from the common lists.

    Notes
    -----
    More attributes are optional. ``reads`` is the kind of file that the reader is asked about, `FitsFile` by
    default. ``joins`` is a regular expression for the names of files that are one spectrum together, such as its
    arms: files of one directory whose names match as a whole and agree in the group ``key`` are one source, the
    first of them by name, or the one whose name has the group ``lead``, with the others as its companions. ``names``
    is a regular expression for the names of files that directories are searched for beside those with the usual
    suffixes, ``beside`` one for the names of files that belong to the product and are no spectra, such as the
    wavelengths of a model grid: they are no sources. ``parts`` says that the reader yields the spectra of
    `RawFile.part` alone, so that several tasks read one large table; of other readers, one task reads all.
    """

    name: str
    version: str
    title: str
    priority: int
    policy: HeaderPolicy

    def claims(self, file: Any, options: ReaderOptions) -> bool:
        """Whether the file is of this product, from its headers alone."""

    def read(self, file: Any, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        """Spectra of a claimed file in order of (HDU, row).

        Parameters
        ----------
        file : FitsFile
            A file that `claims` accepted, of the kind ``reads``.
        options : ReaderOptions
            The user's options.
        policy : HeaderPolicy
            The reader's policy with the user's patterns added.

        Raises
        ------
        SourceError
            For a file that cannot be ingested. A spectrum that cannot may be reported with a row while the
            others go on, by yielding the exception instead of a spectrum.
        """


def kind_of_file(reader: Reader) -> type[RawFile]:
    """What a reader is asked about."""
    kind: type[RawFile] = getattr(reader, "reads", FitsFile)
    return kind


def found_names(reader: Reader) -> str:
    """Pattern of the names of files that only the reader knows, '' when their suffixes are the usual ones."""
    pattern: str = getattr(reader, "names", "")
    return pattern


def reads_parts(reader: Reader) -> bool:
    """Whether several tasks may each read a part of one file."""
    parts: bool = getattr(reader, "parts", False)
    return parts


def names_beside(reader: Reader) -> str:
    """Pattern of the names of files that belong to the product and are no spectra, '' when there are none."""
    pattern: str = getattr(reader, "beside", "")
    return pattern


def joined_names(reader: Reader) -> str:
    """Pattern of the names of files that are one spectrum together, '' when each file stands alone."""
    pattern: str = getattr(reader, "joins", "")
    return pattern

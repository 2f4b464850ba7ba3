"""What a reader is: it claims files by their content and yields their spectra, untransformed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from spectral_zarr.config import ReaderOptions
from spectral_zarr.model import Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy


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
        Readers are asked in ascending order; products have 0, generic layouts 100.
    policy : HeaderPolicy
        Header cards that the product adds to or removes from the common lists.
    """

    name: str
    version: str
    title: str
    priority: int
    policy: HeaderPolicy

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        """Whether the file is of this product, from its headers alone."""

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        """Spectra of a claimed file in order of (HDU, row).

        Parameters
        ----------
        file : FitsFile
            A file that `claims` accepted.
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

"""The bytes of a FITS file as its HDUs share them, and what astropy reads from them where a layout is unusual."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import CorruptFits
from spectral_zarr.readers.fits.header import Header
from spectral_zarr.readers.fits.structure import refuse_compression


class Content:
    """The bytes of one file; its HDUs know them and not the file, so that both are freed as soon as they are read.

    Parameters
    ----------
    data : bytes
        Unpacked content.
    name : str
        How the file is called in messages.
    check_damage : bool
        Whether what shows damage is looked at.
    """

    __slots__ = ("_opened", "check_damage", "data", "name")

    def __init__(self, data: bytes, name: str, *, check_damage: bool = True) -> None:
        self.data = data
        self.name = name
        self.check_damage = check_damage
        self._opened: Any = None

    def read_by_astropy(self, index: int, header: Header, column: int | None = None) -> NDArray[Any]:
        """Image, or column by position, of an HDU as astropy reads it from the same bytes.

        Raises
        ------
        CorruptFits
            When astropy cannot read it either.
        RefusedProduct
            When it is compressed in a way that is not safe to undo.
        """
        import io
        import warnings

        from astropy.io import fits

        if "ZIMAGE" in header:
            refuse_compression(header, len(self.data), self.name, index)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if self._opened is None:
                    self._opened = fits.open(io.BytesIO(self.data), memmap=False)
                data = self._opened[index].data
                return np.asarray(data if column is None else data.field(column))
            except MemoryError:
                raise
            except Exception as error:
                # astropy has half a dozen exception types for a damaged file, and this is the one place they come from.
                message = f"astropy cannot read the data: {type(error).__name__}: {error}"
                raise CorruptFits(message, path=self.name, hdu=index) from error

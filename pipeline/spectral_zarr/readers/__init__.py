"""Readers: the only floor that knows FITS; each product is one module of `readers.products`."""

from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, open_fits
from spectral_zarr.readers.reader import Reader
from spectral_zarr.readers.registry import find_reader, readers

__all__ = ["FitsFile", "HeaderPolicy", "Reader", "find_reader", "open_fits", "readers"]

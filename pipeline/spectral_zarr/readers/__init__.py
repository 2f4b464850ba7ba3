"""Readers: the only floor that knows FITS; each product is one module of `readers.products`."""

from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, open_fits
from spectral_zarr.readers.opening import PLAIN_SUFFIXES, SUFFIXES, forget_parts, open_source
from spectral_zarr.readers.raw import RawFile
from spectral_zarr.readers.reader import Reader, joined_names, reads_parts
from spectral_zarr.readers.registry import beside_pattern, find_reader, found_pattern, joined_patterns, readers
from spectral_zarr.readers.text import TextFile

__all__ = [
    "PLAIN_SUFFIXES",
    "SUFFIXES",
    "FitsFile",
    "HeaderPolicy",
    "RawFile",
    "Reader",
    "TextFile",
    "beside_pattern",
    "find_reader",
    "forget_parts",
    "found_pattern",
    "joined_names",
    "joined_patterns",
    "open_fits",
    "open_source",
    "readers",
    "reads_parts",
]

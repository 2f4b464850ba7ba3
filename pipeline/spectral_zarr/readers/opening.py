"""Opening a source file as what it is: FITS by name or content, arrays by content, else text."""

from __future__ import annotations

from spectral_zarr.model import SourceFile
from spectral_zarr.readers.arrays import ArrayFile, is_array_file
from spectral_zarr.readers.fits import FitsFile
from spectral_zarr.readers.raw import BZIP2_MAGIC, GZIP_MAGIC, RawFile, read_raw
from spectral_zarr.readers.text import TextFile

_PLAIN = (".fits", ".fit", ".fts", ".mxlo", ".mxhi")
FITS_SUFFIXES = (*_PLAIN, *(f"{suffix}.gz" for suffix in _PLAIN), ".fits.fz")
TEXT_SUFFIXES = (".s", ".flx", ".flx.gz", ".spec")
SUFFIXES = (*FITS_SUFFIXES, *TEXT_SUFFIXES)
"""Suffixes looked for in directories; a file that is named is taken whatever its suffix."""


def open_source(file: SourceFile, *, check_damage: bool = True) -> RawFile:
    """Read a source file with one open.

    Parameters
    ----------
    file : SourceFile
        The file; its companions are not opened.
    check_damage : bool
        Whether size, padding and DATASUM of FITS files are checked.

    Returns
    -------
    FitsFile, ArrayFile or TextFile

    Raises
    ------
    SourceError
        When the file cannot be read or is damaged.
    """
    raw = read_raw(file.path, file.name, leave=is_array_file)
    if is_array_file(raw):
        return ArrayFile(raw, file.name, file.path, file.companions)
    is_fits = file.name.lower().endswith(FITS_SUFFIXES) or raw.startswith(b"SIMPLE  =")
    if not is_fits and raw.startswith((GZIP_MAGIC, BZIP2_MAGIC)):
        is_fits = RawFile(raw, file.name).data.startswith(b"SIMPLE  =")
    if is_fits:
        return FitsFile(raw, file.name, file.path, file.companions, check_damage=check_damage)
    return TextFile(raw, file.name, file.path, file.companions)

"""Opening a source file as what it is: FITS by name or content, arrays by content, else text."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

from spectral_zarr.model import WHOLE, SourceFile
from spectral_zarr.readers.arrays import ArrayFile, is_array_file
from spectral_zarr.readers.fits import FitsFile
from spectral_zarr.readers.raw import BZIP2_MAGIC, GZIP_MAGIC, RawFile, read_raw
from spectral_zarr.readers.text import TextFile

PLAIN_SUFFIXES = (".fits", ".fit", ".fts", ".mxlo", ".mxhi")
"""Suffixes of FITS files that are not packed."""
FITS_SUFFIXES = (*PLAIN_SUFFIXES, *(f"{suffix}.gz" for suffix in PLAIN_SUFFIXES), ".fits.fz")
TEXT_SUFFIXES = (".s", ".flx", ".flx.gz", ".spec")
SUFFIXES = (*FITS_SUFFIXES, *TEXT_SUFFIXES)
"""Suffixes looked for in directories; a file that is named is taken whatever its suffix."""


def open_source(file: SourceFile, *, check_damage: bool = True) -> RawFile:
    """Read a source file with one open.

    Parameters
    ----------
    file : SourceFile
        The file; its companions are not opened. Of a file that is cut, the last one is kept for its other parts.
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
    if file.part == WHOLE:
        _kept.clear()
        return _opened(file, check_damage)
    key = (file.path, file.name, file.size, check_damage, _modified(file.path))
    whole = _kept.get(key)
    if whole is None:
        # Before the next is read, so that two are never held.
        _kept.clear()
        whole = _kept[key] = _opened(file, check_damage)
    return whole.of_part(file.part)


_kept: dict[Hashable, RawFile] = {}
"""The last file of which a part was read: its other parts need neither its bytes nor its digest again."""


def forget_parts() -> None:
    """Free what is kept for further parts of a file, when others are read no more."""
    _kept.clear()


def _modified(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        # Reading it tells why.
        return 0


def _opened(file: SourceFile, check_damage: bool) -> RawFile:
    raw = read_raw(file.path, file.name, leave=is_array_file)
    if is_array_file(raw):
        return ArrayFile(raw, file.name, file.path, file.companions)
    is_fits = file.name.lower().endswith(FITS_SUFFIXES) or raw.startswith(b"SIMPLE  =")
    if not is_fits and raw.startswith((GZIP_MAGIC, BZIP2_MAGIC)):
        is_fits = RawFile(raw, file.name).data.startswith(b"SIMPLE  =")
    if is_fits:
        return FitsFile(raw, file.name, file.path, file.companions, check_damage=check_damage)
    return TextFile(raw, file.name, file.path, file.companions)

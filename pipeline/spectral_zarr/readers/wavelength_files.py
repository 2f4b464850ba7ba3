"""Wavelengths that a model grid keeps in a file of their own, found beside the models and read once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import BadWavelength, MissingField, SourceError
from spectral_zarr.readers.fits import FitsFile
from spectral_zarr.readers.raw import RawFile, read_raw
from spectral_zarr.readers.text import TextFile

Wavelengths = NDArray[np.float64]


def grid_wavelengths(file: RawFile, names: tuple[str, ...], options: ReaderOptions, *, n_pix: int) -> Wavelengths:
    """Wavelengths of a model whose file has fluxes only.

    Parameters
    ----------
    file : RawFile
        The model.
    names : tuple of str
        Usual names of the file of wavelengths, looked for in the directory of the model and in those above it.
    options : ReaderOptions
        ``wavelength_file`` replaces the search.
    n_pix : int
        Pixels of the model.

    Returns
    -------
    ndarray, shape (n_pix,), float64
        In the unit of the file, read-only: the first HDU of a FITS file, or the first column of a text.

    Raises
    ------
    MissingField
        When there is no such file, or it is no list of numbers.
    BadWavelength
        When it has another number of pixels.
    """
    path = options.wavelength_file or _find(file.path, names)
    if not path:
        message = (
            f"the wavelengths are in a file of their own, {names[0]}, which is neither beside the model nor in a"
            " directory above it; put it there or set wavelength_file in [readers]"
        )
        raise MissingField(message, path=file.name)
    try:
        status = Path(path).stat()
        values = _load(path, status.st_mtime_ns, status.st_size, check_damage=options.check_damage)
    except (OSError, SourceError) as error:
        reason = error.message if isinstance(error, SourceError) else error.strerror
        raise MissingField(f"the file of wavelengths {path} cannot be read: {reason}", path=file.name) from error
    if values.size != n_pix:
        message = f"{path} has {values.size} wavelengths for {n_pix} pixels; it belongs to another resolution"
        raise BadWavelength(message, path=file.name)
    return values


def _find(model: str, names: tuple[str, ...]) -> str:
    if not model:
        return ""
    places = (directory / name for directory in Path(model).absolute().parents for name in names)
    return next((str(place) for place in places if place.is_file()), "")


@lru_cache(maxsize=4)
def _load(path: str, mtime_ns: int, size: int, *, check_damage: bool) -> Wavelengths:
    raw = read_raw(path, path)
    if RawFile(raw, path).data.startswith(b"SIMPLE  ="):
        found = FitsFile(raw, path, check_damage=check_damage).hdus[0].image().reshape(-1)
    else:
        found = TextFile(raw, path).numbers()[:, 0]
    values = np.array(found, dtype=np.float64)
    values.flags.writeable = False
    return values

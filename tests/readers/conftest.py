"""Small FITS files made by astropy, real files read as an ingest reads them, and the reference values of astropy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import LeftOut, SourceError
from spectral_zarr.model import SourceFile, Spectrum
from spectral_zarr.readers import find_reader, open_source, readers
from spectral_zarr.readers.reader import kind_of_file
from spectral_zarr.tasks.sources import scan_sources

ReadOne = Callable[..., tuple[str, Spectrum]]
ReadAll = Callable[..., tuple[str, list[Spectrum | SourceError]]]
WriteFits = Callable[..., Path]
Astropy = Callable[[Path], fits.HDUList]


@pytest.fixture
def read_one() -> ReadOne:
    """Read the only spectrum of a file: the name of the reader that claims it, and the spectrum."""

    def read(path: Path, options: ReaderOptions | None = None) -> tuple[str, Spectrum]:
        name, (spectrum,) = _read(path, options)
        assert isinstance(spectrum, Spectrum)
        return name, spectrum

    return read


@pytest.fixture
def read_all() -> ReadAll:
    """Read all spectra of a file, with the companions that an ingest of its directory would find."""
    return _read


def _read(path: Path, options: ReaderOptions | None = None) -> tuple[str, list[Spectrum | SourceError]]:
    # Directories are searched for the usual suffixes only; a file that is named is always found.
    sources = scan_sources([str(path.parent), str(path)])
    file = next(file for file in sources if str(path) in (file.path, *(one.path for one in file.companions)))
    source = open_source(file)
    options = options or ReaderOptions()
    reader = find_reader(source, options)
    found = reader.read(source, options, reader.policy)
    return reader.name, [one for one in found if not isinstance(one, LeftOut)]


@pytest.fixture
def left_out() -> Callable[[Path], list[str]]:
    """What a survey itself flags in a file, in words."""

    def words(path: Path) -> list[str]:
        source = open_source(SourceFile(str(path), path.name, path.stat().st_size))
        reader = find_reader(source, ReaderOptions())
        found = reader.read(source, ReaderOptions(), reader.policy)
        return [one.message for one in found if isinstance(one, LeftOut)]

    return words


@pytest.fixture
def claimants() -> Callable[[Path], list[str]]:
    """Names of the product readers (not the generic ones) that claim a file."""

    def names(path: Path) -> list[str]:
        file = open_source(SourceFile(str(path), path.name, path.stat().st_size))
        asked = [one for one in readers() if one.priority < 50 and isinstance(file, kind_of_file(one))]
        return [one.name for one in asked if one.claims(file, ReaderOptions())]

    return names


@pytest.fixture
def reference() -> Iterator[Astropy]:
    """Open a file with astropy, quietly."""
    opened: list[fits.HDUList] = []

    def load(path: Path) -> fits.HDUList:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened.append(fits.open(path, memmap=False))
        return opened[-1]

    yield load
    for hdus in opened:
        hdus.close()


@pytest.fixture
def write_fits(tmp_path: Path) -> WriteFits:
    """Write HDUs to a file; keyword arguments become cards of the primary header, `__` a blank of a long keyword."""

    def write(*hdus: Any, **cards: Any) -> Path:
        first = hdus[0] if hdus and isinstance(hdus[0], fits.PrimaryHDU) else fits.PrimaryHDU()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for keyword, value in cards.items():
                first.header[keyword.replace("__", " ").replace("_dash_", "-")] = value
            path = tmp_path / "made.fits"
            fits.HDUList([first, *(hdu for hdu in hdus if hdu is not first)]).writeto(path, overwrite=True)
        return path

    return write


@pytest.fixture
def line() -> Callable[..., fits.PrimaryHDU]:
    """A one-dimensional image of ten pixels with a linear wavelength axis, and any other cards."""

    def make(**cards: Any) -> fits.PrimaryHDU:
        hdu = fits.PrimaryHDU(np.arange(1.0, 11.0, dtype=np.float32))
        usual = {"CRVAL1": 5000.0, "CDELT1": 0.5, "CRPIX1": 1.0, "CUNIT1": "Angstrom", "BUNIT": "adu"}
        for keyword, value in {
            **usual,
            **{name.replace("_dash_", "-"): value for name, value in cards.items()},
        }.items():
            if value is not None:
                hdu.header[keyword] = value
        return hdu

    return make

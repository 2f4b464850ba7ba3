"""The known readers: every module of `readers.products`, and those that other packages register."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import ConfigError, NotASpectrum
from spectral_zarr.readers import products
from spectral_zarr.readers.raw import RawFile
from spectral_zarr.readers.reader import Reader, found_names, joined_names, kind_of_file, names_beside

ENTRY_POINT_GROUP = "spectral_zarr.readers"


@cache
def readers() -> tuple[Reader, ...]:
    """All readers in the order in which they are asked.

    A module of `readers.products` gives its readers in a tuple ``READERS``; an entry point of the group
    ``spectral_zarr.readers`` names one reader instance.
    """
    found: list[Reader] = []
    for info in pkgutil.iter_modules(products.__path__):
        found += importlib.import_module(f"{products.__name__}.{info.name}").READERS
    found += [point.load() for point in entry_points(group=ENTRY_POINT_GROUP)]
    names = [reader.name for reader in found]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"two readers are called {', '.join(sorted(repeated))}; uninstall one of the packages")
    return tuple(sorted(found, key=lambda reader: (reader.priority, reader.name)))


@cache
def joined_patterns() -> tuple[re.Pattern[str], ...]:
    """Patterns of the names of files that are one spectrum together."""
    return tuple(re.compile(pattern) for reader in readers() if (pattern := joined_names(reader)))


@cache
def found_pattern() -> re.Pattern[str]:
    """Pattern of the names of files that are sources although their suffix does not say so."""
    return _any_of(found_names)


@cache
def beside_pattern() -> re.Pattern[str]:
    """Pattern of the names of files that are no sources although they lie among them."""
    return _any_of(names_beside)


def _any_of(names: Callable[[Reader], str]) -> re.Pattern[str]:
    patterns = [pattern for reader in readers() if (pattern := names(reader))]
    # Without alternatives, the pattern must match no name at all.
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")


def find_reader(file: RawFile, options: ReaderOptions) -> Reader:
    """The first reader that claims a file.

    Raises
    ------
    NotASpectrum
        When no reader does; the message lists what the file holds.
    ConfigError
        When ``[readers] only`` names an unknown reader.
    """
    for reader, kind in _asked(options.only):
        if isinstance(file, kind) and reader.claims(file, options):
            return reader
    message = f"no reader understands it: {file.describe()}. Name its columns in [readers.table] or leave it out"
    raise NotASpectrum(message, path=file.name)


@cache
def _asked(only: tuple[str, ...]) -> tuple[tuple[Reader, type[RawFile]], ...]:
    """Readers that are asked and the kind of files they know, settled once and not for each of a million files."""
    known = readers()
    if unknown := set(only) - {reader.name for reader in known}:
        raise ConfigError(f"unknown reader {', '.join(sorted(unknown))}; 'spectral-zarr readers' lists them")
    return tuple((reader, kind_of_file(reader)) for reader in known if not only or reader.name in only)

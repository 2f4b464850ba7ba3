"""What the options of ``ingest`` and ``stage`` ask for: sources, target and configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from spectral_zarr.errors import UsageError

if TYPE_CHECKING:
    from spectral_zarr.config import Config


def sources_and_target(paths: list[str]) -> tuple[tuple[str, ...], str]:
    """The sources, and the store to make.

    Raises
    ------
    UsageError
        When one of them is not there.
    """
    if len(paths) < 2:
        raise UsageError("name the sources first and the store to make last, for example: spectra/ out.zarr")
    return tuple(paths[:-1]), paths[-1]


def asked_config(file: Path | None, zarr_format: int | None, catalog: str, catalog_key: str) -> Config:
    """The configuration of a file, with what the command line says over it."""
    from spectral_zarr.config import load_config

    return _with_catalog(_with_format(load_config(file), zarr_format), catalog, catalog_key)


def _with_format(config: Config, zarr_format: int | None) -> Config:
    if zarr_format is None:
        return config
    return replace(config, store=replace(config.store, zarr_format=cast(Literal[2, 3], zarr_format)))


def _with_catalog(config: Config, file: str, key: str) -> Config:
    known = config.catalog
    if key and not (file or known.file):
        raise UsageError("--catalog-key names a column of a catalogue; name the catalogue with --catalog")
    column, _, field = key.partition("=")
    joined = replace(known, file=file or known.file, key=column or known.key, field=field or known.field)
    return replace(config, catalog=joined)

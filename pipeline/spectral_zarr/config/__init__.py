"""The configuration of an ingest: defaults, the TOML file, and the options of readers and store."""

from spectral_zarr.config.load import load_config
from spectral_zarr.config.options import (
    ArrayOptions,
    BuildOptions,
    CatalogOptions,
    Config,
    DatasetOptions,
    HeaderOptions,
    ImageOptions,
    ReaderOptions,
    StoreOptions,
    TableOptions,
)
from spectral_zarr.config.tolerance import Tolerance

__all__ = [
    "ArrayOptions",
    "BuildOptions",
    "CatalogOptions",
    "Config",
    "DatasetOptions",
    "HeaderOptions",
    "ImageOptions",
    "ReaderOptions",
    "StoreOptions",
    "TableOptions",
    "Tolerance",
    "load_config",
]

"""The configuration of an ingest: defaults, the TOML files, the options of readers and store, and the site."""

from spectral_zarr.config.load import load_config, load_profile
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
from spectral_zarr.config.site import SiteProfile
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
    "SiteProfile",
    "StoreOptions",
    "TableOptions",
    "Tolerance",
    "load_config",
    "load_profile",
]

"""The test kit: faithful sample files and comparisons of stores, for our tests and those of other pipelines."""

from spectral_zarr.readers.samples import PRODUCTS, write_samples
from spectral_zarr.testing.compare import differing_files, store_digest

__all__ = ["PRODUCTS", "differing_files", "store_digest", "write_samples"]

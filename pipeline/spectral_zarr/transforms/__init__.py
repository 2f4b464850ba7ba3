"""Pure numpy: from the arrays of a file to the canonical spectrum of the store."""

from spectral_zarr.transforms.prepare import Prepared, prepare

__all__ = ["Prepared", "prepare"]

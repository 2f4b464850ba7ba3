"""Files of arrays with a spectrum per row: NumPy archives, HDF5 and Parquet, read by blocks of rows."""

from spectral_zarr.readers.arrays.column import ArrayColumn, Block, as_text, check_size
from spectral_zarr.readers.arrays.file import ArrayFile, is_array_file

__all__ = ["ArrayColumn", "ArrayFile", "Block", "as_text", "check_size", "is_array_file"]

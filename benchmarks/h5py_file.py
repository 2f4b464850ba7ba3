"""One HDF5 file as collections of surveys are handed around: the same arrays and columns, not compressed."""

from __future__ import annotations

import time

import h5py
import numpy as np

from astropy_loop import READERS, columns_of, common_grid, complete_dates, place, read_all, report, wavelengths
from layout import FLUX, UNCERTAINTY, WAVELENGTH, Wanted, arguments, source_files

BLOCK_ROWS = 1024


def main() -> None:
    """Run the command line."""
    options = arguments(__doc__, tuple(READERS))
    cpu, wall = time.process_time(), time.perf_counter()
    rows = read_all(options.product, source_files(options.source, options.limit), Wanted.load(options.policy))
    if options.product == "sdss-spec":
        complete_dates(rows)
    first, n_pix = common_grid(rows)
    ragged = any(WAVELENGTH in row.arrays for row in rows)
    with h5py.File(options.target, "w") as file:
        for name in (FLUX, UNCERTAINTY, *((WAVELENGTH,) if ragged else ())):
            dtype = np.float64 if name == WAVELENGTH else np.float32
            cube = file.create_dataset(name, (len(rows), n_pix), dtype, fillvalue=np.nan)
            for start in range(0, len(rows), BLOCK_ROWS):
                block = rows[start : start + BLOCK_ROWS]
                cube[start : start + len(block)] = place(block, name, first, n_pix)
        if not ragged:
            file[WAVELENGTH] = wavelengths(options.product, first, n_pix)
        for path, values in columns_of(rows).items():
            file.create_dataset(path, data=values, dtype=h5py.string_dtype() if isinstance(values[0], str) else None)
    report(options, cpu, wall)


if __name__ == "__main__":
    main()

"""The first idea with Dask: one delayed read per file, stacked, rechunked and stored, on the same local workers."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import zarr
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from astropy_loop import (
    READERS,
    Row,
    common_grid,
    complete_dates,
    create,
    create_groups,
    place,
    read_all,
    wavelengths,
    write_columns,
)
from layout import FLUX, UNCERTAINTY, WAVELENGTH, Wanted, arguments, chunk_shape, source_files

EMPTY = ("continuum/continuum_model", "continuum/continuum_uncertainty")


@lru_cache
def wanted(policy: Path) -> Wanted:
    """The policy, read once per worker and not sent with every task."""
    return Wanted.load(policy)


def read(product: str, policy: Path, path: str) -> Row:
    """One file."""
    return read_all(product, [path], wanted(policy))[0]


def described(row: Row) -> Row:
    """A row whose pixels stay on the worker: only how many there are is known."""
    return replace(row, arrays={name: np.empty(pixels.size, bool) for name, pixels in row.arrays.items()})


def placed(row: Row, name: str, first: int, n_pix: int) -> NDArray[Any]:
    """One array of one row on the common grid."""
    return place([row], name, first, n_pix)[0]


def build(options: argparse.Namespace) -> None:
    """Read, stack and store."""
    paths = source_files(options.source, options.limit)
    one_read = dask.delayed(read, pure=False)
    # Kept in memory, so that no file is read a second time for its pixels.
    files = dask.persist(*(one_read(options.product, options.policy, path) for path in paths))
    rows = list(dask.compute(*(dask.delayed(described)(file) for file in files)))
    if options.product == "sdss-spec":
        complete_dates(rows)
    first, n_pix = common_grid(rows)
    chunks = chunk_shape(len(rows), n_pix)
    root = create_groups(options.target)
    ragged = any(WAVELENGTH in row.arrays for row in rows)
    stores = []
    for name in (FLUX, UNCERTAINTY, *((WAVELENGTH,) if ragged else ()), *EMPTY):
        dtype = np.float64 if name == WAVELENGTH else np.float32
        array = create(root, name, (len(rows), n_pix), chunks, dtype, ("spectrum", "pixel"))
        if any(name in row.arrays for row in rows):
            single = dask.delayed(placed, pure=False)
            parts = [da.from_delayed(single(file, name, first, n_pix), (n_pix,), dtype) for file in files]
            stores.append(da.stack(parts).rechunk(chunks).to_zarr(array, compute=False))
    dask.compute(*stores)
    if not ragged:
        grid = wavelengths(options.product, first, n_pix)
        create(root, WAVELENGTH, (n_pix,), (n_pix,), np.float64, ("pixel",))[:] = grid
    write_columns(root, rows, options.target)
    zarr.consolidate_metadata(str(options.target))


def main() -> None:
    """Run the command line."""
    options = arguments(__doc__, tuple(READERS))
    workers: Any = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**workers) as cluster, Client(cluster):
        build(options)


if __name__ == "__main__":
    main()

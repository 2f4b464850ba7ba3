"""The arrays of a chunk trial, written and read by zarr-python as the users of a store read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract import schema
from spectral_zarr.errors import UsageError
from spectral_zarr.model.trial import Layout
from spectral_zarr.store.audit import open_group
from spectral_zarr.store.chunks import BLOCK_BYTES

if TYPE_CHECKING:
    import zarr

CUBES = (schema.FLUX, schema.UNCERTAINTY)


def create_trial(root: Path, shape: tuple[int, int], layout: Layout) -> tuple[zarr.Array[Any], ...]:
    """Create flux and uncertainty with a layout, coded as the contract asks.

    Parameters
    ----------
    root : Path
        Directory to create.
    shape : tuple of int
        N_spec and N_pix.
    layout : Layout
        How the arrays are cut.

    Returns
    -------
    tuple of Array
    """
    import numcodecs
    import zarr
    from zarr.codecs import BloscCodec

    version_3 = layout.zarr_format == 3
    compressor: Any = numcodecs.Blosc(
        cname=schema.CNAME, clevel=layout.clevel, shuffle=numcodecs.Blosc.BITSHUFFLE, blocksize=BLOCK_BYTES
    )
    if version_3:
        compressor = BloscCodec(
            cname=schema.CNAME,
            clevel=layout.clevel,
            shuffle=schema.SHUFFLE,
            typesize=4,
            blocksize=BLOCK_BYTES,
        )
    group = zarr.create_group(str(root), zarr_format=layout.zarr_format)
    return tuple(
        group.create_array(
            name,
            shape=shape,
            dtype="<f4",
            chunks=(layout.rows, layout.columns),
            shards=layout.outer if layout.sharded else None,
            compressors=compressor,
            fill_value=float("nan"),
            chunk_key_encoding={"name": "default", "separator": "."} if version_3 else None,
        )
        for name in CUBES
    )


def open_trial(root: Path) -> tuple[Any, ...]:
    """Open flux and uncertainty of any store.

    Raises
    ------
    UsageError
        When there is no store, or an array is missing.
    """
    group = open_group(root)
    try:
        return tuple(group[name] for name in CUBES)
    except KeyError as error:
        raise UsageError(f"the store has no {error.args[0]}", path=str(root)) from None


def read_rows(store: Path, rows: range) -> tuple[NDArray[np.float32], ...]:
    """Flux and uncertainty of consecutive rows of a store.

    Raises
    ------
    UsageError
        When they cannot be read.
    """
    arrays = open_trial(store)
    try:
        return tuple(np.asarray(array[rows.start : rows.stop], np.float32) for array in arrays)
    except Exception as error:
        # A decoder may raise anything on damaged bytes.
        message = f"rows {rows.start} to {rows.stop - 1} cannot be read: {error}; look at it with validate"
        raise UsageError(message, path=str(store)) from error

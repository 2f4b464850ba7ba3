"""What the plan promises: which arrays hold data, how many files they take, how much memory a task needs."""

from __future__ import annotations

from spectral_zarr.contract import schema
from spectral_zarr.contract.chunks import ChunkShape
from spectral_zarr.model import MemoryPromise

CUBE_COLUMNS = {
    schema.FLUX: "flux",
    schema.UNCERTAINTY: "uncertainty",
    schema.CONTINUUM: "continuum",
    schema.CONTINUUM_UNCERTAINTY: "",
    schema.NORMALIZED: "normalized_flux",
    schema.NORMALIZED_UNCERTAINTY: "normalized_uncertainty",
}
"""Array of the store to the staged column that fills it; '' is never filled, since no product gives it."""

MIB = 1 << 20

INTERPRETER_BYTES = 320 * MIB
"""Resident memory of a worker that has imported everything and done nothing."""

STAGE_HEADROOM = 64 * MIB
"""Pixels waiting to be written, their concatenation and the Arrow buffers of it."""

STAGE_FILE_FACTOR = 6
"""Bytes held per byte of the largest source file: the file, its float64 temporaries and the canonical arrays."""

STAGE_ROW_BYTES = 24_000
"""Columns of one spectrum while its batch is parsed: some hundred short strings."""

FILL_BUFFER_BYTES = 32 * MIB
"""Widest buffer of a fill task when several chunks of a row block are assembled at once."""


def buffer_columns(chunk: ChunkShape, n_pix: int, itemsize: int) -> int:
    """Columns that a fill task assembles at once: whole chunks, within `FILL_BUFFER_BYTES` where possible."""
    chunks = max(1, FILL_BUFFER_BYTES // chunk.nbytes(itemsize))
    return min(chunks, -(-n_pix // chunk.columns)) * chunk.columns


def promise_memory(
    chunk: ChunkShape,
    n_pix: int,
    *,
    ragged_wavelength: bool,
    largest_file: int,
    largest_batch: int,
    column_bytes: int,
) -> MemoryPromise:
    """Working memory of the tasks.

    Parameters
    ----------
    chunk : ChunkShape
        Chunk of the cubes.
    n_pix : int
        Pixels of the store.
    ragged_wavelength : bool
        Whether the wavelength is a float64 cube.
    largest_file : int
        Bytes of the largest source file.
    largest_batch : int
        Spectra of the largest batch.
    column_bytes : int
        Bytes of the staged columns that one chunk of the (N_spec,) arrays gathers.

    Returns
    -------
    MemoryPromise
    """
    itemsize = 8 if ragged_wavelength else 4
    buffer = buffer_columns(chunk, n_pix, itemsize) * chunk.rows * itemsize
    # The buffer, one contiguous chunk, its encoded form and the copy of it that is written.
    fill = buffer + 3 * chunk.nbytes(itemsize) + 16 * MIB
    stage = STAGE_HEADROOM + STAGE_FILE_FACTOR * largest_file + STAGE_ROW_BYTES * largest_batch
    return MemoryPromise(stage, fill, 64 * MIB + column_bytes, INTERPRETER_BYTES)


def predict_files(
    chunk: ChunkShape, n_spec: int, n_pix: int, *, cubes: int, filled: int, columns: int, grids: int, zarr_format: int
) -> int:
    """Files of the published store, when no chunk of an array with data is fill value only.

    Parameters
    ----------
    chunk : ChunkShape
        Chunk of the cubes.
    n_spec, n_pix : int
        Shape of the cubes.
    cubes, filled : int
        Number of (N_spec, N_pix) arrays, and of those with data.
    columns, grids : int
        Number of (N_spec,) arrays and of (N_pix,) arrays.
    zarr_format : int
        2 or 3.
    """
    blocks = -(-n_spec // chunk.rows) * -(-n_pix // chunk.columns)
    long_chunks = -(-n_spec // schema.ARRAYS_1D_CHUNK)
    documents_per_node = 1 if zarr_format == 3 else 2
    nodes = cubes + columns + grids + len(schema.GROUPS) + 1
    consolidated_and_index = 1 if zarr_format == 3 else 2
    return filled * blocks + columns * long_chunks + grids + documents_per_node * nodes + consolidated_and_index

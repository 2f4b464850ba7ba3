"""Chunk shapes: the contract's recommendation as a function of the shape of the cube."""

from __future__ import annotations

from dataclasses import dataclass

ROWS, ROWS_HIGH_RESOLUTION, COLUMNS_HIGH_RESOLUTION = 1024, 256, 4096
HIGH_RESOLUTION_PIXELS = 10_000
TINY_BYTES = 1 << 20
FEWEST_ROWS = 4
"""Chunks of at most so many rows are suspicious, whatever their bytes."""
HUGE_BYTES = 256 << 20
BLOSC_LIMIT_BYTES = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class ChunkShape:
    """Rows and columns of one chunk of every (N_spec, N_pix) array."""

    rows: int
    columns: int

    def nbytes(self, itemsize: int = 4) -> int:
        """Bytes of one uncompressed chunk."""
        return self.rows * self.columns * itemsize


def spectral_chunks(n_spec: int, n_pix: int) -> ChunkShape:
    """Chunk shape of the cubes.

    ``(1024, N_pix)`` below 10,000 pixels and ``(256, 4096)`` above, clipped to the array. Where clipping the
    rows would make tiny chunks, the columns grow in steps of 4096 until the chunk holds 1 MiB or all pixels.

    Parameters
    ----------
    n_spec, n_pix : int
        Shape of the cubes, both at least 1.

    Returns
    -------
    ChunkShape
    """
    if n_pix < HIGH_RESOLUTION_PIXELS:
        return ChunkShape(min(ROWS, n_spec), n_pix)
    rows, columns = min(ROWS_HIGH_RESOLUTION, n_spec), COLUMNS_HIGH_RESOLUTION
    while columns < n_pix and rows * columns * 4 < TINY_BYTES:
        columns += COLUMNS_HIGH_RESOLUTION
    return ChunkShape(rows, min(columns, n_pix))


def is_tiny(shape: tuple[int, ...], chunks: tuple[int, ...], itemsize: int) -> bool:
    """Whether an array is cut into chunks that the contract forbids.

    Parameters
    ----------
    shape, chunks : tuple of int
        Shape of the array and of its chunks (of its shards where it is sharded).
    itemsize : int
        Bytes of one element.

    Returns
    -------
    bool
        True for more than one chunk with less than 1 MiB (2-D) or less than min(N, 4096) elements (1-D);
        never for chunks that hold at least one of the recommended size.
    """
    if all(c >= n for n, c in zip(shape, chunks, strict=True)):
        return False
    if len(shape) == 1:
        return chunks[0] < min(shape[0], COLUMNS_HIGH_RESOLUTION)
    recommended = (ROWS, shape[1]), (ROWS_HIGH_RESOLUTION, COLUMNS_HIGH_RESOLUTION)
    if any(chunks[0] >= rows and chunks[1] >= columns for rows, columns in recommended):
        return False
    nbytes = itemsize
    for c in chunks:
        nbytes *= c
    return nbytes < TINY_BYTES

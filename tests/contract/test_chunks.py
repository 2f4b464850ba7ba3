"""Chunk shapes: the recommendation of the contract, never tiny, for every shape of cube."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.contract.chunks import BLOSC_LIMIT_BYTES, ChunkShape, is_tiny, spectral_chunks

SHAPES = (st.integers(1, 10**7), st.one_of(st.integers(1, 12_000), st.integers(1, 2_000_000)))


@pytest.mark.parametrize(
    ("n_spec", "n_pix", "rows", "columns"),
    [
        (10**6, 8575, 1024, 8575),
        (10**6, 9999, 1024, 9999),
        (10**6, 10_000, 256, 4096),
        (10**6, 50_000, 256, 4096),
        (8, 50_000, 8, 32_768),
        (8, 20_000, 8, 20_000),
        (1, 313_168, 1, 262_144),
        (100, 313_168, 100, 4096),
        (5, 3842, 5, 3842),
        (1, 1, 1, 1),
    ],
)
def test_vectors(n_spec: int, n_pix: int, rows: int, columns: int) -> None:
    assert spectral_chunks(n_spec, n_pix) == ChunkShape(rows, columns)


@given(*SHAPES)
def test_chunks_are_never_tiny_for_either_item_size(n_spec: int, n_pix: int) -> None:
    chunk = spectral_chunks(n_spec, n_pix)
    for itemsize in (4, 8):
        assert not is_tiny((n_spec, n_pix), (chunk.rows, chunk.columns), itemsize)


@given(*SHAPES)
def test_chunks_lie_within_the_array_and_within_the_limits(n_spec: int, n_pix: int) -> None:
    chunk = spectral_chunks(n_spec, n_pix)
    assert 1 <= chunk.rows <= min(n_spec, 1024)
    assert 1 <= chunk.columns <= n_pix
    assert chunk.nbytes(8) <= BLOSC_LIMIT_BYTES
    assert chunk.nbytes(4) <= 256 << 20


@given(*SHAPES)
def test_chunks_are_the_recommendation_where_it_is_not_clipped(n_spec: int, n_pix: int) -> None:
    chunk = spectral_chunks(n_spec, n_pix)
    if n_pix < 10_000:
        assert chunk == ChunkShape(min(1024, n_spec), n_pix)
    elif n_spec >= 256:
        assert chunk == ChunkShape(256, 4096)
    else:
        assert chunk.rows == n_spec
        assert chunk.columns == n_pix or chunk.columns % 4096 == 0
        narrower = ChunkShape(chunk.rows, chunk.columns - 4096)
        assert chunk.columns <= 4096 or narrower.nbytes(4) < 1 << 20


@pytest.mark.parametrize(
    ("shape", "chunks", "itemsize", "tiny"),
    [
        ((1000, 1000), (1, 1000), 4, True),
        ((1000, 1000), (1000, 1000), 4, False),
        ((2, 2), (2, 2), 4, False),
        ((2, 2), (1, 2), 4, True),
        ((10**6, 100), (1024, 100), 4, False),
        ((10**6, 100), (1023, 100), 4, True),
        ((10**6, 50_000), (256, 4096), 4, False),
        ((10**6, 50_000), (64, 4096), 4, False),
        ((10**6, 50_000), (63, 4096), 4, True),
        ((10**6,), (4096,), 8, False),
        ((10**6,), (4095,), 8, True),
        ((100,), (100,), 8, False),
        ((100,), (99,), 8, True),
    ],
)
def test_tiny_is_more_than_one_chunk_below_the_limit(
    shape: tuple[int, ...], chunks: tuple[int, ...], itemsize: int, tiny: bool
) -> None:
    assert is_tiny(shape, chunks, itemsize) is tiny

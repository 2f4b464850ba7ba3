"""Chunk files: encoded once with Blosc-zstd bitshuffle, written once and durably, with a receipt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
from numcodecs import blosc
from numpy.typing import NDArray

from spectral_zarr.contract.schema import CNAME
from spectral_zarr.model import ChunkReceipt
from spectral_zarr.store.fsops import write_durable

BLOCK_BYTES = 512 << 10
"""Bytes that Blosc hands to zstd at a time. Above 256 KiB, which Blosc would choose, zstd searches shorter chains: it
encodes 8 to 25 % faster and compresses spectra as well. Larger blocks fall out of the cache."""

blosc.use_threads = False


def chunk_key(zarr_format: int, *indices: int) -> str:
    """File name of a chunk; the "." separator keeps one directory per array."""
    return ".".join(map(str, indices)) if zarr_format == 2 else ".".join(("c", *map(str, indices)))


def encode(values: NDArray[Any] | bytearray, clevel: int) -> bytes:
    """Encode one whole chunk.

    Parameters
    ----------
    values : ndarray or bytearray
        C-contiguous numbers of exactly the chunk shape, or texts that are packed already.
    clevel : int
        Compression level, 5 to 7.

    Returns
    -------
    bytes
    """
    codec = blosc.Blosc(cname=CNAME, clevel=clevel, shuffle=blosc.Blosc.BITSHUFFLE, blocksize=BLOCK_BYTES)
    return bytes(codec.encode(values))


def write_chunk(
    root: Path, array: str, key: str, payload: bytes, write: Callable[[Path, bytes], None] = write_durable
) -> ChunkReceipt:
    """Write one encoded chunk, by default durably, and say what was written."""
    write(root / array / key, payload)
    return receipt_of(array, key, payload)


def receipt_of(array: str, key: str, payload: bytes) -> ChunkReceipt:
    """Receipt of a file with this content; `array` is '' for one that is no chunk."""
    return ChunkReceipt(array, key, len(payload), google_crc32c.value(payload))


def elided(array: str, key: str) -> ChunkReceipt:
    """Receipt of a chunk that is fill value only and has no file."""
    return ChunkReceipt(array, key, 0, 0)

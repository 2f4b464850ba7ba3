"""Chunk files: encoded once with Blosc-zstd bitshuffle, written once and durably, with a receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import blosc
from numcodecs.vlen import VLenUTF8
from numpy.typing import NDArray

from spectral_zarr.contract.schema import CNAME
from spectral_zarr.errors import DamagedBuild
from spectral_zarr.model import ChunkReceipt
from spectral_zarr.store.fsops import translated, write_durable

blosc.use_threads = False


def chunk_key(zarr_format: int, *indices: int) -> str:
    """File name of a chunk; the "." separator keeps one directory per array."""
    return ".".join(map(str, indices)) if zarr_format == 2 else ".".join(("c", *map(str, indices)))


def encode(values: NDArray[Any], clevel: int) -> bytes:
    """Encode one whole chunk.

    Parameters
    ----------
    values : ndarray
        C-contiguous numbers, or an object array of str, of exactly the chunk shape.
    clevel : int
        Compression level, 5 to 7.

    Returns
    -------
    bytes
    """
    codec = blosc.Blosc(cname=CNAME, clevel=clevel, shuffle=blosc.Blosc.BITSHUFFLE)
    payload = VLenUTF8().encode(values) if values.dtype.kind == "O" else values
    return bytes(codec.encode(payload))


def write_chunk(root: Path, array: str, key: str, payload: bytes) -> ChunkReceipt:
    """Write one encoded chunk durably and say what was written."""
    write_durable(root / array / key, payload)
    return ChunkReceipt(array, key, len(payload), google_crc32c.value(payload))


def elided(array: str, key: str) -> ChunkReceipt:
    """Receipt of a chunk that is fill value only and has no file."""
    return ChunkReceipt(array, key, 0, 0)


def read_encoded(root: Path, receipt: ChunkReceipt) -> bytes | None:
    """Bytes of a chunk that agree with its receipt, None for an elided chunk.

    Raises
    ------
    DamagedBuild
        When the file is absent, present though elided, or differs from its receipt.
    """
    path = root / receipt.array / receipt.key
    if receipt.size == 0:
        if path.exists():
            raise DamagedBuild("a chunk that should hold only fill value has a file", path=str(path))
        return None
    with translated(path):
        try:
            payload = path.read_bytes()
        except FileNotFoundError:
            raise DamagedBuild("a chunk that was written is missing", path=str(path)) from None
    if len(payload) != receipt.size or google_crc32c.value(payload) != receipt.crc32c:
        raise DamagedBuild("a chunk differs from its receipt; the disk or another program damaged it", path=str(path))
    return payload


def read_chunk(root: Path, receipt: ChunkReceipt, dtype: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Numbers of a chunk, decoded only after its bytes agree with the receipt; None for an elided chunk.

    Raises
    ------
    DamagedBuild
        See `read_encoded`.
    """
    payload = read_encoded(root, receipt)
    return None if payload is None else np.frombuffer(blosc.Blosc().decode(payload), dtype).reshape(shape)

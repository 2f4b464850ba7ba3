"""Arrays written by zarr-python, and their layouts as our own code reads the documents."""

from __future__ import annotations

import json
from itertools import chain, product
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from spectral_zarr.store.chunk_reader import ArrayReader
from spectral_zarr.store.documents import ArrayLayout, array_of_format_2, array_of_format_3

COMPRESSORS: dict[str, tuple[Any, Any]] = {
    "bitshuffle": (numcodecs.Blosc("zstd", 5, 2), BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle")),
    "shuffle": (numcodecs.Blosc("lz4", 7, 1), BloscCodec(cname="lz4", clevel=7, shuffle="shuffle")),
    "noshuffle": (numcodecs.Blosc("zlib", 1, 0), BloscCodec(cname="zlib", clevel=1, shuffle="noshuffle")),
    "stored": (numcodecs.Blosc("zstd", 0, 2), BloscCodec(cname="zstd", clevel=0, shuffle="bitshuffle")),
    "zstd": (numcodecs.Zstd(3), ZstdCodec(level=3)),
    "gzip": (numcodecs.GZip(1), GzipCodec(level=1)),
    "none": (None, None),
}
"""Compression in formats 2 and 3."""


def written(store: Path, path: str, data: Any, *, zarr_format: int = 3, codec: str = "bitshuffle", **how: Any) -> Any:
    """An array written by zarr-python."""
    how.setdefault("chunks", data.shape)
    how.setdefault("dtype", data.dtype)
    compressor = COMPRESSORS[codec][zarr_format - 2]
    array = zarr.create_array(
        store / path, shape=data.shape, zarr_format=zarr_format, compressors=compressor, overwrite=True, **how
    )
    array[...] = data
    return array


def document_of(store: Path, path: str) -> Any:
    """The document of an array."""
    directory = store / path
    name = "zarr.json" if (directory / "zarr.json").exists() else ".zarray"
    return json.loads((directory / name).read_text())


def layout_of(store: Path, path: str) -> ArrayLayout:
    """Layout of an array on disk."""
    document = document_of(store, path)
    read = array_of_format_3(path, document) if document["zarr_format"] == 3 else array_of_format_2(path, document, {})
    return read[0]


def everything(store: Path, path: str) -> NDArray[Any]:
    """All values of an array, chunk by chunk through our reader, with the fill value where there is no file."""
    layout = layout_of(store, path)
    reader = ArrayReader(store, layout)
    fill = layout.fill_text if layout.text else layout.fill
    values: NDArray[Any] = np.full(layout.shape, fill, object if layout.text else np.dtype(layout.dtype))
    for indices in product(*map(range, layout.grid)):
        chunk = list(chain.from_iterable(reader.texts(*indices))) if layout.text else reader.numbers(*indices)
        if chunk is not None and len(chunk):
            region = tuple(slice(i * n, (i + 1) * n) for i, n in zip(indices, layout.chunks, strict=True))
            values[region] = chunk
    return values

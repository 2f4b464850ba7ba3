"""Mutants of chunks, codecs and the bytes on disk."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
from zarr.codecs import BloscCodec, GzipCodec

from .good_stores import CUBES, N_PIX, N_SPEC
from .mutants import (
    HOUSE,
    WARNING,
    Damage,
    Mutant,
    add,
    attributes,
    bytes_of,
    codec,
    document,
    file,
    index,
    put,
    remove,
    rewrite,
    together,
)

FLUX, SIGMA, WAVELENGTH = "signal/flux_raw", "signal/uncertainty_raw", "signal/wavelength"
SNR, OBJECT = "metadata/snr", "metadata/object"


def _blosc(**options: Any) -> BloscCodec:
    return BloscCodec(**{"cname": "zstd", "clevel": 5, "shuffle": "bitshuffle", "typesize": 4, **options})


def _unwritten(length: int) -> Damage:
    """A field of NaN in one chunk that has no file."""
    field = add("metadata/seeing", np.full(N_SPEC, np.nan))
    chunk = {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [length]}}}
    return together(field, document("metadata/seeing/zarr.json", lambda content: content.update(chunk)))


CHUNKS = [
    Mutant("K-01", "chunks of all rows", rewrite(FLUX, chunks=(N_SPEC, N_PIX)), FLUX, WARNING),
    Mutant(
        "K-02", "chunks of half the rows", rewrite(SIGMA, chunks=(128, 10_240)), SIGMA, WARNING, base="high resolution"
    ),
    Mutant("K-03", "chunks of one row", rewrite(FLUX, chunks=(1, N_PIX)), FLUX, also=("K-01",), base="adu"),
    Mutant("K-03", "chunks of 256 short rows", rewrite(SIGMA, chunks=(256, N_PIX)), SIGMA, also=("K-01",)),
    Mutant("K-03", "chunks of one column", rewrite(FLUX, chunks=(1024, 8)), FLUX, also=("K-01",)),
    Mutant("K-03", "a wavelength in tiny chunks", rewrite(WAVELENGTH, chunks=(16, N_PIX)), WAVELENGTH, base="ragged"),
    Mutant("K-03", "a field in tiny chunks", rewrite(SNR, chunks=(100,)), SNR),
    Mutant("K-03", "a text field in tiny chunks", rewrite(OBJECT, chunks=(1024,)), OBJECT),
    Mutant(
        "K-03",
        "chunks of four long rows",
        rewrite(FLUX, chunks=(4, 66_000)),
        FLUX,
        WARNING,
        also=("K-02",),
        base="long",
    ),
    Mutant("K-03", "tiny shards", rewrite(FLUX, chunks=(128, N_PIX), inner=16), FLUX, also=("K-01",), base="sharded"),
    Mutant("K-03", "tiny chunks in format 2", rewrite(FLUX, chunks=(8, N_PIX)), FLUX, also=("K-01",), base="format 2"),
    Mutant(
        "K-04",
        "a chunk of 320 MB",
        _unwritten(40_000_000),
        "metadata/seeing",
        HOUSE,
    ),
    Mutant(
        "K-04",
        "a chunk that Blosc cannot hold",
        _unwritten(300_000_000),
        "metadata/seeing",
        also=("Z-04",),
    ),
]

CODECS = [
    *(
        Mutant("Z-01", f"{title}", rewrite(FLUX, compressor=compressor), FLUX, says=says)
        for title, compressor, says in (
            ("level 4", _blosc(clevel=4), "clevel=4"),
            ("level 8", _blosc(clevel=8), "clevel=8"),
            ("lz4", _blosc(cname="lz4"), "lz4"),
            ("byte shuffle", _blosc(shuffle="shuffle"), "shuffle"),
            ("no shuffle", _blosc(shuffle="noshuffle"), "noshuffle"),
            ("the default of zarr", "zarr", "not Blosc"),
            ("gzip", GzipCodec(level=5), "not Blosc"),
            ("no compression", (), "not Blosc"),
        )
    ),
    Mutant("Z-01", "a field with the default of zarr", rewrite(SNR, compressor="zarr"), SNR, HOUSE),
    Mutant("Z-01", "text with the default of zarr", rewrite(OBJECT, compressor="zarr"), OBJECT, HOUSE),
    Mutant(
        "Z-01",
        "a wavelength at level 1",
        rewrite(WAVELENGTH, compressor=_blosc(clevel=1, typesize=8)),
        WAVELENGTH,
        HOUSE,
    ),
    Mutant("Z-01", "a 2-D wavelength in gzip", rewrite(WAVELENGTH, compressor=GzipCodec()), WAVELENGTH, base="ragged"),
    Mutant("Z-01", "gzip inside shards", rewrite(FLUX, inner=128, compressor=GzipCodec()), FLUX, base="sharded"),
    Mutant("Z-01", "the default in format 2", rewrite(FLUX, compressor="zarr"), FLUX, base="format 2"),
    Mutant("Z-01", "zlib in format 2", rewrite(FLUX, compressor=numcodecs.Zlib()), FLUX, base="format 2"),
    Mutant(
        "Z-01",
        "byte shuffle in format 2",
        rewrite(FLUX, compressor=numcodecs.Blosc("zstd", 5, 1)),
        FLUX,
        base="format 2",
    ),
    Mutant("Z-02", "a bit transpose of bytes", rewrite(FLUX, compressor=_blosc(typesize=1)), FLUX, HOUSE),
    Mutant("Z-02", "the type size of another dtype", codec(WAVELENGTH, typesize=4), WAVELENGTH, HOUSE),
]

BYTES = [
    Mutant(
        "Z-03",
        "a chunk of text",
        file(f"{FLUX}/c/1/0", b"<html>503</html>" * 9),
        f"{FLUX}/c/1/0",
        rows=(1024,),
        says="chunks that cannot be decoded",
    ),
    Mutant("Z-03", "half a chunk", bytes_of(f"{SIGMA}/c/0/0", lambda b: b[: len(b) // 2]), f"{SIGMA}/c/0/0", rows=(0,)),
    Mutant("Z-03", "an empty chunk of a field", file(f"{SNR}/c/0"), f"{SNR}/c/0", rows=(0,)),
    Mutant(
        "Z-03",
        "a chunk of another array",
        lambda store: (store / f"{WAVELENGTH}/c/0").write_bytes((store / f"{SNR}/c/0").read_bytes()) and None,
        f"{WAVELENGTH}/c/0",
    ),
    Mutant(
        "Z-03", "half a continuum", bytes_of(f"{CUBES[2]}/c/1/0", lambda b: b[:-9]), f"{CUBES[2]}/c/1/0", rows=(1024,)
    ),
    Mutant(
        "Z-03",
        "half a shard",
        bytes_of(f"{FLUX}/c/1/0", lambda b: b[9:]),
        f"{FLUX}/c/1/0",
        rows=(1024,),
        base="sharded",
    ),
    Mutant(
        "Z-03",
        "zeros in the index",
        bytes_of("index.parquet", lambda b: b[:4] + bytes(2000) + b[2004:]),
        "index.parquet",
    ),
    Mutant(
        "Z-04",
        "a pickle in format 2",
        document(f"{OBJECT}/.zarray", lambda content: content.update(filters=[{"id": "pickle", "protocol": 5}])),
        OBJECT,
        also=("L-06",),
        base="format 2",
    ),
]

RECEIPTS = [
    Mutant(
        "Q-06",
        "a flux changed afterwards",
        put(FLUX, np.s_[3, 5], 7),
        f"{FLUX}/c.0.0",
        rows=(0,),
        says="not what was written",
    ),
    Mutant("Q-06", "a field changed afterwards", put("metadata/airmass", 3, 1.5), "metadata/airmass/c.0", rows=(0,)),
    Mutant("Q-06", "a grid changed afterwards", put(WAVELENGTH, 3, np.nan), f"{WAVELENGTH}/c.0", says="not what was"),
    Mutant("Q-06", "a chunk lost", remove(f"{FLUX}/c.0.0"), f"{FLUX}/c.0.0", rows=(0,), says="missing"),
    Mutant("Q-06", "a continuum written afterwards", put(CUBES[2], np.s_[3, :], 1), f"{CUBES[2]}/c.0.0", rows=(0,)),
    Mutant("Q-06", "an index written anew", index(lambda table: table, compression_level=9), "index.parquet"),
    Mutant("Q-06", "an attribute added", attributes("", data_rights="public"), "zarr.json"),
]
"""Mutants of a store with receipts, which only those can tell from what was written."""

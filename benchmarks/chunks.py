"""What Blosc's block size, the writing of regions and the order of reading cost, on the flux of a store."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs import blosc
from numpy.typing import NDArray

from spectral_zarr.store.chunks import BLOCK_BYTES, encode, write_chunk

CUBES = ("signal/flux_raw", "signal/uncertainty_raw", "signal/wavelength")
KIB = 1 << 10
BLOCKS = (0, 64 * KIB, 128 * KIB, 384 * KIB, BLOCK_BYTES, 1024 * KIB, 4096 * KIB)
"""Bytes of a Blosc block; 0 leaves the choice to Blosc, which takes 256 KiB."""

SHAPES = ((1024, 0), (256, 4096))
"""Chunks of the contract; 0 pixels are all of them."""

LEAST_BYTES = 48 << 20
BATCH = 64


def seconds(ways: Mapping[Any, Callable[[], Any]], rounds: int) -> dict[Any, float]:
    """Median cpu seconds of each way, measured in turn."""
    measured: dict[Any, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            way()
            measured[name].append(time.process_time() - began)
    return {name: statistics.median(values) for name, values in measured.items()}


def compression(group: zarr.Group, rounds: int) -> None:
    """Speed and ratio of the first chunk of every cube, by block size."""
    print("| array | block KiB | encode MB/s | decode MB/s | ratio |\n|---|---:|---:|---:|---:|")
    for name in CUBES:
        if name not in group or group[name].ndim != 2:
            continue
        array = group[name]
        values = np.ascontiguousarray(array[: array.chunks[0], : array.chunks[1]])
        codecs = {size >> 10: blosc.Blosc("zstd", 5, blosc.Blosc.BITSHUFFLE, blocksize=size) for size in BLOCKS}
        frames = {size: codec.encode(values) for size, codec in codecs.items()}
        encoding = seconds({size: partial(codec.encode, values) for size, codec in codecs.items()}, rounds)
        decoding = seconds({size: partial(codec.decode, frames[size]) for size, codec in codecs.items()}, rounds)
        for size, frame in frames.items():
            encode_speed, decode_speed = (values.nbytes / 1e6 / spent[size] for spent in (encoding, decoding))
            ratio = values.nbytes / len(frame)
            print(f"| {name} | {size} | {encode_speed:.0f} | {decode_speed:.0f} | {ratio:.3f} |")


def regions(flux: NDArray[Any], rounds: int, work: Path | None) -> None:
    """Our durable writes and those of zarr-python against compressing and plainly writing the same chunks."""
    print("\n| chunk | ours / plain cpu | zarr-python / plain cpu |\n|---|---:|---:|")
    for rows, columns in SHAPES:
        shape = (min(rows, len(flux)), columns or flux.shape[1])
        values = repeated(flux, shape[0])
        pieces = [
            np.ascontiguousarray(values[top : top + shape[0], left : left + shape[1]])
            for top in range(0, len(values), shape[0])
            for left in range(0, values.shape[1] - shape[1] + 1, shape[1])
        ]
        width = values.shape[1] // shape[1] * shape[1]
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            root = Path(scratch)
            (root / "ours").mkdir()
            codec = blosc.Blosc("zstd", 5, blosc.Blosc.BITSHUFFLE, blocksize=BLOCK_BYTES)
            array = zarr.create_array(
                str(root / "zarr"),
                shape=(len(values), width),
                chunks=shape,
                dtype="f4",
                compressors=zarr.codecs.BloscCodec(
                    cname="zstd", clevel=5, shuffle="bitshuffle", typesize=4, blocksize=BLOCK_BYTES
                ),
                fill_value=float("nan"),
            )

            def plain(root: Path = root, codec: Any = codec, pieces: list[NDArray[Any]] = pieces) -> None:
                for number, piece in enumerate(pieces):
                    (root / str(number)).write_bytes(codec.encode(piece))

            def ours(root: Path = root, pieces: list[NDArray[Any]] = pieces) -> None:
                for number, piece in enumerate(pieces):
                    write_chunk(root, "ours", str(number), encode(piece, 5))

            def by_zarr(
                array: Any = array, values: NDArray[Any] = values, width: int = width, rows: int = shape[0]
            ) -> None:
                for top in range(0, len(values), rows):
                    array[top : top + rows] = values[top : top + rows, :width]

            spent = seconds({"plain": plain, "ours": ours, "zarr": by_zarr}, rounds)
        print(f"| {shape} | {spent['ours'] / spent['plain']:.2f} | {spent['zarr'] / spent['plain']:.2f} |")


def repeated(flux: NDArray[Any], height: int) -> NDArray[Any]:
    """Whole chunks of rows, enough of them to measure."""
    n_rows = max(1, -(-LEAST_BYTES // (height * flux[0].nbytes))) * height
    return np.resize(flux, (n_rows, flux.shape[1]))


def reading(array: Any, rounds: int) -> None:
    """Rows per second in the order of the store, by shuffled blocks, and in random order over the whole store."""
    rng = np.random.default_rng(0)
    n_rows, height = array.shape[0], array.chunks[0]
    sampled = rng.permutation(n_rows)[: 4 * BATCH]
    blocks = rng.permutation(np.arange(0, n_rows, height)).tolist()

    def in_order() -> None:
        for start in range(0, n_rows, height):
            _ = [row.sum() for row in array[start : start + height]]

    def by_blocks() -> None:
        for start in blocks:
            block = array[start : start + height]
            _ = [block[row].sum() for row in rng.permutation(len(block))]

    def at_random() -> None:
        for start in range(0, len(sampled), BATCH):
            _ = [row.sum() for row in array.oindex[np.sort(sampled[start : start + BATCH])]]

    ways = {"in order": in_order, "shuffled blocks": by_blocks, "random": at_random}
    walls: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            walls[name].append((time.perf_counter() - began) / (len(sampled) if name == "random" else n_rows))
    spent = {name: statistics.median(values) for name, values in walls.items()}
    print(f"\n| order, {n_rows} rows in chunks of {array.chunks} | µs a row |\n|---|---:|")
    for name, value in spent.items():
        print(f"| {name} | {1e6 * value:.1f} |")
    print(f"\nrandom / shuffled blocks: {spent['random'] / spent['shuffled blocks']:.1f}")
    print(f"shuffled blocks / in order: {spent['shuffled blocks'] / spent['in order']:.2f}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="directory to write in")
    options = parser.parse_args()
    blosc.use_threads = False
    group = zarr.open_group(str(options.store), mode="r")
    flux = group[CUBES[0]]
    compression(group, options.rounds)
    regions(flux[: flux.chunks[0]], options.rounds, options.work)
    reading(flux, options.rounds)


if __name__ == "__main__":
    main()

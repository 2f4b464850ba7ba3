"""Damaged copies of sound files: cut at blocks and anywhere, and mutated in the ways that files go wrong."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spectral_zarr.testing.fits_bytes import BLOCK, CARD

MOST_HEADER_BYTES = 200_000

VALUES = (
    *("0", "-1", "1", "2", "3", "999999", "2147483647", "9223372036854775807", "-9223372036854775808", "1E400", "NAN"),
    *("INDEF", "T", "F", "''", "'A'", "'Angstrom'", "'log'", "'1 nm'", "1.5", "-1E-300", "'\x7f'", "(1,2)", "", "= ="),
)
"""What a card may say instead."""

Mutation = Callable[[random.Random, bytearray], None]


def _cards(data: bytearray, start: int) -> list[int]:
    return [i for i in range(start, min(len(data), MOST_HEADER_BYTES), CARD) if data[i + 8 : i + 10] == b"= "]


def another_value(generator: random.Random, data: bytearray) -> None:
    """Give a card another value."""
    if starts := _cards(data, 0):
        at = generator.choice(starts)
        data[at + 10 : at + CARD] = generator.choice(VALUES).encode("latin-1").rjust(20).ljust(CARD - 10)


def no_card(generator: random.Random, data: bytearray) -> None:
    """Make a comment of a card."""
    if starts := _cards(data, CARD):
        at = generator.choice(starts)
        data[at : at + CARD] = b"COMMENT".ljust(CARD)


def another_name(generator: random.Random, data: bytearray) -> None:
    """Exchange the keywords of two cards."""
    starts = _cards(data, CARD)
    if len(starts) > 1:
        one, other = generator.sample(starts, 2)
        data[one : one + 8], data[other : other + 8] = data[other : other + 8], data[one : one + 8]


def another_byte(generator: random.Random, data: bytearray) -> None:
    """Change one, ten or a thousand bytes."""
    for _ in range(generator.choice((1, 10, 1000))):
        data[generator.randrange(len(data))] = generator.randrange(256)


def shorter(generator: random.Random, data: bytearray) -> None:
    """Cut anywhere."""
    del data[generator.randrange(len(data)) :]


def shorter_by_blocks(generator: random.Random, data: bytearray) -> None:
    """Cut at a block."""
    del data[BLOCK * generator.randrange(1 + len(data) // BLOCK) :]


def blank_pixels(generator: random.Random, data: bytearray) -> None:
    """Overwrite a stretch with one byte."""
    start = generator.randrange(len(data))
    stop = min(len(data), start + generator.choice((100, 10_000, 1_000_000)))
    data[start:stop] = generator.choice((b"\0", b"\xff", b"\x7f")) * (stop - start)


def text_mode(generator: random.Random, data: bytearray) -> None:
    """Copy as if it were text."""
    data[:] = data.replace(b"\n", b"\r\n")


MUTATIONS: tuple[Mutation, ...] = (
    *(another_value, another_value, another_value, no_card, another_name, another_byte),
    *(shorter, shorter_by_blocks, blank_pixels, text_mode),
)


def mutated(source: Path, count: int) -> Iterator[bytes]:
    """Mutated copies of a file, the same ones every time; a gzipped file is mutated inside."""
    raw = source.read_bytes()
    zipped = raw[:2] == b"\x1f\x8b"
    plain = gzip.decompress(raw) if zipped else raw
    generator = random.Random(source.name)
    for _ in range(count):
        data = bytearray(plain)
        for _ in range(generator.choice((1, 1, 2, 5))):
            if data:
                generator.choice(MUTATIONS)(generator, data)
        yield gzip.compress(bytes(data), 1) if zipped else bytes(data)


def truncated(source: Path, count: int) -> Iterator[bytes]:
    """Copies of a file cut at its blocks, or at some of them, and as many cut anywhere."""
    raw = source.read_bytes()
    generator = random.Random(f"cut {source.name}")
    blocks = range(0, len(raw), BLOCK)
    places = sorted(generator.sample(blocks, min(count, len(blocks))))
    for place in [*places, *(generator.randrange(len(raw)) for _ in places)]:
        yield raw[:place]


def write_copies(source: Path, directory: Path, count: int) -> list[Path]:
    """Write mutated copies of a file under names that tell where they come from."""
    return _written(source, directory, "", mutated(source, count))


def write_cuts(source: Path, directory: Path, count: int) -> list[Path]:
    """Write truncated copies of a file under names that tell where they come from."""
    return _written(source, directory, "cut", truncated(source, count))


def _written(source: Path, directory: Path, kind: str, copies: Iterable[bytes]) -> list[Path]:
    stem, _, suffix = source.name.partition(".")
    paths = []
    for number, data in enumerate(copies):
        paths.append(directory / f"{stem}-{kind}{number:04d}.{suffix}")
        paths[-1].write_bytes(data)
    return paths

"""Damaged copies of sound FITS files by kind of damage, and what the readers make of each copy."""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import SourceError
from spectral_zarr.model import SourceFile, Spectrum
from spectral_zarr.readers import FitsFile, find_reader
from spectral_zarr.testing.fits_bytes import BLOCK, CARD
from spectral_zarr.transforms import prepare

Outcome = Literal["refused", "same", "fewer rows", "changed"]
"""How a damaged copy ends: refused, or accepted with the same values, with fewer rows, or with other values."""

Values = Mapping[tuple[int, int], tuple[bytes, ...]]
"""HDU and row of each accepted spectrum, and its flux, uncertainty, continuum, wavelength and parameters as bytes."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound file: its unpacked bytes, where its headers are, and what it holds.

    Attributes
    ----------
    source : SourceFile
        Where the file is, and its companions, which stay sound.
    data : bytes
        Unpacked content.
    headers : tuple of tuple of int
        First byte of each header and of the data after it.
    values : mapping
        Its spectra.
    """

    source: SourceFile
    data: bytes
    headers: tuple[tuple[int, int], ...]
    values: Values

    @classmethod
    def of(cls, source: SourceFile, data: bytes, options: ReaderOptions) -> Sound:
        """Read a sound file.

        Raises
        ------
        SourceError
            When it is refused.
        """
        file = FitsFile(data, source.name, source.path, source.companions)
        position, places = 0, []
        for hdu in file.hdus:
            start = file.data.index(hdu.header.raw, position)
            position = start + -(-(len(hdu.header.raw) + CARD) // BLOCK) * BLOCK
            places.append((start, position))
        return cls(source, file.data, tuple(places), _values(file, options))

    def outcome(self, data: bytes, options: ReaderOptions) -> Outcome:
        """What the readers make of a copy."""
        try:
            values = _values(FitsFile(data, self.source.name, self.source.path, self.source.companions), options)
        except SourceError:
            return "refused"
        if any(self.values.get(place) != arrays for place, arrays in values.items()):
            return "changed"
        return "same" if len(values) == len(self.values) else "fewer rows"


def _values(file: FitsFile, options: ReaderOptions) -> Values:
    values: dict[tuple[int, int], tuple[bytes, ...]] = {}
    refused: SourceError | None = None
    reader = find_reader(file, options)
    for spectrum in reader.read(file, options, reader.policy):
        try:
            values[(spectrum.hdu or 0, spectrum.row or 0)] = _arrays(spectrum)
        except SourceError as error:
            refused = error
    if not values and refused is not None:
        raise refused
    return values


def _arrays(spectrum: Spectrum | SourceError) -> tuple[bytes, ...]:
    if isinstance(spectrum, SourceError):
        raise spectrum
    found = prepare(spectrum)
    axis = found.wavelength if found.wavelength is not None else found.grid.wavelength()
    arrays = (found.flux, found.uncertainty, found.continuum, axis)
    params = repr(sorted((name, float(value)) for name, value in spectrum.params.items()))
    return (*(b"" if one is None else np.ascontiguousarray(one).tobytes() for one in arrays), params.encode())


def with_datasums(data: bytes) -> bytes:
    """The file as astropy writes it with a right DATASUM in every HDU."""
    from astropy.io import fits

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(io.BytesIO(data), memmap=False, disable_image_compression=True) as hdus:
            hdus.writeto(buffer, checksum="datasum", output_verify="silentfix")
    return buffer.getvalue()


Kind = Callable[[random.Random, Sound], bytes]


def _lost(generator: random.Random, sound: Sound) -> bytes:
    at = generator.randrange(len(sound.data))
    return sound.data[:at] + sound.data[at + 1 :]


def _lost_bytes(generator: random.Random, sound: Sound) -> bytes:
    at = generator.randrange(len(sound.data))
    return sound.data[:at] + sound.data[at + generator.randrange(2, 5000) :]


def _lost_blocks(generator: random.Random, sound: Sound) -> bytes:
    at = BLOCK * generator.randrange(len(sound.data) // BLOCK)
    return sound.data[:at] + sound.data[at + BLOCK * generator.choice((1, 2, 10)) :]


def _lost_page(generator: random.Random, sound: Sound) -> bytes:
    at = 4096 * generator.randrange(1 + len(sound.data) // 4096)
    return sound.data[:at] + sound.data[at + 4096 :]


def _inserted(generator: random.Random, sound: Sound) -> bytes:
    at = generator.randrange(len(sound.data))
    return sound.data[:at] + generator.randbytes(1) + sound.data[at:]


def _inserted_bytes(generator: random.Random, sound: Sound) -> bytes:
    at = generator.randrange(len(sound.data))
    return sound.data[:at] + generator.randbytes(generator.randrange(2, 5000)) + sound.data[at:]


def _doubled_block(generator: random.Random, sound: Sound) -> bytes:
    at = BLOCK * generator.randrange(len(sound.data) // BLOCK)
    return sound.data[: at + BLOCK] + sound.data[at:]


def _exchanged(sound: Sound, one: int, other: int) -> bytes:
    data = bytearray(sound.data)
    data[one : one + BLOCK], data[other : other + BLOCK] = data[other : other + BLOCK], data[one : one + BLOCK]
    return bytes(data)


def _swapped(generator: random.Random, sound: Sound) -> bytes:
    blocks = range(0, len(sound.data), BLOCK)
    return _exchanged(sound, *generator.sample(blocks, 2))


def _swapped_next(generator: random.Random, sound: Sound) -> bytes:
    one = generator.randrange(0, len(sound.data) - BLOCK, BLOCK)
    return _exchanged(sound, one, one + BLOCK)


def _flipped(sound: Sound, at: int, bit: int) -> bytes:
    data = bytearray(sound.data)
    data[at] ^= 1 << bit
    return bytes(data)


def _flipped_data(generator: random.Random, sound: Sound) -> bytes:
    ends = [start for start, _ in sound.headers[1:]] + [len(sound.data)]
    spans = [(data, end) for (_, data), end in zip(sound.headers, ends, strict=True) if end > data]
    start, end = generator.choices(spans, [end - start for start, end in spans])[0]
    return _flipped(sound, generator.randrange(start, end), generator.randrange(8))


def _flipped_header(generator: random.Random, sound: Sound) -> bytes:
    start, end = generator.choices(sound.headers, [end - start for start, end in sound.headers])[0]
    return _flipped(sound, generator.randrange(start, end), generator.randrange(8))


def _zeroed_page(generator: random.Random, sound: Sound) -> bytes:
    at = 4096 * generator.randrange(1 + len(sound.data) // 4096)
    return (sound.data[:at] + bytes(4096) + sound.data[at + 4096 :])[: len(sound.data)]


def _cut(generator: random.Random, sound: Sound) -> bytes:
    return sound.data[: generator.randrange(len(sound.data))]


def _cut_at_block(generator: random.Random, sound: Sound) -> bytes:
    return sound.data[: BLOCK * generator.randrange(len(sound.data) // BLOCK)]


def _padded(generator: random.Random, sound: Sound) -> bytes:
    return sound.data + generator.choice((b"\0", b" ", b"\xff")) * generator.randrange(1, 6000)


def _padded_to_blocks(generator: random.Random, sound: Sound) -> bytes:
    return sound.data + generator.choice((b"\0", b" ")) * BLOCK * generator.randrange(1, 10)


def _to_unix(generator: random.Random, sound: Sound) -> bytes:
    return sound.data.replace(b"\r\n", b"\n")


def _to_dos(generator: random.Random, sound: Sound) -> bytes:
    return sound.data.replace(b"\n", b"\r\n")


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "one byte lost": _lost,
        "2 to 5000 bytes lost": _lost_bytes,
        "whole blocks lost": _lost_blocks,
        "a page of 4096 bytes lost": _lost_page,
        "one byte inserted": _inserted,
        "2 to 5000 bytes inserted": _inserted_bytes,
        "a block doubled": _doubled_block,
        "two blocks exchanged": _swapped,
        "neighbouring blocks exchanged": _swapped_next,
        "a bit of the data flipped": _flipped_data,
        "a bit of a header flipped": _flipped_header,
        "a page of 4096 bytes zeroed": _zeroed_page,
        "cut anywhere": _cut,
        "cut at a block": _cut_at_block,
        "padded": _padded,
        "padded to whole blocks": _padded_to_blocks,
        "CR LF made LF": _to_unix,
        "LF made CR LF": _to_dos,
    }
)
"""What happens to files, by name; of each a generator and a sound file give one copy."""


def outcomes(sound: Sound, kind: str, count: int, options: ReaderOptions) -> Iterator[tuple[bytes, Outcome]]:
    """Damaged copies of a file that differ from it, the same ones every time, and how each ends."""
    generator = random.Random(f"{kind} {sound.source.name}")
    for _ in range(count):
        data = KINDS[kind](generator, sound)
        if data != sound.data:
            yield data, sound.outcome(data, options)

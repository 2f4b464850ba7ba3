"""No damage of a Blosc header reaches the decoder unnoticed, and every frame of a real encoder passes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numcodecs import Blosc, VLenUTF8

from spectral_zarr.store.blosc_frame import frame_problem

SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
COMPRESSORS = ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
MEMCPYED, NOT_SPLIT = 0x02, 0x10
HEADER = 16


def smooth(n_bytes: int) -> bytes:
    """Bytes that compress well."""
    return bytes(np.repeat(np.arange(n_bytes // 64 + 1, dtype=np.uint8), 64)[:n_bytes])


def noise(n_bytes: int) -> bytes:
    """Bytes that do not compress."""
    return np.random.default_rng(n_bytes).bytes(n_bytes)


def encoded(data: bytes, dtype: str, codec: tuple[str, int, str], blocksize: int = 0) -> bytes:
    cname, clevel, shuffle = codec
    return bytes(Blosc(cname, clevel, SHUFFLES[shuffle], blocksize).encode(np.frombuffer(data, dtype)))


@pytest.mark.parametrize("cname", COMPRESSORS)
@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8", "S12", "S300"])
def test_every_frame_of_a_real_encoder_passes(cname: str, shuffle: str, dtype: str) -> None:
    itemsize = np.dtype(dtype).itemsize
    for clevel in (0, 1, 5, 9):
        for n_items in (1, 3, 1000, 40_000 // itemsize * 8):
            for make in (smooth, noise):
                data, codec = make(n_items * itemsize), (cname, clevel, shuffle)
                frame = encoded(data, dtype, codec)
                assert frame_problem(frame, len(data), itemsize=itemsize, codec=codec) is None
                assert Blosc().decode(frame) == data


def test_the_frames_above_are_stored_ones_and_split_and_unsplit_blocks() -> None:
    flags = {
        encoded(data, "f4", (cname, clevel, "bitshuffle"))[2] & (MEMCPYED | NOT_SPLIT)
        for cname in COMPRESSORS
        for clevel in (0, 1, 5, 9)
        for data in (smooth(200_000), noise(200_000), b"12345678")
    }
    assert {flag & MEMCPYED for flag in flags} == {0, MEMCPYED}
    assert {flag & NOT_SPLIT for flag in flags} == {0, NOT_SPLIT}


@pytest.mark.parametrize("texts", [[""], ["a", "\xe4\u4e2d", ""], ["some longer text"] * 5000])
@pytest.mark.parametrize("cname", COMPRESSORS)
def test_frames_of_text_of_variable_length_pass(cname: str, texts: list[str]) -> None:
    packed = VLenUTF8().encode(np.array(texts, object))
    frame = bytes(Blosc(cname, 5, 2).encode(packed))
    assert frame_problem(frame, None, codec=(cname, 5, "bitshuffle")) is None


def test_an_empty_frame_passes() -> None:
    assert frame_problem(bytes(Blosc("zstd", 5, 2).encode(b"")), 0) is None


FRAMES = [
    (make(size), dtype, (cname, clevel, shuffle), blocksize)
    for make in (smooth, noise)
    for size in (64, 4000, 100_000)
    for dtype, shuffle in (("f4", "bitshuffle"), ("f8", "shuffle"), ("u1", "noshuffle"))
    for cname, clevel, blocksize in (("zstd", 5, 0), ("lz4", 1, 4096), ("zstd", 0, 0))
]


def decoding(frame: bytes, data: bytes, dtype: str, codec: tuple[str, int, str]) -> str:
    """What becomes of a frame: '' for the data, else what was noticed; nothing else may happen."""
    problem = frame_problem(frame, len(data), itemsize=np.dtype(dtype).itemsize, codec=codec)
    if problem is not None:
        return problem
    try:
        decoded = bytes(Blosc().decode(frame, np.empty(len(data), np.uint8)))
    except (RuntimeError, ValueError) as error:
        return str(error)
    assert decoded == data
    return ""


@pytest.mark.parametrize(("data", "dtype", "codec", "blocksize"), FRAMES)
def test_every_flipped_bit_of_the_header_is_noticed_or_harmless(
    data: bytes, dtype: str, codec: tuple[str, int, str], blocksize: int
) -> None:
    frame = encoded(data, dtype, codec, blocksize)
    noticed = set()
    for bit in range(8 * HEADER):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        if decoding(bytes(damaged), data, dtype, codec):
            noticed.add(bit // 8)
    # The format version, and the decoded and encoded sizes, can never be wrong.
    assert {0, 4, 5, 6, 7, 12, 13, 14, 15} <= noticed


@given(st.sampled_from(FRAMES), st.integers(0, HEADER - 1), st.integers(0, 255))
def test_every_byte_of_the_header_may_be_anything(frame: Any, position: int, value: int) -> None:
    data, dtype, codec, blocksize = frame
    damaged = bytearray(encoded(data, dtype, codec, blocksize))
    # Writers that do not tell the compressor the element size make frames of 1.
    assume((position, value) != (3, 1))
    damaged[position] = value
    decoding(bytes(damaged), data, dtype, codec)


FIELDS = {"version": ("B", 0), "typesize": ("B", 3), "nbytes": ("I", 4), "blocksize": ("I", 8), "cbytes": ("I", 12)}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("version", 0, "format version 0"),
        ("version", 3, "format version 3"),
        ("typesize", 0, "elements of no bytes"),
        ("typesize", 8, "elements of 8 bytes instead of 4"),
        ("nbytes", 0, "decodes to 0 bytes instead of 100000"),
        ("nbytes", 100_004, "decodes to 100004 bytes instead of 100000"),
        ("nbytes", 2**32 - 1, "decodes to 4294967295 bytes"),
        ("blocksize", 0, "blocks of 0 bytes"),
        ("blocksize", 100_001, "blocks of 100001 bytes"),
        ("blocksize", 1, "the table of 100000 blocks does not fit"),
        ("cbytes", 0, "the header promises 0 bytes"),
        ("cbytes", 2**31, "the header promises 2147483648 bytes"),
    ],
)
def test_a_damaged_field_is_named(field: str, value: int, expected: str) -> None:
    data = smooth(100_000)
    frame = bytearray(encoded(data, "f4", ("zstd", 5, "bitshuffle")))
    struct.pack_into(f"<{FIELDS[field][0]}", frame, FIELDS[field][1], value)
    problem = frame_problem(bytes(frame), len(data), itemsize=4, codec=("zstd", 5, "bitshuffle"))
    assert problem is not None
    assert expected in problem


def test_another_codec_than_the_array_names_is_a_problem() -> None:
    data = smooth(10_000)
    frame = encoded(data, "f4", ("zstd", 5, "bitshuffle"))
    for codec, expected in (
        (("lz4", 5, "bitshuffle"), "another compressor than lz4"),
        (("zstd", 5, "shuffle"), "another shuffle than shuffle"),
        (("zstd", 9, "bitshuffle"), None),
        (("zstd", 5, "autoshuffle"), None),
    ):
        problem = frame_problem(frame, len(data), itemsize=4, codec=codec)
        assert problem == expected or (problem is not None and expected is not None and expected in problem)


def test_a_file_cut_short_or_too_long_is_a_problem_at_every_length() -> None:
    data = smooth(1000)
    frame = encoded(data, "f4", ("zstd", 5, "bitshuffle"))
    for length in range(len(frame)):
        assert frame_problem(frame[:length], len(data), itemsize=4) is not None
    assert frame_problem(frame + b"\0", len(data), itemsize=4) is not None


def test_a_block_that_begins_outside_the_frame_is_a_problem() -> None:
    data = noise(100_000)
    frame = bytearray(encoded(data + smooth(100_000), "f4", ("zstd", 5, "bitshuffle"), 65_536))
    for start in (0, HEADER, len(frame), 2**32 - 1):
        struct.pack_into("<I", frame, HEADER, start)
        assert frame_problem(bytes(frame), 200_000, itemsize=4) == "a block begins outside the frame"


@given(st.binary(max_size=300), st.sampled_from([None, 0, 64, 128]))
def test_no_bytes_raise(payload: bytes, nbytes: int | None) -> None:
    problem = frame_problem(payload, nbytes)
    assert problem is None or problem

"""Documents written by zarr-python are read to layouts that decode to what zarr-python reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, TransposeCodec

from .conftest import COMPRESSORS, everything, layout_of, written

NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "bool", "c8", "c16")


def data_of(dtype: str, shape: tuple[int, ...] = (7, 11)) -> np.ndarray:
    random = np.random.default_rng(len(dtype) + shape[0])
    if np.dtype(dtype).kind in "SU":
        words = np.array(["", "a", "abc", "abcdef"])
        return words[random.integers(0, 4, shape)].astype(dtype)
    values = random.integers(0, 100, shape).astype(dtype)
    if np.dtype(dtype).kind in "fc":
        values.flat[:3] = np.nan, np.inf, -0.5
    return values


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("codec", COMPRESSORS)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers_of_every_kind_and_codec(tmp_path: Path, dtype: str, codec: str, zarr_format: int) -> None:
    data = data_of(dtype)
    written(tmp_path, "x", data, chunks=(4, 3), codec=codec, zarr_format=zarr_format)
    layout = layout_of(tmp_path, "x")
    assert (layout.shape, layout.chunks, layout.kind, layout.text) == ((7, 11), (4, 3), np.dtype(dtype).name, "")
    assert layout.grid == (2, 4)
    assert layout.itemsize == np.dtype(dtype).itemsize
    assert layout.is_number == (np.dtype(dtype).kind in "fiu")
    assert layout.refused == ""
    np.testing.assert_array_equal(everything(tmp_path, "x"), data)


CODECS = {
    "bitshuffle": ("zstd", 5, "bitshuffle"),
    "shuffle": ("lz4", 7, "shuffle"),
    "noshuffle": ("zlib", 1, "noshuffle"),
    "stored": ("zstd", 0, "bitshuffle"),
}


@pytest.mark.parametrize("codec", COMPRESSORS)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_codec_and_whether_it_is_the_only_one(tmp_path: Path, codec: str, zarr_format: int) -> None:
    written(tmp_path, "x", data_of("f4"), codec=codec, zarr_format=zarr_format)
    layout = layout_of(tmp_path, "x")
    assert layout.codec == CODECS.get(codec)
    assert layout.plain == (codec in CODECS)
    assert layout.typesize == (4 if codec in CODECS and zarr_format == 3 else None)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i8", ">i8", ">u2", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("fill", [None, 0, 7])
def test_byte_orders_axis_orders_and_separators_of_format_2(
    tmp_path: Path, dtype: str, order: Any, separator: Any, fill: Any
) -> None:
    keys = {"name": "v2", "separator": separator}
    data = data_of(dtype)
    written(tmp_path, "x", data, chunks=(4, 3), zarr_format=2, order=order, chunk_key_encoding=keys, fill_value=fill)
    layout = layout_of(tmp_path, "x")
    assert (layout.dtype, layout.order, layout.separator, layout.plain) == (np.dtype(dtype).str, order, separator, True)
    assert (tmp_path / "x" / layout.key(1, 3)).is_file()
    np.testing.assert_array_equal(everything(tmp_path, "x"), data)


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("keys", [("default", "/"), ("default", "."), ("v2", "."), ("v2", "/")])
@pytest.mark.parametrize("codec", ["bitshuffle", "zstd"])
def test_byte_orders_and_keys_of_format_3(tmp_path: Path, endian: Any, keys: tuple[str, Any], codec: str) -> None:
    encoding = {"name": keys[0], "separator": keys[1]}
    data = data_of("f8")
    written(
        tmp_path,
        "x",
        data,
        chunks=(4, 3),
        codec=codec,
        serializer=BytesCodec(endian=endian),
        chunk_key_encoding=encoding,
    )
    layout = layout_of(tmp_path, "x")
    assert np.dtype(layout.dtype) == np.dtype(">f8" if endian == "big" else "<f8")
    assert (tmp_path / "x" / layout.key(1, 3)).is_file()
    np.testing.assert_array_equal(everything(tmp_path, "x"), data)


@pytest.mark.parametrize("order", [(1, 0), (0, 1)])
def test_transposed_chunks_are_left_to_zarr(tmp_path: Path, order: tuple[int, int]) -> None:
    data = data_of("f4")
    written(tmp_path, "x", data, chunks=(4, 3), filters=[TransposeCodec(order=order)])
    assert not layout_of(tmp_path, "x").plain
    np.testing.assert_array_equal(everything(tmp_path, "x"), data)


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("dtype", ["f4", "i2", "bool"])
@pytest.mark.parametrize("codec", ["bitshuffle", "gzip", "none"])
def test_shards(tmp_path: Path, codec: str, dtype: str, location: Any) -> None:
    data = data_of(dtype, (9, 13))
    data[:4] = 0
    shards = {"shape": (8, 6), "index_location": location}
    written(tmp_path, "x", data, chunks=(4, 3), shards=shards, codec=codec, fill_value=0)
    layout = layout_of(tmp_path, "x")
    assert (layout.chunks, layout.inner) == ((8, 6), (4, 3))
    assert layout.plain == (codec == "bitshuffle" and location == "end")
    np.testing.assert_array_equal(everything(tmp_path, "x"), data)


def test_a_checksum_behind_the_frames_is_left_to_zarr(tmp_path: Path) -> None:
    data = data_of("f4")
    zarr.create_array(tmp_path / "x", data=data, chunks=(4, 3), compressors=[BloscCodec(cname="zstd"), Crc32cCodec()])
    assert not layout_of(tmp_path, "x").plain
    np.testing.assert_array_equal(everything(tmp_path, "x"), data)


TEXTS = np.array(["", "a", "\xe4\u4e2d", "x" * 50, "tail"], object)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("codec", ["bitshuffle", "zstd", "none"])
def test_text_of_variable_length(tmp_path: Path, codec: str, zarr_format: int) -> None:
    array = zarr.create_array(
        tmp_path / "x",
        shape=(5,),
        chunks=(2,),
        dtype="str",
        compressors=COMPRESSORS[codec][zarr_format - 2],
        zarr_format=zarr_format,
    )
    array[:] = TEXTS
    layout = layout_of(tmp_path, "x")
    assert (layout.kind, layout.text, layout.dtype, layout.itemsize) == ("text", "variable", "", 16)
    assert everything(tmp_path, "x").tolist() == TEXTS.tolist()


def test_sharded_text_is_left_to_zarr(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "x", shape=(5,), chunks=(1,), shards=(2,), dtype="str", compressors=COMPRESSORS["bitshuffle"][1]
    )
    array[:] = TEXTS
    assert not layout_of(tmp_path, "x").plain
    assert everything(tmp_path, "x").tolist() == TEXTS.tolist()


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("codec", ["bitshuffle", "zstd"])
@pytest.mark.parametrize("dtype", ["S6", "<U6", ">U6"])
def test_text_of_fixed_length(tmp_path: Path, dtype: str, codec: str, zarr_format: int) -> None:
    how: dict[str, Any] = {"serializer": BytesCodec(endian="big")} if (dtype, zarr_format) == (">U6", 3) else {}
    data = data_of(dtype, (7,))
    written(tmp_path, "x", data, chunks=(3,), codec=codec, zarr_format=zarr_format, **how)
    layout = layout_of(tmp_path, "x")
    assert (layout.kind, layout.text, layout.itemsize) == ("text", "fixed", np.dtype(dtype).itemsize)
    assert everything(tmp_path, "x").tolist() == data.astype("U6").tolist()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        *(("f4", np.nan), ("f4", np.inf), ("f8", -np.inf), ("f4", 0.1), ("f8", -999.0), ("f2", 1.5)),
        *(("i2", -3), ("u8", 2**64 - 1), ("bool", True), ("c8", 1 - 2j), ("c16", complex(np.nan, np.inf))),
    ],
)
def test_the_value_of_chunks_without_a_file(tmp_path: Path, dtype: str, fill: Any, zarr_format: int) -> None:
    array = zarr.create_array(
        tmp_path / "x", shape=(5,), chunks=(2,), dtype=dtype, fill_value=fill, zarr_format=zarr_format
    )
    array[:2] = 1
    assert not (tmp_path / "x" / layout_of(tmp_path, "x").key(1)).exists()
    np.testing.assert_array_equal(everything(tmp_path, "x"), array[:])

"""Chunks of any store: the values are those of zarr-python, and a file that is not right is a coded problem."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numcodecs import VLenBytes, VLenUTF8
from zarr.codecs import BytesCodec

from spectral_zarr.model import ChunkReceipt
from spectral_zarr.store.chunk_reader import (
    DAMAGED,
    NOT_AS_WRITTEN,
    UNDECODABLE,
    ArrayReader,
    ChunkProblem,
    read_regular,
    receipt_problem,
)

from .conftest import COMPRESSORS, everything, layout_of, written

DATA = np.arange(7 * 11, dtype="f4").reshape(7, 11)


def problem_of(store: Path, *indices: int, receipts: Any = None, text: bool = False) -> ChunkProblem:
    """The problem that a chunk of the array ``x`` is."""
    reader = ArrayReader(store, layout_of(store, "x"), receipts)
    with pytest.raises(ChunkProblem) as caught:
        list(reader.texts(*indices)) if text else reader.numbers(*indices)
    return caught.value


class TestValues:
    @given(
        hnp.arrays(
            st.sampled_from(["<f4", ">f4", "<f8", ">i2", "|u1"]),
            hnp.array_shapes(min_dims=1, max_dims=2, max_side=9),
        ),
        st.lists(st.integers(1, 9), min_size=2, max_size=2),
        st.sampled_from(["bitshuffle", "shuffle", "stored", "gzip"]),
        st.sampled_from([(2, "C"), (2, "F"), (3, "C")]),
    )
    def test_any_array_cut_in_any_way(
        self, tmp_path_factory: pytest.TempPathFactory, data: Any, chunks: Any, codec: str, how: Any
    ) -> None:
        store = tmp_path_factory.mktemp("store")
        zarr_format, order = how
        more: dict[str, Any] = {"order": order} if zarr_format == 2 else {}
        if zarr_format == 3 and data.dtype.byteorder == ">":
            more["serializer"] = BytesCodec(endian="big")
        array = written(
            store, "x", data, chunks=tuple(chunks[: data.ndim]), codec=codec, zarr_format=zarr_format, **more
        )
        np.testing.assert_array_equal(everything(store, "x"), array[...])

    def test_chunks_at_the_edge_are_clipped(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA, chunks=(4, 4))
        reader = ArrayReader(tmp_path, layout_of(tmp_path, "x"))
        chunk = reader.numbers(1, 2)
        assert chunk is not None
        np.testing.assert_array_equal(chunk, DATA[4:, 8:])
        assert reader.nbytes == 4 * 4 * 4

    @pytest.mark.parametrize("codec", ["bitshuffle", "gzip"])
    def test_a_chunk_without_a_file_has_no_values(self, tmp_path: Path, codec: str) -> None:
        array = zarr.create_array(
            tmp_path / "x", shape=(4, 4), chunks=(2, 4), dtype="f4", compressors=COMPRESSORS[codec][1]
        )
        array[:2] = 1
        reader = ArrayReader(tmp_path, layout_of(tmp_path, "x"))
        assert reader.numbers(0, 0) is not None
        assert reader.numbers(1, 0) is None

    def test_a_text_chunk_without_a_file_has_no_values(self, tmp_path: Path) -> None:
        zarr.create_array(tmp_path / "x", shape=(4,), chunks=(2,), dtype="str")
        assert list(ArrayReader(tmp_path, layout_of(tmp_path, "x")).texts(1)) == []

    @pytest.mark.parametrize("inner", [(1, 4), (2, 2), (4, 4)])
    def test_inner_chunks_that_are_absent_are_fill(self, tmp_path: Path, inner: tuple[int, int]) -> None:
        data = np.full((8, 6), np.nan, "f4")
        data[0, 0] = data[5, 5] = 3.0
        written(tmp_path, "x", data, chunks=inner, shards=(4, 4), fill_value=np.nan)
        assert layout_of(tmp_path, "x").plain
        np.testing.assert_array_equal(everything(tmp_path, "x"), data)

    def test_threads_have_their_own_buffers(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA, chunks=(1, 11))
        layout, ready, seen = layout_of(tmp_path, "x"), threading.Barrier(7), {}

        def read(row: int) -> None:
            chunk = ArrayReader(tmp_path, layout).numbers(row, 0)
            ready.wait()
            assert chunk is not None
            seen[row] = chunk[0].tolist()

        threads = [threading.Thread(target=read, args=(row,)) for row in range(7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == dict(enumerate(DATA.tolist()))


class TestDamage:
    @pytest.mark.parametrize("codec", ["bitshuffle", "stored", "zstd", "gzip", "none"])
    def test_a_file_cut_short_is_damaged_at_every_length(self, tmp_path: Path, codec: str) -> None:
        written(tmp_path, "x", DATA, codec=codec)
        file = tmp_path / "x" / "c/0/0"
        whole = file.read_bytes()
        for length in range(0, len(whole), 7):
            file.write_bytes(whole[:length])
            found = problem_of(tmp_path, 0, 0)
            assert (found.symptom, found.key) == (DAMAGED, "c/0/0")
            assert found.reason

    def test_a_frame_of_another_array_is_damaged(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA)
        for other in (DATA.astype("f8"), DATA[:6], DATA.view("u4").view("S4").astype("S8")):
            frame = numcodecs.Blosc("zstd", 5, 2).encode(np.ascontiguousarray(other))
            (tmp_path / "x" / "c/0/0").write_bytes(frame)
            assert problem_of(tmp_path, 0, 0).symptom == DAMAGED

    def test_every_flipped_byte_of_a_shard_index_is_damage(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA, chunks=(4, 4), shards=(8, 8))
        file = tmp_path / "x" / "c/0/0"
        whole = file.read_bytes()
        for position in range(len(whole) - 16 * 4 - 4, len(whole)):
            damaged = bytearray(whole)
            damaged[position] ^= 0x40
            file.write_bytes(damaged)
            assert problem_of(tmp_path, 0, 0).symptom == DAMAGED

    def test_an_inner_chunk_outside_its_shard_is_damage_even_with_a_right_checksum(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA, chunks=(4, 4), shards=(8, 8))
        file = tmp_path / "x" / "c/0/0"
        whole = file.read_bytes()
        for offset, nbytes in ((len(whole), 20), (0, 2**63), (2**64 - 2, 40), (0, 3)):
            index = bytearray(whole[-68:-4])
            index[:16] = offset.to_bytes(8, "little") + nbytes.to_bytes(8, "little")
            file.write_bytes(whole[:-68] + index + google_crc32c.value(bytes(index)).to_bytes(4, "little"))
            assert problem_of(tmp_path, 0, 0).symptom == DAMAGED

    def test_a_shard_shorter_than_its_index_is_damage(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA, chunks=(4, 4), shards=(8, 8))
        (tmp_path / "x" / "c/0/0").write_bytes(b"\0" * 67)
        assert "shorter than its index" in problem_of(tmp_path, 0, 0).reason

    def test_what_is_not_a_regular_file_is_damaged_and_blocks_nobody(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA)
        file = tmp_path / "x" / "c/0/0"
        file.unlink()
        os.mkfifo(file)
        assert "not a regular file" in problem_of(tmp_path, 0, 0).reason
        file.unlink()
        file.mkdir()
        assert problem_of(tmp_path, 0, 0).symptom == DAMAGED

    def test_a_file_where_the_directory_of_chunks_should_be_is_no_chunk(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA)
        (tmp_path / "x" / "c/0/0").unlink()
        (tmp_path / "x" / "c/0").rmdir()
        (tmp_path / "x" / "c/0").write_bytes(b"")
        assert ArrayReader(tmp_path, layout_of(tmp_path, "x")).numbers(0, 0) is None


def text_array(store: Path, payload: Any, *, n: int = 3, chunk: int = 0) -> None:
    """An array ``x`` of text of variable length whose only chunk has the given content."""
    codec = COMPRESSORS["shuffle"][1]
    array = zarr.create_array(store / "x", shape=(n,), chunks=(chunk or n,), dtype="str", compressors=codec)
    array[:] = np.array(["a"] * n, object)
    (store / "x" / "c/0").write_bytes(numcodecs.Blosc("lz4", 7, 1).encode(payload))


class TestText:
    def test_bytes_that_are_not_utf_8_name_their_row(self, tmp_path: Path) -> None:
        text_array(tmp_path, VLenBytes().encode(np.array([b"a", b"\xff\xfe", b"c"], object)))
        found = problem_of(tmp_path, 0, text=True)
        assert (found.symptom, found.key, found.offset) == (UNDECODABLE, "c/0", 1)
        assert "\\xff" in found.reason

    def test_fixed_bytes_that_are_not_utf_8_name_their_row(self, tmp_path: Path) -> None:
        data = np.array([b"a", b"b", b"\xc3"])
        written(tmp_path, "x", data, zarr_format=2)
        found = problem_of(tmp_path, 0, text=True)
        assert (found.symptom, found.offset) == (UNDECODABLE, 2)

    @pytest.mark.parametrize("missing", [0, 3, 9000])
    def test_long_chunks_are_given_in_pieces(self, tmp_path: Path, missing: int) -> None:
        words = [f"{i:x}-{'é' * (i % 90)}" for i in range(20_000)]
        packed = VLenUTF8().encode(np.array(words + [""] * missing, object))
        text_array(tmp_path, packed, n=20_000, chunk=20_000 + missing)
        pieces = list(ArrayReader(tmp_path, layout_of(tmp_path, "x")).texts(0))
        assert len(pieces) > 1
        assert [text for piece in pieces for text in piece] == words

    @pytest.mark.parametrize("word", ["", "x", "2018-10-16", "é"])
    def test_texts_of_one_length_are_given_in_pieces(self, tmp_path: Path, word: str) -> None:
        text_array(tmp_path, VLenUTF8().encode(np.array([word] * 20_000, object)), n=20_000)
        pieces = list(ArrayReader(tmp_path, layout_of(tmp_path, "x")).texts(0))
        assert len(pieces) > 1
        assert [text for piece in pieces for text in piece] == [word] * 20_000

    def test_bytes_in_a_long_chunk_that_are_not_utf_8_name_their_row(self, tmp_path: Path) -> None:
        words = [b"x" * 80] * 20_000
        words[12_345] = b"\xff\xfe"
        text_array(tmp_path, VLenBytes().encode(np.array(words, object)), n=20_000)
        found = problem_of(tmp_path, 0, text=True)
        assert (found.symptom, found.offset) == (UNDECODABLE, 12_345)

    @pytest.mark.parametrize("length", [0x7FFFFFFF, 0xFFFFFFFF, 79, 81])
    def test_a_wrong_length_in_a_long_chunk_is_damage(self, tmp_path: Path, length: int) -> None:
        packed = bytearray(VLenBytes().encode(np.array([b"x" * 80] * 20_000, object)))
        packed[4 + 84 * 15_000 : 8 + 84 * 15_000] = length.to_bytes(4, "little")
        text_array(tmp_path, bytes(packed), n=20_000)
        assert problem_of(tmp_path, 0, text=True).symptom == DAMAGED

    @pytest.mark.parametrize("count", [0, 2, 4, 2**31, 2**32 - 1])
    def test_another_number_of_texts_is_damage(self, tmp_path: Path, count: int) -> None:
        packed = bytearray(VLenBytes().encode(np.array([b"a", b"b", b"c"], object)))
        packed[:4] = count.to_bytes(4, "little")
        text_array(tmp_path, bytes(packed))
        assert problem_of(tmp_path, 0, text=True).symptom == DAMAGED

    @pytest.mark.parametrize("payload", [b"", b"\3\0\0", b"\3\0\0\0", b"\3\0\0\0\xff\xff\xff\x7fa"])
    def test_texts_that_end_early_are_damage(self, tmp_path: Path, payload: bytes) -> None:
        text_array(tmp_path, payload)
        assert problem_of(tmp_path, 0, text=True).symptom == DAMAGED

    def test_no_damaged_byte_raises_anything_else(self, tmp_path: Path) -> None:
        words = np.array([f"spectrum-{i:05d}" for i in range(200)], object)
        array = zarr.create_array(
            tmp_path / "x", shape=(200,), chunks=(200,), dtype="str", compressors=COMPRESSORS["bitshuffle"][1]
        )
        array[:] = words
        file = tmp_path / "x" / "c/0"
        whole = file.read_bytes()
        reader = ArrayReader(tmp_path, layout_of(tmp_path, "x"))
        symptoms = set()
        for position in range(len(whole)):
            file.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
            try:
                list(reader.texts(0))
            except ChunkProblem as problem:
                symptoms.add(problem.symptom)
        assert DAMAGED in symptoms
        assert symptoms <= {DAMAGED, UNDECODABLE}


def receipt(payload: bytes, **changes: Any) -> ChunkReceipt:
    fields = {"array": "x", "key": "c/0/0", "size": len(payload), "crc32c": google_crc32c.value(payload), **changes}
    return ChunkReceipt(**fields)


class TestReceipts:
    def test_a_chunk_as_it_was_written_is_read(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA)
        payload = (tmp_path / "x" / "c/0/0").read_bytes()
        reader = ArrayReader(tmp_path, layout_of(tmp_path, "x"), {"c/0/0": receipt(payload)})
        np.testing.assert_array_equal(reader.numbers(0, 0), DATA)

    def test_every_flipped_byte_is_noticed_even_where_it_still_decodes(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA, codec="none")
        file = tmp_path / "x" / "c/0/0"
        payload = file.read_bytes()
        receipts = {"c/0/0": receipt(payload)}
        for position in range(0, len(payload), 11):
            damaged = bytearray(payload)
            damaged[position] ^= 1
            file.write_bytes(damaged)
            assert problem_of(tmp_path, 0, 0, receipts=receipts).symptom == NOT_AS_WRITTEN

    def test_missing_files_and_files_without_a_receipt_are_noticed(self, tmp_path: Path) -> None:
        written(tmp_path, "x", DATA)
        file = tmp_path / "x" / "c/0/0"
        payload = file.read_bytes()
        assert problem_of(tmp_path, 0, 0, receipts={}).reason == "a file without a receipt"
        empty = {"c/0/0": receipt(payload, size=0)}
        assert "should hold only fill value" in problem_of(tmp_path, 0, 0, receipts=empty).reason
        file.unlink()
        assert problem_of(tmp_path, 0, 0, receipts={}).reason == "there is no receipt"
        assert "missing" in problem_of(tmp_path, 0, 0, receipts={"c/0/0": receipt(payload)}).reason
        assert ArrayReader(tmp_path, layout_of(tmp_path, "x"), empty).numbers(0, 0) is None

    @given(st.binary(max_size=50), st.binary(max_size=50))
    def test_only_the_same_bytes_agree_with_a_receipt(self, wrote: bytes, found: bytes) -> None:
        problem = receipt_problem(found, receipt(wrote))
        if wrote == found and wrote:
            assert problem is None
        else:
            assert problem

    def test_a_chunk_of_fill_value_has_no_file(self) -> None:
        assert receipt_problem(None, receipt(b"")) is None


def test_a_regular_file_is_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert read_regular(tmp_path / "file") == b"abc"
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "absent", "."):
        with pytest.raises(OSError, match=r".+"):
            read_regular(tmp_path / name)

"""Chunks of the (N_spec,) arrays hold the staged values as numcodecs packs them, filled up to the chunk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numcodecs import Blosc
from numcodecs.vlen import VLenUTF8

from spectral_zarr.store.arrow import numbers, texts
from spectral_zarr.store.columns import ColumnChunk
from spectral_zarr.store.create import ArrayKind, ArraySpec

A_FEW_MORE_THAN_AT_ONCE = 8192 + 3


def written(root: Path, dtype: str, columns: list[pa.ChunkedArray], length: int) -> Any:
    spec = ArraySpec("metadata/x", ArrayKind(dtype, (length,), (length,), ("spectrum",), 3, 5))
    (root / "metadata" / "x").mkdir(parents=True, exist_ok=True)
    chunk = ColumnChunk(spec, 0)
    for column in columns:
        chunk.add(column)
    receipt = chunk.write(root)
    payload = (root / "metadata" / "x" / receipt.key).read_bytes()
    assert (receipt.size, receipt.crc32c) == (len(payload), google_crc32c.value(payload))
    return Blosc().decode(payload)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    pieces=st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6), max_size=4),
    room=st.integers(0, 5),
)
def test_texts_are_packed_as_numcodecs_packs_them(tmp_path: Path, pieces: list[list[str]], room: int) -> None:
    wanted = [*(text for piece in pieces for text in piece), *[""] * room]
    first, second = pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]
    columns = [pa.chunked_array([texts(piece) for piece in some], pa.string()) for some in (first, second)]
    assert VLenUTF8().decode(written(tmp_path, "text", columns, len(wanted))).tolist() == wanted


@pytest.mark.parametrize("words", [["", "", ""], ["abc", "def", "ghi"], ["é", "ab", "cd"], ["x"], ["ab", "c", "abc"]])
def test_texts_of_one_length_are_packed_alike(tmp_path: Path, words: list[str]) -> None:
    parts = [texts(words), texts(["before", *words, "after"])[1:-1], texts(words)[:0]]
    columns = [pa.chunked_array(parts), pa.chunked_array([], pa.string())]
    assert VLenUTF8().decode(written(tmp_path, "text", columns, 2 * len(words) + 1)).tolist() == [*words, *words, ""]


def test_more_texts_than_are_packed_at_once(tmp_path: Path) -> None:
    wanted = [f"{number:b}é" for number in range(A_FEW_MORE_THAN_AT_ONCE)]
    column = pa.chunked_array([texts(["left out", *wanted])]).slice(1)
    assert VLenUTF8().decode(written(tmp_path, "text", [column], len(wanted))).tolist() == wanted


@pytest.mark.parametrize(("dtype", "nothing"), [("<f4", np.nan), ("<f8", np.nan), ("<i8", 0)])
def test_numbers_are_filled_up_to_the_chunk(tmp_path: Path, dtype: str, nothing: float) -> None:
    column = pa.chunked_array([numbers(np.array([1, 2], dtype)), numbers(np.array([3], dtype))])
    more = pa.chunked_array([numbers(np.array([4], dtype))])
    decoded = np.frombuffer(written(tmp_path, dtype, [column, more], 6), dtype)
    np.testing.assert_array_equal(decoded, np.array([1, 2, 3, 4, nothing, nothing], dtype))

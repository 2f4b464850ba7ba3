"""Staged columns are mapped, given back, and refused when they are not what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from spectral_zarr.errors import DamagedBuild, EnvironmentFault
from spectral_zarr.store.arrow import has_number, has_text, numbers, texts, unmapped
from spectral_zarr.store.staging import MappedColumns, read_columns, write_columns

WORDS = ["one", "", "drei", "vier"]
VALUES = np.array([1.0, np.nan, 3.0, 4.0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_columns(tmp_path / "0.columns.arrow", pa.table([texts(WORDS), numbers(VALUES)], names=["word", "value"]))
    return tmp_path / "0.columns.arrow"


def test_columns_are_read_as_they_were_written(path: Path) -> None:
    assert read_columns(path).to_pydict()["word"] == WORDS
    np.testing.assert_array_equal(read_columns(path, ("value", "absent"))["value"].to_numpy(), VALUES)
    assert read_columns(path, ("absent",)).column_names == []


def test_pages_that_were_let_go_are_read_again(path: Path) -> None:
    mapped = MappedColumns(path)
    for _ in range(3):
        assert mapped.table()["word"].to_pylist() == WORDS
        mapped.let_go()


def test_a_copy_outlives_the_file(path: Path) -> None:
    table = unmapped(read_columns(path).slice(2))
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
    assert table.to_pydict() == {"word": WORDS[2:], "value": [3.0, 4.0]}


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"\0" * 1000, b"ARROW1\0\0" + b"\xff" * 1000 + b"ARROW1"])
def test_a_damaged_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DamagedBuild, match="start anew"):
        read_columns(path)


def test_a_missing_file_is_a_fault_of_its_surroundings(path: Path) -> None:
    path.unlink()
    with pytest.raises(EnvironmentFault):
        read_columns(path)


@pytest.mark.parametrize(
    ("column", "holds"),
    [(pa.chunked_array([texts(["", ""]), texts([])]), False), (pa.chunked_array([texts([]), texts(["", "a"])]), True)],
)
def test_a_column_has_text_when_some_is_not_empty(column: pa.ChunkedArray, holds: bool) -> None:
    assert has_text(column) == holds
    assert not has_text(column.slice(0, 1))


@pytest.mark.parametrize(("values", "holds"), [([np.nan, np.nan], False), ([np.nan, 0.0], True), ([], False)])
def test_a_column_has_a_number_when_some_is_not_nan(values: list[float], holds: bool) -> None:
    assert has_number(pa.chunked_array([numbers(np.array(values)), numbers(np.array([]))])) == holds
    assert not has_number(pa.chunked_array([], pa.float64()))

"""Nothing is written to a file whose block has ended, whatever library still believes that it is open."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest

from spectral_zarr.store.arrow import numbers, texts
from spectral_zarr.store.columns import INDEX, IndexWriter
from spectral_zarr.store.fsops import Sink, open_sink


class GivenUp(Exception):
    """What ends a block."""


def taken_descriptors(directory: Path) -> list[int]:
    """Descriptors of empty files, among them every number that was free."""
    return [os.open(directory / f"other-{i}", os.O_RDWR | os.O_CREAT) for i in range(20)]


def lengths(descriptors: list[int]) -> set[int]:
    """Lengths of the files, which are closed."""
    found = {os.fstat(descriptor).st_size for descriptor in descriptors}
    for descriptor in descriptors:
        os.close(descriptor)
    return found


def test_a_sink_counts_what_it_writes(tmp_path: Path) -> None:
    with open_sink(tmp_path / "file") as sink:
        sink.write(b"one ")
        sink.write(np.arange(3, dtype="u1"))
    content = b"one \0\1\2"
    assert (tmp_path / "file").read_bytes() == content
    assert (sink.size, sink.crc32c) == (len(content), google_crc32c.value(content))


@pytest.mark.parametrize("fails", [False, True])
def test_a_sink_writes_nothing_after_its_block(tmp_path: Path, fails: bool) -> None:
    kept: list[Sink] = []

    def use() -> None:
        with open_sink(tmp_path / "file") as sink:
            kept.append(sink)
            sink.write(b"inside")
            if fails:
                raise GivenUp

    if fails:
        with pytest.raises(GivenUp):
            use()
    else:
        use()
    others = taken_descriptors(tmp_path)
    assert kept[0].write(b"late") == 4
    assert lengths(others) == {0}
    assert (tmp_path / "file").exists() != fails


def test_an_index_that_was_given_up_writes_no_footer_into_another_file(tmp_path: Path) -> None:
    def use() -> None:
        with IndexWriter(tmp_path, ()) as index:
            index.add(pa.table({"spec_id": texts(["a"]), "snr": numbers(np.array([1.0]))}))
            raise GivenUp

    with pytest.raises(GivenUp):
        use()
    others = taken_descriptors(tmp_path)
    gc.collect()
    assert lengths(others) == {0}
    assert not (tmp_path / INDEX).exists()

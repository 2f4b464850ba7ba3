"""Which staged batches a row block reads."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.model import BatchRows, BuildPlan
from spectral_zarr.tasks.placement import batches_of

from .conftest import Planning


def planned(batches: tuple[BatchRows, ...]) -> BuildPlan:
    planning = Planning()
    planning.add(["a"])
    return replace(planning.finish(), batches=batches)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=12), st.integers(0, 30), st.integers(1, 9))
def test_a_block_reads_the_batches_with_rows_of_it_and_no_others(
    sizes: list[tuple[int, int]], start: int, length: int
) -> None:
    batches, done = [], 0
    for number, (kept, excluded) in enumerate(sizes):
        batches.append(BatchRows(number, done, kept + excluded, tuple(range(excluded))))
        done += kept
    rows = range(start, start + length)
    wanted = [b.batch for b in batches if set(rows) & set(range(b.first_row, b.first_row + b.n_rows))]
    assert [b.batch for b in batches_of(planned(tuple(batches)), rows)] == wanted

"""Parts of a phase: every task belongs to one part, and all parts have about as much to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.model import Part, shares

WEIGHTS = st.lists(st.integers(0, 10**12), max_size=60)
COUNTS = st.integers(1, 12)


@given(WEIGHTS, COUNTS)
def test_every_task_belongs_to_one_part_and_no_part_has_more_than_one_task_too_many(
    weights: list[int], of: int
) -> None:
    parts = [Part(number, of).of_weights(weights) for number in range(1, of + 1)]
    assert sorted(task for part in parts for task in part) == list(range(len(weights)))
    assert all(part == sorted(part) for part in parts)
    loads = [sum(weights[task] for task in part) for part in parts]
    assert max(loads) - min(loads) <= max(weights, default=0)
    assert shares(weights, of) == [next(n for n, part in enumerate(parts, 1) if t in part) for t in range(len(weights))]


@given(st.integers(0, 1000), COUNTS)
def test_runs_of_blocks_are_equal_but_for_one(count: int, of: int) -> None:
    runs = [Part(number, of).of_range(count) for number in range(1, of + 1)]
    assert [block for run in runs for block in run] == list(range(count))
    assert max(map(len, runs)) - min(map(len, runs)) <= 1


def test_the_words_of_a_part() -> None:
    assert (Part.parse("2/16"), str(Part(2, 16))) == (Part(2, 16), "2/16")
    for text in ("", "2", "0/2", "3/2", "2/0", " 1/2", "1/2/3", "1e0/2"):
        with pytest.raises(ValueError, match="part"):
            Part.parse(text)

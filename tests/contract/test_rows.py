"""Offences: which rows are remembered and how many, over any number of blocks in any order."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.contract.facts import Count
from spectral_zarr.contract.rows import (
    FIRST_ROWS,
    INTEGER_SENTINELS,
    NARROW_SENTINELS,
    SENTINELS,
    Offences,
    is_listed,
)
from spectral_zarr.contract.schema import FLUX

KEY = ("Q-02/empty", FLUX)


def offences(rows: list[int], symptom: str = KEY[0]) -> Offences:
    found = Offences()
    found.add(symptom, FLUX, rows)
    return found


class TestCounting:
    @given(st.lists(st.integers(0, 50), unique=True), st.integers(0, 50))
    def test_the_first_rows_and_the_number_of_all_are_kept(self, numbers: list[int], cut: int) -> None:
        rows = sorted(numbers)
        found = offences(rows[:cut])
        found.add(*KEY, np.array(rows[cut:], np.int64))
        assert found.counted() == ({KEY: Count(tuple(rows[:FIRST_ROWS]), len(rows))} if rows else {})

    def test_rows_are_plain_numbers_that_survive_the_way_between_processes(self) -> None:
        found = Offences()
        found.add(*KEY, np.array([3, 4], np.int64))
        counted = pickle.loads(pickle.dumps(found.counted()))
        assert [type(row) for row in counted[KEY].rows] == [int, int]

    def test_symptoms_and_arrays_are_counted_apart(self) -> None:
        found = offences([1])
        found.add("Q-02/empty", "signal/other", [2])
        found.add("S-07/infinite", FLUX, [3])
        assert {key: count.rows for key, count in found.counted().items()} == {
            KEY: (1,),
            ("Q-02/empty", "signal/other"): (2,),
            ("S-07/infinite", FLUX): (3,),
        }

    def test_a_note_has_a_reason_and_needs_no_row(self) -> None:
        found = Offences()
        found.note("Z-03/damaged", "index.parquet", "no footer")
        assert found.counted() == {("Z-03/damaged", "index.parquet"): Count((), 0, "no footer")}

    def test_the_first_reason_stays(self) -> None:
        found = Offences()
        for row, reason in ((1, "too short"), (2, "too long")):
            found.note("Z-03/damaged", FLUX, reason, [row])
        assert found.counted() == {("Z-03/damaged", FLUX): Count((1, 2), 2, "too short")}

    def test_a_symptom_in_too_few_rows_is_dropped_and_others_stay(self) -> None:
        found = offences([1, 2], "P-03/repeated")
        found.add(*KEY, [1])
        found.drop("P-03/repeated", fewer_than=3)
        assert set(found.counted()) == {KEY}
        found.add("P-03/repeated", FLUX, [1, 2, 3])
        found.drop("P-03/repeated", fewer_than=3)
        assert set(found.counted()) == {KEY, ("P-03/repeated", FLUX)}


class TestMerging:
    @given(st.lists(st.sampled_from(range(4)), min_size=1, max_size=40), st.permutations(range(4)))
    def test_any_cut_in_any_order_counts_what_one_block_counts(self, owner: list[int], order: list[int]) -> None:
        parts = [offences([row for row, part in enumerate(owner) if part == number]) for number in range(4)]
        total = Offences()
        for number in order:
            total.merge(parts[number].counted())
        assert total.counted() == offences(list(range(len(owner)))).counted()

    @given(st.permutations(["", "a", "b"]))
    def test_the_reason_does_not_depend_on_the_order(self, reasons: list[str]) -> None:
        total = Offences()
        for reason in reasons:
            part = Offences()
            part.note("Z-03/damaged", FLUX, reason, [0] if reason else [])
            total.merge(part.counted())
        assert total.counted()["Z-03/damaged", FLUX].reason == "a"

    def test_the_facts_carry_what_is_known_of_all_rows(self) -> None:
        facts = offences([7]).facts(finite=[FLUX], one_grid=True, from_fits=True)
        assert facts.offences == {KEY: Count((7,), 1)}
        assert (facts.finite, facts.one_grid, facts.from_fits) == (frozenset({FLUX}), True, True)


class TestSentinels:
    @pytest.mark.parametrize("dtype", ["f4", "f8", ">f4"])
    @pytest.mark.parametrize("value", [*SENTINELS, *NARROW_SENTINELS])
    def test_a_listed_number_is_found_in_either_precision(self, value: float, dtype: str) -> None:
        listed = np.concatenate([SENTINELS, NARROW_SENTINELS])
        assert is_listed(np.array([1.0, value, np.nan], dtype), listed).tolist() == [False, True, False]

    def test_numbers_beside_a_listed_one_are_not(self) -> None:
        values = np.array([-998.0, -9999.5, 1e19, 999998.0, 0.0, -1.0, np.inf, -np.inf, 1e300])
        assert not is_listed(values, SENTINELS).any()

    def test_the_lists_hold_what_surveys_write(self) -> None:
        assert {-999.0, -9999.0, -99999.0, -9999.9, 1e20, 9.96921e36, 1e30, 999999.0} <= set(SENTINELS.tolist())
        assert set(NARROW_SENTINELS.tolist()) == {-99.0, -99.9, 99.0, 99.9, 999.0, 9999.0}
        assert {-999, -9999, -2147483648} <= set(INTEGER_SENTINELS.tolist())

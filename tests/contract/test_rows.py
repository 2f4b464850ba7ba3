"""The row rules: which rows of a block break the contract, and how they are counted over many blocks."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.contract.rows import FIRST_ROWS, Offences, check_cube, check_param, check_text, measured_rows
from spectral_zarr.contract.schema import FLUX, UNCERTAINTY, WAVELENGTH

NAN, INF = math.nan, math.inf


def cube_offences(array: str, rows: list[list[float]], first_row: int = 0) -> dict[str, tuple[int, ...]]:
    offences = Offences()
    check_cube(offences, array, first_row, np.array(rows, np.float64 if array == WAVELENGTH else np.float32))
    return {rule: found for (rule, where), (found, _) in offences.facts().offences.items() if where == array}


def rows_of(check: Any, array: str, values: Any) -> dict[str, tuple[int, ...]]:
    offences = Offences()
    check(offences, array, 0, values)
    return {rule: rows for (rule, _), (rows, _) in offences.facts().offences.items()}


class TestMeasured:
    @pytest.mark.parametrize(
        ("row", "measured"),
        [
            ([1.0, 2.0, 3.0], True),
            ([NAN, NAN, NAN], False),
            ([0.0, 0.0, 0.0], False),
            ([0.0, -0.0, 0.0], False),
            ([NAN, 0.0, NAN], False),
            ([0.0, NAN, 1e-45], True),
            ([NAN, -1.0, NAN], True),
            ([-999.0, -999.0, -999.0], True),
            ([INF, NAN, 0.0], True),
        ],
    )
    def test_a_row_has_a_pixel_that_is_neither_nan_nor_zero(self, row: list[float], measured: bool) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert measured_rows(np.array([row, [1.0] * 3], np.float32)).tolist() == [measured, True]

    @given(st.lists(st.lists(st.sampled_from([0.0, NAN, 1.0, -1.0]), min_size=3, max_size=3), min_size=1, max_size=6))
    def test_equals_the_definition(self, rows: list[list[float]]) -> None:
        wanted = [any(not math.isnan(pixel) and pixel != 0 for pixel in row) for row in rows]
        assert measured_rows(np.array(rows, np.float32)).tolist() == wanted


class TestCubes:
    def test_infinities_are_found_in_every_cube(self) -> None:
        rows = [[1, 2, 3], [1, INF, 3], [-INF, 2, NAN], [NAN, NAN, NAN]]
        assert cube_offences(FLUX, rows, 100) == {"S-07": (101, 102)}

    def test_uncertainties_of_zero_and_below_are_found(self) -> None:
        rows = [[1, NAN, 3], [1, 0, 3], [-1, 2, 3], [NAN, NAN, NAN]]
        assert cube_offences(UNCERTAINTY, rows) == {"S-06": (1, 2)}
        assert cube_offences(FLUX, rows) == {}

    @pytest.mark.parametrize(
        ("row", "broken"),
        [
            ([5.0, 6.0, 7.0], False),
            ([5.0, 6.0, NAN], False),
            ([5.0, NAN, NAN], False),
            ([5.0, NAN, 7.0], True),
            ([NAN, 6.0, 7.0], True),
            ([NAN, NAN, NAN], True),
            ([5.0, 5.0, 7.0], True),
            ([5.0, 4.0, NAN], True),
            ([7.0, 6.0, 5.0], True),
        ],
    )
    def test_wavelengths_increase_and_are_padded_at_the_end(self, row: list[float], broken: bool) -> None:
        assert cube_offences(WAVELENGTH, [[1.0, 2.0, 3.0], row]) == ({"S-04": (1,)} if broken else {})


class TestParams:
    @pytest.mark.parametrize(
        "value",
        [-999.0, -9999.0, -99999.0, -9999.99, -999.9, 1e20, 9.96921e36, 1e30, -2147483648.0, 999999.0, INF, -INF],
    )
    @pytest.mark.parametrize("name", ["teff", "rv", "vmic"])
    @pytest.mark.parametrize("dtype", ["f8", "f4"])
    def test_sentinels_are_found(self, name: str, value: float, dtype: str) -> None:
        values = np.array([5777.0, value, NAN], dtype)
        assert rows_of(check_param, f"params/{name}", values) == {"P-03": (1,)}

    @pytest.mark.parametrize("value", [-99.0, -99.9, 99.0, 99.9, 999.0])
    @pytest.mark.parametrize("name", ["teff", "logg", "feh", "m_h", "e_rv", "mg_fe"])
    def test_short_sentinels_are_found_where_they_cannot_be_values(self, name: str, value: float) -> None:
        assert rows_of(check_param, f"params/{name}", np.array([1.0, value])) == {"P-03": (1,)}

    @pytest.mark.parametrize(
        ("name", "value"), [("rv", -99.0), ("rv", 99.9), ("teff", 9999.0), ("logg", 0.0), ("feh", -1.0), ("feh", 0.0)]
    )
    def test_values_are_not_sentinels(self, name: str, value: float) -> None:
        assert rows_of(check_param, f"params/{name}", np.array([value, NAN])) == {}

    @pytest.mark.parametrize("value", [0.0, -5.0])
    def test_a_temperature_is_positive(self, value: float) -> None:
        assert rows_of(check_param, "params/teff", np.array([5000.0, value])) == {"P-03": (1,)}

    def test_huge_values_are_checked_without_warnings(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert rows_of(check_param, "params/rv", np.array([1e300, -1e300, 1.0])) == {}


class TestText:
    @pytest.mark.parametrize(
        ("field", "rule", "good", "bad"),
        [
            (
                "source_type",
                "M-01",
                ["observed", "synthetic", "emulator", "forward_model", "stacked"],
                ["", "Observed"],
            ),
            ("flux_type", "M-02", ["flux", "intensity"], ["", "FLUX", "counts"]),
            ("date_obs", "M-08", ["", "2020-01-31", "2020-01-31T01:02:03.5"], ["31/01/20", "2020-01-31T1", "NaN"]),
            ("spec_id", "M-04", ["a", "x:y/z"], ["", "a b", "\xe9", "a\t", "a\n"]),
        ],
    )
    def test_forms_and_allowed_values(self, field: str, rule: str, good: list[str], bad: list[str]) -> None:
        found = rows_of(check_text, f"metadata/{field}", [*good, *bad])
        assert found == {rule: tuple(range(len(good), len(good) + len(bad)))}
        assert rows_of(check_text, f"metadata/{field}", good) == {}

    def test_other_fields_are_free(self) -> None:
        assert rows_of(check_text, "metadata/object", ["", "anything goes", "\xe9"]) == {}


class TestOffences:
    @given(st.lists(st.lists(st.integers(0, 50), max_size=10), max_size=6))
    def test_the_first_rows_and_the_number_of_all_are_kept(self, calls: list[list[int]]) -> None:
        rows = sorted({row for call in calls for row in call})
        cut = len(rows) // 2
        offences = Offences()
        offences.add("Q-02", FLUX, rows[:cut])
        offences.add("Q-02", FLUX, rows[cut:])
        expected = {("Q-02", FLUX): (tuple(rows[:FIRST_ROWS]), len(rows))} if rows else {}
        assert offences.facts().offences == expected

    @given(st.sets(st.integers(0, 100)), st.sets(st.integers(0, 100)))
    def test_merging_does_not_depend_on_the_order(self, one: set[int], other: set[int]) -> None:
        parts = []
        for rows in (one, other - one):
            part = Offences()
            part.add("Q-02", FLUX, sorted(rows))
            parts.append(part.facts())
        merged = []
        for order in (parts, parts[::-1]):
            total = Offences()
            for part in order:
                total.merge(part)
            merged.append(total.facts())
        assert merged[0] == merged[1]
        every = sorted(one | other)
        assert merged[0].offences == ({("Q-02", FLUX): (tuple(every[:FIRST_ROWS]), len(every))} if every else {})

"""The rules on spectral arrays: what one row shows, however it is cut into chunks."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from spectral_zarr.contract.cubes import ValueRows, WavelengthRows, garbage_rows, sentinel_rows
from spectral_zarr.contract.rows import Offences
from spectral_zarr.contract.schema import CONTINUUM, FLUX, NORMALIZED, UNCERTAINTY, WAVELENGTH

NAN, INF = math.nan, math.inf


def values_of(array: str, rows: list[list[float]], first_row: int = 0, dtype: str = "f4") -> dict[str, tuple[int, ...]]:
    values = np.array(rows, dtype)
    offences, block = Offences(), ValueRows(array, first_row, len(values))
    block.add(0, values)
    block.report(offences)
    assert {where for _, where in offences.counted()} <= {array}
    return {symptom: count.rows for (symptom, _), count in offences.counted().items()}


def wavelengths_of(rows: list[list[float]], factor: float = 1.0, dtype: str = "f8") -> dict[str, tuple[int, ...]]:
    values = np.array(rows, dtype)
    offences, block = Offences(), WavelengthRows(WAVELENGTH, 0, len(values), factor)
    block.add(0, values)
    block.report(offences)
    return {symptom: count.rows for (symptom, _), count in offences.counted().items()}


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
            found = values_of(FLUX, [row, [1.0] * 3], 10)
        assert ("Q-02/empty" in found) is not measured
        assert found.get("Q-02/empty", (10,)) == (10,)

    def test_only_the_flux_has_to_be_measured(self) -> None:
        for array in (UNCERTAINTY, CONTINUUM, NORMALIZED):
            assert values_of(array, [[NAN, NAN]]) == {}

    def test_a_row_with_a_damaged_chunk_is_not_called_empty(self) -> None:
        offences, block = Offences(), ValueRows(FLUX, 0, 1)
        block.report(offences, whole=False)
        assert offences.counted() == {}

    def test_a_row_without_any_chunk_is_empty(self) -> None:
        offences, block = Offences(), ValueRows(FLUX, 0, 2)
        block.report(offences)
        assert offences.counted()["Q-02/empty", FLUX].rows == (0, 1)

    def test_arrays_know_whether_they_hold_a_finite_value_and_rows_whether_they_hold_any(self) -> None:
        block = ValueRows(CONTINUUM, 0, 3)
        block.add(0, np.array([[NAN, NAN], [NAN, INF], [NAN, NAN]], np.float32))
        assert (block.finite, block.filled.tolist()) == (False, [False, True, False])
        block.add(2, np.array([[NAN], [NAN], [0.0]], np.float32))
        assert (block.finite, block.filled.tolist()) == (True, [False, True, True])


class TestValues:
    def test_infinities_are_found_in_every_array(self) -> None:
        rows = [[1, 2, 3], [1, INF, 3], [-INF, 2, NAN], [NAN, NAN, 1]]
        assert values_of(FLUX, rows, 100) == {"S-07/infinite": (101, 102)}
        assert values_of(NORMALIZED, rows) == {"S-07/infinite": (1, 2)}
        assert values_of(UNCERTAINTY, rows) == {"S-06/infinite": (1, 2), "S-06/not_positive": (2,)}

    def test_uncertainties_of_zero_and_below_are_found(self) -> None:
        rows = [[1, NAN, 3], [1, 0, 3], [-1, 2, 3], [NAN, NAN, NAN]]
        assert values_of(UNCERTAINTY, rows) == {"S-06/not_positive": (1, 2)}
        assert values_of(FLUX, rows[:3]) == {}

    def test_continua_of_zero_and_below_are_found(self) -> None:
        assert values_of(CONTINUUM, [[1, NAN], [0, 3], [2, -1], [NAN, NAN]]) == {"C-05/not_positive": (1, 2)}

    @pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4", ">f4"])
    def test_the_precision_does_not_matter(self, dtype: str) -> None:
        assert values_of(UNCERTAINTY, [[1, 2], [0, 1]], dtype=dtype) == {"S-06/not_positive": (1,)}
        assert values_of(FLUX, [[0, 0], [0, 1]], dtype=dtype) == {"Q-02/empty": (0,)}


class TestWavelengths:
    @pytest.mark.parametrize(
        ("row", "symptoms"),
        [
            ([5.0, 6.0, 7.0], set()),
            ([5.0, 6.0, NAN], set()),
            ([5.0, NAN, NAN], set()),
            ([5.0, NAN, 7.0], {"S-04/gap"}),
            ([NAN, 6.0, 7.0], {"S-04/gap"}),
            ([NAN, NAN, NAN], {"S-04/gap"}),
            ([5.0, 5.0, 7.0], {"S-04/not_increasing"}),
            ([5.0, 4.0, NAN], {"S-04/not_increasing"}),
            ([7.0, 6.0, 5.0], {"S-04/not_increasing"}),
            ([5.0, 6.0, INF], {"S-04/not_increasing"}),
            ([7.0, NAN, 5.0], {"S-04/gap"}),
        ],
    )
    def test_they_increase_and_are_padded_at_the_end(self, row: list[float], symptoms: set[str]) -> None:
        found = wavelengths_of([[1.0, 2.0, 3.0], row], NAN)
        assert {symptom: rows for symptom, rows in found.items() if rows} == dict.fromkeys(symptoms, (1,))

    @pytest.mark.parametrize("factor", [1.0, 10.0, 1e4])
    def test_they_lie_between_the_extreme_ultraviolet_and_millimetre_waves(self, factor: float) -> None:
        rows = [[90.0, 3e7], [5000.0, 5001.0], [89.0, 95.0], [4000.0, 3.1e7], [0.0, 100.0], [-5000.0, 5000.0]]
        scaled = (np.array(rows) / factor).tolist()
        assert wavelengths_of(scaled, factor) == {"U-05/implausible": (2, 3, 4, 5)}

    def test_an_unknown_unit_makes_nothing_implausible(self) -> None:
        assert wavelengths_of([[1e-30, 1e30]], NAN) == {}

    @pytest.mark.parametrize("dtype", ["<f4", ">f4"])
    def test_single_precision_is_enough_where_pixels_are_wide(self, dtype: str) -> None:
        coarse, fine = np.arange(5000.0, 5010.0, 1.0), np.arange(5000.0, 5000.1, 0.01)
        assert wavelengths_of([coarse.tolist(), fine.tolist()[:10]], dtype=dtype) == {"S-03/rounded": (1,)}
        assert wavelengths_of([fine.tolist()]) == {}

    def test_the_front_of_the_padding_is_behind_the_last_wavelength(self) -> None:
        block = WavelengthRows(WAVELENGTH, 0, 5, 1.0)
        rows = [[1, 2, 3], [1, 2, NAN], [1, NAN, 3], [NAN, NAN, NAN], [1, NAN, NAN]]
        block.add(0, np.array(rows, np.float64))
        assert block.n_valid.tolist() == [3, 2, 3, 0, 1]

    def test_nothing_is_said_of_wavelengths_that_are_not_all_known(self) -> None:
        block = WavelengthRows(WAVELENGTH, 0, 1, 1.0)
        block.add(0, np.array([[1.0, NAN]]))
        block.forget(4)
        assert (block.n_valid.tolist(), block.one_grid) == ([4], False)
        assert np.isnan(block.shortest).all()
        assert np.isnan(block.longest).all()


class TestGarbage:
    @pytest.mark.parametrize(
        ("large", "size", "found"),
        [(1, 1e9, False), (2, 1e9, True), (2, 1.0e6, False), (2, 1.1e6, True), (49, 1e9, True), (51, 1e9, False)],
    )
    def test_more_than_a_hundredth_exceeds_a_million_medians(self, large: int, size: float, found: bool) -> None:
        row = np.ones(100, np.float32)
        row[:large] = size
        assert garbage_rows(np.array([row, -row])).tolist() == [found, found]

    def test_zeros_nan_and_infinities_are_not_counted(self) -> None:
        row = np.ones(100, np.float32)
        row[:2] = 1e9
        padded = np.concatenate([row, np.zeros(300, np.float32), np.full(100, NAN, np.float32), [INF] * 5])
        assert garbage_rows(padded[None, :]).tolist() == [True]

    def test_empty_rows_are_not_garbage(self) -> None:
        assert garbage_rows(np.array([[NAN, NAN], [0, 0], [INF, INF]], np.float32)).tolist() == [False] * 3


class TestSentinels:
    @pytest.mark.parametrize("value", [-999.0, -9999.0, -9999.99, 1e20, 9.96921e36, 3.4028235e38])
    @pytest.mark.parametrize("dtype", ["f4", "f8"])
    def test_one_number_takes_more_than_a_thousandth(self, value: float, dtype: str) -> None:
        flux = np.ones((3, 2000), dtype)
        flux[1, :2] = flux[2, :3] = value
        assert sentinel_rows(flux).tolist() == [False, False, True]

    def test_different_numbers_are_counted_apart_and_padding_not_at_all(self) -> None:
        flux = np.ones((2, 2000), np.float32)
        flux[0, :2], flux[0, 2:4] = -999.0, -9999.0
        flux[1, :2], flux[1, 1000:] = -999.0, NAN
        assert sentinel_rows(flux).tolist() == [False, True]

    def test_integers_have_sentinels_as_well(self) -> None:
        assert sentinel_rows(np.array([[1, -999], [1, 2]], np.int16)).tolist() == [True, False]


def padding(flux: NDArray[np.float32], n_valid: list[int]) -> tuple[int, ...]:
    offences, block = Offences(), ValueRows(UNCERTAINTY, 0, len(flux), np.array(n_valid))
    block.add(0, flux)
    block.report(offences)
    return offences.counted()["S-05/padding", UNCERTAINTY].rows if offences.counted() else ()


def test_values_without_a_wavelength_are_found() -> None:
    rows = np.array([[1, 2, 3], [1, 2, NAN], [1, 2, 3], [NAN, NAN, 1]], np.float32)
    assert padding(rows, [3, 2, 2, 0]) == (2, 3)
    assert padding(rows, [3, 3, 3, 3]) == ()

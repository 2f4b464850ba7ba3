"""Wavelength axes made canonical: Angstrom, ascending, snapped to the lattice of the product, or refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.errors import BadWavelength, UnknownUnit
from spectral_zarr.model import Sampling
from spectral_zarr.transforms.wavelength import ResolvedGrid, resolve


def values_of(resolved: ResolvedGrid) -> np.ndarray[Any, np.dtype[np.float64]]:
    return resolved.grid.wavelength() if resolved.values is None else resolved.values


def explicit(values: Any, **fields: Any) -> ResolvedGrid:
    array = np.asarray(values)
    sort = fields.pop("sort", False)
    return resolve(Sampling(**{"unit": "Angstrom", "values": array, **fields}), array.size, sort=sort)


def affine(start: float, step: float, n: int, **fields: Any) -> ResolvedGrid:
    return resolve(Sampling(**{"unit": "Angstrom", "start": start, "step": step, "n_pix": n, **fields}), n)


class TestExplicit:
    def test_ascending_values_are_kept_bit_by_bit(self) -> None:
        values = np.array([5000.0, 5000.1, 5000.25])
        resolved = explicit(values.astype(">f8"))
        np.testing.assert_array_equal(values_of(resolved), values)
        grid = resolved.grid
        assert (grid.scale, grid.n_pix, grid.wave_min, grid.wave_max) == ("explicit", 3, 5000.0, 5000.25)
        assert grid.digest
        assert np.arange(3)[resolved.pixels].tolist() == [0, 1, 2]

    def test_descending_values_are_reversed_with_their_pixels(self) -> None:
        resolved = explicit([5002.0, 5001.5, 5000.0])
        assert values_of(resolved).tolist() == [5000.0, 5001.5, 5002.0]
        assert np.arange(3)[resolved.pixels].tolist() == [2, 1, 0]

    @pytest.mark.parametrize(
        ("unit", "values"),
        [
            ("nm", [500.0, 501.0]),
            ("um", [0.5, 0.501]),
            ("MICRON", [0.5, 0.501]),
            ("m", [5e-7, 5.01e-7]),
            ("A", [5e3, 5010]),
        ],
    )
    def test_units_become_angstrom(self, unit: str, values: list[float]) -> None:
        np.testing.assert_allclose(values_of(explicit(values, unit=unit)), [5000.0, 5010.0], rtol=1e-14)

    def test_logarithms_become_wavelengths(self) -> None:
        for scale, log in (("log10", np.log10), ("ln", np.log)):
            waves = np.array([4000.0, 5000.0, 7000.0])
            np.testing.assert_allclose(values_of(explicit(log(waves), scale=scale)), waves, rtol=1e-14)
            np.testing.assert_allclose(values_of(explicit(log(waves / 10), scale=scale, unit="nm")), waves, rtol=1e-13)

    def test_equal_grids_have_equal_digests_and_others_differ(self) -> None:
        one, same, other = (explicit(v).grid for v in ([5e3, 6e3], [5e3, 6e3], [5e3, 6e3 + 1e-9]))
        assert one == same
        assert one.digest != other.digest
        assert explicit([6e3, 5e3]).grid == one

    @pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
    def test_unusable_ends_are_trimmed(self, bad: float) -> None:
        resolved = explicit([bad, bad, 5000.0, 5001.0, 5002.0, bad])
        assert values_of(resolved).tolist() == [5000.0, 5001.0, 5002.0]
        assert np.arange(6)[resolved.pixels].tolist() == [2, 3, 4]

    @pytest.mark.parametrize("head", [0, 2])
    def test_unusable_ends_of_descending_values_are_trimmed(self, head: int) -> None:
        resolved = explicit([math.nan] * head + [5002.0, 5001.0, 5000.0, math.nan])
        assert values_of(resolved).tolist() == [5000.0, 5001.0, 5002.0]
        assert np.arange(head + 4)[resolved.pixels].tolist() == [head + 2, head + 1, head]

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 0.0, -5.0])
    @pytest.mark.parametrize("sort", [False, True])
    def test_a_gap_inside_is_refused(self, bad: float, sort: bool) -> None:
        with pytest.raises(BadWavelength):
            resolved = explicit([5000.0, bad, 5002.0, 5003.0], sort=sort)
            assert np.isfinite(values_of(resolved)).all()
            assert resolved.grid.wave_min > 0

    @pytest.mark.parametrize("values", [[5000, 5000, 5001], [5000, 5001, 5001], [5000, 5002, 5001, 5003], [5e3] * 3])
    def test_repeats_and_steps_back_are_refused(self, values: list[float]) -> None:
        with pytest.raises(BadWavelength):
            explicit(np.array(values, float))

    def test_the_message_names_the_first_pixel_that_steps_back(self) -> None:
        with pytest.raises(BadWavelength, match="pixel 1 "):
            explicit([5000.0, 5002.0, 5001.0, 5003.0])

    @given(st.lists(st.floats(1000, 9000), min_size=2, max_size=30))
    def test_sorting_gives_each_wavelength_once_with_its_first_pixel(self, values: list[float]) -> None:
        if len(set(values)) < 2:
            return
        resolved = explicit(values, sort=True)
        assert values_of(resolved).tolist() == sorted(set(values))
        chosen = np.arange(len(values))[resolved.pixels].tolist()
        assert chosen == [values.index(value) for value in sorted(set(values))]

    @pytest.mark.parametrize(
        "values", [[50.0, 5000.0], [5000.0, 4e7], [1e-7, 2e-7], [-math.inf, math.nan], [0.0, -1.0]]
    )
    def test_impossible_wavelengths_are_refused(self, values: list[float]) -> None:
        with pytest.raises(BadWavelength):
            explicit(values)

    @pytest.mark.parametrize("scale", ["log10", "ln"])
    def test_absurd_logarithms_are_refused(self, scale: str) -> None:
        with pytest.raises(BadWavelength):
            explicit([3.6, 1e4], scale=scale)

    @pytest.mark.parametrize("lattice", [None, 0.01])
    def test_absurd_wavelengths_are_refused_on_every_lattice(self, lattice: float | None) -> None:
        with pytest.raises(BadWavelength):
            explicit([1e307, 1e308], lattice_step=lattice)
        with pytest.raises(BadWavelength):
            affine(1e308, 0.01, 3, lattice_step=lattice)

    def test_the_values_of_the_file_are_not_changed(self) -> None:
        raw = np.array([500.0, 501.0])
        raw.flags.writeable = False
        explicit(raw, unit="nm")
        assert raw.tolist() == [500.0, 501.0]


class TestAffine:
    def test_a_linear_axis_is_computed(self) -> None:
        resolved = affine(4000.0, 0.5, 5)
        assert resolved.values is None
        assert values_of(resolved).tolist() == [4000.0, 4000.5, 4001.0, 4001.5, 4002.0]
        assert (resolved.grid.wave_min, resolved.grid.wave_max) == (4000.0, 4002.0)

    def test_a_descending_axis_is_reversed_with_its_pixels(self) -> None:
        resolved = affine(4002.0, -0.5, 5)
        np.testing.assert_allclose(values_of(resolved), [4000.0, 4000.5, 4001.0, 4001.5, 4002.0])
        assert np.arange(5)[resolved.pixels].tolist() == [4, 3, 2, 1, 0]

    @pytest.mark.parametrize(("unit", "factor"), [("nm", 10.0), ("um", 1e4), ("m", 1e10)])
    def test_units_become_angstrom(self, unit: str, factor: float) -> None:
        resolved = affine(4000.0 / factor, 0.5 / factor, 3, unit=unit)
        np.testing.assert_allclose(values_of(resolved), [4000.0, 4000.5, 4001.0], rtol=1e-14)
        log = affine(math.log10(4000.0 / factor), 1e-4, 3, unit=unit, scale="log10")
        np.testing.assert_allclose(values_of(log), 4000.0 * 10 ** (1e-4 * np.arange(3)), rtol=1e-13)
        ln = affine(math.log(4000.0 / factor), 1e-4, 3, unit=unit, scale="ln")
        np.testing.assert_allclose(values_of(ln), 4000.0 * np.exp(1e-4 * np.arange(3)), rtol=1e-13)

    @pytest.mark.parametrize(
        ("start", "step"), [(math.nan, 1), (4000, math.nan), (math.inf, 1), (4000, 0), (4000, math.inf)]
    )
    def test_an_axis_without_numbers_is_refused(self, start: float, step: float) -> None:
        with pytest.raises(BadWavelength):
            affine(start, step, 5)

    @pytest.mark.parametrize(("start", "step"), [(10.0, 1.0), (-4000.0, 1.0), (4000.0, 1e8), (4000.0, -2000.0)])
    def test_an_axis_out_of_range_is_refused(self, start: float, step: float) -> None:
        with pytest.raises(BadWavelength, match="outside"):
            affine(start, step, 5)


class TestLattice:
    def test_a_grid_on_the_lattice_is_snapped(self) -> None:
        resolved = affine(3781.19, 0.01, 100, lattice_step=0.01)
        assert (resolved.grid.first, resolved.grid.step) == (378119, 0.01)
        np.testing.assert_array_equal(values_of(resolved), np.arange(378119, 378219) * 0.01)

    def test_a_descending_grid_on_the_lattice_is_snapped(self) -> None:
        resolved = affine(3781.19 + 0.99, -0.01, 100, lattice_step=0.01)
        assert resolved.grid.first == 378119
        assert np.arange(100)[resolved.pixels][0] == 99

    @given(st.integers(35000, 40000), st.integers(2, 5000))
    def test_float32_logarithms_of_sdss_snap_exactly(self, first: int, n: int) -> None:
        loglam = ((first + np.arange(n)) * 1e-4).astype(np.float32).astype(">f4")
        resolved = explicit(loglam, scale="log10", lattice_step=1e-4, lattice_tolerance=0.01)
        assert (resolved.grid.first, resolved.grid.n_pix, resolved.values) == (first, n, None)
        np.testing.assert_array_equal(values_of(resolved), 10.0 ** ((first + np.arange(n)) * 1e-4))

    def test_descending_logarithms_snap_with_their_pixels_reversed(self) -> None:
        loglam = ((35500 + np.arange(10)) * 1e-4)[::-1]
        resolved = explicit(loglam, scale="log10", lattice_step=1e-4)
        assert resolved.grid.first == 35500
        assert np.arange(10)[resolved.pixels].tolist() == list(range(9, -1, -1))

    @pytest.mark.parametrize(("offset", "snaps"), [(0.9e-3, True), (-0.9e-3, True), (1.1e-3, False), (0.4, False)])
    def test_the_tolerance_decides(self, offset: float, snaps: bool) -> None:
        positions = (35500 + np.arange(10) + offset) * 1e-4
        by_values = explicit(positions, scale="log10", lattice_step=1e-4)
        by_step = affine(float(positions[0]), 1e-4, 10, scale="log10", lattice_step=1e-4)
        for resolved in (by_values, by_step):
            assert (resolved.grid.first is not None) == snaps
            wanted = 10 ** ((35500 + np.arange(10)) * 1e-4 if snaps else positions)
            np.testing.assert_allclose(values_of(resolved), wanted, rtol=1e-14)

    def test_another_step_drifts_off_the_lattice(self) -> None:
        assert affine(3781.19, 0.01001, 1000, lattice_step=0.01).grid.first is None
        assert affine(3781.19, 0.02, 1000, lattice_step=0.01).grid.first is None

    def test_a_missing_pixel_is_no_slice_of_the_lattice(self) -> None:
        positions = np.delete((35500 + np.arange(10)) * 1e-4, 5)
        resolved = explicit(positions, scale="log10", lattice_step=1e-4)
        assert resolved.grid.first is None
        assert resolved.grid.scale == "explicit"

    @given(
        st.lists(st.tuples(st.integers(35_500, 35_540), st.integers(2, 60), st.booleans(), st.booleans()), max_size=12)
    )
    def test_what_was_met_before_decides_nothing(self, axes: list[tuple[int, int, bool, bool]]) -> None:
        for first, n, beside, exact in axes:
            positions = (first + np.arange(n)) * 1e-4
            if not exact:
                positions = positions.astype(np.float32)
            if beside:
                positions[n // 2] += 3e-6
            resolved = explicit(positions, scale="log10", lattice_step=1e-4, lattice_tolerance=0.01)
            assert resolved.grid.first == (None if beside else first)
            assert resolved.grid.n_pix == n
            wanted = 10 ** (positions.astype(np.float64) if beside else (first + np.arange(n)) * 1e-4)
            np.testing.assert_allclose(values_of(resolved), wanted, rtol=1e-13)


class TestRefusals:
    @pytest.mark.parametrize("unit", ["", "adu", "km/s", "Hz", "eV"])
    def test_a_unit_that_is_no_length_is_refused(self, unit: str) -> None:
        with pytest.raises(UnknownUnit, match="wavelength_unit"):
            explicit([5000.0, 5001.0], unit=unit)

    @pytest.mark.parametrize("n_flux", [1, 2, 4])
    def test_another_number_of_pixels_is_refused(self, n_flux: int) -> None:
        for sampling in (
            Sampling(unit="nm", values=np.array([500.0, 501.0, 502.0])),
            Sampling(unit="nm", start=500.0, step=1.0, n_pix=3),
        ):
            with pytest.raises(BadWavelength, match=f"3 wavelengths for {n_flux} pixels"):
                resolve(sampling, n_flux)

    @pytest.mark.parametrize("n", [0, 1])
    def test_less_than_two_pixels_are_refused(self, n: int) -> None:
        with pytest.raises(BadWavelength, match="two pixels"):
            explicit(np.full(n, 5000.0))
        with pytest.raises(BadWavelength, match="two pixels"):
            affine(5000.0, 1.0, n)

    @given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=0, max_size=8), st.booleans())
    def test_any_values_give_a_strictly_ascending_grid_or_a_refusal(self, values: list[float], sort: bool) -> None:
        try:
            resolved = explicit(np.array(values, float), sort=sort)
        except BadWavelength:
            return
        result = values_of(resolved)
        assert (np.diff(result) > 0).all()
        assert 90 <= result[0] < result[-1] <= 3e7
        assert np.array(values)[resolved.pixels].tolist() == result.tolist()

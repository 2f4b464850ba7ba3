"""Joining arms: every pixel once, in ascending wavelength, with its companions; overlaps cut or weighted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.errors import BadWavelength, MissingField
from spectral_zarr.readers.arms import Arm, combine_arms, join_arms

STEP = 0.8

windows = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 40)), min_size=1, max_size=5)
"""Distance of the start of an arm from that of the one before, and its pixels beyond the end of that one."""


def spans(drawn: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open integer spans whose starts and ends both ascend."""
    found, start, stop = [], 4500, 4500
    for shift, grown in drawn:
        start += shift
        stop = max(stop, start) + grown
        found.append((start, stop))
    return found


def arm_of(start: int, stop: int, tag: int, *, descending: bool = False) -> Arm:
    """An arm whose flux, noise and normalised flux tell the arm and the pixel."""
    pixels = np.arange(start, stop)[:: -1 if descending else 1]
    return Arm(
        wavelength=(pixels * STEP).astype(">f8"),
        flux=(pixels + 10_000 * tag).astype(">f4"),
        noise=(pixels + 10_000 * tag + 0.5).astype(">f4"),
        bad=pixels % 3 == 0,
        normalized=(pixels + 10_000 * tag).astype(">f4") * 2,
    )


class TestConcatenation:
    @given(windows, st.randoms(use_true_random=False), st.lists(st.booleans(), min_size=5, max_size=5))
    def test_the_pixels_are_those_of_the_arms_in_ascending_order_whatever_the_order_and_direction_of_the_arms(
        self, drawn: list[tuple[int, int]], random: object, descending: list[bool]
    ) -> None:
        arms = [arm_of(*span, tag, descending=descending[tag]) for tag, span in enumerate(spans(drawn))]
        shuffled = list(arms)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        joined, method = join_arms(shuffled)
        assert (np.diff(joined.wavelength) > 0).all()
        given_pixels = {
            (wavelength, flux) for arm in arms for wavelength, flux in zip(arm.wavelength, arm.flux, strict=True)
        }
        assert set(zip(joined.wavelength, joined.flux, strict=True)) <= given_pixels
        np.testing.assert_array_equal(joined.noise, joined.flux + 0.5)
        np.testing.assert_array_equal(joined.normalized, joined.flux * 2)
        np.testing.assert_array_equal(joined.bad, np.round(joined.wavelength / STEP) % 3 == 0)
        overlap = any(start < stop for (_, stop), (start, _) in pairwise(spans(drawn)))
        assert method == ("" if len(arms) == 1 else "cut at mid-overlap" if overlap else "concatenated")
        if not overlap:
            assert joined.flux.size == sum(arm.flux.size for arm in arms)

    @given(windows)
    def test_no_wavelength_that_one_arm_alone_covers_is_lost_and_none_of_the_others_repeats(
        self, drawn: list[tuple[int, int]]
    ) -> None:
        arms = [arm_of(*span, tag) for tag, span in enumerate(spans(drawn))]
        joined, _ = join_arms(arms)
        pixels, count = np.unique(np.concatenate([np.arange(*span) for span in spans(drawn)]), return_counts=True)
        kept = np.round(joined.wavelength / STEP).astype(int)
        assert set(pixels[count == 1]) <= set(kept)
        # Arms on one lattice leave no hole in their overlap, because the cut belongs to exactly one of them.
        assert set(kept) == set(pixels)

    def test_the_overlap_is_cut_in_the_middle(self) -> None:
        blue, red = arm_of(100, 120, 1), arm_of(110, 130, 2)
        joined, _ = join_arms([red, blue])
        # The overlap is 110 to 119 in pixels; its middle is 114.5.
        np.testing.assert_array_equal(joined.flux, [*range(10_100, 10_115), *range(20_115, 20_130)])

    def test_a_companion_that_one_arm_lacks_is_nan_or_false_there(self) -> None:
        blue = Arm(wavelength=np.array([1.0, 2.0]), flux=np.ones(2), noise=np.ones(2), missing=np.array([True, False]))
        red = Arm(wavelength=np.array([3.0, 4.0]), flux=np.ones(2))
        joined, _ = join_arms([blue, red])
        np.testing.assert_array_equal(joined.noise, [1, 1, np.nan, np.nan])
        np.testing.assert_array_equal(joined.missing, [True, False, False, False])
        assert joined.bad is None and joined.continuum is None

    def test_pixels_without_a_wavelength_at_the_ends_of_an_arm_are_dropped(self) -> None:
        joined, _ = join_arms([Arm(wavelength=np.array([np.nan, 3.0, 2.0, np.nan, np.nan]), flux=np.arange(5.0))])
        np.testing.assert_array_equal(joined.flux, [2, 1])

    def test_logarithmic_wavelengths_are_joined_as_they_stand(self) -> None:
        joined, _ = join_arms([Arm(wavelength=np.array([3.6, 3.7]), flux=np.ones(2))])
        np.testing.assert_array_equal(joined.wavelength, [3.6, 3.7])

    @pytest.mark.parametrize(
        ("wavelength", "said"),
        [
            ([1.0, 2.0, 2.0, 3.0], "pixel 1"),
            ([1.0, 3.0, 2.0, 4.0], "pixel 1"),
            ([1.0, np.nan, 2.0, 4.0], "pixel 0"),
            ([np.nan] * 4, "no wavelengths"),
            ([1.0, 2.0], "shape"),
        ],
    )
    def test_an_arm_without_an_axis_is_refused(self, wavelength: list[float], said: str) -> None:
        with pytest.raises(BadWavelength, match=said):
            join_arms([Arm(wavelength=np.array(wavelength), flux=np.ones(4))])

    @pytest.mark.parametrize("span", [(105, 110), (100, 110), (105, 120), (100, 120)])
    def test_an_arm_within_another_is_refused(self, span: tuple[int, int]) -> None:
        with pytest.raises(BadWavelength, match="within"):
            join_arms([arm_of(100, 120, 1), arm_of(*span, 2)])

    def test_companions_of_another_shape_and_no_arms_are_refused(self) -> None:
        with pytest.raises(MissingField, match="the noise of an arm"):
            join_arms([Arm(wavelength=np.arange(1.0, 4.0), flux=np.ones(3), noise=np.ones(2))])
        with pytest.raises(MissingField, match="no arm"):
            join_arms([])


pixels = st.tuples(
    st.floats(-1e4, 1e4), st.just(0.0) | st.floats(1e-3, 1e4), st.booleans(), st.sampled_from([False, False, True])
)
"""Flux, inverse variance, whether bad, whether missing."""


class TestWeighting:
    @given(st.lists(pixels, min_size=3, max_size=9), st.lists(pixels, min_size=3, max_size=9), st.integers(-12, 12))
    def test_every_pixel_is_the_weighted_mean_of_the_arms_that_cover_it(
        self, first: list[tuple[float, ...]], second: list[tuple[float, ...]], shift: int
    ) -> None:
        arms, given_pixels = [], {}
        for drawn, start in ((first, 4500), (second, 4500 + shift)):
            flux, ivar, bad, missing = (np.array(values) for values in zip(*drawn, strict=True))
            k = start + np.arange(len(drawn))
            arms.append(
                Arm(
                    wavelength=k * STEP,
                    flux=flux.astype(">f8"),
                    noise=ivar.astype(">f8"),
                    bad=bad.astype(bool),
                    missing=missing.astype(bool),
                )
            )
            for pixel, values in zip(k, drawn, strict=True):
                given_pixels.setdefault(int(pixel), []).append(values)
        joined, method = combine_arms(arms, STEP)
        assert method == "ivar-weighted on the common lattice"
        start = min(4500, 4500 + shift)
        stop = max(4500 + len(first), 4500 + shift + len(second))
        np.testing.assert_array_equal(joined.wavelength, np.arange(start, stop) * STEP)
        for i, pixel in enumerate(range(start, stop)):
            measured = [values for values in given_pixels.get(pixel, []) if not values[3]]
            good = [values for values in measured if values[1] > 0 and not values[2]]
            weighted = good or [values for values in measured if values[1] > 0]
            assert joined.missing is not None and joined.missing[i] == (not measured)
            assert joined.noise is not None
            np.testing.assert_allclose(joined.noise[i], sum(values[1] for values in good), rtol=1e-12)
            assert joined.bad is not None and joined.bad[i] == (not good)
            if not measured:
                assert np.isnan(joined.flux[i])
            elif weighted:
                expected = np.average([v[0] for v in weighted], weights=[v[1] for v in weighted])
                np.testing.assert_allclose(joined.flux[i], expected, rtol=1e-9, atol=1e-9 * 1e4)
            else:
                np.testing.assert_allclose(joined.flux[i], np.mean([values[0] for values in measured]), rtol=1e-12)

    def test_where_one_arm_alone_is_good_its_values_are_kept_to_the_bit(self) -> None:
        random = np.random.default_rng(3)
        flux, ivar = (random.normal(1, 0.5, 100).astype(">f4"), random.gamma(2, 1e-3, 100).astype(">f4"))
        joined, method = combine_arms([Arm(wavelength=(7000 + np.arange(100)) * STEP, flux=flux, noise=ivar)], STEP)
        assert method == ""
        np.testing.assert_array_equal(joined.flux.astype("f4"), flux)
        np.testing.assert_array_equal(joined.noise, ivar)

    def test_a_gap_between_arms_is_missing_and_keeps_the_lattice(self) -> None:
        arms = [Arm(wavelength=k * STEP, flux=np.ones(3), noise=np.ones(3)) for k in (np.arange(3), np.arange(8, 11))]
        joined, _ = combine_arms(arms, STEP)
        np.testing.assert_array_equal(joined.missing, [False] * 3 + [True] * 5 + [False] * 3)
        assert np.isnan(joined.flux[3:8]).all()

    def test_infinite_and_undefined_values_weigh_nothing(self) -> None:
        wavelength = np.arange(4500, 4503) * STEP
        one = Arm(wavelength=wavelength, flux=np.array([np.nan, 1.0, 1.0]), noise=np.array([1.0, np.inf, np.nan]))
        other = Arm(wavelength=wavelength, flux=np.array([2.0, 3.0, 3.0]), noise=np.array([1.0, 1.0, -1.0]))
        joined, _ = combine_arms([one, other], STEP)
        np.testing.assert_array_equal(joined.flux, [2, 3, 2])
        np.testing.assert_array_equal(joined.noise, [1, 1, 0])

    @pytest.mark.parametrize("wavelength", [[3600.0, 3600.8, 3602.4], [3600.2, 3601.0, 3601.8]])
    def test_an_arm_off_the_lattice_is_refused(self, wavelength: list[float]) -> None:
        with pytest.raises(BadWavelength, match="off the lattice"):
            combine_arms([Arm(wavelength=np.array(wavelength), flux=np.ones(3), noise=np.ones(3))], STEP)

    def test_arms_without_noise_cannot_be_weighted(self) -> None:
        with pytest.raises(MissingField, match="inverse variances"):
            combine_arms([Arm(wavelength=np.array([3600.0, 3600.8]), flux=np.ones(2))], STEP)
        with pytest.raises(MissingField, match="no arm"):
            combine_arms([], STEP)

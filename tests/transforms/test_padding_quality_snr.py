"""Fill, emptiness, damage and signal-to-noise of a flux, against slow reference implementations."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spectral_zarr.errors import AllNaN, AllZero, FiniteGarbage, TooFewPixels
from spectral_zarr.transforms.padding import zero_fill
from spectral_zarr.transforms.quality import check_measured, check_not_blank
from spectral_zarr.transforms.snr import estimate_snr

Floats = NDArray[np.float32]


def f32(*values: float) -> Floats:
    return np.array(values, dtype=np.float32)


def slow_fill(flux: list[float], sigma: list[float] | None) -> list[bool]:
    """The rule of formats 1.4, pixel by pixel."""
    fill = [False] * len(flux)
    i = 0
    while i < len(flux):
        if flux[i] != 0:
            i += 1
            continue
        j = i
        while j < len(flux) and flux[j] == 0:
            j += 1
        at_end = i == 0 or j == len(flux)
        unknown = sigma is None or all(not math.isfinite(s) for s in sigma[i:j])
        if at_end or (j - i >= 8 and unknown):
            fill[i:j] = [True] * (j - i)
        i = j
    return fill


class TestZeroFill:
    @given(
        st.lists(
            st.tuples(st.sampled_from([0.0, -0.0, 1.0, math.nan]), st.integers(1, 12), st.booleans()),
            min_size=1,
            max_size=8,
        ),
        st.booleans(),
    )
    @settings(max_examples=200)
    def test_is_that_of_the_slow_rule(self, runs: list[tuple[float, int, bool]], has_sigma: bool) -> None:
        flux = f32(*(value for value, n, _ in runs for _ in range(n)))
        sigma = f32(*(1.0 if known else math.nan for _, n, known in runs for _ in range(n))) if has_sigma else None
        wanted = slow_fill(flux.tolist(), None if sigma is None else sigma.tolist())
        found = np.zeros(flux.size, np.bool_)
        for run in zero_fill(flux, sigma):
            assert not found[run].any()
            found[run] = True
        assert found.tolist() == wanted

    @pytest.mark.parametrize(("length", "filled"), [(7, False), (8, True)])
    def test_needs_eight_interior_pixels(self, length: int, filled: bool) -> None:
        flux = f32(1, *[0] * length, 1)
        assert zero_fill(flux, None) == ([slice(1, 1 + length)] if filled else [])
        assert zero_fill(flux, np.ones_like(flux)) == []

    def test_never_blanks_isolated_zeros(self) -> None:
        assert zero_fill(f32(1, 0, 2, 0, 0, 3), None) == []


class TestBlank:
    @pytest.mark.parametrize("pixels", [(math.nan,) * 3])
    def test_nothing_finite_is_all_nan(self, pixels: tuple[float, ...]) -> None:
        with pytest.raises(AllNaN):
            check_not_blank(f32(*pixels))

    @pytest.mark.parametrize("pixels", [(0, 0), (0.0, -0.0), (0, math.nan, 0), (math.nan, 0)])
    def test_zeros_and_nan_are_all_zero(self, pixels: tuple[float, ...]) -> None:
        with pytest.raises(AllZero):
            check_not_blank(f32(*pixels))

    @pytest.mark.parametrize("pixels", [(0, 1e-45), (math.nan, -1), (0, math.nan, 3e38), (-3e38, 3e38)])
    def test_one_other_pixel_is_enough(self, pixels: tuple[float, ...]) -> None:
        check_not_blank(f32(*pixels))


def garbage_share(flux: Floats) -> float:
    """The definition: share of the finite non-zero pixels beyond a million times the true median of their size."""
    sizes = np.abs(flux[np.isfinite(flux) & (flux != 0)].astype(np.float64))
    return float(np.mean(sizes > 1e6 * np.median(sizes)))


class TestMeasured:
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0.0, math.nan, 1.0, 3.0, -2.0, 1e-3, 5e5, 2.5e6, -1e9, 1e30]), st.integers(1, 40)
            ),
            min_size=1,
            max_size=8,
        )
    )
    @settings(max_examples=300)
    def test_the_screen_for_garbage_equals_the_definition(self, runs: list[tuple[float, int]]) -> None:
        flux = f32(*(value for value, n in runs for _ in range(n)))
        if not np.isfinite(flux).any() or not np.any(np.isfinite(flux) & (flux != 0)):
            return
        count = int(np.isfinite(flux).sum())
        if garbage_share(flux) > 0.01:
            with pytest.raises(FiniteGarbage):
                check_measured(flux, check_not_blank(flux), min_valid_share=0.0, observed=True)
        else:
            assert check_measured(flux, check_not_blank(flux), min_valid_share=0.0, observed=True) == count
        assert check_measured(flux, check_not_blank(flux), min_valid_share=0.0, observed=False) == count

    @pytest.mark.parametrize(("bad", "refused"), [(10, False), (11, True)])
    def test_one_per_cent_of_garbage_is_borne(self, bad: int, refused: bool) -> None:
        flux = np.ones(1000, np.float32)
        flux[:bad] = 1e7
        if refused:
            with pytest.raises(FiniteGarbage, match="median"):
                check_measured(flux, check_not_blank(flux), min_valid_share=0.02, observed=True)
        else:
            assert check_measured(flux, check_not_blank(flux), min_valid_share=0.02, observed=True) == 1000

    def test_fluxes_near_the_limits_of_float32_are_measured_without_warnings(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for scale in (3e38, 1e33, 1e-38, 1e-44):
                flat = np.full(10, scale, np.float32)
                assert check_measured(flat, check_not_blank(flat), min_valid_share=0.02, observed=True) == 10
                mixed = np.array([scale] * 6 + [0.0] * 14, np.float32)
                assert check_measured(mixed, check_not_blank(mixed), min_valid_share=0.02, observed=True) == 20

    @pytest.mark.parametrize(("n", "refused"), [(1, True), (2, False)])
    def test_too_few_pixels_are_refused_below_the_share(self, n: int, refused: bool) -> None:
        flux = np.full(100, np.nan, np.float32)
        flux[:n] = 1
        if refused:
            with pytest.raises(TooFewPixels, match="1 of 100"):
                check_measured(flux, check_not_blank(flux), min_valid_share=0.02, observed=True)
        else:
            assert check_measured(flux, check_not_blank(flux), min_valid_share=0.02, observed=True) == n


class TestSnr:
    @given(st.lists(st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(0.5, 1e3, width=32)), min_size=5, max_size=30))
    def test_with_sigma_is_the_median_of_flux_over_sigma(self, pixels: list[tuple[float, float]]) -> None:
        flux, sigma = (np.array(values, np.float32) for values in zip(*pixels, strict=True))
        ratios = [f / s for f, s in zip(flux.tolist(), sigma.tolist(), strict=True) if f != 0]
        snr, method = estimate_snr(flux, sigma)
        if len(ratios) >= 5:
            assert method == "median_flux_over_sigma"
            assert snr == pytest.approx(float(np.median(ratios)), rel=1e-5, abs=1e-12)
        else:
            assert (math.isnan(snr), method) == (True, "none")

    @given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=5, max_size=40))
    def test_without_sigma_is_der_snr(self, pixels: list[float]) -> None:
        used = [p for p in pixels if p != 0]
        snr, method = estimate_snr(f32(*pixels, math.nan), None)
        noise = 0.0
        if len(used) >= 5:
            differences = [abs(2 * used[i] - used[i - 2] - used[i + 2]) for i in range(2, len(used) - 2)]
            noise = 1.482602 / math.sqrt(6) * float(np.median(differences))
        if noise > 0:
            assert method == "der_snr"
            assert snr == pytest.approx(float(np.median(used)) / noise, rel=1e-9)
        else:
            assert (math.isnan(snr), method) == (True, "none")

    def test_zeros_and_unknown_pixels_do_not_count(self) -> None:
        flux = f32(0, 2, 4, 6, 8, 10, math.nan, 1000)
        sigma = f32(1, 1, 1, 1, 1, 1, 1, math.nan)
        assert estimate_snr(flux, sigma) == (6.0, "median_flux_over_sigma")

    def test_a_sigma_without_known_pixels_falls_back(self) -> None:
        flux = f32(*range(1, 20))
        assert estimate_snr(flux, np.full(19, np.nan, np.float32))[1] in ("der_snr", "none")
        noisy = f32(*(10 + (-1) ** (i // 2) for i in range(40)))
        assert estimate_snr(noisy, np.full(40, np.nan, np.float32)) == estimate_snr(noisy, None)
        assert estimate_snr(noisy, None)[1] == "der_snr"

"""One sigma from inverse variance, variance, relative and plain errors, against the formula in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.model import NoiseKind
from spectral_zarr.transforms.noise import sigma

FORMULAS = {
    "sigma": lambda noise, flux: noise,
    "ivar": lambda noise, flux: 1 / math.sqrt(noise),
    "variance": lambda noise, flux: math.sqrt(noise),
    "relative": lambda noise, flux: noise * abs(flux),
}
AWKWARD = [0.0, -0.0, -1.0, -9999.0, math.inf, -math.inf, math.nan, 1e34, 1e-34, 1e38, 1e-38, 1e300, 1e-300, 5e-324]
VALUES = st.one_of(st.sampled_from(AWKWARD), st.floats(1e-30, 1e30), st.floats(allow_nan=True, allow_infinity=True))


def expected(noise: float, kind: NoiseKind, flux: float) -> float:
    """The formula for one pixel in float64, then the cast; NaN for everything that is not a positive number."""
    if not (noise > 0 and math.isfinite(noise)) or math.isnan(flux):
        return math.nan
    with np.errstate(all="ignore"):
        result = float(np.float32(FORMULAS[kind](noise, flux)))
    return result if result > 0 and math.isfinite(result) else math.nan


@pytest.mark.parametrize("kind", FORMULAS)
@given(pixels=st.lists(st.tuples(VALUES, st.floats(-1e20, 1e20)), min_size=1, max_size=20))
def test_sigma_is_the_formula_in_float64(kind: NoiseKind, pixels: list[tuple[float, float]]) -> None:
    noise, flux = np.array(pixels).T
    result = sigma(noise, kind, flux)
    assert result.dtype == np.float32
    wanted = np.array([expected(n, kind, f) for n, f in pixels], dtype=np.float32)
    np.testing.assert_array_max_ulp(result, wanted, maxulp=1)


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize("noise", [0.0, -1.0, math.inf, -math.inf, math.nan])
def test_a_noise_that_is_no_positive_number_is_unknown(kind: NoiseKind, noise: float) -> None:
    assert np.isnan(sigma(np.array([noise]), kind, np.array([2.0])))


def test_huge_inverse_variances_do_not_overflow() -> None:
    result = sigma(np.array([1e34], ">f4"), "ivar", np.array([1e-17]))
    assert result[0] == pytest.approx(1e-17, rel=1e-6)


def test_a_relative_error_of_zero_flux_is_unknown_and_of_negative_flux_is_positive() -> None:
    result = sigma(np.array([0.1, 0.1]), "relative", np.array([0.0, -20.0]))
    assert np.isnan(result[0])
    assert result[1] == pytest.approx(2.0)


@pytest.mark.parametrize("dtype", [">f4", ">f8", "<f4", ">i2"])
def test_the_array_of_the_file_is_not_changed(dtype: str) -> None:
    noise = np.array([4, 1, 0], dtype)
    noise.flags.writeable = False
    np.testing.assert_allclose(sigma(noise, "ivar", np.ones(3)), [0.5, 1.0, np.nan])
    assert noise.tolist() == [4, 1, 0]

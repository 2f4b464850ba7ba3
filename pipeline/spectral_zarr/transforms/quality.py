"""Whether a flux is a measurement at all: not empty, not zero, not damaged bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import AllNaN, AllZero, FiniteGarbage, TooFewPixels

GARBAGE_FACTOR = 1e6
GARBAGE_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Extent:
    """Least and greatest value of a flux, NaN left out, and the number of NaN."""

    low: float
    high: float
    n_nan: int


def check_not_blank(flux: NDArray[np.float32], *, has_nan: bool = False) -> Extent:
    """Refuse a flux without any finite pixel other than zero, and give its extent.

    Parameters
    ----------
    flux : ndarray, shape (n_pix,)
        The flux.
    has_nan : bool
        Whether some of it is known to be NaN, which saves looking.

    Raises
    ------
    AllNaN, AllZero
    """
    # A sum over squares would overflow; min and max see every finite pixel. Those that propagate NaN are faster.
    low = high = math.nan
    if not has_nan:
        low, high = float(np.minimum.reduce(flux)), float(np.maximum.reduce(flux))
    n_nan = 0
    if math.isnan(low):
        low, high = float(np.fmin.reduce(flux)), float(np.fmax.reduce(flux))
        n_nan = int(np.count_nonzero(np.isnan(flux)))
    if math.isnan(low):
        raise AllNaN("no pixel of the flux is finite; leave the file out or fetch it again")
    if low == 0 == high:
        raise AllZero("every finite pixel of the flux is exactly zero (a dead or sky fibre?); leave the file out")
    return Extent(low, high, n_nan)


def check_measured(flux: NDArray[np.float32], known: Extent, *, min_valid_share: float, observed: bool) -> int:
    """Count the finite pixels and refuse a flux with too few of them or with absurd values.

    Parameters
    ----------
    flux : ndarray, shape (n_pix,)
        Flux with NaN where nothing was measured, and nothing infinite.
    known : Extent
        Its extent.
    min_valid_share : float
        Least share of finite pixels.
    observed : bool
        Models are not tested for absurd values, because their range may be huge.

    Returns
    -------
    int
        Number of finite pixels.

    Raises
    ------
    TooFewPixels, FiniteGarbage
    """
    count = flux.size - known.n_nan
    if count < min_valid_share * flux.size:
        message = (
            f"{count} of {flux.size} pixels carry a measurement; leave the file out or lower [build] min_valid_share"
        )
        raise TooFewPixels(message)
    if observed and (share := _garbage_share(flux, known, count)) > GARBAGE_SHARE:
        message = f"{share:.0%} of the pixels exceed a million times the median: damaged bytes; fetch the file again"
        raise FiniteGarbage(message)
    return count


def _garbage_share(flux: NDArray[np.float32], known: Extent, count: int) -> float:
    largest = max(known.high, -known.low)
    # Few passes settle nearly every spectrum: if half of the pixels are above largest / 1e6, so is the median.
    if known.low * GARBAGE_FACTOR > 2 * largest:
        return 0.0
    if np.count_nonzero(flux > largest / GARBAGE_FACTOR) * 2 > count:
        return 0.0
    size = np.abs(flux)
    if np.count_nonzero(size > largest / GARBAGE_FACTOR) * 2 > count:
        return 0.0
    sizes = size[np.isfinite(size)].astype(np.float64)
    sizes = sizes[sizes > 0]
    return float(np.count_nonzero(sizes > GARBAGE_FACTOR * float(np.median(sizes)))) / sizes.size

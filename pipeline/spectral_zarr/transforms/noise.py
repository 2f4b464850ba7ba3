"""Inverse variance, variance and relative error turned into one sigma, with NaN for what is unknown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.model import NoiseKind, Pixels


def sigma(noise: Pixels, kind: NoiseKind, flux: Pixels) -> NDArray[np.float32]:
    """One standard deviation per pixel.

    Parameters
    ----------
    noise : ndarray, shape (n_pix,)
        The noise array of the file.
    kind : {'sigma', 'ivar', 'variance', 'relative'}
        What it holds.
    flux : ndarray, shape (n_pix,)
        Flux in the same unit, used for relative errors.

    Returns
    -------
    ndarray, shape (n_pix,), float32
        NaN where the noise is zero, negative or not finite: such values are sentinels in every survey.

    Notes
    -----
    Computed in float64, because inverse variances of fluxes near 1e-17 overflow float32.
    """
    if kind == "sigma" and noise.dtype.kind == "f" and noise.dtype.itemsize == 4:
        return known_sigma(noise.astype(np.float32))
    values = np.array(noise, dtype=np.float64)
    with np.errstate(all="ignore"):
        if kind == "ivar":
            np.sqrt(values, out=values)
            np.reciprocal(values, out=values)
        elif kind == "variance":
            np.sqrt(values, out=values)
        elif kind == "relative":
            values *= np.abs(flux.astype(np.float64))
        result = values.astype(np.float32)
    return known_sigma(result)


def known_sigma(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same array with NaN for every value that is no standard deviation."""
    # Comparisons with NaN are false; that of both ends spares most spectra four passes.
    if not (np.minimum.reduce(values, initial=np.inf) > 0 and np.maximum.reduce(values, initial=0) < np.inf):
        np.copyto(values, np.nan, where=~((values > 0) & (values < np.inf)))
    return values

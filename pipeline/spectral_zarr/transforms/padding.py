"""Fill that files write as exact zeros: found by runs, never by single pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_INTERIOR_RUN = 8


def zero_fill(flux: NDArray[np.float32], sigma: NDArray[np.float32] | None) -> NDArray[np.bool_] | None:
    """Pixels that are fill and not a measurement.

    Contiguous exact zeros at the ends of the array, and interior runs of eight and more whose uncertainty is
    unknown. Isolated zeros are measurements.

    Parameters
    ----------
    flux, sigma : ndarray, shape (n_pix,)
        Flux and its uncertainty; None when no uncertainty is known.

    Returns
    -------
    ndarray of bool, shape (n_pix,), or None
        None when there is no fill.
    """
    zero = flux == 0
    if not zero.any():
        return None
    edges = (np.flatnonzero(zero[1:] != zero[:-1]) + 1).tolist()
    if zero[0]:
        edges.insert(0, 0)
    if zero[-1]:
        edges.append(flux.size)
    fill = np.zeros(flux.shape, dtype=np.bool_)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        at_end = start == 0 or stop == flux.size
        unknown = sigma is None or not np.isfinite(sigma[start:stop]).any()
        if at_end or (stop - start >= LEAST_INTERIOR_RUN and unknown):
            fill[start:stop] = True
    return fill if fill.any() else None

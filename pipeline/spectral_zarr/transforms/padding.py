"""Fill that files write as exact zeros: found by runs, never by single pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_INTERIOR_RUN = 8


def zero_fill(flux: NDArray[np.float32], sigma: NDArray[np.float32] | None) -> list[slice]:
    """Runs of pixels that are fill and not a measurement.

    Contiguous exact zeros at the ends of the array, and interior runs of eight and more whose uncertainty is
    unknown. Isolated zeros are measurements.

    Parameters
    ----------
    flux, sigma : ndarray, shape (n_pix,)
        Flux and its uncertainty; None when no uncertainty is known.

    Returns
    -------
    list of slice
        From left to right.
    """
    zero = flux == 0
    if not zero.any():
        return []
    edges = (zero[1:] != zero[:-1]).nonzero()[0] + 1
    if zero[0]:
        edges = np.concatenate(([0], edges))
    if zero[-1]:
        edges = np.concatenate((edges, [flux.size]))
    starts, stops = edges[::2], edges[1::2]
    runs = ((stops - starts >= LEAST_INTERIOR_RUN) | (starts == 0) | (stops == flux.size)).nonzero()[0]
    return [
        slice(start, stop)
        for start, stop in zip(starts[runs].tolist(), stops[runs].tolist(), strict=True)
        if start == 0 or stop == flux.size or sigma is None or not np.isfinite(sigma[start:stop]).any()
    ]

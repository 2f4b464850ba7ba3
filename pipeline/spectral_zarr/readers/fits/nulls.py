"""Undefined integers, compared as they are stored, before any scale (FITS standard 4.0, 4.4.2.5 and 7.3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def scaled(stored: NDArray[Any], scale: float, zero: float, kind: str = "f8") -> NDArray[Any]:
    """Values of stored integers; a scale or zero that is NaN is not given."""
    values = stored.astype(kind)
    if not np.isnan(scale):
        values *= scale
    if not np.isnan(zero):
        values += zero
    return values


def blanked(values: NDArray[Any], undefined: NDArray[np.bool_]) -> NDArray[Any]:
    """Values as floats with NaN where they are undefined; as they are where all are defined."""
    if not undefined.any():
        return values
    numbers = values if values.dtype.kind == "f" and values.flags.owndata else values.astype(np.float64)
    numbers[undefined] = np.nan
    return numbers

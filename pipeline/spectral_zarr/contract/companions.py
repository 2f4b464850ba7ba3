"""Units of what lies beside a flux: noise and continuum brought to the unit of the flux, or known to contradict it."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Literal

from spectral_zarr.contract.units import DIMENSIONLESS, canonical_unit, unit_ratio

Kind = Literal["sigma", "variance", "ivar", "relative", "continuum"]

POWERS: dict[Kind, int] = {"sigma": 1, "continuum": 1, "variance": 2, "ivar": -2}
"""Power of the unit of the flux in which each kind of values is; a relative error has no unit."""

CONTRADICTS = math.nan

_POWER = re.compile(
    r"(?P<over>1(?:\.0*)?\s*/\s*)?[\[(](?P<inner>.+)[\])]\s*(?:\*\*|\^)?\s*\(?\s*(?P<power>[+-]?[12])\s*\)?"
)


@lru_cache(maxsize=1024)
def companion_factor(written: str, flux: str, power: int) -> float | None:
    """Factor that brings values beside a flux to a power of the unit of the flux.

    Parameters
    ----------
    written : str
        Unit of the values as the file writes it.
    flux : str
        Unit of the flux, in any spelling.
    power : int
        1 for a standard deviation or a continuum, 2 for a variance, -2 for an inverse variance.

    Returns
    -------
    float or None
        None where one of them is not understood; NaN (`CONTRADICTS`) where both are and one is no power of the other.

    Notes
    -----
    The very text of the flux stands for the right power of it, because headers are copied from HDU to HDU.
    """
    if _one_line(written) == _one_line(flux):
        return 1.0
    of_flux = canonical_unit(flux)
    if of_flux is None:
        return None
    found = canonical_unit(written)
    if found is not None:
        if found == of_flux and power == 1:
            return 1.0
        if found == DIMENSIONLESS and power != 1:
            return None
        return _known(unit_ratio(found, of_flux, power))
    match = _POWER.fullmatch(written.strip())
    inner = canonical_unit(match["inner"]) if match else None
    if match is None or inner is None:
        return None
    if int(match["power"]) * (-1 if match["over"] else 1) != power:
        return CONTRADICTS
    return _known(unit_ratio(inner, of_flux, 1)) ** power


def _known(ratio: float | None) -> float:
    if ratio is None:
        return CONTRADICTS
    # A unit that is spelled with other powers of ten and means the same leaves the values as they are.
    return 1.0 if math.isclose(ratio, 1.0, rel_tol=1e-9) else ratio


def _one_line(text: str) -> str:
    return "".join(text.split())

"""Units of noise and continuum in files of unknown origin: passed on to be converted, or refused with their place."""

from __future__ import annotations

import math

from spectral_zarr.contract.companions import POWERS, Kind, companion_factor
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import UnknownUnit


def companion_unit(
    written: str,
    kind: Kind,
    flux_unit: str,
    *,
    beside: str = "",
    name: str,
    flux_name: str,
    path: str,
    hdu: int | None = None,
) -> str:
    """Unit of a noise or a continuum, '' where it is that of the flux.

    Parameters
    ----------
    written : str
        Unit as the file writes it.
    kind : {'sigma', 'ivar', 'variance', 'relative', 'continuum'}
        What the values are.
    flux_unit : str
        Unit in which the flux is read.
    beside : str
        Unit that the file writes for the flux, where the user or a scale of the product replaces it: a noise that has
        the right power of it follows the flux.
    name, flux_name, path, hdu
        Place, for messages.

    Raises
    ------
    UnknownUnit
        When both units are understood and contradict, or a standard deviation has a text that is not understood.
    """
    if not written or kind == "relative":
        return ""
    if beside and beside != flux_unit and companion_factor(written, beside, POWERS[kind]) == 1.0:
        return ""
    factor = companion_factor(written, flux_unit, POWERS[kind])
    if factor is None and kind == "sigma" and canonical_unit(flux_unit) is not None:
        message = f"{name} is in '{written}', which is not understood, and {flux_name} in '{flux_unit}'"
        raise UnknownUnit(f"{message}; correct the unit of {name}", path=path, hdu=hdu)
    if factor is not None and math.isnan(factor):
        power = {1: "", 2: " squared", -2: " to the power -2"}[POWERS[kind]]
        message = f"{name} is in '{written}' and {flux_name} in '{flux_unit}', so it should be in that unit{power}"
        raise UnknownUnit(f"{message}; convert one of them", path=path, hdu=hdu)
    return "" if factor in (None, 1.0) else written

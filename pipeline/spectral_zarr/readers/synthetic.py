"""Facts that all model grids share: rest frame, no date, no noise, and parameters from the name of the file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from spectral_zarr.model import Observation
from spectral_zarr.readers.fits import HeaderPolicy

SURFACE_FLUX = "erg/s/cm^2/Angstrom"
EDDINGTON_FLUX = f"{4 * math.pi!r} {SURFACE_FLUX}"
"""Unit of H: the flux that leaves a surface is F = 4 pi H, so H in this unit is the flux."""

MODEL_POLICY = HeaderPolicy(allow=(r"PHX.*|TEFF|LOG_?G|FEH|LOG_Z|AFE|VT|ALPHA|GRIDVER",))

_SUFFIXES = re.compile(r"(\.(gz|bz2|fz|fits?|fts|txt|asc|dat|spec|flx))+\Z", re.IGNORECASE)
_MARCS_MODEL = re.compile(r"(?:^|_)(?P<geometry>[ps])(?P<teff>\d{4,5})(?=[g_:])(?P<rest>.*)")
_MARCS_VALUE = re.compile(r"(?<![a-z])([gmtzacnors])([+-]?\d+(?:\.\d+)?)")
_MARCS_PARAMETERS = {
    "g": "logg",
    "m": "mass",
    "t": "vmic",
    "z": "m_h",
    "a": "alpha_m",
    "c": "c_fe",
    "n": "n_fe",
    "o": "o_fe",
    "r": "r_fe",
    "s": "s_fe",
}


def model_observation(simulator: str, params_source: str, **known: Any) -> Observation:
    """Facts of a model spectrum.

    Parameters
    ----------
    simulator : str
        Code and version, for example ``PHOENIX-ACES-2011``.
    params_source : str
        Where the parameters come from.
    **known
        Other fields of `Observation`, which win.
    """
    facts: dict[str, Any] = {
        "source_type": "synthetic",
        "simulator": simulator,
        "params_source": params_source,
        "velocity_frame": "rest",
        "flux_calibration": "absolute",
    }
    return Observation(**{**facts, **known})


def model_stem(name: str) -> str:
    """Name of a model file without directories and suffixes, by which grids identify their models."""
    return _SUFFIXES.sub("", name.rpartition("/")[2])


def scaled_metals(m_h: float) -> dict[str, float]:
    """[M/H] and [Fe/H] of a grid that scales all metals together and the alpha elements apart: they are equal."""
    return {"feh": m_h, "m_h": m_h}


def marcs_parameters(stem: str) -> dict[str, float]:
    """Parameters from a name in the manner of the MARCS grid.

    ``p5750_g+4.5_m0.0_t01_st_z+0.00_a+0.00_c+0.00_n+0.00_o+0.00_r+0.00_s+0.00`` (Gustafsson et al. 2008, A&A 486,
    951); POLLUX and AMBRE write colons for the underscores or nothing at all, ``M_s4750g2.0z-0.50t2.0_a0.20c0.00``.

    Returns
    -------
    dict
        ``teff`` in K, ``logg``, ``m_h``, ``feh``, ``alpha_m``, ``c_fe`` and others in dex, ``vmic`` in km/s, ``mass``
        in solar masses of spherical models; empty when the name is another one.
    """
    match = _MARCS_MODEL.search(stem)
    if match is None:
        return {}
    found = {_MARCS_PARAMETERS[letter]: float(value) for letter, value in _MARCS_VALUE.findall(match["rest"])}
    if "logg" not in found or "m_h" not in found:
        return {}
    if match["geometry"] == "p":
        found.pop("mass", None)
    return {"teff": float(match["teff"]), **found, **scaled_metals(found["m_h"])}


def finite(params: Mapping[str, float]) -> dict[str, float]:
    """Only the parameters that are known."""
    return {name: value for name, value in params.items() if math.isfinite(value)}

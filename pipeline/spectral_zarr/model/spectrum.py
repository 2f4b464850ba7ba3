"""One spectrum as a reader hands it over: the arrays and facts of the file, untransformed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.model.grid import Sampling

Pixels = NDArray[Any]
"""A one-dimensional array in the dtype and byte order of the file; views are read-only."""

NoiseKind = Literal["sigma", "ivar", "variance", "relative"]

NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The typed facts of one spectrum, the twins of ``metadata/`` and ``index.parquet``.

    Text is '' and numbers are NaN where the file does not say. Units are those of
    `spectral_zarr.contract.schema.METADATA`. `notes` say what was left out because the file contradicts itself; they
    are told in the summary and are no column.
    """

    source_type: str = "observed"
    instrument: str = ""
    flux_type: str = "flux"
    simulator: str = ""
    object: str = ""
    object_id: str = ""
    gaia_id: str = ""
    gaia_dr: str = ""
    program_id: str = ""
    date_obs: str = ""
    velocity_frame: str = "unknown"
    flux_calibration: str = ""
    order: str = ""
    arm_merge: str = ""
    params_source: str = ""
    snr: float = NAN
    snr_method: str = ""
    ra: float = NAN
    dec: float = NAN
    mjd: float = NAN
    exptime: float = NAN
    airmass: float = NAN
    berv: float = NAN
    rv_applied: float = NAN
    resolving_power: float = NAN
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """One spectrum of a source file.

    Attributes
    ----------
    spec_id : str
        Identifier; '' asks for the fallback, the path without its suffix.
    flux : ndarray, shape (n_pix,)
        Flux in `flux_unit`, in file order.
    flux_unit : str
        Unit as the file writes it, or as the product rule defines it.
    unit_written : bool
        Whether `flux_unit` stands in the file, in a place that `header` does not show.
    sampling : Sampling
        The wavelength axis.
    noise : ndarray, shape (n_pix,), optional
        Sigma, inverse variance, variance or relative error as `noise_kind` says; None when unknown.
    noise_unit, continuum_unit : str
        Units that the file writes for them, '' for that of the flux: the values are converted to it, and refused where
        the units contradict.
    bad : ndarray of bool, shape (n_pix,), optional
        Pixels that the product marks bad: the uncertainty becomes NaN and the flux is kept.
    missing : ndarray of bool, shape (n_pix,), optional
        Pixels without a measurement: flux and uncertainty become NaN.
    zero_padded : bool
        Whether runs of exact zeros are fill: at the ends, and in the interior from eight pixels on.
    normalized_product : bool
        Whether `flux` is continuum-normalised, so that it is also the normalised flux.
    continuum, normalized, normalized_sigma : ndarray, shape (n_pix,), optional
        Companions on the same pixels.
    continuum_method : str
        Label of ``continuum/method``, ``none`` without a continuum.
    params : mapping
        Parameter name to value, NaN for missing.
    header : mapping
        Projected header text by (HDU, keyword, occurrence).
    hdu, row : int
        Place of the flux in the file.
    """

    spec_id: str
    flux: Pixels
    flux_unit: str
    sampling: Sampling
    observation: Observation
    noise: Pixels | None = None
    noise_kind: NoiseKind = "sigma"
    noise_unit: str = ""
    bad: NDArray[np.bool_] | None = None
    missing: NDArray[np.bool_] | None = None
    zero_padded: bool = False
    normalized_product: bool = False
    continuum: Pixels | None = None
    continuum_unit: str = ""
    continuum_method: str = "none"
    normalized: Pixels | None = None
    normalized_sigma: Pixels | None = None
    params: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    header: Mapping[HeaderKey, str] = field(default_factory=lambda: MappingProxyType({}))
    hdu: int = 0
    row: int = 0
    unit_written: bool = False

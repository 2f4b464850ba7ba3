"""Joining the arms or detectors of one exposure: one spectrum in ascending wavelength, every pixel at most once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import BadWavelength, MissingField
from spectral_zarr.model import Pixels

CONCATENATED = "concatenated"
CUT = "cut at mid-overlap"
WEIGHTED = "ivar-weighted on the common lattice"

_COMPANIONS = ("noise", "bad", "missing", "continuum", "normalized", "normalized_sigma")
_LOGICAL = frozenset({"bad", "missing"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """One arm of a spectrum, or several joined; the fields are those of `Spectrum`.

    Attributes
    ----------
    wavelength : ndarray, shape (n_pix,)
        Wavelength or its logarithm, strictly ascending or descending, the same quantity and unit in all arms. NaN
        is allowed at the ends, where pixels without a wavelength are dropped.
    flux : ndarray, shape (n_pix,)
        Flux, in the same unit in all arms.
    noise : ndarray, shape (n_pix,), optional
        Noise of the same kind in all arms.
    bad, missing : ndarray of bool, shape (n_pix,), optional
        Pixels that the product marks bad, and those without a measurement.
    continuum, normalized, normalized_sigma : ndarray, shape (n_pix,), optional
        Companions on the same pixels.
    """

    wavelength: Pixels
    flux: Pixels
    noise: Pixels | None = None
    bad: NDArray[np.bool_] | None = None
    missing: NDArray[np.bool_] | None = None
    continuum: Pixels | None = None
    normalized: Pixels | None = None
    normalized_sigma: Pixels | None = None

    def take(self, pixels: slice | NDArray[np.bool_]) -> Arm:
        """The arm with some of its pixels."""
        return Arm(
            wavelength=self.wavelength[pixels],
            flux=self.flux[pixels],
            **{name: None if (values := getattr(self, name)) is None else values[pixels] for name in _COMPANIONS},
        )


def join_arms(arms: Sequence[Arm]) -> tuple[Arm, str]:
    """Concatenate arms in ascending wavelength; where two overlap, cut both in the middle of the overlap.

    Parameters
    ----------
    arms : sequence of Arm
        In any order and direction; a companion that some arms lack is NaN (False) on their pixels.

    Returns
    -------
    arm : Arm
        With strictly ascending wavelengths; no values are changed.
    method : str
        For ``metadata/arm_merge``: `CONCATENATED`, `CUT`, or '' for a single arm.

    Raises
    ------
    BadWavelength
        When an arm is not strictly monotonic or lies within another one.
    MissingField
        When a companion has another shape than the flux, or there are no arms.
    """
    if not arms:
        raise MissingField("the spectrum has no arm; fetch its files again")
    ordered = sorted((_ascending(arm) for arm in arms), key=lambda arm: float(arm.wavelength[0]))
    if len(ordered) == 1:
        return ordered[0], ""
    cuts = [-np.inf]
    overlaps = False
    for before, arm in pairwise(ordered):
        last, first = float(before.wavelength[-1]), float(arm.wavelength[0])
        if first <= last:
            if not (before.wavelength[0] < first and last < arm.wavelength[-1]):
                message = f"an arm from {first:.6g} to {float(arm.wavelength[-1]):.6g} lies within another one"
                raise BadWavelength(f"{message} that ends at {last:.6g}; leave the file out")
            overlaps = True
        cuts.append(0.5 * (last + first))
    cuts.append(np.inf)
    parts = [
        arm.take((arm.wavelength > low) & (arm.wavelength <= high)) if overlaps else arm
        for arm, (low, high) in zip(ordered, pairwise(cuts), strict=True)
    ]
    present = [name for name in _COMPANIONS if any(getattr(part, name) is not None for part in parts)]
    return Arm(
        wavelength=np.concatenate([part.wavelength for part in parts]),
        flux=np.concatenate([part.flux for part in parts]),
        **{name: np.concatenate([_filled(part, name) for part in parts]) for name in present},
    ), CUT if overlaps else CONCATENATED


def combine_arms(arms: Sequence[Arm], step: float, *, tolerance: float = 1e-3) -> tuple[Arm, str]:
    """Combine arms that sample one lattice ``k * step``, weighting by inverse variance where they overlap.

    The flux is ``sum(ivar * flux) / sum(ivar)`` and the inverse variance ``sum(ivar)`` over the arms whose pixel is
    good, as in the camera coadd of the DESI pipeline (Guy et al. 2023, AJ 165, 144). A pixel that is
    good in no arm takes its flux from all arms by the same formula, and keeps an inverse variance of zero.

    Parameters
    ----------
    arms : sequence of Arm
        In any order and direction, with inverse variances as `noise`. `continuum` and the normalised flux are not
        combined.
    step : float
        Step of the lattice in the quantity of `Arm.wavelength`.
    tolerance : float
        Largest distance of a pixel from the lattice, in steps.

    Returns
    -------
    arm : Arm
        From the first to the last lattice point of any arm, float64, with the exact lattice as wavelengths. The
        pixels that no arm covers are `missing`, with NaN as flux.
    method : str
        `WEIGHTED`, or '' for a single arm.

    Raises
    ------
    BadWavelength
        When an arm is off the lattice or skips points of it.
    MissingField
        When an arm has no inverse variances, a companion has another shape than the flux, or there are no arms.
    """
    if not arms:
        raise MissingField("the spectrum has no arm; fetch its files again")
    ordered = [_ascending(arm) for arm in arms]
    starts = [_lattice_start(arm.wavelength, step, tolerance) for arm in ordered]
    origin = min(starts)
    n_pix = max(start + arm.flux.size for start, arm in zip(starts, ordered, strict=True)) - origin
    weight, weighted = np.zeros(n_pix), np.zeros(n_pix)
    any_weight, any_weighted = np.zeros(n_pix), np.zeros(n_pix)
    number, total = np.zeros(n_pix), np.zeros(n_pix)
    missing = np.ones(n_pix, dtype=np.bool_)
    for start, arm in zip(starts, ordered, strict=True):
        if arm.noise is None:
            raise MissingField("an arm has no inverse variances, so that overlapping arms cannot be weighted")
        pixels = slice(start - origin, start - origin + arm.flux.size)
        measured = np.isfinite(arm.flux) if arm.missing is None else np.isfinite(arm.flux) & ~arm.missing
        # In float64, so that the mean of one good float32 value is that value to the bit.
        flux, ivar = np.zeros(arm.flux.size), np.zeros(arm.flux.size)
        np.copyto(flux, arm.flux, where=measured)
        np.copyto(ivar, arm.noise, where=measured & np.isfinite(arm.noise) & (arm.noise > 0))
        good = ivar if arm.bad is None else np.where(arm.bad, 0.0, ivar)
        weight[pixels] += good
        weighted[pixels] += good * flux
        any_weight[pixels] += ivar
        any_weighted[pixels] += ivar * flux
        number[pixels] += measured
        total[pixels] += flux
        missing[pixels] &= ~measured
    combined = np.full(n_pix, np.nan)
    np.divide(total, number, out=combined, where=number > 0)
    np.divide(any_weighted, any_weight, out=combined, where=any_weight > 0)
    np.divide(weighted, weight, out=combined, where=weight > 0)
    joined = Arm(
        wavelength=(origin + np.arange(n_pix)) * step,
        flux=combined,
        noise=weight,
        bad=weight == 0,
        missing=missing,
    )
    return joined, WEIGHTED if len(ordered) > 1 else ""


def lattice_distance(wavelength: Pixels, step: float) -> float:
    """Largest distance in pixels of an ascending axis from consecutive points of the lattice ``k * step``."""
    positions = wavelength / step
    distance = np.abs(positions - np.rint(positions[0]) - np.arange(wavelength.size))
    return float(distance.max()) if distance.size else math.inf


def _ascending(arm: Arm) -> Arm:
    values = arm.wavelength
    if values.shape != arm.flux.shape or values.ndim != 1:
        message = f"an arm has wavelengths of shape {values.shape} for a flux of {arm.flux.shape}; the file is damaged"
        raise BadWavelength(message)
    for name in _COMPANIONS:
        companion = getattr(arm, name)
        if companion is not None and companion.shape != arm.flux.shape:
            message = f"the {name} of an arm has shape {companion.shape} for a flux of {arm.flux.shape}"
            raise MissingField(f"{message}; the file is damaged")
    finite = np.flatnonzero(np.isfinite(values))
    if finite.size == 0:
        raise BadWavelength("an arm has no wavelengths; the file is damaged or of another product")
    arm = arm.take(slice(int(finite[0]), int(finite[-1]) + 1))
    if arm.wavelength[0] > arm.wavelength[-1]:
        arm = arm.take(slice(None, None, -1))
    # NaN compares false, so this one test refuses gaps as well as steps back.
    steps = arm.wavelength[1:] > arm.wavelength[:-1]
    if not steps.all():
        where = int(np.flatnonzero(~steps)[0])
        raise BadWavelength(f"the wavelengths of an arm step back, repeat or are missing at pixel {where}")
    return replace(arm, wavelength=np.asarray(arm.wavelength, dtype=np.float64))


def _filled(arm: Arm, name: str) -> Pixels:
    values: Pixels | None = getattr(arm, name)
    if values is not None:
        return values
    return np.zeros(arm.flux.size, np.bool_) if name in _LOGICAL else np.full(arm.flux.size, np.nan, np.float32)


def _lattice_start(wavelength: Pixels, step: float, tolerance: float) -> int:
    distance = lattice_distance(wavelength, step)
    if not distance <= tolerance:
        message = f"an arm from {float(wavelength[0]):.6g} is up to {distance:.3g} pixels off the lattice"
        raise BadWavelength(f"{message} of step {step:g}, so that the arms cannot be combined; leave the file out")
    return round(float(wavelength[0]) / step)

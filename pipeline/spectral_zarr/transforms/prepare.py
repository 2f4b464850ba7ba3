"""One spectrum made canonical: Angstrom, ascending, float32, one sigma, NaN for what is not there, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract.companions import POWERS, Kind, companion_factor
from spectral_zarr.contract.units import DIMENSIONLESS, canonical_unit
from spectral_zarr.errors import FluxRange, MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import Grid, NoiseKind, Observation, Pixels, Spectrum
from spectral_zarr.transforms.noise import sigma
from spectral_zarr.transforms.padding import zero_fill
from spectral_zarr.transforms.quality import Extent, check_measured, check_not_blank
from spectral_zarr.transforms.snr import estimate_snr
from spectral_zarr.transforms.wavelength import resolve

Float32 = NDArray[np.float32]
Selection = slice | NDArray[np.intp]

SMALLEST_FLUX = 1e-37
"""A flux that never exceeds this loses digits in float32, whose normal numbers begin at 1.2e-38."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A canonical spectrum: arrays of shape (n_pix,), float32, None where the file has nothing.

    Attributes
    ----------
    grid : Grid
        Wavelengths in Angstrom.
    wavelength : ndarray, float64, or None
        Values of an explicit grid.
    flux_unit : str
        Canonical unit of flux, uncertainty and continuum.
    n_valid : int
        Pixels with a finite flux.
    was_sorted : bool
        Whether pixels of overlapping orders were interleaved.
    """

    source: Spectrum
    observation: Observation
    grid: Grid
    wavelength: NDArray[np.float64] | None
    flux: Float32
    uncertainty: Float32 | None
    continuum: Float32 | None
    normalized: Float32 | None
    normalized_uncertainty: Float32 | None
    flux_unit: str
    n_valid: int
    was_sorted: bool


def prepare(spectrum: Spectrum, *, min_valid_share: float = 0.02, sort_orders: bool = False) -> Prepared:
    """Make a spectrum canonical and refuse what is not a measurement.

    Parameters
    ----------
    spectrum : Spectrum
        What a reader found.
    min_valid_share : float
        Least share of pixels with a finite flux.
    sort_orders : bool
        Whether wavelengths that step back are sorted instead of refused.

    Returns
    -------
    Prepared

    Raises
    ------
    SourceError
        With the code of what is wrong.
    """
    unit = DIMENSIONLESS if spectrum.normalized_product else canonical_unit(spectrum.flux_unit)
    if unit is None:
        raise UnknownUnit(f"'{spectrum.flux_unit}' is not a flux unit; set flux_unit in the configuration")
    _refuse_unreal(spectrum)
    if spectrum.flux.ndim != 1:
        raise MissingField(f"the flux has shape {spectrum.flux.shape}; the reader does not fit the file")
    resolved = resolve(spectrum.sampling, spectrum.flux.size, sort=sort_orders)
    pixels = resolved.pixels
    flux = _float32(spectrum.flux, pixels)
    known = check_not_blank(flux)
    vanished = _n_vanished(spectrum.flux[pixels], "sigma")
    noise = None
    if spectrum.noise is not None and _known(given := _along(spectrum.noise, spectrum, pixels)) is not None:
        if spectrum.noise_unit:
            given = _in_unit_of_flux(given, spectrum, spectrum.noise_unit, spectrum.noise_kind)
        vanished += _n_vanished(given, spectrum.noise_kind)
        noise = sigma(given, spectrum.noise_kind, spectrum.flux[pixels])
    if spectrum.bad is not None and noise is not None:
        np.copyto(noise, np.nan, where=_along(spectrum.bad, spectrum, pixels))
    fill = _along(spectrum.missing, spectrum, pixels) if spectrum.missing is not None else None
    if math.isinf(known.low) or math.isinf(known.high):
        infinite = np.isinf(flux)
        fill = infinite if fill is None else fill | infinite
    runs = zero_fill(flux, noise) if spectrum.zero_padded else []
    for values in (flux, noise):
        if values is not None:
            _blank(values, runs, fill)
    if fill is not None:
        known = check_not_blank(flux)
    elif runs:
        known = _without_zeros(known, flux, runs)
    observed = spectrum.observation.source_type in ("observed", "stacked")
    n_valid = check_measured(flux, known, min_valid_share=min_valid_share, observed=observed)
    noise = _known(noise)
    continuum = spectrum.continuum
    if continuum is not None and spectrum.continuum_unit:
        continuum = _in_unit_of_flux(continuum, spectrum, spectrum.continuum_unit, "continuum")
    normalized: Float32 | None = flux
    normalized_sigma = noise
    if not spectrum.normalized_product:
        normalized = _companion(spectrum.normalized, spectrum, pixels)
        normalized_sigma = _companion(spectrum.normalized_sigma, spectrum, pixels)
    return Prepared(
        source=spectrum,
        observation=_with_snr(_with_note(spectrum.observation, vanished), flux, noise),
        grid=resolved.grid,
        wavelength=resolved.values,
        flux=flux,
        uncertainty=noise,
        continuum=_companion(continuum, spectrum, pixels),
        normalized=normalized,
        normalized_uncertainty=normalized_sigma,
        flux_unit=unit,
        n_valid=n_valid,
        was_sorted=resolved.was_sorted,
    )


def _in_unit_of_flux(values: Pixels, spectrum: Spectrum, written: str, kind: Kind) -> Pixels:
    """Noise or continuum of another unit converted to that of the flux, in float64: squares overflow float32."""
    if kind == "relative":
        return values
    factor = companion_factor(written, spectrum.flux_unit, POWERS[kind])
    if factor is not None and math.isnan(factor):
        what = {"sigma": "uncertainty", "ivar": "inverse variance"}.get(kind, kind)
        message = f"the {what} is in '{written}' and the flux in '{spectrum.flux_unit}', of which it is no power"
        raise UnknownUnit(f"{message} that fits; convert one of them")
    return values if factor in (None, 1.0) else values.astype(np.float64) * factor


_UNREAL = {"c": "complex numbers", "b": "logical values or bits", "S": "text", "U": "text", "O": "arrays of arrays"}
"""Kinds of arrays that NumPy makes numbers of, and that are none."""


def _refuse_unreal(spectrum: Spectrum) -> None:
    """Refuse pixels that are no real numbers: a part of them would be lost."""
    arrays = {
        "flux": spectrum.flux,
        "uncertainty": spectrum.noise,
        "wavelength": spectrum.sampling.values,
        "continuum": spectrum.continuum,
        "normalised flux": spectrum.normalized,
    }
    for what, values in arrays.items():
        kind = None if values is None else _UNREAL.get(values.dtype.kind)
        if kind is not None:
            raise RefusedProduct(f"the {what} holds {kind} and no real numbers; leave the file out, or convert it")


def _blank(values: Pixels, runs: list[slice], fill: NDArray[np.bool_] | None) -> None:
    for run in runs:
        values[run] = np.nan
    if fill is not None:
        np.copyto(values, np.nan, where=fill)


def _without_zeros(known: Extent, flux: Float32, runs: list[slice]) -> Extent:
    """Extent of a flux of which runs of zeros were made NaN."""
    if known.low < 0 < known.high:
        return replace(known, n_nan=known.n_nan + sum(run.stop - run.start for run in runs))
    return check_not_blank(flux, has_nan=True)


def _float32(values: Pixels, pixels: Selection) -> Float32:
    selected = values[pixels]
    if selected.dtype.kind == "f" and selected.dtype.itemsize <= 4:
        return selected.astype(np.float32)
    with np.errstate(all="ignore"):
        result = np.array(selected, dtype=np.float32)
        if selected.dtype.kind == "f" and selected.dtype.itemsize > 4:
            largest = np.fmax.reduce(np.abs(selected[np.isfinite(selected)]), initial=0.0)
            if largest > np.finfo(np.float32).max or 0 < largest < SMALLEST_FLUX:
                raise FluxRange("values exceed the range of float32; scale the flux and its unit by a power of ten")
    return result


def _n_vanished(values: Pixels, kind: NoiseKind) -> int:
    """Number of fluxes or sigmas that are too small for the seven digits of float32, and not zero."""
    if values.dtype.kind != "f" or values.dtype.itemsize <= 4:
        return 0
    sizes = np.abs(values)
    if kind == "ivar":
        return int(np.count_nonzero(np.isfinite(sizes) & (sizes > SMALLEST_FLUX**-2)))
    smallest = SMALLEST_FLUX if kind == "sigma" else SMALLEST_FLUX**2
    return int(np.count_nonzero(sizes < smallest) - np.count_nonzero(sizes == 0))


def _with_note(observation: Observation, n_vanished: int) -> Observation:
    if not n_vanished:
        return observation
    reason = f"{n_vanished} of them lose digits or vanish; scale the flux and its unit by a power of ten"
    return replace(observation, notes=(*observation.notes, f"values too small for float32: {reason}"))


def _along(values: Pixels, spectrum: Spectrum, pixels: Selection) -> Pixels:
    if values.shape != spectrum.flux.shape:
        message = (
            f"a companion array has shape {values.shape} beside a flux of {spectrum.flux.shape}; the file is damaged"
        )
        raise MissingField(message)
    return values[pixels]


def _companion(values: Pixels | None, spectrum: Spectrum, pixels: Selection) -> Float32 | None:
    if values is None:
        return None
    result = _float32(_along(values, spectrum, pixels), slice(None))
    result[np.isinf(result)] = np.nan
    return _known(result)


def _known(values: Pixels | None) -> Pixels | None:
    # One pixel settles nearly every spectrum.
    if values is None or (np.isnan(values[values.size // 2]) and np.isnan(np.fmin.reduce(values))):
        return None
    return values


def _with_snr(observation: Observation, flux: Float32, noise: Float32 | None) -> Observation:
    if observation.snr_method or observation.source_type not in ("observed", "stacked"):
        return observation if observation.snr_method else replace(observation, snr_method="none")
    snr, method = estimate_snr(flux, noise)
    return replace(observation, snr=snr, snr_method=method)

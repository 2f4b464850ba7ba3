"""From the sampling of a file to the canonical grid in Angstrom: converted, ascending, snapped to its lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import BadWavelength, UnknownUnit
from spectral_zarr.model import Grid, Sampling
from spectral_zarr.model.grid import evaluate

SHORTEST, LONGEST = 90.0, 3e7
"""Angstrom; a wavelength outside cannot be a spectrum in the unit that the file declares."""


_PIECE = 8192
"""Pixels that are compared with a lattice at a time."""

_REMEMBERED_BYTES = 4 << 20
"""Memory for the values that were found on a lattice."""


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedGrid:
    """A canonical grid and how the pixels of the file map to it.

    Attributes
    ----------
    grid : Grid
        The grid.
    values : ndarray, shape (n_pix,), float64, or None
        Wavelengths in Angstrom of an explicit grid.
    pixels : slice or ndarray of int
        Pixels of the file that have a wavelength, in ascending order of it.
    was_sorted : bool
        Whether the wavelengths of the file step back and its pixels were sorted.
    """

    grid: Grid
    values: NDArray[np.float64] | None
    pixels: slice | NDArray[np.intp]
    was_sorted: bool = False


def resolve(sampling: Sampling, n_flux: int, *, sort: bool = False) -> ResolvedGrid:
    """Resolve the wavelength axis of one spectrum.

    Parameters
    ----------
    sampling : Sampling
        The axis as the file gives it.
    n_flux : int
        Pixels of the flux, which must be as many.
    sort : bool
        Whether wavelengths that step back are sorted; of equal wavelengths the first pixel is kept.

    Returns
    -------
    ResolvedGrid

    Raises
    ------
    UnknownUnit
        When the unit is not a length.
    BadWavelength
        When the axis is not finite, strictly monotonic and within 90 Angstrom to 3 mm.
    """
    factor = wavelength_factor(sampling.unit)
    if factor is None:
        message = f"'{sampling.unit}' is not a unit of wavelength; set wavelength_unit in the configuration"
        raise UnknownUnit(message)
    n_pix = sampling.n_pix if sampling.values is None else sampling.values.size
    if n_pix != n_flux:
        raise BadWavelength(f"{n_pix} wavelengths for {n_flux} pixels; the file is damaged or of another product")
    if n_pix < 2:
        raise BadWavelength("a spectrum needs at least two pixels; leave the file out")
    if sampling.values is None:
        return _affine(sampling, factor)
    return _explicit(sampling, sampling.values, factor, sort=sort)


def _affine(sampling: Sampling, factor: float) -> ResolvedGrid:
    start, step, n = sampling.start, sampling.step, sampling.n_pix
    if not (math.isfinite(start) and math.isfinite(step)) or step == 0:
        raise BadWavelength(f"the axis starts at {start} with step {step}; check CRVAL1 and CDELT1")
    if sampling.scale == "linear":
        start, step = start * factor, step * factor
    else:
        start += math.log10(factor) if sampling.scale == "log10" else math.log(factor)
    pixels = slice(None)
    if step < 0:
        start, step, pixels = start + (n - 1) * step, -step, slice(None, None, -1)
    first = None
    lattice = sampling.lattice_step
    if lattice is not None and abs(start) <= LONGEST:
        k = round(start / lattice)
        error = max(abs(start / lattice - k), abs((start + (n - 1) * step) / lattice - (k + n - 1)))
        if error <= sampling.lattice_tolerance:
            first, start, step = k, k * lattice, lattice
    ends = evaluate(sampling.scale, np.array([start, start + (n - 1) * step]))
    _check_range(float(ends[0]), float(ends[1]))
    return ResolvedGrid(Grid(sampling.scale, start, step, first, n, float(ends[0]), float(ends[1])), None, pixels)


def _explicit(sampling: Sampling, raw: NDArray[np.generic], factor: float, *, sort: bool) -> ResolvedGrid:
    if sampling.lattice_step is not None and _is_ascending(raw, sampling.scale):
        snapped = _snap(raw, sampling, factor)
        if snapped is not None:
            return ResolvedGrid(snapped, None, slice(None))
    values = np.array(raw, dtype=np.float64)
    start, stop = _covered(values, sampling.scale)
    ascending = values[start] <= values[stop - 1]
    pixels: slice | NDArray[np.intp]
    pixels = slice(start, stop) if ascending else slice(stop - 1, start - 1 if start else None, -1)
    values = values[pixels]
    _to_angstrom(values, sampling.scale, factor)
    snapped = _snap(values, sampling, 1.0)
    if snapped is not None:
        return ResolvedGrid(snapped, None, pixels)
    if sampling.scale != "linear":
        values = evaluate(sampling.scale, values)
    # NaN compares false, so this one test refuses gaps as well as steps back.
    ordered = bool((values[1:] > values[:-1]).all())
    if not ordered and sort and np.isfinite(values).all():
        # Of equal wavelengths, unique() gives the first in the order in which it sees them: that of the file.
        values, first = np.unique(values if ascending else values[::-1], return_index=True)
        pixels = first + start
    elif not ordered:
        where = int(np.flatnonzero(~(values[1:] > values[:-1]))[0])
        message = f"wavelengths step back or repeat at pixel {where} (orders overlap?); see [build] orders"
        raise BadWavelength(message)
    low, high = float(values[0]), float(values[-1])
    _check_range(low, high)
    # It tells equal grids of one build; a cryptographic digest takes longer than all the rest of a long spectrum.
    digest = xxhash.xxh3_128_hexdigest(np.ascontiguousarray(values).data)
    grid = Grid("explicit", 0.0, 0.0, None, values.size, low, high, digest)
    return ResolvedGrid(grid, values, pixels, not ordered)


def _covered(values: NDArray[np.float64], scale: str) -> tuple[int, int]:
    if math.isfinite(values[0]) and math.isfinite(values[-1]) and (scale != "linear" or (values[[0, -1]] > 0).all()):
        return 0, values.size
    usable = np.flatnonzero(np.isfinite(values) & ((values > 0) | (scale != "linear")))
    if usable.size < 2:
        raise BadWavelength("no wavelengths; the file is damaged or of another product")
    return int(usable[0]), int(usable[-1]) + 1


def _is_ascending(raw: NDArray[np.generic], scale: str) -> bool:
    first, last = float(raw[0]), float(raw[-1])
    return math.isfinite(first) and math.isfinite(last) and first <= last and (scale != "linear" or first > 0)


def _to_angstrom(values: NDArray[np.float64], scale: str, factor: float) -> None:
    if factor == 1.0:
        return
    if scale == "linear":
        values *= factor
    else:
        values += math.log10(factor) if scale == "log10" else math.log(factor)


def _snap(raw: NDArray[np.generic], sampling: Sampling, factor: float) -> Grid | None:
    """The lattice grid of ascending values, None when one of them lies beside it."""
    lattice, n = sampling.lattice_step, raw.size
    if lattice is None:
        return None
    origin = raw[:1].astype(np.float64)
    _to_angstrom(origin, sampling.scale, factor)
    if not abs(origin[0]) <= LONGEST:
        return None
    first = round(float(origin[0]) / lattice)
    known = _known_positions(lattice, sampling.lattice_tolerance, sampling.scale, factor, raw.dtype.str)
    if not known.hold(first, raw):
        # By pieces that stay in the cache; most files have one.
        for start in range(0, n, _PIECE):
            piece = raw[start : start + _PIECE].astype(np.float64)
            _to_angstrom(piece, sampling.scale, factor)
            piece /= lattice
            piece -= first
            piece -= _counting(start // _PIECE)[: piece.size]
            # Written so that NaN fails the test.
            low, high = float(np.minimum.reduce(piece)), float(np.maximum.reduce(piece))
            if not max(high, -low) <= sampling.lattice_tolerance:
                return None
        known.add(first, raw)
    return _lattice_grid(sampling.scale, lattice, first, n)


@lru_cache(maxsize=4096)
def _lattice_grid(scale: str, lattice: float, first: int, n: int) -> Grid:
    ends = evaluate(scale, np.array([first * lattice, (first + n - 1) * lattice]))
    _check_range(float(ends[0]), float(ends[1]))
    return Grid(scale, first * lattice, lattice, first, n, float(ends[0]), float(ends[1]))


class _Positions:
    """Values that were found on the points of a lattice, bit by bit: files repeat them, and comparing is cheap."""

    def __init__(self) -> None:
        self._held: tuple[int, NDArray[Any]] = (0, np.empty(0, np.uint8))

    def hold(self, first: int, raw: NDArray[np.generic]) -> bool:
        """Whether each value is one that was found on its point before."""
        low, held = self._held
        start, n = first - low, raw.size
        if start < 0 or start + n > held.size:
            return False
        bits = raw.view(held.dtype)
        # The middle tells nearly every axis that rounds in another way.
        return bool(held[start + n // 2] == bits[n // 2]) and bool((held[start : start + n] == bits).all())

    def add(self, first: int, raw: NDArray[np.generic]) -> None:
        """Keep values that lie on the points from `first` on, beside those on neighbouring points if any."""
        if raw.dtype.kind != "f" or raw.dtype.itemsize > 8 or raw.nbytes > _REMEMBERED_BYTES:
            return
        bits = raw.view(f"=u{raw.dtype.itemsize}")
        low, held = self._held
        start, stop = min(low, first), max(low + held.size, first + bits.size)
        joined = first <= low + held.size and low <= first + bits.size
        if not held.size or not joined or (stop - start) * bits.itemsize > _REMEMBERED_BYTES:
            self._held = first, bits.copy()
            return
        union = np.empty(stop - start, bits.dtype)
        union[first - start : first - start + bits.size] = bits
        union[low - start : low - start + held.size] = held
        self._held = start, union


@lru_cache(maxsize=8)
def _known_positions(lattice: float, tolerance: float, scale: str, factor: float, dtype: str) -> _Positions:
    return _Positions()


@lru_cache(maxsize=128)
def _counting(piece: int) -> NDArray[np.float64]:
    numbers = np.arange(piece * _PIECE, (piece + 1) * _PIECE, dtype=np.float64)
    numbers.flags.writeable = False
    return numbers


def _check_range(low: float, high: float) -> None:
    if not SHORTEST <= low < high <= LONGEST:
        message = f"wavelengths from {low:.6g} to {high:.6g} Angstrom are outside 90 Angstrom to 3 mm; check the unit"
        raise BadWavelength(message)

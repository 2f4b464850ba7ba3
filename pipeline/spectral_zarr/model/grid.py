"""Wavelengths: as a file samples them, and as the canonical grid in Angstrom that a store keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["linear", "log10", "ln"]


def evaluate(scale: str, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wavelength of positions on a linear or logarithmic axis, float64."""
    # An absurd logarithm becomes an infinite wavelength, which the range check refuses.
    with np.errstate(over="ignore"):
        if scale == "log10":
            return np.power(10.0, positions)
        if scale == "ln":
            return np.exp(positions)
    return positions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampling:
    """The wavelength axis as the file gives it.

    Attributes
    ----------
    unit : str
        Unit of the wavelength (of its logarithm's argument on a logarithmic scale), as the file writes it.
    medium : str
        ``air``, ``vacuum`` or ``unknown``.
    scale : {'linear', 'log10', 'ln'}
        What `values` or `start` and `step` measure.
    values : ndarray, shape (n_pix,), optional
        Explicit axis, in file order; None for an affine axis.
    start, step : float
        Affine axis ``start + step * i``, with i counted from 0.
    n_pix : int
        Pixels of an affine axis.
    lattice_step : float, optional
        Step, in Angstrom or in the logarithm of Angstrom, of the fixed lattice ``k * step`` that every file
        of the product samples.
    lattice_tolerance : float
        Largest distance from the lattice, in pixels, that is rounding noise of the file.
    """

    unit: str
    medium: str = "unknown"
    scale: Scale = "linear"
    values: NDArray[Any] | None = None
    start: float = 0.0
    step: float = 0.0
    n_pix: int = 0
    lattice_step: float | None = None
    lattice_tolerance: float = 1e-3


@dataclass(frozen=True, slots=True)
class Grid:
    """A canonical wavelength grid in Angstrom, ascending.

    Attributes
    ----------
    scale : {'linear', 'log10', 'ln', 'explicit'}
        How a pixel index becomes a wavelength.
    start, step : float
        Affine axis ``start + step * i`` on `scale`.
    first : int or None
        Index k of the first pixel on the lattice ``k * step``; `start` is then ``first * step``.
    n_pix : int
        Number of pixels.
    wave_min, wave_max : float
        First and last wavelength in Angstrom.
    digest : str
        Digest of the values of an explicit grid, '' otherwise.
    """

    scale: str
    start: float
    step: float
    first: int | None
    n_pix: int
    wave_min: float
    wave_max: float
    digest: str = ""

    def wavelength(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Wavelengths in Angstrom of pixels `start` to `stop`, float64, of a grid that is not explicit."""
        if self.scale == "explicit":
            raise ValueError("the values of an explicit grid are staged, not computed")
        index = np.arange(start, self.n_pix if stop is None else stop, dtype=np.float64)
        positions = self.start + self.step * index if self.first is None else (self.first + index) * self.step
        return evaluate(self.scale, positions)

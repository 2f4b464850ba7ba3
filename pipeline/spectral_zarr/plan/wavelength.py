"""The wavelength decision: one shared grid, slices of one lattice, or a grid per spectrum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.model import Grid, WavelengthPlan
from spectral_zarr.model.grid import evaluate

IDENTICAL_TOLERANCE = 1e-3
"""Largest distance of two equal grids in units of the local pixel, below the centroiding noise of any survey."""

LARGEST_UNION = 1.5
"""Longest lattice union, in units of the longest spectrum, that is not mostly padding."""

Load = Callable[[int, int], NDArray[np.float64]]
"""Wavelengths of an explicit grid by batch and staged row."""


class WavelengthTally:
    """Takes the grids of all accepted spectra one by one and decides at the end.

    Parameters
    ----------
    load : callable
        Gives the wavelengths of a staged explicit grid; asked only while all grids may still be identical.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._reference: Grid | None = None
        self._reference_place = (-1, -1)
        self._reference_values: NDArray[np.float64] | None = None
        self._identical = True
        self._known: set[Grid] = set()
        self._lattice: tuple[str, float] | None = None
        self._first = self._stop = 0
        self.longest = 0

    def add(self, grid: Grid, batch: int, row: int) -> None:
        """Take the grid of one accepted spectrum, staged as `row` of `batch`."""
        if self._reference is None:
            self._reference, self._reference_place = grid, (batch, row)
            self._known.add(grid)
            self.longest = grid.n_pix
            if grid.first is not None:
                self._lattice = (grid.scale, grid.step)
                self._first, self._stop = grid.first, grid.first + grid.n_pix
            return
        if grid in self._known:
            return
        self.longest = max(self.longest, grid.n_pix)
        if self._lattice is not None:
            if grid.first is None or (grid.scale, grid.step) != self._lattice:
                self._lattice = None
            else:
                self._first, self._stop = min(self._first, grid.first), max(self._stop, grid.first + grid.n_pix)
        if self._identical:
            self._identical = self._same(grid, batch, row)
            if self._identical:
                self._known.add(grid)

    def decide(self, medium: str) -> WavelengthPlan:
        """The decision for all grids taken."""
        if self._reference is None:
            raise ValueError("no grid was added")
        if self._identical:
            return WavelengthPlan("identical", medium, self._reference, self._reference_place[0])
        if self._lattice is not None and self._stop - self._first <= LARGEST_UNION * self.longest:
            scale, step = self._lattice
            positions = np.array([self._first, self._stop - 1], dtype=np.float64) * step
            low, high = evaluate(scale, positions).tolist()
            grid = Grid(scale, self._first * step, step, self._first, self._stop - self._first, low, high)
            return WavelengthPlan("lattice", medium, grid)
        return WavelengthPlan("ragged", medium)

    def _same(self, grid: Grid, batch: int, row: int) -> bool:
        reference = self._reference
        assert reference is not None
        if grid.n_pix != reference.n_pix:
            return False
        if grid.first is not None and reference.first is not None and grid.step == reference.step:
            return grid.first == reference.first
        pixel = (reference.wave_max - reference.wave_min) / (reference.n_pix - 1)
        # The average pixel is at most a few times the local one, so far ends settle most cases without any array.
        if max(abs(grid.wave_min - reference.wave_min), abs(grid.wave_max - reference.wave_max)) > pixel:
            return False
        if self._reference_values is None:
            self._reference_values = self._values(reference, *self._reference_place)
        step = np.gradient(self._reference_values)
        difference = np.abs(self._values(grid, batch, row) - self._reference_values)
        return bool((difference <= IDENTICAL_TOLERANCE * step).all())

    def _values(self, grid: Grid, batch: int, row: int) -> NDArray[np.float64]:
        return self._load(batch, row) if grid.scale == "explicit" else grid.wavelength()

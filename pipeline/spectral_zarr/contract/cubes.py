"""The rules on spectral arrays, for one block of rows whose chunks come from left to right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract.rows import SENTINELS, Offences
from spectral_zarr.contract.schema import CONTINUUM, FLUX, UNCERTAINTY

GARBAGE_RATIO = 1e6
GARBAGE_SHARE = 0.01
SENTINEL_SHARE = 1e-3
SAMPLE_PIXELS = 16
SUSPICIOUS_RATIO = 1e3
"""A row whose largest pixel exceeds the median of a sample by this ratio is measured exactly."""

ONE_GRID_PIXELS = 1e-3
ROUNDED_PIXELS = 0.01
SHORTEST, LONGEST = 90.0, 3e7
"""Plausible wavelengths, in Angstrom: extreme ultraviolet to millimetre waves."""

_SENTINELS = SENTINELS.astype(np.float32)


class ValueRows:
    """Rules on the values of one array.

    Parameters
    ----------
    array : str
        Path of the array.
    first_row, n_rows : int
        The block.
    n_pix : int
        Pixels of a row.
    n_valid : ndarray of int, shape (n_rows,), optional
        Wavelengths of each row, when rows have their own.
    """

    def __init__(
        self, array: str, first_row: int, n_rows: int, n_pix: int, n_valid: NDArray[np.int64] | None = None
    ) -> None:
        self._array = array
        self._first_row = first_row
        self._n_valid = n_valid
        self._stride = max(1, n_pix // SAMPLE_PIXELS)
        self.low = np.full(n_rows, np.nan)
        self.high = np.full(n_rows, np.nan)
        self._n_finite = np.zeros(n_rows, np.int64)
        self._sentinels: dict[int, NDArray[np.int64]] = {}
        self._samples: list[NDArray[Any]] = []
        self._beyond = np.zeros(n_rows, np.bool_)

    def add(self, first_column: int, values: NDArray[Any]) -> None:
        """Take one chunk, shape (n_rows, columns)."""
        low, high = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
        self.low, self.high = np.fmin(self.low, low), np.fmax(self.high, high)
        if self._n_valid is not None:
            self._find_padding(first_column, values)
        if self._array == FLUX:
            self._samples.append(values[:, (-first_column) % self._stride :: self._stride].copy())
            self._count_sentinels(values, low, high)

    def _find_padding(self, first_column: int, values: NDArray[Any]) -> None:
        valid = self._n_valid - first_column if self._n_valid is not None else np.zeros(len(values))
        start = max(0, int(valid.min(initial=values.shape[1])))
        if start < values.shape[1]:
            beyond = np.arange(start, values.shape[1]) >= valid[:, None]
            self._beyond |= (beyond & ~np.isnan(values[:, start:])).any(axis=1)

    def _count_sentinels(self, values: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> None:
        found = [
            position for position, sentinel in enumerate(_SENTINELS) if ((low <= sentinel) & (sentinel <= high)).any()
        ]
        if found:
            self._n_finite += np.isfinite(values).sum(axis=1)
        for position in found:
            counts = self._sentinels.setdefault(position, np.zeros(len(values), np.int64))
            counts += np.count_nonzero(values == _SENTINELS[position], axis=1)

    @property
    def finite(self) -> bool:
        """Whether any value is finite."""
        return bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Rows with a value that is not NaN, shape (n_rows,)."""
        return np.asarray(~np.isnan(self.low))

    @property
    def suspicious(self) -> NDArray[np.intp]:
        """Rows of the flux, counted from the first of the block, that `garbage_rows` has to measure."""
        if not self._samples:
            return np.zeros(0, np.intp)
        sample = np.abs(np.concatenate(self._samples, axis=1).astype(np.float64))
        sample[sample == 0] = np.nan
        sample.sort(axis=1)
        known = np.count_nonzero(~np.isnan(sample), axis=1)
        middle = np.take_along_axis(sample, np.maximum(known - 1, 0)[:, None] // 2, axis=1)[:, 0]
        largest = np.fmax(np.abs(self.low), np.abs(self.high))
        few = (known < SAMPLE_PIXELS // 4) & ~np.isnan(largest)
        return np.flatnonzero((largest > SUSPICIOUS_RATIO * middle) | few)

    def report(self, offences: Offences, *, whole: bool = True) -> None:
        """Count the offending rows of the block; without all chunks, no row is called empty."""
        array = self._array
        infinite = np.isinf(self.low) | np.isinf(self.high)
        self._report(offences, "S-06/infinite" if array == UNCERTAINTY else "S-07/infinite", infinite)
        self._report(offences, "S-05/padding", self._beyond)
        if array == FLUX:
            if whole:
                self._report(offences, "Q-02/empty", ~((self.low < 0) | (self.high > 0)))
            for counts in self._sentinels.values():
                self._report(offences, "S-10/sentinel", counts > SENTINEL_SHARE * self._n_finite)
        elif array == UNCERTAINTY:
            self._report(offences, "S-06/not_positive", self.low <= 0)
        elif array == CONTINUUM:
            self._report(offences, "C-05/not_positive", self.low <= 0)

    def _report(self, offences: Offences, symptom: str, rows: NDArray[np.bool_]) -> None:
        offences.add(symptom, self._array, self._first_row + np.flatnonzero(rows))


def garbage_rows(flux: NDArray[Any]) -> NDArray[np.bool_]:
    """Rows where more than 1 % of the finite non-zero pixels exceed a million times their median.

    Parameters
    ----------
    flux : ndarray, shape (rows, n_pix)

    Returns
    -------
    ndarray of bool, shape (rows,)
    """
    found = np.zeros(len(flux), np.bool_)
    for row, values in enumerate(flux):
        sizes = np.abs(values[np.isfinite(values) & (values != 0)].astype(np.float64))
        if sizes.size:
            large = np.count_nonzero(sizes > GARBAGE_RATIO * np.median(sizes))
            found[row] = large > GARBAGE_SHARE * sizes.size
    return found


class WavelengthRows:
    """Rules on wavelengths, one grid a row.

    Parameters
    ----------
    array : str
        Path of the array.
    first_row, n_rows : int
        The block.
    factor : float
        Converts to Angstrom, NaN when the unit is not known.

    Attributes
    ----------
    n_valid : ndarray of int, shape (n_rows,)
        Wavelengths in front of the padding.
    one_grid : bool
        Whether all rows so far are the first row to a thousandth of a pixel.
    first_sum : float
        Sum of the wavelengths of the first row.
    """

    def __init__(self, array: str, first_row: int, n_rows: int, factor: float) -> None:
        self._array = array
        self._first_row = first_row
        self._factor = factor
        self._last = np.full(n_rows, np.nan)
        self._gap = np.zeros(n_rows, np.bool_)
        self._disorder = np.zeros(n_rows, np.bool_)
        self._rounded = np.zeros(n_rows, np.bool_)
        self.shortest = np.full(n_rows, np.nan)
        self.longest = np.full(n_rows, np.nan)
        self.n_valid = np.zeros(n_rows, np.int64)
        self.first_sum = 0.0
        self.one_grid = True

    def add(self, first_column: int, values: NDArray[Any]) -> None:
        """Take one chunk, shape (n_rows, columns)."""
        finite = np.isfinite(values)
        before = np.isfinite(self._last) if first_column else np.ones(len(values), np.bool_)
        # A comparison with NaN is false, so only two finite neighbours can step back.
        self._disorder |= (values[:, 1:] <= values[:, :-1]).any(axis=1) | (values[:, 0] <= self._last)
        if not finite.all():
            self._disorder |= np.isinf(values).any(axis=1)
            self._gap |= (finite[:, 1:] & ~finite[:, :-1]).any(axis=1)
        self._gap |= finite[:, 0] & ~before
        if first_column == 0:
            self._gap |= ~finite[:, 0]
        self.n_valid += np.count_nonzero(finite, axis=1)
        self.shortest = np.fmin(self.shortest, np.fmin.reduce(values, axis=1))
        self.longest = np.fmax(self.longest, np.fmax.reduce(values, axis=1))
        if values.dtype == np.float32:
            steps = np.abs(np.diff(values.astype(np.float64), axis=1))
            half = np.spacing(np.abs(values[:, 1:])) / 2
            self._rounded |= (half > ROUNDED_PIXELS * steps).any(axis=1)
        self.first_sum += float(np.nansum(values[0], dtype=np.float64))
        if self.one_grid:
            self.one_grid = _same_grid(values)
        self._last = values[:, -1].astype(np.float64)

    @property
    def first(self) -> FirstGrid:
        """The grid of the first row."""
        return FirstGrid(float(self.shortest[0]), float(self.longest[0]), self.first_sum, int(self.n_valid[0]))

    def report(self, offences: Offences) -> None:
        """Count the offending rows of the block."""
        low, high = self.shortest * self._factor, self.longest * self._factor
        for symptom, rows in (
            ("S-03/rounded", self._rounded),
            ("S-04/gap", self._gap),
            ("S-04/not_increasing", self._disorder),
            ("U-05/implausible", (low < SHORTEST) | (high > LONGEST)),
        ):
            offences.add(symptom, self._array, self._first_row + np.flatnonzero(rows))


def _same_grid(values: NDArray[Any]) -> bool:
    first = values[0].astype(np.float64)
    steps = np.abs(np.gradient(first)) if first.size > 1 else np.zeros(first.size)
    tolerance = ONE_GRID_PIXELS * np.where(np.isnan(steps), 0.0, steps)
    if not _agree(values[-1], first, tolerance):
        return False
    return all(_agree(row, first, tolerance) for row in values[1:-1])


def _agree(row: NDArray[Any], first: NDArray[np.float64], tolerance: NDArray[np.float64]) -> bool:
    return bool((np.isnan(row) == np.isnan(first)).all() and not (np.abs(row - first) > tolerance).any())


@dataclass(frozen=True, slots=True)
class FirstGrid:
    """The first grid of a block in numbers that differ when the grids do."""

    shortest: float
    longest: float
    total: float
    n_valid: int

    def agrees(self, other: FirstGrid) -> bool:
        """Whether both are one grid to a thousandth of a pixel."""
        tolerance = ONE_GRID_PIXELS * (self.longest - self.shortest) / max(1, self.n_valid)
        return (
            self.n_valid == other.n_valid
            and abs(self.shortest - other.shortest) <= tolerance
            and abs(self.longest - other.longest) <= tolerance
            and abs(self.total - other.total) <= tolerance * self.n_valid
        )

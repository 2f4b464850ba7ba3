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
SMALL_RATIO = 1e3
"""A row where half of the pixels are smaller than the largest one by this ratio is measured exactly."""

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
    n_valid : ndarray of int, shape (n_rows,), optional
        Pixels of each row in front of its padding, when rows have their own wavelengths.
    """

    def __init__(self, array: str, first_row: int, n_rows: int, n_valid: NDArray[np.int64] | None = None) -> None:
        self._array = array
        self._first_row = first_row
        self._n_valid = n_valid
        self.low = np.full(n_rows, np.nan)
        self.high = np.full(n_rows, np.nan)
        self._n_finite = np.zeros(n_rows, np.int64)
        self._sentinels: dict[int, NDArray[np.int64]] = {}
        self._largest = np.zeros(n_rows)
        self._first_largest = np.full(n_rows, np.nan)
        self._n_small = np.zeros(n_rows, np.int64)
        self._n_known = np.zeros(n_rows, np.int64)
        self._beyond = np.zeros(n_rows, np.bool_)

    def add(self, first_column: int, values: NDArray[Any]) -> None:
        """Take one chunk, shape (n_rows, columns)."""
        low, high = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
        self.low, self.high = np.fmin(self.low, low), np.fmax(self.high, high)
        if self._n_valid is not None:
            self._find_padding(first_column, values)
        if self._array == FLUX:
            self._count_small(values, low, high)
            self._count_sentinels(values, low, high)

    def _find_padding(self, first_column: int, values: NDArray[Any]) -> None:
        valid = self._n_valid - first_column if self._n_valid is not None else np.zeros(len(values))
        start = max(0, int(valid.min(initial=values.shape[1])))
        if start < values.shape[1]:
            beyond = np.arange(start, values.shape[1]) >= valid[:, None]
            self._beyond |= (beyond & ~np.isnan(values[:, start:])).any(axis=1)

    def _count_small(self, values: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> None:
        largest = np.fmax(np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64)))
        self._largest = np.fmax(self._largest, largest)
        first = np.isnan(self._first_largest) & (largest > 0)
        self._first_largest[first] = largest[first]
        # Rounding up keeps every pixel that the ratio itself would count.
        limit = np.nextafter(_single(self._largest / SMALL_RATIO), np.float32(np.inf))
        near = np.flatnonzero((low <= limit) & (largest > 0))
        if near.size:
            rows = values if near.size == len(values) else values[near]
            self._n_small[near] += _count(np.abs(rows) <= limit[near, None])
            self._n_known[near] += _count(~np.isnan(rows))

    def _count_sentinels(self, values: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> None:
        low, high, values = _single(low), _single(high), _single(values)
        found = [
            position for position, sentinel in enumerate(_SENTINELS) if ((low <= sentinel) & (sentinel <= high)).any()
        ]
        if found:
            self._n_finite += _count(np.isfinite(values))
        for position in found:
            counts = self._sentinels.setdefault(position, np.zeros(len(values), np.int64))
            counts += _count(values == _SENTINELS[position])

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
        """Rows of the flux, counted from the first of the block, that have to be measured as a whole.

        All that `garbage_rows` or `sentinel_rows` would flag are among them: where more than a hundredth of the
        pixels exceeds a million medians, half of the pixels lie far below the largest one, and the pixels that
        were counted here are a superset of those. Chunks without a listed number were not counted for the share
        of sentinels, which makes it too large here.
        """
        small = (self._n_known > 0) & (2 * self._n_small >= self._n_known)
        # The limit of the first chunk was too low for what came later.
        late = self._largest > SMALL_RATIO * self._first_largest
        sentinel = [counts > SENTINEL_SHARE * self._n_finite for counts in self._sentinels.values()]
        return np.flatnonzero(np.logical_or.reduce([small, late, *sentinel]))

    def report(self, offences: Offences, *, whole: bool = True) -> None:
        """Count the offending rows of the block; without all chunks, no row is called empty."""
        array = self._array
        infinite = np.isinf(self.low) | np.isinf(self.high)
        self._report(offences, "S-06/infinite" if array == UNCERTAINTY else "S-07/infinite", infinite)
        self._report(offences, "S-05/padding", self._beyond)
        if array == FLUX:
            if whole:
                self._report(offences, "Q-02/empty", ~((self.low < 0) | (self.high > 0)))
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


def sentinel_rows(flux: NDArray[Any]) -> NDArray[np.bool_]:
    """Rows where one listed number takes more than 0.1 % of the finite pixels.

    Parameters
    ----------
    flux : ndarray, shape (rows, n_pix)

    Returns
    -------
    ndarray of bool, shape (rows,)
    """
    most = SENTINEL_SHARE * _count(np.isfinite(flux))
    single = _single(flux)
    return np.asarray(np.logical_or.reduce([_count(single == sentinel) > most for sentinel in _SENTINELS]))


def _single(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def _count(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    # Several times faster than numpy.count_nonzero along an axis.
    return np.asarray(np.bitwise_count(np.packbits(flags, axis=1)).sum(axis=1, dtype=np.int64))


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
        Pixels in front of the padding: up to the last finite wavelength.
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
        self._same = True
        self._first_offset: float | None = None

    def add(self, first_column: int, values: NDArray[Any]) -> None:
        """Take one chunk, shape (n_rows, columns)."""
        finite = np.isfinite(values)
        before = np.isfinite(self._last) if first_column else np.ones(len(values), np.bool_)
        # A comparison with NaN is false, so only two finite neighbours can step back.
        self._disorder |= (values[:, 1:] <= values[:, :-1]).any(axis=1) | (values[:, 0] <= self._last)
        if finite.all():
            self.n_valid[:] = first_column + values.shape[1]
        else:
            last = first_column + values.shape[1] - np.argmax(finite[:, ::-1], axis=1)
            self.n_valid = np.where(finite.any(axis=1), last, self.n_valid)
            self._disorder |= np.isinf(values).any(axis=1)
            self._gap |= (finite[:, 1:] & ~finite[:, :-1]).any(axis=1)
        self._gap |= finite[:, 0] & ~before
        if first_column == 0:
            self._gap |= ~finite[:, 0]
        self.shortest = np.fmin(self.shortest, np.fmin.reduce(values, axis=1))
        self.longest = np.fmax(self.longest, np.fmax.reduce(values, axis=1))
        if values.dtype.kind == "f" and values.dtype.itemsize == 4:
            steps = np.abs(np.diff(values.astype(np.float64), axis=1, prepend=self._last[:, None]))
            with np.errstate(invalid="ignore"):
                self._rounded |= (np.spacing(np.abs(values)) / 2 > ROUNDED_PIXELS * steps).any(axis=1)
        self.first_sum += float(np.nansum(values[0], dtype=np.float64))
        if self._same:
            with np.errstate(invalid="ignore"):
                self._same = self._agrees(first_column, values)
        self._last = values[:, -1].astype(np.float64)

    def _agrees(self, first_column: int, values: NDArray[Any]) -> bool:
        """Whether all rows of a chunk are the first to a thousandth of the step from the pixel before."""
        first = values[0].astype(np.float64)
        steps = np.nan_to_num(np.abs(np.diff(first, prepend=self._last[0])), posinf=0.0)
        tolerance = ONE_GRID_PIXELS * steps
        if first_column == 0:
            # There is no pixel before the first one; it is compared when the second is known.
            self._first_offset = float(np.fmax.reduce(np.abs(values[:, 0] - first[0]), initial=0.0))
            tolerance[0] = np.inf
        second = 1 - first_column
        if self._first_offset is not None and 0 <= second < first.size:
            if self._first_offset > tolerance[second]:
                return False
            self._first_offset = None
        # The last row of a store whose grids differ is rarely the first one again.
        return _same(values[-1], first, tolerance) and all(_same(row, first, tolerance) for row in values[1:-1])

    @property
    def one_grid(self) -> bool:
        """Whether all rows so far are the first row to a thousandth of a pixel."""
        return self._same and not self._first_offset

    @property
    def first(self) -> FirstGrid:
        """The grid of the first row."""
        return FirstGrid(float(self.shortest[0]), float(self.longest[0]), self.first_sum, int(self.n_valid[0]))

    def forget(self, n_pix: int) -> None:
        """Say nothing of rows whose wavelengths are not all known."""
        self.n_valid[:] = n_pix
        self.shortest[:] = self.longest[:] = np.nan
        self._same = False

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


def _same(row: NDArray[Any], first: NDArray[np.float64], tolerance: NDArray[np.float64]) -> bool:
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

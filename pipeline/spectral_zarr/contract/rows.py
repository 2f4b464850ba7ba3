"""The row rules on blocks of values in memory: which rows of a cube or a column break the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract.facts import RowFacts
from spectral_zarr.contract.naming import DATE_OBS, SPEC_ID
from spectral_zarr.contract.schema import UNCERTAINTY, WAVELENGTH, FluxType, SourceType

FIRST_ROWS = 5

SENTINELS = np.array(
    [
        *(-999.0, -9999.0, -99999.0, -9999.9, -9999.99, -999.9, -999.99),
        *(1e20, 9.96921e36, 1e30, 3.4028235e38, -3.4028235e38, -2147483648.0, 999999.0),
    ]
)
NARROW_SENTINELS = np.array([-99.0, -99.9, 99.0, 99.9, 999.0, 9999.0])


class Offences:
    """Counts offending rows by rule and array, and keeps the first few."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[list[int], int]] = {}

    def add(self, rule: str, where: str, rows: Sequence[int] | NDArray[Any]) -> None:
        """Count rows that break a rule; rows come in ascending order over all calls of one pair."""
        if len(rows):
            first, count = self._found.setdefault((rule, where), ([], 0))
            first += [int(row) for row in rows[: FIRST_ROWS - len(first)]]
            self._found[rule, where] = (first, count + len(rows))

    def merge(self, facts: RowFacts) -> None:
        """Take what was counted elsewhere."""
        for key, (rows, count) in facts.offences.items():
            first, known = self._found.setdefault(key, ([], 0))
            self._found[key] = (sorted({*first, *rows})[:FIRST_ROWS], known + count)

    def facts(self) -> RowFacts:
        """What was counted."""
        return RowFacts({key: (tuple(rows), count) for key, (rows, count) in self._found.items()})


def measured_rows(flux: NDArray[Any]) -> NDArray[np.bool_]:
    """Rows with a pixel that is neither NaN nor zero, shape (rows,)."""
    low, high = np.fmin.reduce(flux, axis=1), np.fmax.reduce(flux, axis=1)
    return np.asarray((low < 0) | (high > 0))


def check_cube(offences: Offences, array: str, first_row: int, values: NDArray[Any]) -> None:
    """Rules on single values of a block of a cube, shape (rows, pixels)."""
    low, high = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
    offences.add("S-07", array, first_row + np.flatnonzero(np.isinf(low) | np.isinf(high)))
    if array == UNCERTAINTY:
        offences.add("S-06", array, first_row + np.flatnonzero(low <= 0))
    if array == WAVELENGTH:
        finite = np.isfinite(values)
        padded_inside = (finite[:, 1:] & ~finite[:, :-1]).any(axis=1)
        # A comparison with NaN is false, so only two finite neighbours can step back.
        steps_back = (values[:, 1:] <= values[:, :-1]).any(axis=1)
        offences.add("S-04", array, first_row + np.flatnonzero(padded_inside | steps_back | ~finite[:, 0]))


def check_param(offences: Offences, array: str, first_row: int, values: NDArray[Any]) -> None:
    """Sentinels in a block of a parameter array, shape (rows,)."""
    numbers = values.astype(np.float64)
    name = array.removeprefix("params/")
    listed = SENTINELS
    if name in ("teff", "logg", "feh", "m_h", "alpha_m") or name.startswith("e_") or name.endswith("_fe"):
        listed = np.concatenate([SENTINELS, NARROW_SENTINELS])
    if name == "teff":
        # A hot star may have 9999 K exactly.
        listed = listed[listed != 9999.0]
    with np.errstate(over="ignore"):
        single = numbers.astype(np.float32)
    bad = np.isin(single, listed.astype(np.float32)) | np.isinf(numbers)
    if name == "teff":
        bad |= numbers <= 0
    offences.add("P-03", array, first_row + np.flatnonzero(bad))


def check_text(offences: Offences, array: str, first_row: int, values: Sequence[str]) -> None:
    """Allowed values and forms of a block of a metadata field."""
    name = array.removeprefix("metadata/")
    if name == "source_type":
        offences.add("M-01", array, [first_row + i for i, v in enumerate(values) if v not in tuple(SourceType)])
    elif name == "flux_type":
        offences.add("M-02", array, [first_row + i for i, v in enumerate(values) if v not in tuple(FluxType)])
    elif name == "date_obs":
        offences.add("M-08", array, [first_row + i for i, v in enumerate(values) if not DATE_OBS.match(v)])
    elif name == "spec_id":
        offences.add("M-04", array, [first_row + i for i, v in enumerate(values) if not SPEC_ID.match(v)])

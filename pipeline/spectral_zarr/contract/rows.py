"""Counting offending rows by symptom and array, over any number of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract.facts import Count, RowFacts

FIRST_ROWS = 5

_NONE = Count((), 0)

Counted = Mapping[tuple[str, str], Count]
"""Symptom and array to the rows that show it."""


class Offences:
    """Counts offending rows by symptom and array, and keeps the first few."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Count] = {}

    def add(self, symptom: str, where: str, rows: Sequence[int] | NDArray[Any]) -> None:
        """Count rows that break a rule; rows come in ascending order over all calls of one pair."""
        if len(rows):
            known = self._found.get((symptom, where), _NONE)
            first = [int(row) for row in rows[: FIRST_ROWS - len(known.rows)]]
            self._found[symptom, where] = Count((*known.rows, *first), known.number + len(rows), known.reason)

    def note(self, symptom: str, where: str, reason: str, rows: Sequence[int] = ()) -> None:
        """Count something that is not seen in values, with what a decoder or checksum said of it."""
        self.add(symptom, where, rows)
        known = self._found.get((symptom, where), _NONE)
        self._found[symptom, where] = Count(known.rows, known.number, known.reason or reason)

    def merge(self, counted: Counted) -> None:
        """Take what was counted elsewhere."""
        for key, part in counted.items():
            known = self._found.get(key, _NONE)
            rows = tuple(sorted({*known.rows, *part.rows})[:FIRST_ROWS])
            reason = min(filter(None, (known.reason, part.reason)), default="")
            self._found[key] = Count(rows, known.number + part.number, reason)

    def drop(self, symptom: str, *, fewer_than: int) -> None:
        """Forget a symptom wherever it is seen in fewer rows."""
        kept = {key: count for key, count in self._found.items() if key[0] != symptom or count.number >= fewer_than}
        self._found = kept

    def counted(self) -> Counted:
        """What was counted."""
        return dict(self._found)

    def facts(self, *, finite: Iterable[str] = (), one_grid: bool = False, from_fits: bool = False) -> RowFacts:
        """What was counted, with what is known of the rows together."""
        return RowFacts(self.counted(), frozenset(finite), one_grid, from_fits)


SENTINELS = np.array(
    [
        *(-999.0, -9999.0, -99999.0, -9999.9, -9999.99, -999.9, -999.99),
        *(1e20, 9.96921e36, 1e30, 3.4028235e38, -3.4028235e38, -2147483648.0, 999999.0),
    ]
)
"""Numbers that surveys write for a missing value of any quantity."""

NARROW_SENTINELS = np.array([-99.0, -99.9, 99.0, 99.9, 999.0, 9999.0])
"""Numbers that stand for missing where the quantity cannot have them."""

INTEGER_SENTINELS = np.array([-999, -9999, -99999, -2147483648])
_WRITTEN_AS = ("", ".", ".0", ".00", ".000", ".0000", ".00000", ".000000")
TEXT_SENTINELS = frozenset({"NULL", "None", "nan", "NaN", "INDEF", "N/A"}).union(
    f"{number}{zeros}" for number in (-999, -9999) for zeros in _WRITTEN_AS
)
ID_SENTINELS = frozenset({"0", "-1", *TEXT_SENTINELS})


def is_listed(values: NDArray[Any], listed: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values are one of the listed numbers after rounding to float32."""
    with np.errstate(over="ignore"):
        return np.isin(values.astype(np.float32), listed.astype(np.float32))

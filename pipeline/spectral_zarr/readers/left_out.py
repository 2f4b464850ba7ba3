"""Rows that a survey itself flags as no spectrum of a target: one message for each flag of a file."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.errors import LeftOut

_ROWS_NAMED = 5


class LeftOutRows:
    """Collects the flagged rows of one file, of which there may be hundreds.

    Parameters
    ----------
    path : str
        Name of the file.
    hdu : int
        HDU whose rows they are.
    """

    def __init__(self, path: str, hdu: int) -> None:
        self._path = path
        self._hdu = hdu
        self._rows: dict[str, list[int]] = {}

    def add(self, flag: str, row: int) -> None:
        """Remember a row and its flag, such as ``OBJTYPE = SKY``."""
        self._rows.setdefault(flag, []).append(row)

    def errors(self) -> Iterator[LeftOut]:
        """One for each flag, with the first of its rows."""
        for flag, rows in self._rows.items():
            named = ", ".join(map(str, rows[:_ROWS_NAMED])) + (", ..." if len(rows) > _ROWS_NAMED else "")
            noun = "row" if len(rows) == 1 else "rows"
            yield LeftOut(f"{flag} in {len(rows)} {noun}: {named}", path=self._path, hdu=self._hdu)

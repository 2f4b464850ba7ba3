"""ASCII tables (XTENSION = 'TABLE', FITS standard 4.0, 7.2): where columns lie, and which fields are undefined."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.readers.fits.header import Header
from spectral_zarr.readers.fits.table import TableColumn, TableLayout

_TFORM = re.compile(r"^\s*([AIFED])(\d+)(?:\.\d+)?\s*$", re.IGNORECASE)


def ascii_layout(header: Header, row_bytes: int) -> TableLayout:
    """Columns of an ASCII table; numbers are left to astropy, and ``stored`` is their text.

    Raises
    ------
    ValueError
        When a format is none of an ASCII table, or a column lies outside of the row.
    """
    columns = []
    for number in range(1, (header.integer("TFIELDS") or 0) + 1):
        match = _TFORM.match(header.text(f"TFORM{number}"))
        first = header.integer(f"TBCOL{number}")
        if match is None or first is None:
            raise ValueError(f"TFORM{number} or TBCOL{number} is missing or not of an ASCII table")
        kind, width = match[1].upper(), int(match[2])
        if first < 1 or first - 1 + width > row_bytes:
            raise ValueError(f"column {number} lies outside of the row")
        columns.append(
            TableColumn(
                number=number,
                name=header.text(f"TTYPE{number}"),
                offset=first - 1,
                repeat=width if kind == "A" else 1,
                dtype=f"S{width}" if kind == "A" else "",
                unit=header.text(f"TUNIT{number}"),
                ucd=header.text(f"TUCD{number}"),
                utype=header.text(f"TUTYP{number}"),
                stored=f"S{width}",
            )
        )
    by_name: dict[str, int] = {}
    for i, column in enumerate(columns):
        by_name.setdefault(column.name.lower(), i)
    return TableLayout(header.text("EXTNAME"), row_bytes, tuple(columns), by_name)


def undefined_fields(texts: NDArray[Any], header: Header, column: TableColumn) -> NDArray[np.bool_]:
    """Which fields of a column are blank or the text of TNULL, shape (rows,)."""
    stripped = np.char.strip(texts)
    null = header.text(f"TNULL{column.number}").strip().encode("latin-1")
    return np.asarray((stripped == b"") | (stripped == null), np.bool_)

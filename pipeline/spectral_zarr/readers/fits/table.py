"""The layout of a binary table, computed once per distinct header and reused for every file of a survey."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.readers.fits.cards import CARD
from spectral_zarr.readers.fits.header import Header

_DEFINING = re.compile(
    rb"TFIELDS |EXTNAME |CONTINUE|HIERARCH|T(?:FORM|TYPE|UNIT|DIM|SCAL|ZERO|NULL|UCD|UTYP)\d+ *=", re.IGNORECASE
)
_TFORM = re.compile(r"^\s*(\d*)([LXBIJKAEDCMPQ])(.*)$", re.IGNORECASE)
_SIZES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
UNREADABLE = "unreadable"
"""In place of a dtype: the column is scaled by a card without a value."""

INTEGERS = frozenset("BIJK")
PLAIN_DTYPES = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: where it lies in a row and what it holds.

    `dtype` is '' for what the hot path leaves to astropy: bits, complex numbers, logicals, variable-length
    arrays, scaled columns and arrays with dimensions. `null` is the stored integer that means an undefined value
    (TNULL, FITS standard 4.0, 7.3.2), None for columns of other kinds; `stored` is the dtype that it is compared in.
    """

    number: int
    name: str
    offset: int
    repeat: int
    dtype: str
    unit: str
    ucd: str
    utype: str
    stored: str = ""
    null: int | None = None


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The columns of a table, the name of its HDU, and whether a card ZTABLE speaks of tile compression."""

    extname: str
    row_bytes: int
    columns: tuple[TableColumn, ...]
    by_name: dict[str, int]
    ztable: bool = False


_LAYOUTS_KEPT = 4


def table_layout(raw: bytes) -> TableLayout:
    """Layout from the cards of a table, beginning at TFIELDS.

    Parameters
    ----------
    raw : bytes
        Header cards; layouts are kept by them, so cards that vary by file (the axes) are left out.

    Returns
    -------
    TableLayout
    """
    # Comparing the cards of a wide table takes a tenth of the time of hashing them.
    known = _known_layouts(len(raw))
    for one in known:
        if one.raw == raw:
            return one.layout
    # Some products tell the limits of each column beside it, so that no two files have the same cards.
    cards = np.frombuffer(raw, np.uint8)
    for one in known:
        if not np.any((cards ^ np.frombuffer(one.raw, np.uint8)) & one.mask):
            return one.layout
    layout = _layout(raw)
    known.insert(0, _KnownLayout(raw, _mask(raw), layout))
    del known[_LAYOUTS_KEPT:]
    return layout


class _KnownLayout(NamedTuple):
    """The cards of a table, the bytes of them on which the layout depends, and the layout."""

    raw: bytes
    mask: NDArray[np.uint8]
    layout: TableLayout


@lru_cache(maxsize=64)
def _known_layouts(length: int) -> list[_KnownLayout]:
    """The last layouts whose cards have this many bytes."""
    return []


def _mask(raw: bytes) -> NDArray[np.uint8]:
    """All ones for the keywords of all cards and for the cards that `_layout` reads."""
    mask = np.zeros(len(raw), np.uint8)
    for start in range(0, len(raw), CARD):
        mask[start : start + (CARD if _DEFINING.match(raw, start) else 9)] = 0xFF
    return mask


def _layout(raw: bytes) -> TableLayout:
    header = Header(raw)
    columns: list[TableColumn] = []
    offset = 0
    for number in range(1, (header.integer("TFIELDS") or 0) + 1):
        match = _TFORM.match(header.text(f"TFORM{number}"))
        if match is None:
            raise ValueError(f"TFORM{number} is missing or not a binary table format")
        repeat, kind = int(match[1] or 1), match[2].upper()
        size = -(-repeat // 8) if kind == "X" else _SIZES[kind] * (repeat if kind not in "PQ" else min(repeat, 1))
        stored = _stored_dtype(kind, match[3])
        columns.append(
            TableColumn(
                number=number,
                name=header.text(f"TTYPE{number}"),
                offset=offset,
                repeat=repeat,
                dtype=_plain_dtype(header, number, kind, repeat),
                unit=header.text(f"TUNIT{number}"),
                ucd=header.text(f"TUCD{number}"),
                utype=header.text(f"TUTYP{number}"),
                stored=stored,
                null=header.integer(f"TNULL{number}") if stored else None,
            )
        )
        offset += size
    by_name: dict[str, int] = {}
    for i, column in enumerate(columns):
        by_name.setdefault(column.name.lower(), i)
    return TableLayout(header.text("EXTNAME"), offset, tuple(columns), by_name, "ZTABLE" in header)


def _stored_dtype(kind: str, rest: str) -> str:
    """Dtype of the integers of a column, those of variable-length arrays too; '' for other kinds."""
    element = rest[:1].upper() if kind in "PQ" else kind
    return PLAIN_DTYPES[element] if element in INTEGERS else ""


def _plain_dtype(header: Header, number: int, kind: str, repeat: int) -> str:
    for card, neutral in ((f"TSCAL{number}", 1), (f"TZERO{number}", 0)):
        if card in header and (value := header.get(card)) != neutral:
            return UNREADABLE if value is None else ""
    if f"TDIM{number}" in header:
        return ""
    if kind == "A":
        return f"S{repeat}"
    return PLAIN_DTYPES.get(kind, "")

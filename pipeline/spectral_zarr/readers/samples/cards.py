"""FITS header blocks that are formatted once and patched per file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Value: TypeAlias = bool | int | float | str
Part: TypeAlias = bytes | bytearray | memoryview

BLOCK = 2880
_NUMPY_CODES = {"E": ">f4", "D": ">f8", "J": ">i4", "K": ">i8", "I": ">i2", "B": "u1", "A": "S"}
_PUNCTUATION = frozenset(range(0x3A, 0x41)) | frozenset(range(0x5B, 0x61))
_COMMENTARY = ("COMMENT", "HISTORY")
# The comment of a card starts at the first slash outside the quotes of a text value.
_LINE = re.compile(r"(?P<keyword>[^=]+?)\s*=\s*(?P<value>'(?:[^']|'')*'|[^/]*?)\s*(?:/\s?(?P<comment>.*))?$")


class Column(NamedTuple):
    """One column of a binary table."""

    name: str
    form: str
    unit: str = ""

    def field(self) -> tuple[str, str] | tuple[str, str, tuple[int]]:
        """Return the numpy field that has the bytes of this column."""
        count, code = int(self.form[:-1] or 1), self.form[-1]
        if code == "A":
            return self.name, f"S{count}"
        return (self.name, _NUMPY_CODES[code]) if count == 1 else (self.name, _NUMPY_CODES[code], (count,))


def row_dtype(columns: Iterable[Column]) -> np.dtype[np.void]:
    """Return the packed big-endian row of a table."""
    return np.dtype([column.field() for column in columns])


def empty_rows(columns: Iterable[Column], count: int = 1) -> npt.NDArray[np.void]:
    """Return rows of zeros and, in text columns, of blanks, as IDL pads text."""
    columns = tuple(columns)
    rows = np.zeros(count, row_dtype(columns))
    for column in columns:
        if column.form.endswith("A"):
            set_text(rows, column.name, "")
    return rows


def set_text(rows: npt.NDArray[np.void], name: str, text: str) -> None:
    """Write a text padded with blanks into one column of all rows."""
    rows[name] = text.encode("ascii").ljust(rows.dtype[name].itemsize)


def value_text(value: Value) -> str:
    """Return a value as FITS writes it."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, str):
        return "'{:<8}'".format(value.replace("'", "''"))
    if isinstance(value, int):
        return str(value)
    text = f"{value:.15G}"
    return text if "." in text or "E" in text else f"{text}."


def card(keyword: str, value: str, comment: str = "") -> bytes:
    """Return the 80 bytes of one card.

    Parameters
    ----------
    keyword
        Upper case; one that holds blanks or more than eight characters becomes a HIERARCH card.
    value
        Already as FITS writes it, quotes included.
    comment
        Cut where the card ends, as the surveys' own writers do.
    """
    text_value = value.startswith("'")
    if keyword.startswith("ESO DRS"):
        # The HARPS and FEROS pipelines do not align the cards they add.
        text = f"HIERARCH {keyword} = {value}"
    elif len(keyword) > 8 or " " in keyword:
        head = f"HIERARCH {keyword:<20}="
        body = f" {value}" if text_value else f" {value.rjust(42 - len(head))}"
        text = (head + body).ljust(43)
    else:
        text = f"{keyword:<8}= {value:<20}" if text_value else f"{keyword:<8}= {value:>20}"
    if comment:
        text = f"{text} / {comment}"
    return text[:80].ljust(80).encode("ascii")


def parse_line(line: str) -> tuple[str, str, str]:
    """Split `KEYWORD = value / comment` into its three parts; a commentary line has no value."""
    if line.startswith(_COMMENTARY) or (match := _LINE.match(line)) is None:
        return line, "", ""
    keyword, value, comment = match["keyword"], match["value"], match["comment"] or ""
    # Quotes inside a text value are already doubled in the line.
    return keyword, f"'{value[1:-1]:<8}'" if value.startswith("'") else value, comment


class Header:
    """A header whose cards are formatted once; `render` writes only the changed ones again."""

    def __init__(self, *texts: str) -> None:
        self._offsets: dict[str, int] = {}
        self._comments: dict[str, str] = {}
        cards: list[bytes] = []
        for line in "\n".join(texts).splitlines():
            if not line.strip():
                continue
            keyword, value, comment = parse_line(line)
            if value or comment:
                self._offsets.setdefault(keyword, 80 * len(cards))
                self._comments.setdefault(keyword, comment)
                cards.append(card(keyword, value, comment))
            else:
                cards.append(keyword[:80].ljust(80).encode("ascii"))
        cards.append(b"END".ljust(80))
        self.cards = len(cards) - 1
        block = b"".join(cards)
        self._block = block + b" " * (-len(block) % BLOCK)

    def render(self, changes: Mapping[str, Value] | None = None) -> bytes:
        """Return the padded block with some values replaced; an unknown keyword is a `KeyError`."""
        if not changes:
            return self._block
        block = bytearray(self._block)
        for keyword, value in changes.items():
            offset = self._offsets[keyword]
            block[offset : offset + 80] = card(keyword, value_text(value), self._comments[keyword])
        return bytes(block)

    def render_signed(self, changes: Mapping[str, Value], data: Iterable[Part]) -> bytes:
        """Return the block with a true DATASUM and CHECKSUM (both cards must exist)."""
        total = 0
        for part in data:
            total += _word_sum(part)
        total = _fold(total)
        block = self.render({**changes, "DATASUM": str(total), "CHECKSUM": "0" * 16})
        encoded = _encode(0xFFFFFFFF - _fold(total + _word_sum(block)))
        # The text of a string value starts after `CHECKSUM= '`.
        offset = self._offsets["CHECKSUM"] + 11
        return block[:offset] + encoded + block[offset + 16 :]


def table_text(columns: Iterable[Column], rows: int, *, comments: bool = True) -> str:
    """Return the mandatory and column cards of a binary table."""
    columns = tuple(columns)
    notes = (
        " / binary table extension",
        " / array data type",
        " / number of array dimensions",
        " / length of dimension 1",
        " / length of dimension 2",
        " / number of group parameters",
        " / number of groups",
        " / number of table fields",
    )
    width = row_dtype(columns).itemsize
    values = ("'BINTABLE'", 8, 2, width, rows, 0, 1, len(columns))
    keywords = ("XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS")
    lines = [
        f"{keyword} = {value}{note if comments else ''}"
        for keyword, value, note in zip(keywords, values, notes, strict=True)
    ]
    for number, column in enumerate(columns, 1):
        lines.append(f"TTYPE{number} = '{column.name}'")
        lines.append(f"TFORM{number} = '{column.form}'")
        if column.unit:
            lines.append(f"TUNIT{number} = '{column.unit}'")
    return "\n".join(lines)


def image_text(bitpix: int, shape: tuple[int, ...], *, primary: bool = False) -> str:
    """Return the mandatory cards of an image."""
    first = "SIMPLE = T / conforms to FITS standard" if primary else "XTENSION = 'IMAGE   ' / IMAGE extension"
    lines = [first, f"BITPIX = {bitpix} / array data type", f"NAXIS = {len(shape)} / number of array dimensions"]
    lines += [f"NAXIS{axis} = {length}" for axis, length in enumerate(reversed(shape), 1)]
    lines += ["EXTEND = T"] if primary else ["PCOUNT = 0 / number of parameters", "GCOUNT = 1 / number of groups"]
    return "\n".join(lines)


def padding(length: int) -> bytes:
    """Return the zeros that fill the last block of a data unit of `length` bytes."""
    return bytes(-length % BLOCK)


def big_endian(values: npt.NDArray[np.generic], dtype: str) -> bytes:
    """Return an array as the bytes of a FITS data unit."""
    return values.astype(dtype, copy=False).tobytes()


def _word_sum(part: Part) -> int:
    return int(np.frombuffer(part, ">u4").sum(dtype=np.uint64))


def _fold(total: int) -> int:
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _encode(word: int) -> bytes:
    """Encode a complemented sum in 16 letters and digits, as appendix J of the FITS standard does."""
    text = bytearray(16)
    for byte in range(4):
        quotient, remainder = divmod((word >> (24 - 8 * byte)) & 0xFF, 4)
        letters = [quotient + 0x30] * 4
        letters[0] += remainder
        # Punctuation is avoided in pairs, which leaves the sum as it is.
        for low in (0, 2):
            while _PUNCTUATION.intersection(letters[low : low + 2]):
                letters[low] += 1
                letters[low + 1] -= 1
        for position, letter in enumerate(letters):
            text[4 * position + byte] = letter
    return bytes(text[-1:] + text[:-1])

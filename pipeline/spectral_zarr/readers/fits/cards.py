"""Values of 80-byte header cards, parsed strictly by pattern and by astropy wherever a card is unusual."""

from __future__ import annotations

import math
import re
from functools import lru_cache

CARD = 80
BLOCK = 2880

CardValue = str | bool | int | float | complex | None

_VALUE = re.compile(
    rb" *(?:'((?:[\x20-\x26\x28-\x7e]|'')*+)'"
    rb"|([+-]?\d++)(?![.EeDd])"
    rb"|([+-]?(?:\d+\.\d*|\.\d+|\d+(?=[EeDd]))(?:[EeDd][+-]?\d+)?)"
    rb"|([TF])"
    rb"|) *(?:/[\x20-\x7e]*)?\Z"
)
"""A printable value field: text, an integer, another number, a logical, or nothing; then perhaps a comment."""

_EXPONENTS = bytes.maketrans(b"Dd", b"Ee")

MISSING_TEXT = frozenset({"NULL", "None", "nan", "NaN", "INDEF", "N/A"})
MISSING_NUMBERS = (-999, -9999)
_SENTINEL_NUMBER = re.compile(r"^-9{3,4}(?:\.0*)?$")


@lru_cache(maxsize=4096)
def parse_value(card: bytes) -> CardValue:
    """Value of one card.

    Parameters
    ----------
    card : bytes
        The whole card; the value field begins after the first ``=``.

    Returns
    -------
    str, bool, int, float, complex or None
        None for an undefined or unreadable value. Strings lose trailing blanks.
    """
    equals = card.find(b"=")
    if equals < 0:
        return None
    match = _VALUE.match(card, equals + 1)
    if match is None:
        return _astropy_value(card)
    kind, found = match.lastindex, match.group(match.lastindex or 0)
    if kind == 1:
        text: str = found.decode("ascii")
        return (text.replace("''", "'") if "'" in text else text).rstrip()
    if kind == 2:
        return int(found)
    if kind == 3:
        return float(found.translate(_EXPONENTS))
    return bool(found == b"T") if kind == 4 else None


def comment_text(card: bytes) -> str:
    """Comment of one card, '' without one and for a card that `parse_value` leaves to astropy."""
    before, _, comment = card.partition(b"/")
    if b"'" not in before and before[8:9] == b"=":
        return comment.decode("latin-1").strip()
    value = card[card.find(b"=") + 1 :]
    if not value.lstrip().startswith(b"'"):
        return value.partition(b"/")[2].decode("latin-1").strip()
    match = _VALUE.match(card, card.find(b"=") + 1)
    if match is None:
        return ""
    value_end = match.end(match.lastindex) if match.lastindex else match.start()
    return card[value_end:].partition(b"/")[2].decode("ascii").strip()


def printable(text: bytes) -> str:
    """Text with '?' for every byte that is not printable ASCII, as astropy reads headers."""
    return "".join(chr(b) if 0x20 <= b <= 0x7E else "?" for b in text)


def _astropy_value(card: bytes) -> CardValue:
    import warnings

    from astropy.io import fits

    text = printable(card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = fits.Card.fromstring(text).value
        except (fits.VerifyError, ValueError):
            return None
    return value if isinstance(value, str | bool | int | float | complex) else None


def value_text(value: CardValue) -> str:
    """Text of a value as the contract projects it.

    Parameters
    ----------
    value : str, bool, int, float, complex or None
        Value of a card.

    Returns
    -------
    str
        ``T``/``F``, decimal integers, shortest round-trip decimals, strings without trailing blanks;
        '' for missing values, their sentinels and non-finite numbers.
    """
    if isinstance(value, str):
        text = value.rstrip()
    elif isinstance(value, bool):
        return "T" if value else "F"
    elif value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    else:
        text = repr(value) if isinstance(value, float | complex) else str(value)
    # Few values begin like a sentinel, and looking is much cheaper than matching.
    return "" if text in MISSING_TEXT or (text.startswith("-9") and _SENTINEL_NUMBER.match(text)) else text


@lru_cache(maxsize=4096)
def card_text(card: bytes) -> str:
    """Projected text of one card, see `value_text`."""
    return value_text(parse_value(card))

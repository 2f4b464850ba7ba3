"""Values of 80-byte header cards, parsed strictly by pattern and by astropy wherever a card is unusual."""

from __future__ import annotations

import math
import re
from functools import lru_cache

CARD = 80
BLOCK = 2880

CardValue = str | bool | int | float | complex | None

_STRING = re.compile(rb"^ *'((?:[^']|'')*)' *(?:/.*)?$", re.DOTALL)
_LOGICAL = re.compile(rb"^ *([TF]) *(?:/.*)?$", re.DOTALL)
_INTEGER = re.compile(rb"^ *([+-]?\d+) *(?:/.*)?$", re.DOTALL)
_FLOAT = re.compile(rb"^ *([+-]?(?:\d+\.\d*|\.\d+|\d+(?=[EeDd]))(?:[EeDd][+-]?\d+)?) *(?:/.*)?$", re.DOTALL)
_PRINTABLE = re.compile(rb"^[\x20-\x7e]*$")

MISSING_TEXT = frozenset({"NULL", "None", "nan", "NaN", "INDEF", "N/A"})
MISSING_NUMBERS = (-999, -9999)
_SENTINEL_NUMBER = re.compile(r"^-9{3,4}(?:\.0*)?$")


@lru_cache(maxsize=16384)
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
    field = card[equals + 1 :]
    if _PRINTABLE.match(field):
        if match := _STRING.match(field):
            text: str = match[1].decode("ascii").replace("''", "'").rstrip()
            return text
        if match := _INTEGER.match(field):
            return int(match[1])
        if match := _FLOAT.match(field):
            return float(match[1].replace(b"D", b"E").replace(b"d", b"e"))
        if match := _LOGICAL.match(field):
            return bool(match[1] == b"T")
        if not field.split(b"/", 1)[0].strip():
            return None
    return _astropy_value(card)


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
    if value is None:
        return ""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, str):
        text = value.rstrip()
    elif isinstance(value, float) and not math.isfinite(value):
        return ""
    else:
        text = repr(value) if isinstance(value, float | complex) else str(value)
    return "" if text in MISSING_TEXT or _SENTINEL_NUMBER.match(text) else text


@lru_cache(maxsize=16384)
def card_text(card: bytes) -> str:
    """Projected text of one card, see `value_text`."""
    return value_text(parse_value(card))

"""Right ascensions and declinations as they are written: a number or sexagesimal text, and the unit of the file."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Literal, NamedTuple

Unit = Literal["", "deg", "hour", "rad"]

DEGREES: dict[Unit, float] = {"": 1.0, "deg": 1.0, "hour": 15.0, "rad": 180.0 / math.pi}

_SEXAGESIMAL = re.compile(
    r"([+-]?)\s*(\d{1,3})(?:\s*([:hd°])\s*|\s+)(\d{1,2})(?:\s*[:m'′]\s*|\s+)(\d{1,2}(?:\.\d*)?)\s*[s\"″]?\s*$",
    re.IGNORECASE | re.ASCII,
)
_IN_COMMENT = re.compile(r"(?<![\d:.])[+-]?\d{1,3}:\d\d:\d\d(?:\.\d*)?(?![\d:])", re.ASCII)
_WORDS: tuple[tuple[Unit, re.Pattern[str]], ...] = (
    ("hour", re.compile(r"\bhours?\b|\bhrs?\b|\bhour_?angle\b|[\[(]\s*h\s*[\])]|\bhh*\.h+\b|^\s*h\s*$", re.IGNORECASE)),
    ("rad", re.compile(r"\brad(?:ians?)?\b", re.IGNORECASE)),
    ("deg", re.compile(r"\bdeg(?:rees?|s)?\b|°|\bdd*\.d+\b|[\[(]\s*d\s*[\])]|^\s*d\s*$", re.IGNORECASE)),
)
_NOT_A_UNIT = re.compile(r"hour[ -]angle", re.IGNORECASE)
_NAMES: tuple[tuple[Unit, re.Pattern[str]], ...] = (
    ("deg", re.compile(r"(RA|DEC)[_-]?D(EG)?|(RA|DEC)_TARG|TARG_(RA|DEC)")),
    ("hour", re.compile(r"(RA|DEC)[_-]?H(RS?|OURS?)?")),
    ("rad", re.compile(r"(RA|DEC)[_-]?RAD")),
)


class Angle(NamedTuple):
    """One angle as it is written.

    Attributes
    ----------
    value : float
        In its unit; NaN where nothing is written that is an angle.
    unit : {'', 'deg', 'hour', 'rad'}
        '' where nothing tells it.
    sexagesimal : bool
        Whether it was text in three parts, so that a right ascension is in hours unless its first part cannot be.
    """

    value: float
    unit: Unit = ""
    sexagesimal: bool = False


MISSING = Angle(math.nan)


@lru_cache(maxsize=256)
def unit_of_text(text: str) -> Unit:
    """Unit that a comment or a TUNIT tells, '' when it tells none or several.

    >>> unit_of_text("[hours] right ascension"), unit_of_text("RA (deg)"), unit_of_text("RA (J2000) pointing")
    ('hour', 'deg', '')
    """
    text = _NOT_A_UNIT.sub("", text)
    found = [unit for unit, words in _WORDS if words.search(text)]
    return found[0] if len(found) == 1 else ""


@lru_cache(maxsize=256)
def unit_of_name(name: str) -> Unit:
    """Unit that a keyword or the name of a column tells, '' when it tells none."""
    return next((unit for unit, pattern in _NAMES if pattern.fullmatch(name.upper())), "")


@lru_cache(maxsize=256)
def told_unit(name: str, comment: str) -> Unit:
    """Unit that the comment of a card tells, else its keyword."""
    return unit_of_text(comment) or unit_of_name(name)


def written_text(text: str) -> Angle:
    """Sexagesimal text; `MISSING` for any other text.

    >>> written_text("12h30m00s"), written_text("-00 30 00.0")
    (Angle(value=12.5, unit='hour', sexagesimal=True), Angle(value=-0.5, unit='', sexagesimal=True))
    """
    match = _SEXAGESIMAL.match(text.strip())
    if match is None or int(match[4]) >= 60 or float(match[5]) > 60:
        return MISSING
    value = int(match[2]) + int(match[4]) / 60 + float(match[5]) / 3600
    unit: Unit = {"h": "hour", "d": "deg", "°": "deg"}.get((match[3] or "").lower(), "")  # type: ignore[assignment]
    return Angle(-value if match[1] == "-" else value, unit, sexagesimal=True)


def in_comment(comment: str) -> Angle:
    """Sexagesimal text within a comment, as ESO's cards have it."""
    match = _IN_COMMENT.search(comment)
    return written_text(match[0]) if match else MISSING

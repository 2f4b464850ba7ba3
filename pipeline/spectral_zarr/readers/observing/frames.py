"""The equator and equinox that a header refers its coordinates to, and the way from there to ICRS."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from spectral_zarr.readers.fits import Header

_SYSTEM_CARDS = ("RADESYS", "RADECSYS")
EQUINOX_CARDS = ("EQUINOX", "EPOCH")
_EQUINOX = re.compile(r"([BJ]?)\s*(\d{4}(?:\.\d*)?)$", re.IGNORECASE | re.ASCII)
_IN_COMMENT = re.compile(r"\b(?:B?(?P<b>1950)|J?(?P<j>2000))(?:\.0*)?\b", re.ASCII)
_OF_COORDINATES = re.compile(r"equinox|coord|\bra\b|r\.a\.|precess", re.IGNORECASE)
_YEARS_OF_EQUINOXES = 25.0
_TODAY = ("2000.0", "2000")
_SYSTEMS = ("", "FK5", "ICRS")
_J2000 = 2000.0
_FIRST_FK5 = 1984.0


class Frame(NamedTuple):
    """An equatorial frame: ``ICRS``, ``FK5`` or ``FK4``, and the year of the equinox; NaN for a contradiction."""

    system: str = "ICRS"
    year: float = _J2000

    @property
    def is_icrs(self) -> bool:
        """Whether positions are stored as they are: FK5 at J2000 is within 0.03 arcsec of ICRS."""
        return self.system == "ICRS" or (self.system == "FK5" and abs(self.year - _J2000) < 0.005)


class Contradiction(Exception):
    """Two cards exclude one another; the text says which."""


ICRS = Frame()


def frame_of(headers: Sequence[Header], comment: str, equinox_cards: tuple[str, ...]) -> Frame:
    """Frame of the coordinates of the first header, FITS 4.0, section 8.3.

    RADESYS or RADECSYS names it; without it, an EQUINOX before 1984 is FK4 and any other FK5, and without both it is
    ICRS. EPOCH, the former name of EQUINOX, counts where its comment speaks of coordinates or its year is one of those
    that equinoxes have, a multiple of 25; other headers have the date in it. Without either card, B1950 or J2000 in
    the comment of the coordinates counts.

    Raises
    ------
    Contradiction
        When EQUINOX, RADESYS and the comment exclude one another.
    """
    # Nearly all headers say so, and have nothing else to be looked at.
    if (
        headers[0].text("EQUINOX") in _TODAY
        and "1950" not in comment
        and headers[0].text(_SYSTEM_CARDS[0]) in _SYSTEMS
        and headers[0].text(_SYSTEM_CARDS[1]) in _SYSTEMS
        and equinox_cards == EQUINOX_CARDS
    ):
        return ICRS
    name, system = _first(headers, _SYSTEM_CARDS)
    card, letter, year = next(
        ((card, *found) for card in equinox_cards for h in headers if (found := _equinox(h, card)) is not None),
        ("", "", math.nan),
    )
    if not card and (match := _EQUINOX.match(system)) is not None:
        card, letter, year = name, match[1], float(match[2])
    year = _with_comment(card, year, comment)
    if system.startswith("GAPPT") and math.isnan(year):
        raise Contradiction(f"{name} = '{system}' names no equinox")
    if system.startswith("ICRS"):
        if year == 1950.0:
            raise Contradiction(f"{name} = '{system}' and {card or 'the comment'} = 1950 exclude one another")
        return ICRS
    if system.startswith("FK4") or letter == "B" or (not system.startswith("FK5") and year < _FIRST_FK5):
        if year >= _FIRST_FK5 or (letter == "B" and system.startswith("FK5")):
            raise Contradiction(f"{name} = '{system}' and {card} = {letter}{year:g} exclude one another")
        return Frame("FK4", 1950.0 if math.isnan(year) else year)
    return ICRS if math.isnan(year) else Frame("FK5", year)


def _first(headers: Sequence[Header], cards: tuple[str, ...]) -> tuple[str, str]:
    return next(((card, text.upper()) for h in headers for card in cards if (text := h.text(card))), ("", ""))


def _equinox(header: Header, card: str) -> tuple[str, float] | None:
    text = header.text(card)
    match = _EQUINOX.match(text) if text else None
    if match is None or not 1800 <= float(match[2]) <= 2100:
        return None
    letter, year = match[1].upper(), float(match[2])
    if card == "EPOCH" and year % _YEARS_OF_EQUINOXES and not _OF_COORDINATES.search(header.comment(card)):
        return None
    return letter, year


def _with_comment(card: str, year: float, comment: str) -> float:
    match = _IN_COMMENT.search(comment) if "1950" in comment or "2000" in comment else None
    if match is None:
        return year
    said = float(match["b"] or match["j"])
    if card and abs(said - year) > 1:
        raise Contradiction(f"{card} = {year:g} and the comment '{comment}' exclude one another")
    return said if math.isnan(year) else year


@lru_cache(maxsize=1024)
def to_icrs(ra: float, dec: float, frame: Frame) -> tuple[float, float]:
    """ICRS position, in degrees, of one in another frame, by astropy and without proper motion."""
    from astropy.coordinates import FK4, FK5, ICRS
    from astropy.units import deg

    system, letter = (FK4, "B") if frame.system == "FK4" else (FK5, "J")
    position = system(ra * deg, dec * deg, equinox=f"{letter}{frame.year!r}").transform_to(ICRS())
    return float(position.ra.deg), float(position.dec.deg)

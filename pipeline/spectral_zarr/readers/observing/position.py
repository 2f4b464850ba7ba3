"""The position of a target in degrees of ICRS, from cards or cells in whatever unit and equinox."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spectral_zarr.readers.fits import Header
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing.angles import (
    DEGREES,
    MISSING,
    Angle,
    Unit,
    in_comment,
    told_unit,
    unit_of_text,
    written_text,
)
from spectral_zarr.readers.observing.frames import EQUINOX_CARDS, ICRS, Contradiction, frame_of, to_icrs

Pair = tuple[str, str]

USUAL_PAIRS: tuple[Pair, ...] = (("RA", "DEC"), ("RA_DEG", "DEC_DEG"), ("RA_TARG", "DEC_TARG"), ("TARG_RA", "TARG_DEC"))
_FURTHER_PAIRS: tuple[Pair, ...] = (
    ("QRA", "QDEC"),
    ("RA-D", "DEC-D"),
    ("OBJRA", "OBJDEC"),
    ("OBJCTRA", "OBJCTDEC"),
    ("RA_OBJ", "DEC_OBJ"),
    ("CAT-RA", "CAT-DEC"),
    ("TELRA", "TELDEC"),
    ("TCS_RA", "TCS_DEC"),
)
"""Cards of a second position of the same pointing, which tell the unit where none is written."""

_SAME = 0.75
"""Degrees between two writings of one position, which half a century of precession may lie between."""
_BESIDE = 0.5
"""Degrees in both coordinates that are below `_SAME` on every part of the sky, and found without trigonometry."""
_APART = 5.0
"""Degrees between a fibre and the centre of its plate; positions further apart contradict one another."""

_INDEX = "positions"


_PLURALS: dict[Unit, str] = {"deg": "degrees", "hour": "hours", "rad": "radians"}


class _Outside(Contradiction):
    """Numbers that are no angles on the sky, whatever the other cards say."""


class Sky(NamedTuple):
    """A position; NaN and a note where what is written contradicts itself, NaN alone where nothing is written.

    Attributes
    ----------
    ra, dec : float
        Degrees, ICRS; FK5 at J2000 is stored as it is.
    notes : tuple of str
        Why there is no position.
    """

    ra: float = math.nan
    dec: float = math.nan
    notes: tuple[str, ...] = ()


NOWHERE = Sky()


def sky(
    header: Header,
    *pairs: Pair,
    beside: Header | None = None,
    equinox_cards: tuple[str, ...] = EQUINOX_CARDS,
) -> Sky:
    """Position of the first pair of cards that holds one.

    The unit is that of the card itself: sexagesimal text is in hours and degrees, a number in what its comment tells
    ("[hours]", "(deg)", "rad"), else its name. Where neither tells, it is the unit in which the number agrees with a
    second position of the header (sexagesimal, in the comment, RA_TARG, a celestial axis), else degrees. Positions of
    another equinox are brought to ICRS. Two zeros are a placeholder.

    Parameters
    ----------
    header : Header
        The header with the cards.
    *pairs : tuple of str
        Keywords of right ascension and declination, the best first; `USUAL_PAIRS` without any.
    beside : Header, optional
        Another header of the file, which may have the equinox.
    equinox_cards : tuple of str
        Cards of the equinox.
    """
    outside = NOWHERE
    for pair in pairs or USUAL_PAIRS:
        ra, dec = _card(header, pair[0]), _card(header, pair[1])
        if math.isnan(ra.value) or math.isnan(dec.value) or ra.value == dec.value == 0:
            continue
        try:
            place = _degrees(ra, dec, pair, _witnesses(header, pair))
            headers = (header,) if beside is None else (header, beside)
            frame = ICRS if pair[0].endswith("_ICRS") else frame_of(headers, header.comment(pair[0]), equinox_cards)
        except _Outside as problem:
            outside = _unknown(problem)
        except Contradiction as problem:
            return _unknown(problem)
        else:
            return Sky(*(place if frame.is_icrs else to_icrs(*place, frame)))
    if outside.notes:
        return outside
    ras = (_card(header, ra) for ra, _ in pairs or USUAL_PAIRS)
    return _alone(ras, (_card(header, dec) for _, dec in pairs or USUAL_PAIRS))


def _alone(ras: Iterable[Angle], decs: Iterable[Angle]) -> Sky:
    """One coordinate where nothing gives the other; two zeros are a placeholder."""
    ra = next((one for one in ras if math.isfinite(one.value)), MISSING)
    dec = next((one for one in decs if math.isfinite(one.value)), MISSING)
    if math.isfinite(ra.value) and math.isfinite(dec.value):
        return NOWHERE
    place = _in_unit(ra, dec, _told_unit(ra, dec) if ra.unit or ra.sexagesimal else "deg")
    return Sky(place[0] % 360 if abs(place[0]) <= 360 else math.nan, place[1] if abs(place[1]) <= 90 else math.nan)


def sky_cells(table: Hdu, row: int, *pairs: Pair, unit: Unit = "", header: Header | None = None) -> Sky:
    """Position in the first pair of columns that holds one, in the unit of TUNIT, else `unit`, else degrees.

    The frame is that of the `header`, ICRS without one.
    """
    return first_sky(
        sky_of(_cell(table, pair[0], row, unit), _cell(table, pair[1], row, unit), pair, header) for pair in pairs
    )


def first_sky(found: Iterable[Sky]) -> Sky:
    """The first position, or contradiction, of several places in a file."""
    places = list(found)
    whole = (one for one in places if one.notes or not (math.isnan(one.ra) or math.isnan(one.dec)))
    alone = (one for one in places if not (math.isnan(one.ra) and math.isnan(one.dec)))
    return next(whole, next(alone, NOWHERE))


def sky_of(
    ra: Angle,
    dec: Angle,
    pair: Pair = ("RA", "DEC"),
    header: Header | None = None,
    equinox_cards: tuple[str, ...] = EQUINOX_CARDS,
) -> Sky:
    """Position of two angles that stand in no card, in the frame of the `header`, in ICRS without one."""
    if math.isnan(ra.value) or math.isnan(dec.value) or ra.value == dec.value == 0:
        return _alone((ra,), (dec,))
    try:
        place = _degrees(ra, dec, pair, ())
        frame = ICRS if header is None else frame_of((header,), "", equinox_cards)
    except Contradiction as problem:
        return _unknown(problem)
    return Sky(*(place if frame.is_icrs else to_icrs(*place, frame)))


def _unknown(problem: Contradiction) -> Sky:
    return Sky(notes=(f"no position: {problem}",))


def sky_texts(ra: str, dec: str, units: Pair = ("", "")) -> Sky:
    """Position of two texts, numbers or sexagesimal, with the units that are given beside them."""
    return sky_of(_written_angle(ra, units[0]), _written_angle(dec, units[1]))


def _written_angle(text: str, unit: str = "") -> Angle:
    """A number or sexagesimal text outside a header, with the unit that is given beside it."""
    try:
        value = float(text)
    except ValueError:
        return written_text(text)
    return Angle(value, unit_of_text(unit)) if math.isfinite(value) and value > -999 else MISSING


def _card(header: Header, keyword: str) -> Angle:
    value = header.number(keyword)
    if math.isfinite(value):
        return Angle(value, told_unit(keyword, header.comment(keyword)))
    return written_text(text) if (text := header.text(keyword)) else MISSING


def _cell(table: Hdu, name: str, row: int, unit: Unit) -> Angle:
    column = table.find(name)
    if column is None:
        return MISSING
    if column.dtype.startswith("S"):
        return _written_angle(table.cell_text(name, row), column.unit or unit)
    value = table.cell_number(name, row)
    return Angle(value, unit_of_text(column.unit) or unit) if math.isfinite(value) and value > -999 else MISSING


def _degrees(ra: Angle, dec: Angle, pair: Pair, witnesses: Sequence[tuple[str, float, float]]) -> tuple[float, float]:
    told = bool(ra.unit) or ra.sexagesimal or "rad" in (ra.unit, dec.unit)
    units = [_told_unit(ra, dec)] if told else _possible_units(ra, dec)
    places = [_in_unit(ra, dec, unit) for unit in units]
    if not (0 <= abs(places[0][0]) <= 360 and abs(places[0][1]) <= 90):
        said = f"{pair[0]} = {ra.value:g} and {pair[1]} = {dec.value:g}"
        raise _Outside(f"{said} {f'in {_PLURALS[units[0]]} ' if told else ''}lie outside the sky")
    if not witnesses:
        return places[0][0] % 360, places[0][1]
    ra_deg, dec_deg = places[0]
    for _, other_ra, other_dec in witnesses:
        if abs(ra_deg - other_ra) < _BESIDE and abs(dec_deg - other_dec) < _BESIDE:
            return ra_deg % 360, dec_deg
    nearest = [min(_separation(*place, *other[1:]) for other in witnesses) for place in places]
    if nearest[0] > _SAME:
        best = min(range(len(places)), key=nearest.__getitem__)
        if nearest[best] <= _SAME:
            return places[best][0] % 360, places[best][1]
        if nearest[0] > _APART:
            names = ", ".join(dict.fromkeys(name for name, _, _ in witnesses))
            raise Contradiction(f"{pair[0]}, {pair[1]} and {names} are {nearest[0]:.0f} degrees apart")
    return places[0][0] % 360, places[0][1]


def _told_unit(ra: Angle, dec: Angle) -> Unit:
    if "rad" in (ra.unit, dec.unit):
        if {ra.unit, dec.unit} <= {"rad", ""} and not (ra.sexagesimal or dec.sexagesimal):
            return "rad"
        raise Contradiction("the right ascension and the declination are not both in radians")
    if ra.unit:
        return ra.unit
    return "hour" if abs(ra.value) < 24 else "deg"


def _possible_units(ra: Angle, dec: Angle) -> list[Unit]:
    units: list[Unit] = ["deg"]
    if 0 <= ra.value <= 24:
        units.append("hour")
    if 0 <= ra.value <= 2 * math.pi and abs(dec.value) <= math.pi / 2 and not dec.unit and not dec.sexagesimal:
        units.append("rad")
    return units


def _in_unit(ra: Angle, dec: Angle, unit: Unit) -> tuple[float, float]:
    return ra.value * DEGREES[unit], dec.value * DEGREES["rad" if unit == "rad" else "deg"]


def _witnesses(header: Header, own: Pair) -> list[tuple[str, float, float]]:
    """Positions of the header whose unit is certain: name of the card, right ascension and declination in degrees."""
    written = [(pair[0], _card(header, pair[0]), _card(header, pair[1])) for pair in _present(header) if pair != own]
    ra_comment, dec_comment = header.comment(own[0]), header.comment(own[1])
    if ":" in ra_comment and ":" in dec_comment:
        written.insert(0, (f"the comment of {own[0]}", in_comment(ra_comment), in_comment(dec_comment)))
    found = []
    for name, ra, dec in written:
        if not (ra.unit or ra.sexagesimal) or math.isnan(ra.value + dec.value) or ra.value == dec.value == 0:
            continue
        unit = ra.unit or ("hour" if abs(ra.value) < 24 else "deg")
        found.append((name, ra.value * DEGREES[unit], dec.value * DEGREES["rad" if unit == "rad" else "deg"]))
    return found + _celestial_axes(header) if "CTYPE2" in header else found


def _present(header: Header) -> tuple[Pair, ...]:
    known = header.cards.derived.get(_INDEX)
    if known is None:
        known = tuple(
            pair for pair in (*USUAL_PAIRS, *_FURTHER_PAIRS) if pair[0] in header.index and pair[1] in header.index
        )
        header.cards.derived[_INDEX] = known
    pairs: tuple[Pair, ...] = known
    return pairs


def _celestial_axes(header: Header) -> list[tuple[str, float, float]]:
    axes = {header.text(f"CTYPE{i}")[:4].rstrip("-").upper(): i for i in (1, 2, 3)}
    if not {"RA", "DEC"} <= axes.keys():
        return []
    ra, dec = (header.number(f"CRVAL{axes[name]}") for name in ("RA", "DEC"))
    in_degrees = all(unit_of_text(header.text(f"CUNIT{axes[name]}")) in ("", "deg") for name in ("RA", "DEC"))
    known = in_degrees and math.isfinite(ra) and math.isfinite(dec) and not ra == dec == 0
    return [(f"CRVAL{axes['RA']}", ra, dec)] if known else []


def _separation(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    """Angle between two positions, all in degrees."""
    first, second, turn = math.radians(dec), math.radians(other_dec), math.radians(ra - other_ra)
    half = math.sin((first - second) / 2) ** 2 + math.cos(first) * math.cos(second) * math.sin(turn / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(half))))

"""Facts that most headers share: dates, positions, exposure and identifiers, in the contract's form."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from spectral_zarr.model import Observation
from spectral_zarr.readers.fits import Header

_ISO = re.compile(r"^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d:\d\d(?:\.\d+)?)Z?)?$")
_SLASHED = re.compile(r"^(\d\d)/(\d\d)/(\d\d)$")
_CLOCK = re.compile(r"^(\d\d?):(\d\d):(\d\d(?:\.\d*)?)$")
_SEXAGESIMAL = re.compile(r"^\s*([+-]?)(\d{1,3})[: ](\d{1,2})[: ](\d{1,2}(?:\.\d*)?)\s*$")

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


def dated(mjd: float) -> float:
    """A modified Julian date, NaN where it is none of this age: headers have Julian dates and zeros in its place."""
    return mjd if 40_000 <= mjd <= 90_000 else float("nan")


def date_from_mjd(mjd: float) -> str:
    """ISO date and time, to the millisecond, of a modified Julian date; '' for NaN or absurd dates.

    >>> date_from_mjd(55784.97491049)
    '2011-08-11T23:23:52.266'
    """
    if not math.isfinite(dated(mjd)):
        return ""
    moment = _MJD_EPOCH + timedelta(milliseconds=round(mjd * 86_400_000))
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def mjd_from_date(date: str) -> float:
    """Modified Julian date of an ISO date with a time; NaN for a bare date or ''.

    >>> mjd_from_date("2018-10-16T12:00:00")
    58407.5
    """
    try:
        moment = datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        return float("nan")
    return (moment - _MJD_EPOCH) / timedelta(days=1) if "T" in date else float("nan")


def date_obs(header: Header, *, mjd_keywords: tuple[str, ...] = ("MJD-OBS", "MJD-BEG", "EXPSTART")) -> str:
    """UTC start of the exposure from the usual cards, see contract-interpretation 5.3.

    DATE-OBS with a time; DATE-OBS and TIME-OBS, UTC or UT; the modified Julian date; the bare date. A time in TAI is
    converted where the card UTC-TAI gives the leap seconds.
    """
    text = header.text("DATE-OBS")
    day = ""
    if match := _ISO.match(text):
        day = f"{match[1]}-{match[2]}-{match[3]}"
        if match[4]:
            return _utc(header, f"{day}T{match[4]}")
    elif match := _SLASHED.match(text):
        day = f"19{match[3]}-{match[2]}-{match[1]}"
    if day:
        for keyword in ("TIME-OBS", "UTC-OBS", "UTC", "UT", "UT-TIME"):
            if clock := _CLOCK.match(header.text(keyword)):
                return f"{day}T{int(clock[1]):02d}:{clock[2]}:{clock[3].rstrip('.')}"
    for keyword in mjd_keywords:
        if stamp := date_from_mjd(header.number(keyword)):
            return stamp
    return day


def _utc(header: Header, moment: str) -> str:
    leap_seconds = header.number("UTC-TAI")
    if header.text("TIMESYS").upper() != "TAI" or not abs(leap_seconds) < 100:
        return moment
    shifted = datetime.fromisoformat(moment) + timedelta(seconds=leap_seconds)
    return shifted.strftime("%Y-%m-%dT%H:%M:%S.") + f"{shifted.microsecond // 1000:03d}"


def degrees(header: Header, keyword: str, *, hours: bool = False) -> float:
    """Angle in degrees from a number or sexagesimal text; `hours` for right ascension written as hh:mm:ss."""
    value = header.number(keyword)
    if math.isfinite(value):
        return value
    match = _SEXAGESIMAL.match(header.text(keyword))
    if match is None:
        return float("nan")
    angle = int(match[2]) + int(match[3]) / 60 + float(match[4]) / 3600
    return (-angle if match[1] == "-" else angle) * (15 if hours else 1)


def first_number(header: Header, *keywords: str) -> float:
    """Value of the first keyword that holds a finite number, NaN without one."""
    for keyword in keywords:
        value = header.number(keyword)
        if math.isfinite(value):
            return value
    return float("nan")


def first_text(header: Header, *keywords: str) -> str:
    """Text of the first keyword that is not blank."""
    for keyword in keywords:
        if text := header.text(keyword):
            return text
    return ""


def positive(value: float) -> float:
    """The value if it is finite and above zero, else NaN."""
    return value if math.isfinite(value) and value > 0 else float("nan")


def iso_moment(text: str) -> str:
    """Date, with its time if there is one, in the contract's form; '' when the text is not ISO 8601.

    >>> iso_moment("2013-10-22 05:06:52.142Z")
    '2013-10-22T05:06:52.142'
    """
    match = _ISO.match(text)
    if match is None:
        return ""
    return f"{match[1]}-{match[2]}-{match[3]}" + (f"T{match[4]}" if match[4] else "")


_FRAMES = {
    "BARYCENT": "barycentric",
    "HELIOCEN": "heliocentric",
    "TOPOCENT": "topocentric",
    "SOURCE": "rest",
}


def velocity_frame(specsys: str, default: str = "unknown") -> str:
    """Velocity frame that a SPECSYS card names (FITS Paper III), `default` when it names none of them."""
    return _FRAMES.get(specsys.strip().upper()[:8], default)


_SNR_CAPS = frozenset({999.0, 9999.0, 99999.0, 999999.0})


def header_snr(header: Header, *keywords: str) -> tuple[float, str]:
    """Signal-to-noise ratio of the first keyword that holds a positive number, and the label of its method.

    Returns
    -------
    snr : float
        NaN when no keyword does; fill values made of nines count as missing.
    method : str
        ``header:<KEYWORD>``, or '' so that the ratio is estimated from the spectrum.
    """
    for keyword in keywords:
        value = positive(header.number(keyword))
        if math.isfinite(value) and value not in _SNR_CAPS:
            return value, f"header:{keyword}"
    return float("nan"), ""


def observe(header: Header, **known: Any) -> Observation:
    """Facts that the usual cards give, with what the product knows better.

    Parameters
    ----------
    header : Header
        The header with the observing cards.
    **known
        Fields of `Observation` that replace those of the cards.

    Returns
    -------
    Observation
    """
    snr, snr_method = header_snr(header, "SNR")
    facts: dict[str, Any] = {
        "instrument": first_text(header, "INSTRUME"),
        "object": first_text(header, "OBJECT", "OBJNAME", "TARGNAME"),
        "program_id": first_text(header, "PROG_ID", "ESO OBS PROG ID", "PROGRAM", "PROPOSID"),
        "date_obs": date_obs(header),
        "velocity_frame": velocity_frame(header.text("SPECSYS")),
        "snr": snr,
        "snr_method": snr_method,
        "ra": angle(header, "RA", "RA_DEG", "RA_TARG", hours=True),
        "dec": angle(header, "DEC", "DEC_DEG", "DEC_TARG"),
        "mjd": dated(first_number(header, "MJD-OBS", "MJD-BEG", "EXPSTART")),
        "exptime": positive(first_number(header, "EXPTIME", "TEXPTIME", "EXPOSURE")),
        "airmass": positive(first_number(header, "AIRMASS", "ESO TEL AIRM START")),
    }
    return Observation(**{**facts, **known})


def angle(header: Header, *keywords: str, hours: bool = False) -> float:
    """Angle in degrees of the first keyword that holds one, see `degrees`."""
    values = (degrees(header, keyword, hours=hours) for keyword in keywords)
    return next((value for value in values if math.isfinite(value)), float("nan"))

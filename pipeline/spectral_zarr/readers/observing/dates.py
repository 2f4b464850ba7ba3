"""Dates and times as headers write them, in the contract's form; what no calendar or clock has is left out."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from spectral_zarr.contract.dates import DATE_OBS, on_calendar
from spectral_zarr.readers.fits import Header

DATE_CARDS = ("DATE-OBS", "DATEOBS", "DATE_OBS", "UTDATE", "UT-DATE", "DATE-BEG", "DATE_BEG")
"""The card of the standard, and what other headers have in its place; the first that holds a date counts."""

_CLOCK_CARDS = ("TIME-OBS", "TIME_OBS", "UTC-OBS", "UTSTART", "UTC", "UT", "UT-TIME")
_MJD_CARDS = ("MJD-OBS", "MJD_OBS", "MJD-BEG", "EXPSTART")

_DAY = re.compile(r"(\d{4})([-/:])(\d\d?)\2(\d\d?)(?![\d-])", re.ASCII)
_SLASHED = re.compile(r"(\d\d)/(\d\d)/(\d\d)$", re.ASCII)
_CLOCK = re.compile(r"(\d\d?):(\d\d)(?::(\d\d?)(\.\d{0,9})?\d*)?\s*(?:Z|UTC?|\+00:?00)?$", re.ASCII)

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_JD_OF_MJD_ZERO = 2400000.5

_MOST_DIGITS = len("2000-01-01T00:00:00.123456789Z")
_LEAP_DAYS = ((6, 30), (12, 31))


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
    found = _MJD_EPOCH + timedelta(milliseconds=round(mjd * 86_400_000))
    return found.replace(tzinfo=None).isoformat(timespec="milliseconds")


def mjd_from_date(date: str) -> float:
    """Modified Julian date of an ISO date with a time; NaN for a bare date or ''.

    >>> mjd_from_date("2018-10-16T12:00:00")
    58407.5
    """
    try:
        found = datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        return float("nan")
    return (found - _MJD_EPOCH) / timedelta(days=1) if "T" in date else float("nan")


def moment(day: str, clock: str) -> str:
    """Date and time in the contract's form, from the texts of two cards.

    Parameters
    ----------
    day : str
        ``yyyy-mm-dd``, also with slashes or colons, or ``dd/mm/yy`` of the years 1900 to 1999 (FITS 4.0, 4.4.2.1).
    clock : str
        ``hh:mm:ss`` in UTC, perhaps with a fraction.

    Returns
    -------
    str
        The bare date where no clock shows such a time, '' where no calendar has such a day.

    Notes
    -----
    The leap second 23:59:60 at the end of June and of December is the first second of the next day, as in POSIX,
    because the dates of NumPy and Python have no second 60. Elsewhere, a second 60 is no time.

    >>> moment("2016:12:31", "23:59:60.5"), moment("31/12/95", "10:20:30"), moment("2015-02-30", "10:00:00")
    ('2017-01-01T00:00:00.5', '1995-12-31T10:20:30', '')
    """
    parts = _day(day.strip())
    if not parts:
        return ""
    text = "{:04d}-{:02d}-{:02d}".format(*parts)
    match = _CLOCK.match(clock.strip())
    if match is None:
        return text
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    fraction = (match[4] or "").rstrip(".")
    if (hour, minute, second) == (23, 59, 60) and parts[1:] in _LEAP_DAYS:
        following = datetime(*parts, tzinfo=UTC) + timedelta(days=1)
        return f"{following:%Y-%m-%d}T00:00:00{fraction}"
    return (
        f"{text}T{hour:02d}:{minute:02d}:{second:02d}{fraction}" if on_calendar(*parts, hour, minute, second) else text
    )


def _day(text: str) -> tuple[int, int, int] | tuple[()]:
    if match := _DAY.fullmatch(text):
        parts = int(match[1]), int(match[3]), int(match[4])
    elif match := _SLASHED.match(text):
        parts = 1900 + int(match[3]), int(match[2]), int(match[1])
    else:
        return ()
    return parts if on_calendar(*parts) else ()


def iso_moment(text: str) -> str:
    """Date, with its time if there is one, in the contract's form; '' when the text is no date, see `moment`.

    >>> iso_moment("2013-10-22 05:06:52.142Z"), iso_moment("2016-12-31T24:00:00"), iso_moment("2015-02-29")
    ('2013-10-22T05:06:52.142', '2016-12-31', '')
    """
    if (usual := DATE_OBS.match(text)) is not None and len(text) < _MOST_DIGITS:
        parts = [int(part) for part in usual.groups() if part]
        if on_calendar(*parts):
            return text.rstrip("Z")
    day, _, clock = text.strip().replace("T", " ", 1).partition(" ")
    return moment(day, clock)


def first_moment(*texts: str) -> str:
    """The first date that has a time, else the first date, '' without any."""
    return next((text for text in texts if "T" in text), next(filter(None, texts), ""))


def date_obs(header: Header, *, mjd_keywords: tuple[str, ...] = _MJD_CARDS, cards: tuple[str, ...] = DATE_CARDS) -> str:
    """UTC start of the exposure from the usual cards, see contract-interpretation 5.3.

    A date with a time; a date and the time of another card; the modified Julian date; the bare date. A time in TAI is
    converted where the card UTC-TAI gives the leap seconds.
    """
    day = ""
    for card in cards:
        if found := iso_moment(header.text(card)):
            if "T" in found:
                return _utc(header, found)
            day = found
            break
    if day:
        for keyword in _CLOCK_CARDS:
            if "T" in (found := moment(day, header.text(keyword))):
                return found
    for keyword in mjd_keywords:
        if stamp := date_from_mjd(header.number(keyword)):
            return stamp
    return day


def start_mjd(header: Header, keywords: tuple[str, ...] = _MJD_CARDS) -> float:
    """Modified Julian date of the start of the exposure by the first card that holds one of this age."""
    found = (dated(header.number(keyword)) for keyword in keywords)
    return next((value for value in found if math.isfinite(value)), math.nan)


def mjd_of_julian(date: float) -> float:
    """Modified Julian date of a Julian date."""
    return date - _JD_OF_MJD_ZERO


def _utc(header: Header, text: str) -> str:
    leap_seconds = header.number("UTC-TAI")
    if header.text("TIMESYS").upper() != "TAI" or not abs(leap_seconds) < 100:
        return text
    shifted = datetime.fromisoformat(text) + timedelta(seconds=leap_seconds)
    return shifted.strftime("%Y-%m-%dT%H:%M:%S.") + f"{shifted.microsecond // 1000:03d}"

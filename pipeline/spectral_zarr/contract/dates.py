"""Dates and times of ``date_obs``: their form, and whether the calendar and the clock have them."""

from __future__ import annotations

import re
from datetime import datetime

FIRST_YEAR, LAST_YEAR = 1970, 2100

DATE_OBS = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z?)?\Z", re.ASCII)


def on_calendar(*parts: int) -> bool:
    """Whether year, month, day and, perhaps, hour, minute and second exist; a second is 0 to 59.

    >>> on_calendar(2015, 2, 30), on_calendar(2016, 12, 31, 23, 59, 59)
    (False, True)
    """
    try:
        datetime(*parts)  # type: ignore[arg-type]
    except ValueError:
        return False
    return FIRST_YEAR <= parts[0] <= LAST_YEAR


def is_date_obs(text: str) -> bool:
    """Whether a text is a value of ``date_obs``: '', a date or a date and a time, of the years 1970 to 2100.

    >>> is_date_obs("2016-02-29T10:20:30.5"), is_date_obs("2015-02-29"), is_date_obs("2016-12-31T24:00:00")
    (True, False, False)
    """
    if not text:
        return True
    match = DATE_OBS.match(text)
    return match is not None and on_calendar(*(int(part) for part in match.groups() if part))

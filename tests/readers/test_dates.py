"""Dates as headers write them: what no calendar or clock has never reaches a store, whatever card it stands in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.time import Time


@pytest.fixture
def date_of(write_fits: Any, line: Any, read_one: Any) -> Any:
    """``date_obs`` of a made image with the given cards."""

    def read(**cards: Any) -> str:
        found: str = read_one(write_fits(line(**{name.replace("__", "-"): card for name, card in cards.items()})))[
            1
        ].observation.date_obs
        return found

    return read


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2015-02-30T10:00:00", ""),
        ("2015-02-29", ""),
        ("2015-13-01T00:00:00", ""),
        ("2016-12-00", ""),
        ("0000-00-00T00:00:00", ""),
        ("1858-11-17T00:00:00", ""),
        ("31/02/95", ""),
        ("2016-12-31T24:00:00", "2016-12-31"),
        ("2016-12-31T10:60:00", "2016-12-31"),
        ("2016-12-31T10:20:60", "2016-12-31"),
        ("2016-12-31T10:20:30", "2016-12-31T10:20:30"),
        ("2016-02-29T10:20:30.125Z", "2016-02-29T10:20:30.125"),
        ("2016/12/31 10:20", "2016-12-31T10:20:00"),
        ("29/02/96", "1996-02-29"),
    ],
)
def test_the_calendar_and_the_clock_decide(date_of: Any, written: str, stored: str) -> None:
    found = date_of(DATE__OBS=written)
    assert found == stored
    np.array([found, "2016-12-31T10:20:30"], "datetime64[ms]")


def test_a_leap_second_is_the_first_second_of_the_next_day(date_of: Any) -> None:
    found = date_of(DATE__OBS="2016-12-31T23:59:60.500")
    assert found == "2017-01-01T00:00:00.500"
    assert abs((Time(found) - Time("2016-12-31T23:59:60.500")).to_value("s")) == pytest.approx(1.0)


def test_no_other_second_60_is_one(date_of: Any) -> None:
    assert date_of(DATE__OBS="2016-12-30T23:59:60") == "2016-12-30"


@pytest.mark.parametrize("card", ["DATEOBS", "DATE_OBS", "UTDATE", "DATE-BEG"])
def test_other_cards_are_read_where_the_usual_one_is_missing(date_of: Any, card: str) -> None:
    assert date_of(**{card: "2011-08-11T23:23:52"}) == "2011-08-11T23:23:52"
    assert date_of(**{card: "2011-08-11", "DATE-OBS": "2012-01-02T03:04:05"}) == "2012-01-02T03:04:05"
    assert date_of(**{card: "2011-08-11T23:23:52", "DATE-OBS": "2015-02-30"}) == "2011-08-11T23:23:52"


@pytest.mark.parametrize("clock", ["UTSTART", "TIME-OBS", "UT"])
def test_a_date_and_a_time_may_stand_in_two_cards(date_of: Any, clock: str) -> None:
    assert date_of(**{"UTDATE": "2011:08:11", clock: "9:05:03.5"}) == "2011-08-11T09:05:03.5"
    assert date_of(**{"UTDATE": "2011:08:11", clock: "29:05:03.5"}) == "2011-08-11"


def test_an_impossible_time_gives_way_to_the_modified_julian_date(date_of: Any) -> None:
    found = date_of(**{"DATE-OBS": "2016-12-30T24:00:00", "MJD-OBS": 57752.5})
    assert Time(found).mjd == pytest.approx(57752.5, abs=1e-8)

"""Facts that most headers share: names, exposure, signal-to-noise ratio and velocity frame, in the contract's form."""

from __future__ import annotations

import math
import re
from typing import Any

from spectral_zarr.model import Observation
from spectral_zarr.readers.fits import Header
from spectral_zarr.readers.observing.dates import date_obs, start_mjd
from spectral_zarr.readers.observing.position import sky

_TOTALS = ("TOTALEXP", "TEXPTIME", "TOTEXP", "ITOT")
_SINGLE = re.compile(r"\b(each|single|per|individual|mean|average)\b", re.IGNORECASE)


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


def instrument_name(header: Header) -> str:
    """Name of the instrument: INSTRUME, or INSTR where it is missing."""
    return first_text(header, "INSTRUME", "INSTR")


def exposure(header: Header, *keywords: str) -> float:
    """Exposure time in seconds, of a combination the total; NaN when it is unknown.

    Parameters
    ----------
    header : Header
        The header with the observing cards.
    *keywords : str
        Cards of the product that come first.

    Notes
    -----
    TOTALEXP, TEXPTIME, TOTEXP and ITOT are totals by their name. EXPTIME and EXPOSURE are totals unless their comment
    speaks of a single exposure; they and ITIME, the time of one integration, are then multiplied by NCOMBINE, and
    ITIME by the coadds of the detector as well.
    """
    found = positive(first_number(header, *keywords, *_TOTALS))
    if math.isfinite(found):
        return found
    for keyword in ("EXPTIME", "EXPOSURE", "ITIME"):
        found = positive(header.number(keyword))
        if math.isnan(found):
            continue
        if keyword == "ITIME":
            return found * _count(header, "COADDS", "CO_ADDS") * _count(header, "NCOMBINE")
        return found * (_count(header, "NCOMBINE") if _SINGLE.search(header.comment(keyword)) else 1)
    return math.nan


def _count(header: Header, *keywords: str) -> int:
    return next((n for keyword in keywords if (n := header.integer(keyword)) is not None and n > 0), 1)


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
        "instrument": instrument_name(header),
        "object": first_text(header, "OBJECT", "OBJNAME", "TARGNAME"),
        "program_id": first_text(header, "PROG_ID", "ESO OBS PROG ID", "PROGRAM", "PROPOSID"),
        "velocity_frame": velocity_frame(header.text("SPECSYS")),
        "snr": snr,
        "snr_method": snr_method,
        "mjd": start_mjd(header),
        "exptime": exposure(header),
        "airmass": positive(first_number(header, "AIRMASS", "ESO TEL AIRM START")),
    }
    if "date_obs" not in known:
        facts["date_obs"] = date_obs(header)
    if "ra" not in known:
        facts.update(sky(header)._asdict())
    return Observation(**{**facts, **known})

"""Unit strings as they occur in survey files, repaired to canonical text that astropy parses."""

from __future__ import annotations

import math
import re
import warnings
from functools import lru_cache
from typing import Any

ANGSTROM = "Angstrom"
DIMENSIONLESS = "dimensionless"

UNPARSED_UNITS = frozenset({DIMENSIONLESS, "adu", "ct", "count", "counts", "electron", "relative_flux", "instrumental"})
"""Unit texts that a store may carry although they are not physical units of astropy."""

_FLUX_DENSITY = "erg / (Angstrom cm2 s)"

_ALIASES = {
    "erg/cm^2/s/ang": _FLUX_DENSITY,
    "erg/s/cm2/a": _FLUX_DENSITY,
    "erg/s/cm^2/a": _FLUX_DENSITY,
    "erg/cm2/s/a": _FLUX_DENSITY,
    "erg/cm^2/s/a": _FLUX_DENSITY,
    "erg/s/cm**2/a": _FLUX_DENSITY,
    "erg/s/cm2/ang": _FLUX_DENSITY,
    "erg/s/cm^2/ang": _FLUX_DENSITY,
    "erg/s/cm2/angstrom": _FLUX_DENSITY,
    "erg/cm/s/ang": _FLUX_DENSITY,
    "flam": _FLUX_DENSITY,
    "fnu": "erg / (Hz cm2 s)",
    "photlam": "ph / (Angstrom cm2 s)",
    "photnu": "ph / (Hz cm2 s)",
    "adu": "adu",
    "du/pixel": "adu",
    "counts": "ct",
    "count": "ct",
    "ct": "ct",
    "fn": "ct",
    "electron": "electron",
    "electrons": "electron",
    "e-": "electron",
    "jy": "Jy",
    "relative flux": DIMENSIONLESS,
    "instrumental": DIMENSIONLESS,
    "relative": DIMENSIONLESS,
    "relative units": DIMENSIONLESS,
    "arbitrary": DIMENSIONLESS,
    "arbitrary units": DIMENSIONLESS,
    "arb. units": DIMENSIONLESS,
    "normalized flux": DIMENSIONLESS,
    "normalised flux": DIMENSIONLESS,
    "none": DIMENSIONLESS,
    "unitless": DIMENSIONLESS,
    "normalized": DIMENSIONLESS,
    "normalised": DIMENSIONLESS,
    "dimensionless": DIMENSIONLESS,
    "dimensionless_unit": DIMENSIONLESS,
    "1": DIMENSIONLESS,
}

_LENGTHS = {
    "angstrom": 1.0,
    "angstroms": 1.0,
    "angstroem": 1.0,
    "ang": 1.0,
    "angs": 1.0,
    "angstr": 1.0,
    "a": 1.0,
    "aa": 1.0,
    "å": 1.0,
    "0.1 nm": 1.0,
    "0.1nm": 1.0,
    "nm": 10.0,
    "1 nm": 10.0,
    "nanometer": 10.0,
    "nanometers": 10.0,
    "nanometre": 10.0,
    "um": 1e4,
    "micron": 1e4,
    "microns": 1e4,
    "micrometer": 1e4,
    "micrometers": 1e4,
    "micro-meter": 1e4,
    "microm": 1e4,
    "mum": 1e4,
    "µm": 1e4,
    "μm": 1e4,
    "mm": 1e7,
    "cm": 1e8,
    "m": 1e10,
    "meter": 1e10,
    "meters": 1e10,
    "metres": 1e10,
    "metre": 1e10,
}

_SCALE = re.compile(
    r"(?:\(?\s*10(?:\.0*)?\s*(?:(?:\*\*|\^)\s*\(?\s*(?P<power>[+-]?\d+)|(?P<bare_power>[+-]\d+))\s*\)?\s*\)?"
    r"|10\((?P<power_in_parentheses>[+-]?\d+)\)"
    r"|(?P<number>\d+(?:\.\d*)?(?:[eEdD][+-]?\d+)?))"
    r"\s*[.*]?\s*(?P<rest>[A-Za-zÅ(/].*)\Z"
)
_MEDIUM = re.compile(r"\((?:vac|vacuum|air)\)|\b(?:in )?(?:vacuum|air)\b")
_MARKUP = (
    (re.compile(r"\\mathrm|\\rm|\\,|\\;|\\ |\$"), " "),
    (re.compile(r"\\times|×"), " "),
    (re.compile(r"\\cdot|·|⋅"), " "),
    (re.compile(r"\{?\\AA\}?|\\r\{A\}|\\angstrom|[Åå]ngstr(?:ö|oe|o)ms?|Angstr(?:ö|oe)ms?|Å"), "Angstrom"),
    (re.compile(r"\\mu\s*|μ|µ"), "u"),
    (re.compile(r"\{([^{}]*)\}"), r"\1"),
    (re.compile(r"(?<=[A-Za-z\d])_(?=[A-Za-z]+-?\d)"), " "),
    (re.compile(r"\A\s*[xX]\s*(?=\(?1)"), ""),
)
"""What LaTeX and people put into a unit, and what stays of it."""

_LABEL = re.compile(
    r"\A\s*(?:(?:specific )?flux|flux density|f_?lambda|f_?lam|f_?nu|f|wave(?:length)?|lambda)"
    r"\s*[\[(](?P<unit>.*)[\])]\s*\Z",
    re.IGNORECASE,
)
_WORDS = tuple(
    (re.compile(rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])"), proper)
    for words, proper in (
        (r"AA?|[Aa]ng(?:s|str)?\.?|[Aa]ngstroms?|ANG|ANGSTROMS?|[Aa]ngstroem", ANGSTROM),
        (r"[Cc]ounts|COUNTS?|[Cc]ts|CTS", "ct"),
        (r"ERGS?|[Ee]rgs|Erg", "erg"),
        (r"ADU", "adu"),
        (r"[Pp]hotons|PHOTONS?", "photon"),
        (r"[Mm]icrons?|MICRONS?|[Mm]icrom(?:eters?)?", "um"),
        (r"[Ww]atts?|WATTS?", "W"),
        (r"e-(?=/|\s|$)|[Ee]lectrons?|ELECTRONS?", "electron"),
        # A flux has seconds and no siemens.
        (r"S|[Ss]ec|SEC|[Ss]econds?", "s"),
        (r"HZ|hz", "Hz"),
        (r"CM", "cm"),
        (r"sq ?cm|SQ ?CM", "cm2"),
        (r"JY|[Jj]anskys?", "Jy"),
        (r"mjy|[Mm]illi-?(?:Jy|[Jj]anskys?)", "mJy"),
        (r"[Mm]icro-?(?:Jy|[Jj]anskys?)", "uJy"),
    )
)
"""Words that astropy does not read, or reads as something else, and what they mean."""

_NO_FLUX = (
    *("length", "time", "speed", "frequency", "angle", "mass", "temperature"),
    *("electrical current", "electrical potential"),
)
"""Physical types that no flux has: a text that parses to one of them means something else."""

_MAGNITUDE = re.compile(r"(?:AB|ST|VEGA|OB|M_)?MAG(?:\(.*\))?", re.IGNORECASE)


def is_magnitude(text: str) -> bool:
    """Whether a unit is one of magnitudes, whose numbers no other unit makes a flux."""
    return _MAGNITUDE.fullmatch(text.strip()) is not None


@lru_cache(maxsize=1024)
def wavelength_factor(text: str) -> float | None:
    """Factor that converts a wavelength in the given unit to Angstrom.

    Parameters
    ----------
    text : str
        Unit as the file writes it, for example ``angstrom``, ``0.1 nm``, ``A`` or ``MICRON``.

    Returns
    -------
    float or None
        None when the text is not a unit of length.
    """
    if _absurd(text):
        return None
    plain = " ".join(_MEDIUM.sub(" ", _plain(text).lower()).replace(",", " ").split()).rstrip(".")
    known = _LENGTHS.get(plain)
    if known is not None:
        return known
    factor, rest = _split_scale(plain)
    length = _LENGTHS.get(rest)
    known = float(f"{factor * length:.12g}") if length is not None else 0.0
    return known if known > 0 and math.isfinite(known) else None


LONGEST_UNIT = 200
_ABSURD_POWER = re.compile(r"(?:\*\*|\^)[\s(+-]*\d{4}")
"""A power of so many digits is computed to the last of them, which takes for ever."""


@lru_cache(maxsize=1024)
def canonical_unit(text: str) -> str | None:
    """Canonical text of a flux unit.

    ``A`` is read as Angstrom and never as ampere. A power of ten in front is kept as a scale of the unit.

    Parameters
    ----------
    text : str
        Unit as the file writes it, for example ``10**(-16)erg.cm**(-2).s**(-1).angstrom**(-1)``.

    Returns
    -------
    str or None
        A unit that astropy parses or one of `UNPARSED_UNITS`; None when the text is blank or not understood.
    """
    if not text.strip() or _absurd(text):
        return None
    text = _plain(text)
    if not text:
        return None
    known = _ALIASES.get(text.lower())
    if known is not None:
        return known
    factor, rest = _split_scale(text)
    body = _ALIASES.get(rest.lower()) or _parse(rest)
    if body is None or factor == 1.0:
        return body
    return _scaled(factor, body) if math.isfinite(factor) and factor > 0 and body != DIMENSIONLESS else None


def wavelength_problem(text: str) -> tuple[str, bool] | None:
    """Why a text is no unit for the wavelengths of a store, and whether that makes them wrong.

    Returns
    -------
    (str, bool) or None
        True for a unit that is no length at all; None for Angstrom, nm, um and m.
    """
    if text in ("Angstrom", "nm", "um", "m"):
        return None
    if text.strip() == "A":
        return "is ampere, not Angstrom", True
    unit = _astropy_unit(text)
    if unit is None:
        return "is not understood by astropy", wavelength_factor(text) is None
    return ("is another length", False) if unit.physical_type == "length" else ("is not a length", True)


def unit_problem(text: str) -> str | None:
    """Why a text is no unit for the fluxes of a store; None when it is one.

    Notes
    -----
    Ampere is a problem although astropy parses it: in a flux it always was an Angstrom.
    """
    if text in UNPARSED_UNITS or _split_scale(text)[1] in _ALIASES.values():
        return None
    unit = _astropy_unit(text)
    if unit is None:
        return "is not understood by astropy"
    if not hasattr(unit, "bases"):
        return "is a logarithm, not a flux"
    if any(base.physical_type == "electrical current" for base in unit.decompose().bases):
        return "contains ampere, not Angstrom"
    return None


def same_dimension(one: str, other: str) -> bool:
    """Whether values in one unit can be converted to another."""
    first, second = _astropy_unit(one), _astropy_unit(other)
    if first is None or second is None:
        return one.strip() == other.strip()
    return bool(first.is_equivalent(second))


def unit_ratio(one: str, other: str, power: int) -> float | None:
    """Factor from a canonical unit to a power of another, None when they have no common dimension."""
    first, second = _astropy_unit(one), _astropy_unit(other)
    if first is None or second is None:
        return None
    wanted = second**power
    return float(first.to(wanted)) if first.is_equivalent(wanted) else None


@lru_cache(maxsize=1024)
def _astropy_unit(text: str) -> Any:
    from astropy import units

    if text == DIMENSIONLESS:
        return units.dimensionless_unscaled
    if _absurd(text):
        return None
    try:
        with warnings.catch_warnings():
            # What astropy discourages in a store of others is not for the reader of a report.
            warnings.simplefilter("ignore", units.UnitsWarning)
            unit = units.Unit(text)
            unit.decompose()
            return unit
    except (ValueError, TypeError, ArithmeticError):
        return None


def _absurd(text: str) -> bool:
    return len(text) > LONGEST_UNIT or _ABSURD_POWER.search(text) is not None


def _plain(text: str) -> str:
    """A unit without markup, label and the brackets around the whole."""
    for pattern, plain in _MARKUP:
        text = pattern.sub(plain, text)
    text = " ".join(text.split())
    if inner := _LABEL.match(text):
        text = inner["unit"].strip()
    while text[:1] in ("(", "[") and _closes_at_end(text):
        text = text[1:-1].strip()
    return text


def _closes_at_end(text: str) -> bool:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if depth == 0:
            return place == len(text) - 1
    return False


def _split_scale(text: str) -> tuple[float, str]:
    match = _SCALE.match(text)
    if match is None:
        return 1.0, text
    power = match["power"] or match["bare_power"] or match["power_in_parentheses"]
    number = f"1e{power}" if power else match["number"].lower().replace("d", "e")
    rest = match["rest"].strip()
    return float(number), f"1 {rest}" if rest.startswith("/") else rest


def _parse(text: str) -> str | None:
    from astropy import units

    repaired = text
    for pattern, proper in _WORDS:
        repaired = pattern.sub(proper, repaired)
    for candidate in (repaired, repaired.lower().replace("angstrom", ANGSTROM)):
        for format_ in ("fits", None):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", units.UnitsWarning)
                    unit = units.Unit(candidate, format=format_)
            except (ValueError, TypeError, ArithmeticError):
                continue
            if isinstance(unit, units.function.FunctionUnitBase) or unit in (units.mag, units.dex):
                # A logarithm is no flux.
                return None
            if any(base.physical_type == "electrical current" for base in unit.bases):
                return None
            if unit.bases and any(unit.physical_type == name for name in _NO_FLUX):
                return None
            if not unit.bases:
                return DIMENSIONLESS if unit.scale == 1.0 else None
            body = _compose({str(base): power for base, power in zip(unit.bases, unit.powers, strict=True)})
            return body if unit.scale == 1.0 else _scaled(float(unit.scale), body)
    return None


def _scaled(factor: float, body: str) -> str:
    return f"{factor!r}{body[1:]}" if body.startswith("1 /") else f"{factor!r} {body}"


def _compose(powers: dict[str, float]) -> str:
    above = " ".join(_power(base, powers[base]) for base in sorted(powers) if powers[base] > 0) or "1"
    below = [_power(base, -powers[base]) for base in sorted(powers) if powers[base] < 0]
    if not below:
        return above
    return f"{above} / {below[0]}" if len(below) == 1 else f"{above} / ({' '.join(below)})"


def _power(base: str, power: float) -> str:
    if power == 1:
        return base
    return f"{base}{int(power)}" if power == int(power) else f"{base}({power})"

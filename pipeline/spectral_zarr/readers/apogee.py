"""What the products of APOGEE share: sentinels, header fields, identifiers, and the velocity that was measured."""

from __future__ import annotations

import math

from spectral_zarr.readers.fits import Header, HeaderPolicy
from spectral_zarr.readers.observing import first_number, positive

FLUX_UNIT = "1E-17 erg/cm^2/s/Ang"
"""Unit of the calibrated flux, for headers whose BUNIT cannot be understood."""

BAD_ERROR = 1e9
"""Errors of 1e10, divided by the root of the number of visits, mark pixels without a measurement."""

_FASTEST_STAR = 1e4

APOGEE_POLICY = HeaderPolicy(
    allow=(
        r"OBJID|OBJ|LOCID|FIELD|NVISITS|VSCATTER|VERR|BC|STARFLAGS?|ANDFLAGS?|PLATE|MJD5|FIBERID|APRED|STARVER",
        r"GSRCID|GRELEASE|GLON|GLAT|TELESCOP|SPECLIB|FERRE|[JHK]",
    ),
    deny=(
        r"(SFILE|DATE|JD|HJD|FIBER|BC|VRAD|VERR|VHELIO|SNRVIS|FLAG|VTYPE|CHISQ|FRAME|WCOEF|PSFPAR|LSFPAR|TELLF)\d+.*",
        r"[RGB](OVER)?(MIN|MAX)",
    ),
)


def joined_id(*parts: str) -> str:
    """Parts of an identifier joined by hyphens, without blanks and without the empty ones."""
    return "-".join("_".join(part.split()) for part in parts if part)


def telescope_of_file(name: str) -> str:
    """Telescope that the prefix of a file name tells, '' when it tells none."""
    # The 1-metre telescope at Apache Point writes the same prefix as the 2.5-metre one.
    return "lco25m" if name.startswith("as") else "apo" if name.startswith("ap") else ""


def heliocentric_velocity(header: Header) -> float:
    """Radial velocity of the star in km/s, NaN when it was not measured."""
    value = first_number(header, "VHELIO", "VHBARY", "VRAD")
    return value if abs(value) < _FASTEST_STAR else float("nan")


def velocity_params(header: Header) -> dict[str, float]:
    """Radial velocity and its error, empty when it was not measured."""
    velocity, error = heliocentric_velocity(header), positive(header.number("VERR"))
    if not math.isfinite(velocity):
        return {}
    return {"rv": velocity, "e_rv": error if error < _FASTEST_STAR else float("nan")}


def gaia_id(text: str) -> str:
    """A Gaia source identifier, '' for a sentinel."""
    return text if text.isdigit() and int(text) > 0 else ""

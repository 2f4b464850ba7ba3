"""What the optical products of SDSS share: unit, medium, header fields, the identifier of a fibre, the time in TAI."""

from __future__ import annotations

import math
import re
from typing import Any

from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Observation
from spectral_zarr.readers.axis import stated_medium
from spectral_zarr.readers.fits import Header, HeaderPolicy
from spectral_zarr.readers.observing import date_from_mjd, date_obs, first_number, first_text, positive, sky

FLUX_UNIT = "1E-17 erg/cm^2/s/Ang"
"""Unit of the calibrated flux in every optical product, for headers that do not give it."""

LOG_STEP, LOG_TOLERANCE = 1e-4, 0.01
"""Step of the lattice k * step of log10(wavelength) that all coadds sample; float32 blurs it by 0.0024 pixel."""

SDSS_POLICY = HeaderPolicy(
    allow=(
        r"PLATE(ID)?|MJD|FIBERID|NAME|TILEID|PLUG_RA|PLUG_DEC|RUN2D|VERS2D|NEXP|TAI-(BEG|END)|CARTID|COEFF0|COEFF1",
        r"FIELD(ID)?|CATALOGID|SDSS_ID|RAOBJ|DECOBJ",
    ),
    deny=(
        r"EXPID\d+|SCHI2.*|.*OFFSTD|.*RMSSTD|MC2.*|SN2EXT.*|(FRAMESN2|DFRAME|SPCALIB).*",
        r"VERS(UTIL|IDL|READ|FLAT|CAL|LOG|COMB).*|OP\w*|OPSCAN.*|NGUIDE|GUIDER\d+|SEEING\d+|TCCOFF.*|IDLUTV.*",
        r"SPECTRO.*FILE",
    ),
)

_TAI_MINUS_UTC = (
    (57754.0, 37.0),
    (57204.0, 36.0),
    (56109.0, 35.0),
    (54832.0, 34.0),
    (53736.0, 33.0),
    (51179.0, 32.0),
)
"""First MJD (UTC) and TAI-UTC in seconds, from the IERS Bulletin C series; SDSS has no spectra before 1999."""

_FIRST_BOSS = 55_000
"""The SDSS spectrographs were rebuilt in the summer of 2009; later reductions of their plates are called v5 as well."""

_SPEC_NAME = re.compile(r"spec-(?:lite-)?(\d+)-(\d+)-(\w+)\.fit.*")
_BOSS_REDUCTION = re.compile(r"v(?:[5-9]|\d\d)|master|trunk")


def is_sdss(header: Header) -> bool:
    """Whether a primary header is of an optical SDSS product."""
    if header.text("TELESCOP").upper() == "LAMOST":
        return False
    return header.text("TELESCOP").upper().startswith("SDSS") or "VERS2D" in header or "RUN2D" in header


def flux_unit(header: Header) -> str:
    """Unit of the flux: BUNIT where it can be understood."""
    unit = header.text("BUNIT")
    return unit if canonical_unit(unit) else FLUX_UNIT


def medium(header: Header) -> str:
    """Medium of the wavelengths: vacuum, unless a card says otherwise."""
    return stated_medium(header, "vacuum")


def plate_number(header: Header) -> int | None:
    """Plate of the observation."""
    plate = header.integer("PLATEID")
    return header.integer("PLATE") if plate is None else plate


def fibre_id(plate: int | None, mjd: int | None, fiber: int | None, path: str) -> str:
    """Identifier of the spectrum of a fibre.

    Raises
    ------
    MissingField
        When the header gives no plate, MJD or fibre and the file name neither.
    """
    if plate is not None and mjd is not None and fiber is not None:
        return f"sdss-{plate}-{mjd}-{fiber:04d}"
    match = _SPEC_NAME.fullmatch(path.rpartition("/")[2])
    if match is None:
        message = "PLATEID, MJD or FIBERID is missing from the header, the summary table and the file name"
        raise MissingField(f"{message}; rename the file spec-<plate>-<mjd>-<fiber>.fits", path=path, hdu=0)
    return f"sdss-{int(match[1])}-{match[2]}-{match[3]}"


def observe_sdss(header: Header, **known: Any) -> Observation:
    """Facts of the primary header of an optical product, with what the product knows better."""
    mjd = _tai_start(header)
    facts: dict[str, Any] = {
        "instrument": first_text(header, "INSTRUME") or _spectrograph(header),
        "object": first_text(header, "OBJECT"),
        "program_id": first_text(header, "PROGRAM"),
        "date_obs": date_from_mjd(mjd) or date_obs(header) or date_from_mjd(header.number("MJD"))[:10],
        "velocity_frame": "heliocentric",
        "flux_calibration": "absolute",
        "mjd": mjd,
        "exptime": positive(first_number(header, "EXPTIME")),
        "airmass": first_number(header, "AIRMASS"),
        "rv_applied": first_number(header, "HELIO_RV"),
    }
    if "ra" not in known:
        # RA and DEC beside them are where the telescope pointed, up to 1.5 degrees from the fibre.
        pair = ("PLUG_RA", "PLUG_DEC") if "PLUG_RA" in header else ("RA", "DEC")
        facts.update(sky(header, pair)._asdict())
    return Observation(**{**facts, **known})


def _spectrograph(header: Header) -> str:
    mjd = first_number(header, "MJD")
    if (mjd if math.isfinite(mjd) else _tai_start(header)) < _FIRST_BOSS:
        return "SDSS"
    # Reductions of the BOSS spectrographs are named v5_* and v6_*, those of the SDSS spectrographs 26, 103, 104 or,
    # until DR7, v4_*.
    return "BOSS" if _BOSS_REDUCTION.match(first_text(header, "RUN2D", "VERS2D")) else "SDSS"


def _tai_start(header: Header) -> float:
    tai = first_number(header, "TAI-BEG", "TAI")
    if not 4.0e9 < tai < 7.0e9:
        return float("nan")
    mjd = tai / 86400
    offset = next((seconds for first, seconds in _TAI_MINUS_UTC if mjd >= first), 32.0)
    return mjd - offset / 86400

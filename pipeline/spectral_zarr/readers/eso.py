"""What ESO headers have in common: the cards worth keeping and where the barycentric correction stands."""

from __future__ import annotations

from typing import Any

from spectral_zarr.model import Observation
from spectral_zarr.readers.fits import Header, HeaderPolicy
from spectral_zarr.readers.observing import first_number, observe

ESO_POLICY = HeaderPolicy(
    allow=(
        r"ESO OBS (ID|NAME|PROG ID|START|TARG NAME|GRP)|ESO DPR (CATG|TECH|TYPE)|ESO TPL (ID|NAME|START)",
        r"ESO TEL (AIRM (START|END)|ALT|AZ|PARANG (START|END)|GEOLAT|GEOLON|GEOELEV|MOON (RA|DEC)|TARG .*)",
        r"ESO TEL AMBI (FWHM (START|END)|RHUM|TEMP|PRES (START|END)|TAU0|WINDSP|WINDDIR)",
        r"ESO INS (MODE|PATH|SLIT\d WID|GRAT\d (NAME|WLEN)|FILT1 NAME)|ESO DRS (BERV|BERVMX|BJD|VERSION|BARYCORR)",
        r"ESO QC VRAD (BARYCOR|HELICOR)|ESO PRO (CATG|TYPE)|ESO PRO REC1 (ID|PIPE ID)",
        r"ARCFILE|ORIGFILE|OBSTECH|DISPELEM|M_EPOCH|PRODCATG|SPEC_VAL|SPEC_BW|TELAPSE|TMID|EXT_OBJ|TITLE|PROCSOFT",
        # Literally, so that it survives the pattern that drops the other quality-control cards.
        "ESO QC BERV",
    ),
    deny=(
        r"ESO DRS (CAL|SPE|CCF|BLAZE|FLAT|DRIFT).*|ESO DET .*|ESO (ADA|OCS|COU|GEN|LOG|DOME) .*",
        r"ESO INS (TEMP|SENS|DET|OPTI|LAMP|SHUT|MIRR|ROT|ADC|ADS|DPOR|PIEZ|SW)\d* .*",
        r"ESO TEL (FOCU|CHOP|TH|M[12]|ACTO|DATE|OPER|PS|TRAK|ECS) ?.*|ESO TPL (FILE|EXPNO|NEXP|PRESEQ|VERSION).*",
        r"ESO PRO REC\d+ (RAW|CAL|PARAM)\d+ .*|ESO QC (?!VRAD).*",
    ),
)


def barycentric_velocity(header: Header) -> float:
    """Barycentric correction in km/s as the ESO pipelines record it, applied or not; NaN when they do not."""
    return first_number(header, "ESO QC BERV", "ESO DRS BERV", "ESO DRS BARYCORR", "ESO QC VRAD BARYCOR")


def observe_eso(header: Header, **known: Any) -> Observation:
    """Facts of an ESO header; where the wavelengths are barycentric, the correction has been applied."""
    berv = barycentric_velocity(header)
    facts: dict[str, Any] = {"berv": berv}
    if known.get("velocity_frame") in ("barycentric", "heliocentric"):
        facts["rv_applied"] = berv
    return observe(header, **{**facts, **known})

"""Which header cards become ``metadata/h*`` fields: the allow and deny lists of the contract's interpretation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.readers.fits.cards import CARD, card_text
from spectral_zarr.readers.fits.header import Header

COMMON_ALLOW = (
    r"OBJECT|OBJNAME|TARGNAME|RA|DEC|RA_TARG|DEC_TARG|EQUINOX|RADE(C)?SYS|EXPTIME|TEXPTIME|EXPOSURE|DATE-OBS|TIME-OBS",
    r"DATE-END|MJD(-OBS|-END|-AVG)?|UT|UTC|LST|TIMESYS|JD|BJD|HJD|TELESCOP|INSTRUME|DETECTOR|ORIGIN|OBSERVAT|OBSERVER",
    r"PI-COI|PROG_ID|PROGRAM|AIRMASS|SPECSYS|VELOSYS|BERV|VHELIO|HELIO_RV|SNR|S_?N|SPEC_RES|SPEC_BIN|WAVELMIN|WAVELMAX",
    r"FLUXCAL|CONTNORM|BUNIT|CTYPE1|CUNIT1|CRVAL1|CDELT1|CD1_1|CRPIX1|DC-FLAG|VACUUM|SEEING|HUMIDITY|NCOMBINE|APERTURE",
    r"SLIT|GRATING|FILTER|AIRTEMP|TEMP_AIR|DEWPOINT|PRESSURE|WIND[DS]|MOONPHA|LATITUDE|LONGITUD|QUALITY|EXTNAME|SURVEY",
)
COMMON_DENY = (
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|THEAP|TFIELDS|TFORM\d+|TDIM\d+|TDISP\d+|TNULL\d+",
    r"CHECKSUM|DATASUM|COMMENT|HISTORY|LTM.*|LTV.*|WAT\d.*|DETSEC|DATASEC|BIASSEC|CCDSEC|TRIMSEC|IRAF.*|BSCALE|BZERO",
    r"ZIMAGE|ZCMPTYPE|ZNAXIS\d*|ZTILE\d+|ZBITPIX|PROV\d+|ASS(ON|OC|OM)\d+|.*(TEMP|VOLT|PRES|FOCUS)\d+",
)


@dataclass(frozen=True, slots=True)
class HeaderPolicy:
    """Allow and deny patterns of one product, added to the common lists.

    Attributes
    ----------
    allow, deny : tuple of str
        Regular expressions that match whole keywords without ``HIERARCH``. Deny wins, unless a keyword is
        literally one of the alternatives in `allow`.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def wants(self, keyword: str) -> bool:
        """Whether cards of a keyword are projected."""
        allow, deny, literal = _patterns(self)
        return keyword in literal or (allow.fullmatch(keyword) is not None and deny.fullmatch(keyword) is None)


@lru_cache(maxsize=256)
def _patterns(policy: HeaderPolicy) -> tuple[re.Pattern[str], re.Pattern[str], frozenset[str]]:
    allow = (*COMMON_ALLOW, *policy.allow)
    literal = frozenset(word for pattern in policy.allow for word in pattern.split("|"))
    return (
        re.compile("|".join(f"(?:{pattern})" for pattern in allow)),
        re.compile("|".join(f"(?:{pattern})" for pattern in (*COMMON_DENY, *policy.deny))),
        literal,
    )


class _Plan(NamedTuple):
    """What is projected of all headers with the same keywords in the same places."""

    keys: tuple[HeaderKey, ...]
    offsets: tuple[int, ...]
    continued: tuple[tuple[HeaderKey, int], ...]


def _plan(header: Header, hdu: int, policy: HeaderPolicy, columns: tuple[int, ...]) -> _Plan:
    cards = header.cards
    asked = (hdu, policy, columns)
    known: _Plan | None = cards.derived.get(asked)
    if known is None:
        wanted = {
            (hdu, keyword, occurrence): offset
            for keyword, offsets in cards.offsets.items()
            if policy.wants(keyword)
            for occurrence, offset in enumerate(offsets, start=1)
        }
        for number in columns:
            for stem in ("TTYPE", "TUNIT", "TUCD"):
                keyword = f"{stem}{number}"
                if keyword in cards.offsets:
                    wanted[hdu, keyword, 1] = cards.offsets[keyword][0]
        continued = tuple((key, offset) for key, offset in wanted.items() if offset in cards.continued)
        known = cards.derived[asked] = _Plan(tuple(wanted), tuple(wanted.values()), continued)
    return known


def project(
    headers: Iterable[tuple[int, Header]], policy: HeaderPolicy, columns: Mapping[int, Iterable[int]] | None = None
) -> dict[HeaderKey, str]:
    """Text of the reusable cards of a file.

    Parameters
    ----------
    headers : iterable of (int, Header)
        HDU index and header.
    policy : HeaderPolicy
        What the product keeps.
    columns : mapping of int to iterable of int, optional
        For an HDU index, the one-based numbers of the table columns used: their TTYPE, TUNIT and TUCD cards are
        kept, for eight columns at most.

    Returns
    -------
    dict
        (HDU, keyword, occurrence) to text; missing values are ''.
    """
    projected: dict[HeaderKey, str] = {}
    for hdu, header in headers:
        plan = _plan(header, hdu, policy, tuple((columns or {}).get(hdu, ()))[:8])
        raw = header.raw
        texts = [card_text(raw[offset : offset + CARD]) for offset in plan.offsets]
        projected.update(zip(plan.keys, texts, strict=True))
        for key, offset in plan.continued:
            projected[key] = header.single_text(offset)
    return projected

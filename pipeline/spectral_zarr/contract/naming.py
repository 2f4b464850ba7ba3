"""Names of projected header fields: ``h{hdu}_{keyword}``, one meaning per name over the whole dataset."""

from __future__ import annotations

import re
from collections.abc import Iterable

HEADER_NAME = re.compile(r"h\d+_[a-z0-9_]+\Z")
NUMBERED_NAME = re.compile(r"(?P<base>h\d+_.+)_(?P<number>[1-9]\d?)\Z")
BULK_HEADER_NAME = re.compile(
    r"h\d+_("
    r"simple|bitpix|naxis\d*|extend|pcount|gcount|tform\d+|tdim\d+|tdisp\d+|tnull\d+|checksum|datasum|comment|history"
    r"|ltm.*|ltv.*|wat\d.*|detsec|datasec|biassec|ccdsec|trimsec|iraf.*|bscale|bzero|prov\d+|ass(on|oc|om)\d+"
    r"|eso_drs_(cal|spe|ccf|blaze|flat|drift)_.*|eso_det_.*|eso_(ada|ocs|cou|gen|log|dome)_.*"
    r"|eso_ins_(temp|sens|det|opti|lamp|shut|mirr|rot|adc|ads|dpor|piez|sw)\d*_.*|eso_pro_rec\d+_(raw|cal|param)\d+_.*"
    r"|.*(temp|volt|pres|focus)\d+"
    r")(_\d+)?\Z"
)
"""Structural cards, provenance series and dense calibration blocks, after sanitising."""

PARAM_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
SPEC_ID = re.compile(r"[\x21-\x7e]+\Z")
SPEC_IDS = re.compile(r"[\x21-\x7e]+(\n[\x21-\x7e]+)*+\Z")
METHOD = re.compile(r"none\Z|(column|hdu|fit|derived):.+\Z")

HeaderKey = tuple[int, str, int]
"""(HDU index, keyword without ``HIERARCH``, occurrence within the HDU counted from 1)."""


def sanitise_keyword(keyword: str) -> str:
    """Lower-case a keyword and map every character outside ``[a-z0-9]`` to one underscore.

    Parameters
    ----------
    keyword : str
        FITS keyword, with or without the ``HIERARCH`` prefix.

    Returns
    -------
    str
        For example ``eso_tel_airm_start`` or ``date_obs``.
    """
    keyword = keyword.removeprefix("HIERARCH ").lower()
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in keyword)


def header_names(keys: Iterable[HeaderKey]) -> dict[HeaderKey, str]:
    """Assign one array name to every header key of a dataset.

    First occurrences claim their names first; repeated cards and different keywords that sanitise to
    the same name take the next free suffix ``_2``, ``_3``, ... The result depends on the set of keys only.

    Parameters
    ----------
    keys : iterable of HeaderKey
        All keys met in the dataset, in any order.

    Returns
    -------
    dict
        Key to name, in sorted order of the keys.
    """
    ordered = sorted(set(keys), key=lambda key: (key[2], key[0], key[1]))
    taken: set[str] = set()
    names: dict[HeaderKey, str] = {}
    for key in ordered:
        base = f"h{key[0]}_{sanitise_keyword(key[1])}"
        name, suffix = base, 2
        while name in taken:
            name = f"{base}_{suffix}"
            suffix += 1
        taken.add(name)
        names[key] = name
    return {key: names[key] for key in sorted(names)}

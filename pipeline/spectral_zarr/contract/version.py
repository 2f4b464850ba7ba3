"""Which versions of the contract a reader of this version understands."""

from __future__ import annotations

import re
from enum import StrEnum

from spectral_zarr.contract.schema import SCHEMA_VERSION

_VERSION = re.compile(r"(?P<major>0|[1-9][0-9]{0,3})\.(?P<minor>0|[1-9][0-9]{0,3})\Z")


class Reading(StrEnum):
    """What a reader does with a store of some version."""

    KNOWN = "known"
    NEWER_MINOR = "newer minor version"
    OTHER_MAJOR = "other major version"
    MALFORMED = "malformed"


def reading(version: object) -> Reading:
    """What a reader does with a store.

    Parameters
    ----------
    version : object
        The root attribute ``schema_version``.

    Returns
    -------
    Reading
        ``KNOWN`` and ``NEWER_MINOR`` are read (minor versions only add), the others are refused.
    """
    if version == SCHEMA_VERSION:
        return Reading.KNOWN
    match = _VERSION.match(version) if isinstance(version, str) else None
    if match is None:
        return Reading.MALFORMED
    return Reading.NEWER_MINOR if match["major"] == SCHEMA_VERSION.split(".")[0] else Reading.OTHER_MAJOR

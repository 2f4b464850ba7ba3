"""Memory that the C library keeps for a process although nothing is in it."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


@cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Give the kernel what earlier tasks have freed, for a task whose own memory is of another kind.

    Workers keep what is freed, because the next spectra take the same; Python's objects, of which a long column is
    made, come from elsewhere.
    """
    if (trim := _trim()) is not None:
        trim(0)

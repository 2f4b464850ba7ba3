"""Hand-made FITS bytes, the reading of astropy that ours is compared with, and runs under memory and CPU limits."""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.card import Undefined

from spectral_zarr.readers.fits.file import FitsFile
from spectral_zarr.testing.fits_bytes import BINTABLE, EMPTY_PRIMARY, IMAGE, SIMPLE, block, card, image_hdu, table_hdu

__all__ = ["BINTABLE", "EMPTY_PRIMARY", "IMAGE", "SIMPLE", "block", "card", "image_hdu", "table_hdu"]

Confined = Callable[..., str]
"""Run `open_fits` on a path in a child process under limits; gives the code of the error, or ``read``."""

SAFE_MEMORY = 1 << 30
SAFE_CPU_SECONDS = 8

_CHILD = """
import resource, sys
from spectral_zarr.errors import SourceError
from spectral_zarr.readers.fits import open_fits
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]),) * 2)
try:
    file = open_fits(sys.argv[1])
    for hdu in file.hdus if sys.argv[4] == "data" else ():
        hdu.header.text("OBJECT")
        if hdu.kind == "table" and not hdu.compressed:
            for column in hdu.layout.columns:
                hdu.column_data(column)
        elif hdu.shape:
            hdu.image()
except SourceError as error:
    print(error.code)
else:
    print("read")
"""


def parsed(raw: bytes) -> FitsFile:
    """Our reading of bytes."""
    return FitsFile(raw, "made.fits")


def reference(raw: bytes | Path) -> fits.HDUList:
    """The reading of astropy, quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdus = fits.open(io.BytesIO(raw) if isinstance(raw, bytes) else raw, memmap=False)
        len(hdus)  # reads all HDUs while warnings are off
    return hdus


def rule_text(value: Any) -> str:
    """The text rule of the contract's interpretation, 6.4 and 6.6, written down once more from the value of astropy."""
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    if isinstance(value, float):
        text = repr(value) if math.isfinite(value) else ""
    else:
        text = str(value).rstrip() if isinstance(value, str) else str(value)
    return (
        "" if text in {"NULL", "None", "nan", "NaN", "INDEF", "N/A"} or re.fullmatch(r"-9999?(\.0*)?", text) else text
    )


def card_texts(header: fits.Header) -> dict[str, list[str]]:
    """Keyword to the texts of its cards in file order, as astropy and the text rule give them."""
    texts: dict[str, list[str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in header.cards:
            # The value comes first, because asking for the image makes astropy repair the card.
            try:
                value = one.value
            except (fits.VerifyError, ValueError):
                value = None
            if one.keyword in ("COMMENT", "HISTORY", "", "END", "CONTINUE") or "=" not in one.image[:80]:
                continue
            texts.setdefault(one.keyword.upper(), []).append(rule_text(value))
    return texts


def texts(values: Any) -> list[str]:
    """The elements as text without padding; astropy leaves bytes where they are not ASCII."""
    return [(v.decode("latin-1") if isinstance(v, bytes) else str(v)).rstrip() for v in values.reshape(-1).tolist()]


def same_array(ours: Any, theirs: Any) -> bool:
    """Whether two arrays agree in shape, kind and every bit of their values; text is compared without its padding."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.dtype.kind == "S":
        return ours.shape == theirs.shape and texts(ours) == texts(theirs)
    if ours.dtype == object or theirs.dtype == object:
        pairs = zip(ours.reshape(-1), theirs.reshape(-1), strict=True)
        return ours.shape == theirs.shape and all(same_array(a, b) for a, b in pairs)
    native = ours.dtype.newbyteorder("=")
    return (
        ours.shape == theirs.shape
        and native == theirs.dtype.newbyteorder("=")
        and ours.astype(native).tobytes() == theirs.astype(native).tobytes()
    )


@pytest.fixture(scope="session")
def confined() -> Confined:
    """Open a file in a child process with 1 GiB of address space and some seconds of CPU."""

    def run(path: Path, *, data: bool = True, memory: int = SAFE_MEMORY) -> str:
        what = "data" if data else "headers"
        command = [sys.executable, "-c", _CHILD, str(path), str(memory), str(SAFE_CPU_SECONDS), what]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"the child ended with {done.returncode}: {done.stderr[-500:]}"
        return done.stdout.strip()

    return run

"""Masks beside a flux: their usual names, which value is good, and the bits that make a pixel bad in each survey.

A bad pixel keeps its flux and loses its uncertainty. Where the bits of a survey are known, those below decide;
elsewhere any bit that is set does, unless ``[readers] mask_bits`` names the bits or ``flagged`` what a flag means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Pixels
from spectral_zarr.readers.fits import Header

Bad = NDArray[np.bool_]

BAD_NAMES = frozenset(
    {"mask", "masks", "flux_mask", "mask_flux", "bad_mask", "badmask", "mask_bad", "bitmask", "pixmask", "pixel_mask"}
    | {"pix_mask", "pixel_flag", "pixel_flags", "dq", "dq_flag", "dq_flags", "flux_dq", "data_quality", "quality"}
    | {"qual", "qual_flux", "flux_qual", "quality_flag", "quality_flags", "qflag", "flag", "flags", "flux_flag"}
    | {"flux_flags", "bad", "badpix", "bad_pix", "badpixel", "bad_pixel", "bad_pixels", "badpixels", "bpm"}
)
"""Columns, images and arrays in which zero or false is a good pixel, in lower case."""

GOOD_NAMES = frozenset(
    {"good", "is_good", "goodmask", "good_mask", "mask_good", "goodpix", "good_pix", "goodpixel", "good_pixel"}
    | {"goodpixels", "good_pixels", "valid", "is_valid", "valid_mask", "valid_pixels"}
)
"""Those in which it is a bad one."""

SDSS_NAMES = frozenset({"and_mask", "andmask", "or_mask", "ormask"})
"""SPPIXMASK of all and of any of the exposures, also in products derived from those of SDSS; see `SDSS_BITS`."""

ANY_BIT = (1 << 64) - 1
NO_BIT = 0

SDSS_BITS = NO_BIT
"""SPPIXMASK (SDSS bitmasks, SDSS-V alike): the pipeline gives pixels to be ignored an inverse variance of
zero. The bits beside a positive one are warnings, such as NEARBADPIXEL (16), PARTIALREJECT (19) and BRIGHTSKY (23),
which OR_MASK has on most of the pixels of a faint object."""

LAMOST_BITS = 0b110111
"""ANDMASK of LAMOST (data release documentation): bad CCD pixel (0), bad profile (1), no sky (2), trace out of the CCD
(4) and no data (5) in all exposures; a bright sky (3) is a warning. Flagged pixels may have a flux of zero and a
positive inverse variance, so that the mask has to be read."""

MASTAR_BITS = NO_BIT
"""MANGA_DRP2PIXMASK, which continues SPPIXMASK: what was rejected has an inverse variance of zero."""

APOGEE_BITS = 0b100_0000_1111_1111
"""BADPIX (0), CRPIX (1), SATPIX (2), UNFIXABLE (3), BADDARK (4), BADFLAT (5), BADERR (6), NOSKY (7) and NOT_ENOUGH_PSF
(14) of APOGEE_PIXMASK (SDSS bitmasks), the bits that the pipeline itself calls bad. Persistence, sky lines, telluric
lines and the Littrow ghost are warnings. The rule is one for visits, combinations and the products of SDSS-V."""

JWST_BITS = 1
"""DO_NOT_USE (0); the other flags of JWST tell why, or are warnings."""

STIS_BITS = 31743
"""SDQFLAGS where the header has none: all but 1024, a small blemish (STIS Data Handbook, section 2.5)."""

COS_BITS = 8346
"""SDQFLAGS of far-ultraviolet spectra, for files that lack the card (COS Data Handbook, section 2.7)."""

EUCLID_BITS = ANY_BIT & ~0b11_1110
"""A mask that is odd, or 64 or more, says do not use; bits 1 to 5 are warnings (Euclid SIR combined spectra)."""

_INFORMATIVE_PLANES = frozenset({"DETECTED", "DETECTED_NEGATIVE", "NOT_DEBLENDED", "FIBERTRACE", "REFLINE", "IPC"})
"""Mask planes of the LSST and PFS pipelines that say where something is, not that a pixel is bad."""


def mask_meaning(name: str) -> str:
    """``bad``, ``good`` or ``sdss`` for the customary name of a mask, '' for any other."""
    name = name.strip().lower()
    return "bad" if name in BAD_NAMES else "good" if name in GOOD_NAMES else "sdss" if name in SDSS_NAMES else ""


def bad_pixels(values: Pixels, options: ReaderOptions, bits: int = ANY_BIT) -> Bad:
    """Pixels that have a bit of a survey, or of ``[readers] mask_bits``, which wins.

    Parameters
    ----------
    values : ndarray, shape (n_pix,)
        Flags: integers, floats that hold integers, or logicals. NaN is bad.
    options : ReaderOptions
        The user's options.
    bits : int
        Bits that make a pixel bad where the user names none.
    """
    return flagged(values, _wanted(options, bits))


def bad_where_asked(read: Callable[[], Pixels], options: ReaderOptions, bits: int = NO_BIT) -> Bad | None:
    """`bad_pixels` of a mask of which a survey calls few bits or none bad; it is read only when some bit counts.

    Parameters
    ----------
    read : callable
        Gives the flags, or an empty array where the file has none.
    options, bits
        As for `bad_pixels`.
    """
    if not (options.mask_bits or bits):
        return None
    values = read()
    return bad_pixels(values, options, bits) if values.size else None


def flagged(values: NDArray[Any], bits: int) -> Bad:
    """Pixels that have any of the bits, whatever integer (or float that holds one) the flags are stored in.

    Notes
    -----
    NaN in flags is a missing flag, and bad.
    """
    if values.dtype.kind == "b":
        return np.asarray(values & bool(bits))
    if bits == ANY_BIT:
        return np.asarray(values != 0)
    if values.dtype.kind == "f":
        # Flags of 32 bits that were cast to float may be -2**31, which only a signed 64-bit integer keeps.
        unknown = np.isnan(values)
        return np.asarray(flagged(np.nan_to_num(values).astype(np.int64), bits) | unknown)
    return np.asarray((values.astype(np.int64).view(np.uint64) & np.uint64(bits)) != 0)


def named_mask_bits(*headers: Header) -> int:
    """Bits of a mask of the LSST or PFS pipelines that make a pixel bad, by the cards MP_*; any bit without them."""
    bits = ANY_BIT
    for header in headers:
        for plane in _INFORMATIVE_PLANES:
            if (bit := header.integer(f"MP_{plane}")) is not None and 0 <= bit < 64:
                bits &= ~(1 << bit)
    return bits


def bad_by_masks(
    masks: Sequence[tuple[str, Pixels]],
    noise: Pixels | None,
    options: ReaderOptions,
    *,
    path: str,
    hdu: int | None = None,
    row: int | None = None,
    bits: int = ANY_BIT,
) -> Bad | None:
    """Pixels that any of the masks of a file of unknown origin calls bad.

    Parameters
    ----------
    masks : sequence of (str, ndarray of shape (n_pix,))
        Names and values; a name that `mask_meaning` does not know is of a mask that the user named.
    noise : ndarray, shape (n_pix,), optional
        The noise, of any kind.
    options : ReaderOptions
        The user's options.
    path, hdu, row
        Place, for messages.
    bits : int
        Bits that make a pixel bad where the user names none.

    Returns
    -------
    ndarray of bool, or None
        None where there is no mask.

    Raises
    ------
    RefusedProduct
        When a mask holds fractions, or flags every pixel that has a noise: then it may call the good ones.
    """
    if options.flagged == "ignore":
        return None
    bad: Bad | None = None
    for name, values in masks:
        if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and _has_fractions(values)):
            message = f'{name} does not hold flags; set [readers] flagged = "ignore" to read the file without it'
            raise RefusedProduct(message, path=path, hdu=hdu, row=row)
        meaning = mask_meaning(name)
        found = flagged(values, _wanted(options, SDSS_BITS if meaning == "sdss" else bits))
        if meaning == "good" or (meaning != "sdss" and options.flagged == "good"):
            found = ~found
        bad = found if bad is None else bad | found
    if bad is not None and noise is not None and noise.shape == bad.shape and noise.dtype.kind in "iuf":
        known = (noise > 0) & np.isfinite(noise)
        if known.any() and not (known & ~bad).any():
            names = " and ".join(name for name, _ in masks)
            message = (
                f"{names} flags every pixel that has an uncertainty; if it flags the good ones, set [readers] flagged ="
                ' "good", and "ignore" to read the file without it; mask_bits names the bits that are bad'
            )
            raise RefusedProduct(message, path=path, hdu=hdu, row=row)
    return bad


def _wanted(options: ReaderOptions, bits: int) -> int:
    return sum(1 << bit for bit in set(options.mask_bits)) or bits


def _has_fractions(values: NDArray[Any]) -> bool:
    finite = values[np.isfinite(values)]
    return bool((finite != np.rint(finite)).any())

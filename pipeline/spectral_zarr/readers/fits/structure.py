"""The size of an HDU from its mandatory cards, by arithmetic that refuses the impossible before anything is read."""

from __future__ import annotations

import re

from spectral_zarr.errors import CorruptFits, RefusedProduct
from spectral_zarr.model import most_unpacked
from spectral_zarr.readers.fits.cards import CARD, parse_value
from spectral_zarr.readers.fits.header import Header

IMAGE_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

Structure = tuple[int, tuple[int, ...], int]
"""BITPIX, axes in FITS order, and bytes of data without padding."""

MOST_AXES = 32
_CODECS = frozenset({"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS"})
_RICE_BYTES = frozenset({1, 2, 4, 8})

_USUAL_AXES = 3


def data_structure(header: Header, name: str, hdu: int) -> Structure:
    """BITPIX, axes and size of one HDU.

    Parameters
    ----------
    header : Header
        Its cards.
    name : str
        File name, for messages.
    hdu : int
        Its index.

    Raises
    ------
    CorruptFits
        When a mandatory card is missing, not an integer or out of range.
    """
    usual = usual_structure(header.raw, extension=hdu > 0)
    if usual is not None:
        return usual

    def integer(position: int, keyword: str) -> int:
        card = header.raw[position * CARD : (position + 1) * CARD]
        value = parse_value(card) if card[:9] == f"{keyword:<8}=".encode() else header.get(keyword)
        if not isinstance(value, int) or isinstance(value, bool):
            raise CorruptFits(f"the card {keyword} is missing or not an integer", path=name, hdu=hdu)
        return value

    bitpix, n_axes = integer(1, "BITPIX"), integer(2, "NAXIS")
    if bitpix not in IMAGE_DTYPES or not 0 <= n_axes <= 999:
        raise CorruptFits(f"BITPIX = {bitpix} and NAXIS = {n_axes} are not allowed", path=name, hdu=hdu)
    axes = tuple(integer(3 + i, f"NAXIS{i + 1}") for i in range(n_axes))
    if any(axis < 0 for axis in axes):
        raise CorruptFits(f"an axis is negative: {axes}", path=name, hdu=hdu)
    if not axes:
        return bitpix, (), 0
    if axes[0] == 0 and hdu == 0 and header.get("GROUPS") is True:
        raise CorruptFits("random groups are not spectra", path=name, hdu=hdu)
    parameters, groups = (integer(3 + n_axes, "PCOUNT"), integer(4 + n_axes, "GCOUNT")) if hdu else (0, 1)
    if parameters < 0 or groups < 1:
        raise CorruptFits(f"PCOUNT = {parameters} and GCOUNT = {groups} are not allowed", path=name, hdu=hdu)
    return bitpix, axes, _size(bitpix, axes, parameters, groups)


def _integer_card(keyword: bytes) -> bytes:
    return keyword.ljust(8) + rb"= ([ \-0-9]{20})[ /].{49}"


_AXES = rb"(?:" + rb"(?:".join(_integer_card(b"NAXIS%d" % axis) for axis in (1, 2, 3)) + rb")?" * _USUAL_AXES
_GROUPS = rb"(?:" + _integer_card(b"PCOUNT") + _integer_card(b"GCOUNT") + rb")?"
_USUAL = re.compile(rb".{80}" + _integer_card(b"BITPIX") + _integer_card(b"NAXIS") + _AXES + _GROUPS, re.DOTALL)


def usual_structure(raw: bytes, *, extension: bool) -> Structure | None:
    """Structure by the mandatory cards in their fixed form and places, None for a header that is to be read with care.

    Notes
    -----
    It follows from the mandatory cards alone: up to the last axis, and PCOUNT and GCOUNT of an extension with data.
    """
    match = _USUAL.match(raw)
    if match is None:
        return None
    try:
        bitpix, n_axes = int(match[1]), int(match[2])
        if bitpix not in IMAGE_DTYPES or not 0 <= n_axes <= _USUAL_AXES:
            return None
        if n_axes == 0:
            return bitpix, (), 0
        axes = tuple([int(digits) for digits in match.group(3, 4, 5) if digits is not None])
        if len(axes) != n_axes or min(axes) <= 0:
            return None
        if not extension:
            return bitpix, axes, _size(bitpix, axes, 0, 1)
        parameters, groups = int(match[6] or b"-1"), int(match[7] or b"-1")
    except ValueError:
        return None
    return (bitpix, axes, _size(bitpix, axes, parameters, 1)) if parameters >= 0 and groups == 1 else None


def _size(bitpix: int, axes: tuple[int, ...], parameters: int, groups: int) -> int:
    elements = 1
    for axis in axes:
        elements *= axis
    return abs(bitpix) // 8 * groups * (parameters + elements)


def refuse_compression(header: Header, file_bytes: int, name: str, hdu: int) -> None:
    """Refuse a tile-compressed image that would exhaust memory, or end the process inside the decoders of astropy.

    Parameters
    ----------
    header : Header
        Its cards.
    file_bytes : int
        Size of the file, unpacked.
    name : str
        File name, for messages.
    hdu : int
        Its index.

    Raises
    ------
    CorruptFits
        When it declares an absurd size, or its Rice parameters are damaged.
    RefusedProduct
        When its algorithm is none whose decoder checks its bounds.
    """
    n_axes = header.integer("ZNAXIS") or 0
    nbytes = abs(header.integer("ZBITPIX") or 64) // 8 if 0 < n_axes <= MOST_AXES else 0
    for i in range(min(n_axes, MOST_AXES)):
        nbytes *= max(header.integer(f"ZNAXIS{i + 1}") or 0, 0)
    if not 0 < nbytes <= most_unpacked(file_bytes):
        raise CorruptFits(f"the compressed image declares {nbytes} bytes; unpack it by hand", path=name, hdu=hdu)
    codec = header.text("ZCMPTYPE")
    if codec not in _CODECS:
        message = f"the image is compressed by '{codec}'; unpack it with funpack"
        raise RefusedProduct(message, path=name, hdu=hdu)
    for keyword in header.index:
        if keyword.startswith("ZNAME") and header.text(keyword).upper() == "BYTEPIX":
            width = header.get(f"ZVAL{keyword[5:]}")
            if isinstance(width, bool) or width not in _RICE_BYTES:
                message = f"the compressed image has BYTEPIX = {width}; fetch the file again"
                raise CorruptFits(message, path=name, hdu=hdu)

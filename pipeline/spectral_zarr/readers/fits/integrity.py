"""Damage that an HDU shows by itself: padding that is none, and data that do not sum up to DATASUM."""

from __future__ import annotations

import numpy as np

from spectral_zarr.errors import DamagedData
from spectral_zarr.readers.fits.cards import BLOCK, CARD
from spectral_zarr.readers.fits.header import Header

PADDING = b"\0 "
"""What padding may consist of. The standard wants blanks after cards and characters and NULs after other data, and
writers exchange them; neither is found where bytes have moved."""

REMEDY = "fetch the file again, or, if it is right all the same, set check_damage = false in [readers]"

_ZEROS, _BLANKS = bytes(BLOCK), b" " * BLOCK
_CHARACTERS = b"XTENSION= 'TABLE"
_WORD = np.dtype(">u4")
_ONES = 0xFFFFFFFF


def check_hdu(data: bytes, header: Header, start: int, nbytes: int, name: str, hdu: int) -> None:
    """Refuse an HDU whose bytes are not where, or not what, its header says.

    Parameters
    ----------
    data : bytes
        The whole file, unpacked.
    header : Header
        Cards of the HDU.
    start, nbytes : int
        Where its data begin, and how long they are without padding.
    name : str
        File name, for messages.
    hdu : int
        Its index.

    Raises
    ------
    DamagedData
        When the padding holds anything else, or DATASUM disagrees with the data.
    """
    cards_end, stop = start - -(len(header.raw) + CARD) % BLOCK, start + nbytes
    # Slices of one kind of byte are compared as they are; stripping them takes ten times longer.
    if not _BLANKS.startswith(padding := data[cards_end:start]):
        _require_padding(padding, "cards", name, hdu)
    if not _ZEROS.startswith(padding := data[stop : stop + -nbytes % BLOCK]):
        _require_padding(padding, "data", name, hdu)
    if "DATASUM" not in header.cards.offsets or not nbytes or (declared := declared_sum(header)) is None:
        return
    found = data_sum(data, start, nbytes, b" " if header.raw.startswith(_CHARACTERS) else b"\0")
    if (found - declared) % _ONES:
        message = f"the data sum up to {found} and DATASUM says {declared}, so that they were changed; {REMEDY}"
        raise DamagedData(message, path=name, hdu=hdu)


def _require_padding(padding: bytes, where: str, name: str, hdu: int) -> None:
    if padding.strip(PADDING):
        message = f"{len(padding)} bytes after the {where} are no padding, so that bytes were lost, added or moved"
        raise DamagedData(f"{message}; {REMEDY}", path=name, hdu=hdu)


def declared_sum(header: Header) -> int | None:
    """DATASUM (FITS 4.0, section 4.4.2.7), None where the header knows no sum.

    Notes
    -----
    That is without the card, or where it is blank or no unsigned integer of 32 bits. Zero is the sum of zeros alone;
    beside other data it is that of a header written before them, as in all files of the HARPS pipeline.
    """
    text = str(header.get("DATASUM")).strip()
    declared = int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else 0
    return declared if 0 < declared <= _ONES else None


def data_sum(data: bytes, start: int, nbytes: int, padding: bytes = b"\0") -> int:
    """Ones' complement sum of the 32-bit words of the blocks of data (FITS 4.0, appendix J), padding included.

    Notes
    -----
    `padding` stands for what the end of the file cuts off.
    """
    stop = start + -(-nbytes // BLOCK) * BLOCK
    if stop > len(data):
        data, start, stop = data[start:].ljust(stop - start, padding), 0, stop - start
    total = int(np.frombuffer(data, _WORD, (stop - start) // _WORD.itemsize, start).sum(dtype=np.uint64))
    while total > _ONES:
        total = (total >> 32) + (total & _ONES)
    return total

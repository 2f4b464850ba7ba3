"""Where a header ends and how much data follow it, remembered for the headers that a survey repeats."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from spectral_zarr.errors import CorruptFits, DamagedData, Truncated
from spectral_zarr.readers.fits.cards import BLOCK, CARD
from spectral_zarr.readers.fits.header import HEAD, CardIndex, Header, card_heads, short_index
from spectral_zarr.readers.fits.structure import Structure, data_structure, usual_structure

_END = b"END" + b" " * 77
_NEAR = (8 * BLOCK // CARD, 56 * BLOCK // CARD)
"""Cards among which the END card is looked for at once, before the whole file is searched."""
_THREE_BYTES = np.uint32(0xFFFFFF)
_END_WORD = np.uint32(int.from_bytes(b"END", "little"))
_NO_TEXT = re.compile(rb"[^\t\x20-\x7e]")
_MOST_STRANGE = 8
"""Cards without text for a keyword that a header may have: sloppy writers leave some, and a block of data is 36."""
_KEYWORD_LETTER = re.compile(rb"[A-Z0-9_-]")

_KNOWN_HDUS, _KNOWN_HEADERS = 32, 16
"""HDUs of which headers are remembered, and how many: those of one survey differ by the number of their exposures."""


class _Known(NamedTuple):
    """A header that was seen at this place in another file.

    `heads` tells that no card before the last is an END card; `sizes` are the cards from which `structure` follows.
    """

    nbytes: int
    heads: bytes
    cards: CardIndex | None
    sizes: bytes
    structure: Structure


_known: dict[int, list[_Known]] = {}


def scan_header(data: bytes, start: int, name: str, hdu: int) -> tuple[Header, Structure]:
    """The header that begins at `start`, and the structure of its data.

    Raises
    ------
    Truncated
        When it has no END card.
    CorruptFits
        When its END card is damaged, or a mandatory card is missing or out of range.
    DamagedData
        When data lie among its cards.
    """
    for known in _known.get(hdu, ()):
        end = start + known.nbytes
        if data.startswith(_END, end) and card_heads(raw := data[start:end]) == known.heads:
            header = Header(raw, known.cards)
            if raw.startswith(known.sizes):
                return header, known.structure
            return header, data_structure(header, name, hdu)
    end = _end_of_header(data, start, name, hdu)
    header = Header(data[start:end])
    _refuse_keywords(header.raw, name, hdu)
    usual = usual_structure(header.raw, extension=hdu > 0)
    if usual is None:
        return header, data_structure(header, name, hdu)
    if hdu < _KNOWN_HDUS:
        _remember(hdu, header.raw, usual)
    return header, usual


def _refuse_keywords(raw: bytes, name: str, hdu: int) -> None:
    """Refuse data among the cards; those of a header with known heads were checked."""
    heads = card_heads(raw)
    if _NO_TEXT.search(heads) and len({found.start() // HEAD for found in _NO_TEXT.finditer(heads)}) > _MOST_STRANGE:
        message = "data lie among the cards of the header, so that blocks were moved; fetch the file again"
        raise DamagedData(message, path=name, hdu=hdu)


def _remember(hdu: int, raw: bytes, structure: Structure) -> None:
    heads = card_heads(raw)
    n_axes = len(structure[1])
    n_sizes = 3 + n_axes + (2 if hdu and n_axes else 0)
    known = _Known(len(raw), heads, short_index(heads), raw[: n_sizes * CARD], structure)
    _known[hdu] = [known, *_known.get(hdu, ())][:_KNOWN_HEADERS]


def _end_of_header(data: bytes, start: int, name: str, hdu: int) -> int:
    end = _near_end(data, start)
    if end < 0:
        end = _find_card(data, _END, start, len(data))
        if end < 0:
            raise Truncated("a header has no END card; fetch the file again", path=name, hdu=hdu)
        if _has_damaged_end(data, start, end):
            raise CorruptFits("an END card is damaged; fetch the file again", path=name, hdu=hdu)
    return end


def _near_end(data: bytes, start: int) -> int:
    """Where the END card of an ordinary header is, -1 when that takes a closer look."""
    position = start
    for most in _NEAR:
        n_cards = min((len(data) - position) // CARD, most)
        if n_cards > 0:
            ends = np.ndarray((n_cards,), "<u4", data, position, (CARD,)) & _THREE_BYTES == _END_WORD
            first = int(ends.argmax())
            if ends[first]:
                end = position + first * CARD
                return end if data.startswith(_END, end) else -1
            position += n_cards * CARD
    return -1


def _find_card(data: bytes, text: bytes, start: int, stop: int) -> int:
    found = data.find(text, start, stop)
    while found >= 0 and (found - start) % CARD:
        found = data.find(text, found + 1, stop)
    return found


def _has_damaged_end(data: bytes, start: int, stop: int) -> bool:
    # Without this, a header whose END is damaged would run on to that of the next HDU and take its pixels.
    position = start
    while (position := data.find(b"END", position, stop)) >= 0:
        if (position - start) % CARD == 0 and not _KEYWORD_LETTER.match(data[position + 3 : position + 4]):
            return True
        position += 3
    return False

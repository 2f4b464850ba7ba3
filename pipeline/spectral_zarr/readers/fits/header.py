"""One header: an index of its cards by keyword, with values parsed only when asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.readers.fits.cards import (
    CARD,
    MISSING_NUMBERS,
    CardValue,
    card_text,
    comment_text,
    parse_value,
    printable,
    value_text,
)

_COMMENTARY = frozenset({"COMMENT", "HISTORY", "", "END", "CONTINUE"})
HEAD = 9
"""Bytes of a card that are its keyword and value indicator."""
_HEADS = np.dtype(f"S{HEAD}")
_CONTINUED = re.compile(rb"^CONTINUE  +'((?:[^']|'')*)'")


@dataclass(frozen=True, slots=True, eq=False)
class CardIndex:
    """Where the cards of a header are; shared by the headers with the same keywords in the same places.

    Attributes
    ----------
    offsets : dict
        Keyword (without ``HIERARCH``) to the byte offsets of its cards; never changed.
    continued : frozenset of int
        Offsets of the cards whose value goes on in the next one.
    derived : dict
        What follows from the keywords alone, kept by whoever derived it.
    """

    offsets: dict[str, tuple[int, ...]]
    continued: frozenset[int]
    derived: dict[Hashable, Any] = field(default_factory=dict)


class Header:
    """The cards of one HDU.

    Parameters
    ----------
    raw : bytes
        The cards without the END card and the padding.
    cards : CardIndex, optional
        Where the cards are, when that is known.

    Notes
    -----
    Where a keyword is repeated, the first card counts, as in astropy.
    """

    __slots__ = ("_cards", "_comments", "_texts", "raw")

    def __init__(self, raw: bytes, cards: CardIndex | None = None) -> None:
        self.raw = raw
        self._texts: dict[str, str] = {}
        self._comments: dict[str, str] = {}
        self._cards = cards

    @property
    def cards(self) -> CardIndex:
        """Where the cards are."""
        if self._cards is None:
            self._cards = _index_cards(self.raw)
        return self._cards

    @property
    def index(self) -> dict[str, tuple[int, ...]]:
        """Keyword (without ``HIERARCH``) to the byte offsets of its cards; shared between files, never changed."""
        return self.cards.offsets

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.cards.offsets

    def __len__(self) -> int:
        return len(self.raw) // CARD

    def get(self, keyword: str) -> CardValue:
        """Value of a keyword, None when absent, undefined or unreadable."""
        offsets = self.cards.offsets.get(keyword)
        return None if offsets is None else self._value(offsets[0])

    def text(self, keyword: str) -> str:
        """Projected text of a keyword, '' when absent."""
        # Every reader asks for the telescope and the instrument to tell whether a file is its own.
        known = self._texts.get(keyword)
        if known is None:
            offsets = self.cards.offsets.get(keyword)
            known = self._texts[keyword] = "" if offsets is None else self.single_text(offsets[0]).strip()
        return known

    def number(self, keyword: str) -> float:
        """Value as float, NaN when absent, not a number or a sentinel."""
        value = self.get(keyword)
        if value is None:
            # Readers ask for many cards that are not there.
            return math.nan
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float) or value in MISSING_NUMBERS:
            return math.nan
        return float(value) if math.isfinite(value) else math.nan

    def integer(self, keyword: str) -> int | None:
        """Value as int, None when absent or not an integer."""
        value = self.get(keyword)
        if isinstance(value, str) and value.strip().lstrip("+-").isdigit():
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, keyword: str) -> bool:
        """Whether a logical card is true; the strings ``T``, ``YES`` and the number 1 count as well."""
        value = self.get(keyword)
        return value is True or value == 1 or (isinstance(value, str) and value.strip().upper() in ("T", "TRUE", "YES"))

    def comment(self, keyword: str) -> str:
        """Comment of the card of a keyword, '' when there is none."""
        offsets = self.cards.offsets.get(keyword)
        if offsets is None:
            return ""
        # A position asks for the comment of a card once for its unit and once for its equinox.
        known = self._comments.get(keyword)
        if known is None:
            known = self._comments[keyword] = comment_text(self.raw[offsets[0] : offsets[0] + CARD])
        return known

    def texts(self, keyword: str) -> Iterator[tuple[int, str]]:
        """Occurrence (from 1) and projected text of every card of a keyword."""
        for occurrence, offset in enumerate(self.index.get(keyword, ()), start=1):
            yield occurrence, self.single_text(offset)

    def single_text(self, offset: int) -> str:
        """Projected text of the card at a byte offset, long strings merged."""
        if offset in self.cards.continued:
            return value_text(self._value(offset))
        return card_text(self.raw[offset : offset + CARD])

    def commentary(self) -> str:
        """All COMMENT and HISTORY text, one line per card, for products that are recognised by it."""
        cards = (self.raw[i : i + CARD] for i in range(0, len(self.raw), CARD))
        return "\n".join(c[8:].decode("latin-1").strip() for c in cards if c[:8] in (b"COMMENT ", b"HISTORY "))

    def _value(self, offset: int) -> CardValue:
        value = parse_value(self.raw[offset : offset + CARD])
        if not isinstance(value, str):
            return value
        offset += CARD
        while value.endswith("&") and (match := _CONTINUED.match(self.raw[offset : offset + CARD])):
            value = value[:-1] + printable(match[1]).replace("''", "'").rstrip()
            offset += CARD
        return value


def card_heads(raw: bytes) -> bytes:
    """The first nine bytes of every card: keyword and value indicator."""
    return np.ndarray((len(raw) // CARD,), _HEADS, raw, 0, (CARD,)).tobytes()


def short_index(heads: bytes) -> CardIndex | None:
    """Index of a header by the heads of its cards, None when there are HIERARCH cards."""
    short, hierarch = _index_heads(heads)
    return None if hierarch else short


def _index_cards(raw: bytes) -> CardIndex:
    # Files of one survey repeat the same keywords in the same places, so the index of all short ones is kept.
    heads = card_heads(raw)
    short, hierarch = _index_heads(heads)
    if not hierarch:
        return short
    cards = np.frombuffer(raw, np.uint8, len(raw) // CARD * CARD)
    known = _known_headers(heads)
    for header in known:
        if not np.any((cards ^ header.cards) & header.mask):
            return header.found
    index: dict[str, list[int]] = {}
    mask = np.zeros(cards.size, np.uint8)
    for offset in hierarch:
        equals = raw.find(b"=", offset, offset + CARD)
        mask[offset : equals + 1 if equals >= 0 else offset + CARD] = 0xFF
        if equals >= 0:
            index.setdefault(_long_keyword(raw[offset + 8 : equals]), []).append(offset)
    alone = short.offsets
    merged = alone | {keyword: tuple(sorted((*alone.get(keyword, ()), *offsets))) for keyword, offsets in index.items()}
    known[:] = [_KnownHeader(cards.copy(), mask, CardIndex(merged, short.continued))]
    return known[0].found


class _KnownHeader(NamedTuple):
    """The cards of a header, the bytes of them that are its long keywords up to the equals signs, and its index."""

    cards: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    found: CardIndex


@lru_cache(maxsize=32)
def _known_headers(heads: bytes) -> list[_KnownHeader]:
    """The last header with these heads; thousands of long keywords are found again by comparing bytes."""
    return []


@lru_cache(maxsize=1024)
def _index_heads(heads: bytes) -> tuple[CardIndex, tuple[int, ...]]:
    """Index of the short keywords, and the byte offsets of the HIERARCH cards.

    Parameters
    ----------
    heads : bytes
        The first nine bytes of every card: keyword and value indicator.
    """
    index: dict[str, list[int]] = {}
    hierarch: list[int] = []
    continued: list[int] = []
    for card in range(len(heads) // HEAD):
        head = heads[card * HEAD : (card + 1) * HEAD]
        if head.startswith(b"HIERARCH"):
            hierarch.append(card * CARD)
        elif head.startswith(b"CONTINUE"):
            continued.append((card - 1) * CARD)
        elif head.endswith(b"="):
            keyword = head[:8].decode("latin-1").rstrip().upper()
            if keyword not in _COMMENTARY:
                index.setdefault(keyword, []).append(card * CARD)
    return CardIndex({keyword: tuple(offsets) for keyword, offsets in index.items()}, frozenset(continued)), tuple(
        hierarch
    )


@lru_cache(maxsize=16384)
def _long_keyword(text: bytes) -> str:
    return text.decode("latin-1").strip().upper()

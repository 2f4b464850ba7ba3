"""FITS by hand: cards, header-data units and tables as bytes, right or wrong as the caller likes."""

from __future__ import annotations

from collections.abc import Iterable

CARD, BLOCK = 80, 2880

SIMPLE = "SIMPLE  =                    T"
IMAGE = "XTENSION= 'IMAGE   '"
BINTABLE = "XTENSION= 'BINTABLE'"


def card(keyword: str, value: int | str) -> str:
    """One card in fixed format; text values come quoted by the caller."""
    return f"{keyword:<8}= {value:>20}" if isinstance(value, int) else f"{keyword:<8}= {value}"


def block(cards: Iterable[str | bytes], data: bytes = b"") -> bytes:
    """An HDU of cards and data, padded to whole blocks."""
    encoded = (c if isinstance(c, bytes) else c.encode("latin-1") for c in cards)
    header = b"".join(c.ljust(80) for c in encoded) + b"END".ljust(80)
    return header + b" " * (-len(header) % 2880) + data + b"\0" * (-len(data) % 2880)


def image_hdu(
    axes: Iterable[int],
    data: bytes = b"",
    *,
    bitpix: int = 8,
    first: str = SIMPLE,
    extra: Iterable[str | bytes] = (),
    pcount: int = 0,
    gcount: int = 1,
) -> bytes:
    """An image, in the primary HDU by default."""
    lengths = tuple(axes)
    cards: list[str | bytes] = [first, card("BITPIX", bitpix), card("NAXIS", len(lengths))]
    cards += [card(f"NAXIS{i}", length) for i, length in enumerate(lengths, start=1)]
    if first != SIMPLE:
        cards += [card("PCOUNT", pcount), card("GCOUNT", gcount)]
    return block([*cards, *extra], data)


def table_hdu(
    forms: Iterable[str], row_bytes: int, rows: bytes, *, extra: Iterable[str | bytes] = (), heap: bytes = b""
) -> bytes:
    """A binary table with columns C1, C2, ... and a heap."""
    formats = tuple(forms)
    cards: list[str | bytes] = [BINTABLE, card("BITPIX", 8), card("NAXIS", 2), card("NAXIS1", row_bytes)]
    cards += [card("NAXIS2", len(rows) // row_bytes if row_bytes else 0), card("PCOUNT", len(heap)), card("GCOUNT", 1)]
    cards.append(card("TFIELDS", len(formats)))
    for i, form in enumerate(formats, start=1):
        cards += [card(f"TTYPE{i}", f"'C{i}'"), card(f"TFORM{i}", f"'{form}'")]
    return block([*cards, *extra], rows + heap)


EMPTY_PRIMARY = image_hdu(())

"""Small valid files with random bytes changed, cut, inserted or removed: a coded refusal, or the reading of astropy."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_zarr.errors import SourceError
from spectral_zarr.readers.fits.cards import value_text

from .conftest import EMPTY_PRIMARY, image_hdu, parsed, reference, same_array, table_hdu

ROWS = np.array(
    [(1, 2.5, b"abc", 7), (2, -3.5, b"de", 8), (3, np.nan, b"", 9)],
    np.dtype([("a", ">i2"), ("b", ">f8"), ("c", "S4"), ("d", ">i4")]),
)
LINE = np.linspace(1, 2, 30).astype(">f4").tobytes()
CARDS = ["OBJECT  = 'Vega    '           / star", "CRVAL1  =               4000.0", "CDELT1  =                  0.1"]
FILES = {
    "image": image_hdu([30], LINE, bitpix=-32, extra=CARDS),
    "table": EMPTY_PRIMARY + table_hdu(["1I", "1D", "4A", "1J"], 18, ROWS.tobytes(), extra=["EXTNAME = 'DATA'"]),
    "two images": image_hdu([6, 5], LINE, bitpix=-32)
    + image_hdu([30], LINE, bitpix=-32, first="XTENSION= 'IMAGE   '", extra=["EXTNAME = 'SIGMA'"]),
}
BYTES = st.one_of(st.sampled_from(b" '=/0123456789-.TFE\0\n\xff"), st.integers(0, 255))


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["change", "change", "change", "insert", "remove", "cut", "swap"]), st.floats(0, 1), BYTES
    ),
    min_size=1,
    max_size=3,
)


def damaged(raw: bytes, edits: list[tuple[str, float, int]]) -> bytes:
    """The bytes after some edits, each aimed at a share of what is not padding."""
    data = bytearray(raw)
    filled = [i for i in range(len(raw)) if raw[i - i % 80 : i - i % 80 + 80].strip(b" \0")]
    for kind, share, byte in edits:
        at = min(filled[int(share * (len(filled) - 1))], len(data) - 1)
        match kind:
            case "change":
                data[at] = byte
            case "insert":
                data[at:at] = bytes([byte])
            case "remove":
                del data[at]
            case "cut":
                del data[at + 1 :]
            case _:
                data[at : at + 8], data[at + 8 : at + 16] = data[at + 8 : at + 16], data[at : at + 8]
        if len(data) < 2:
            break
    return bytes(data)


def everything_read(raw: bytes) -> list[tuple[str, list[Any]]]:
    """Kind and arrays of every HDU, after the text of every card and the description were made."""
    file = parsed(raw)
    file.describe()
    read: list[tuple[str, list[Any]]] = []
    for hdu in file.hdus:
        for keyword in hdu.header.index:
            for _, text in hdu.header.texts(keyword):
                assert text == value_text(text)
                assert text.isprintable()
        if hdu.kind == "table" and not hdu.compressed:
            read.append(("table", [hdu.column_data(column) for column in hdu.layout.columns]))
        elif hdu.kind == "image":
            read.append(("image", [hdu.image()] if hdu.shape else []))
        else:
            read.append(("other", []))
    return read


def read_by_astropy(raw: bytes) -> list[tuple[str, list[Any]]] | None:
    """The same by astropy, which may see fewer HDUs; None when it fails with any of its many exceptions."""
    read: list[tuple[str, list[Any]]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for hdu in reference(raw):
                if isinstance(hdu, fits.BinTableHDU):
                    read.append(("table", [hdu.data.field(i) for i in range(len(hdu.columns))]))
                elif hdu.is_image:
                    read.append(("image", [] if hdu.data is None else [hdu.data]))
                else:
                    read.append(("other", []))
        except Exception:
            return None
    return read


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_read_undamaged(name: str) -> None:
    theirs = reference(FILES[name])
    for (kind, arrays), hdu in zip(everything_read(FILES[name]), theirs, strict=True):
        if kind == "table":
            assert all(same_array(array, hdu.data.field(i)) for i, array in enumerate(arrays))
            assert len(arrays) == 4
        else:
            assert all(same_array(array, hdu.data) for array in arrays)


@pytest.mark.parametrize("name", FILES)
def test_damage_is_refused_with_a_code_or_read_as_astropy_reads_it(name: str) -> None:
    outcomes = {"refused": 0, "equal": 0}

    @given(EDITS)
    @settings(max_examples=250)
    def check(edits: list[tuple[str, float, int]]) -> None:
        raw = damaged(FILES[name], edits)
        try:
            ours = everything_read(raw)
        except SourceError as error:
            assert error.path == "made.fits"
            outcomes["refused"] += 1
            return
        theirs = read_by_astropy(raw)
        if theirs is None:
            return
        assert len(ours) >= len(theirs)
        for (kind, arrays), (his_kind, his_arrays) in zip(ours, theirs, strict=False):
            if kind != "other":
                assert kind == his_kind
                assert all(same_array(mine, his) for mine, his in zip(arrays, his_arrays, strict=True))
        outcomes["equal"] += 1

    check()
    assert min(outcomes.values()) > 20


@given(st.binary(max_size=400))
@settings(max_examples=100)
def test_random_bytes_after_a_valid_start_are_refused_with_a_code(tail: bytes) -> None:
    try:
        everything_read(b"SIMPLE  =                    T".ljust(80) + tail)
    except SourceError:
        return
    pytest.fail("random bytes were read as FITS")


def test_reading_from_a_buffer_of_astropy_is_the_same() -> None:
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(np.arange(5.0))]).writeto(buffer)
    assert same_array(parsed(buffer.getvalue()).hdus[0].image(), np.arange(5.0))

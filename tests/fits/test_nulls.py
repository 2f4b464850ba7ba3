"""Undefined integers, by TNULL and BLANK: compared as they are stored, whatever scale follows (FITS standard 4.0)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spectral_zarr.readers.fits.hdu import Hdu

from .conftest import EMPTY_PRIMARY, card, image_hdu, parsed, table_hdu

STORED = np.array([[1, 2, -7], [-7, 5, 6], [7, 8, 9]])
DEFINED = STORED != -7
DTYPES = {"I": ">i2", "J": ">i4", "K": ">i8"}


def table(kind: str, stored: Any, *cards: bytes, form: str = "") -> Hdu:
    """A table of one column whose stored integers are given."""
    values = np.asarray(stored, DTYPES.get(kind, "u1"))
    repeat = values.shape[1] if values.ndim > 1 else 1
    raw = table_hdu([form or f"{repeat}{kind}"], values.nbytes // len(values), values.tobytes(), extra=list(cards))
    return parsed(EMPTY_PRIMARY + raw).hdus[1]


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize(("scale", "zero"), [(1.0, 0.0), (0.01, 0.0), (1.0, 1000.0), (0.5, 100.0)])
class TestColumns:
    def column(self, kind: str, scale: float, zero: float, *, null: int = -7) -> tuple[Hdu, Any]:
        cards = [card("TNULL1", null)]
        if (scale, zero) != (1.0, 0.0):
            cards += [card("TSCAL1", scale), card("TZERO1", zero)]
        hdu = table(kind, STORED, *cards)
        return hdu, np.where(null == STORED, np.nan, STORED * scale + zero)

    def test_the_whole_column(self, kind: str, scale: float, zero: float) -> None:
        hdu, expected = self.column(kind, scale, zero)
        np.testing.assert_allclose(hdu.column("C1"), expected, rtol=1e-6)

    def test_a_cell_of_a_vector(self, kind: str, scale: float, zero: float) -> None:
        hdu, expected = self.column(kind, scale, zero)
        for row in range(3):
            np.testing.assert_allclose(hdu.flat_cell("C1", row), expected[row], rtol=1e-6)

    def test_where_nothing_is_undefined_integers_stay_as_they_are(self, kind: str, scale: float, zero: float) -> None:
        # astropy does not read columns of 64 bits with such a zero.
        narrow = "J" if zero else kind
        hdu, _ = self.column(narrow, scale, zero, null=-99)
        assert hdu.column("C1").dtype == table(narrow, STORED, *hdu_cards(scale, zero)).column("C1").dtype


def hdu_cards(scale: float, zero: float) -> list[bytes]:
    return [] if (scale, zero) == (1.0, 0.0) else [card("TSCAL1", scale), card("TZERO1", zero)]


class TestCells:
    @pytest.mark.parametrize("kind", DTYPES)
    def test_an_undefined_number_is_missing_and_has_no_text(self, kind: str) -> None:
        hdu = table(kind, [5, -7], card("TNULL1", -7))
        assert [hdu.cell_number("C1", row) for row in range(2)] == [5.0, pytest.approx(np.nan, nan_ok=True)]
        assert [hdu.cell_text("C1", row) for row in range(2)] == ["5", ""]

    def test_identifiers_beside_an_undefined_one_keep_every_digit(self) -> None:
        hdu = table("K", [4295806720000000101, -7], card("TNULL1", -7))
        assert hdu.cell_text("C1", 0) == "4295806720000000101"

    def test_bytes_have_a_null_too(self) -> None:
        hdu = table("B", [3, 255], card("TNULL1", 255))
        np.testing.assert_array_equal(hdu.column("C1"), [3, np.nan])

    def test_a_null_of_a_float_is_ignored(self) -> None:
        values = np.array([1.0, -9.0], ">f4")
        for null in (-9, "NaN"):
            raw = table_hdu(["1E"], 4, values.tobytes(), extra=[card("TNULL1", null)])
            np.testing.assert_array_equal(parsed(EMPTY_PRIMARY + raw).hdus[1].column("C1"), values)

    def test_an_array_of_variable_length(self) -> None:
        heap = np.array([1, -7, 3, -7], ">i4")
        descriptors = np.array([[3, 0], [1, 12]], ">i4")
        cards = [card("TNULL1", -7), card("TSCAL1", 2.0), card("TZERO1", 1.0)]
        raw = table_hdu(["1PJ(3)"], 8, descriptors.tobytes(), heap=heap.tobytes(), extra=cards)
        first, second = parsed(EMPTY_PRIMARY + raw).hdus[1].column("C1")
        np.testing.assert_array_equal(first, [3, np.nan, 7])
        np.testing.assert_array_equal(second, [np.nan])

    def test_an_array_with_dimensions(self) -> None:
        hdu = table("J", np.arange(12).reshape(2, 6), card("TNULL1", 4), card("TDIM1", "'(3,2)'"))
        expected = np.where(np.arange(12) == 4, np.nan, np.arange(12.0)).reshape(2, 2, 3)
        np.testing.assert_array_equal(hdu.column("C1"), expected)


class TestImages:
    @pytest.mark.parametrize(("bitpix", "dtype"), [(16, ">i2"), (32, ">i4"), (64, ">i8"), (8, "u1")])
    @pytest.mark.parametrize(("scale", "zero"), [(1.0, 0.0), (0.5, 0.0), (1.0, None)])
    def test_blank_is_a_stored_integer(self, bitpix: int, dtype: str, scale: float, zero: float | None) -> None:
        offset = zero if zero is not None else -128.0 if bitpix == 8 else float(2 ** (bitpix - 1))
        stored = np.array([1, 7, 3, 7], dtype)
        cards = [card("BLANK", 7), card("BSCALE", scale), card("BZERO", offset)]
        image = parsed(image_hdu([4], stored.tobytes(), bitpix=bitpix, extra=cards)).hdus[0].image()
        expected = np.where(stored == 7, np.nan, stored.astype("f8") * scale + offset)
        np.testing.assert_allclose(image, expected, rtol=1e-6)

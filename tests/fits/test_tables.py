"""Columns and images of every kind that astropy writes are read with the values that astropy reads."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spectral_zarr.errors import MissingField
from spectral_zarr.readers.fits import FitsFile

from .conftest import BINTABLE, EMPTY_PRIMARY, block, card, image_hdu, parsed, reference, same_array, table_hdu

PLAIN = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


def written(*hdus: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(buffer, output_verify="silentfix")
    return buffer.getvalue()


def compare_columns(raw: bytes) -> FitsFile:
    ours, theirs = parsed(raw), reference(raw)
    for column in ours.hdus[1].layout.columns:
        assert same_array(ours.hdus[1].column_data(column), theirs[1].data.field(column.number - 1)), column
    return ours


class TestColumns:
    @given(
        rows=st.integers(0, 5),
        columns=st.lists(st.tuples(st.sampled_from("BIJKEDALXCM"), st.integers(0, 12)), min_size=1, max_size=6),
        data=st.data(),
    )
    @settings(max_examples=120)
    def test_of_any_formats_and_bytes_are_those_of_astropy(
        self, rows: int, columns: list[tuple[str, int]], data: st.DataObject
    ) -> None:
        widths = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16}
        row_bytes = sum(-(-n // 8) if kind == "X" else widths[kind] * n for kind, n in columns)
        # Text and logical columns get letters, because astropy refuses other bytes in them.
        letters = any(kind in "AL" for kind, _ in columns)
        content = data.draw(hnp.arrays("u1", rows * row_bytes, elements=st.sampled_from(b"TF az") if letters else None))
        if not row_bytes:
            return
        raw = EMPTY_PRIMARY + table_hdu([f"{n}{kind}" for kind, n in columns], row_bytes, content.tobytes())
        if rows:
            compare_columns(raw)
        else:
            layout = parsed(raw).hdus[1].layout
            assert [(c.name, c.repeat) for c in layout.columns] == [(f"C{i}", n) for i, (_, n) in enumerate(columns, 1)]

    @pytest.mark.parametrize("kind", PLAIN)
    @pytest.mark.parametrize("repeat", [1, 3])
    def test_of_plain_numbers_are_views_of_the_file(self, kind: str, repeat: int) -> None:
        values = np.arange(4 * repeat).astype(PLAIN[kind]).reshape((4, repeat) if repeat > 1 else 4)
        raw = EMPTY_PRIMARY + table_hdu([f"{repeat}{kind}"], values.nbytes // 4, values.tobytes())
        column = compare_columns(raw).hdus[1].column("C1")
        assert column.base is not None
        assert not column.flags.writeable
        np.testing.assert_array_equal(column, values)

    @pytest.mark.parametrize(
        ("format_", "array", "extra"),
        [
            ("J", np.array([0, 1, 2**32 - 1], "u4"), {"bzero": 2**31}),
            ("I", np.array([0, 1, 65535], "u2"), {"bzero": 2**15}),
            ("K", np.array([0, 1, 2**64 - 1], "u8"), {"bzero": 2**63}),
            ("B", np.array([-128, 0, 127], "i1"), {"bzero": -128}),
            ("E", np.array([1.0, 2.0, np.nan], "f4"), {"bscale": 3.0}),
            ("J", np.array([1, -9, 3], "i4"), {"null": -99}),
            ("6E", np.arange(18, dtype="f4").reshape(3, 6), {"dim": "(3,2)"}),
            ("12A", np.array([["abcd", "ef", "g"]] * 3), {"dim": "(4,3)"}),
            ("L", np.array([True, False, True]), {}),
            ("11X", np.array([[True, False] * 5 + [True]] * 3), {}),
            ("C", np.array([1 + 2j, 3, -1j], "c8"), {}),
            ("PE()", np.array([np.arange(2.0), np.arange(3.0), np.arange(0.0)], dtype=object), {}),
            ("QD()", np.array([np.arange(2.0), np.arange(3.0), np.arange(1.0)], dtype=object), {}),
            ("PJ()", np.array([np.arange(2), np.arange(3), np.arange(1)], dtype=object), {}),
        ],
    )
    def test_of_unusual_kinds_are_those_of_astropy(self, format_: str, array: Any, extra: dict[str, Any]) -> None:
        table = fits.BinTableHDU.from_columns([fits.Column("C1", format_, array=array, **extra)])
        file = compare_columns(written(table))
        assert len(file.hdus[1].column("c1")) == 3

    @pytest.mark.parametrize(
        ("scale", "zero"), [("0.5", "10.0"), ("1.0", "10.0"), ("-2", "0.0"), ("1.0", "32768"), ("1.0", "0.0")]
    )
    def test_with_a_scale_are_those_of_astropy(self, scale: str, zero: str) -> None:
        rows = np.array([1, -2, 30000], ">i2").tobytes()
        compare_columns(EMPTY_PRIMARY + table_hdu(["1I"], 2, rows, extra=[f"TSCAL1  = {scale}", f"TZERO1  = {zero}"]))

    def test_of_equal_names_are_found_by_the_first(self) -> None:
        rows = np.array([[1.0, 2.0]], ">f4").tobytes()
        raw = EMPTY_PRIMARY + table_hdu(["1E", "1E"], 8, rows).replace(b"'C2'", b"'c1'")
        hdu = parsed(raw).hdus[1]
        assert hdu.column("C1").tolist() == [1.0]
        assert [hdu.column_data(column).tolist() for column in hdu.layout.columns] == [[1.0], [2.0]]

    def test_that_are_absent_are_named_with_those_present(self) -> None:
        hdu = parsed(EMPTY_PRIMARY + table_hdu(["1E"], 4, bytes(4))).hdus[1]
        with pytest.raises(MissingField, match="no column FLUX or SPEC among C1"):
            hdu.column("FLUX", "SPEC")
        assert (hdu.cell_text("FLUX"), hdu.flat_cell("FLUX").size, hdu.find("FLUX")) == ("", 0, None)
        assert np.isnan(hdu.cell_number("FLUX"))

    def test_give_single_cells(self) -> None:
        dtype = np.dtype([("C1", ">i4"), ("C2", "S6"), ("C3", ">f4", 3)])
        rows = np.array([(7, b" ab ", (1, 2, 3)), (8, b"cd\0xx", (4, 5, 6))], dtype)
        hdu = parsed(EMPTY_PRIMARY + table_hdu(["1J", "6A", "3E"], 22, rows.tobytes())).hdus[1]
        assert [hdu.cell_number("C1", row) for row in (0, 1)] == [7.0, 8.0]
        assert hdu.cell_text("C2") == "ab"
        assert hdu.cell_text("C1", 1) == "8"
        assert hdu.flat_cell("C3", 1).tolist() == [4, 5, 6]
        assert np.isnan(hdu.cell_number("C1", 2))
        assert hdu.cell_text("C1", 2) == ""

    @given(kind=st.sampled_from(sorted(PLAIN)), data=st.data())
    def test_give_single_numbers_of_every_kind(self, kind: str, data: st.DataObject) -> None:
        dtype = np.dtype([("first", "S3"), ("C2", PLAIN[kind])])
        rows = np.frombuffer(data.draw(st.binary(min_size=2 * dtype.itemsize, max_size=2 * dtype.itemsize)), dtype)
        hdu = parsed(EMPTY_PRIMARY + table_hdu(["3A", f"1{kind}"], dtype.itemsize, rows.tobytes())).hdus[1]
        for row in (0, 1):
            np.testing.assert_array_equal(hdu.cell_number("C2", row), float(rows["C2"][row]))

    def test_with_dimensions_give_the_cell_in_the_order_of_the_file(self) -> None:
        table = fits.BinTableHDU.from_columns(
            [fits.Column("C1", "6E", array=np.arange(12.0).reshape(2, 6), dim="(3,2)")]
        )
        hdu = parsed(written(table)).hdus[1]
        assert hdu.flat_cell("C1", 1).tolist() == [6, 7, 8, 9, 10, 11]


def table_with(*cards: bytes) -> bytes:
    """A file whose table has the column FLUX of two numbers and these cards, in this order."""
    first = [BINTABLE, card("BITPIX", 8), card("NAXIS", 2), card("NAXIS1", 8), card("NAXIS2", 1)]
    form = [card("PCOUNT", 0), card("GCOUNT", 1), card("TFIELDS", 1), card("TTYPE1", "'FLUX    '")]
    return EMPTY_PRIMARY + block([*first, *form, *cards], bytes(8))


class TestLayoutsOfEarlierFiles:
    """A layout is that of its own file, whatever files have been read before."""

    CARDS = (
        b"TFORM1  = '2E      '",
        b"TUNIT1  = 'Jy      '",
        b"TDMIN1  =                  1.5",
        b"REMARK  = 'x       '",
    )

    def test_are_used_again_when_no_card_differs_that_defines_columns(self) -> None:
        first = parsed(table_with(*self.CARDS)).hdus[1].layout
        other = (*self.CARDS[:2], b"TDMIN1  =                -77.0", b"REMARK  = 'long text'")
        assert parsed(table_with(*other)).hdus[1].layout is first

    @pytest.mark.parametrize(
        ("position", "other", "unit", "dtype"),
        [
            (0, b"TFORM1  = '1D      '", "Jy", ">f8"),
            (0, b"tform1  = '1K      '", "Jy", ">i8"),
            (0, b"HIERARCH TFORM1 = '1D      '", "Jy", ">f8"),
            (1, b"TUNIT1  = 'mJy     '", "mJy", ">f4"),
            (1, b"TUNIT2  = 'mJy     '", "", ">f4"),
            (2, b"TSCAL1  =                  2.0", "Jy", ""),
            (3, b"TDIM1   = '(1,2)   '", "Jy", ""),
        ],
    )
    def test_are_not_used_when_one_does(self, position: int, other: bytes, unit: str, dtype: str) -> None:
        parsed(table_with(*self.CARDS)).hdus[1].layout  # noqa: B018
        cards = list(self.CARDS)
        cards[position] = other
        (column,) = parsed(table_with(*cards)).hdus[1].layout.columns
        assert (column.unit, column.dtype) == (unit, dtype)

    def test_are_not_used_for_a_unit_that_goes_on_in_another_card(self) -> None:
        before = [b"TFORM1  = '2E      '", b"TUNIT1  = 'erg&    '", b"CONTINUE  '/s      '"]
        parsed(table_with(*before)).hdus[1].layout  # noqa: B018
        (column,) = parsed(table_with(*before[:2], b"CONTINUE  '/cm2    '")).hdus[1].layout.columns
        assert column.unit == "erg/cm2"


class TestImages:
    @given(
        st.sampled_from(["u1", ">i2", ">i4", ">i8", ">f4", ">f8"]).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=4, max_side=5))
        )
    )
    @settings(max_examples=60)
    def test_of_any_shape_and_bytes_are_those_of_astropy(self, values: Any) -> None:
        bitpix = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}[values.dtype.str[1:]]
        raw = image_hdu(values.shape[::-1], values.tobytes(), bitpix=bitpix)
        ours = parsed(raw).hdus[0]
        assert ours.shape == values.shape
        assert same_array(ours.image(), reference(raw)[0].data)
        assert ours.image().tobytes() == values.tobytes()

    @pytest.mark.parametrize(
        "extra",
        [
            ["BSCALE  =                  0.5", "BZERO   =                 10.0"],
            ["BSCALE  =                  1.0", "BZERO   =                  0.0"],
            ["BZERO   =                32768"],
            ["BLANK   =                    2"],
            ["BLANK   =                    2", "BSCALE  =                  2.0"],
        ],
    )
    def test_that_are_scaled_have_the_values_of_astropy(self, extra: list[str]) -> None:
        raw = image_hdu([4], np.arange(4, dtype=">i2").tobytes(), bitpix=16, extra=extra)
        assert same_array(parsed(raw).hdus[0].image(), reference(raw)[0].data)

    @pytest.mark.parametrize("method", ["GZIP_1", "GZIP_2", "RICE_1", "NOCOMPRESS"])
    @pytest.mark.parametrize("dtype", ["i2", "f4"])
    def test_that_are_tile_compressed_have_the_values_of_astropy(self, method: str, dtype: str) -> None:
        values = np.arange(64 * 16, dtype=dtype).reshape(64, 16)
        raw = written(fits.CompImageHDU(values, compression_type=method))
        hdu = parsed(raw).hdus[1]
        assert hdu.compressed
        assert same_array(hdu.image(), reference(raw)[1].data)

    def test_a_table_is_no_image_and_an_image_has_no_columns(self) -> None:
        hdu = parsed(image_hdu([4], b"abcd", extra=[card("TFIELDS", 1)])).hdus[0]
        assert (hdu.layout.columns, hdu.n_rows, hdu.find("C1")) == ((), 0, None)


class TestFile:
    def test_hdus_are_found_by_name_without_case(self) -> None:
        file = parsed(written(fits.ImageHDU(np.zeros(3), name="Flux"), fits.ImageHDU(np.ones(3), name="FLUX")))
        found = file.named("flux")
        assert found is not None
        assert found.index == 1
        assert file.named("nothing") is None

    def test_the_description_names_hdus_shapes_and_columns(self) -> None:
        file = parsed(EMPTY_PRIMARY + table_hdu(["1E", "2D"], 20, bytes(40), extra=["EXTNAME = 'coadd'"]))
        assert file.describe() == "0 image empty; 1 COADD 2x20 (C1, C2)"

    def test_the_digest_is_that_of_the_bytes_on_disk(self) -> None:
        import gzip
        import hashlib

        packed = gzip.compress(EMPTY_PRIMARY)
        assert parsed(packed).sha256 == hashlib.sha256(packed).hexdigest()
        assert parsed(packed).size == len(packed)


def test_formats_in_lower_case_are_read_as_astropy_reads_them() -> None:
    columns = [fits.Column("A", "D", array=[1.5, 2.5]), fits.Column("B", "3E", array=np.arange(6.0).reshape(2, 3))]
    raw = written(fits.BinTableHDU.from_columns(columns))
    lower = raw.replace(b"TFORM1  = 'D       '", b"TFORM1  = 'd       '").replace(b"'3E      '", b"'3e      '")
    assert lower != raw
    table = FitsFile(lower, "lower.fits").hdus[1]
    expected = fits.open(io.BytesIO(lower))[1].data
    np.testing.assert_array_equal(table.column("A"), expected["A"])
    np.testing.assert_array_equal(table.column("B"), expected["B"])
    np.testing.assert_array_equal(table.flat_cell("B", 1), expected["B"][1])

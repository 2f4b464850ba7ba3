"""Card values: what astropy writes is read back as astropy reads it, and the text follows the contract's rule."""

from __future__ import annotations

import math
import warnings

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_zarr.readers.fits.cards import card_text, parse_value, value_text
from spectral_zarr.readers.fits.header import Header

from .conftest import EMPTY_PRIMARY, block, card, card_texts, parsed, reference, rule_text

PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
KEYWORDS = st.one_of(
    st.from_regex(r"[A-Z][A-Z0-9_-]{0,7}", fullmatch=True),
    st.from_regex(r"HIERARCH ESO [A-Z]{2,5} [A-Z0-9-]{2,8}", fullmatch=True),
).filter(lambda keyword: keyword not in ("COMMENT", "HISTORY", "CONTINUE", "END", "HIERARCH"))
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(PRINTABLE, max_size=60),
    st.lists(st.sampled_from(["'", "''", "/", "&", " ", "a", "=", "T", "1.5"]), max_size=20).map("".join),
)
ODD_FIELDS = (
    *("1", "-1", "+5", "1.5", "1.", ".5", "1E5", "1e-5", "1D5", "T", "F", "'a'", "'a''b'", "'a b '", "/", "/ c", "nan"),
    *("INF", "1 0", "(1,2)", "0x1", "007", "-0", "1_0", "TRUE", "=", "1.5.2", "--1", "+ 5", "INDEF", "-9999", "-999.0"),
    *("1E", "E5", "1;", "T/", "'x/y'", "12345678901234567890", "1E400"),
)


def made_by_astropy(keyword: str, value: object, comment: str = "") -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(fits.Card(keyword, value, comment).image).encode("ascii")


def read_by_astropy(image: bytes) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fits.Card.fromstring(image).value


def header_of(*cards: str | bytes) -> Header:
    return parsed(block(["SIMPLE  =                    T", card("BITPIX", 8), card("NAXIS", 0), *cards])).primary


class TestAgainstAstropy:
    @given(keyword=KEYWORDS, value=VALUES, comment=st.text(PRINTABLE, max_size=15))
    @settings(max_examples=200)
    def test_cards_written_by_astropy_have_the_value_that_astropy_reads(
        self, keyword: str, value: object, comment: str
    ) -> None:
        image = made_by_astropy(keyword, value, comment)
        # astropy misreads its own cards where a quote stands before a slash, so strings are compared with the original.
        expected = value.rstrip() if isinstance(value, str) else read_by_astropy(image)
        assert header_of(image).get(keyword.removeprefix("HIERARCH ")) == expected
        if len(image) == 80:
            ours = parse_value(image)
            assert (type(ours), ours) == (type(expected), expected)
            assert card_text(image) == rule_text(expected)

    @given(value=st.text(PRINTABLE, min_size=69, max_size=400))
    @settings(max_examples=60)
    def test_long_strings_are_merged(self, value: str) -> None:
        image = made_by_astropy("LONGTEXT", value)
        header = header_of(image, card("AFTER", 1))
        assert header.get("LONGTEXT") == value.rstrip()
        assert list(header.texts("LONGTEXT")) == [(1, rule_text(value))]
        assert header.integer("AFTER") == 1
        assert "CONTINUE" not in header

    @given(field=st.lists(st.sampled_from(ODD_FIELDS), min_size=1, max_size=2).map("  ".join))
    @settings(max_examples=200)
    def test_odd_value_fields_have_the_text_that_astropy_and_the_rule_give(self, field: str) -> None:
        image = f"KEY     = {field}".encode().ljust(80)
        try:
            theirs = read_by_astropy(image)
        except (fits.VerifyError, ValueError):
            theirs = None
        assert card_text(image) == rule_text(theirs)


class TestText:
    @pytest.mark.parametrize(
        ("field", "text"),
        [
            ("'abc   '           / comment", "abc"),
            ("'  abc '", "  abc"),
            ("'it''s'", "it's"),
            ("''", ""),
            ("'a / b' / c", "a / b"),
            ("                   T / yes", "T"),
            ("                   F", "F"),
            ("                1200", "1200"),
            ("               +0012", "12"),
            ("              1200.0", "1200.0"),
            ("              1200.", "1200.0"),
            ("             1.20D+3", "1200.0"),
            ("                 0.1", "0.1"),
            ("              1.0E22", "1e+22"),
            ("", ""),
            ("          / undefined", ""),
            ("                 NAN", ""),
            ("               INDEF", ""),
            ("                 1 0", ""),
            ("               -9999", ""),
            ("              -999.0", ""),
            ("             -9999.0 / missing", ""),
            ("               -99.0", "-99.0"),
            ("              -99999", "-99999"),
            ("'NULL'", ""),
            ("'None'", ""),
            ("'NONE'", "NONE"),
            ("'N/A'", ""),
            ("'nan'", ""),
            ("'INDEF'", ""),
            ("'-999'", ""),
            ("                   0", "0"),
        ],
    )
    def test_is_that_of_the_contract(self, field: str, text: str) -> None:
        assert card_text(f"KEYWORD = {field}".encode().ljust(80)) == text

    @given(st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x not in (-999.0, -9999.0)))
    def test_of_a_float_is_the_shortest_that_reads_back(self, value: float) -> None:
        text = value_text(value)
        assert float(text) == value
        digits = text.split("e")[0].strip("-0").replace(".", "").strip("0")
        assert all(float(f"{value:.{n}e}") != value for n in range(len(digits) - 1))

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
    def test_of_what_is_not_a_number_is_blank(self, value: float | None) -> None:
        assert value_text(value) == ""

    @pytest.mark.parametrize("byte", [b"\x00", b"\x1b", b"\x7f", b"\xe9", b"\xff"])
    def test_shows_unprintable_bytes_as_question_marks(self, byte: bytes) -> None:
        assert header_of(b"OBSERVER= 'Ren" + byte + b" X'").text("OBSERVER") == "Ren? X"

    @pytest.mark.parametrize("byte", [b"\x00", b"\x1b", b"\x7f", b"\xe9", b"\xb2"])
    def test_shows_unprintable_bytes_of_long_strings_as_question_marks(self, byte: bytes) -> None:
        header = header_of(b"OBSERVER= 'Rene&'", b"CONTINUE  'a" + byte + b"b&'", b"CONTINUE  'c'")
        assert header.text("OBSERVER") == "Renea?bc"


class TestHeader:
    def test_the_first_of_repeated_cards_counts_and_all_are_numbered(self) -> None:
        header = header_of(
            card("CTYPE1", "'LINEAR'"), card("OTHER", 1), card("CTYPE1", "'WAVE'"), card("CTYPE1", "'X'")
        )
        assert header.get("CTYPE1") == "LINEAR"
        assert list(header.texts("CTYPE1")) == [(1, "LINEAR"), (2, "WAVE"), (3, "X")]

    def test_hierarch_keywords_lose_their_prefix(self) -> None:
        header = header_of("HIERARCH ESO TEL AIRM START = 1.25 / airmass", "HIERARCH  ESO  OBS ID=  7")
        assert header.number("ESO TEL AIRM START") == 1.25
        assert "HIERARCH ESO TEL AIRM START" not in header
        assert header.integer("ESO  OBS ID") == 7

    def test_commentary_has_no_values(self) -> None:
        header = header_of("COMMENT = 'not a value'", "HISTORY = 5", "        = 7", "HIERARCH nothing here", "NOVALUE")
        assert set(header.index) == {"SIMPLE", "BITPIX", "NAXIS"}
        assert header.commentary() == "= 'not a value'\n= 5"

    def test_names_are_found_in_upper_case(self) -> None:
        assert header_of("object  = 'Vega'").text("OBJECT") == "Vega"

    @pytest.mark.parametrize(
        ("field", "number"),
        [("1.5", 1.5), ("7", 7.0), ("'2.5'", 2.5), ("'abc'", None), ("T", None), ("-9999.0", None), ("INDEF", None)],
    )
    def test_numbers_are_numbers_or_nan(self, field: str, number: float | None) -> None:
        found = header_of(f"KEY     = {field}").number("KEY")
        assert math.isnan(found) if number is None else found == number

    @pytest.mark.parametrize(
        ("field", "number"), [("7", 7), ("7.0", 7), ("'7'", 7), ("'-3'", -3), ("7.5", None), ("T", None), ("'a'", None)]
    )
    def test_integers_are_integers_or_none(self, field: str, number: int | None) -> None:
        assert header_of(f"KEY     = {field}").integer("KEY") == number

    @pytest.mark.parametrize(
        ("field", "flag"),
        [("T", True), ("'T'", True), ("1", True), ("'yes'", True), ("F", False), ("'F'", False), ("0", False)],
    )
    def test_flags_may_be_text(self, field: str, flag: bool) -> None:
        assert header_of(f"KEY     = {field}").flag("KEY") is flag

    def test_absent_keywords_have_no_value(self) -> None:
        header = parsed(EMPTY_PRIMARY).primary
        assert (header.get("X"), header.text("X"), header.integer("X"), header.flag("X")) == (None, "", None, False)
        assert list(header.texts("X")) == []

    def test_odd_keywords_are_those_of_astropy(self) -> None:
        raw = block(
            [
                *("SIMPLE  =                    T", card("BITPIX", 8), card("NAXIS", 0), "P.I.    = 'X'"),
                *("(B-V)   = 0.5", "[Z/H]   = -0.25", "KEY_1   = 1E3", "KEY-1   = 2", "KEY_1   = T"),
                "HIERARCH ESO DET OUT1 X = 5 / c",
            ]
        )
        ours = parsed(raw).primary
        assert {k: [t for _, t in ours.texts(k)] for k in ours.index} == card_texts(reference(raw)[0].header)

    def test_a_keyword_in_short_and_in_long_form_is_counted_in_card_order(self) -> None:
        header = header_of("HIERARCH RA2 = 1", "RA2     = 2", "HIERARCH RA2 = 3")
        assert header.integer("RA2") == 1
        assert list(header.texts("RA2")) == [(1, "1"), (2, "2"), (3, "3")]


LONG_KEYWORD = st.from_regex(r"ESO [A-Z]{3} [A-Z]{2,4}", fullmatch=True)


@given(st.lists(st.lists(LONG_KEYWORD, min_size=3, max_size=3), min_size=2, max_size=5))
def test_headers_whose_cards_begin_alike_keep_their_own_long_keywords(keywords: list[list[str]]) -> None:
    # All of them have the same first nine bytes in every card, in turn the same and other long keywords.
    for value, names in enumerate([*keywords, *keywords]):
        header = header_of(*(f"HIERARCH {name} = {value}{i}" for i, name in enumerate(names)))
        assert set(header.index) == {"SIMPLE", "BITPIX", "NAXIS", *names}
        for name in names:
            assert [text for _, text in header.texts(name)] == [
                str(int(f"{value}{i}")) for i, other in enumerate(names) if other == name
            ]

"""Header field names: sanitised one to one, unique over the data set, independent of the order of files."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.contract.dates import is_date_obs
from spectral_zarr.contract.naming import HEADER_NAME, PARAM_NAME, SPEC_ID, header_names, sanitise_keyword

KEYWORD = st.one_of(
    st.sampled_from(["FOO", "FOO_2", "FOO_3", "FOO-2", "DATE-END", "DATE_END", "A B", "A_B", "A-B", "foo", "[Z/H]"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), min_size=1, max_size=8),
)
KEYS = st.sets(st.tuples(st.integers(0, 3), KEYWORD, st.integers(1, 4)), max_size=40)


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("E_B-V", "e_b_v"),
        ("2MASS_ID", "2mass_id"),
        ("DATE-OBS", "date_obs"),
        ("[Z/H]", "_z_h_"),
        ("(B-V)_0", "_b_v__0"),
        ("ESO TEL AIRM START", "eso_tel_airm_start"),
        ("HIERARCH ESO TEL AIRM START", "eso_tel_airm_start"),
        ("EXPTIME", "exptime"),
        ("P.I.", "p_i_"),
        ("\xc9TOILE", "_toile"),
    ],
)
def test_keywords_are_sanitised_character_by_character(keyword: str, name: str) -> None:
    assert sanitise_keyword(keyword) == name


@given(KEYS)
def test_names_are_injective_and_match_the_pattern(keys: set[tuple[int, str, int]]) -> None:
    names = header_names(keys)
    assert set(names) == keys
    assert len(set(names.values())) == len(keys)
    assert all(HEADER_NAME.fullmatch(name) for name in names.values())
    assert list(names) == sorted(names)


@given(KEYS, st.randoms(use_true_random=False))
def test_names_do_not_depend_on_the_order_or_on_repeats(keys: set[tuple[int, str, int]], rng: random.Random) -> None:
    shuffled = [*keys, *keys]
    rng.shuffle(shuffled)
    assert header_names(shuffled) == header_names(keys)


@given(KEYS)
def test_names_begin_with_the_hdu_and_the_keyword(keys: set[tuple[int, str, int]]) -> None:
    for (hdu, keyword, _), name in header_names(keys).items():
        base = f"h{hdu}_{sanitise_keyword(keyword)}"
        assert name == base or name.removeprefix(f"{base}_").isdigit()


def test_first_occurrences_claim_their_base_name_and_repeats_take_suffixes_in_card_order() -> None:
    keys = [(0, "FOO", 1), (0, "FOO", 2), (0, "FOO", 3), (1, "FOO", 1)]
    assert list(header_names(keys).values()) == ["h0_foo", "h0_foo_2", "h0_foo_3", "h1_foo"]


def test_a_keyword_that_looks_like_a_suffix_keeps_its_own_name() -> None:
    names = header_names([(0, "FOO", 1), (0, "FOO", 2), (0, "FOO_2", 1)])
    assert names == {(0, "FOO", 1): "h0_foo", (0, "FOO_2", 1): "h0_foo_2", (0, "FOO", 2): "h0_foo_3"}


def test_two_keywords_of_one_name_are_told_apart() -> None:
    names = header_names([(0, "DATE_END", 1), (0, "DATE-END", 1), (0, "DATE-END", 2)])
    assert sorted(names.values()) == ["h0_date_end", "h0_date_end_2", "h0_date_end_3"]
    assert names[0, "DATE-END", 2] == "h0_date_end_3"


@pytest.mark.parametrize(
    "text", ["", "2020-01-31", "2020-01-31T01:02:03", "2020-01-31T01:02:03.123", "2020-01-31T01:02:03Z"]
)
def test_dates_of_the_contract_match(text: str) -> None:
    assert is_date_obs(text)


@pytest.mark.parametrize(
    "text", ["31/01/20", "2020-1-1", "2020-01-31 01:02:03", "2020-01-31T01:02", "NaN", "2020-01-31\n"]
)
def test_other_dates_do_not_match(text: str) -> None:
    assert not is_date_obs(text)


@pytest.mark.parametrize(
    ("text", "good"), [("a", True), ("x/y:z~!", True), ("", False), ("a b", False), ("\xe9", False)]
)
def test_identifiers_are_printable_without_blanks(text: str, good: bool) -> None:
    assert bool(SPEC_ID.match(text)) is good


@pytest.mark.parametrize("pattern", [SPEC_ID, HEADER_NAME, PARAM_NAME], ids=["spec_id", "header", "param"])
def test_a_newline_at_the_end_does_not_match(pattern: object) -> None:
    assert pattern.match("h0_abc")  # type: ignore[attr-defined]
    assert not pattern.match("h0_abc\n")  # type: ignore[attr-defined]

"""Which cards become header fields: the allow and deny lists of the contract's interpretation, 6.3 and 6.8."""

from __future__ import annotations

import pytest

from spectral_zarr.readers.fits import HeaderPolicy, project
from spectral_zarr.readers.fits.header import Header

from .conftest import EMPTY_PRIMARY, SIMPLE, block, card, parsed, table_hdu

ALLOWED = (
    *("OBJECT", "OBJNAME", "TARGNAME", "RA", "DEC", "RA_TARG", "DEC_TARG", "EQUINOX", "RADESYS", "RADECSYS"),
    *("EXPTIME", "TEXPTIME", "EXPOSURE", "DATE-OBS", "TIME-OBS", "DATE-END", "MJD", "MJD-OBS", "MJD-END"),
    *("MJD-AVG", "UT", "UTC", "LST", "TIMESYS", "JD", "BJD", "HJD", "TELESCOP", "INSTRUME", "DETECTOR"),
    *("ORIGIN", "OBSERVAT", "OBSERVER", "PI-COI", "PROG_ID", "PROGRAM", "AIRMASS", "SPECSYS", "VELOSYS"),
    *("BERV", "VHELIO", "HELIO_RV", "SNR", "SN", "S_N", "SPEC_RES", "SPEC_BIN", "WAVELMIN", "WAVELMAX"),
    *("FLUXCAL", "CONTNORM", "BUNIT", "CTYPE1", "CUNIT1", "CRVAL1", "CDELT1", "CD1_1", "CRPIX1", "DC-FLAG"),
    *("VACUUM", "SEEING", "HUMIDITY", "NCOMBINE", "APERTURE", "SLIT", "GRATING", "FILTER", "AIRTEMP"),
    *("TEMP_AIR", "DEWPOINT", "PRESSURE", "WINDD", "WINDS", "MOONPHA", "LATITUDE", "LONGITUD", "QUALITY"),
    *("EXTNAME", "SURVEY"),
)
DENIED = (
    *("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS12", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS"),
    *("THEAP", "TFORM1", "TDIM2", "TDISP3", "TNULL10", "CHECKSUM", "DATASUM", "COMMENT", "HISTORY", "LTM1_1"),
    *("LTV1", "WAT0_001", "WAT2_010", "DETSEC", "DATASEC", "BIASSEC", "CCDSEC", "TRIMSEC", "IRAFNAME"),
    *("BSCALE", "BZERO", "PROV1", "ASSON1", "ASSOC2", "ASSOM3", "CCDTEMP1", "VOLT2", "ZIMAGE", "ZCMPTYPE"),
    *("ZNAXIS1", "ZTILE1", "ZBITPIX"),
)


def primary(*cards: str) -> Header:
    return parsed(block([SIMPLE, card("BITPIX", 8), card("NAXIS", 0), *cards])).primary


@pytest.mark.parametrize("keyword", ALLOWED)
def test_observing_keywords_are_wanted_by_every_product(keyword: str) -> None:
    assert HeaderPolicy().wants(keyword)


@pytest.mark.parametrize("keyword", DENIED)
def test_structure_and_bulk_are_not_wanted_even_when_a_pattern_allows_everything(keyword: str) -> None:
    assert not HeaderPolicy().wants(keyword)
    assert not HeaderPolicy(allow=(r"[A-Z0-9_-]+",)).wants(keyword)


@pytest.mark.parametrize("keyword", ["FOO", "OBJECTS", "XOBJECT", "RA2", "ESO TEL AIRM START", "CRVAL2", "object"])
def test_everything_else_is_off(keyword: str) -> None:
    assert not HeaderPolicy().wants(keyword)


def test_a_product_adds_patterns_and_its_deny_list_wins() -> None:
    policy = HeaderPolicy(allow=(r"ESO TEL .*",), deny=(r"ESO TEL FOCU.*", "OBSERVER"))
    assert policy.wants("ESO TEL AIRM START")
    assert not policy.wants("ESO TEL FOCU VALUE")
    assert not policy.wants("OBSERVER")
    assert policy.wants("OBJECT")


def test_a_keyword_that_is_listed_literally_is_kept_against_the_deny_lists() -> None:
    assert HeaderPolicy(allow=("FOO|CHECKSUM",), deny=("FOO.*",)).wants("CHECKSUM")
    assert HeaderPolicy(allow=("FOO|CHECKSUM",), deny=("FOO.*",)).wants("FOO")


def test_projection_numbers_repeated_cards_and_keeps_missing_values_as_blanks() -> None:
    header = primary("OBJECT  = 'Vega'", "FOO     = 1", "OBJECT  = 'Deneb'", "AIRMASS = INDEF", "EXPTIME = 1200.0")
    assert project([(0, header)], HeaderPolicy()) == {
        (0, "OBJECT", 1): "Vega",
        (0, "OBJECT", 2): "Deneb",
        (0, "AIRMASS", 1): "",
        (0, "EXPTIME", 1): "1200.0",
    }


def test_projection_keeps_the_index_of_the_hdu() -> None:
    first, second = primary("OBJECT  = 'a'"), primary("OBJECT  = 'b'", "RA      = 1.5")
    projected = project([(0, first), (3, second)], HeaderPolicy())
    assert projected == {(0, "OBJECT", 1): "a", (3, "OBJECT", 1): "b", (3, "RA", 1): "1.5"}


def test_projection_of_hierarch_keywords_is_without_prefix() -> None:
    header = primary("HIERARCH ESO TEL AIRM START = 1.25", "HIERARCH ESO DET X = 1")
    assert project([(0, header)], HeaderPolicy(allow=("ESO .*",), deny=("ESO DET .*",))) == {
        (0, "ESO TEL AIRM START", 1): "1.25"
    }


def test_the_names_and_units_of_the_columns_used_are_kept_for_eight_at_most() -> None:
    extra = [f"TUNIT{i}  = 'adu'" for i in range(1, 10)] + ["TUCD2   = 'em.wl'"]
    header = parsed(EMPTY_PRIMARY + table_hdu(["1E"] * 9, 36, bytes(36), extra=extra)).hdus[1].header
    used = project([(1, header)], HeaderPolicy(), {1: (2, 5)})
    assert used == {
        (1, "TTYPE2", 1): "C2",
        (1, "TUNIT2", 1): "adu",
        (1, "TUCD2", 1): "em.wl",
        (1, "TTYPE5", 1): "C5",
        (1, "TUNIT5", 1): "adu",
    }
    all_nine = project([(1, header)], HeaderPolicy(), {1: range(1, 10)})
    assert {keyword for _, keyword, _ in all_nine if keyword.startswith("TTYPE")} == {f"TTYPE{i}" for i in range(1, 9)}


def test_long_strings_are_projected_whole() -> None:
    header = primary("OBJECT  = 'one &'", "CONTINUE  'two &'", "CONTINUE  'three' / c")
    assert project([(0, header)], HeaderPolicy()) == {(0, "OBJECT", 1): "one two three"}

"""Readers accept every minor version of the layout they know, and refuse all others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.contract.schema import SCHEMA_VERSION
from spectral_zarr.contract.version import Reading, reading


def test_the_version_written_is_the_text_of_the_contract() -> None:
    assert SCHEMA_VERSION == "2.0"
    assert reading("2.0") is Reading.KNOWN


@pytest.mark.parametrize("version", ["2.1", "2.10", "2.9999"])
def test_newer_minor_versions_only_add(version: str) -> None:
    assert reading(version) is Reading.NEWER_MINOR


@pytest.mark.parametrize("version", ["3.0", "1.0", "0.9", "20.0", "12.0"])
def test_other_major_versions_are_other_layouts(version: str) -> None:
    assert reading(version) is Reading.OTHER_MAJOR


@pytest.mark.parametrize(
    "version",
    [
        *(None, 2, 2.0, True, ["2.0"], {"major": 2}),
        *("", "2", "2.", ".0", "2.0.0", "v2.0", "2.0\n", " 2.0", "2.00", "02.0", "2.-1", "two", "\u0662.\u0660"),
    ],
)
def test_everything_else_is_malformed(version: Any) -> None:
    assert reading(version) is Reading.MALFORMED


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_the_major_number_decides(major: int, minor: int) -> None:
    found = reading(f"{major}.{minor}")
    if major != 2:
        assert found is Reading.OTHER_MAJOR
    else:
        assert found is (Reading.NEWER_MINOR if minor else Reading.KNOWN)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.lists(st.text())))
def test_no_value_of_an_attribute_raises(version: Any) -> None:
    assert isinstance(reading(version), Reading)

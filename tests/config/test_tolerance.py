"""How many rejections are borne: a number or a share, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spectral_zarr.config import Tolerance
from spectral_zarr.errors import UsageError


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        ("0", Tolerance()),
        ("5", Tolerance(count=5)),
        (" 7 ", Tolerance(count=7)),
        ("2%", Tolerance(share=0.02)),
        ("0%", Tolerance()),
        ("100%", Tolerance(share=1.0)),
        ("0.5%", Tolerance(share=0.005)),
        ("2 %", Tolerance(share=0.02)),
    ],
)
def test_numbers_and_shares_are_read(text: str, tolerance: Tolerance) -> None:
    assert Tolerance.parse(text) == tolerance


@pytest.mark.parametrize("text", ["", "%", "-1", "-1%", "101%", "five", "2.5", "nan%", "inf%", "1e3", "2%%", "0x10"])
def test_other_text_is_refused_by_the_name_of_the_option(text: str) -> None:
    with pytest.raises(UsageError, match="--max-rejected"):
        Tolerance.parse(text)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_number_allows_that_many(count: int, rejected: int) -> None:
    assert Tolerance.parse(str(count)).allows(rejected=rejected, total=10**7) == (rejected <= count)


@given(st.integers(0, 100), st.integers(1, 10**6))
@example(29, 100)
@example(57, 100)
def test_a_share_allows_that_share_exactly(percent: int, total: int) -> None:
    tolerance = Tolerance.parse(f"{percent}%")
    most = percent * total // 100
    assert tolerance.allows(rejected=most, total=total)
    assert not tolerance.allows(rejected=most + 1, total=total)


def test_by_default_nothing_is_borne() -> None:
    assert Tolerance().allows(rejected=0, total=10)
    assert not Tolerance().allows(rejected=1, total=10**9)

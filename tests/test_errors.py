"""Errors: unique stable codes, exit codes of the design, and a place that survives the trip between processes."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from spectral_zarr import errors
from spectral_zarr.errors import SpectralZarrError

CLASSES = sorted(
    (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, SpectralZarrError)), key=lambda c: c.code
)

EXIT_CODES = {
    "error": 6,
    "usage": 2,
    "no-sources": 2,
    "bad-catalog": 2,
    "bad-target": 2,
    "config": 2,
    "too-many-rejections": 3,
    "nothing-accepted": 3,
    "contract": 4,
    "mixed-dataset": 4,
    "target-exists": 5,
    "staging-busy": 5,
    "resume-refused": 5,
    "parts-missing": 5,
    "environment": 6,
    "disk-full": 6,
    "publish-uncertain": 6,
    "store-changed": 6,
    "damaged-build": 6,
    "transient": 6,
    "memory-limit": 6,
    "cluster-lost": 6,
    "job-refused": 6,
    "preflight": 6,
    "interrupted": 75,
}


def test_codes_are_unique_and_readable() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(set(codes)) == len(codes) > 30
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code) for code in codes)
    assert all("code" in vars(cls) for cls in CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
def test_exit_codes_are_those_of_the_design(cls: type[SpectralZarrError]) -> None:
    expected = 3 if issubclass(cls, errors.SourceError) else EXIT_CODES[cls.code]
    assert cls.exit_code == expected


def test_every_designed_code_exists() -> None:
    assert set(EXIT_CODES) <= {cls.code for cls in CLASSES}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickle_with_its_place(cls: type[SpectralZarrError], protocol: int) -> None:
    error = cls("what and what to do", path="night 1/a.fits", hdu=0, row=7)
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is cls
        assert (again.message, again.path, again.hdu, again.row) == ("what and what to do", "night 1/a.fits", 0, 7)
        assert (str(again), again.args) == (str(error), error.args)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
def test_the_text_has_the_code_the_place_and_the_message(cls: type[SpectralZarrError]) -> None:
    assert str(cls("broken", path="a.fits", hdu=0, row=0)) == f"{cls.code}: a.fits[0] row 0: broken"
    assert str(cls("broken", path="a.fits", hdu=2)) == f"{cls.code}: a.fits[2]: broken"
    assert str(cls("broken", path="a.fits")) == f"{cls.code}: a.fits: broken"
    assert str(cls("broken")) == f"{cls.code}: broken"


def test_the_place_is_unknown_by_default() -> None:
    error = SpectralZarrError("broken")
    assert (error.path, error.hdu, error.row) == ("", None, None)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
def test_every_class_says_what_it_means(cls: type[SpectralZarrError]) -> None:
    assert (cls.__doc__ or "").strip()
    assert issubclass(cls, Exception)

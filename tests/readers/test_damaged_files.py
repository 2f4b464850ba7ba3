"""Damaged copies of the real files: what the file shows is refused, and what it cannot show is named here.

`benchmarks/damage.py` does the same with tens of thousands of copies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import SourceError
from spectral_zarr.tasks.sources import scan_sources
from spectral_zarr.testing.damage import KINDS, Sound, outcomes, with_datasums

SHOWN = (
    *("one byte lost", "2 to 5000 bytes lost", "a page of 4096 bytes lost", "one byte inserted"),
    *("2 to 5000 bytes inserted", "cut anywhere", "padded", "CR LF made LF", "LF made CR LF"),
)
"""The size shows it, or the place of the next HDU."""
SUMMED = ("whole blocks lost", "a block doubled", "a bit of the data flipped", "a page of 4096 bytes zeroed")
"""DATASUM shows it."""
HIDDEN = ("two blocks exchanged", "neighbouring blocks exchanged", "a bit of a header flipped")
"""A sum has no order, and DATASUM is not that of the header."""
HARMLESS = ("cut at a block", "padded to whole blocks")
"""Whole HDUs, or blocks of padding, more or less."""


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> ReaderOptions:
    """Orders are rows, and PHOENIX models find wavelengths."""
    path = tmp_path_factory.mktemp("wave") / "WAVE.fits"
    fits.PrimaryHDU(np.geomspace(500.0, 55_000.0, 212_027)).writeto(path)
    return ReaderOptions(echelle="rows", wavelength_file=str(path))


@pytest.fixture(scope="module")
def sound(real_files: Path, options: ReaderOptions) -> list[Sound]:
    """The real files that are accepted."""
    found = []
    for source in scan_sources([str(real_files)]):
        try:
            found.append(Sound.of(source, Path(source.path).read_bytes(), options))
        except SourceError:
            continue
    assert len(found) >= 20
    return found


def test_every_kind_is_judged() -> None:
    assert sorted(KINDS) == sorted((*SHOWN, *SUMMED, *HIDDEN, *HARMLESS))


@pytest.mark.parametrize("kind", SHOWN)
def test_moved_bytes_are_refused(sound: list[Sound], options: ReaderOptions, kind: str) -> None:
    ends = [outcome for one in sound for _, outcome in outcomes(one, kind, 2, options)]
    assert len(ends) > 30
    assert set(ends) == {"refused"}


@pytest.mark.parametrize("kind", HARMLESS)
def test_whole_blocks_at_the_end_change_no_values(sound: list[Sound], options: ReaderOptions, kind: str) -> None:
    ends = {outcome for one in sound for _, outcome in outcomes(one, kind, 2, options)}
    assert ends <= {"refused", "same"}


def test_what_changes_data_is_refused_where_there_are_sums(sound: list[Sound], options: ReaderOptions) -> None:
    refused = 0
    for one in sound:
        summed = Sound.of(one.source, with_datasums(one.data), options)
        assert summed.values == one.values
        for kind in SUMMED:
            ends = [outcome for _, outcome in outcomes(summed, kind, 2, options)]
            assert set(ends) <= {"refused", "same"}, f"{one.source.name}: {kind}"
            refused += ends.count("refused")
    assert refused > 100

"""What is left out of an accepted spectrum because its file contradicts itself is told in the summary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from astropy.io import fits

from .conftest import Run

CARDS = {"CRVAL1": 5000.0, "CDELT1": 0.5, "CRPIX1": 1.0, "CUNIT1": "Angstrom", "CTYPE1": "WAVE", "BUNIT": "adu"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A spectrum with a position, and two in which two cards have another one."""
    directory = tmp_path / "files"
    directory.mkdir()
    for name, ra in (("good", "10:00:00"), ("odd1", "21:00:00"), ("odd2", "22:00:00")):
        hdu = fits.PrimaryHDU(np.arange(1.0, 31.0, dtype=np.float32))
        hdu.header.update(CARDS, RA=(150.0, "[deg]"), DEC=-30.0, QRA=ra, QDEC="-30:00:00")
        hdu.writeto(directory / f"{name}.fits")
    return directory


def test_an_ingest_tells_how_many_have_no_position_and_why(run: Run, files: Path, tmp_path: Path) -> None:
    done = run("ingest", files, "out.zarr", "--cluster", "serial")
    said = " ".join(done.out.split())
    assert done.code == 0, done.err
    assert "2 with no position, such as odd1.fits" in said and "QRA" in said
    ra = zarr.open_group(tmp_path / "out.zarr", mode="r")["metadata/ra"][:]
    np.testing.assert_array_equal(ra, [150.0, np.nan, np.nan])


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_programs_are_told_too(run: Run, files: Path, dry: tuple[str, ...]) -> None:
    (note,) = run("ingest", files, "out.zarr", "--cluster", "serial", "--json", *dry).json["notes"]
    assert (note["kind"], note["count"], note["example"]) == ("no position", 2, "odd1.fits")

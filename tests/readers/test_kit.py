"""Every real file passes the tests that a reader's author inherits, and a bad reader does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions
from spectral_zarr.testing import ReaderTests
from tests.conftest import REAL_FILES

PATTERNS = {
    "sdss/*": "sdss-spec",
    "apogee/apStar*": "apogee-apstar",
    "apogee/aspcapStar*": "apogee-aspcapstar",
    "eso-sdp/*": "eso-sdp",
    "eso-pipeline/*": "uves-pipeline",
    "harps-drs/*": "harps-s1d",
    "stellar-libraries/*": "generic-image",
    "desi/*": "desi",
    "gaia/*": "gaia-fits",
    "galah-dr4/*1.fits": "galah",
    "hst/*": "hst-stis-x1d",
    "hst-calspec/*": "hst-calspec",
    "iraf-1d/UM184_nF.fits": "flux-error-pair",
    "iraf-1d/evega*": "generic-iraf",
    "iue/*": "iue-mxlo",
    "lamost/spec-*": "lamost-lrs",
    "lamost/med-*": "lamost-mrs",
    "synthetic-atlas9/*": "stsci-grid",
    "synthetic-phoenix/*": "phoenix-aces",
}


OPTIONS = dict.fromkeys(("hst/*", "iraf-1d/evega*"), ReaderOptions(echelle="rows"))
"""Options without which the files of a pattern are refused."""

COMPANIONS = {"galah": "galah-dr4/*", "flux-error-pair": "iraf-1d/UM184*"}
"""Files of a reader beside those that its pattern names: further files of the same spectra."""

REFUSED = ("damaged", "not-a-spectrum")
"""Directories of files that a reader may claim in order to refuse them."""


@pytest.fixture(scope="class", params=PATTERNS)
def group(request: pytest.FixtureRequest) -> None:
    """Give the class one group of real files after another."""
    if not REAL_FILES.is_dir():
        pytest.skip("the real survey files are not beside this checkout")
    request.cls.pattern = request.param
    request.cls.reader = PATTERNS[request.param]
    request.cls.options = OPTIONS.get(request.param, ReaderOptions())


@pytest.mark.usefixtures("group")
class TestRealFiles(ReaderTests):
    pattern: ClassVar[str]
    n_damaged = 6

    def files(self) -> Sequence[Path]:
        return sorted(REAL_FILES.glob(self.pattern))

    def other_files(self) -> Sequence[Path]:
        # A generic reader takes what no product reader claims, so that it may claim the files of products.
        if self.reader.startswith("generic"):
            return ()
        others = sorted(path for path in REAL_FILES.glob("*/*") if path.parent.name not in REFUSED)
        mine = {*self.files(), *REAL_FILES.glob(COMPANIONS.get(self.reader, self.pattern))}
        return [path for path in others if path not in mine]


READER = """
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers import HeaderPolicy

class Lamp:
    name, version, title, priority, policy = "lamp", "1", "lamps", 0, HeaderPolicy()

    def claims(self, file, options):
        return {claims}

    def read(self, file, options, policy):
        image = file.hdus[0]
        start = {start}
        yield Spectrum(
            spec_id="lamp",
            flux=image.image(),
            flux_unit={unit},
            sampling=Sampling(unit="nm", start=start, step=0.1, n_pix=image.shape[0]),
            observation=Observation(),
        )

READER = Lamp()
"""

TESTS = """
from pathlib import Path
from spectral_zarr.testing import ReaderTests

class TestLamp(ReaderTests):
    reader = "lamp"

    def files(self):
        return [Path("lamps/lamp.fits")]

    def other_files(self):
        return [Path("others/other.fits")]
"""

GOOD = {
    "claims": 'file.primary.text("INSTRUME") == "LAMP"',
    "start": "header_number(file)",
    "unit": '"adu"',
}


@pytest.fixture
def run_kit(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run the inherited tests of a reader that another package registers."""

    def run(**changed: str) -> pytest.RunResult:
        source = READER.format(**{**GOOD, **changed}) + HEADER_NUMBER
        pytester.makepyfile(lamp_reader=source, test_lamp=TESTS)
        metadata = pytester.mkdir("lamp_reader-1.dist-info")
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lamp-reader\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text("[spectral_zarr.readers]\nlamp = lamp_reader:READER\n")
        for directory, instrument in (("lamps", "LAMP"), ("others", "OTHER")):
            pytester.mkdir(directory)
            hdu = fits.PrimaryHDU(np.arange(1.0, 401.0, dtype=np.float32))
            hdu.header["INSTRUME"] = instrument
            hdu.header["CRVAL1"] = 400.0
            hdu.writeto(pytester.path / directory / f"{directory.removesuffix('s')}.fits")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(pytester.path), *filter(None, sys.path)]))
        return pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")

    return run


HEADER_NUMBER = """
import math

def header_number(file):
    value = file.primary.number("CRVAL1")
    if not math.isfinite(value):
        raise RefusedProduct("CRVAL1 is missing", path=file.name)
    return value
"""


class TestReadersOfOthers:
    def test_a_good_reader_passes(self, run_kit: Callable[..., pytest.RunResult]) -> None:
        outcome = run_kit().parseoutcomes()
        assert outcome == {"passed": outcome["passed"]}
        assert outcome["passed"] > 10

    @pytest.mark.parametrize(
        ("changed", "broken"),
        [
            ({"claims": "True"}, "test_it_claims_no_other_files"),
            ({"claims": "float(file.hdus[0].image()[3]) == 4.0"}, "test_it_claims_by_headers_alone"),
            ({"unit": '"parrots"'}, "test_units_are_understood"),
            ({"start": 'float(file.primary.text("CRVAL1"))'}, "test_damaged_files_give_coded_errors"),
            ({"start": "__import__('random').uniform(400, 500)"}, "test_reading_again_gives_the_same"),
            ({"start": "-1e9"}, "test_spectra_become_canonical"),
        ],
    )
    def test_a_bad_reader_fails_where_it_is_bad(
        self, run_kit: Callable[..., pytest.RunResult], changed: dict[str, str], broken: str
    ) -> None:
        result = run_kit(**changed)
        result.stdout.fnmatch_lines([f"FAILED test_lamp.py::TestLamp::{broken}*"])

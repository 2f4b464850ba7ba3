"""SDSS, BOSS and eBOSS coadds: every pixel and the identifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare

NAMES = ("spec-3128-54776-0008.fits", "spec-3586-55181-0500.fits", "spec-7339-57892-0737.fits")


class TestFiles:
    @pytest.mark.parametrize("name", NAMES)
    def test_real_files_agree_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any, name: str
    ) -> None:
        path = real_files / "sdss" / name
        coadd = reference(path)[1].data
        assert claimants(path) == ["sdss-spec"]
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, coadd["flux"])
        np.testing.assert_array_equal(spectrum.noise, coadd["ivar"])
        np.testing.assert_array_equal(spectrum.sampling.values, coadd["loglam"])
        assert spectrum.spec_id == f"sdss-{name.removeprefix('spec-').removesuffix('.fits')}"
        np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), 10.0 ** coadd["loglam"].astype("f8"), rtol=1e-6)

    def test_generated_files_agree_with_astropy(
        self, tmp_path: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        for path in write_samples(tmp_path, "sdss-spec", 3, n_pix=300):
            coadd = reference(path)[1].data
            assert claimants(path) == ["sdss-spec"]
            _, spectrum = read_one(path)
            np.testing.assert_array_equal(spectrum.flux, coadd["flux"])
            np.testing.assert_array_equal(spectrum.noise, coadd["ivar"])

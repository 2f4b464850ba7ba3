"""Which reader claims each real file, and the products that are refused by name instead of misread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import NotFits, RefusedProduct
from spectral_zarr.readers.fits import open_fits
from spectral_zarr.readers.registry import find_reader

READERS = {
    "apogee/apStar-*": "apogee-apstar",
    "apogee/aspcapStar-*": "apogee-aspcapstar",
    "desi/*": "unsupported",
    "eso-pipeline/*": "uves-pipeline",
    "eso-sdp/*": "eso-sdp",
    "gaia/*": "unsupported",
    "galah-dr4/*": "galah",
    "harps-drs/*": "harps-s1d",
    "hst-calspec/*": "unsupported",
    "hst/*": "unsupported",
    "iraf-1d/*": "generic-image",
    "iue/*": "unsupported",
    "lamost/*": "unsupported",
    "not-a-spectrum/*": "harps-s1d",
    "sdss/*": "sdss-spec",
    "stellar-libraries/*": "generic-image",
    "synthetic-atlas9/*": "unsupported",
    "synthetic-phoenix/*": "unsupported",
}

REFUSED = {
    "desi/coadd-sv3-dark-26065.fits": "DESI",
    "gaia/XP_SAMPLED-Gaia DR3 5937083312263887616.fits": "Gaia",
    "hst-calspec/alpha_lyr_stis_011.fits.gz": "CALSPEC",
    "hst/odbue5030_x1d.fits": "HST",
    "iue/swp02283.mxlo": "IUE",
    "lamost/spec-58397-EG014118N254444M01_sp03-031.fits": "LAMOST LRS",
    "lamost/med-58408-TD230151N343645T01_sp01-015.fits": "LAMOST MRS",
    "synthetic-atlas9/ckp00ckp00_5750.fits": "Castelli-Kurucz",
    "synthetic-phoenix/lte05800-4.50-0.0.PHOENIX-ACES-AGSS-COND-2011-HiRes.fits": "PHOENIX",
}


class TestRealFiles:
    @pytest.mark.parametrize("pattern", READERS)
    def test_every_file_goes_to_its_reader(self, real_files: Path, claimants: Any, pattern: str) -> None:
        paths = sorted(real_files.glob(pattern))
        assert paths
        for path in paths:
            reader = find_reader(open_fits(str(path)), ReaderOptions()).name
            assert reader == READERS[pattern]
            assert claimants(path) == ([] if reader.startswith(("generic", "unsupported")) else [reader])

    def test_every_directory_is_accounted_for(self, real_files: Path) -> None:
        directories = {path.name for path in real_files.iterdir() if path.is_dir()}
        assert directories == {pattern.split("/")[0] for pattern in READERS} | {"damaged"}

    @pytest.mark.parametrize("name", REFUSED)
    def test_products_without_reader_are_refused_by_name(self, real_files: Path, read_one: Any, name: str) -> None:
        with pytest.raises(RefusedProduct, match=REFUSED[name]):
            read_one(real_files / name)

    def test_a_damaged_file_is_not_fits(self, real_files: Path) -> None:
        with pytest.raises(NotFits):
            open_fits(str(real_files / "damaged" / "sample_data_malformed.fits"))


class TestMadeFiles:
    def test_a_model_that_mislabels_its_medium_never_reaches_the_generic_reader(
        self, write_fits: Any, line: Any, read_one: Any
    ) -> None:
        path = write_fits(line(CTYPE1="AWAV-LOG", CRVAL1=8.0, CDELT1=1e-5, PHXTEFF=5800.0))
        with pytest.raises(RefusedProduct, match="PHOENIX"):
            read_one(path)

    def test_other_products_of_eso_pipelines_are_refused(self, write_fits: Any, line: Any, read_one: Any) -> None:
        path = write_fits(line(), INSTRUME="XSHOOTER", ESO__PRO__CATG="SCI_SLIT_FLUX_MERGE1D_VIS")
        with pytest.raises(RefusedProduct, match="ESO pipeline"):
            read_one(path)

    def test_a_visit_of_apogee_is_refused(self, write_fits: Any, read_one: Any) -> None:
        chips = fits.ImageHDU(np.ones((3, 4096), np.float32))
        with pytest.raises(RefusedProduct, match="apVisit"):
            read_one(write_fits(chips, FIBERID=12, PLATE=5000))

    def test_an_old_sdss_image_is_refused(self, write_fits: Any, read_one: Any) -> None:
        hdu = fits.PrimaryHDU(np.ones((5, 100), np.float32))
        with pytest.raises(RefusedProduct, match="SDSS"):
            read_one(write_fits(hdu, TELESCOP="SDSS 2.5-M", COEFF0=3.58, COEFF1=1e-4))

    def test_a_flux_with_a_hidden_scale_is_refused(self, write_fits: Any, read_one: Any) -> None:
        columns = [fits.Column(name, "D", array=np.ones(5)) for name in ("WAVELENGTH", "SIGNAL", "VAR")]
        table = fits.BinTableHDU.from_columns(columns)
        table.header["FSCALE"] = 1e-16
        with pytest.raises(RefusedProduct, match="Euclid"):
            read_one(write_fits(table))

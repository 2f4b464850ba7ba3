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
    "desi/*": "desi",
    "eso-pipeline/*": "uves-pipeline",
    "eso-sdp/*": "eso-sdp",
    "gaia/*": "gaia-fits",
    "galah-dr4/*": "galah",
    "harps-drs/*": "harps-s1d",
    "hst-calspec/*": "hst-calspec",
    "hst/*": "hst-stis-x1d",
    "iraf-1d/UM184*": "flux-error-pair",
    "iraf-1d/evega*": "generic-iraf",
    "iue/*": "iue-mxlo",
    "lamost/med-*": "lamost-mrs",
    "lamost/spec-*": "lamost-lrs",
    "not-a-spectrum/*": "harps-s1d",
    "sdss/*": "sdss-spec",
    "stellar-libraries/*": "generic-image",
    "synthetic-atlas9/*": "stsci-grid",
    "synthetic-phoenix/*": "phoenix-aces",
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

    def test_a_damaged_file_is_not_fits(self, real_files: Path) -> None:
        with pytest.raises(NotFits):
            open_fits(str(real_files / "damaged" / "sample_data_malformed.fits"))


class TestMadeFiles:
    def test_other_products_of_eso_pipelines_are_refused(self, write_fits: Any, line: Any, read_one: Any) -> None:
        path = write_fits(line(), INSTRUME="XSHOOTER", ESO__PRO__CATG="SCI_SLIT_FLUX_MERGE1D_VIS")
        with pytest.raises(RefusedProduct, match="ESO pipeline"):
            read_one(path)

    def test_a_plate_of_apogee_is_refused(self, write_fits: Any, read_one: Any) -> None:
        fibres = fits.ImageHDU(np.ones((300, 2048), np.float32))
        with pytest.raises(RefusedProduct, match="APOGEE"):
            read_one(write_fits(fibres, LOCID=4424, PLATE=5000, MJD5=56000))

    def test_an_old_sdss_image_is_refused(self, write_fits: Any, read_one: Any) -> None:
        hdu = fits.PrimaryHDU(np.ones((5, 100), np.float32))
        with pytest.raises(RefusedProduct, match="SDSS"):
            read_one(write_fits(hdu, TELESCOP="SDSS 2.5-M", COEFF0=3.58, COEFF1=1e-4))

    @pytest.mark.parametrize(
        ("telescope", "instrument", "said"),
        [("HST", "FOS", "FOS"), ("HST", "WFC3", "other than COS"), ("FUSE", "FUV", "FUSE")],
    )
    def test_other_ultraviolet_products_are_refused_by_name(
        self, write_fits: Any, read_one: Any, telescope: str, instrument: str, said: str
    ) -> None:
        columns = [fits.Column(name, "D", array=np.arange(1.0, 6.0)) for name in ("WAVE", "FLUX", "ERROR")]
        path = write_fits(fits.BinTableHDU.from_columns(columns), TELESCOP=telescope, INSTRUME=instrument)
        with pytest.raises(RefusedProduct, match=said):
            read_one(path)

    @pytest.mark.parametrize("arm", ["RED", "GREEN", "BLUE"])
    def test_the_medium_of_weave_is_not_guessed(self, write_fits: Any, read_one: Any, arm: str) -> None:
        images = [fits.ImageHDU(np.ones((3, 20), np.float32), name=f"{arm}_{part}") for part in ("DATA", "IVAR")]
        table = fits.BinTableHDU.from_columns([fits.Column("TARGID", "8A", array=["a"] * 3)], name="FIBTABLE")
        with pytest.raises(RefusedProduct, match="air or in vacuum"):
            read_one(write_fits(*images, table, CAMERA=f"WEAVE{arm}"))

    def test_a_frame_of_desi_is_refused(self, write_fits: Any, read_one: Any) -> None:
        images = [fits.ImageHDU(np.ones((2, 20)), name=name) for name in ("IVAR", "MASK", "WAVELENGTH", "RESOLUTION")]
        table = fits.BinTableHDU.from_columns([fits.Column("TARGETID", "K", array=[1, 2])], name="FIBERMAP")
        with pytest.raises(RefusedProduct, match="DESI frame"):
            read_one(write_fits(fits.PrimaryHDU(np.ones((2, 20))), *images, table))

    def test_a_flux_with_a_hidden_scale_is_refused(self, write_fits: Any, read_one: Any) -> None:
        columns = [fits.Column(name, "D", array=np.ones(5)) for name in ("WAVELENGTH", "SIGNAL")]
        table = fits.BinTableHDU.from_columns(columns)
        table.header["FSCALE"] = 1e-16
        with pytest.raises(RefusedProduct, match="Euclid"):
            read_one(write_fits(table))

"""Which reader claims each real file, and the products that are refused by name instead of misread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ImageOptions, ReaderOptions, TableOptions
from spectral_zarr.errors import BadWavelength, NotASpectrum, NotFits, RefusedProduct, SourceError
from spectral_zarr.readers.fits import open_fits
from spectral_zarr.readers.registry import find_reader
from spectral_zarr.transforms import prepare

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

    def test_6dfgs_images_are_refused_by_name(self, write_fits: Any, read_one: Any) -> None:
        sky = fits.PrimaryHDU(np.ones((20, 20), np.float32))
        sky.header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN")
        arms = [fits.ImageHDU(np.ones((4, 90), np.float32), name=f"SPECTRUM {arm}") for arm in ("V", "R", "VR")]
        for arm in arms:
            arm.header.update(CRVAL1=5600.0, CRPIX1=1.0, CDELT1=1.6, CUNIT1="Angstroms", CTYPE1="Wavelength")
        for hdus in ((sky, *arms), (sky, arms[2])):
            with pytest.raises(RefusedProduct, match="6dFGS"):
                read_one(write_fits(*hdus))

    def test_a_6dfgs_image_on_its_own_needs_a_word_from_the_user(self, write_fits: Any, read_one: Any) -> None:
        rows = np.array([np.full(90, 7.0), np.full(90, 4.0), np.full(90, 1.0), 5600 + 1.6 * np.arange(90)])
        hdu = fits.PrimaryHDU(rows)
        hdu.header.update(CRVAL1=5600.0, CRPIX1=1.0, CDELT1=1.6, CUNIT1="Angstroms", CTYPE1="Wavelength")
        path = write_fits(hdu)
        with pytest.raises((RefusedProduct, NotASpectrum), match=r"rows in \[readers.image\]"):
            read_one(path)
        roles = ImageOptions(rows=("flux", "variance", "", "wavelength"), wavelength_unit="Angstrom", flux_unit="ct")
        name, spectrum = read_one(path, ReaderOptions(image=roles))
        assert (name, prepare(spectrum).uncertainty[0]) == ("generic-rows", 2.0)

    def test_the_table_form_of_6dfgs_is_read_without_an_uncertainty(self, write_fits: Any, read_one: Any) -> None:
        columns = [
            fits.Column("WAVE", "D", unit="Angstrom", array=4000.0 + np.arange(50)),
            fits.Column("FLUX", "D", unit="counts/s", array=np.linspace(1, 2, 50)),
        ]
        cards = {"OBSRA": 10.0, "OBSDEC": -30.0, "Z": 0.1, "Z_HELIO": 0.1, "QUALITY": 4}
        name, spectrum = read_one(write_fits(fits.BinTableHDU.from_columns(columns), **cards))
        assert (name, spectrum.noise, prepare(spectrum).flux_unit) == ("generic-table", None, "ct / s")


class TestModelsInText:
    """Heads of the files of model grids that have no reader, as their authors write them."""

    RISING = np.linspace(90.0, 900.0, 30)

    @pytest.mark.parametrize(
        "name",
        ["fp00t5750g45k2odfnew.spec", "lte035.0-4.5-0.0.BT-Settl.7.spec", "BG15000g400v2.flux.spec", "f.nrd.spec"],
    )
    def test_they_end_in_a_refusal_that_says_what_to_do(self, tmp_path: Path, read_one: Any, name: str) -> None:
        frequency = 3e18 / self.RISING
        texts = {
            "fp": "TEFF   5750.  GRAVITY  4.50000 LTE \nTITLE  [0.0] VTURB=2\n"
            + "".join(f"FLUX {i:5d} {x:9.2f} {3e17 / x:.6E} {1e-5:.4E}\n" for i, x in enumerate(self.RISING)),
            "lt": "".join(f"{10 * x:12.4f} {13 + x / 1e3:.5f}D+00 1.0D+00\n" for x in self.RISING),
            "BG": "".join(f"{nu:.6E} {1e-5:.4E}\n" for nu in frequency),
            "f.": "\n".join(" ".join(f"{v:.4f}" for v in self.RISING) for _ in range(5)),
        }
        path = tmp_path / name
        path.write_text(texts[name[:2]])
        with pytest.raises(SourceError) as caught:
            read_one(path)
        assert caught.value.code in ("missing-field", "unknown-unit", "not-a-spectrum", "refused-product")

    def test_frequencies_are_not_taken_for_wavelengths(self, tmp_path: Path, read_one: Any) -> None:
        path = tmp_path / "BG15000g400v2.flux.spec"
        path.write_text("".join(f"{3e18 / x:.6E} {1e-5:.4E}\n" for x in self.RISING))
        options = ReaderOptions(table=TableOptions(flux_unit="erg/s/cm2/Hz"))
        with pytest.raises(BadWavelength):
            prepare(read_one(path, options)[1])

"""Files that are no spectra are refused by what they are, whatever arrays and axes they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import NotASpectrum, RefusedProduct
from spectral_zarr.readers import find_reader, open_fits

LINE = np.linspace(1.0, 2.0, 50, dtype=np.float32)
SKY = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CRVAL1": 10.0, "CDELT1": -1e-4}


def image(data: Any, name: str = "", **cards: Any) -> fits.ImageHDU:
    hdu = fits.ImageHDU(np.asarray(data, np.float32), name=name)
    hdu.header.update({keyword.replace("__", " "): value for keyword, value in cards.items()})
    return hdu


def table(name: str = "", rows: int = 5, **formats: str) -> fits.BinTableHDU:
    columns = [
        fits.Column(column, form, array=np.full((rows, int(form[:-1] or 1)) if form[:-1] else rows, 1.0))
        for column, form in formats.items()
    ]
    return fits.BinTableHDU.from_columns(columns, name=name)


KNOWN = {
    "correlation": ("cross-correlation", [image(np.ones((3, 50)), CTYPE1="km/s", CRVAL1=-20.0, CDELT1=0.25)]),
    "correlation on a velocity axis": ("cross-correlation", [image(LINE, CUNIT1="km/s", CRVAL1=-20.0, CDELT1=0.25)]),
    "correlation by name": ("cross-correlation", [image(np.ones((5, 50)), "CCF")]),
    "correlation in a table": ("cross-correlation", [table("CCF_RV", RV="D", Order0="D")]),
    "templates of redrock": ("eigenvectors", [image(np.ones((10, 50)), "BASIS_VECTORS", CRVAL1=3.5, CDELT1=1e-4)]),
    "polarimetry": ("polarimetric", [image(np.ones((49, 80)), "Pol"), image(np.ones((49, 80)), "StokesV")]),
    "polarimetry in a table": ("polarimetric", [table(wave="D", StokesV="D", Null1="D")]),
    "chain": ("Markov chain", [table(teff="D", logg="D", log_prob="D")]),
    "ech of REDUCE": ("REDUCE", [table(rows=1, WAVE="27D", SPEC="60E", SIG="60E", CONT="60E", ORDERS="20I")]),
    "orders of an ESPRESSO pipeline": (
        "unmerged echelle orders",
        [image(np.ones((90, 60)), "SCIDATA"), image(np.ones((90, 60)), "WAVEDATA_VAC_BARY")],
    ),
    "cube": ("cube", [image(np.ones((4, 5, 6)), **SKY, CTYPE3="WAVE", CUNIT3="Angstrom", CRVAL3=5e3, CDELT3=1.0)]),
    "radio cube": ("cube", [image(np.ones((4, 5, 6)), **SKY, CTYPE3="VRAD", CUNIT3="m/s")]),
    "radio frequency": ("frequency or radio", [image(LINE, CTYPE1="FREQ", CUNIT1="Hz", CRVAL1=1.4e9, CDELT1=1e3)]),
    "radio velocity": ("frequency or radio", [image(LINE, CTYPE1="VRAD", CUNIT1="m/s", CRVAL1=1e3, CDELT1=50.0)]),
}

REMAINDER = {
    "image of the sky": ("image of the sky", [image(np.ones((6, 7)), **SKY)]),
    "catalogue": ("catalogue", [table(rows=9, source_id="K", ra="D", dec="D", teff="E")]),
    "catalogue of vectors": ("catalogue", [table(rows=9, id="K", mags="5E")]),
    "radio spectrum in a table": (
        "frequency or velocity axis",
        [table(rows=1, VHELIO="50D", FREQ="50D", FLUXDENS="50D")],
    ),
    "image of no axis": (r"without a wavelength axis.*rows in \[readers.image\]", [image(np.ones((6, 7)))]),
    "line of no axis": ("without a wavelength axis", [image(LINE)]),
    "nothing": ("without data", [image(LINE[:1])]),
}


@pytest.mark.parametrize("what", KNOWN)
def test_a_known_kind_is_refused_by_name(write_fits: Any, read_one: Any, claimants: Any, what: str) -> None:
    named, hdus = KNOWN[what]
    path = write_fits(*hdus)
    assert claimants(path) == []
    with pytest.raises(RefusedProduct, match=named) as caught:
        read_one(path)
    assert caught.value.path
    # What was seen and what to do.
    assert ";" in caught.value.message


@pytest.mark.parametrize("what", REMAINDER)
def test_what_no_reader_understands_is_named(write_fits: Any, read_one: Any, what: str) -> None:
    named, hdus = REMAINDER[what]
    with pytest.raises(NotASpectrum, match=named):
        read_one(write_fits(*hdus))


def test_an_image_of_a_slit_is_named(write_fits: Any, read_one: Any) -> None:
    cards = {"CTYPE1": "PIXEL", "CTYPE2": "LINEAR", "CRVAL2": 5000.0, "CDELT2": 1.0, "DISPAXIS": 2}
    with pytest.raises((RefusedProduct, NotASpectrum), match=r"slit|not one spectrum"):
        read_one(write_fits(image(np.ones((60, 50)), **cards)))


LAMPS = ("ThAr9500A", "FeAr 3200A", "HeNeAr", "Comp lamp", "flat", "arc 3")


@pytest.mark.parametrize("target", LAMPS)
def test_lamps_are_no_stars(write_fits: Any, read_one: Any, target: str) -> None:
    cards = {"CRVAL1": 5000.0, "CDELT1": 0.2, "CUNIT1": "Angstrom", "BUNIT": "adu"}
    iraf = {"WAT0_001": "system=equispec", "WAT1_001": "wtype=linear label=Wavelength units=Angstroms", "DC-FLAG": 0}
    for more in ({}, iraf):
        hdu = fits.PrimaryHDU(LINE)
        hdu.header.update({**cards, **more, "IMAGETYP": "comp", "OBJECT": target})
        with pytest.raises(RefusedProduct, match=r"IMAGETYP = 'comp'.*a calibration"):
            read_one(write_fits(hdu))


@pytest.mark.parametrize(("kind", "target"), [("comp", ""), ("comp", "alpha Lyr"), ("object", "ThAr"), ("", "flat")])
def test_a_spectrum_is_no_lamp_by_one_card_alone(write_fits: Any, read_one: Any, kind: str, target: str) -> None:
    cards = {"CRVAL1": 5000.0, "CDELT1": 0.2, "CUNIT1": "Angstrom", "BUNIT": "adu"}
    hdu = fits.PrimaryHDU(LINE)
    hdu.header.update({**cards, "IMAGETYP": kind, "OBJECT": target})
    assert read_one(write_fits(hdu))[1].flux.size == LINE.size


def test_templates_are_known_by_their_file_name(tmp_path: Path, read_one: Any) -> None:
    path = tmp_path / "spEigenStar-55734.fits"
    hdu = fits.PrimaryHDU(np.ones((4, 60), np.float32))
    hdu.header.update({"COEFF0": 3.5, "COEFF1": 1e-4})
    hdu.writeto(path)
    with pytest.raises(RefusedProduct, match="eigenvectors"):
        read_one(path)


def test_spectra_are_left_to_their_readers(write_fits: Any) -> None:
    wave = fits.Column("WAVE", "D", unit="nm", array=np.linspace(500, 600, 20))
    flux = fits.Column("FLUX", "D", unit="adu", array=np.ones(20))
    plain = write_fits(fits.BinTableHDU.from_columns([wave, flux]))
    assert find_reader(open_fits(str(plain)), ReaderOptions()).name == "generic-table"
    line = write_fits(image(LINE, CTYPE1="WAVE", CUNIT1="nm", CRVAL1=500.0, CDELT1=0.1, BUNIT="adu"))
    assert find_reader(open_fits(str(line)), ReaderOptions()).name == "generic-image"


def test_a_real_correlation_is_refused(real_files: Path, read_one: Any) -> None:
    (path,) = (real_files / "not-a-spectrum").iterdir()
    with pytest.raises(RefusedProduct, match="cross-correlation"):
        read_one(path)

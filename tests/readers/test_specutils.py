"""Flux and wavelength of real files as specutils reads them, for every product that one of its loaders can read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from specutils import Spectrum as Theirs
from specutils import SpectrumList

from spectral_zarr.model import Spectrum
from spectral_zarr.transforms import prepare

Values = NDArray[Any]

FILES = {
    "apogee/apStar-r6-2M00452143+1634446.fits": ("APOGEE apStar", 1e-6),
    "apogee/apStar-r6-2M19535443+4424541.fits": ("APOGEE apStar", 1e-6),
    "apogee/aspcapStar-r6-l30e.2-2M00452143+1634446.fits": ("APOGEE aspcapStar", 1e-6),
    "eso-pipeline/r.UVES.2011-08-11T232352.266-A01_0000.fits": ("wcs1d-fits", 1e-9),
    "gaia/XP_SAMPLED-Gaia DR3 5937083312263887616.fits": ("tabular-fits", 1e-9),
    "galah-dr4/2101150001010011.fits": ("wcs1d-fits", 1e-9),
    "harps-drs/HARPS.2006-09-08T02:12:38.604_s1d_A.fits": ("wcs1d-fits", 1e-9),
    "harps-drs/HARPS.2010-09-18T23:42:36.178_s1d_A.fits": ("wcs1d-fits", 1e-9),
    "sdss/spec-3586-55181-0500.fits": ("SDSS-III/IV spec", 1e-6),
    "sdss/spec-7339-57892-0737.fits": ("SDSS-III/IV spec", 1e-6),
    "stellar-libraries/MILES_res2.50_star_m0001V.fits": ("wcs1d-fits", 1e-9),
}
"""File to the loader, and to how far its single-precision wavelengths are from the lattice of the product."""


def canonical(found: tuple[str, list[Any]]) -> tuple[Values, Values]:
    """Wavelength in Angstrom and flux of the first spectrum, as a store would have them."""
    spectrum = next(one for one in found[1] if isinstance(one, Spectrum))
    prepared = prepare(spectrum)
    wavelength = prepared.wavelength if prepared.wavelength is not None else prepared.grid.wavelength()
    return wavelength, prepared.flux


def loaded(path: Path, loader: str) -> tuple[Values, Values]:
    """The same by specutils, which gives several spectra of one star as rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            if loader == "wcs1d-fits":
                # Its loader of images does not understand the units that these files have.
                hdus[0].header["BUNIT"] = "adu"
            theirs = Theirs.read(hdus, format=loader)
        flux = np.asarray(theirs.flux.value, np.float64)
        return theirs.spectral_axis.to("AA").value, flux if flux.ndim == 1 else flux.reshape(-1, flux.shape[-1])[0]


@pytest.mark.parametrize("name", FILES)
def test_flux_and_wavelength_are_those_of_specutils(real_files: Path, read_all: Any, name: str) -> None:
    loader, tolerance = FILES[name]
    wavelength, flux = canonical(read_all(real_files / name))
    their_wavelength, their_flux = loaded(real_files / name, loader)
    # A GALAH file is one of four arms of its row.
    n_pix = their_flux.size if name.startswith("galah") else flux.size
    np.testing.assert_allclose(wavelength[:n_pix], their_wavelength, rtol=tolerance)
    known = np.isfinite(flux[:n_pix])
    assert known.mean() > 0.5
    np.testing.assert_array_equal(flux[:n_pix][known], their_flux.astype(np.float32)[known])


def test_cameras_of_desi_are_those_of_specutils_where_they_do_not_overlap(real_files: Path, read_all: Any) -> None:
    path = real_files / "desi" / "coadd-sv3-dark-26065.fits"
    _, found = read_all(path)
    good = [one for one in found if isinstance(one, Spectrum)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cameras = SpectrumList.read(str(path), format="DESI coadd")
    assert good
    for spectrum in good:
        wavelength, flux = canonical(("", [spectrum]))
        for camera in cameras:
            axis = camera.spectral_axis.to("AA").value
            alone = np.array([i for i, w in enumerate(axis) if w < 5759 or 5801 < w < 7519 or w > 7621])
            places = np.round((axis[alone] - wavelength[0]) / 0.8).astype(int)
            np.testing.assert_allclose(wavelength[places], axis[alone], atol=1e-6)
            theirs = np.asarray(camera.flux.value, np.float32)[spectrum.row][alone]
            known = np.isfinite(flux[places])
            np.testing.assert_array_equal(flux[places][known], theirs[known])

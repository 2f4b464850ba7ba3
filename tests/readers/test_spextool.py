"""Spextool images, merged and by order, with every unit text of the pipeline.

The files are written with astropy from the pipeline's header writer and the header of an IRTF library spectrum.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct, UnknownUnit
from spectral_zarr.transforms import prepare

N_PIX = 100
LIBRARY = {
    "XUNITS": "um",
    "YUNITS": "Wm-2um-1",
    "WAVETYPE": "Vacuum",
    "OBJECT": "HD 26015",
    "SPTYPE": "F3 V",
    "OBSMODE": "SXD and LXD2.1",
}


def plane(start: float = 0.8, rows: int = 3) -> np.ndarray:
    values = np.empty((rows, N_PIX), np.float32)
    values[0] = start + 0.01 * np.arange(N_PIX)
    values[1] = 1e-12 * (2 + np.sin(np.arange(N_PIX)))
    values[2] = 1e-14
    values[3:] = 1
    return values


def write(write_fits: Any, data: np.ndarray, **cards: Any) -> Path:
    return write_fits(fits.PrimaryHDU(np.asarray(data, np.float32)), **{**LIBRARY, **cards})


class TestMerged:
    @pytest.mark.parametrize("shape", ["2-D", "3-D", "with flags"])
    def test_rows_are_wavelength_flux_and_error(
        self, write_fits: Any, read_one: Any, claimants: Any, reference: Any, shape: str
    ) -> None:
        data = plane(rows=4 if shape == "with flags" else 3)
        data[1, 7] = np.nan
        path = write(write_fits, data[None] if shape == "3-D" else data)
        assert claimants(path) == ["spextool"]
        _, spectrum = read_one(path)
        expected = reference(path)[0].data.reshape(-1, N_PIX)
        np.testing.assert_array_equal(spectrum.flux, expected[1])
        np.testing.assert_array_equal(spectrum.noise, expected[2])
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.wavelength, 1e4 * expected[0].astype("f8"), rtol=1e-12)
        assert spectrum.sampling.medium == "vacuum"
        assert spectrum.observation.velocity_frame == "unknown"

    @pytest.mark.parametrize(
        ("text", "unit"),
        [
            ("Wm-2um-1", "W / (m2 um)"),
            ("W m-2 um-1", "W / (m2 um)"),
            ("ergs s-1cm-2A-1", "erg / (Angstrom cm2 s)"),
            ("ergss-1cm-2A-1", "erg / (Angstrom cm2 s)"),
            ("erg s-1 cm-2 A-1", "erg / (Angstrom cm2 s)"),
            ("Jy", "Jy"),
            ("DN", "adu"),
            ("DN s-1", "adu / s"),
            ("DN / s", "adu / s"),
        ],
    )
    def test_every_unit_of_the_pipeline_is_known(self, write_fits: Any, read_one: Any, text: str, unit: str) -> None:
        assert prepare(read_one(write(write_fits, plane(), YUNITS=text))[1]).flux_unit == unit

    def test_a_spectrum_of_the_prism_library_is_relative(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(fits.PrimaryHDU(plane()), INSTRUME="SpeX")
        name, spectrum = read_one(path)
        assert (name, spectrum.flux_unit, spectrum.sampling.unit) == ("spextool", "Relative Flux", "um")

    def test_air_and_other_units_of_wavelength(self, write_fits: Any, read_one: Any) -> None:
        _, spectrum = read_one(write(write_fits, 1000 * plane(), WAVETYPE="Air", XUNITS="nm"))
        assert spectrum.sampling.medium == "air"
        np.testing.assert_allclose(prepare(spectrum).wavelength[0], 8000.0, rtol=1e-6)

    def test_pixels_are_no_wavelengths(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(UnknownUnit, match="XUNITS"):
            read_one(write(write_fits, plane(), XUNITS="pixels", INSTRUME="SpeX"))

    def test_dates_and_places_in_the_cards_of_the_telescope(self, write_fits: Any, read_one: Any) -> None:
        cards = {"DATE_OBS": "2003-05-22", "TIME_OBS": "10:12:12.5", "RA": "12:30:00", "DECL": "-10:30:00", "NAPS": 1}
        observation = read_one(write(write_fits, plane(), SPTYPE="", **cards, ITIME=30.0))[1].observation
        assert observation.date_obs == "2003-05-22T10:12:12.5"
        assert (observation.ra, observation.dec, observation.exptime) == (187.5, -10.5, 30.0)

    def test_merged_spectra_are_published(self, write_fits: Any, tmp_path: Path) -> None:
        path = write(write_fits, plane())
        ingest(IngestRequest((str(path),), str(tmp_path / "irtf.zarr")), SerialExecutor())
        assert validate(str(tmp_path / "irtf.zarr")).valid


class TestOrders:
    def test_orders_become_rows_on_request(self, write_fits: Any, read_all: Any) -> None:
        data = np.stack([plane(2.0), plane(1.4), plane(1.0)])
        data[0, 0, :5] = np.nan
        path = write(write_fits, data, NORDERS=3, ORDERS="3,4,5", NAPS=1, SPTYPE="")
        with pytest.raises(RefusedProduct, match="3 orders"):
            read_all(path)
        _, spectra = read_all(path, ReaderOptions(echelle="rows"))
        assert [one.observation.order for one in spectra] == ["3", "4", "5"]
        assert prepare(spectra[0]).flux.size == N_PIX - 5
        np.testing.assert_array_equal(spectra[2].flux, data[2, 1])
        assert spectra[0].observation.velocity_frame == "topocentric"

    def test_apertures_follow_their_order(self, write_fits: Any, read_all: Any) -> None:
        path = write(write_fits, np.stack([plane()] * 4), NORDERS=2, ORDERS="3,4", NAPS=2)
        _, spectra = read_all(path, ReaderOptions(echelle="rows"))
        assert [one.observation.order for one in spectra] == ["3/1", "3/2", "4/1", "4/2"]


def test_a_comment_of_the_library_tells_that_its_spectra_are_at_rest(write_fits: Any, read_one: Any) -> None:
    path = write(write_fits, plane())
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["COMMENT"] = "2MASS photometry and has been shifted to zero radial velocity.  For"
    assert read_one(path)[1].observation.velocity_frame == "rest"


def test_times_may_have_single_digits(write_fits: Any, read_one: Any) -> None:
    path = write(write_fits, plane(), SPTYPE="", DATE_OBS="2000-11-06", TIME_OBS="12:16:5.2351810")
    assert read_one(path)[1].observation.date_obs == "2000-11-06T12:16:05.2351810"

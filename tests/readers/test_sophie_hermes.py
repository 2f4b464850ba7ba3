"""SOPHIE s1d images and merged spectra of HERMES on Mercator.

The files are written with astropy from the archives' descriptions; none of them is real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import BadWavelength, RefusedProduct
from spectral_zarr.transforms import prepare

N_PIX = 300
FLUX = np.linspace(100.0, 200.0, N_PIX, dtype=np.float32)


def sophie(**cards: Any) -> dict[str, Any]:
    usual = {
        "CRVAL1": 3872.37,
        "CDELT1": 0.01,
        "CTYPE1": "Angstrom",
        "OHP TARG NAME": "HD189733",
        "OHP TARG ALPHA": 200043.71,
        "OHP TARG DELTA": 224239.1,
        "OHP OBS DATE START": "2006-08-28T21:04:05.4",
        "OHP CCD DKTM": 600.0,
        "OHP DRS BERV": -4.25,
        "OHP DRS BJD": 2453976.38,
    }
    return {f"HIERARCH {name}" if " " in name else name: value for name, value in {**usual, **cards}.items()}


def image(data: np.ndarray, cards: dict[str, Any], kind: Any = fits.PrimaryHDU) -> Any:
    hdu = kind(np.asarray(data, np.float32))
    hdu.header.update(cards)
    return hdu


class TestSophie:
    def test_the_spectrum_is_barycentric_in_air(self, write_fits: Any, read_one: Any, claimants: Any) -> None:
        flux = FLUX.copy()
        flux[-20:] = 0
        path = write_fits(image(flux, sophie()))
        assert claimants(path) == ["sophie-s1d"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.grid.wavelength(), 3872.37 + 0.01 * np.arange(N_PIX), rtol=1e-12)
        assert ready.grid.first == 387237
        np.testing.assert_array_equal(np.isnan(ready.flux), np.arange(N_PIX) >= N_PIX - 20)
        observation = spectrum.observation
        assert (observation.velocity_frame, observation.berv, observation.rv_applied) == ("barycentric", -4.25, -4.25)
        assert (observation.instrument, observation.object) == ("SOPHIE", "HD189733")
        assert (observation.date_obs, observation.exptime) == ("2006-08-28T21:04:05.4", 600.0)
        np.testing.assert_allclose(observation.ra, 15 * (20 + 43.71 / 3600), rtol=1e-12)
        np.testing.assert_allclose(observation.dec, 22 + 42 / 60 + 39.1 / 3600, rtol=1e-12)

    def test_packed_angles_keep_sign_and_leading_zeros(self, write_fits: Any, read_one: Any) -> None:
        cards = sophie(**{"OHP TARG ALPHA": 10203.4, "OHP TARG DELTA": -10203.4})
        observation = read_one(write_fits(image(FLUX, cards)))[1].observation
        angle = 1 + 2 / 60 + 3.4 / 3600
        np.testing.assert_allclose([observation.ra, observation.dec], [15 * angle, -angle], rtol=1e-12)

    def test_an_image_in_the_first_extension(self, write_fits: Any, read_one: Any) -> None:
        hdu = image(FLUX, sophie(), fits.ImageHDU)
        hdu.header["EXTNAME"] = "S1D_A"
        name, spectrum = read_one(write_fits(hdu))
        assert (name, spectrum.hdu, spectrum.observation.object) == ("sophie-s1d", 1, "HD189733")

    def test_correlations_and_orders_are_refused(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="cross-correlation"):
            read_one(write_fits(image(np.ones((39, 161)), sophie(CTYPE1="km/s"))))
        with pytest.raises(RefusedProduct, match="39 unmerged echelle orders"):
            read_one(write_fits(image(np.ones((39, 4077)), sophie())))


HERMES = {
    "INSTRUME": "HERMES",
    "TELESCOP": "MERCATOR",
    "UNSEQ": 237033,
    "CTYPE1": "log(wavelength)",
    "CRVAL1": 8.233,
    "CDELT1": 5.2e-6,
    "CRPIX1": 1,
    "BVCOR": 7.5,
    "DATE-OBS": "2009-06-19T22:10:11.5",
}


class TestHermes:
    def test_the_axis_is_a_natural_logarithm(self, write_fits: Any, read_one: Any, claimants: Any) -> None:
        path = write_fits(image(FLUX, HERMES))
        assert claimants(path) == ["hermes-mercator"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.grid.wavelength(), np.exp(8.233 + 5.2e-6 * np.arange(N_PIX)), rtol=1e-13)
        observation = spectrum.observation
        assert (spectrum.sampling.medium, observation.velocity_frame, observation.rv_applied) == (
            "air",
            "barycentric",
            7.5,
        )

    def test_a_linear_axis_is_topocentric(self, write_fits: Any, read_one: Any) -> None:
        cards = {**HERMES, "CTYPE1": "wavelength", "CRVAL1": 3770.0, "CDELT1": 0.02}
        observation = read_one(write_fits(image(FLUX, cards)))[1].observation
        assert (observation.velocity_frame, observation.berv) == ("topocentric", 7.5)
        assert np.isnan(observation.rv_applied)

    def test_another_logarithm_has_a_code(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(BadWavelength, match="natural logarithm"):
            read_one(write_fits(image(FLUX, {**HERMES, "CRVAL1": 3.58})))

    def test_orders_are_refused(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="log_merged_c"):
            read_one(write_fits(image(np.ones((55, 4608)), HERMES)))

    def test_the_spectrograph_of_the_same_name_is_another(self, write_fits: Any, claimants: Any) -> None:
        cards = {**HERMES, "TELESCOP": "Anglo-Australian Telescope"}
        for keyword in ("UNSEQ", "BVCOR"):
            del cards[keyword]
        assert claimants(write_fits(image(FLUX, cards))) == []

    def test_both_are_published(self, tmp_path: Path) -> None:
        for name, cards in (("sophie", sophie()), ("hermes", HERMES)):
            (tmp_path / name).mkdir()
            image(FLUX, cards).writeto(tmp_path / name / "a.fits")
            out = tmp_path / f"{name}.zarr"
            ingest(IngestRequest((str(tmp_path / name),), str(out)), SerialExecutor())
            assert validate(str(out)).valid

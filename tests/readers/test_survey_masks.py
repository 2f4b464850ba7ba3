"""What the bits of each survey's mask do: some take the uncertainty away, others only warn, and mask_bits wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions
from spectral_zarr.transforms import prepare

BRIGHTSKY = 23


def unknown(spectrum: Any) -> Any:
    return np.isnan(prepare(spectrum).uncertainty)


class TestSdss:
    NAMES = ("spec-3128-54776-0008.fits", "spec-3586-55181-0500.fits", "spec-7339-57892-0737.fits")

    @pytest.mark.parametrize("name", NAMES)
    def test_the_inverse_variance_decides_and_the_user_may_add_bits(
        self, real_files: Path, read_one: Any, reference: Any, name: str
    ) -> None:
        path = real_files / "sdss" / name
        coadd = reference(path)[1].data
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(unknown(spectrum), ~(coadd["ivar"] > 0))
        _, spectrum = read_one(path, ReaderOptions(mask_bits=(BRIGHTSKY,)))
        bright = coadd["and_mask"] & (1 << BRIGHTSKY) != 0
        assert (bright & (coadd["ivar"] > 0)).any()
        np.testing.assert_array_equal(unknown(spectrum), bright | ~(coadd["ivar"] > 0))
        np.testing.assert_array_equal(prepare(spectrum).flux, coadd["flux"])


class TestLamost:
    def test_flagged_pixels_of_a_coadd_have_a_positive_inverse_variance(
        self, real_files: Path, read_one: Any, reference: Any
    ) -> None:
        path = real_files / "lamost" / "med-58408-TD230151N343645T01_sp01-015.fits"
        blue = reference(path)["COADD_B"].data
        flagged = np.flatnonzero((blue["IVAR"] > 0) & (blue["ANDMASK"] != 0))
        assert (flagged.size, np.count_nonzero(blue["FLUX"][flagged] == 0)) == (5, 4)
        _, spectrum = read_one(path)
        assert unknown(spectrum)[: len(blue)][flagged].all()
        other = np.flatnonzero((blue["IVAR"] > 0) & (blue["FLUX"] != 0) & (blue["ANDMASK"] == 0))
        assert not unknown(spectrum)[: len(blue)][other].any()

    def test_a_bright_sky_warns(self, write_fits: Any, read_one: Any) -> None:
        n_pix = 3900
        mask = np.zeros(n_pix, "f4")
        mask[100:106] = 1 << np.arange(6)
        rows = np.array(
            [np.full(n_pix, 5.0), np.full(n_pix, 4.0), 10 ** (3.5682 + 1e-4 * np.arange(n_pix)), mask, mask]
        )
        cards = {"TELESCOP": "LAMOST", "OBSID": 1, "COEFF0": 3.5682, "COEFF1": 1e-4}
        name, spectrum = read_one(write_fits(fits.PrimaryHDU(rows.astype("f4")), **cards))
        assert name == "lamost-lrs"
        np.testing.assert_array_equal(np.flatnonzero(unknown(spectrum)), [100, 101, 102, 104, 105])


class TestMilkyWayMapper:
    @pytest.mark.parametrize(("instrument", "bad"), [("APOGEE", [*range(100, 108), 114]), ("BOSS", [])])
    def test_the_bits_are_those_of_the_spectrograph(
        self, write_fits: Any, read_one: Any, instrument: str, bad: list[int]
    ) -> None:
        n_pix = {"APOGEE": 8575, "BOSS": 4648}[instrument]
        start, step = {"APOGEE": (4.179, 6e-6), "BOSS": (3.5523, 1e-4)}[instrument]
        flags = np.zeros((1, n_pix), "i8")
        flags[0, 100:116] = 1 << np.arange(16)
        values = {"flux": ("E", 3.0), "ivar": ("E", 4.0)}
        columns = [fits.Column(k, f"{n_pix}{form}", array=np.full((1, n_pix), v)) for k, (form, v) in values.items()]
        columns += [fits.Column("pixel_flags", f"{n_pix}K", array=flags), fits.Column("sdss_id", "K", array=[7])]
        columns += [fits.Column("spectrum_pk", "K", array=[9])]
        table = fits.BinTableHDU.from_columns(columns, name=f"{instrument}/APO")
        table.header.update({"INSTRMNT": instrument, "CRVAL": start, "CDELT": step, "NPIXELS": n_pix, "CRPIX": 1})
        _, spectrum = read_one(write_fits(table, SDSS_ID=7))
        np.testing.assert_array_equal(np.flatnonzero(unknown(spectrum)), bad)


def test_a_bit_that_the_user_names_replaces_those_of_the_survey(write_fits: Any, read_one: Any) -> None:
    bits = np.zeros(40, "i4")
    bits[10], bits[20] = 1, 4
    columns = {"WAVELENGTH": ("D", 1 + 0.01 * np.arange(40), "um"), "FLUX": ("D", np.full(40, 2.0), "Jy")}
    columns |= {"FLUX_ERROR": ("D", np.full(40, 0.1), "Jy"), "DQ": ("J", bits, None)}
    columns |= {"SURF_BRIGHT": ("D", np.full(40, 2.0), "MJy/sr"), "SB_ERROR": ("D", np.full(40, 0.1), "MJy/sr")}
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, form, unit=unit, array=values) for name, (form, values, unit) in columns.items()],
        name="EXTRACT1D",
    )
    path = write_fits(table, TELESCOP="JWST", SRCTYPE="POINT")
    for options, bad in ((ReaderOptions(), [10]), (ReaderOptions(mask_bits=(2,)), [20])):
        name, spectrum = read_one(path, options)
        assert name == "jwst-spec"
        np.testing.assert_array_equal(np.flatnonzero(unknown(spectrum)), bad)


def test_flags_of_spextool_are_used(write_fits: Any, read_one: Any) -> None:
    wavelength, flags = 1 + 0.001 * np.arange(64), np.zeros(64)
    flags[5], flags[9] = 1, 4
    planes = fits.PrimaryHDU(np.array([wavelength, np.full(64, 2.0), np.full(64, 0.1), flags]))
    name, spectrum = read_one(write_fits(planes, XUNITS="um", YUNITS="Wm-2um-1", INSTRUME="SpeX"))
    assert name == "spextool"
    np.testing.assert_array_equal(np.flatnonzero(unknown(spectrum)), [5, 9])

"""Spectra in images named after their roles (linetools, MPDAF), and in rows of an image that the user names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import Config, ImageOptions, ReaderOptions
from spectral_zarr.errors import NotASpectrum, RefusedProduct, UnknownUnit
from spectral_zarr.transforms import prepare

N = 50
WAVE = 4000.0 + np.arange(N) ** 1.1
FLUX = 3 + np.sin(np.arange(float(N)))
UNITS = {"wave": "Angstrom", "flux": "dimensionless_unit"}
AXIS = {"CRVAL1": 6550.0, "CRPIX1": 1.0, "CDELT1": 1.25, "CTYPE1": "AWAV", "CUNIT1": "Angstrom"}
FLAM = "10**(-20)*erg/s/cm**2/Angstrom"


def image(name: str, values: Any, **cards: Any) -> fits.ImageHDU:
    hdu = fits.ImageHDU(np.asarray(values), name=name)
    hdu.header.update(cards)
    return hdu


def linetools(*others: fits.ImageHDU, units: Any = UNITS, meta: Any = None, flux: Any = FLUX) -> list[Any]:
    primary = fits.PrimaryHDU(np.asarray(flux, np.float32))
    primary.header["EXTNAME"] = "FLUX"
    if units:
        primary.header["UNITS"] = json.dumps(units)
    primary.header["METADATA"] = json.dumps(meta or {"headers": ["none"], "airvac": "vac"})
    return [primary, *others]


class TestLinetools:
    """Cards and HDUs as XSpectrum1D of linetools writes them."""

    def test_every_image_has_the_role_of_its_name(self, write_fits: Any, read_one: Any, reference: Any) -> None:
        others = [image("ERROR", 0.1 * FLUX), image("WAVELENGTH", WAVE), image("CONTINUUM", np.full(N, 4.0))]
        path = write_fits(*linetools(*others))
        name, spectrum = read_one(path)
        assert name == "generic-image"
        ready, hdus = prepare(spectrum), reference(path)
        np.testing.assert_array_equal(ready.flux, hdus["FLUX"].data)
        np.testing.assert_array_equal(ready.uncertainty, hdus["ERROR"].data.astype("f4"))
        np.testing.assert_array_equal(ready.continuum, hdus["CONTINUUM"].data.astype("f4"))
        np.testing.assert_array_equal(ready.wavelength, hdus["WAVELENGTH"].data)
        assert (ready.flux_unit, spectrum.sampling.medium) == ("dimensionless", "vacuum")
        assert spectrum.continuum_method == "hdu:CONTINUUM"
        assert not any("UNITS" in key for key in spectrum.header)

    @pytest.mark.parametrize("name", ["SIG", "ERROR", "IVAR", "VARIANCE"])
    def test_the_noise_has_the_meaning_of_its_name(self, write_fits: Any, read_one: Any, name: str) -> None:
        value = {"SIG": 0.5, "ERROR": 0.5, "IVAR": 4.0, "VARIANCE": 0.25}[name]
        path = write_fits(*linetools(image(name, np.full(N, value)), image("WAVE", WAVE, BUNIT="Angstrom")))
        np.testing.assert_array_equal(prepare(read_one(path)[1]).uncertainty, np.full(N, 0.5, "f4"))

    def test_masked_pixels_have_an_error_of_zero(self, write_fits: Any, read_one: Any) -> None:
        error = np.where(np.arange(N) == 9, 0, 0.1)
        ready = prepare(read_one(write_fits(*linetools(image("ERROR", error), image("WAVELENGTH", WAVE))))[1])
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), np.arange(N) == 9)

    @pytest.mark.parametrize(
        ("said", "medium"), [("air", "air"), ("vac", "vacuum"), ("none", "unknown"), (None, "unknown")]
    )
    def test_the_medium_is_that_of_the_metadata(
        self, write_fits: Any, read_one: Any, said: str | None, medium: str
    ) -> None:
        path = write_fits(*linetools(image("WAVELENGTH", WAVE), meta={"airvac": said}))
        assert read_one(path)[1].sampling.medium == medium

    @pytest.mark.parametrize("units", ["not json", "[1, 2]", '{"wave": 3}', "[" * 60])
    def test_odd_metadata_are_no_units(self, write_fits: Any, read_one: Any, units: str) -> None:
        hdus = linetools(image("WAVELENGTH", WAVE), units=None)
        hdus[0].header["UNITS"] = units
        with pytest.raises(UnknownUnit, match=r"no BUNIT.*Also, the HDU WAVELENGTH has no unit"):
            read_one(write_fits(*hdus))

    def test_axes_of_length_one_do_not_separate_what_belongs_together(self, write_fits: Any, read_one: Any) -> None:
        wave = image("WAVE", WAVE, BUNIT="Angstrom", AIRORVAC="vac")
        path = write_fits(image("FLUX", FLUX[None], BUNIT="erg/s/cm2/A"), image("IVAR", np.full((1, N), 4.0)), wave)
        _, spectrum = read_one(path)
        assert (spectrum.sampling.medium, prepare(spectrum).uncertainty[0]) == ("vacuum", np.float32(0.5))

    def test_several_spectra_are_refused(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(image("FLUX", np.ones((4, N))), image("WAVE", WAVE, BUNIT="Angstrom"))
        with pytest.raises(RefusedProduct, match="4 x 50 pixels is not one spectrum"):
            read_one(path)

    def test_an_error_in_another_unit_is_refused(self, write_fits: Any, read_one: Any) -> None:
        hdus = [
            image("FLUX", FLUX, BUNIT="adu"),
            image("ERROR", FLUX, BUNIT="electron"),
            image("WAVE", WAVE, BUNIT="nm"),
        ]
        with pytest.raises(UnknownUnit, match="electron"):
            read_one(write_fits(*hdus))


class TestMpdaf:
    """Layout of mpdaf.obj.Spectrum.write: DATA, STAT (a variance) and DQ behind a primary HDU of cards."""

    def test_data_stat_and_quality(self, write_fits: Any, read_one: Any, reference: Any) -> None:
        quality = (np.arange(N) == 4).astype(np.uint8)
        data = image("DATA", FLUX, BUNIT=FLAM, **AXIS)
        path = write_fits(data, image("STAT", np.full(N, 0.25), **AXIS), image("DQ", quality), OBJECT="star")
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_array_equal(ready.flux, reference(path)["DATA"].data.astype("f4"))
        np.testing.assert_array_equal(ready.uncertainty, np.where(quality, np.nan, 0.5).astype("f4"))
        np.testing.assert_allclose(ready.grid.wavelength(), 6550 + 1.25 * np.arange(N))
        assert (ready.flux_unit, spectrum.sampling.medium) == ("1e-20 erg / (Angstrom cm2 s)", "air")
        assert (spectrum.observation.object, spectrum.hdu) == ("star", 1)

    @pytest.mark.parametrize("unit", ["", f"({FLAM})**2"])
    def test_a_variance_without_a_name_follows_the_data(self, write_fits: Any, read_one: Any, unit: str) -> None:
        data = image("DATA", FLUX, BUNIT=FLAM, **AXIS)
        stat = fits.ImageHDU(np.full(N, 0.25))
        stat.header.update({**AXIS, **({"BUNIT": unit} if unit else {})})
        _, spectrum = read_one(write_fits(data, stat))
        assert spectrum.noise_kind == "variance"
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, np.full(N, 0.5, np.float32))

    def test_the_class_of_an_error_tells_its_kind(self, write_fits: Any, read_one: Any) -> None:
        data = image("DATA", FLUX, BUNIT=FLAM, **AXIS)
        stat = image("STAT", np.full(N, 0.25), HDUCLAS2="ERROR", HDUCLAS3="RMSE", **AXIS)
        assert prepare(read_one(write_fits(data, stat))[1]).uncertainty[0] == np.float32(0.25)

    @pytest.mark.parametrize(
        ("unit", "canonical"),
        [("erg/s/cm**2/Angstrom", "1e-20 erg / (Angstrom cm2 s)"), (FLAM, "1e-20 erg / (Angstrom cm2 s)")],
    )
    def test_early_versions_kept_the_scale_apart(
        self, write_fits: Any, read_one: Any, unit: str, canonical: str
    ) -> None:
        path = write_fits(image("DATA", FLUX, BUNIT=unit, FSCALE=1e-20, **AXIS))
        assert prepare(read_one(path)[1]).flux_unit == canonical

    def test_the_card_scales_no_image_of_another_name(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(image("FLUX", FLUX, BUNIT="erg/s/cm**2/Angstrom", FSCALE=0.2, **AXIS))
        assert prepare(read_one(path)[1]).flux_unit == "erg / (Angstrom cm2 s)"

    def test_an_image_without_a_name_is_not_used(self, write_fits: Any, read_one: Any) -> None:
        primary = fits.PrimaryHDU(FLUX)
        primary.header.update(BUNIT="erg/s/cm2/A", **AXIS)
        assert read_one(write_fits(primary, fits.ImageHDU(np.full(N, 0.25))))[1].noise is None


ROWS = ImageOptions(rows=("wavelength", "flux", "uncertainty"), wavelength_unit="um", flux_unit="W/m2/um")


class TestRows:
    @pytest.fixture
    def three(self, write_fits: Any) -> Path:
        path: Path = write_fits(fits.PrimaryHDU(np.array([WAVE / 1e4, FLUX, 0.1 * FLUX])))
        return path

    def test_without_a_word_from_the_user_they_are_refused(self, three: Path, read_one: Any) -> None:
        with pytest.raises(NotASpectrum, match=r"without a wavelength axis.*rows in \[readers.image\]"):
            read_one(three)

    def test_rows_have_the_roles_that_the_user_names(self, three: Path, read_one: Any) -> None:
        name, spectrum = read_one(three, ReaderOptions(image=ROWS))
        ready = prepare(spectrum)
        assert (name, ready.flux_unit) == ("generic-rows", "W / (m2 um)")
        np.testing.assert_array_equal(ready.flux, FLUX.astype("f4"))
        np.testing.assert_array_equal(ready.uncertainty, (0.1 * FLUX).astype("f4"))
        np.testing.assert_allclose(ready.wavelength, WAVE, rtol=1e-14)

    def test_columns_are_read_alike(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(fits.PrimaryHDU(np.array([WAVE / 1e4, FLUX, 0.1 * FLUX]).T.copy()))
        np.testing.assert_array_equal(read_one(path, ReaderOptions(image=ROWS))[1].flux, FLUX)

    def test_rows_may_be_left_out_and_the_axis_may_be_in_the_cards(self, write_fits: Any, read_one: Any) -> None:
        hdu = fits.PrimaryHDU(np.array([np.zeros(N), FLUX, np.full(N, 4.0), np.full(N, 5.0)]))
        hdu.header.update(BUNIT="adu", **AXIS)
        options = ImageOptions(rows=("", "flux", "ivar", "continuum"))
        name, spectrum = read_one(write_fits(hdu), ReaderOptions(image=options))
        ready = prepare(spectrum)
        assert (name, spectrum.sampling.medium, ready.uncertainty[0]) == ("generic-rows", "air", np.float32(0.5))
        np.testing.assert_array_equal(ready.continuum, np.full(N, 5.0, "f4"))
        np.testing.assert_allclose(ready.grid.wavelength(), 6550 + 1.25 * np.arange(N))

    @pytest.mark.parametrize(
        ("rows", "said"),
        [
            (("wavelength", "flux"), r"names 2 rows.*3 x 50"),
            (("wavelength", "uncertainty", ""), "must name the flux"),
            (("flux", "flux", ""), "once at most"),
            (("flux", "ivar", "variance"), "once at most"),
        ],
    )
    def test_impossible_roles_are_refused(self, three: Path, read_one: Any, rows: Any, said: str) -> None:
        options = ImageOptions(rows=rows, wavelength_unit="um", flux_unit="adu")
        with pytest.raises(RefusedProduct, match=said):
            read_one(three, ReaderOptions(image=options))

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (ImageOptions(rows=ROWS.rows, flux_unit="adu"), "wavelength_unit"),
            (ImageOptions(rows=ROWS.rows, wavelength_unit="um"), "flux_unit"),
        ],
    )
    def test_units_are_not_guessed(self, three: Path, read_one: Any, options: ImageOptions, said: str) -> None:
        with pytest.raises(UnknownUnit, match=said):
            read_one(three, ReaderOptions(image=options))

    def test_products_keep_their_readers(self, write_fits: Any, read_one: Any) -> None:
        hdu = fits.PrimaryHDU(np.array([WAVE / 1e4, FLUX, 0.1 * FLUX]))
        hdu.header.update(XUNITS="um", YUNITS="Wm-2um-1")
        assert read_one(write_fits(hdu), ReaderOptions(image=ROWS))[0] == "spextool"

    def test_they_are_published(self, three: Path, tmp_path: Path) -> None:
        target, config = tmp_path / "out.zarr", Config(readers=ReaderOptions(image=ROWS))
        ingest(IngestRequest((str(three),), str(target), config=config), SerialExecutor())
        assert validate(target).valid
        np.testing.assert_array_equal(zarr.open_group(target, mode="r")["signal/flux_raw"][0], FLUX.astype("f4"))

"""SDSS, BOSS and eBOSS coadds: every pixel and the identifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.errors import MissingField
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


LOGLAM = 3.5523 + 1e-4 * np.arange(200)


@pytest.fixture
def coadd(write_fits: Any) -> Any:
    """A spec file in the layout of the data model, with any columns of one row in HDU2."""

    def write(name: str = "", summary: dict[str, tuple[str, Any]] | None = None, **cards: Any) -> Path:
        columns = {"FLUX": np.linspace(1, 2, 200), "LOGLAM": LOGLAM, "IVAR": np.full(200, 4.0)}
        tables = [
            fits.BinTableHDU.from_columns([fits.Column(key, "E", array=v) for key, v in columns.items()], name="COADD")
        ]
        if summary is not None:
            made = [fits.Column(key, form, array=[value]) for key, (form, value) in summary.items()]
            tables.append(fits.BinTableHDU.from_columns(made, name="SPALL"))
        path = write_fits(*tables, **{"TELESCOP": "SDSS 2.5-M", "RUN2D": "v6_1_1", **cards})
        return path.rename(path.with_name(name)) if name else path

    return write


class TestIdentifiers:
    """Which field, night and target, or plate, night and fibre, a spectrum is of, in all data releases."""

    SDSS_V = "sdss-15143-59188-27021598108289694"

    def test_a_target_of_sdss_v_is_told_by_its_catalogue_identifier(self, coadd: Any, read_one: Any) -> None:
        path = coadd(FIELD=15143, MJD=59188, CATALOGID=27021598108289694)
        spectrum = read_one(path)[1]
        assert spectrum.spec_id == self.SDSS_V
        assert spectrum.observation.instrument == "BOSS"

    def test_the_summary_gives_an_identifier_beyond_the_digits_of_a_float(self, coadd: Any, read_one: Any) -> None:
        summary = {"FIELD": ("J", 15143), "MJD": ("J", 59188), "CATALOGID": ("K", 27021598108289695)}
        _, spectrum = read_one(coadd(summary=summary, PLATEID=15143))
        assert spectrum.spec_id == "sdss-15143-59188-27021598108289695"
        assert spectrum.observation.object_id == "catalogid-27021598108289695"

    def test_the_file_name_stands_in_for_the_cards(self, coadd: Any, read_one: Any) -> None:
        assert read_one(coadd("spec-015143-59188-27021598108289694.fits"))[1].spec_id == self.SDSS_V

    def test_plate_and_fibre_of_older_releases_win_over_sentinels(self, coadd: Any, read_one: Any) -> None:
        summary = {"PLATE": ("J", 266), "MJD": ("J", 51630), "FIBERID": ("J", 13), "CATALOGID": ("K", -999)}
        assert read_one(coadd(summary=summary, RUN2D="26"))[1].spec_id == "sdss-266-51630-0013"

    def test_a_spectrum_that_nothing_identifies_is_refused(self, coadd: Any, read_one: Any) -> None:
        with pytest.raises(MissingField, match="PLATEID"):
            read_one(coadd("unknown.fits"))

    def test_a_unit_that_is_missing_or_misspelt_is_that_of_the_product(self, coadd: Any, read_one: Any) -> None:
        for cards in ({}, {"BUNIT": "1E-17 erg/cm^2/s/Angst"}):
            spectrum = read_one(coadd(FIELD=1, MJD=59188, CATALOGID=2, **cards))[1]
            assert prepare(spectrum).flux_unit == "1e-17 erg / (Angstrom cm2 s)"

    def test_the_night_is_the_date_where_no_time_is_given(self, coadd: Any, read_one: Any) -> None:
        assert read_one(coadd(FIELD=1, MJD=59188, CATALOGID=2))[1].observation.date_obs == "2020-12-05"

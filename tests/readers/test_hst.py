"""HST STIS, COS and HASP spectra and CALSPEC standards, against astropy and specutils.

The COS and HASP files are made here from the data models of the COS Data Handbook and of HASP, for want of real ones.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import Config, ReaderOptions
from spectral_zarr.errors import BadWavelength, MissingField, RefusedProduct
from spectral_zarr.testing import ReaderTests
from spectral_zarr.transforms import prepare
from tests.conftest import REAL_FILES

ROWS = ReaderOptions(echelle="rows")
STIS = "hst/odbue5030_x1d.fits"
VEGA = "hst-calspec/alpha_lyr_stis_011.fits.gz"
CGS = "erg /s /cm**2 /angstrom"


def real(name: str) -> list[Path]:
    if not (REAL_FILES / name).exists():
        pytest.skip("the real survey files are not beside this checkout")
    return [REAL_FILES / name]


def vector(name: str, values: Any, form: str, unit: str = "") -> fits.Column:
    values = np.atleast_2d(values)
    return fits.Column(name, f"{values.shape[1]}{form}", unit=unit or None, array=values)


def stis_table(n_orders: int, n_pix: int = 32, start: float = 1600.0, **cards: Any) -> fits.BinTableHDU:
    wave = start + 20.0 * np.arange(n_orders)[::-1, None] + np.arange(n_pix)
    flux = 1e-13 * (1 + np.arange(n_orders * n_pix).reshape(n_orders, n_pix))
    columns = [
        fits.Column("SPORDER", "1I", array=np.arange(80, 80 + n_orders) if n_orders > 1 else [1]),
        fits.Column("NELEM", "1I", array=np.full(n_orders, n_pix)),
        vector("WAVELENGTH", wave, "D", "Angstroms"),
        vector("FLUX", flux, "E", "erg/s/cm**2/Angstrom"),
        vector("ERROR", 0.1 * flux, "E", "erg/s/cm**2/Angstrom"),
        vector("DQ", np.tile(np.arange(n_pix) % 3 * 512, (n_orders, 1)), "I"),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="SCI")
    table.header.update({"DATE-OBS": "2017-05-21", "TIME-OBS": "02:04:58", "EXPTIME": 628.0, "EXPSTART": 57894.0868})
    table.header.update(cards)
    return table


STIS_CARDS: dict[str, Any] = {
    "TELESCOP": "HST", "INSTRUME": "STIS", "ROOTNAME": "o6h05w010", "TARGNAME": "HD-1", "RA_TARG": 10.5,
    "DEC_TARG": -5.25, "PROPOSID": 8880, "HELCORR": "COMPLETE", "X1DCORR": "COMPLETE", "SPECRES": 1080.0,
}  # fmt: skip


class TestStis:
    def test_every_order_of_a_real_file_agrees_with_astropy(
        self, real_files: Path, read_all: Any, reference: Any, claimants: Any
    ) -> None:
        path = real_files / STIS
        assert claimants(path) == ["hst-stis-x1d"]
        hdus = reference(path)
        data, header = hdus[1].data, hdus[1].header
        _, spectra = read_all(path, ROWS)
        assert len(spectra) == len(data) == 40
        for row, spectrum in zip(data, spectra, strict=True):
            np.testing.assert_array_equal(spectrum.flux, row["FLUX"])
            np.testing.assert_array_equal(spectrum.sampling.values, row["WAVELENGTH"])
            np.testing.assert_array_equal(spectrum.noise, row["ERROR"])
            np.testing.assert_array_equal(spectrum.bad, (row["DQ"] & header["SDQFLAGS"]) != 0)
            ready = prepare(spectrum)
            expected = np.where((row["DQ"] & 31743) | (row["ERROR"] <= 0), np.nan, row["ERROR"])
            np.testing.assert_array_equal(ready.uncertainty, expected.astype("f4"))
            assert spectrum.observation.order == str(row["SPORDER"])
            assert spectrum.spec_id == f"odbue5030-o{row['SPORDER']:03d}"
        facts = spectra[0].observation
        assert (facts.velocity_frame, facts.instrument, facts.object) == ("heliocentric", "STIS", "BD+28D4211")
        assert (facts.date_obs, facts.exptime, facts.program_id) == ("2017-05-21T02:04:58", 628.0, "14833")
        assert (facts.ra, facts.dec) == (hdus[0].header["RA_TARG"], hdus[0].header["DEC_TARG"])
        assert facts.resolving_power == hdus[0].header["SPECRES"]

    def test_every_order_of_a_real_file_agrees_with_specutils(self, real_files: Path, read_all: Any) -> None:
        specutils = pytest.importorskip("specutils")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = specutils.SpectrumCollection.read(real_files / STIS, format="HST/STIS multi")
        _, spectra = read_all(real_files / STIS, ROWS)
        for i, spectrum in enumerate(spectra):
            np.testing.assert_array_equal(spectrum.flux, theirs[i].flux.value)
            np.testing.assert_array_equal(spectrum.noise, theirs[i].uncertainty.array)
            np.testing.assert_array_equal(spectrum.bad, theirs[i].mask)
            np.testing.assert_array_equal(spectrum.sampling.values, theirs[i].spectral_axis.value)

    def test_echelle_orders_are_refused_unless_asked_for(self, real_files: Path, read_all: Any) -> None:
        with pytest.raises(RefusedProduct, match='echelle = "rows"'):
            read_all(real_files / STIS)

    def test_the_orders_of_a_real_file_are_published(self, real_files: Path, tmp_path: Path, reference: Any) -> None:
        target = tmp_path / "orders.zarr"
        request = IngestRequest((str(real_files / STIS),), str(target), Config(readers=ROWS))
        ingest(request, SerialExecutor())
        assert validate(target).valid
        store = zarr.open_group(target, mode="r")
        assert store["signal/flux_raw"].attrs["units"] == "erg / (Angstrom cm2 s)"
        flux = store["signal/flux_raw"][:]
        np.testing.assert_array_equal(flux, reference(real_files / STIS)[1].data["FLUX"])
        assert list(store["metadata/order"][:3]) == ["87", "88", "89"]
        assert store["metadata/h1_expname"][0] == "odbue5erq"

    def test_a_first_order_grating_is_one_spectrum(self, write_fits: Any, read_one: Any) -> None:
        name, spectrum = read_one(write_fits(stis_table(1), **STIS_CARDS))
        assert (name, spectrum.spec_id, spectrum.observation.order) == ("hst-stis-x1d", "o6h05w010", "")
        np.testing.assert_array_equal(spectrum.bad, np.arange(32) % 3 == 1)

    def test_exposures_are_rows_with_their_own_dates(self, write_fits: Any, read_all: Any) -> None:
        second = stis_table(1, **{"EXTVER": 2, "DATE-OBS": "2017-05-22", "SDQFLAGS": 512})
        _, spectra = read_all(write_fits(stis_table(1, EXTVER=1), second, **STIS_CARDS))
        assert [one.spec_id for one in spectra] == ["o6h05w010-1", "o6h05w010-2"]
        assert [one.hdu for one in spectra] == [1, 2]
        assert [one.observation.date_obs[:10] for one in spectra] == ["2017-05-21", "2017-05-22"]
        np.testing.assert_array_equal(spectra[1].bad, np.arange(32) % 3 == 1)
        assert spectra[1].header[1, "DATE-OBS", 1] == "2017-05-22"

    def test_wavelengths_without_heliocentric_correction_are_topocentric(self, write_fits: Any, read_one: Any) -> None:
        _, spectrum = read_one(write_fits(stis_table(1), **{**STIS_CARDS, "HELCORR": "OMIT"}))
        assert spectrum.observation.velocity_frame == "topocentric"

    def test_the_sum_of_split_exposures_has_its_own_identifier(self, write_fits: Any, read_one: Any) -> None:
        _, spectrum = read_one(write_fits(stis_table(1), **{**STIS_CARDS, "FILENAME": "o6h05w010_sx1.fits"}))
        assert spectrum.spec_id == "o6h05w010-sx1"

    def test_an_order_that_declares_too_many_pixels_does_not_take_the_others_along(
        self, write_fits: Any, read_all: Any
    ) -> None:
        table = stis_table(3)
        table.data["NELEM"][1] = 99
        _, (first, broken, third) = read_all(write_fits(table, **STIS_CARDS), ROWS)
        assert isinstance(broken, MissingField)
        assert (broken.hdu, broken.row) == (1, 1)
        assert (first.row, third.row) == (0, 2)

    def test_a_missing_error_column_is_named(self, write_fits: Any, read_all: Any) -> None:
        table = stis_table(1)
        kept = [column for column in table.columns if column.name != "ERROR"]
        bare = fits.BinTableHDU.from_columns(kept, name="SCI")
        _, (error,) = read_all(write_fits(bare, **STIS_CARDS))
        assert isinstance(error, MissingField)
        assert "ERROR" in error.message and "SPORDER" in error.message


def cos_table(starts: tuple[float, ...], n_pix: int = 64, summed: bool = False, **cards: Any) -> fits.BinTableHDU:
    n = len(starts)
    wave = np.array(starts)[:, None] + 0.01 * np.arange(n_pix)
    flux = 1e-14 * (1.0 + np.arange(n * n_pix).reshape(n, n_pix))
    flux[:, :5] = flux[:, -5:] = 0
    quality = np.zeros((n, n_pix), "i2")
    quality[:, :5] = quality[:, -5:] = 128
    quality[:, 20], quality[:, 21], quality[:, 22] = 2, 4, 8192
    weight = ((quality & 8346) == 0).astype("f4")
    weight[:, 22] = 2.0 if summed else 0.0
    columns = [
        fits.Column("SEGMENT", "4A", array=["FUVA", "FUVB", "FUVC"][:n]),
        fits.Column("EXPTIME", "1D", unit="s", array=np.full(n, 1000.0)),
        fits.Column("NELEM", "1J", array=np.full(n, n_pix)),
        vector("WAVELENGTH", wave, "D", "angstrom"),
        vector("FLUX", flux, "E", CGS),
        vector("ERROR", 0.1 * flux, "E", CGS),
        vector("DQ", quality, "I"),
        vector("DQ_WGT", weight, "E"),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="SCI")
    table.header.update({"DATE-OBS": "2010-03-04", "TIME-OBS": "01:02:03", "SDQFLAGS": 8346, "EXPTIME": 1000.0})
    table.header.update(cards)
    return table


COS_CARDS = {**STIS_CARDS, "INSTRUME": "COS", "ROOTNAME": "lb4c10abq", "FILENAME": "lb4c10abq_x1d.fits"}


class TestCos:
    """Layout-faithful files from the COS Data Handbook, chapter 2."""

    def test_segments_are_one_spectrum_in_ascending_wavelength(
        self, write_fits: Any, read_one: Any, claimants: Any, reference: Any
    ) -> None:
        path = write_fits(cos_table((1300.0, 1150.0)), **COS_CARDS)
        assert claimants(path) == ["hst-cos-x1d"]
        _, spectrum = read_one(path)
        data = reference(path)[1].data
        np.testing.assert_array_equal(spectrum.flux, data["FLUX"][::-1].ravel())
        np.testing.assert_array_equal(spectrum.noise, data["ERROR"][::-1].ravel())
        np.testing.assert_array_equal(spectrum.sampling.values, data["WAVELENGTH"][::-1].ravel())
        np.testing.assert_array_equal(spectrum.bad, (data["DQ"][::-1].ravel() & 8346) != 0)
        ready = prepare(spectrum)
        edges = data["DQ"][::-1].ravel() == 128
        np.testing.assert_array_equal(np.isnan(ready.flux), edges)
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), spectrum.bad)
        facts = spectrum.observation
        assert (facts.arm_merge, facts.velocity_frame, spectrum.spec_id) == (
            "concatenated",
            "heliocentric",
            "lb4c10abq",
        )
        assert facts.date_obs == "2010-03-04T01:02:03"

    def test_flux_agrees_with_specutils(self, write_fits: Any, read_one: Any) -> None:
        specutils = pytest.importorskip("specutils")
        path = write_fits(cos_table((1300.0, 1150.0)), **COS_CARDS)
        theirs = specutils.Spectrum.read(path, format="HST/COS")
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, theirs.flux.value)
        np.testing.assert_array_equal(spectrum.noise, theirs.uncertainty.array)
        np.testing.assert_array_equal(spectrum.sampling.values, theirs.spectral_axis.value)

    def test_a_weight_keeps_flagged_pixels_of_a_sum(self, write_fits: Any, read_one: Any) -> None:
        cards = {**COS_CARDS, "ROOTNAME": "lb4c10010", "FILENAME": "lb4c10010_x1dsum2.fits"}
        _, spectrum = read_one(write_fits(cos_table((1300.0,), summed=True), **cards))
        assert list(np.flatnonzero(spectrum.bad[5:-5]) + 5) == [20]
        assert (spectrum.spec_id, spectrum.observation.arm_merge) == ("lb4c10010-fp2", "")

    def test_overlapping_stripes_are_cut(self, write_fits: Any, read_one: Any) -> None:
        _, spectrum = read_one(write_fits(cos_table((2000.0, 2000.5), 101), **COS_CARDS))
        assert spectrum.observation.arm_merge == "cut at mid-overlap"
        assert np.all(np.diff(spectrum.sampling.values) > 0)

    def test_a_segment_without_wavelengths_is_left_out(self, write_fits: Any, read_one: Any) -> None:
        table = cos_table((1300.0, 1150.0))
        table.data["WAVELENGTH"][1] = 0
        _, spectrum = read_one(write_fits(table, **COS_CARDS))
        assert spectrum.flux.size == 64

    def test_a_segment_with_repeated_wavelengths_is_refused(self, write_fits: Any, read_all: Any) -> None:
        table = cos_table((1300.0, 1150.0))
        table.data["WAVELENGTH"][1, 7] = table.data["WAVELENGTH"][1, 6]
        _, (error,) = read_all(write_fits(table, **COS_CARDS))
        assert isinstance(error, BadWavelength)
        assert (error.hdu, error.row) == (1, 0)

    def test_segments_are_published_whole(self, write_fits: Any, tmp_path: Path) -> None:
        source = write_fits(cos_table((1300.0, 1150.0)), **COS_CARDS)
        ingest(IngestRequest((str(source),), str(tmp_path / "cos.zarr")), SerialExecutor())
        assert validate(tmp_path / "cos.zarr").valid


class TestKitStis(ReaderTests):
    reader = "hst-stis-x1d"
    options = ROWS
    n_damaged = 10

    def files(self) -> list[Path]:
        return real(STIS)

    def other_files(self) -> list[Path]:
        return real(VEGA)


class TestKitCalspec(ReaderTests):
    reader = "hst-calspec"
    n_damaged = 10

    def files(self) -> list[Path]:
        return real(VEGA)

    def other_files(self) -> list[Path]:
        return real(STIS)


class TestHasp:
    """Layout-faithful files from the HASP data products page."""

    def test_a_coadd_is_stacked_and_has_no_flux_where_nothing_exposed(self, write_fits: Any, read_one: Any) -> None:
        exposure = np.r_[np.zeros(4), np.full(28, 500.0)]
        columns = [
            vector("WAVELENGTH", 1200 + np.arange(32.0), "D", "Angstrom"),
            vector("FLUX", np.where(exposure > 0, 1e-14, 0), "E", CGS),
            vector("ERROR", np.where(exposure > 0, 1e-15, 0), "E", CGS),
            vector("SNR", np.full(32, 10.0), "E"),
            vector("EFF_EXPTIME", exposure, "E", "s"),
        ]
        cards = {"TELESCOP": "HST", "INSTRUME": "COS", "TARGNAME": "AZV-1", "DATE-BEG": "2020-01-01T00:00:00"}
        name = "hst_12345_cos_azv-1_cspec.fits"
        table = fits.BinTableHDU.from_columns(columns, name="SCI")
        reader, spectrum = read_one(write_fits(table, FILENAME=name, **cards))
        assert (reader, spectrum.spec_id) == ("hst-cspec", name.removesuffix(".fits"))
        assert (spectrum.observation.source_type, spectrum.observation.date_obs) == ("stacked", "")
        ready = prepare(spectrum)
        np.testing.assert_array_equal(np.isnan(ready.flux), exposure == 0)


class TestCalspec:
    def test_the_real_standard_agrees_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        path = real_files / VEGA
        assert claimants(path) == ["hst-calspec"]
        data = reference(path)[1].data
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, data["FLUX"])
        np.testing.assert_array_equal(spectrum.sampling.values, data["WAVELENGTH"])
        ready = prepare(spectrum)
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), (data["STATERROR"] <= 0) | (data["FLUX"] == 0))
        # The airglow of Lyman alpha is the only run of zeros.
        np.testing.assert_array_equal(np.isnan(ready.flux), data["FLUX"] == 0)
        assert (ready.flux_unit, spectrum.sampling.medium) == ("erg / (Angstrom cm2 s)", "vacuum")
        facts = spectrum.observation
        assert (facts.object, facts.source_type, facts.date_obs) == ("HD172167", "stacked", "")
        assert spectrum.spec_id == "calspec-alpha_lyr_stis_011"

    def test_the_real_standard_is_published(self, real_files: Path, tmp_path: Path, reference: Any) -> None:
        target = tmp_path / "vega.zarr"
        ingest(IngestRequest((str(real_files / VEGA),), str(target)), SerialExecutor())
        assert validate(target).valid
        store = zarr.open_group(target, mode="r")
        data = reference(real_files / VEGA)[1].data
        np.testing.assert_allclose(store["signal/wavelength"][:], data["WAVELENGTH"], rtol=1e-12)

    def test_a_model_is_synthetic_and_keeps_its_continuum(self, write_fits: Any, read_one: Any) -> None:
        columns = [
            fits.Column("WAVELENGTH", "1D", unit="ANGSTROMS", array=np.arange(1000.0, 1010.0)),
            fits.Column("FLUX", "1E", unit="FLAM", array=np.full(10, 1e-11)),
            fits.Column("CONTINUUM", "1E", unit="FLAM", array=np.full(10, 2e-11)),
        ]
        cards = {"DBTABLE": "CRSPECTRUM", "TARGETID": "G191B2B", "FILENAME": "g191b2b_mod_012.fits"}
        _, spectrum = read_one(write_fits(fits.BinTableHDU.from_columns(columns), **cards))
        assert (spectrum.observation.source_type, spectrum.noise) == ("synthetic", None)
        assert spectrum.observation.simulator != ""
        np.testing.assert_array_equal(spectrum.continuum, np.full(10, 2e-11, "f4"))
        assert spectrum.continuum_method == "column:CONTINUUM"

    def test_data_quality_zero_is_bad(self, write_fits: Any, read_one: Any) -> None:
        columns = [
            fits.Column("wavelength", "1E", unit="ANGSTROMS", array=np.arange(1000.0, 1010.0)),
            fits.Column("flux", "1E", unit="FLAM", array=np.full(10, 1e-11)),
            fits.Column("staterror", "1E", unit="FLAM", array=np.full(10, 1e-13)),
            fits.Column("syserror", "1E", unit="FLAM", array=np.full(10, 1e-13)),
            fits.Column("dataqual", "1I", array=np.r_[0, np.ones(9)]),
        ]
        reader, spectrum = read_one(write_fits(fits.BinTableHDU.from_columns(columns), TARGETID="GD71"))
        assert (reader, spectrum.spec_id) == ("hst-calspec", "")
        np.testing.assert_array_equal(np.isnan(prepare(spectrum).uncertainty), np.arange(10) == 0)

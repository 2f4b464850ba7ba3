"""LAMOST: real image and arm layouts pixel by pixel, and the table layouts of later releases from the data model."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import AllNaN, BadWavelength, MissingField, RefusedProduct
from spectral_zarr.readers.fits import open_fits
from spectral_zarr.transforms import prepare

LRS = ("spec-57287-KP193637N444141V03_sp10-161.fits.gz", "spec-58397-EG014118N254444M01_sp03-031.fits")
MRS = "med-58408-TD230151N343645T01_sp01-015.fits"
CARDS = {
    "TELESCOP": "LAMOST", "OBSID": 12345, "DESIG": "LAMOST J000000.00+000000.0", "PLANID": "P1", "SPID": 3,
    "LMJD": 58000, "FIBERID": 7, "FIBERTYP": "Obj", "DATE-OBS": "2017-09-03T12:00:00",
    "DATE-BEG": "2017-09-03T19:50:00", "HELIO": True, "HELIO_RV": 5.5, "VACUUM": True, "RA": 10.0, "DEC": 20.0,
    "SNRG": 30.0,
}  # fmt: skip
N = 300
GRID = 10 ** (1e-4 * (35682 + np.arange(N)))
FLUX = np.linspace(100.0, 200.0, N)
IVAR = np.full(N, 0.01)


def primary(data: Any = None, **cards: Any) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU(data)
    for keyword, value in {**CARDS, **cards}.items():
        if value is not None:
            hdu.header[keyword] = value
    return hdu


def table(name: str, *, vectors: bool = True, **columns: Any) -> fits.BinTableHDU:
    made = []
    for column, values in columns.items():
        values = np.asarray(values, "f4")
        form, array = (f"{values.size}E", values[None]) if vectors else ("E", values)
        made.append(fits.Column(column, form, array=array))
    return fits.BinTableHDU.from_columns(made, name=name)


def arm(name: str, first: int, n: int, *, step: float = 1e-5, loglam: bool = True, **kind: Any) -> fits.BinTableHDU:
    """One arm whose flux counts the pixels of the lattice, so that a shift of one pixel is seen."""
    logarithm = (first + np.arange(n)) * step
    axis = {"LOGLAM": logarithm} if loglam else {"WAVELENGTH": 10**logarithm}
    return table(name, FLUX=first % 1000 + 1 + np.arange(n), IVAR=np.full(n, 4.0), **axis, **kind)


@pytest.fixture
def rows(write_fits: Any) -> Any:
    def write(third: Any = GRID, dtype: str = "f4", n_rows: int = 5, **cards: Any) -> Path:
        image = np.stack([FLUX, IVAR, third, np.zeros(N), np.zeros(N)]).astype(dtype)[:n_rows]
        return write_fits(primary(image, **{"COEFF0": 3.5682, "COEFF1": 1e-4, **cards}))

    return write


class TestRealFiles:
    @pytest.mark.parametrize("name", LRS)
    def test_the_rows_of_an_image_agree_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any, name: str
    ) -> None:
        path = real_files / "lamost" / name
        image, header = reference(path)[0].data, reference(path)[0].header
        assert claimants(path) == ["lamost-lrs"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.grid.wavelength(), image[2], rtol=4e-7)
        # Zeros at the ends are fill, even where the pipeline left an inverse variance.
        measured = np.arange(image.shape[1]) <= image[0].nonzero()[0][-1]
        np.testing.assert_array_equal(ready.flux[measured], image[0][measured])
        good = (image[1] > 0) & np.isfinite(ready.flux)
        np.testing.assert_allclose(ready.uncertainty[good], 1 / np.sqrt(image[1][good].astype("f8")), rtol=1e-6)
        assert np.isnan(ready.uncertainty[image[1] <= 0]).all()
        assert spectrum.spec_id == f"lamost-{header['OBSID']}"
        observation = spectrum.observation
        assert (observation.snr, observation.snr_method) == (header["SNRG"], "header:SNRG")
        assert (observation.date_obs, observation.object_id) == (header["DATE-OBS"], header["DESIG"])
        assert (observation.velocity_frame, spectrum.sampling.medium) == ("heliocentric", "vacuum")
        assert observation.rv_applied == header["HELIO_RV"]

    def test_both_arms_of_a_medium_resolution_spectrum_agree_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        path = real_files / "lamost" / MRS
        hdus = reference(path)
        assert claimants(path) == ["lamost-mrs"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        wavelength, covered = ready.grid.wavelength(), np.zeros(ready.flux.size, bool)
        for name in ("COADD_B", "COADD_R"):
            coadd = hdus[name].data
            pixel = np.searchsorted(wavelength, 10 ** coadd["LOGLAM"].astype("f8") * (1 - 1e-6))
            covered[pixel] = True
            np.testing.assert_allclose(wavelength[pixel], 10 ** coadd["LOGLAM"].astype("f8"), rtol=1e-6)
            good = coadd["IVAR"] > 0
            np.testing.assert_array_equal(ready.flux[pixel][good], coadd["FLUX"][good])
            # Bit 0 of ANDMASK, the only one here, is a bad pixel of the CCD.
            good &= coadd["ANDMASK"] == 0
            np.testing.assert_allclose(ready.uncertainty[pixel][good], coadd["IVAR"][good] ** -0.5, rtol=1e-5)
            assert np.isnan(ready.uncertainty[pixel][~good]).all()
        assert np.isnan(ready.flux[~covered]).all()
        assert spectrum.observation.arm_merge == "concatenated"
        assert spectrum.spec_id == "lamost-med-681001015"
        assert spectrum.observation.exptime == 7 * 1200
        assert spectrum.observation.snr == pytest.approx(np.median([120.75, 280.75]))


class TestLowResolution:
    """Files written in the layouts of the data release documents."""

    def test_the_wavelength_follows_from_the_cards_where_the_third_row_holds_something_else(
        self, rows: Any, read_one: Any, claimants: Any
    ) -> None:
        path = rows(FLUX - np.median(FLUX))
        assert claimants(path) == ["lamost-lrs"]
        _, spectrum = read_one(path)
        np.testing.assert_allclose(prepare(spectrum).grid.wavelength(), GRID, rtol=1e-12)

    def test_a_third_row_that_ascends_outside_the_range_is_no_wavelength(self, rows: Any, read_one: Any) -> None:
        np.testing.assert_allclose(prepare(read_one(rows(np.arange(N)))[1]).grid.wavelength(), GRID, rtol=1e-12)

    @pytest.mark.parametrize(("dtype", "n_rows"), [("f8", 5), ("f4", 3), ("f4", 4)])
    def test_other_types_and_fewer_rows_give_the_same_values(
        self, rows: Any, read_one: Any, dtype: str, n_rows: int
    ) -> None:
        ready = prepare(read_one(rows(dtype=dtype, n_rows=n_rows))[1])
        np.testing.assert_allclose(ready.flux, FLUX, rtol=1e-6)
        np.testing.assert_allclose(ready.uncertainty, 10.0, rtol=1e-6)
        assert ready.grid.first == 35682

    def test_an_image_without_any_wavelength_is_refused(self, rows: Any, read_one: Any) -> None:
        with pytest.raises(BadWavelength, match="COEFF0"):
            read_one(rows(np.zeros(N), COEFF0=None, COEFF1=None))

    @pytest.mark.parametrize("vectors", [True, False])
    def test_a_table_gives_flux_wavelength_and_the_normalised_flux(
        self, write_fits: Any, read_one: Any, claimants: Any, vectors: bool
    ) -> None:
        coadd = table(
            "COADD", vectors=vectors, FLUX=FLUX, IVAR=IVAR, WAVELENGTH=GRID, ANDMASK=0 * FLUX, NORMALIZATION=FLUX / 150
        )
        path = write_fits(primary(), coadd)
        assert claimants(path) == ["lamost-lrs"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.flux, FLUX, rtol=1e-6)
        np.testing.assert_allclose(ready.normalized, FLUX / 150, rtol=1e-6)
        np.testing.assert_allclose(ready.grid.wavelength(), GRID, rtol=1e-12)
        assert ready.flux_unit == "dimensionless"
        assert spectrum.observation.flux_calibration == "relative"
        assert spectrum.hdu == 1

    def test_leftover_axis_cards_of_an_empty_primary_do_no_harm(
        self, write_fits: Any, read_one: Any, tmp_path: Path
    ) -> None:
        path = write_fits(primary(), table("COADD", FLUX=FLUX, IVAR=IVAR, WAVELENGTH=GRID))
        card = f"{'NAXIS1  =':<10}{N:>20}".ljust(80).encode()
        raw = path.read_bytes()
        position = raw.index(b"EXTEND  =")
        left = tmp_path / "left.fits"
        left.write_bytes(raw[:position] + card + raw[position:].replace(b" " * 80, b"", 1))
        np.testing.assert_allclose(read_one(left)[1].flux, FLUX, rtol=1e-6)

    def test_pixels_without_inverse_variance_are_bad_and_zeros_at_the_ends_are_missing(
        self, write_fits: Any, read_one: Any
    ) -> None:
        flux, ivar = FLUX.copy(), IVAR.copy()
        flux[:4] = ivar[:4] = ivar[100] = 0
        ready = prepare(read_one(write_fits(primary(), table("COADD", FLUX=flux, IVAR=ivar, WAVELENGTH=GRID)))[1])
        assert np.isnan(ready.flux[:4]).all()
        assert np.isfinite(ready.flux[4:]).all()
        assert np.isnan(ready.uncertainty).nonzero()[0].tolist() == [0, 1, 2, 3, 100]

    def test_a_sky_fibre_is_left_out(self, rows: Any, read_all: Any, left_out: Any) -> None:
        assert read_all(rows(FIBERTYP="Sky")) == ("lamost-lrs", [])
        assert left_out(rows(FIBERTYP="Sky")) == ["FIBERTYP = SKY"]

    def test_a_capped_ratio_is_estimated_instead(self, rows: Any, read_one: Any) -> None:
        observation = prepare(read_one(rows(SNRG=None, SN_G=99.0))[1]).observation
        assert observation.snr_method == "median_flux_over_sigma"
        assert prepare(read_one(rows(SNRG=None, SN_G=25.5))[1]).observation.snr == 25.5

    def test_the_time_is_never_the_local_one(self, rows: Any, read_one: Any) -> None:
        observation = read_one(rows())[1].observation
        assert observation.date_obs == "2017-09-03T12:00:00"
        assert observation.mjd == 57999.5
        assert read_one(rows(**{"DATE-OBS": None}))[1].observation.date_obs == ""

    def test_without_an_observation_number_the_fibre_is_the_identifier(self, rows: Any, read_one: Any) -> None:
        assert read_one(rows(OBSID=None))[1].spec_id == "lamost-58000-P1-3-7"

    def test_text_in_place_of_logical_cards_is_understood(self, rows: Any, read_one: Any) -> None:
        spectrum = read_one(rows(VACUUM="T", HELIO="T"))[1]
        assert (spectrum.sampling.medium, spectrum.observation.velocity_frame) == ("vacuum", "heliocentric")

    @pytest.mark.parametrize("lost", ["IVAR", "WAVELENGTH"])
    @pytest.mark.parametrize("name", ["COADD", "COADD_B"])
    def test_a_table_without_a_column_that_it_must_have_says_which(
        self, write_fits: Any, read_one: Any, name: str, lost: str
    ) -> None:
        columns = {"FLUX": FLUX, "IVAR": IVAR, "WAVELENGTH": GRID}
        del columns[lost]
        with pytest.raises(MissingField, match=lost):
            read_one(write_fits(primary(), table(name, **columns)))

    def test_a_catalogue_is_refused_by_name(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="LAMOST"):
            read_one(write_fits(primary(), table("CATALOG", teff=[5000.0], logg=[4.0])))


class TestMediumResolution:
    """Files written in the layouts of the data release documents."""

    BLUE, RED = (368966, 60), (369066, 50)

    @pytest.mark.parametrize("vectors", [True, False])
    @pytest.mark.parametrize("loglam", [True, False])
    def test_arms_are_laid_on_the_lattice_with_a_gap(
        self, write_fits: Any, read_one: Any, claimants: Any, vectors: bool, loglam: bool
    ) -> None:
        arms = [
            arm(name, *span, vectors=vectors, loglam=loglam)
            for name, span in (("COADD_R", self.RED), ("COADD_B", self.BLUE))
        ]
        path = write_fits(primary(EXTNAME="Information"), *arms)
        assert claimants(path) == ["lamost-mrs"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        assert (ready.grid.first, ready.grid.n_pix) == (368966, 150)
        expected = np.full(150, np.nan)
        expected[:60], expected[100:] = 967 + np.arange(60), 67 + np.arange(50)
        np.testing.assert_array_equal(ready.flux, expected)
        np.testing.assert_array_equal(ready.uncertainty, np.where(np.isnan(expected), np.nan, 0.5))
        assert spectrum.observation.arm_merge == "concatenated"

    @pytest.mark.parametrize("empty", [True, False])
    def test_an_arm_may_be_missing_or_empty(self, write_fits: Any, read_one: Any, empty: bool) -> None:
        rest = [arm("COADD_R", 369066, 0, vectors=False)] if empty else []
        _, spectrum = read_one(write_fits(primary(EXTNAME="Information"), arm("COADD_B", *self.BLUE), *rest))
        assert prepare(spectrum).grid.n_pix == 60
        assert spectrum.observation.arm_merge == ""

    def test_zeros_at_the_inner_ends_of_arms_are_missing(self, write_fits: Any, read_one: Any) -> None:
        blue = arm("COADD_B", *self.BLUE)
        for column in ("FLUX", "IVAR"):
            blue.data[column][0, 57:] = 0
        ready = prepare(read_one(write_fits(primary(EXTNAME="Information"), blue, arm("COADD_R", *self.RED)))[1])
        assert np.isfinite(ready.flux).nonzero()[0].tolist() == [*range(57), *range(100, 150)]

    def test_the_only_exposure_stands_for_a_coadd_that_does_not_exist(self, write_fits: Any, read_one: Any) -> None:
        # Exposures keep the pixels of the detector, and those of the red arm descend.
        blue = table("B-84107311", FLUX=[1, 2, 3], IVAR=[1, 1, 1], LOGLAM=[3.70001, 3.700021, 3.700033], vectors=False)
        red = table("R-84107311", FLUX=[6, 5, 4], IVAR=[1, 1, 1], LOGLAM=[3.80003, 3.800021, 3.80001], vectors=False)
        _, spectrum = read_one(write_fits(primary(EXTNAME="Information"), blue, red))
        np.testing.assert_array_equal(prepare(spectrum).flux, [1, 2, 3, 4, 5, 6])

    def test_exposures_that_nobody_combined_are_refused(self, write_fits: Any, read_one: Any) -> None:
        exposures = [arm(f"B-8410731{i}", *self.BLUE) for i in range(2)]
        with pytest.raises(MissingField, match="COADD_B"):
            read_one(write_fits(primary(EXTNAME="Information"), *exposures))

    def test_a_file_without_any_arm_is_refused(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(MissingField, match="COADD_B nor COADD_R"):
            read_one(write_fits(primary(EXTNAME="Information")))

    def test_a_dead_fibre_is_refused(self, write_fits: Any, read_one: Any) -> None:
        dead = table("COADD_B", FLUX=np.zeros(9), IVAR=np.zeros(9), LOGLAM=(368966 + np.arange(9)) * 1e-5)
        with pytest.raises(AllNaN):
            prepare(read_one(write_fits(primary(EXTNAME="Information"), dead))[1])


class TestIngest:
    def test_low_resolution_files_of_all_layouts_share_one_wavelength(self, real_files: Path, tmp_path: Path) -> None:
        source = tmp_path / "lrs"
        source.mkdir()
        for name in LRS:
            shutil.copy(real_files / "lamost" / name, source / name)
        image = fits.getdata(source / LRS[1])
        coadd = table("COADD", FLUX=image[0], IVAR=image[1], WAVELENGTH=image[2], NORMALIZATION=image[0] / 2)
        fits.HDUList([primary(), coadd]).writeto(source / "dr9.fits")
        (source / "dr9.fits.gz").write_bytes(gzip.compress((source / "dr9.fits").read_bytes()))
        (source / "dr9.fits").unlink()
        ingest(IngestRequest((str(source),), str(tmp_path / "lrs.zarr")), SerialExecutor())
        assert validate(tmp_path / "lrs.zarr").valid
        store = zarr.open_group(tmp_path / "lrs.zarr", mode="r")
        ids = list(store["metadata/spec_id"][:])
        assert store["signal/wavelength"].shape == (3909,)
        flux = store["signal/flux_raw"]
        np.testing.assert_array_equal(flux[ids.index("lamost-12345")], flux[ids.index("lamost-677503031")])

    def test_medium_resolution_files_with_one_arm_and_two_share_one_wavelength(
        self, real_files: Path, tmp_path: Path
    ) -> None:
        source = tmp_path / "mrs"
        source.mkdir()
        shutil.copy(real_files / "lamost" / MRS, source / MRS)
        blue = open_fits(str(source / MRS)).hdus[1].column("LOGLAM")
        alone = table("COADD_B", FLUX=np.ones(blue.size), IVAR=np.ones(blue.size), LOGLAM=blue)
        fits.HDUList([primary(EXTNAME="Information"), alone]).writeto(source / "med-blue.fits")
        ingest(IngestRequest((str(source),), str(tmp_path / "mrs.zarr")), SerialExecutor())
        assert validate(tmp_path / "mrs.zarr").valid
        store = zarr.open_group(tmp_path / "mrs.zarr", mode="r")
        assert store["signal/wavelength"].ndim == 1
        assert sorted(np.isfinite(store["signal/flux_raw"][:]).sum(axis=1).tolist()) == [4101, 7733]

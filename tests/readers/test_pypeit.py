"""PypeIt spec1d and coadd1d: files made from the data models SpecObj and OneSpec, for want of real ones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions, Tolerance
from spectral_zarr.errors import MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Spectrum
from spectral_zarr.testing import ReaderTests
from spectral_zarr.transforms import prepare

N = 60
LIGHT = 299_792.458
ROWS = ReaderOptions(echelle="rows")
PRIMARY = {
    "PYP_SPEC": "keck_deimos",
    "PYPELINE": "MultiSlit",
    "TARGET": "field7",
    "RA": 202.5,
    "DEC": 11.25,
    "MJD": 58407.5,
    "EXPTIME": 900.0,
    "AIRMASS": 1.2,
    "DMODCLS": "SpecObjs",
}


def columns(kind: str, quantity: str, noise: str, *, level: float = 10.0) -> list[fits.Column]:
    wave = np.r_[np.zeros(5), 5000.0 + 0.7 * np.arange(N - 5) ** 1.01]
    flux = level + np.sin(np.arange(float(N)))
    noises = {"IVAR": np.where(np.arange(N) == 20, 0, 4.0), "SIG": np.full(N, 0.5), "VAR": np.full(N, 0.25)}
    name = f"{kind}_{quantity}" if quantity != "COUNTS" or noise != "VAR" else kind
    return [
        fits.Column(f"{kind}_WAVE", "D", array=wave),
        fits.Column(f"{kind}_{quantity}", "D", array=flux),
        fits.Column(f"{name}_{noise}", "D", array=noises[noise]),
        fits.Column(f"{kind}_MASK", "L", array=np.arange(N) != 10),
    ]


def detection(name: str, made: list[fits.Column], **cards: Any) -> fits.BinTableHDU:
    hdu = fits.BinTableHDU.from_columns([fits.Column("TRACE_SPAT", "D", array=np.ones(N)), *made], name=name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdu.header.update(cards)
    return hdu


def exposure() -> list[fits.BinTableHDU]:
    both = [*columns("OPT", "FLAM", "IVAR"), *columns("OPT", "COUNTS", "IVAR", level=900.0)[1:3]]
    shifted = {"VEL_TYPE": "heliocentric", "VEL_CORR": 1.0001}
    detector = fits.BinTableHDU.from_columns([fits.Column("platescale", "D", array=[0.1185])], name="DET01-DETECTOR")
    return [
        detection("SPAT0176-SLIT0185-DET01", both, MASKDEF_OBJNAME="star-1", RA=202.51, DEC=11.26, **shifted),
        detection("SPAT0300-SLIT0310-DET01", columns("BOX", "COUNTS", "IVAR"), VEL_TYPE="observed"),
        detector,
    ]


@pytest.fixture
def spec1d(write_fits: Any) -> Path:
    path: Path = write_fits(*exposure(), **PRIMARY)
    return path


class TestObjects:
    def test_every_object_is_a_spectrum(self, spec1d: Path, read_all: Any, claimants: Any) -> None:
        assert claimants(spec1d) == ["pypeit-spec1d"]
        _, spectra = read_all(spec1d)
        assert [one.spec_id for one in spectra] == ["made-SPAT0176-SLIT0185-DET01", "made-SPAT0300-SLIT0310-DET01"]
        assert [one.hdu for one in spectra] == [1, 2]

    def test_the_optimal_flux_agrees_with_astropy(self, spec1d: Path, read_all: Any, reference: Any) -> None:
        first = prepare(read_all(spec1d)[1][0])
        data = reference(spec1d)[1].data[5:]
        np.testing.assert_array_equal(first.flux, data["OPT_FLAM"].astype("f4"))
        np.testing.assert_allclose(first.wavelength, data["OPT_WAVE"], rtol=1e-14)
        good = data["OPT_MASK"] & (data["OPT_FLAM_IVAR"] > 0)
        expected = np.full(len(data), np.nan)
        expected[good] = 1 / np.sqrt(data["OPT_FLAM_IVAR"][good])
        np.testing.assert_allclose(first.uncertainty, expected, rtol=1e-6)
        assert np.count_nonzero(~good) == 2
        assert first.flux_unit == "1e-17 erg / (Angstrom cm2 s)"

    def test_an_object_without_optimal_extraction_has_its_boxcar(self, spec1d: Path, read_all: Any) -> None:
        second = prepare(read_all(spec1d)[1][1])
        assert (second.flux_unit, second.flux.size) == ("ct", N - 5)

    def test_facts_are_those_of_the_object_where_it_has_them(self, spec1d: Path, read_all: Any) -> None:
        first, second = (one.observation for one in read_all(spec1d)[1])
        assert (first.object, first.ra, first.dec) == ("star-1", 202.51, 11.26)
        assert (second.object, second.ra, second.dec) == ("field7", 202.5, 11.25)
        assert (first.instrument, first.date_obs, first.exptime) == ("keck_deimos", "2018-10-16T12:00:00.000", 900.0)
        assert (first.velocity_frame, second.velocity_frame) == ("heliocentric", "topocentric")
        assert (first.flux_calibration, second.flux_calibration) == ("absolute", "counts")
        # (1 + v/c) / (1 - v/c) is the square of the factor.
        beta = first.berv / LIGHT
        np.testing.assert_allclose((1 + beta) / (1 - beta), 1.0001**2, rtol=1e-12)
        assert np.isnan(second.berv)

    @pytest.mark.parametrize(("noise", "sigma"), [("IVAR", 0.5), ("SIG", 0.5), ("VAR", 0.5)])
    @pytest.mark.parametrize("quantity", ["FLAM", "COUNTS"])
    def test_early_versions_have_other_names(
        self, write_fits: Any, read_one: Any, quantity: str, noise: str, sigma: float
    ) -> None:
        made = columns("BOX", quantity, noise)
        for column in made:
            column.name = column.name.lower()
        _, spectrum = read_one(write_fits(detection("O465-S538-D01-I0011", made), PYPIT="yes"))
        assert prepare(spectrum).uncertainty[0] == np.float32(sigma)
        assert spectrum.observation.velocity_frame == "unknown"

    def test_an_object_without_wavelengths_does_not_take_the_others_along(
        self, write_fits: Any, read_all: Any, tmp_path: Path
    ) -> None:
        tables = exposure()
        tables[0].data["OPT_WAVE"] = 0
        path = write_fits(*tables, **PRIMARY)
        first, second = read_all(path)[1]
        assert isinstance(first, SourceError)
        assert (first.code, first.hdu, first.row) == ("refused-product", 1, 0)
        assert isinstance(second, Spectrum)
        target = tmp_path / "out.zarr"
        ingest(IngestRequest((str(path),), str(target), tolerance=Tolerance.parse("1")), SerialExecutor())
        assert zarr.open_group(target, mode="r")["signal/flux_raw"].shape[0] == 1


class TestOrders:
    def order(self, number: int, name: str, **cards: Any) -> fits.BinTableHDU:
        return detection(f"{name}-ORDER{number:04d}", columns("OPT", "COUNTS", "IVAR"), **cards)

    def test_orders_are_refused_by_default(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(*(self.order(n, "OBJ0500-DET01") for n in (4, 5)), **PRIMARY)
        with pytest.raises(RefusedProduct, match=r"2 echelle orders.*echelle = \"rows\""):
            read_one(path)

    def test_orders_become_rows_on_request(self, write_fits: Any, read_all: Any) -> None:
        path = write_fits(self.order(4, "OBJ0500-DET01"), self.order(5, "OBJ0500-DET01", ECH_ORDER=5), **PRIMARY)
        spectra = read_all(path, ROWS)[1]
        assert [one.observation.order for one in spectra] == ["4", "5"]
        assert len({one.spec_id for one in spectra}) == 2

    def test_one_order_of_two_objects_is_two_spectra(self, write_fits: Any, read_all: Any) -> None:
        path = write_fits(*(self.order(7, f"OBJ0{n}00-DET01") for n in (3, 6)), **PRIMARY)
        assert len(read_all(path)[1]) == 2


class TestCoadd:
    def coadd(self, write_fits: Any, **cards: Any) -> Path:
        wave = np.r_[5000.0 + np.arange(N - 2), 0, 0]
        made = [
            fits.Column("wave", "D", array=wave),
            fits.Column("wave_grid_mid", "D", array=5000.5 + np.arange(N)),
            fits.Column("flux", "D", array=2 + np.sin(np.arange(float(N)))),
            fits.Column("ivar", "D", array=np.full(N, 16.0)),
            fits.Column("mask", "K", array=np.arange(N) % 9 != 0),
            fits.Column("telluric", "D", array=np.ones(N)),
        ]
        table = fits.BinTableHDU.from_columns(made, name="SPECTRUM")
        table.header.update({"DMODCLS": "OneSpec", "PYP_SPEC": "keck_nires", "EXT_MODE": "OPT", **cards})
        path: Path = write_fits(table, TARGET="J0020", MJD=58407.5, RA=5.0, DEC=-3.0)
        return path

    @pytest.mark.parametrize(("fluxed", "unit"), [(True, "1e-17 erg / (Angstrom cm2 s)"), (False, "ct / s")])
    def test_a_coadd_agrees_with_astropy(
        self, write_fits: Any, read_one: Any, claimants: Any, reference: Any, fluxed: bool, unit: str
    ) -> None:
        path = self.coadd(write_fits, FLUXED=fluxed)
        assert claimants(path) == ["pypeit-coadd1d"]
        ready = prepare(read_one(path)[1])
        data = reference(path)[1].data[:-2]
        np.testing.assert_array_equal(ready.flux, data["flux"].astype("f4"))
        np.testing.assert_array_equal(np.isnan(ready.uncertainty), data["mask"] == 0)
        np.testing.assert_allclose(np.nanmax(ready.uncertainty), 0.25)
        assert (ready.flux_unit, ready.flux.size) == (unit, N - 2)

    def test_it_is_a_stack_without_a_date(self, write_fits: Any, read_one: Any) -> None:
        facts = read_one(self.coadd(write_fits, FLUXED=True))[1].observation
        assert (facts.source_type, facts.date_obs, facts.object) == ("stacked", "", "J0020")
        assert facts.instrument == "keck_nires"

    def test_the_unit_is_not_guessed(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(MissingField, match="FLUXED"):
            read_one(self.coadd(write_fits))


def test_other_files_of_pypeit_are_refused_by_name(write_fits: Any, read_one: Any) -> None:
    image = fits.ImageHDU(np.ones((30, 40), np.float32), name="DET01-SCIIMG")
    with pytest.raises(RefusedProduct, match="PypeIt"):
        read_one(write_fits(image, PYP_SPEC="keck_deimos"))


def test_an_exposure_is_published(spec1d: Path, tmp_path: Path, reference: Any) -> None:
    tables = exposure()[:1]
    path = tmp_path / "in" / "spec1d_a.fits"
    path.parent.mkdir()
    fits.HDUList([reference(spec1d)[0], *tables]).writeto(path)
    target = tmp_path / "out.zarr"
    ingest(IngestRequest((str(path.parent),), str(target)), SerialExecutor())
    assert validate(target).valid
    store = zarr.open_group(target, mode="r")
    np.testing.assert_array_equal(store["signal/flux_raw"][0], tables[0].data["OPT_FLAM"][5:].astype("f4"))


class TestKit(ReaderTests):
    reader = "pypeit-spec1d"
    n_damaged = 10

    @pytest.fixture(autouse=True)
    def made(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("pypeit") / "spec1d.fits"
        primary = fits.PrimaryHDU()
        primary.header.update(PRIMARY)
        fits.HDUList([primary, *exposure()]).writeto(path)
        type(self).path = path

    def files(self) -> list[Path]:
        return [self.path]

    def other_files(self) -> list[Path]:
        return []

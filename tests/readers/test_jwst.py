"""JWST x1d and c1d: files made from the data models of the pipeline, for want of real ones, against specutils too."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, validate
from spectral_zarr.errors import AllNaN, RefusedProduct
from spectral_zarr.testing import ReaderTests
from spectral_zarr.transforms import prepare

N = 50
CARDS: dict[str, Any] = {
    "TELESCOP": "JWST", "INSTRUME": "NIRSPEC", "FILENAME": "jw01234-o001_s00010_nirspec_x1d.fits", "PROGRAM": "01234",
    "TARGNAME": "M-92", "DATE-OBS": "2022-07-15", "TIME-OBS": "03:04:05.678", "DATE-BEG": "2022-07-15T03:04:05.678",
    "TARG_RA": 10.0, "TARG_DEC": 20.0, "EFFEXPTM": 1000.5, "EXPSTART": 59775.127843,
}  # fmt: skip


def arrays(n: int = N) -> dict[str, Any]:
    wave = 0.6 + 0.01 * np.arange(n)
    flux = 1e-6 * (1 + np.arange(n) % 7)
    flux[3] = np.nan
    quality = np.zeros(n, np.uint32)
    quality[3], quality[5], quality[7] = 1, 4, 5
    return {"wave": wave, "flux": flux, "dq": quality}


def extract1d(error: str = "FLUX_ERROR", name: str = "EXTRACT1D", **cards: Any) -> fits.BinTableHDU:
    a = arrays()
    columns = [
        fits.Column("WAVELENGTH", "D", unit="um", array=a["wave"]),
        fits.Column("FLUX", "D", unit="Jy", array=a["flux"]),
        fits.Column(error, "D", unit="Jy", array=0.1 * a["flux"]),
        fits.Column("SURF_BRIGHT", "D", unit="MJy/sr", array=3 * a["flux"]),
        fits.Column("SB_ERROR", "D", unit="MJy/sr", array=0.2 * a["flux"]),
        fits.Column("SB_VAR_POISSON", "D", unit="(MJy/sr)^2", array=a["flux"]),
        fits.Column("DQ", "J", bzero=2**31, array=a["dq"]),
        fits.Column("NPIXELS", "D", array=np.full(N, 6.0)),
    ]
    table = fits.BinTableHDU.from_columns(columns, name=name)
    table.header.update({"SRCTYPE": "POINT", **cards})
    return table


def asdf() -> fits.BinTableHDU:
    return fits.BinTableHDU.from_columns([fits.Column("ASDF_METADATA", "8B", array=np.zeros((1, 8)))], name="ASDF")


def flat(kinds: tuple[str, ...] = ("POINT", "POINT", "POINT"), lengths: tuple[int, ...] = (50, 30, 0)) -> Any:
    n = len(kinds)
    a = arrays()
    padded = {name: np.tile(a[name].astype("f8"), (n, 1)) for name in ("wave", "flux")}
    quality = np.tile(a["dq"], (n, 1))
    for row, size in enumerate(lengths):
        padded["wave"][row, size:] = padded["flux"][row, size:] = np.nan
        quality[row, size:] = 1
    columns = [
        fits.Column("SOURCE_ID", "J", array=np.arange(11, 11 + n)),
        fits.Column("N_ALONGDISP", "J", bzero=2**31, array=np.array(lengths, np.uint32)),
        fits.Column("SOURCE_TYPE", "20A", array=kinds),
        fits.Column("SOURCE_RA", "D", array=np.arange(n) + 0.5),
        fits.Column("SOURCE_DEC", "D", array=np.arange(n) - 0.5),
        fits.Column("WAVELENGTH", f"{N}D", unit="um", array=padded["wave"]),
        fits.Column("FLUX", f"{N}D", unit="Jy", array=padded["flux"]),
        fits.Column("FLUX_ERROR", f"{N}D", unit="Jy", array=0.1 * padded["flux"]),
        fits.Column("SURF_BRIGHT", f"{N}D", unit="MJy/sr", array=3 * padded["flux"]),
        fits.Column("SB_ERROR", f"{N}D", unit="MJy/sr", array=0.2 * padded["flux"]),
        fits.Column("DQ", f"{N}J", bzero=2**31, array=quality),
    ]
    return fits.BinTableHDU.from_columns(columns, name="EXTRACT1D")


def specutils_reads(path: Path) -> Any:
    specutils = pytest.importorskip("specutils")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return specutils.SpectrumList.read(path, format="JWST x1d multi")


class TestOneSource:
    def test_a_point_source_has_its_flux(self, write_fits: Any, read_one: Any, reference: Any, claimants: Any) -> None:
        path = write_fits(extract1d(), asdf(), **CARDS)
        assert claimants(path) == ["jwst-spec"]
        data = reference(path)[1].data
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, data["FLUX"])
        np.testing.assert_array_equal(spectrum.noise, data["FLUX_ERROR"])
        np.testing.assert_array_equal(spectrum.sampling.values, data["WAVELENGTH"])
        np.testing.assert_array_equal(spectrum.bad, (data["DQ"] & 1) != 0)
        assert (spectrum.flux_unit, spectrum.sampling.unit, spectrum.sampling.medium) == ("Jy", "um", "vacuum")
        ready = prepare(spectrum)
        assert np.flatnonzero(np.isnan(ready.flux)).tolist() == [3]
        assert np.flatnonzero(np.isnan(ready.uncertainty)).tolist() == [3, 7]
        np.testing.assert_allclose(ready.wavelength, 1e4 * data["WAVELENGTH"], rtol=1e-15)
        facts = spectrum.observation
        assert spectrum.spec_id == "jw01234-o001_s00010_nirspec_x1d"
        assert (facts.date_obs, facts.exptime, facts.program_id) == ("2022-07-15T03:04:05.678", 1000.5, "01234")
        assert (facts.ra, facts.dec, facts.velocity_frame) == (10.0, 20.0, "barycentric")

    def test_it_agrees_with_specutils(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(extract1d(), asdf(), **CARDS)
        (theirs,) = specutils_reads(path)
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, theirs.flux.value)
        np.testing.assert_array_equal(spectrum.noise, theirs.uncertainty.array)
        np.testing.assert_array_equal(spectrum.sampling.values, theirs.spectral_axis.value)

    def test_an_extended_source_has_its_surface_brightness(
        self, write_fits: Any, read_one: Any, reference: Any
    ) -> None:
        path = write_fits(extract1d(SRCTYPE="EXTENDED"), **CARDS)
        data = reference(path)[1].data
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.flux, data["SURF_BRIGHT"])
        np.testing.assert_array_equal(spectrum.noise, data["SB_ERROR"])
        assert prepare(spectrum).flux_unit == "MJy / sr"

    def test_a_combined_spectrum_names_its_error_differently(
        self, write_fits: Any, read_one: Any, reference: Any
    ) -> None:
        path = write_fits(extract1d("ERROR", "COMBINE1D"), **CARDS)
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(spectrum.noise, reference(path)[1].data["ERROR"])

    def test_an_unknown_kind_of_source_is_refused(self, write_fits: Any, read_all: Any) -> None:
        _, (error,) = read_all(write_fits(extract1d(SRCTYPE="BLOB"), **CARDS))
        assert isinstance(error, RefusedProduct)
        assert "BLOB" in error.message

    def test_pixels_without_wavelength_are_left_out(self, write_fits: Any, read_one: Any) -> None:
        table = extract1d()
        table.data["WAVELENGTH"][[0, 20, 49]] = np.nan
        _, spectrum = read_one(write_fits(table, **CARDS))
        assert prepare(spectrum).flux.size == N - 3

    def test_other_products_are_refused(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="other than x1d"):
            read_one(write_fits(fits.ImageHDU(np.ones((4, 4))), **CARDS))


class TestSeveralSources:
    def test_every_slit_is_a_spectrum(self, write_fits: Any, read_all: Any) -> None:
        slits = [
            extract1d(EXTVER=i, SOURCEID=100 + i, SRCNAME=f"s{i}", SLTNAME=str(i), SRCRA=1.0 * i, SRCDEC=2.0 * i)
            for i in (1, 2)
        ]
        path = write_fits(*slits, asdf(), **CARDS)
        _, spectra = read_all(path)
        stem = "jw01234-o001_s00010_nirspec_x1d"
        assert [one.spec_id for one in spectra] == [f"{stem}-1", f"{stem}-2"]
        assert [one.observation.object for one in spectra] == ["s1", "s2"]
        assert [one.observation.object_id for one in spectra] == ["jwst-01234-101", "jwst-01234-102"]
        assert [one.observation.ra for one in spectra] == [1.0, 2.0]
        assert [one.header[1, "SOURCEID", 1] for one in spectra] == ["101", "102"]
        for one, theirs in zip(spectra, specutils_reads(path), strict=True):
            np.testing.assert_array_equal(one.flux, theirs.flux.value)

    def test_a_slit_without_signal_does_not_take_the_others_along(self, write_fits: Any, tmp_path: Path) -> None:
        dead = extract1d(EXTVER=2)
        dead.data["FLUX"] = np.nan
        source = write_fits(extract1d(EXTVER=1), dead, **CARDS)
        request = IngestRequest((str(source),), str(tmp_path / "x.zarr"), tolerance=Tolerance.parse("1"))
        outcome = ingest(request, SerialExecutor())
        assert [(one.code, one.hdu) for one in outcome.rejections] == [(AllNaN.code, 2)]
        assert validate(tmp_path / "x.zarr").valid
        store = zarr.open_group(tmp_path / "x.zarr", mode="r")
        assert store["signal/flux_raw"].attrs["units"] == "Jy"
        np.testing.assert_array_equal(store["signal/flux_raw"][0], arrays()["flux"].astype("f4"))

    def test_rows_of_a_flat_table_are_cut_to_their_length(self, write_fits: Any, read_all: Any) -> None:
        path = write_fits(flat(), asdf(), **{**CARDS, "EXP_TYPE": "NIS_WFSS"})
        _, spectra = read_all(path)
        assert [one.flux.size for one in spectra] == [50, 30]
        assert [one.row for one in spectra] == [0, 1]
        assert [one.observation.ra for one in spectra] == [0.5, 1.5]
        assert [one.observation.object_id for one in spectra] == ["jwst-01234-11", "jwst-01234-12"]
        for one in spectra:
            np.testing.assert_array_equal(one.flux, arrays()["flux"][: one.flux.size])
            np.testing.assert_array_equal(one.bad, (arrays()["dq"] & 1)[: one.flux.size] != 0)

    def test_rows_of_a_flat_table_have_their_own_kind(self, write_fits: Any, read_all: Any) -> None:
        _, spectra = read_all(write_fits(flat(("POINT", "EXTENDED"), (50, 50)), **CARDS))
        assert [one.flux_unit for one in spectra] == ["Jy", "MJy/sr"]

    def test_orders_without_a_slit_are_spectra_with_their_order(self, write_fits: Any, read_all: Any) -> None:
        orders = [extract1d(EXTVER=i, SPORDER=i) for i in (1, 2)]
        _, spectra = read_all(write_fits(*orders, **{**CARDS, "EXP_TYPE": "NIS_SOSS"}))
        assert [one.observation.order for one in spectra] == ["1", "2"]

    def test_integrations_have_their_own_times(self, write_fits: Any, read_all: Any) -> None:
        table = flat(("POINT", "POINT"), (50, 50))
        times = fits.Column("MJD-BEG", "D", array=np.array([60000.25, 60000.5]))
        table = fits.BinTableHDU.from_columns(table.columns + fits.ColDefs([times]), name="EXTRACT1D")
        _, spectra = read_all(write_fits(table, **CARDS))
        assert [one.observation.mjd for one in spectra] == [60000.25, 60000.5]
        assert spectra[1].observation.date_obs == "2023-02-25T12:00:00.000"


@pytest.fixture(scope="class")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("jwst")
    paths = [directory / "slits_x1d.fits", directory / "flat_x1d.fits"]
    for path, tables in zip(paths, ([extract1d(), extract1d("ERROR", "COMBINE1D")], [flat()]), strict=True):
        primary = fits.PrimaryHDU()
        primary.header.update(CARDS)
        fits.HDUList([primary, *tables, asdf()]).writeto(path)
    request.cls.made = paths


@pytest.mark.usefixtures("made")
class TestKit(ReaderTests):
    reader = "jwst-spec"
    n_damaged = 40
    made: list[Path]

    def files(self) -> list[Path]:
        return self.made


class TestOrdersAndNames:
    def test_the_column_gives_the_order_of_slitless_spectra(self, write_fits: Any, read_all: Any) -> None:
        table = flat()
        column = fits.Column("SPECTRAL_ORDER", "J", array=[1, 2, 1])
        table = fits.BinTableHDU.from_columns(table.columns + column, name="EXTRACT1D")
        _, spectra = read_all(write_fits(table, **{**CARDS, "EXP_TYPE": "NIS_WFSS"}))
        assert [one.observation.order for one in spectra] == ["1", "2"]

    def test_a_table_that_lost_its_name_is_known_by_its_columns(
        self, write_fits: Any, read_one: Any, claimants: Any
    ) -> None:
        table = extract1d()
        del table.header["EXTNAME"]
        path = write_fits(table, **CARDS)
        assert claimants(path) == ["jwst-spec"]
        np.testing.assert_array_equal(read_one(path)[1].flux, arrays()["flux"])

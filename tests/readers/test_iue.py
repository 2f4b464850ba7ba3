"""IUE: a real low-dispersion file pixel by pixel, and high-dispersion files made from the NEWSIPS manual, 12.9."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.testing import ReaderTests
from spectral_zarr.transforms import prepare
from tests.conftest import REAL_FILES

NAME = "iue/swp02283.mxlo"
HIGH = {"TELESCOP": "IUE", "CAMERA": "LWP", "IMAGE": 123, "APERTURE": "SMALL", "SDATEOBS": "05/11/95"}


def high_dispersion(n_orders: int = 3) -> fits.BinTableHDU:
    start = np.array([11, 101, 301][:n_orders])
    count = np.array([700, 600, 400][:n_orders])
    absolute, quality = np.zeros((n_orders, 768), "f4"), np.zeros((n_orders, 768), "i2")
    for i in range(n_orders):
        pixels = slice(start[i] - 1, start[i] - 1 + count[i])
        absolute[i, pixels] = 1e-12 * np.arange(1, count[i] + 1)
        absolute[i, start[i] - 1], quality[i, start[i] - 1] = 0, -2
        quality[i, start[i] + 20] = -16
    columns = [
        fits.Column("ORDER", "1B", array=np.array([100, 99, 98][:n_orders])),
        fits.Column("NPOINTS", "1I", array=count),
        fits.Column("WAVELENGTH", "1D", unit="ANGSTROM", array=np.array([2310.0, 2333.5, 2357.25][:n_orders])),
        fits.Column("STARTPIX", "1I", array=start),
        fits.Column("DELTAW", "1D", unit="ANGSTROM", array=np.array([0.0451, 0.0455, 0.0459][:n_orders])),
        fits.Column("NET", "768E", unit="FN", array=absolute * 1e12),
        fits.Column("NOISE", "768E", unit="FN", array=np.ones((n_orders, 768))),
        fits.Column("QUALITY", "768I", array=quality),
        fits.Column("ABS_CAL", "768E", unit="ERGS/CM2/S/A", array=absolute),
    ]
    return fits.BinTableHDU.from_columns(columns, name="MEHI")


class TestLowDispersion:
    def test_both_apertures_of_a_real_file_agree_with_astropy(
        self, real_files: Path, read_all: Any, reference: Any, claimants: Any
    ) -> None:
        path = real_files / NAME
        assert claimants(path) == ["iue-mxlo"]
        hdus = reference(path)
        _, spectra = read_all(path)
        assert [one.spec_id for one in spectra] == ["SWP02283-LARGE", "SWP02283-SMALL"]
        for row, spectrum in zip(hdus[1].data, spectra, strict=True):
            np.testing.assert_array_equal(spectrum.flux, row["FLUX"])
            np.testing.assert_array_equal(spectrum.noise, row["SIGMA"])
            np.testing.assert_array_equal(spectrum.bad, row["QUALITY"] < 0)
            ready = prepare(spectrum)
            expected = np.float64(row["WAVELENGTH"]) + np.float64(row["DELTAW"]) * np.arange(640)
            np.testing.assert_allclose(ready.grid.wavelength(), expected, rtol=1e-14)
            uncalibrated = row["SIGMA"] == -1
            np.testing.assert_array_equal(np.isnan(ready.flux), uncalibrated)
            np.testing.assert_array_equal(ready.flux[~uncalibrated], row["FLUX"][~uncalibrated])
            np.testing.assert_array_equal(np.isnan(ready.uncertainty), row["QUALITY"] < 0)
            assert (ready.flux_unit, spectrum.sampling.medium) == ("erg / (Angstrom cm2 s)", "vacuum")

    def test_each_aperture_has_its_own_cards(self, real_files: Path, read_all: Any, reference: Any) -> None:
        header = reference(real_files / NAME)[0].header
        _, (large, small) = read_all(real_files / NAME)
        assert large.observation.date_obs == "1978-08-13T15:07:00"
        assert small.observation.date_obs == "1978-08-13T15:14:00"
        assert small.observation.mjd == header["SJD-OBS"] - 2400000.5
        assert (large.observation.object, large.observation.object_id) == ("HD 163296", "HD 163296")
        assert (large.observation.program_id, large.observation.exptime) == ("CBMJP", 54.756)
        assert (large.observation.velocity_frame, large.observation.instrument) == ("heliocentric", "IUE SWP")

    def test_positions_of_equinox_1950_become_icrs(self, real_files: Path, read_all: Any, reference: Any) -> None:
        header = reference(real_files / NAME)[0].header
        expected = SkyCoord(header["LTARGRA"] * units.deg, header["LTARGDEC"] * units.deg, frame="fk4", equinox="B1950")
        _, (large, _) = read_all(real_files / NAME)
        assert large.observation.ra == pytest.approx(expected.icrs.ra.deg, abs=1e-9)
        assert large.observation.dec == pytest.approx(expected.icrs.dec.deg, abs=1e-9)
        # HD 163296 in SIMBAD, ICRS.
        assert large.observation.ra == pytest.approx(269.0887, abs=5e-3)

    def test_a_packed_copy_is_found_in_a_directory_and_published(
        self, real_files: Path, tmp_path: Path, reference: Any
    ) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "swp02283.mxlo.gz").write_bytes(gzip.compress((real_files / NAME).read_bytes()))
        ingest(IngestRequest((str(tmp_path / "in"),), str(tmp_path / "iue.zarr")), SerialExecutor())
        assert validate(tmp_path / "iue.zarr").valid
        store = zarr.open_group(tmp_path / "iue.zarr", mode="r")
        data = reference(real_files / NAME)[1].data
        flux = store["signal/flux_raw"][:]
        assert flux.shape == (2, 640)
        np.testing.assert_array_equal(flux, np.where(data["SIGMA"] == -1, np.nan, data["FLUX"]))
        assert store["signal/wavelength"].ndim == 1

    def test_fewer_points_than_the_vector_are_cut(self, write_fits: Any, read_one: Any) -> None:
        columns = [
            fits.Column("APERTURE", "5A", array=["SMALL"]),
            fits.Column("NPOINTS", "1I", array=[30]),
            fits.Column("WAVELENGTH", "1E", unit="ANGSTROM", array=[1050.0]),
            fits.Column("DELTAW", "1E", unit="ANGSTROM", array=[1.5]),
            fits.Column("SIGMA", "40E", unit="ERG/CM2/S/A", array=np.full((1, 40), 1e-14)),
            fits.Column("QUALITY", "40I", array=np.zeros((1, 40))),
            fits.Column("FLUX", "40E", unit="ERG/CM2/S/A", array=np.full((1, 40), 1e-13)),
        ]
        cards = {"TELESCOP": "IUE", "CAMERA": "SWP", "IMAGE": 7, "SDATEOBS": "1981-02-03", "STIMEOBS": "01:02:03"}
        _, spectrum = read_one(write_fits(fits.BinTableHDU.from_columns(columns), **cards))
        assert (spectrum.flux.size, spectrum.spec_id) == (30, "SWP00007-SMALL")
        assert spectrum.observation.date_obs == "1981-02-03T01:02:03"


class TestKit(ReaderTests):
    reader = "iue-mxlo"
    n_damaged = 20

    def files(self) -> list[Path]:
        if not (REAL_FILES / NAME).exists():
            pytest.skip("the real survey files are not beside this checkout")
        return [REAL_FILES / NAME]


class TestHighDispersion:
    def test_orders_are_refused_unless_asked_for(self, write_fits: Any, read_all: Any, claimants: Any) -> None:
        path = write_fits(high_dispersion(), **HIGH)
        assert claimants(path) == ["iue-mxhi"]
        with pytest.raises(RefusedProduct, match='echelle = "rows"'):
            read_all(path)

    def test_orders_begin_at_their_starting_pixel(self, write_fits: Any, read_all: Any, reference: Any) -> None:
        path = write_fits(high_dispersion(), **HIGH)
        _, spectra = read_all(path, ReaderOptions(echelle="rows"))
        assert [one.spec_id for one in spectra] == ["LWP00123-SMALL-o100", "LWP00123-SMALL-o099", "LWP00123-SMALL-o098"]
        for row, spectrum in zip(reference(path)[1].data, spectra, strict=True):
            pixels = slice(row["STARTPIX"] - 1, row["STARTPIX"] - 1 + row["NPOINTS"])
            np.testing.assert_array_equal(spectrum.flux, row["ABS_CAL"][pixels])
            np.testing.assert_array_equal(spectrum.bad, row["QUALITY"][pixels] < 0)
            ready = prepare(spectrum)
            assert ready.grid.wavelength()[0] == row["WAVELENGTH"]
            assert ready.grid.wavelength()[-1] == pytest.approx(
                row["WAVELENGTH"] + (row["NPOINTS"] - 1) * row["DELTAW"]
            )
            assert np.flatnonzero(np.isnan(ready.flux)).tolist() == [0]
            assert ready.uncertainty is None
            assert spectrum.observation.order == str(row["ORDER"])
            assert spectrum.observation.date_obs == "1995-11-05"

    def test_an_order_without_points_does_not_take_the_others_along(self, write_fits: Any, read_all: Any) -> None:
        table = high_dispersion()
        table.data["NPOINTS"][1] = 0
        _, (first, empty, third) = read_all(write_fits(table, **HIGH), ReaderOptions(echelle="rows"))
        assert isinstance(empty, MissingField)
        assert (empty.hdu, empty.row, first.row, third.row) == (1, 1, 0, 2)

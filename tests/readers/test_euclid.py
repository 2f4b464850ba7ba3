"""Euclid SIR: files made from the data product description of the combined spectra, for want of real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import MissingField, SourceError
from spectral_zarr.testing import ReaderTests
from spectral_zarr.transforms import prepare

N = 531
IDS = (2689918641685825137, -520594150271254209)


def signal(k: int, *, unit: str = "erg/s/cm2/A", name: str = "", **cards: Any) -> fits.BinTableHDU:
    mask = np.zeros(N, np.int32)
    mask[[5, 6, 7, 8]] = 1, 2, 64, 67
    dithers = np.full(N, 4, np.int16)
    dithers[:3] = 0
    columns = [
        fits.Column("WAVELENGTH", "E", unit="Angstrom", array=11900.0 + 13.4 * np.arange(N)),
        fits.Column("SIGNAL", "E", unit=unit, array=0.1 * (k + 1) + 0.001 * np.arange(N)),
        fits.Column("MASK", "J", array=mask),
        fits.Column("QUALITY", "E", array=np.ones(N)),
        fits.Column("VAR", "E", array=np.full(N, 0.0004)),
        fits.Column("NDITH", "I", array=dithers),
    ]
    table = fits.BinTableHDU.from_columns(columns, name=name or f"{k}_COMBINED1D_SIGNAL")
    table.header.update({"FSCALE": 1e-16, "EXPTIME": 2197.0, **cards})
    return table


def meta(k: int, **cards: Any) -> fits.ImageHDU:
    hdu = fits.ImageHDU(name=f"{k}_META")
    hdu.header.update({"OBJ_ID": IDS[k], "RA_OBJ": 268.99, "DEC_OBJ": 65.3 + k, "N_DITH": 1, **cards})
    return hdu


def tile() -> list[Any]:
    dithers = [signal(k, name=f"{k}_DITH1D_101_SIGNAL") for k in (0, 1)]
    return [meta(0), signal(0), dithers[0], meta(1), signal(1), dithers[1]]


CARDS = {"FITS_DEF": "sir.combinedSpectra", "TILE_ID": 102160339, "N_OBJ": 2, "LRANGE": "RGS"}


class TestCombinedSpectra:
    def test_every_object_is_a_spectrum(self, write_fits: Any, read_all: Any, claimants: Any, reference: Any) -> None:
        path = write_fits(*tile(), **CARDS)
        assert claimants(path) == ["euclid-sir"]
        _, spectra = read_all(path)
        assert [one.spec_id for one in spectra] == [f"euclid-rgs-{one}" for one in IDS]
        assert [one.hdu for one in spectra] == [2, 5]
        for k, one in enumerate(spectra):
            data = reference(path)[one.hdu].data
            ready = prepare(one)
            np.testing.assert_array_equal(one.sampling.values, data["WAVELENGTH"])
            np.testing.assert_array_equal(np.isnan(ready.flux), data["NDITH"] == 0)
            np.testing.assert_array_equal(ready.flux[3:], data["SIGNAL"][3:])
            assert np.flatnonzero(np.isnan(ready.uncertainty)).tolist() == [0, 1, 2, 5, 7, 8]
            np.testing.assert_allclose(ready.uncertainty[10:], 0.02, rtol=1e-6)
            assert (ready.flux_unit, one.sampling.medium) == ("1e-16 erg / (Angstrom cm2 s)", "vacuum")
            assert (one.observation.ra, one.observation.dec) == (268.99, 65.3 + k)

    def test_a_tile_is_published(self, write_fits: Any, tmp_path: Path) -> None:
        source = write_fits(*tile(), **CARDS)
        ingest(IngestRequest((str(source),), str(tmp_path / "sir.zarr")), SerialExecutor())
        assert validate(tmp_path / "sir.zarr").valid
        store = zarr.open_group(tmp_path / "sir.zarr", mode="r")
        assert store["signal/flux_raw"].attrs["units"] == "1e-16 erg / (Angstrom cm2 s)"
        assert [name for name in store["metadata"].array_keys() if name.startswith("h")] != []
        assert not any(name.startswith(("h1_", "h2_", "h5_")) for name in store["metadata"].array_keys())

    def test_one_object_alone_is_read_as_well(self, write_fits: Any, read_one: Any) -> None:
        table = signal(0, name=f"{IDS[0]}_COMBINED1D_SIGNAL", LRANGE="RGS")
        _, spectrum = read_one(write_fits(table))
        assert spectrum.spec_id == f"euclid-rgs-{IDS[0]}"

    def test_a_scale_in_the_unit_is_not_applied_twice(self, write_fits: Any, read_all: Any) -> None:
        _, spectra = read_all(write_fits(meta(0), signal(0, unit="1e-16 erg/s/cm2/Angstrom"), **CARDS))
        assert prepare(spectra[0]).flux_unit == "1e-16 erg / (Angstrom cm2 s)"

    def test_an_object_without_scale_does_not_take_the_others_along(self, write_fits: Any, read_all: Any) -> None:
        unscaled = signal(0)
        del unscaled.header["FSCALE"]
        _, (error, good) = read_all(write_fits(meta(0), unscaled, meta(1), signal(1), **CARDS))
        assert isinstance(error, MissingField)
        assert "FSCALE" in error.message
        assert (error.hdu, good.hdu) == (2, 4)
        assert not isinstance(good, SourceError)


@pytest.fixture(scope="class")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("euclid") / "EUC_SIR_W-COMBSPEC_102160339.fits"
    primary = fits.PrimaryHDU()
    primary.header.update(CARDS)
    fits.HDUList([primary, *tile()]).writeto(path)
    request.cls.made = [path]


@pytest.mark.usefixtures("made")
class TestKit(ReaderTests):
    reader = "euclid-sir"
    made: list[Path]

    def files(self) -> list[Path]:
        return self.made

"""4MOST L1: files with the layout of the mock spectra, because there are no public ones yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import MissingField, UnknownUnit
from spectral_zarr.transforms import prepare

UNIT = "erg/(s*cm^2*Angstrom)"
N_PIX = 120
WAVE = np.linspace(3700, 3700 + 0.25 * (N_PIX - 1), N_PIX)
FLUX = np.random.default_rng(2).normal(3e-16, 1e-17, N_PIX).astype("f4")
ERROR = np.full(N_PIX, 2e-17, "f4")
QUALITY = np.zeros(N_PIX, "i4")
QUALITY[[4, 8]] = 1, -1


def spectrum(*, rows: int = 1, unit: str | None = UNIT, **replaced: Any) -> fits.BinTableHDU:
    """The table of one spectrum; keywords replace columns, and None leaves one out."""
    columns = {
        "WAVE": (f"{N_PIX}E", WAVE, "Angstrom"),
        "FLUX": (f"{N_PIX}E", FLUX, unit),
        "ERR_FLUX": (f"{N_PIX}E", ERROR, unit),
        "QUAL": (f"{N_PIX}J", QUALITY, None),
        "FLUX_NOSS": (f"{N_PIX}E", FLUX * 3, unit),
        "ERR_FLUX_NOSS": (f"{N_PIX}E", ERROR * 2, unit),
    }
    kept = {name: column for name, column in (columns | replaced).items() if column is not None}
    made = [fits.Column(name, form, array=[values] * rows, unit=unit) for name, (form, values, unit) in kept.items()]
    table = fits.BinTableHDU.from_columns(made, name="PHASE3SPECTRUM")
    if "QUAL" in kept:
        table.header[f"TNULL{list(kept).index('QUAL') + 1}"] = -1
    return table


@pytest.fixture
def mock(write_fits: Any) -> Any:
    """Write a table with the cards of the mock spectra."""

    def write(table: fits.BinTableHDU, **cards: Any) -> Path:
        facts = {"INSTRUME": "QMOST", "OBJ_UID": 77, "OBJ_NME": "model 5", "SPECUID": 123456, "EXPTIME": 2400.0}
        facts |= {"OBJ_RA": 200.5, "OBJ_DEC": -30.25, "MJD-OBS": 60000.5, "4L1_SNR": 15.5}
        primary = fits.PrimaryHDU()
        primary.header.update({**facts, **cards})
        path: Path = write_fits(primary, table)
        return path

    return write


def test_pixels_and_facts_are_those_of_the_file(mock: Any, read_one: Any, claimants: Any) -> None:
    path = mock(spectrum())
    assert claimants(path) == ["4most-l1"]
    _, found = read_one(path)
    prepared = prepare(found)
    np.testing.assert_array_equal(prepared.flux, FLUX)
    np.testing.assert_array_equal(prepared.uncertainty, np.where(QUALITY == 0, ERROR, np.nan).astype("f4"))
    np.testing.assert_array_equal(prepared.wavelength, WAVE.astype("f4"))
    assert prepared.flux_unit == "erg / (Angstrom cm2 s)"
    observation = found.observation
    assert (found.spec_id, observation.object, observation.object_id) == ("4most-123456", "model 5", "77")
    assert (observation.ra, observation.dec, observation.snr) == (200.5, -30.25, 15.5)
    assert (observation.snr_method, observation.date_obs) == ("header:4L1_SNR", "2023-02-25T12:00:00.000")
    assert (found.sampling.medium, observation.velocity_frame) == ("unknown", "unknown")


def test_the_configuration_tells_the_medium(mock: Any, read_one: Any) -> None:
    options = ReaderOptions(table=TableOptions(medium="vacuum"))
    assert read_one(mock(spectrum()), options)[1].sampling.medium == "vacuum"


def test_error_and_quality_may_be_absent(mock: Any, read_one: Any) -> None:
    found = read_one(mock(spectrum(ERR_FLUX=None, ERR_FLUX_NOSS=None, QUAL=None)))[1]
    assert found.noise is None and found.bad is None


def test_a_file_with_the_cards_of_eso_goes_to_the_eso_reader(mock: Any, read_one: Any, claimants: Any) -> None:
    path = mock(spectrum(), PRODCATG="SCIENCE.SPECTRUM")
    assert claimants(path) == ["eso-sdp"]
    np.testing.assert_array_equal(read_one(path)[1].flux, FLUX)


@pytest.mark.parametrize(
    ("table", "error", "said"),
    [(spectrum(rows=2), MissingField, "2 rows"), (spectrum(unit=None), UnknownUnit, "TUNIT")],
)
def test_what_is_missing_is_named(mock: Any, read_one: Any, table: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read_one(mock(table))


def test_an_ingest_publishes_a_valid_store(mock: Any, tmp_path: Path) -> None:
    ingest(IngestRequest((str(mock(spectrum())),), str(tmp_path / "x.zarr")), SerialExecutor())
    assert validate(tmp_path / "x.zarr").valid
    store = zarr.open_group(tmp_path / "x.zarr", mode="r")
    np.testing.assert_array_equal(store["signal/flux_raw"][0], FLUX)
    np.testing.assert_array_equal(store["signal/wavelength"][:], WAVE.astype("f4"))

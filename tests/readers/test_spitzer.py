"""Spitzer IRS: CASSIS images and IPAC tables made after their published layout, for want of real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from astropy.table import Table

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, NotASpectrum, RefusedProduct
from spectral_zarr.testing import ReaderTests
from spectral_zarr.transforms import prepare

LOW = {(0, 2): (5.2, 7.6), (0, 1): (7.4, 14.2), (0, 3): (7.3, 8.7), (2, 2): (14.0, 20.6), (2, 1): (20.2, 38.0)}
HIGH = {(1, 20): (9.9, 10.4), (1, 19): (10.3, 10.9)}
NAMES = ("wavelength", "flux", "error (RMS+SYS)", "error (RMS)", "module", "order")
CARDS = {
    "TELESCOP": "Spitzer",
    "INSTRUME": "IRSX",
    "OBJECT": "HD 1",
    "AORKEY": 14203136,
    "DATE_OBS": "2004-08-13T10:11:12.5",
}


def pixels(ranges: dict[tuple[int, int], tuple[float, float]]) -> Any:
    rows = []
    for (module, order), (low, high) in ranges.items():
        for i, wave in enumerate(np.linspace(low, high, 40)):
            rows.append((wave, 1 + 0.01 * i + order, 0.05, 0.04, module, order))
    return np.array(rows)


def cassis(ranges: dict[tuple[int, int], tuple[float, float]]) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU(pixels(ranges).astype("f4"))
    for i, name in enumerate(NAMES, start=1):
        hdu.header[f"COL{i:02d}DEF"] = name
    return hdu


def expected(rows: Any, *skipped: int) -> Any:
    """Pixels of the orders in ascending wavelength, each cut in the middle of its overlap with the next."""
    orders = [rows[(rows[:, 4] == m) & (rows[:, 5] == o)] for m, o in LOW if o not in skipped]
    orders.sort(key=lambda one: one[0, 0])
    kept = []
    for i, one in enumerate(orders):
        low = 0.5 * (orders[i - 1][-1, 0] + one[0, 0]) if i else -np.inf
        high = 0.5 * (one[-1, 0] + orders[i + 1][0, 0]) if i + 1 < len(orders) else np.inf
        kept.append(one[(one[:, 0] > low) & (one[:, 0] <= high)])
    return np.concatenate(kept)


def ipac(path: Path, rows: Any, *, flux_unit: str = "Jy", spitzer: bool = True) -> Path:
    lines = ["\\char comment", "\\TELESCOP = 'Spitzer'" if spitzer else "\\TELESCOP = 'ISO'"]
    lines += ["\\OBJECT = 'HD 1'", "\\DATE_OBS = '2004-08-13T10:11:12.5'", "\\RA_RQST = 10.5"]
    lines.append("|  order|     wavelength|   flux_density|          error|   bit-flag|")
    lines.append("|    int|           real|           real|           real|        int|")
    lines.append(f"|       |         micron|{flux_unit:>15}|{flux_unit:>15}|           |")
    for wave, flux, error, _, _, order in rows:
        lines.append(f" {int(order):7d} {wave:15.6f} {flux:15.6f} {error:15.6f} {4096 if flux > 2.385 else 64:11d} ")
    path.write_text("\n".join(lines) + "\n")
    return path


class TestCassis:
    def test_orders_are_one_spectrum_without_the_bonus_order(
        self, write_fits: Any, read_one: Any, claimants: Any
    ) -> None:
        path = write_fits(cassis(LOW), **CARDS)
        assert claimants(path) == ["spitzer-irs-fits"]
        _, spectrum = read_one(path)
        rows = expected(pixels(LOW).astype("f4"), 3)
        np.testing.assert_array_equal(spectrum.flux, rows[:, 1])
        np.testing.assert_array_equal(spectrum.noise, rows[:, 2])
        np.testing.assert_array_equal(spectrum.sampling.values, rows[:, 0].astype("f8"))
        facts = spectrum.observation
        assert (facts.arm_merge, facts.instrument, facts.object) == ("cut at mid-overlap", "IRS", "HD 1")
        assert (facts.date_obs, spectrum.sampling.medium) == ("2004-08-13T10:11:12.5", "vacuum")
        ready = prepare(spectrum)
        assert ready.flux_unit == "Jy"
        assert ready.grid.wave_min == pytest.approx(52000)

    def test_pixels_without_wavelength_are_left_out(self, write_fits: Any, read_one: Any) -> None:
        hdu = cassis({(0, 1): (7.4, 14.2)})
        hdu.data[4, 0] = np.nan
        assert prepare(read_one(write_fits(hdu, **CARDS))[1]).flux.size == 39

    def test_high_resolution_orders_are_rows_on_request(self, write_fits: Any, read_all: Any) -> None:
        path = write_fits(cassis(HIGH), **CARDS)
        with pytest.raises(RefusedProduct, match='echelle = "rows"'):
            read_all(path)
        _, spectra = read_all(path, ReaderOptions(echelle="rows"))
        assert [one.observation.order for one in spectra] == ["19", "20"]
        assert len({one.spec_id for one in spectra}) == 2
        assert all(one.flux.size == 40 for one in spectra)

    def test_a_spectrum_is_published(self, write_fits: Any, tmp_path: Path) -> None:
        source = write_fits(cassis(LOW), **CARDS)
        ingest(IngestRequest((str(source),), str(tmp_path / "irs.zarr")), SerialExecutor())
        assert validate(tmp_path / "irs.zarr").valid
        store = zarr.open_group(tmp_path / "irs.zarr", mode="r")
        assert store["signal/flux_raw"].attrs["units"] == "Jy"

    def test_an_image_without_a_flux_is_refused(self, write_fits: Any, read_one: Any) -> None:
        hdu = cassis(LOW)
        hdu.header["COL02DEF"] = "sky"
        with pytest.raises(MissingField, match="no flux"):
            read_one(write_fits(hdu, **CARDS))


class TestTables:
    def test_an_ipac_table_agrees_with_astropy(self, tmp_path: Path, read_one: Any, claimants: Any) -> None:
        rows = pixels({(0, 2): (5.2, 7.6), (0, 1): (7.4, 14.2)})
        path = ipac(tmp_path / "SPITZER_S0_14203136_0001_9_E1_tune.tbl", rows)
        assert claimants(path) == ["spitzer-irs-text"]
        _, spectrum = read_one(path)
        table = Table.read(path, format="ascii.ipac")
        first, second = table[table["order"] == 2], table[table["order"] == 1]
        cut = 0.5 * (first["wavelength"][-1] + second["wavelength"][0])
        kept = [first[first["wavelength"] <= cut], second[second["wavelength"] > cut]]
        for name, values in (("flux_density", spectrum.flux), ("error", spectrum.noise)):
            np.testing.assert_array_equal(values, np.concatenate([one[name] for one in kept]))
        np.testing.assert_array_equal(spectrum.bad, np.concatenate([one["bit-flag"] for one in kept]) >= 4096)
        assert spectrum.bad.any()
        assert (spectrum.observation.object, spectrum.observation.ra) == ("HD 1", 10.5)

    def test_the_unit_of_the_table_counts(self, tmp_path: Path, read_one: Any) -> None:
        path = ipac(tmp_path / "a.tbl", pixels({(0, 1): (7.4, 14.2)}), flux_unit="MJy/sr")
        assert prepare(read_one(path)[1]).flux_unit == "MJy / sr"

    def test_tables_of_others_are_left_alone(self, tmp_path: Path, read_one: Any) -> None:
        with pytest.raises(NotASpectrum):
            read_one(ipac(tmp_path / "a.tbl", pixels({(0, 1): (7.4, 14.2)}), spitzer=False))

    def test_a_line_that_ends_early_is_refused(self, tmp_path: Path, read_one: Any) -> None:
        path = ipac(tmp_path / "a.tbl", pixels({(0, 1): (7.4, 14.2)}))
        path.write_text(path.read_text()[:-25])
        with pytest.raises(MissingField, match="numbers in a table of 5"):
            read_one(path)


@pytest.fixture(scope="class")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    hdu = cassis(LOW)
    hdu.header.update(CARDS)
    path = tmp_path_factory.mktemp("spitzer") / "cassis_yaaar_spcfw_14203136t.fits"
    hdu.writeto(path)
    request.cls.made = [path]


@pytest.mark.usefixtures("made")
class TestKit(ReaderTests):
    reader = "spitzer-irs-fits"
    made: list[Path]

    def files(self) -> list[Path]:
        return self.made

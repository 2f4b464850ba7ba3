"""Milky Way Mapper: mwmStar and mwmVisit written with astropy in both layouts of the data model; no real file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import LeftOut, MissingField, RefusedProduct
from spectral_zarr.transforms import prepare

GRIDS = {"BOSS": (3.5523, 1e-4, 4648), "APOGEE": (4.179, 6e-6, 8575)}
HDUS = ("BOSS/APO", "BOSS/LCO", "APOGEE/APO", "APOGEE/LCO")
CARDS = {"V_ASTRA": "0.6.0", "SDSS_ID": 70350000, "GAIA3_ID": 4295806720, "RA": 44.99, "DEC": 0.005, "APOGEEID": ""}


def grid(instrument: str) -> Any:
    start, step, n_pix = GRIDS[instrument]
    return 10 ** (start + step * np.arange(n_pix))


def flux_of(instrument: str, row: int) -> Any:
    return (row + 1) * np.linspace(1.0, 2.0, GRIDS[instrument][2])


def table(
    name: str, rows: int = 0, *, visit: bool = False, column: bool | None = None, **more: tuple[str, Any]
) -> fits.BinTableHDU:
    """One of the four tables; `column` tells whether the wavelength is a column, as in mwmStar, or in cards."""
    instrument, observatory = name.split("/")
    start, step, n_pix = GRIDS[instrument]
    columns: dict[str, tuple[str, Any]] = {
        "spectrum_pk": ("K", 100 + np.arange(rows)),
        "sdss_id": ("K", np.full(rows, 70350000)),
        "telescope": ("6A", [f"{observatory.lower()}25m"] * rows),
        "snr": ("E", 50.0 + np.arange(rows)),
        "v_rad": ("E", 10.0 + np.arange(rows)),
        "e_v_rad": ("E", np.full(rows, 0.5)),
    }
    if visit:
        columns |= {"mjd": ("J", 59800 + np.arange(rows)), "in_stack": ("L", np.full(rows, True))}
    else:
        columns |= {"min_mjd": ("J", np.full(rows, 59800)), "n_good_visits": ("J", np.full(rows, 3))}
    wide = f"{n_pix}E"
    if column if column is not None else not visit:
        columns["wavelength"] = (wide, np.tile(grid(instrument), (rows, 1)))
    columns |= {
        "flux": (wide, np.array([flux_of(instrument, row) for row in range(rows)]).reshape(rows, n_pix)),
        "ivar": (wide, np.full((rows, n_pix), 4.0)),
        "pixel_flags": (wide, np.zeros((rows, n_pix))),
        "continuum": (wide, np.full((rows, n_pix), 1.5)),
        **more,
    }
    made = [
        fits.Column(key, form, array=values, dim=f"({n_pix})" if form == wide else None)
        for key, (form, values) in columns.items()
    ]
    hdu = fits.BinTableHDU.from_columns(made, nrows=rows, name=name)
    cards = {"OBSRVTRY": observatory, "INSTRMNT": instrument, "CRVAL": start, "CDELT": step, "CTYPE": "LOG-LINEAR"}
    hdu.header.update({**cards, "CUNIT": "Angstrom (Vacuum)", "CRPIX": 1, "DC-FLAG": 1, "NPIXELS": n_pix})
    return hdu


@pytest.fixture
def mwm(write_fits: Any) -> Any:
    def write(filled: dict[str, fits.BinTableHDU], visit: bool = False, **cards: Any) -> Path:
        hdus = [filled.get(name) or table(name, visit=visit) for name in HDUS]
        return write_fits(*hdus, **{**CARDS, **cards})

    return write


class TestStar:
    @pytest.mark.parametrize("column", [True, False])
    @pytest.mark.parametrize("instrument", ["BOSS", "APOGEE"])
    def test_both_layouts_give_the_same_grid_and_values(
        self, mwm: Any, read_one: Any, claimants: Any, instrument: str, column: bool
    ) -> None:
        name = f"{instrument}/LCO"
        path = mwm({name: table(name, 1, column=column)})
        assert claimants(path) == ["sdss-mwm"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_allclose(ready.grid.wavelength(), grid(instrument), rtol=1e-12)
        np.testing.assert_allclose(ready.flux, flux_of(instrument, 0), rtol=1e-6)
        np.testing.assert_array_equal(ready.uncertainty, np.full(ready.flux.size, 0.5))
        np.testing.assert_array_equal(ready.continuum, np.full(ready.flux.size, 1.5))
        assert (ready.flux_unit, spectrum.continuum_method) == ("1e-17 erg / (Angstrom cm2 s)", "column:continuum")
        assert spectrum.hdu == HDUS.index(name) + 1
        assert spectrum.spec_id == f"mwmstar-70350000-{instrument.lower()}-lco"

    def test_a_star_is_a_stack_at_rest_with_its_identifiers(self, mwm: Any, read_one: Any) -> None:
        _, spectrum = read_one(mwm({"BOSS/APO": table("BOSS/APO", 1)}))
        observation = spectrum.observation
        assert (observation.source_type, observation.date_obs) == ("stacked", "")
        assert (observation.velocity_frame, spectrum.sampling.medium) == ("rest", "vacuum")
        assert (observation.gaia_id, observation.gaia_dr) == ("4295806720", "DR3")
        assert (observation.snr, observation.snr_method) == (50.0, "header:SNR")
        assert spectrum.params == {"rv": 10.0, "e_rv": 0.5}
        assert observation.rv_applied == 10.0
        assert observation.instrument == "BOSS"

    def test_all_filled_tables_are_read_and_the_empty_ones_skipped(self, mwm: Any, read_all: Any) -> None:
        filled = {name: table(name, 1) for name in ("BOSS/APO", "APOGEE/APO", "APOGEE/LCO")}
        _, spectra = read_all(mwm(filled))
        assert [spectrum.hdu for spectrum in spectra] == [1, 3, 4]
        assert len({spectrum.spec_id for spectrum in spectra}) == 3

    def test_a_file_with_fewer_tables_is_read(self, write_fits: Any, read_one: Any, claimants: Any) -> None:
        path = write_fits(table("APOGEE/APO", 1), **CARDS)
        assert claimants(path) == ["sdss-mwm"]
        assert read_one(path)[1].hdu == 1

    def test_a_continuum_of_nothing_is_none(self, mwm: Any, read_one: Any) -> None:
        nothing = ("4648E", np.full((1, 4648), np.nan))
        ready = prepare(read_one(mwm({"BOSS/APO": table("BOSS/APO", 1, continuum=nothing)}))[1])
        assert ready.continuum is None

    def test_edges_that_were_not_measured_are_missing(self, mwm: Any, read_one: Any) -> None:
        boss = table("BOSS/APO", 1)
        boss.data["flux"][0, :100], boss.data["ivar"][0, :100] = np.nan, 0
        boss.data["ivar"][0, 200] = 0
        ready = prepare(read_one(mwm({"BOSS/APO": boss}))[1])
        assert np.isnan(ready.flux).nonzero()[0].tolist() == list(range(100))
        assert np.isnan(ready.uncertainty).nonzero()[0].tolist() == [*range(100), 200]

    def test_a_sentinel_is_no_gaia_identifier(self, mwm: Any, read_one: Any) -> None:
        observation = read_one(mwm({"BOSS/APO": table("BOSS/APO", 1)}, GAIA3_ID=-1))[1].observation
        assert (observation.gaia_id, observation.gaia_dr) == ("", "")


class TestVisits:
    def test_every_row_is_a_visit_with_an_identifier_of_its_own(self, mwm: Any, read_all: Any) -> None:
        filled = {name: table(name, 3, visit=True) for name in ("BOSS/APO", "APOGEE/LCO")}
        _, spectra = read_all(mwm(filled, visit=True))
        assert [(spectrum.hdu, spectrum.row) for spectrum in spectra] == [(h, r) for h in (1, 4) for r in range(3)]
        assert spectra[1].spec_id == "mwmvisit-70350000-boss-apo-59801-101"
        assert len({spectrum.spec_id for spectrum in spectra}) == 6
        for spectrum in spectra:
            instrument = spectrum.observation.instrument
            ready = prepare(spectrum)
            np.testing.assert_allclose(ready.flux, flux_of(instrument, spectrum.row), rtol=1e-6)
            np.testing.assert_allclose(ready.grid.wavelength(), grid(instrument), rtol=1e-12)
            assert spectrum.observation.source_type == "observed"
            assert spectrum.observation.rv_applied == 10.0 + spectrum.row

    def test_a_visit_that_was_not_shifted_to_rest_is_left_out_alone(
        self, mwm: Any, read_all: Any, left_out: Any
    ) -> None:
        visits = table("APOGEE/APO", 3, visit=True, in_stack=("L", np.array([True, False, True])))
        path = mwm({"APOGEE/APO": visits}, visit=True)
        assert [spectrum.row for spectrum in read_all(path)[1]] == [0, 2]
        assert left_out(path) == ["the visit is not in the stack and so not in the rest frame of the star in 1 row: 1"]

    def test_a_time_of_the_exposure_is_taken_where_the_table_has_one(self, mwm: Any, read_one: Any) -> None:
        when = ("A26", ["2022-08-13T04:05:06.789000"])
        visits = table("APOGEE/APO", 1, visit=True, date_obs=when, exptime=("E", [900.0]))
        observation = read_one(mwm({"APOGEE/APO": visits}, visit=True))[1].observation
        assert (observation.date_obs, observation.exptime) == ("2022-08-13T04:05:06.789000", 900.0)

    def test_velocities_that_were_not_measured_are_missing(self, mwm: Any, read_one: Any) -> None:
        visits = table("APOGEE/APO", 1, visit=True, v_rad=("E", [np.nan]))
        _, spectrum = read_one(mwm({"APOGEE/APO": visits}, visit=True))
        assert spectrum.params == {}


class TestRefusals:
    def test_a_star_without_any_spectrum_is_left_out(self, mwm: Any, read_all: Any) -> None:
        with pytest.raises(LeftOut, match="empty"):
            read_all(mwm({}))

    def test_models_of_an_astra_pipeline_are_refused(self, mwm: Any, read_all: Any) -> None:
        model = table("APOGEE/APO", 1, model_flux=("8575E", np.ones((1, 8575))))
        with pytest.raises(RefusedProduct, match="mwmStar"):
            read_all(mwm({"APOGEE/APO": model}))

    def test_a_table_without_inverse_variances_names_what_it_has(self, mwm: Any, read_all: Any) -> None:
        boss = table("BOSS/APO", 1)
        columns = [column for column in boss.columns if column.name != "ivar"]
        (error,) = read_all(mwm({"BOSS/APO": fits.BinTableHDU.from_columns(columns, name="BOSS/APO")}))[1]
        assert isinstance(error, MissingField)
        assert "ivar" in error.message
        assert error.row == 0

    def test_a_row_without_a_wavelength_axis_names_the_cards(self, mwm: Any, read_all: Any) -> None:
        boss = table("BOSS/APO", 1, column=False)
        for card in ("CRVAL", "CDELT"):
            del boss.header[card]
        (error,) = read_all(mwm({"BOSS/APO": boss}))[1]
        assert isinstance(error, MissingField)
        assert (error.hdu, error.row) == (1, 0)

    def test_a_catalogue_of_stars_is_refused(self, write_fits: Any, read_all: Any) -> None:
        tables = [fits.BinTableHDU.from_columns([fits.Column("teff", "E", array=[5000.0])], name=name) for name in HDUS]
        with pytest.raises(RefusedProduct, match="SDSS-V"):
            read_all(write_fits(*tables, **CARDS))


class TestIngest:
    def test_stars_of_both_layouts_share_one_wavelength(self, mwm: Any, tmp_path: Path) -> None:
        source = tmp_path / "stars"
        source.mkdir()
        for number, column in enumerate((True, False)):
            made = mwm({"APOGEE/APO": table("APOGEE/APO", 1, column=column)}, SDSS_ID=number + 1)
            made.rename(source / f"mwmStar-0.6.0-{number}.fits")
        ingest(IngestRequest((str(source),), str(tmp_path / "stars.zarr")), SerialExecutor())
        assert validate(tmp_path / "stars.zarr").valid
        store = zarr.open_group(tmp_path / "stars.zarr", mode="r")
        np.testing.assert_allclose(store["signal/wavelength"][:], grid("APOGEE"), rtol=1e-12)
        np.testing.assert_allclose(store["signal/flux_raw"][1], flux_of("APOGEE", 0), rtol=1e-6)

    def test_both_instruments_of_one_file_are_published_with_a_grid_each(self, mwm: Any, tmp_path: Path) -> None:
        source = tmp_path / "visits"
        source.mkdir()
        filled = {name: table(name, 2, visit=True) for name in ("BOSS/APO", "APOGEE/APO")}
        mwm(filled, visit=True).rename(source / "mwmVisit-0.6.0-1.fits")
        ingest(IngestRequest((str(source),), str(tmp_path / "visits.zarr")), SerialExecutor())
        assert validate(tmp_path / "visits.zarr").valid
        store = zarr.open_group(tmp_path / "visits.zarr", mode="r")
        np.testing.assert_allclose(store["signal/wavelength"][0, :4648], grid("BOSS"), rtol=1e-12)
        np.testing.assert_allclose(store["signal/flux_raw"][3, :8575], flux_of("APOGEE", 1), rtol=1e-6)

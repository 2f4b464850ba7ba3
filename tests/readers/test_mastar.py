"""MaStar: tables written with astropy in the layout of the data model, for there is no real file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, validate
from spectral_zarr.errors import MissingField
from spectral_zarr.transforms import prepare

N = 200
GRID = 10 ** (3.5589 + 1e-4 * np.arange(N))
FLUX = np.arange(1.0, 4.0)[:, None] * np.linspace(5.0, 9.0, N)
IVAR = np.full((3, N), 4.0)


def table(flux: Any = FLUX, ivar: Any = IVAR, wave: str = "D", **more: tuple[str, Any]) -> fits.BinTableHDU:
    n = len(flux)
    columns = {
        "MANGAID": ("25A", ["7-1", "7-1", "7-2"][:n]),
        "PLATE": ("J", [7443, 7443, 7444][:n]),
        "IFUDESIGN": ("6A", ["1901", "1901", "702"][:n]),
        "MJD": ("J", [56741, 56742, 57000][:n]),
        "OBJRA": ("D", 10.0 + np.arange(n)),
        "OBJDEC": ("D", -10.0 - np.arange(n)),
        "S2N": ("E", [80.0, 40.0, -999.0][:n]),
        "HELIOV": ("E", [12.5, -999.0, 30.0][:n]),
        "VERR": ("E", [1.5, -999.0, 2.0][:n]),
        "V_ERRCODE": ("I", [0, 666, 666][:n]),
        "WAVE": (f"{N}{wave}", np.tile(GRID, (n, 1))),
        "FLUX": (f"{N}E", flux),
        "IVAR": (f"{N}E", ivar),
        "MASK": (f"{N}J", np.zeros((n, N))),
        **more,
    }
    made = [fits.Column(name, form, array=values) for name, (form, values) in columns.items() if values is not None]
    return fits.BinTableHDU.from_columns(made, name="GOODSPEC")


class TestRows:
    def test_every_row_is_a_visit(self, write_fits: Any, read_all: Any, claimants: Any) -> None:
        path = write_fits(table())
        assert claimants(path) == ["mastar"]
        _, spectra = read_all(path)
        ids = ["mastar-7-1-7443-56741-1901", "mastar-7-1-7443-56742-1901", "mastar-7-2-7444-57000-702"]
        assert [spectrum.spec_id for spectrum in spectra] == ids
        assert [(spectrum.hdu, spectrum.row) for spectrum in spectra] == [(1, 0), (1, 1), (1, 2)]
        for row, spectrum in enumerate(spectra):
            ready = prepare(spectrum)
            np.testing.assert_allclose(ready.flux, FLUX[row], rtol=1e-6)
            np.testing.assert_array_equal(ready.uncertainty, np.full(N, 0.5))
            np.testing.assert_allclose(ready.grid.wavelength(), GRID, rtol=1e-12)
            assert (ready.grid.first, ready.flux_unit) == (35589, "1e-17 erg / (Angstrom cm2 s)")
            assert (spectrum.sampling.medium, spectrum.observation.velocity_frame) == ("vacuum", "heliocentric")

    def test_facts_come_from_the_columns_and_sentinels_are_missing(self, write_fits: Any, read_all: Any) -> None:
        first, second, third = read_all(write_fits(table()))[1]
        assert first.observation.object_id == second.observation.object_id == "mangaid-7-1"
        assert (first.observation.date_obs, first.observation.ra) == ("2014-03-25", 10.0)
        assert (first.observation.snr, first.observation.snr_method) == (80.0, "header:S2N")
        assert prepare(third).observation.snr_method == "median_flux_over_sigma"
        assert first.params == {"rv": 12.5, "e_rv": 1.5}
        # No velocity at all, and a velocity whose flag says that it failed.
        assert second.params == third.params == {}

    def test_float32_wavelengths_give_the_same_grid(self, write_fits: Any, read_all: Any) -> None:
        ready = prepare(read_all(write_fits(table(wave="E")))[1][0])
        np.testing.assert_allclose(ready.grid.wavelength(), GRID, rtol=1e-12)

    def test_pixels_without_inverse_variance_are_bad(self, write_fits: Any, read_all: Any) -> None:
        ivar = IVAR.copy()
        ivar[0, 50:52] = 0
        ready = prepare(read_all(write_fits(table(ivar=ivar)))[1][0])
        assert np.isnan(ready.uncertainty).nonzero()[0].tolist() == [50, 51]
        assert np.isfinite(ready.flux).all()

    def test_a_combination_of_all_visits_is_stacked_and_has_no_date(self, write_fits: Any, read_all: Any) -> None:
        _, spectra = read_all(write_fits(table(flux=FLUX[1:], ivar=IVAR[1:], MJD=("J", None), PLATE=("J", None))))
        assert [spectrum.observation.source_type for spectrum in spectra] == ["stacked", "stacked"]
        assert spectra[0].observation.date_obs == ""

    def test_dimensions_of_cells_do_no_harm(self, write_fits: Any, read_all: Any) -> None:
        hdu = table()
        for number, column in enumerate(hdu.columns, 1):
            if column.name in ("WAVE", "FLUX", "IVAR"):
                hdu.header[f"TDIM{number}"] = f"({N})"
        np.testing.assert_allclose(prepare(read_all(write_fits(hdu))[1][2]).flux, FLUX[2], rtol=1e-6)

    def test_a_table_without_inverse_variances_is_refused(self, write_fits: Any, read_all: Any) -> None:
        with pytest.raises(MissingField, match="IVAR"):
            read_all(write_fits(table(IVAR=("E", None))))

    def test_an_empty_table_is_refused(self, write_fits: Any, read_all: Any) -> None:
        hdu = table()
        hdu.data = hdu.data[:0]
        with pytest.raises(MissingField, match="empty"):
            read_all(write_fits(hdu))


class TestIngest:
    def test_a_dead_row_is_rejected_and_the_others_are_published(self, write_fits: Any, tmp_path: Path) -> None:
        flux, ivar = FLUX.copy(), IVAR.copy()
        flux[1] = ivar[1] = 0
        source = tmp_path / "mastar"
        source.mkdir()
        write_fits(table(flux, ivar)).rename(source / "mastar-goodspec-v3_1_1.fits")
        target = str(tmp_path / "mastar.zarr")
        outcome = ingest(IngestRequest((str(source),), target, tolerance=Tolerance(count=1)), SerialExecutor())
        assert [(one.code, one.hdu, one.row) for one in outcome.rejections] == [("all-zero", 1, 1)]
        assert validate(target).valid
        store = zarr.open_group(target, mode="r")
        assert store["signal/wavelength"].shape == (N,)
        np.testing.assert_allclose(store["signal/flux_raw"][:], FLUX[[0, 2]], rtol=1e-6)
        np.testing.assert_array_equal(store["params/rv"][:], [12.5, np.nan])

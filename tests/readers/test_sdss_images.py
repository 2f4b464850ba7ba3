"""SDSS spSpec and spPlate: files written with astropy in the layout of their data models, for there is no real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import AllZero, MissingField
from spectral_zarr.transforms import prepare

N = 400
GRID = 10 ** (3.5794 + 1e-4 * np.arange(N))
FLUX = np.linspace(10.0, 50.0, N).astype("f4")
ERROR = np.full(N, 2.0, "f4")
CARDS = {
    "TELESCOP": "SDSS 2.5-M", "PLATEID": 266, "MJD": 51630, "COEFF0": 3.5794, "COEFF1": 1e-4, "VACUUM": 1,
    "RA": 145.0, "DEC": 0.5, "BUNIT": "1.0E-17 erg/cm/s/Ang", "VERS2D": "v4_10_4", "TAI": 4460768160.0,
}  # fmt: skip
FIBRE = {"FIBERID": 13, "RAOBJ": 146.5, "DECOBJ": -0.7, "SN_R": 18.5, "NAME": "'51630-0266-013'"}


@pytest.fixture
def spspec(write_fits: Any) -> Any:
    def write(error: Any = ERROR, flux: Any = FLUX, n_rows: int = 5, dtype: str = "f4", **cards: Any) -> Path:
        image = np.stack([flux, flux - 30, error, np.zeros(N), np.zeros(N)])[:n_rows].astype(dtype)
        header = {key: value for key, value in {**CARDS, **FIBRE, **cards}.items() if value is not None}
        lines = fits.BinTableHDU.from_columns([fits.Column("WAVE", "E", array=[5000.0, 6000.0])])
        return write_fits(fits.PrimaryHDU(image), lines, **header)

    return write


@pytest.fixture
def spplate(write_fits: Any) -> Any:
    def write(kinds: tuple[str, ...] = ("STAR", "SKY", "QSO", "NA"), columns: bool = True, **cards: Any) -> Path:
        n = len(kinds)
        flux = np.arange(1.0, n + 1)[:, None] * FLUX
        images = [np.full((n, N), 0.25), np.zeros((n, N)), np.zeros((n, N)), np.ones((n, N))]
        made = [
            fits.Column("OBJTYPE", "16A", array=list(kinds)),
            fits.Column("FIBERID", "J", array=np.arange(1, n + 1)),
            fits.Column("RA", "D", array=150.0 + np.arange(n)),
            fits.Column("DEC", "D", array=np.arange(n)),
        ]
        header = {key: value for key, value in {**CARDS, **cards}.items() if value is not None}
        return write_fits(
            fits.PrimaryHDU(flux.astype("f4")),
            *(fits.ImageHDU(image.astype("f4")) for image in images),
            fits.BinTableHDU.from_columns(made if columns else made[:1]),
            fits.ImageHDU(np.ones((n, N), "f4")),
            **header,
        )

    return write


class TestSpSpec:
    def test_the_rows_are_flux_and_error_on_the_lattice(self, spspec: Any, read_one: Any, claimants: Any) -> None:
        path = spspec()
        assert claimants(path) == ["sdss-spspec"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_array_equal(ready.flux, FLUX)
        np.testing.assert_array_equal(ready.uncertainty, ERROR)
        np.testing.assert_allclose(ready.grid.wavelength(), GRID, rtol=1e-12)
        assert (ready.grid.first, ready.flux_unit) == (35794, "1e-17 erg / (Angstrom cm2 s)")
        assert (spectrum.sampling.medium, spectrum.observation.velocity_frame) == ("vacuum", "heliocentric")

    def test_the_position_is_that_of_the_object_and_the_identifier_that_of_the_fibre(
        self, spspec: Any, read_one: Any
    ) -> None:
        _, spectrum = read_one(spspec())
        observation = spectrum.observation
        assert spectrum.spec_id == "sdss-266-51630-0013"
        assert (observation.ra, observation.dec) == (146.5, -0.7)
        assert (observation.snr, observation.snr_method) == (18.5, "header:SN_R")
        # 4460768160 s of TAI are MJD 51629.26111; TAI was 32 s ahead of UTC in March 2000.
        assert observation.date_obs == "2000-03-26T06:15:28.000"
        assert observation.instrument == "SDSS"

    def test_an_error_of_zero_is_bad(self, spspec: Any, read_one: Any) -> None:
        error = ERROR.copy()
        error[[40, 41]] = 0
        ready = prepare(read_one(spspec(error))[1])
        assert np.isnan(ready.uncertainty).nonzero()[0].tolist() == [40, 41]
        assert np.isfinite(ready.flux).all()

    @pytest.mark.parametrize(("n_rows", "dtype"), [(3, "f4"), (4, "f4"), (5, "f8")])
    def test_fewer_rows_and_other_types_give_the_same_values(
        self, spspec: Any, read_one: Any, n_rows: int, dtype: str
    ) -> None:
        ready = prepare(read_one(spspec(n_rows=n_rows, dtype=dtype))[1])
        np.testing.assert_array_equal(ready.flux, FLUX)
        np.testing.assert_array_equal(ready.uncertainty, ERROR)

    def test_the_usual_axis_cards_stand_in_for_the_coefficients(self, spspec: Any, read_one: Any) -> None:
        path = spspec(COEFF0=None, COEFF1=None, CRVAL1=3.5794, CD1_1=1e-4)
        np.testing.assert_allclose(prepare(read_one(path)[1]).grid.wavelength(), GRID, rtol=1e-12)

    def test_an_image_without_wavelengths_is_refused(self, spspec: Any, read_one: Any) -> None:
        with pytest.raises(MissingField, match="COEFF0"):
            read_one(spspec(COEFF0=None, COEFF1=None))

    def test_a_night_without_a_time_is_a_bare_date(self, spspec: Any, read_one: Any) -> None:
        observation = read_one(spspec(TAI=None))[1].observation
        assert observation.date_obs == "2000-03-27"
        assert np.isnan(observation.mjd)


class TestSpPlate:
    def test_every_fibre_with_a_target_is_a_row(self, spplate: Any, read_all: Any, claimants: Any) -> None:
        path = spplate()
        assert claimants(path) == ["sdss-spplate"]
        name, spectra = read_all(path)
        assert name == "sdss-spplate"
        assert [spectrum.spec_id for spectrum in spectra] == ["sdss-266-51630-0001", "sdss-266-51630-0003"]
        assert [spectrum.row for spectrum in spectra] == [0, 2]
        for spectrum in spectra:
            ready = prepare(spectrum)
            np.testing.assert_allclose(ready.flux, (spectrum.row + 1) * FLUX, rtol=1e-6)
            np.testing.assert_array_equal(ready.uncertainty, np.full(N, 2.0))
            np.testing.assert_allclose(ready.grid.wavelength(), GRID, rtol=1e-12)
            assert spectrum.observation.ra == 150.0 + spectrum.row

    def test_a_dead_fibre_does_not_take_the_others_along(self, spplate: Any, read_all: Any) -> None:
        path = spplate()
        with fits.open(path, mode="update") as hdus:
            hdus[0].data[0] = hdus[1].data[0] = 0
        dead, alive = read_all(path)[1]
        with pytest.raises(AllZero):
            prepare(dead)
        assert prepare(alive).n_valid == N

    def test_a_plug_map_of_another_length_is_refused(self, spplate: Any, read_all: Any, write_fits: Any) -> None:
        with fits.open(spplate(), memmap=False) as hdus:
            hdus[5].data = hdus[5].data[:2]
            made = [hdu.copy() for hdu in hdus]
        with pytest.raises(MissingField, match="plug map"):
            read_all(write_fits(*made))

    def test_a_plate_is_published(self, spplate: Any, tmp_path: Path) -> None:
        source = tmp_path / "plates"
        source.mkdir()
        spplate().rename(source / "spPlate-0266-51630.fits")
        ingest(IngestRequest((str(source),), str(tmp_path / "plate.zarr")), SerialExecutor())
        assert validate(tmp_path / "plate.zarr").valid
        store = zarr.open_group(tmp_path / "plate.zarr", mode="r")
        assert store["signal/wavelength"].shape == (N,)
        np.testing.assert_allclose(store["signal/flux_raw"][1], 3 * FLUX, rtol=1e-6)

"""Unmerged orders of HIRES, HPF and SPIRou: refused by default, rows on request.

The files are written with astropy from the descriptions of the pipelines; none of them is real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, validate
from spectral_zarr.config import Config, ImageOptions, ReaderOptions, TableOptions
from spectral_zarr.errors import AllNaN, BadWavelength, MissingField, RefusedProduct
from spectral_zarr.transforms import prepare

ROWS = ReaderOptions(echelle="rows")
N_ORDERS, N_PIX = 5, 80


def orders(scale: float = 1.0) -> np.ndarray:
    return scale * (5000.0 + 90.0 * np.arange(N_ORDERS)[:, None] + np.arange(N_PIX))


def values(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(50, 100, (N_ORDERS, N_PIX)).astype(np.float32)


def image(data: Any, name: str = "", **cards: Any) -> fits.ImageHDU:
    hdu = fits.ImageHDU(np.asarray(data), name=name)
    hdu.header.update(cards)
    return hdu


def hires(*hdus: Any, **cards: Any) -> list[Any]:
    primary = fits.PrimaryHDU(values())
    primary.header.update({"INSTRUME": "HIRES", "DATE-OBS": "2010-08-01T05:06:07", "OBJECT": "HD 1", **cards})
    return [primary, *hdus]


class TestHires:
    LAYOUT = (np.full((N_ORDERS, N_PIX), 0.01, np.float32), orders())

    def test_the_error_is_relative(self, write_fits: Any, read_all: Any, claimants: Any) -> None:
        path = write_fits(*hires(*map(image, self.LAYOUT)))
        assert claimants(path) == ["hires-orders"]
        options = ReaderOptions(echelle="rows", image=ImageOptions(medium="air"))
        _, spectra = read_all(path, options)
        assert [one.observation.order for one in spectra] == ["1", "2", "3", "4", "5"]
        for row, spectrum in enumerate(spectra):
            ready = prepare(spectrum)
            np.testing.assert_array_equal(ready.flux, values()[row])
            np.testing.assert_allclose(ready.uncertainty, 0.01 * values()[row], rtol=1e-6)
            np.testing.assert_array_equal(ready.wavelength, orders()[row])
            assert (ready.flux_unit, spectrum.sampling.medium) == ("ct", "air")
            assert spectrum.observation.velocity_frame == "topocentric"

    def test_wavelengths_are_found_by_name_wherever_they_are(self, write_fits: Any, read_all: Any) -> None:
        error, wave = self.LAYOUT
        _, spectra = read_all(write_fits(*hires(image(wave, "WAVELENGTH"), image(error, "ERROR"))), ROWS)
        np.testing.assert_array_equal(spectra[0].sampling.values, wave[0])
        np.testing.assert_array_equal(spectra[0].noise, error[0])

    def test_orders_are_refused_by_default(self, write_fits: Any, read_all: Any) -> None:
        with pytest.raises(RefusedProduct, match=r'5 unmerged.*\[readers\] echelle = "rows"'):
            read_all(write_fits(*hires(*map(image, self.LAYOUT))))

    def test_a_copy_without_wavelengths_has_a_code(self, write_fits: Any, read_all: Any) -> None:
        with pytest.raises(MissingField, match="wavelength"):
            read_all(write_fits(*hires()), ROWS)

    def test_an_image_of_makee_is_refused(self, write_fits: Any, read_all: Any) -> None:
        with pytest.raises(RefusedProduct, match="MAKEE"):
            read_all(write_fits(*hires(WV_0_01="4000. 0.02 0. 0.")), ROWS)


def hpf(noise: str = "Sci Error", **cards: Any) -> list[Any]:
    primary = fits.PrimaryHDU()
    primary.header.update({"INSTRUME": "HPF", "OBJECT": "star", **cards})
    named = {"Sci Flux": values(), "Sky Flux": values(2), "Cal Flux": values(3), noise: 0.1 * values()}
    return [primary, *(image(data, name) for name, data in named.items()), image(orders(2.0), "Sci Wavl")]


class TestHpf:
    def test_the_science_fibre_is_read(self, write_fits: Any, read_all: Any, claimants: Any) -> None:
        path = write_fits(*hpf())
        assert claimants(path) == ["hpf"]
        _, spectra = read_all(path, ROWS)
        assert len(spectra) == N_ORDERS
        np.testing.assert_array_equal(spectra[3].flux, values()[3])
        np.testing.assert_array_equal(spectra[3].noise, 0.1 * values()[3])
        np.testing.assert_array_equal(spectra[3].sampling.values, orders(2.0)[3])
        assert (spectra[3].noise_kind, spectra[3].sampling.medium) == ("sigma", "vacuum")

    def test_a_variance_is_known_as_such(self, write_fits: Any, read_all: Any) -> None:
        _, spectra = read_all(write_fits(*hpf("Sci Variance")), ROWS)
        np.testing.assert_allclose(prepare(spectra[0]).uncertainty, np.sqrt(0.1 * values()[0]), rtol=1e-6)

    def test_it_is_refused_by_default(self, write_fits: Any, read_all: Any) -> None:
        with pytest.raises(RefusedProduct, match="HPF"):
            read_all(write_fits(*hpf()))

    def test_missing_wavelengths_have_a_code(self, write_fits: Any, read_all: Any) -> None:
        with pytest.raises(MissingField, match="Sci Wavl"):
            read_all(write_fits(*hpf()[:-1]), ROWS)

    def test_images_of_other_shapes_have_a_code(self, write_fits: Any, read_all: Any) -> None:
        for position in (4, 5):
            hdus = hpf()
            hdus[position].data = hdus[position].data[:-1]
            with pytest.raises(MissingField, match="shape"):
                read_all(write_fits(*hdus), ROWS)

    def test_a_unit_that_nobody_knows_is_not_needed(self, write_fits: Any, read_all: Any) -> None:
        hdus = hpf()
        hdus[1].header["BUNIT"] = "what?"
        assert prepare(read_all(write_fits(*hdus), ROWS)[1][0]).flux_unit == "dimensionless"

    def test_a_dead_order_leaves_the_others(self, write_fits: Any, tmp_path: Path) -> None:
        hdus = hpf()
        hdus[1].data[2] = np.nan
        hdus[-1].data[4] = 0.0
        path = write_fits(*hdus)
        out = tmp_path / "hpf.zarr"
        request = IngestRequest((str(path),), str(out), Config(readers=ROWS), Tolerance.parse("2"))
        outcome = ingest(request, SerialExecutor())
        assert [(one.row, one.code) for one in outcome.rejections] == [(2, AllNaN.code), (4, BadWavelength.code)]
        assert validate(str(out)).valid
        store = zarr.open_group(str(out), mode="r")
        assert store["metadata/order"][:].tolist() == ["1", "2", "4"]


def spirou_s(**columns: Any) -> list[Any]:
    wave = np.linspace(965.0, 2500.0, 300)
    usual = {
        "Wave": wave,
        "FluxAB": np.ones(300),
        "FluxErrAB": np.full(300, 0.1),
        "FluxA": np.full(300, 5.0),
        **columns,
    }
    units = {"Wave": "nm"}
    made = [fits.Column(name, "D", array=array, unit=units.get(name)) for name, array in usual.items()]
    primary = fits.PrimaryHDU()
    primary.header.update({"INSTRUME": "SPIRou", "OBJECT": "Gl699", "BERV": 12.5, "MJDATE": 58700.25})
    uniform = fits.BinTableHDU.from_columns(made, name="UniformWavelength")
    return [primary, uniform, fits.BinTableHDU.from_columns(made, name="UniformVelocity")]


def spirou_t(name: str = "FluxAB") -> list[Any]:
    primary = fits.PrimaryHDU()
    primary.header["INSTRUME"] = "SPIRou"
    return [primary, image(values(), name), image(orders(0.3), "WaveAB"), image(values(3), "BlazeAB")]


class TestSpirou:
    def test_the_merged_table(self, write_fits: Any, read_one: Any, claimants: Any) -> None:
        flux = np.linspace(0.5, 1.5, 300)
        flux[10:15] = np.nan
        path = write_fits(*spirou_s(FluxAB=flux))
        assert claimants(path) == ["spirou-apero"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        np.testing.assert_array_equal(ready.flux, flux.astype("f4"))
        np.testing.assert_allclose(ready.wavelength, np.linspace(9650.0, 25000.0, 300), rtol=1e-13)
        np.testing.assert_allclose(ready.uncertainty, 0.1, rtol=1e-6)
        observation = spectrum.observation
        assert (spectrum.sampling.medium, observation.velocity_frame, observation.berv) == (
            "vacuum",
            "topocentric",
            12.5,
        )

    def test_the_telluric_corrected_flux_can_be_chosen(self, write_fits: Any, read_one: Any) -> None:
        corrected = {"FluxABTelluCorrected": np.full(300, 2.0), "FluxErrABTelluCorrected": np.full(300, 0.2)}
        options = ReaderOptions(table=TableOptions(flux="FluxABTelluCorrected"))
        _, spectrum = read_one(write_fits(*spirou_s(**corrected)), options)
        assert (spectrum.flux[0], spectrum.noise[0]) == (2.0, 0.2)

    def test_orders_of_t_and_e_files(self, write_fits: Any, read_all: Any) -> None:
        path = write_fits(*spirou_t())
        with pytest.raises(RefusedProduct, match=r"s\.fits"):
            read_all(path)
        _, spectra = read_all(path, ROWS)
        np.testing.assert_array_equal(spectra[2].flux, values()[2])
        np.testing.assert_allclose(prepare(spectra[2]).wavelength, 10 * orders(0.3)[2], rtol=1e-13)

    @pytest.mark.parametrize("name", ["Pol", "CCF", "Slope", "Other"])
    def test_other_files_are_refused(self, write_fits: Any, read_all: Any, name: str) -> None:
        with pytest.raises(RefusedProduct, match="SPIRou"):
            read_all(write_fits(*spirou_t(name)), ROWS)

    def test_merged_tables_are_published(self, write_fits: Any, tmp_path: Path) -> None:
        path = write_fits(*spirou_s())
        out = tmp_path / "spirou.zarr"
        ingest(IngestRequest((str(path),), str(out)), SerialExecutor())
        assert validate(str(out)).valid

"""EPRV level 3, PFS, DEEP2 and infrared orders: files written after their data models, for want of real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import Spectrum
from spectral_zarr.transforms import prepare

N = 40
RANDOM = np.random.default_rng(5)
ROWS = ReaderOptions(echelle="rows")


def image(name: str, values: Any, **cards: Any) -> fits.ImageHDU:
    hdu = fits.ImageHDU(values, name=name)
    hdu.header.update(cards)
    return hdu


def stitched(stem: str, level: float, wave: Any = None, **cards: Any) -> list[fits.ImageHDU]:
    wave = 5000.0 + np.arange(N) if wave is None else wave
    return [
        image(f"{stem}_FLUX", np.full(N, level, np.float32)),
        image(f"{stem}_WAVE", wave, **cards),
        image(f"{stem}_VAR", np.full(N, level * 4, np.float32)),
    ]


class TestEprv:
    def test_the_sum_of_the_science_traces_is_the_spectrum(
        self, write_fits: Any, read_one: Any, claimants: Any
    ) -> None:
        path = write_fits(*stitched("STITCHED_CORR_SCI", 9.0), *stitched("STITCHED_CORR_TRACE1", 3.0), OBJECT="HD 1")
        assert claimants(path) == ["eprv-l3"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        with fits.open(path) as hdus:
            np.testing.assert_array_equal(ready.flux, hdus["STITCHED_CORR_SCI_FLUX"].data)
            np.testing.assert_array_equal(spectrum.sampling.values, hdus["STITCHED_CORR_SCI_WAVE"].data)
            np.testing.assert_array_equal(ready.uncertainty, np.sqrt(hdus["STITCHED_CORR_SCI_VAR"].data))
        assert (ready.flux_unit, spectrum.sampling.unit, spectrum.sampling.medium) == ("electron", "Angstrom", "vacuum")
        assert (spectrum.observation.object, spectrum.observation.velocity_frame) == ("HD 1", "barycentric")

    def test_traces_without_a_sum_are_rows(self, write_fits: Any, read_all: Any) -> None:
        path = write_fits(*stitched("STITCHED_CORR_TRACE1", 3.0), *stitched("STITCHED_CORR_TRACE2", 5.0))
        _, spectra = read_all(path)
        assert [(one.observation.order, float(one.flux[0])) for one in spectra] == [("TRACE1", 3.0), ("TRACE2", 5.0)]
        assert len({one.spec_id for one in spectra}) == 2

    def test_the_option_chooses_another_trace(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(*stitched("STITCHED_CORR_SCI", 9.0), *stitched("STITCHED_CUSTOMCORR1_SCI", 3.0))
        _, spectrum = read_one(path, ReaderOptions(hdu="STITCHED_CUSTOMCORR1_SCI_FLUX"))
        assert spectrum.flux[0] == 3.0

    @pytest.mark.parametrize(
        ("wave", "unit"), [(1.2 + 0.001 * np.arange(N), "um"), (12000.0 + np.arange(N), "Angstrom")]
    )
    def test_micrometres_are_told_by_their_size(self, write_fits: Any, read_one: Any, wave: Any, unit: str) -> None:
        assert read_one(write_fits(*stitched("STITCHED_CORR_SCI", 9.0, wave)))[1].sampling.unit == unit

    def test_a_unit_that_the_card_gives_wins(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(*stitched("STITCHED_CORR_SCI", 9.0, 500.0 + np.arange(N), BUNIT="nm"))
        assert read_one(path)[1].sampling.unit == "nm"

    def test_a_size_that_is_neither_is_refused(self, write_fits: Any, read_one: Any, read_all: Any) -> None:
        _, (error,) = read_all(write_fits(*stitched("STITCHED_CORR_SCI", 9.0, 500.0 + np.arange(N))))
        assert isinstance(error, UnknownUnit)

    def test_empty_images_are_no_traces(self, write_fits: Any, read_all: Any) -> None:
        empty = [image(f"STITCHED_CORR_SCI_{kind}", None) for kind in ("FLUX", "WAVE", "VAR")]
        with pytest.raises(MissingField, match="no STITCHED"):
            read_all(write_fits(*empty))


class TestPfs:
    def hdus(self, **cards: Any) -> list[Any]:
        mask = np.zeros(N, np.int32)
        mask[[2, 3, 4]] = 1, 1 << 5, 1 << 8
        planes = {"HIERARCH MP_BAD": 0, "HIERARCH MP_DETECTED": 5, "HIERARCH MP_NO_DATA": 8}
        covar = np.stack([np.full(N, 4.0), np.full(N, 0.1), np.full(N, 0.1)]).astype("f4")
        return [
            image("FLUX", RANDOM.normal(100, 1, N).astype("f4"), DAMD_VER=2),
            image("MASK", mask, **{**planes, **cards}),
            image("WAVELENGTH", 380.0 + 0.8 * np.arange(N)),
            image("SKY", np.zeros(N, "f4")),
            image("COVAR", covar),
            image("COVAR2", np.zeros((4, 4), "f4")),
        ]

    def test_mask_and_covariance_belong_to_the_flux(
        self, write_fits: Any, read_one: Any, claimants: Any, reference: Any
    ) -> None:
        path = write_fits(*self.hdus(), OBJID="77")
        assert claimants(path) == ["pfs-object"]
        _, spectrum = read_one(path)
        ready = prepare(spectrum)
        flux = reference(path)["FLUX"].data.astype("f4")
        flux[4] = np.nan
        sigma = np.full(N, 2.0, np.float32)
        sigma[[2, 4]] = np.nan
        np.testing.assert_array_equal(ready.flux, flux)
        np.testing.assert_array_equal(ready.uncertainty, sigma)
        assert (spectrum.sampling.unit, spectrum.sampling.medium, spectrum.flux_unit) == ("nm", "vacuum", "nJy")
        assert spectrum.observation.object_id == "77"

    def test_bits_without_a_name_are_bad(self, write_fits: Any, read_one: Any) -> None:
        hdus = self.hdus()
        for plane in ("MP_BAD", "MP_DETECTED", "MP_NO_DATA"):
            del hdus[1].header[plane]
        _, spectrum = read_one(write_fits(*hdus))
        assert np.flatnonzero(spectrum.bad).tolist() == [2, 3, 4]

    def test_shapes_that_differ_are_refused(self, write_fits: Any, read_one: Any) -> None:
        hdus = self.hdus()
        hdus[1].data = hdus[1].data[:-1]
        with pytest.raises(MissingField, match="do not fit"):
            read_one(write_fits(*hdus))


def chip(name: str, start: float, level: float) -> fits.BinTableHDU:
    flux = np.full(N, level, np.float32)
    ivar = np.full(N, 0.25, np.float32)
    flux[0] = ivar[0] = 0.0
    columns = [
        fits.Column("SPEC", f"{N}E", array=flux[None]),
        fits.Column("LAMBDA", f"{N}E", array=(start + np.arange(N, dtype=np.float32))[None]),
        fits.Column("IVAR", f"{N}E", array=ivar[None]),
        fits.Column("CRMASK", f"{N}I", array=np.zeros((1, N))),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update(EXTNAME=name, OBJNO="42013731")
    return table


class TestDeep2:
    def hdus(self) -> list[fits.BinTableHDU]:
        return [
            chip("Bxspf-B", 6500.0, 1.0),
            chip("Bxspf-R", 7800.0, 2.0),
            chip("Horne-B", 6500.0, 3.0),
            chip("Horne-R", 7800.0, 4.0),
        ]

    def test_every_extraction_is_a_row_of_both_chips(self, write_fits: Any, read_all: Any, claimants: Any) -> None:
        path = write_fits(*self.hdus())
        assert claimants(path) == ["deep2-spec1d"]
        _, spectra = read_all(path)
        assert [one.spec_id.rpartition("/")[2] for one in spectra] == ["made-bxspf", "made-horne"]
        for one, (blue, red) in zip(spectra, [(1, 2), (3, 4)], strict=True):
            ready = prepare(one)
            with fits.open(path) as hdus:
                wave = np.concatenate([hdus[blue].data["LAMBDA"][0], hdus[red].data["LAMBDA"][0]])
                flux = np.concatenate([hdus[blue].data["SPEC"][0], hdus[red].data["SPEC"][0]])
            flux[[0, N]] = np.nan
            np.testing.assert_array_equal(one.sampling.values, wave)
            np.testing.assert_array_equal(ready.flux, flux)
            np.testing.assert_array_equal(np.isnan(ready.uncertainty), np.isnan(flux))
            assert ready.uncertainty[1] == 2.0
            assert (one.flux_unit, one.observation.object_id) == ("electron / h", "42013731")

    def test_the_option_chooses_an_extraction_and_the_medium(self, write_fits: Any, read_one: Any) -> None:
        options = ReaderOptions(hdu="Horne-B", table=TableOptions(medium="air"))
        _, spectrum = read_one(write_fits(*self.hdus()), options)
        assert (spectrum.flux[1], spectrum.flux.size, spectrum.sampling.medium) == (3.0, 2 * N, "air")


class TestInfraredOrders:
    def igrins(self) -> list[Any]:
        wave = 2.1 + 0.01 * np.arange(3)[:, None] + 1e-5 * np.arange(N)
        return [
            image("SPEC_DIVIDE_A0V", RANDOM.normal(1, 0.1, (3, N))),
            image("SPEC_DIVIDE_A0V_VARIANCE", np.full((3, N), 0.04)),
            image("WAVELENGTH", wave),
            image("TGT_SPEC", np.zeros((3, N))),
        ]

    @pytest.fixture
    def crires(self) -> list[Any]:
        tables = []
        for number in (1, 2, 3):
            columns = []
            for order in ("02_01", "03_01"):
                flux = np.full(N, np.nan) if (number, order) == (3, "03_01") else np.full(N, float(number))
                columns += [
                    fits.Column(f"{order}_SPEC", "D", array=flux),
                    fits.Column(f"{order}_ERR", "D", array=np.full(N, 0.5)),
                    fits.Column(f"{order}_WL", "D", array=1000.0 * number + np.arange(N)),
                ]
            tables.append(fits.BinTableHDU.from_columns(columns, name=f"CHIP{number}.INT1"))
        return tables

    def test_igrins_orders_are_rows_with_their_variance(
        self, write_fits: Any, read_all: Any, claimants: Any, reference: Any
    ) -> None:
        path = write_fits(*self.igrins(), INSTRUME="IGRINS")
        assert claimants(path) == ["igrins"]
        _, spectra = read_all(path, ROWS)
        hdus = reference(path)
        assert [(one.row, one.observation.order) for one in spectra] == [(0, "1"), (1, "2"), (2, "3")]
        for row, one in enumerate(spectra):
            np.testing.assert_array_equal(one.flux, hdus["SPEC_DIVIDE_A0V"].data[row])
            np.testing.assert_array_equal(one.sampling.values, hdus["WAVELENGTH"].data[row])
            np.testing.assert_allclose(prepare(one).uncertainty, 0.2, rtol=1e-6)
            assert (one.sampling.unit, one.sampling.medium) == ("um", "vacuum")

    def test_igrins_before_version_3_has_no_variance(self, write_fits: Any, read_all: Any) -> None:
        hdus = self.igrins()
        _, spectra = read_all(write_fits(hdus[0], hdus[2]), ROWS)
        assert [one.noise for one in spectra] == [None, None, None]

    def test_crires_pieces_are_rows_of_their_chips(
        self, write_fits: Any, read_all: Any, claimants: Any, crires: list[Any]
    ) -> None:
        path = write_fits(*crires, ESO__PRO__CATG="OBS_NODDING_EXTRACTA")
        assert claimants(path) == ["crires-orders"]
        _, spectra = read_all(path, ROWS)
        assert [(one.hdu, one.row, one.observation.order) for one in spectra] == [
            (1, 0, "02_01"), (1, 1, "03_01"), (2, 0, "02_01"), (2, 1, "03_01"), (3, 0, "02_01"),
        ]  # fmt: skip
        assert len({one.spec_id for one in spectra}) == 5
        for one in spectra:
            assert isinstance(one, Spectrum)
            data = fits.getdata(path, one.hdu)
            np.testing.assert_array_equal(one.flux, data[f"{one.observation.order}_SPEC"])
            np.testing.assert_array_equal(one.noise, data[f"{one.observation.order}_ERR"])
            np.testing.assert_array_equal(one.sampling.values, data[f"{one.observation.order}_WL"])
            assert (one.sampling.unit, one.sampling.medium) == ("nm", "vacuum")

    def test_nirspec_is_one_order(self, write_fits: Any, read_one: Any, claimants: Any, nirspec: Any) -> None:
        path = write_fits(nirspec)
        assert claimants(path) == ["nirspec-nsdrp"]
        named = path.rename(path.with_name("NS.20080711.43014_63_flux_tbl.fits"))
        _, spectrum = read_one(named, ROWS)
        data = fits.getdata(named, 1)
        np.testing.assert_array_equal(spectrum.sampling.values, data["wave (A)"])
        np.testing.assert_array_equal(spectrum.flux, data["flux (cnts)"])
        np.testing.assert_array_equal(spectrum.noise, data["noise (cnts)"])
        assert (spectrum.observation.order, spectrum.flux_unit) == ("63", "ct")

    @pytest.fixture
    def nirspec(self) -> fits.BinTableHDU:
        columns = [
            fits.Column("col", "D", array=np.arange(N)),
            fits.Column("wave (A)", "D", array=21000.0 + np.arange(N)),
            fits.Column("flux (cnts)", "D", array=np.linspace(1, 2, N)),
            fits.Column("noise (cnts)", "D", array=np.full(N, 0.1)),
            fits.Column("sky (cnts)", "D", array=np.zeros(N)),
        ]
        return fits.BinTableHDU.from_columns(columns)

    @pytest.mark.parametrize("which", ["igrins", "crires", "nirspec"])
    def test_orders_are_refused_without_the_option(
        self, write_fits: Any, read_all: Any, crires: list[Any], nirspec: Any, which: str
    ) -> None:
        hdus = {"igrins": self.igrins(), "crires": crires, "nirspec": [nirspec]}[which]
        with pytest.raises(RefusedProduct, match='echelle = "rows"'):
            read_all(write_fits(*hdus))

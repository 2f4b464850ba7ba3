"""Noise and continuum in another unit than the flux are converted, and refused where the units contradict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.config import ArrayOptions, ImageOptions, ReaderOptions, TableOptions
from spectral_zarr.contract.companions import POWERS, companion_factor
from spectral_zarr.errors import UnknownUnit
from spectral_zarr.transforms import prepare

N_PIX = 50
WAVELENGTH = 5000.0 + np.arange(N_PIX)
FLUX = np.full(N_PIX, 2.0)
VALUE = 4.0
OBSERVED = ReaderOptions(arrays=ArrayOptions(source_type="observed"))

# Role, its unit beside a flux in Jy, and what a value of 4 is as one sigma in Jy by hand.
CONVERTED = [
    ("ERR", "mJy", 4e-3),
    ("IVAR", "1 / mJy2", 0.5e-3),
    ("IVAR", "1/mJy^2", 0.5e-3),
    ("IVAR", "(mJy)^-2", 0.5e-3),
    ("IVAR", "1/(mJy)**2", 0.5e-3),
    ("IVAR", "1e6 / Jy2", 0.5e-3),
    ("VAR", "mJy2", 2e-3),
    ("VAR", "(mJy)^2", 2e-3),
    ("VAR", "uJy**2", 2e-6),
    ("ERR", "1e-26 W / (m2 Hz)", 4.0),
    ("ERR", "", 4.0),
    ("IVAR", "Jy", 0.5),
    ("VAR", "", 2.0),
]
CONTRADICT = [
    ("ERR", "1 / Jy2"),
    ("ERR", "erg / (s cm2 Angstrom)"),
    ("ERR", "no unit at all"),
    ("IVAR", "mJy"),
    ("IVAR", "mJy2"),
    ("IVAR", "(mJy)^2"),
    ("VAR", "1 / mJy2"),
    ("VAR", "mJy"),
    ("CONTINUUM", "mJy2"),
]


def table(role: str, unit: str, value: float = VALUE, flux_unit: str = "Jy") -> fits.BinTableHDU:
    columns = [("WAVE", WAVELENGTH, "Angstrom"), ("FLUX", FLUX, flux_unit), (role, np.full(N_PIX, value), unit or None)]
    return fits.BinTableHDU.from_columns([fits.Column(n, "D", unit=unit, array=v) for n, v, unit in columns])


def images(role: str, unit: str, value: float = VALUE, flux_unit: str = "Jy") -> list[fits.ImageHDU]:
    made = []
    for name, values, text in (
        ("FLUX", FLUX, flux_unit),
        (role, np.full(N_PIX, value), unit),
        ("WAVELENGTH", WAVELENGTH, "Angstrom"),
    ):
        made.append(fits.ImageHDU(values.astype("f4"), name=name))
        if text:
            made[-1].header["BUNIT"] = text
    return made


def array_file(path: Path, role: str, unit: str) -> Path:
    name = {"ERR": "sigma", "IVAR": "ivar", "CONTINUUM": "continuum"}[role]
    values = {"flux": (FLUX, "Jy"), name: (np.full(N_PIX, VALUE), unit), "wavelength": (WAVELENGTH, "Angstrom")}
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for key, (data, text) in values.items():
                file.create_dataset(key, data=np.array([data])).attrs["units"] = text
    elif path.suffix == ".npz":
        facts = {f"{key}_unit": np.array(text) for key, (_, text) in values.items()}
        np.savez(path, **{key: np.array([data]) for key, (data, _) in values.items()}, **facts)
    else:
        fields = [pa.field(key, pa.list_(pa.float64()), metadata={"unit": text}) for key, (_, text) in values.items()]
        pq.write_table(pa.table([pa.array([data]) for data, _ in values.values()], schema=pa.schema(fields)), path)
    return path


def uncertainty(spectrum: Any) -> float:
    (value,) = set(prepare(spectrum).uncertainty.tolist())
    return float(value)


class TestGenericFiles:
    @pytest.mark.parametrize(("role", "unit", "expected"), CONVERTED)
    def test_noise_is_converted(self, write_fits: Any, read_one: Any, role: str, unit: str, expected: float) -> None:
        for path in (write_fits(table(role, unit)), write_fits(*images(role, unit))):
            _, spectrum = read_one(path)
            assert uncertainty(spectrum) == pytest.approx(expected, rel=1e-6)
            assert prepare(spectrum).flux_unit == "Jy"

    @pytest.mark.parametrize(("role", "unit"), CONTRADICT)
    def test_units_that_contradict_are_refused(self, write_fits: Any, read_one: Any, role: str, unit: str) -> None:
        for hdus in ([table(role, unit)], images(role, unit)):
            with pytest.raises(UnknownUnit, match=f"{role} is in"):
                read_one(write_fits(*hdus))

    def test_the_continuum_is_converted(self, write_fits: Any, read_one: Any) -> None:
        for hdus in ([table("CONTINUUM", "mJy", 2000.0)], images("CONTINUUM", "mJy", 2000.0)):
            _, spectrum = read_one(write_fits(*hdus))
            np.testing.assert_allclose(prepare(spectrum).continuum, 2.0, rtol=1e-6)

    @pytest.mark.parametrize("name", ["a.h5", "a.npz", "a.parquet"])
    def test_arrays(self, tmp_path: Path, read_all: Any, name: str) -> None:
        for role, unit, expected in (one for one in CONVERTED if one[0] in ("ERR", "IVAR") and one[1]):
            _, (spectrum,) = read_all(array_file(tmp_path / name, role, unit), OBSERVED)
            assert uncertainty(spectrum) == pytest.approx(expected, rel=1e-6)
        for role, unit in (one for one in CONTRADICT if one[0] != "VAR"):
            with pytest.raises(UnknownUnit):
                read_all(array_file(tmp_path / name, role, unit), OBSERVED)

    def test_squares_of_small_fluxes_do_not_vanish(self, write_fits: Any, read_one: Any) -> None:
        flux = "1e-17 erg / (s cm2 Angstrom)"
        for hdus in (
            [table("IVAR", "1e32 s2 cm4 Angstrom2 / erg2", 4.0, flux)],
            images("IVAR", "1e32 s2 cm4 Angstrom2 / erg2", 4.0, flux),
        ):
            _, spectrum = read_one(write_fits(*hdus))
            assert uncertainty(spectrum) == pytest.approx(5.0, rel=1e-6)

    def test_noise_follows_a_flux_whose_unit_the_user_corrects(self, write_fits: Any, read_one: Any) -> None:
        table_options = ReaderOptions(table=TableOptions(flux_unit="uJy"))
        image_options = ReaderOptions(image=ImageOptions(flux_unit="uJy"))
        for hdus, options in (([table("VAR", "Jy2")], table_options), (images("VAR", "Jy2"), image_options)):
            _, spectrum = read_one(write_fits(*hdus), options)
            assert uncertainty(spectrum) == 2.0
            assert prepare(spectrum).flux_unit == "uJy"


class TestProducts:
    def test_an_error_of_another_scale_in_an_eso_product(self, write_fits: Any, read_one: Any) -> None:
        scale = "10**(-{})erg.cm**(-2).s**(-1).angstrom**(-1)"
        cells = (
            ("WAVE", "angstrom", WAVELENGTH, "Spectrum.Data.SpectralAxis.Value", "em.wl"),
            ("FLUX", scale.format(17), FLUX, "Spectrum.Data.FluxAxis.Value", "phot.flux.density;em.wl"),
            ("ERR", scale.format(16), FLUX, "Spectrum.Data.FluxAxis.Accuracy.StatError", "stat.error"),
        )
        hdu = fits.BinTableHDU.from_columns(
            [fits.Column(name, f"{N_PIX}D", unit=unit, array=data[None]) for name, unit, data, _, _ in cells],
            name="SPECTRUM",
        )
        for number, (_, _, _, utype, ucd) in enumerate(cells, start=1):
            hdu.header[f"TUTYP{number}"], hdu.header[f"TUCD{number}"] = utype, ucd
        path = write_fits(hdu, PRODCATG="SCIENCE.SPECTRUM", INSTRUME="FORS2", SPECSYS="TOPOCENT")
        name, spectrum = read_one(path)
        assert name == "eso-sdp"
        assert uncertainty(spectrum) == pytest.approx(20.0, rel=1e-6)
        hdu.columns["ERR"].unit = "adu"
        with pytest.raises(UnknownUnit, match="ERR is in 'adu'"):
            read_one(write_fits(hdu, PRODCATG="SCIENCE.SPECTRUM", INSTRUME="FORS2", SPECSYS="TOPOCENT"))

    @pytest.mark.parametrize(("unit", "expected"), [("mJy", 1e-4), ("Jy", 0.1), ("", 0.1)])
    def test_jwst(self, write_fits: Any, read_one: Any, unit: str, expected: float) -> None:
        columns = [("WAVELENGTH", 1 + WAVELENGTH * 1e-4, "um"), ("FLUX", FLUX, "Jy"), ("FLUX_ERROR", FLUX * 0.05, unit)]
        made = [fits.Column(name, "D", unit=text or None, array=values) for name, values, text in columns]
        table = fits.BinTableHDU.from_columns(made, name="EXTRACT1D")
        _, spectrum = read_one(write_fits(table, TELESCOP="JWST", SRCTYPE="POINT"))
        assert uncertainty(spectrum) == pytest.approx(expected, rel=1e-6)

    def test_hst_coadds(self, write_fits: Any, read_one: Any) -> None:
        flux, error = "erg / (s cm2 Angstrom)", "W / (m2 um)"
        cells = {"WAVELENGTH": (WAVELENGTH, "Angstrom"), "FLUX": (FLUX, flux), "ERROR": (FLUX, error)}
        cells |= {"SNR": (FLUX, None), "EFF_EXPTIME": (FLUX, "s")}
        columns = [fits.Column(k, f"{N_PIX}D", unit=unit, array=v[None]) for k, (v, unit) in cells.items()]
        name, spectrum = read_one(write_fits(fits.BinTableHDU.from_columns(columns), TELESCOP="HST"))
        assert name == "hst-cspec"
        assert uncertainty(spectrum) == pytest.approx((2 * u.Unit(error)).to_value(flux), rel=1e-6)

    def test_a_product_whose_units_contradict_is_rejected(self, write_fits: Any, read_one: Any) -> None:
        columns = [("WAVELENGTH", 1 + WAVELENGTH * 1e-4, "um"), ("FLUX", FLUX, "Jy"), ("FLUX_ERROR", FLUX, "MJy/sr")]
        made = [fits.Column(name, "D", unit=text, array=values) for name, values, text in columns]
        table = fits.BinTableHDU.from_columns(made, name="EXTRACT1D")
        _, spectrum = read_one(write_fits(table, TELESCOP="JWST", SRCTYPE="POINT"))
        with pytest.raises(UnknownUnit, match=r"'MJy/sr' and the flux in 'Jy'"):
            prepare(spectrum)


class TestFactors:
    @given(
        st.sampled_from(["Jy", "mJy", "nJy", "erg / (Angstrom cm2 s)", "1e-17 erg / (Angstrom cm2 s)", "W / (m2 um)"]),
        st.sampled_from(["Jy", "uJy", "erg / (Angstrom cm2 s)", "1e-16 erg / (Angstrom cm2 s)", "ct", "W / m3"]),
        st.sampled_from(["sigma", "variance", "ivar", "continuum"]),
    )
    def test_they_are_those_of_astropy(self, written: str, flux: str, kind: Any) -> None:
        power = POWERS[kind]
        unit = u.Unit(written) ** power
        text = written if power == 1 else f"({written})^{power}"
        factor = companion_factor(text, flux, power)
        if unit.is_equivalent(u.Unit(flux) ** power):
            assert factor == pytest.approx(unit.to(u.Unit(flux) ** power), rel=1e-9)
        else:
            assert factor is not None
            assert np.isnan(factor)

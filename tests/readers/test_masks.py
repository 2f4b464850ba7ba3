"""Masks beside a flux: a bad pixel keeps its flux and loses its uncertainty, in every kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from spectral_zarr.config import ArrayOptions, ImageOptions, ReaderOptions, TableOptions
from spectral_zarr.errors import RefusedProduct, SourceError
from spectral_zarr.readers.masks import ANY_BIT, bad_pixels, mask_meaning
from spectral_zarr.transforms import prepare

N_PIX = 100
UNIT = "1e-17 erg / (s cm2 Angstrom)"
WAVELENGTH = 5000.0 + np.arange(N_PIX)
FLUX = (100 + np.arange(N_PIX)).astype("f4")
IVAR = np.full(N_PIX, 4.0, "f4")
FLAGS = np.zeros(N_PIX, "i4")
FLAGS[10:15] = 1
FLAGS[20:22] = 8
ANY = FLAGS != 0
NAMES = ["MASK", "DQ", "QUALITY", "FLAGS", "Flag", "qual", "PIXMASK", "BPM"]
OBSERVED = ReaderOptions(arrays=ArrayOptions(source_type="observed"))


def sigma(bad: Any) -> Any:
    return np.where(bad, np.nan, 0.5).astype("f4")


def image(name: str, values: Any, **cards: Any) -> fits.ImageHDU:
    hdu = fits.ImageHDU(values, name=name)
    hdu.header.update(cards)
    return hdu


def images(mask_name: str, mask: Any, flux: str = "FLUX", noise: str = "IVAR", **cards: Any) -> list[fits.ImageHDU]:
    wave = image("WAVELENGTH", WAVELENGTH, BUNIT="Angstrom")
    beside = IVAR if noise == "IVAR" else 1 / IVAR
    return [image(flux, FLUX, BUNIT=UNIT), image(noise, beside), image(mask_name, mask, **cards), wave]


def table(mask_name: str, mask: Any, form: str = "J", *, vector: bool = False) -> fits.BinTableHDU:
    columns = (("WAVE", "D", WAVELENGTH, "Angstrom"), ("FLUX", "E", FLUX, UNIT), ("IVAR", "E", IVAR, None))
    n = str(N_PIX) if vector else ""
    return fits.BinTableHDU.from_columns(
        [
            fits.Column(name, n + kind, unit=unit, array=values[np.newaxis] if vector else values)
            for name, kind, values, unit in (*columns, (mask_name, form, mask, None))
        ]
    )


class TestFits:
    @pytest.mark.parametrize("name", NAMES)
    def test_an_image_beside_the_flux(self, write_fits: Any, read_one: Any, name: str) -> None:
        _, spectrum = read_one(write_fits(*images(name, FLAGS)))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))
        np.testing.assert_array_equal(prepare(spectrum).flux, FLUX)

    @pytest.mark.parametrize("noise", ["VAR", "IVAR"])
    def test_science_variance_and_quality(self, write_fits: Any, read_one: Any, noise: str) -> None:
        _, spectrum = read_one(write_fits(*images("DQ", FLAGS, flux="SCI", noise=noise)))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))

    @pytest.mark.parametrize("dtype", ["u1", "i2", "i8", "f4"])
    def test_flags_of_any_type(self, write_fits: Any, read_one: Any, dtype: str) -> None:
        _, spectrum = read_one(write_fits(*images("MASK", FLAGS.astype(dtype))))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))

    def test_a_compressed_mask(self, write_fits: Any, read_one: Any) -> None:
        mask = fits.CompImageHDU(FLAGS, name="MASK")
        flux, ivar, _, wave = images("MASK", FLAGS)
        _, spectrum = read_one(write_fits(flux, ivar, mask, wave))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))

    @pytest.mark.parametrize("vector", [False, True])
    @pytest.mark.parametrize("name", NAMES)
    def test_a_column_beside_the_flux(self, write_fits: Any, read_one: Any, name: str, vector: bool) -> None:
        _, spectrum = read_one(write_fits(table(name, FLAGS, vector=vector)))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))
        np.testing.assert_array_equal(prepare(spectrum).flux, FLUX)

    def test_logicals_and_bits(self, write_fits: Any, read_one: Any) -> None:
        bits = np.zeros((N_PIX, 16), bool)
        bits[10:15, 0] = bits[20:22, 3] = True
        for mask, form in ((ANY, "L"), (bits, "16X")):
            _, spectrum = read_one(write_fits(table("MASK", mask, form)))
            np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))
        _, spectrum = read_one(write_fits(table("MASK", bits, "16X")), ReaderOptions(mask_bits=(3,)))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(FLAGS == 8))

    def test_a_flag_of_the_whole_spectrum_is_no_mask(self, write_fits: Any, read_one: Any) -> None:
        columns = table("OTHER", FLAGS, vector=True).columns[:3] + fits.Column("FLAGS", "J", array=[3])
        _, spectrum = read_one(write_fits(fits.BinTableHDU.from_columns(columns)))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(np.zeros(N_PIX, bool)))

    def test_a_mask_of_good_pixels(self, write_fits: Any, read_one: Any) -> None:
        for name in ("GOOD", "good_pixels", "VALID"):
            _, spectrum = read_one(write_fits(table(name, ~ANY, "L")))
            np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))

    def test_two_masks_count_both(self, write_fits: Any, read_one: Any) -> None:
        both = table("MASK", (FLAGS == 1).astype("i4")).columns + fits.Column("DQ", "J", array=FLAGS == 8)
        _, spectrum = read_one(write_fits(fits.BinTableHDU.from_columns(both)))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))

    def test_a_named_column_and_a_named_row(self, write_fits: Any, read_one: Any) -> None:
        options = ReaderOptions(table=TableOptions(mask="trouble"))
        _, spectrum = read_one(write_fits(table("TROUBLE", FLAGS)), options)
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))
        rows = ImageOptions(rows=("wavelength", "flux", "ivar", "mask"), wavelength_unit="nm", flux_unit="Jy")
        stacked = fits.PrimaryHDU(np.array([WAVELENGTH, FLUX, IVAR, FLAGS]))
        _, spectrum = read_one(write_fits(stacked), ReaderOptions(image=rows))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))

    def test_planes_that_only_inform_are_told_by_their_cards(self, write_fits: Any, read_one: Any) -> None:
        _, spectrum = read_one(write_fits(*images("MASK", FLAGS, **{"MP_SAT": 0, "HIERARCH MP_REFLINE": 3})))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(FLAGS == 1))

    def test_the_masks_of_sdss_only_warn_beside_an_inverse_variance(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(table("OR_MASK", FLAGS))
        _, spectrum = read_one(path)
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(np.zeros(N_PIX, bool)))
        _, spectrum = read_one(path, ReaderOptions(mask_bits=(3,)))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(FLAGS == 8))


class TestOptions:
    def test_bits_that_the_user_names(self, write_fits: Any, read_one: Any) -> None:
        for bits, bad in (((0,), FLAGS == 1), ((3,), FLAGS == 8), ((0, 3), ANY), ((5,), FLAGS > 99)):
            for path in (write_fits(table("MASK", FLAGS)), write_fits(*images("MASK", FLAGS))):
                _, spectrum = read_one(path, ReaderOptions(mask_bits=bits))
                np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(bad))

    def test_what_a_flag_means(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(table("MASK", FLAGS))
        for flagged, bad in (("good", ~ANY), ("ignore", np.zeros(N_PIX, bool))):
            _, spectrum = read_one(path, ReaderOptions(flagged=flagged))
            np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(bad))

    def test_a_mask_that_flags_all_is_refused_and_both_options_help(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(table("MASK", np.ones(N_PIX, "i4")))
        with pytest.raises(RefusedProduct, match='flagged = "good"'):
            read_one(path)
        for flagged in ("good", "ignore"):
            _, spectrum = read_one(path, ReaderOptions(flagged=flagged))
            np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(np.zeros(N_PIX, bool)))

    def test_a_quality_that_is_a_fraction_is_refused_and_can_be_ignored(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(table("QUALITY", np.linspace(0, 1, N_PIX), "E"))
        with pytest.raises(RefusedProduct, match="QUALITY does not hold flags"):
            read_one(path)
        _, spectrum = read_one(path, ReaderOptions(flagged="ignore"))
        np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(np.zeros(N_PIX, bool)))


def arrays(mask: Any) -> dict[str, Any]:
    return {
        "flux": np.array([FLUX, FLUX + 1]),
        "ivar": np.array([IVAR, IVAR]),
        "wavelength": WAVELENGTH,
        "mask": mask,
    }


def write_arrays(path: Path, mask: Any) -> Path:
    facts = {"flux_unit": UNIT, "wavelength_unit": "Angstrom"}
    values = arrays(mask)
    if path.suffix == ".npz":
        np.savez(path, **values, **{key: np.array(text) for key, text in facts.items()})
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.attrs.update(facts)
            for name, array in values.items():
                file.create_dataset(name, data=array)
    else:
        columns = {name: pa.array(list(np.broadcast_to(array, (2, N_PIX)))) for name, array in values.items()}
        pq.write_table(pa.table(columns).replace_schema_metadata(facts), path)
    return path


class TestArrays:
    @pytest.mark.parametrize("dtype", ["?", "u1", "i4", "f4"])
    @pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.parquet"])
    def test_a_mask_of_each_spectrum(self, tmp_path: Path, read_all: Any, name: str, dtype: str) -> None:
        own = np.array([FLAGS, np.roll(FLAGS, 30)])
        _, spectra = read_all(write_arrays(tmp_path / name, own.astype(dtype)), OBSERVED)
        for spectrum, flags in zip(spectra, own, strict=True):
            np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(flags != 0))
        np.testing.assert_array_equal([prepare(spectrum).flux for spectrum in spectra], [FLUX, FLUX + 1])

    @pytest.mark.parametrize("name", ["a.npz", "a.h5"])
    def test_a_mask_that_all_share(self, tmp_path: Path, read_all: Any, name: str) -> None:
        _, spectra = read_all(write_arrays(tmp_path / name, ANY), OBSERVED)
        for spectrum in spectra:
            np.testing.assert_array_equal(prepare(spectrum).uncertainty, sigma(ANY))

    def test_a_row_that_is_all_flagged_does_not_take_the_others_along(self, tmp_path: Path, read_all: Any) -> None:
        _, spectra = read_all(write_arrays(tmp_path / "a.npz", np.array([ANY, np.ones(N_PIX, bool)])), OBSERVED)
        np.testing.assert_array_equal(prepare(spectra[0]).uncertainty, sigma(ANY))
        assert isinstance(spectra[1], SourceError)
        assert (spectra[1].row, "flagged" in spectra[1].message) == (1, True)

    def test_a_parquet_struct_with_padding(self, tmp_path: Path, read_all: Any) -> None:
        full = 70
        padded = np.arange(N_PIX) >= full
        columns = {
            "flux": np.where(padded, 0, FLUX),
            "ivar": np.where(padded, 0, IVAR),
            "lambda": np.where(padded, -1, WAVELENGTH),
            "mask": padded | ANY,
        }
        parts = [pa.array([values, values]) for values in columns.values()]
        spectrum = pa.StructArray.from_arrays(parts, names=list(columns))
        facts = {"flux_unit": UNIT, "wavelength_unit": "Angstrom"}
        stars = pa.table({"ra": [1.0, 2.0], "spectrum": spectrum}).replace_schema_metadata(facts)
        pq.write_table(stars, tmp_path / "nested.parquet")
        _, spectra = read_all(tmp_path / "nested.parquet", OBSERVED)
        for row, found in enumerate(spectra):
            prepared = prepare(found)
            np.testing.assert_array_equal(prepared.wavelength, WAVELENGTH[:full])
            np.testing.assert_array_equal(prepared.flux, FLUX[:full])
            np.testing.assert_array_equal(prepared.uncertainty, sigma(ANY)[:full])
            assert found.observation.ra == row + 1


class TestFlags:
    def test_the_highest_bits_and_missing_flags(self) -> None:
        options = ReaderOptions()
        wide = np.array([0, 1 << 63, 1], "u8")
        np.testing.assert_array_equal(bad_pixels(wide, options, 1 << 63), [False, True, False])
        negative = np.array([0, -2, 1], "i2")
        np.testing.assert_array_equal(bad_pixels(negative, options, 1), [False, False, True])
        floats = np.array([0.0, np.nan, -2147483648.0, 2.0])
        np.testing.assert_array_equal(bad_pixels(floats, options, 1 << 31), [False, True, True, False])
        np.testing.assert_array_equal(bad_pixels(floats, options, ANY_BIT), [False, True, True, True])

    def test_no_name_means_two_things(self) -> None:
        meanings = {mask_meaning(name) for name in ("Mask", "good", "OR_MASK", "flux", "snr", "model")}
        assert meanings == {"bad", "good", "sdss", ""}

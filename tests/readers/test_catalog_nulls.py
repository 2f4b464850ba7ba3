"""Undefined values of catalogues: TNULL of integers before their scale, ASCII tables as VizieR writes them, words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import CatalogOptions
from spectral_zarr.errors import BadCatalog
from spectral_zarr.readers.catalog import Catalog, read_catalog

IDS = [2**60 + 1, 2**60 + 2, 2**60 + 3]
TEFF = np.array([5777, -9, 4500])
EXPECTED = [5777.0, np.nan, 4500.0]


def read(path: Path) -> Catalog:
    return read_catalog(CatalogOptions(file=str(path), key="id", field="file_stem"))


def write(path: Path, table: Any, **cards: Any) -> Path:
    table.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, output_verify="ignore")
    return path


def binary(teff: fits.Column) -> Any:
    return fits.BinTableHDU.from_columns([fits.Column("id", "K", array=np.array(IDS)), teff])


def ascii_table() -> Any:
    columns = [
        fits.Column("id", "I20", array=np.array(IDS), ascii=True),
        fits.Column("teff", "I6", array=TEFF, null="-9", ascii=True),
        fits.Column("logg", "F6.3", array=np.array([4.4, np.nan, 4.0]), ascii=True),
    ]
    return fits.TableHDU.from_columns(columns)


class TestFits:
    @pytest.mark.parametrize("kind", ["I", "J", "K"])
    @pytest.mark.parametrize("scale", [1.0, 0.5])
    def test_a_null_is_compared_before_the_scale(self, tmp_path: Path, kind: str, scale: float) -> None:
        table = binary(fits.Column("teff", kind, array=TEFF, null=-9))
        cards = {} if scale == 1.0 else {"TSCAL2": scale, "TZERO2": 0.0}
        catalog = read(write(tmp_path / "c.fits", table, **cards))
        np.testing.assert_array_equal(catalog.params["teff"], np.array(EXPECTED) * scale)
        assert catalog.keys.to_pylist() == [str(one) for one in IDS]

    @pytest.mark.parametrize("null", [-9, "NaN"])
    def test_a_null_of_floats_is_ignored(self, tmp_path: Path, null: Any) -> None:
        table = binary(fits.Column("teff", "E", array=np.array([5777, np.nan, 4500], "f4")))
        catalog = read(write(tmp_path / "c.fits", table, TNULL2=null))
        np.testing.assert_array_equal(catalog.params["teff"], EXPECTED)

    def test_an_ascii_table_of_vizier(self, tmp_path: Path) -> None:
        path = write(tmp_path / "c.fits", ascii_table(), TNULL3="NaN")
        catalog = read(path)
        np.testing.assert_array_equal(catalog.params["teff"], EXPECTED)
        np.testing.assert_array_equal(catalog.params["logg"], [4.4, np.nan, 4.0])

    def test_blank_fields_of_an_ascii_table_are_missing(self, tmp_path: Path) -> None:
        path = write(tmp_path / "c.fits", ascii_table(), TNULL3="NaN")
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"    -9", b"      "))
        np.testing.assert_array_equal(read(path).params["teff"], EXPECTED)


class TestText:
    @pytest.mark.parametrize("word", ["null", "NULL", "N/A", "--", "", "nan"])
    def test_words_that_mean_missing(self, tmp_path: Path, word: str) -> None:
        path = tmp_path / "c.csv"
        path.write_text(f"id,teff\n{IDS[0]},5777\n{IDS[1]},{word}\n{IDS[2]},4500\n")
        np.testing.assert_array_equal(read(path).params["teff"], EXPECTED)

    def test_a_key_that_was_written_as_a_float_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "c.csv"
        path.write_text("id,teff\n" + "".join(f"{float(one)!r},5777\n" for one in IDS))
        with pytest.raises(BadCatalog, match="a float cannot hold every digit"):
            read(path)

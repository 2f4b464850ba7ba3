"""ASCII tables and tile-compressed HDUs: the values of astropy, blank fields as missing, and a refusal by name."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import CorruptFits, RefusedProduct
from spectral_zarr.model import SourceFile
from spectral_zarr.readers import find_reader, open_source
from spectral_zarr.transforms import prepare

from .conftest import parsed

N = 50
WAVE, FLUX = 5000.0 + np.arange(N), 1.0 + np.arange(N)
UNIT = "erg/s/cm2/Angstrom"


def written(*hdus: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(buffer)
    return buffer.getvalue()


def ascii_table() -> Any:
    columns = [
        fits.Column("WAVE", "F10.3", unit="Angstrom", array=WAVE, ascii=True),
        fits.Column("FLUX", "E15.7", unit=UNIT, array=FLUX, ascii=True),
        fits.Column("COUNT", "I6", array=np.arange(N), null="-9", ascii=True),
        fits.Column("NAME", "A5", array=np.array([f"p{i}" for i in range(N)]), ascii=True),
    ]
    return fits.TableHDU.from_columns(columns)


def spectrum_of(path: Path) -> Any:
    source = open_source(SourceFile(str(path), path.name, path.stat().st_size))
    reader = find_reader(source, ReaderOptions())
    (spectrum,) = reader.read(source, ReaderOptions(), reader.policy)
    return reader.name, prepare(spectrum)


class TestAsciiTables:
    def test_columns_have_the_values_of_astropy(self) -> None:
        raw = written(ascii_table())
        ours, theirs = parsed(raw).hdus[1], fits.open(io.BytesIO(raw))[1].data
        for name in ("WAVE", "FLUX", "COUNT"):
            np.testing.assert_array_equal(ours.column(name), theirs[name])
        assert [ours.cell_text("NAME", row) for row in (0, 7)] == ["p0", "p7"]
        assert ours.cell_number("FLUX", 3) == 4.0
        assert ours.column("WAVE").shape == (N,)

    @pytest.mark.parametrize("text", [b"    -9", b"      "])
    def test_blank_and_undefined_fields_are_missing(self, text: bytes) -> None:
        raw = written(ascii_table()).replace(b"    17", text)
        expected = np.where(np.arange(N) == 17, np.nan, np.arange(N))
        hdu = parsed(raw).hdus[1]
        np.testing.assert_array_equal(hdu.column("COUNT"), expected)
        assert [hdu.cell_text("COUNT", row) for row in (16, 17)] == ["16", ""]

    def test_a_spectrum_in_one_is_read(self, tmp_path: Path) -> None:
        table = ascii_table()
        columns = [column for column in table.columns if column.name in ("WAVE", "FLUX")]
        (tmp_path / "a.fits").write_bytes(written(fits.TableHDU.from_columns(columns)))
        name, ready = spectrum_of(tmp_path / "a.fits")
        assert name == "generic-table"
        np.testing.assert_array_equal(ready.flux, FLUX.astype("f4"))
        np.testing.assert_array_equal(ready.wavelength, WAVE)

    def test_a_column_outside_of_the_row_is_corrupt(self) -> None:
        raw = re.sub(rb"(TBCOL2  = {15,})   (\d\d)", rb"\g<1>999\2", written(ascii_table()))
        with pytest.raises(CorruptFits, match="outside of the row"):
            parsed(raw).hdus[1].column("FLUX")


class TestCompressed:
    def test_an_image_has_its_own_axes_and_is_a_spectrum(self, tmp_path: Path) -> None:
        image = fits.CompImageHDU(FLUX.astype("f4"), compression_type="GZIP_2", quantize_level=0)
        cards = {"CRVAL1": 5000.0, "CDELT1": 1.0, "CTYPE1": "WAVE", "CUNIT1": "Angstrom", "BUNIT": "adu"}
        image.header.update(cards)
        (tmp_path / "c.fits.fz").write_bytes(written(image))
        hdu = parsed((tmp_path / "c.fits.fz").read_bytes()).hdus[1]
        assert (hdu.kind, hdu.compressed, hdu.shape) == ("image", True, (N,))
        name, ready = spectrum_of(tmp_path / "c.fits.fz")
        assert name == "generic-image"
        np.testing.assert_array_equal(ready.flux, FLUX.astype("f4"))
        np.testing.assert_array_equal(ready.grid.wavelength(), WAVE)

    def test_a_table_is_refused_by_what_it_is(self) -> None:
        table = fits.BinTableHDU.from_columns([fits.Column("FLUX", "E", array=FLUX)])
        table.header["ZTABLE"] = True
        with pytest.raises(RefusedProduct, match="funpack"):
            parsed(written(table)).hdus[1].column("FLUX")


@pytest.mark.parametrize(
    ("form", "values", "what"),
    [("C", FLUX * (1 + 1j), "complex"), ("L", FLUX > 3, "logical"), ("M", FLUX * 1j, "complex")],
)
def test_a_flux_that_is_no_real_number_is_refused(tmp_path: Path, form: str, values: Any, what: str) -> None:
    columns = [
        fits.Column("WAVE", "D", unit="Angstrom", array=WAVE),
        fits.Column("FLUX", form, unit=UNIT, array=values),
    ]
    (tmp_path / "x.fits").write_bytes(written(fits.BinTableHDU.from_columns(columns)))
    with pytest.raises(RefusedProduct, match=f"the flux holds {what}"):
        spectrum_of(tmp_path / "x.fits")

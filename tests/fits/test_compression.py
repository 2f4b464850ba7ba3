"""Tile-compressed images whose cards would make the decoders of astropy end the process are refused before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.readers.fits import open_fits

from .conftest import Confined


def write_compressed(path: Path, codec: str) -> Path:
    pixels = np.arange(1024, dtype=np.int16).reshape(32, 32)
    image = fits.CompImageHDU(pixels, compression_type=codec, tile_shape=(32, 32))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    return path


@pytest.mark.parametrize("width", ["-1", "0", "3", "1000000000", "T", "'4'", "4.5"])
def test_a_damaged_width_of_rice_pixels_is_refused(tmp_path: Path, confined: Confined, width: str) -> None:
    path = write_compressed(tmp_path / "z.fits", "RICE_1")
    raw = path.read_bytes()
    assert open_fits(str(path)).hdus[1].image()[31, 31] == 1023
    assert b"ZNAME2  = 'BYTEPIX '" in raw
    position = raw.index(b"ZVAL2   = ") + 10
    path.write_bytes(raw[:position] + width.rjust(20).ljust(70).encode() + raw[position + 70 :])
    assert confined(path) == "corrupt-fits"


@pytest.mark.parametrize("keyword", ["ZIMAGE", "ZCMPTYPE"])
def test_other_damaged_cards_do_not_end_the_process(tmp_path: Path, confined: Confined, keyword: str) -> None:
    path = write_compressed(tmp_path / "z.fits", "RICE_1")
    raw = path.read_bytes()
    position = raw.index(keyword.ljust(8).encode() + b"= ") + 10
    path.write_bytes(raw[:position] + b"'None    '".ljust(70) + raw[position + 70 :])
    assert confined(path) in ("corrupt-fits", "refused-product")


@pytest.mark.parametrize("codec", ["HCOMPRESS_1", "PLIO_1"])
def test_a_codec_that_does_not_check_its_bounds_is_refused(tmp_path: Path, codec: str) -> None:
    with pytest.raises(RefusedProduct, match="funpack"):
        open_fits(str(write_compressed(tmp_path / "z.fits", codec))).hdus[1].image()


def test_a_compressed_image_has_no_columns(tmp_path: Path) -> None:
    hdu = open_fits(str(write_compressed(tmp_path / "z.fits", "RICE_1"))).hdus[1]
    assert hdu.layout.columns == ()
    with pytest.raises(MissingField):
        hdu.column("COMPRESSED_DATA")

"""Every HDU of every real survey file is read exactly as astropy reads it: structure, arrays and card text."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits

from spectral_zarr.errors import NotFits
from spectral_zarr.readers.fits import FitsFile, open_fits
from spectral_zarr.readers.fits.cards import parse_value, value_text

from .conftest import card_texts, reference, rule_text, same_array

ROOT = Path(__file__).parents[2].parent / "shared" / "spectra"
NAMES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.suffix in (".fits", ".gz", ".mxlo"))
DAMAGED = "damaged/sample_data_malformed.fits"
KINDS = {"PrimaryHDU": "image", "ImageHDU": "image", "BinTableHDU": "table", "CompImageHDU": "table"}

Pair = tuple[FitsFile, fits.HDUList]

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="the real survey files are not beside this checkout")


@pytest.fixture(params=[name for name in NAMES if name != DAMAGED])
def pair(request: pytest.FixtureRequest) -> Pair:
    """One file as we and as astropy read it."""
    path = ROOT / request.param
    return open_fits(str(path)), reference(path)


def test_structure_is_that_of_astropy(pair: Pair) -> None:
    ours, theirs = pair
    assert len(ours.hdus) == len(theirs)
    for index, (mine, his) in enumerate(zip(ours.hdus, theirs, strict=True)):
        assert mine.index == index
        assert mine.kind == KINDS[type(his).__name__]
        assert mine.name == str(his.header.get("EXTNAME", "")).strip().upper()
        assert mine.compressed == (type(his).__name__ == "CompImageHDU")
        if mine.kind == "image":
            assert mine.shape == (his.shape or ())
        else:
            assert (mine.n_rows, len(mine.layout.columns)) == (his.header["NAXIS2"], his.header["TFIELDS"])


def test_every_image_and_column_is_that_of_astropy(pair: Pair) -> None:
    ours, theirs = pair
    compared = 0
    for mine, his in zip(ours.hdus, theirs, strict=True):
        if mine.compressed or (mine.kind == "image" and mine.shape):
            assert same_array(mine.image(), his.data), f"HDU {mine.index}"
            compared += 1
        elif mine.kind == "table":
            for column in mine.layout.columns:
                assert same_array(mine.column_data(column), his.data.field(column.number - 1)), column
                assert column.name == his.columns[column.number - 1].name
                assert column.unit == rule_text(his.columns[column.number - 1].unit)
                compared += 1
    assert compared > 0


def test_every_card_has_the_text_of_the_rule(pair: Pair) -> None:
    ours, theirs = pair
    for mine, his in zip(ours.hdus, theirs, strict=True):
        texts = {keyword: [text for _, text in mine.header.texts(keyword)] for keyword in mine.header.index}
        assert texts == card_texts(his.header)
        for keyword, offsets in mine.header.index.items():
            if len(offsets) == 1 and mine.header.raw[offsets[0] + 80 : offsets[0] + 88] != b"CONTINUE":
                value = parse_value(mine.header.raw[offsets[0] : offsets[0] + 80])
                assert value_text(value) == texts[keyword][0] == mine.header.single_text(offsets[0])


def test_views_are_read_only(pair: Pair) -> None:
    for hdu in pair[0].hdus:
        if hdu.kind == "image" and hdu.shape and "BSCALE" not in hdu.header:
            assert not hdu.image().flags.writeable
        for column in hdu.layout.columns if not hdu.compressed else ():
            assert not column.dtype or not hdu.column_data(column).flags.writeable


def test_the_damaged_file_is_refused_by_its_first_card() -> None:
    with pytest.raises(NotFits, match="SIMPLE"):
        open_fits(str(ROOT / DAMAGED))


def test_a_gzipped_file_is_its_content() -> None:
    packed = [name for name in NAMES if name.endswith(".gz")]
    assert packed
    for name in packed:
        file = open_fits(str(ROOT / name))
        assert file.size == (ROOT / name).stat().st_size
        assert file.data[:9] == b"SIMPLE  ="

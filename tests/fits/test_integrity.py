"""Damage that a file shows: its size, its padding, cards among which data lie, and DATASUM as astropy writes it."""

from __future__ import annotations

import gzip
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.errors import DamagedData, SourceError
from spectral_zarr.readers.fits import FitsFile, open_fits
from spectral_zarr.readers.fits.integrity import data_sum

from .conftest import EMPTY_PRIMARY, IMAGE, image_hdu, parsed, reference, same_array, table_hdu

PIXELS = np.arange(1.0, 901.0, dtype=">f4")
UNSUMMED = image_hdu([900], PIXELS.tobytes(), bitpix=-32) + table_hdu(["1E"], 4, PIXELS.tobytes())


def written(*hdus: Any, checksum: bool = True) -> bytes:
    """A file as astropy writes it, with DATASUM and CHECKSUM."""
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(buffer, checksum=checksum)
    return buffer.getvalue()


def columns(form: str, array: Any, **more: Any) -> fits.BinTableHDU:
    return fits.BinTableHDU.from_columns([fits.Column("flux", form, array=array, **more)])


def vectors() -> fits.BinTableHDU:
    ragged = np.empty(3, object)
    ragged[:] = [np.arange(n, dtype=np.float32) for n in (5, 600, 1)]
    return columns("PE()", ragged)


KINDS = {
    "image": lambda: fits.ImageHDU(PIXELS),
    "scaled image": lambda: fits.ImageHDU(np.arange(900, dtype=np.uint16)),
    "compressed image": lambda: fits.CompImageHDU(np.arange(4096, dtype=np.int32).reshape(64, 64)),
    "table": lambda: columns("E", PIXELS),
    "scaled table": lambda: columns("J", np.arange(900, dtype=np.uint32), bzero=2**31),
    "vectors": vectors,
    "text": lambda: columns("7A", np.array(["abc"] * 900)),
}


def data_of(raw: bytes, **options: Any) -> Any:
    """Data of the first extension, as a reader gets them."""
    hdu = FitsFile(raw, "made.fits", **options).hdus[1]
    return hdu.image() if hdu.kind == "image" or hdu.compressed else hdu.column("flux")


def place_of_data(raw: bytes) -> tuple[int, int]:
    """Where the data of the first extension begin and how long they are, by astropy."""
    with fits.open(io.BytesIO(raw), disable_image_compression=True) as hdus:
        hdu = hdus[1]
        return hdu.fileinfo()["datLoc"], hdu.size


def with_datasum(raw: bytes, card: str) -> bytes:
    """The file with another DATASUM card in its first extension."""
    at = raw.index(b"DATASUM = ", raw.index(b"XTENSION"))
    return raw[:at] + card.encode().ljust(80) + raw[at + 80 :]


class TestDatasum:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_changed_bit_is_refused_and_the_sound_file_is_read(self, kind: str) -> None:
        raw = written(KINDS[kind]())
        theirs = reference(raw)[1].data
        assert same_array(
            data_of(raw),
            theirs
            if isinstance(theirs, np.ndarray) and kind in ("image", "scaled image", "compressed image")
            else theirs.field(0),
        )
        start, size = place_of_data(raw)
        for share in (0.0, 0.3, 0.999):
            damaged = bytearray(raw)
            damaged[start + int(share * size)] ^= 1
            with pytest.raises(DamagedData, match="DATASUM says"):
                data_of(bytes(damaged))

    def test_a_gzipped_file_is_checked_too(self) -> None:
        raw = bytearray(written(fits.ImageHDU(PIXELS)))
        assert same_array(data_of(gzip.compress(raw)), PIXELS)
        raw[place_of_data(bytes(raw))[0] + 100] ^= 64
        with pytest.raises(DamagedData):
            data_of(gzip.compress(raw))

    def test_every_way_to_a_cell_is_checked(self) -> None:
        raw = bytearray(written(fits.BinTableHDU(np.rec.array([(1.5, b"abc", (1.0, 2.0))], dtype="f8,S3,(2,)f8"))))
        raw[place_of_data(bytes(raw))[0] + 7] ^= 1
        for read in (
            lambda hdu: hdu.cell_number("f0"),
            lambda hdu: hdu.cell_text("f1"),
            lambda hdu: hdu.flat_cell("f2"),
            lambda hdu: hdu.column("f0"),
        ):
            with pytest.raises(DamagedData):
                read(parsed(bytes(raw)).hdus[1])

    def test_the_option_that_the_message_names_lets_the_file_be_read(self, tmp_path: Path) -> None:
        raw = bytearray(written(fits.ImageHDU(PIXELS)))
        raw[place_of_data(bytes(raw))[0] + 3] ^= 1
        (tmp_path / "a.fits").write_bytes(raw)
        with pytest.raises(DamagedData, match=r"a\.fits\[1\].*check_damage = false in \[readers\]"):
            open_fits(str(tmp_path / "a.fits")).hdus[1].image()
        theirs = reference(bytes(raw))[1].data
        assert same_array(open_fits(str(tmp_path / "a.fits"), check_damage=False).hdus[1].image(), theirs)

    def test_only_what_is_read_is_checked(self) -> None:
        raw = bytearray(written(fits.ImageHDU(PIXELS), fits.ImageHDU(PIXELS + 1)))
        raw[place_of_data(bytes(raw))[0]] ^= 1
        file = parsed(bytes(raw))
        assert same_array(file.hdus[2].image(), PIXELS + 1)
        with pytest.raises(DamagedData):
            file.hdus[1].image()

    def test_a_table_that_was_emptied_keeps_its_old_sum(self) -> None:
        raw = written(columns("E", PIXELS[:0]))
        assert data_of(with_datasum(raw, "DATASUM = '2503531142'")).size == 0

    def test_a_header_that_was_changed_later_leaves_the_data_sound(self) -> None:
        raw = written(fits.ImageHDU(PIXELS, name="FLUX")).replace(b"'FLUX    '", b"'FLUX2   '")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with fits.open(io.BytesIO(raw), checksum=True) as hdus:
                hdus[1].data  # noqa: B018 (reading is what warns)
        assert [one for one in caught if "Checksum" in str(one.message)]
        assert same_array(data_of(raw), PIXELS)

    @pytest.mark.parametrize(
        "value",
        [
            "'0       '",
            "'         0'",
            "0",
            "'        '",
            "",
            "'unknown '",
            "'-5      '",
            "'9999999999999'",
            "T",
            "1.5",
        ],
    )
    def test_a_card_that_gives_no_sum_asserts_nothing(self, value: str) -> None:
        raw = written(fits.ImageHDU(PIXELS))
        assert same_array(data_of(with_datasum(raw, f"DATASUM = {value}")), PIXELS)

    @pytest.mark.parametrize("form", ["'{}'", "{}", "'  {}  '", "{:>20}", "'000{}'"])
    def test_the_sum_is_text_or_an_integer(self, form: str) -> None:
        raw = written(fits.ImageHDU(PIXELS))
        right = int(reference(raw)[1].header["DATASUM"])
        assert same_array(data_of(with_datasum(raw, "DATASUM = " + form.format(right))), PIXELS)
        with pytest.raises(DamagedData):
            data_of(with_datasum(raw, "DATASUM = " + form.format(right + 1)))

    def test_a_file_that_ends_with_its_last_data_has_the_sum_of_the_padded_one(self) -> None:
        raw = written(fits.ImageHDU(PIXELS[:801]))
        start, size = place_of_data(raw)
        assert same_array(data_of(raw[: start + size]), PIXELS[:801])

    def test_the_padding_of_a_table_of_characters_is_blanks(self) -> None:
        raw = written(fits.TableHDU.from_columns([fits.Column("flux", "F10.3", array=PIXELS)]))
        start, size = place_of_data(raw)
        assert raw[start + size :].strip(b" ") == b""
        for whole in (raw, raw[: start + size]):
            assert same_array(np.asarray(parsed(whole).hdus[1].column("flux"), "f8"), PIXELS.astype("f8"))
        with pytest.raises(DamagedData):
            parsed(raw[: start + 5] + b"7" + raw[start + 6 :]).hdus[1].column("flux")

    @given(st.lists(st.integers(0, 2**32 - 1) | st.sampled_from([0, 2**32 - 1]), max_size=1500))
    def test_the_sum_is_that_of_appendix_j(self, words: list[int]) -> None:
        data = np.array(words, ">u4").tobytes()
        data += bytes(-len(data) % 2880)
        total = 0
        for word in words:
            total += word
            total = (total & 0xFFFFFFFF) + (total >> 32)
        assert data_sum(b"x" * 2880 + data, 2880, len(data)) == total
        hdu = fits.ImageHDU(np.frombuffer(data, ">i4")) if words else None
        assert hdu is None or data_sum(data, 0, len(data)) == int(hdu._calculate_datasum())


class TestPadding:
    @pytest.mark.parametrize("at", [6480, 7000, 8639])
    def test_other_bytes_after_the_data_are_damage_or_allowed_by_the_option(self, at: int) -> None:
        raw = bytearray(UNSUMMED)
        raw[at] = 0x41
        file = parsed(bytes(raw))
        with pytest.raises(DamagedData, match=r"2160 bytes after the data are no padding.*check_damage = false"):
            file.hdus[0].image()
        assert same_array(FitsFile(bytes(raw), "x", check_damage=False).hdus[0].image(), PIXELS)

    @pytest.mark.parametrize("at", [400, 2879])
    def test_other_bytes_after_the_cards_are_damage(self, at: int) -> None:
        raw = bytearray(UNSUMMED)
        raw[at] = 0x80
        with pytest.raises(DamagedData, match="after the cards are no padding"):
            parsed(bytes(raw)).hdus[0].image()

    def test_nuls_and_blanks_are_padding_wherever_they_stand(self) -> None:
        raw = bytearray(UNSUMMED)
        raw[400:2880] = bytes(2480)
        raw[6480:8640] = b" " * 2160
        assert same_array(parsed(bytes(raw)).hdus[0].image(), PIXELS)


class TestMovedBytes:
    def test_one_lost_byte_is_refused_wherever_it_was(self) -> None:
        survivors = [at for at in range(0, len(UNSUMMED), 7) if not self._refused(UNSUMMED[:at] + UNSUMMED[at + 1 :])]
        assert survivors == []

    @pytest.mark.parametrize("byte", [b"\0", b" ", b"x"])
    def test_one_byte_too_many_is_refused_wherever_it_is(self, byte: bytes) -> None:
        places = range(0, len(UNSUMMED), 13)
        assert [at for at in places if not self._refused(UNSUMMED[:at] + byte + UNSUMMED[at:])] == []

    def test_a_copy_without_carriage_returns_is_refused(self) -> None:
        data = np.full(3000, 0x0D0A0D0A, ">i4").tobytes()
        raw = image_hdu([3000], data[:-8] + bytes(8), bitpix=32)
        assert self._refused(raw.replace(b"\r\n", b"\n"))

    def test_a_block_of_data_among_the_cards_is_refused(self) -> None:
        long = image_hdu([900], (PIXELS * -1).tobytes(), bitpix=-32, extra=[f"KEY{i:<5}= 1" for i in range(60)])
        blocks = [long[i : i + 2880] for i in range(0, len(long), 2880)]
        assert len(blocks) == 4
        blocks[1], blocks[2] = blocks[2], blocks[1]
        moved = b"".join(blocks)
        assert self._refused(moved)
        assert self._refused(EMPTY_PRIMARY + image_hdu([900], PIXELS.tobytes(), first=IMAGE) + moved[2880:])

    def test_blocks_exchanged_with_that_of_the_padding_are_refused(self) -> None:
        blocks = [UNSUMMED[i : i + 2880] for i in range(0, len(UNSUMMED), 2880)]
        blocks[1], blocks[2] = blocks[2], blocks[1]
        assert self._refused(b"".join(blocks))

    def _refused(self, raw: bytes) -> bool:
        try:
            for hdu in parsed(raw).hdus:
                if hdu.kind == "table":
                    hdu.column("C1")
                else:
                    hdu.image()
        except SourceError:
            return True
        return False

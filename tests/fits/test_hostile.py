"""Hostile and damaged files get a coded refusal within bounded memory and CPU, never a hang or a bare error."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import Config
from spectral_zarr.errors import (
    CorruptFits,
    DamagedData,
    EmptyFile,
    MissingField,
    NotFits,
    SourceError,
    Truncated,
    Unreadable,
)
from spectral_zarr.model import Batch, SourceFile
from spectral_zarr.readers.fits import open_fits
from spectral_zarr.tasks.stage import batch_facts

from .conftest import (
    BINTABLE,
    EMPTY_PRIMARY,
    IMAGE,
    SIMPLE,
    Confined,
    block,
    card,
    image_hdu,
    parsed,
    reference,
    same_array,
    table_hdu,
)

PIXELS = np.arange(1.0, 901.0, dtype=">f4")
SPECTRUM = image_hdu([900], PIXELS.tobytes(), bitpix=-32) + image_hdu([900], PIXELS.tobytes(), bitpix=-32, first=IMAGE)


MEASURED = """
import resource, sys
from spectral_zarr.errors import SourceError
from spectral_zarr.readers.fits import open_fits
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
try:
    open_fits(sys.argv[1])
except SourceError as error:
    print(error.code, before, peak())
"""


def gzipped_zeros(path: Path, head: bytes, megabytes: int) -> None:
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush the packer has forgotten everything, so one packed piece may stand any number of times.
    piece = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(start + piece * (megabytes // 16))


class TestStructure:
    @pytest.mark.parametrize("axes", [(-5,), (5, -1), (-(2**63), 2)])
    def test_a_negative_axis_is_corrupt(self, axes: tuple[int, ...]) -> None:
        with pytest.raises(CorruptFits, match="negative"):
            parsed(image_hdu(axes, bytes(2880)))

    @pytest.mark.parametrize("naxis", [-1, 1000, 10**15])
    def test_an_impossible_number_of_axes_is_corrupt(self, naxis: int) -> None:
        with pytest.raises(CorruptFits, match="NAXIS"):
            parsed(block([SIMPLE, card("BITPIX", 8), card("NAXIS", naxis)]))

    def test_missing_axes_are_corrupt(self) -> None:
        with pytest.raises(CorruptFits, match="NAXIS1"):
            parsed(block([SIMPLE, card("BITPIX", 8), card("NAXIS", 999)]))

    def test_more_axes_than_numpy_has_are_refused_with_a_code(self) -> None:
        with pytest.raises(SourceError):
            parsed(image_hdu([1] * 999, b"a")).hdus[0].image()

    @pytest.mark.parametrize("axes", [(2**62, 2**62), (10**12,), (2**63 - 1,), (10**19,)])
    def test_axes_beyond_the_file_are_truncated(self, axes: tuple[int, ...]) -> None:
        with pytest.raises(Truncated, match="ends at byte"):
            parsed(image_hdu(axes, bytes(2880), bitpix=-64))

    def test_axes_whose_product_is_zero_hold_nothing(self) -> None:
        assert parsed(image_hdu((0, 2**62))).hdus[0].image().size == 0

    @pytest.mark.parametrize("bitpix", [0, 7, 24, -16, 10**9])
    def test_an_unknown_bitpix_is_corrupt(self, bitpix: int) -> None:
        with pytest.raises(CorruptFits, match="BITPIX"):
            parsed(image_hdu([4], b"abcd", bitpix=bitpix))

    @pytest.mark.parametrize(
        "field", ["T", "'8'", "8.5", "INDEF", "", "(8, 8)", "                 1_0", "              8 8"]
    )
    def test_an_axis_that_is_not_an_integer_is_corrupt(self, field: str) -> None:
        with pytest.raises(CorruptFits, match="NAXIS1"):
            parsed(block([SIMPLE, card("BITPIX", 8), card("NAXIS", 1), f"NAXIS1  = {field}"], bytes(100)))

    def test_an_integer_in_free_format_is_read_to_its_end(self) -> None:
        raw = block([SIMPLE, card("BITPIX", 8), card("NAXIS", 1), "NAXIS1  = " + " " * 18 + "1000"], bytes(1000))
        assert parsed(raw).hdus[0].shape == reference(raw)[0].shape == (1000,)

    @pytest.mark.parametrize(("pcount", "gcount"), [(-4, 1), (0, -1), (-(2**62), 1)])
    def test_negative_counts_are_corrupt(self, pcount: int, gcount: int) -> None:
        with pytest.raises(CorruptFits, match="PCOUNT"):
            parsed(EMPTY_PRIMARY + image_hdu([4], b"abcd", first=IMAGE, pcount=pcount, gcount=gcount))

    def test_no_groups_of_pixels_are_refused_with_a_code(self) -> None:
        with pytest.raises(SourceError):
            _ = parsed(EMPTY_PRIMARY + image_hdu([4], first=IMAGE, gcount=0)).hdus[1].image()

    def test_random_groups_are_refused(self) -> None:
        with pytest.raises(CorruptFits, match="random groups"):
            parsed(image_hdu((0, 4), extra=["GROUPS  =                    T", card("PCOUNT", 2), card("GCOUNT", 3)]))

    def test_a_header_without_end_is_truncated(self) -> None:
        with pytest.raises(Truncated, match="END"):
            parsed((SIMPLE.ljust(80) + "X       =                    1".ljust(80) * 107).encode())

    def test_a_misaligned_end_does_not_end_a_header(self) -> None:
        cards = [SIMPLE.ljust(80), card("BITPIX", 8).ljust(80), card("NAXIS", 0).ljust(80)]
        raw = ("".join(cards) + "COMMENT END" + " " * 77 + "      ".ljust(72)).encode()
        with pytest.raises(Truncated, match="END"):
            parsed(raw.ljust(2880))

    @pytest.mark.parametrize(
        "first",
        ["XTENSION", "XTENSION  'IMAGE   '", "XTENSION=", "XTENSION= IMAGE", "XTENSION= 'BINTABLE", "XTENSION= 1"],
    )
    def test_a_damaged_extension_card_never_escapes_as_a_bare_error(self, first: str) -> None:
        try:
            file = parsed(EMPTY_PRIMARY + image_hdu([4], b"abcd", first=first))
        except SourceError:
            return
        assert file.hdus[1].kind not in ("image", "table")

    @pytest.mark.parametrize("first", ["SIMPLE  =                    X", "SIMPLE  T", "simple  =                    T"])
    def test_another_first_card_is_not_fits(self, first: str) -> None:
        with pytest.raises(NotFits):
            parsed(block([first, card("BITPIX", 8), card("NAXIS", 0)]))

    @pytest.mark.parametrize("tail", [b"\0" * 2880, b" " * 2880, b" " * 5760])
    def test_padding_after_the_last_hdu_is_ignored(self, tail: bytes) -> None:
        assert len(parsed(SPECTRUM + tail).hdus) == 2

    @pytest.mark.parametrize("tail", [b"\0", b" ", b"\0" * 17, b" " * 2881])
    def test_padding_that_is_no_block_is_damage(self, tail: bytes) -> None:
        with pytest.raises(DamagedData, match=f"has {len(tail)} bytes after its last HDU"):
            parsed(SPECTRUM + tail)

    def test_other_bytes_after_the_last_hdu_are_corrupt(self) -> None:
        with pytest.raises(CorruptFits, match="not an extension"):
            parsed(SPECTRUM + b"\0" * 2800 + b"x" * 80)

    def test_cards_of_nul_and_escape_never_escape_as_a_bare_error(self) -> None:
        strange = [
            b"\x00" * 80,
            b"\x1b[2J".ljust(80),
            b"\xff" * 80,
            b"KEY\x00    = 1",
            b"OBJECT  = '\x1b[31m'",
            b"=" * 80,
        ]
        header = parsed(image_hdu([4], b"abcd", extra=[*strange, b"HIERARCH =", b"HIERARCH"])).primary
        assert header.text("OBJECT") == "?[31m"
        for keyword in header.index:
            assert all(text.isprintable() for _, text in header.texts(keyword))


class TestData:
    def test_an_empty_image_has_no_pixels(self) -> None:
        assert parsed(image_hdu([0])).hdus[0].image().shape == (0,)
        with pytest.raises(MissingField, match="no image"):
            parsed(EMPTY_PRIMARY).hdus[0].image()

    def test_a_table_without_rows_at_the_end_of_a_file_has_empty_columns(self) -> None:
        hdu = parsed(EMPTY_PRIMARY + table_hdu(["1E", "3D", "5A"], 33, b"")).hdus[1]
        assert [hdu.column(name).shape for name in ("C1", "C2", "C3")] == [(0,), (0, 3), (0,)]
        assert (hdu.cell_text("C3"), hdu.flat_cell("C2").size) == ("", 0)
        assert np.isnan(hdu.cell_number("C1"))

    @pytest.mark.parametrize("name", ["C1", "C2"])
    def test_the_number_of_an_empty_cell_is_unknown(self, name: str) -> None:
        hdu = parsed(EMPTY_PRIMARY + table_hdu(["0E", "1PE(0)"], 8, np.zeros(2, ">i4").tobytes())).hdus[1]
        assert np.isnan(hdu.cell_number(name))

    @pytest.mark.parametrize("field", ["INDEF", "NAN", "1 0"])
    @pytest.mark.parametrize("keyword", ["BSCALE", "BZERO"])
    def test_pixels_of_an_unreadable_scale_are_refused(self, keyword: str, field: str) -> None:
        raw = image_hdu([4], np.arange(4, dtype=">i2").tobytes(), bitpix=16, extra=[f"{keyword:<8}= {field}"])
        with pytest.raises(CorruptFits):
            parsed(raw).hdus[0].image()

    @pytest.mark.parametrize("keyword", ["TSCAL1", "TZERO1"])
    def test_columns_of_an_unreadable_scale_are_refused(self, keyword: str) -> None:
        raw = EMPTY_PRIMARY + table_hdu(["1I"], 2, np.arange(4, dtype=">i2").tobytes(), extra=[f"{keyword:<8}= INDEF"])
        with pytest.raises(CorruptFits):
            parsed(raw).hdus[1].column("C1")

    def test_a_text_scale_is_refused(self) -> None:
        raw = image_hdu([4], np.arange(4, dtype=">i2").tobytes(), bitpix=16, extra=["BSCALE  = 'abc'"])
        with pytest.raises(CorruptFits, match="astropy"):
            parsed(raw).hdus[0].image()

    @pytest.mark.parametrize("forms", [["1E"], ["1E", "1E", "1E"], ["99999999999999999999E"], ["Z", "1E"]])
    def test_columns_that_do_not_fill_a_row_are_corrupt(self, forms: list[str]) -> None:
        hdu = parsed(EMPTY_PRIMARY + table_hdu(forms, 8, bytes(16))).hdus[1]
        with pytest.raises(CorruptFits):
            _ = hdu.layout

    @pytest.mark.parametrize("fields", [-1, 3, 10**12])
    def test_a_wrong_number_of_columns_is_corrupt(self, fields: int) -> None:
        raw = table_hdu(["1E", "1E"], 8, bytes(16)).replace(
            card("TFIELDS", 2).encode(), card("TFIELDS", fields).encode()
        )
        with pytest.raises(CorruptFits):
            parsed(EMPTY_PRIMARY + raw).hdus[1].column("C1")

    def test_a_name_before_the_number_of_columns_is_found(self) -> None:
        cards = [BINTABLE, card("BITPIX", 8), card("NAXIS", 2), card("NAXIS1", 4), card("NAXIS2", 1), card("PCOUNT", 0)]
        cards += [card("GCOUNT", 1), "EXTNAME = 'COADD'", card("TFIELDS", 1), "TTYPE1  = 'A'", "TFORM1  = '1E'"]
        raw = EMPTY_PRIMARY + block(cards, b"1234")
        assert parsed(raw).hdus[1].name == reference(raw)[1].name == "COADD"

    @pytest.mark.parametrize("descriptor", [(3, 0), (2, 8), (3, 2**31 - 1), (2**31 - 1, 0), (-1, 0), (2, -8)])
    def test_a_heap_pointer_outside_reads_as_in_astropy_or_is_refused(self, descriptor: tuple[int, int]) -> None:
        raw = EMPTY_PRIMARY + table_hdu(
            ["1PE(3)"], 8, np.array(descriptor, dtype=">i4").tobytes(), heap=np.arange(2, dtype=">f4").tobytes()
        )
        try:
            ours = parsed(raw).hdus[1].column("C1")
        except SourceError:
            return
        assert same_array(ours, reference(raw)[1].data.field(0))


class TestBounds:
    def test_a_gzip_bomb_is_refused(self, tmp_path: Path, confined: Confined) -> None:
        gzipped_zeros(tmp_path / "bomb.fits.gz", image_hdu([1 << 31]), 2048)
        assert (tmp_path / "bomb.fits.gz").stat().st_size < 3 << 20
        assert confined(tmp_path / "bomb.fits.gz") == "corrupt-fits"

    @pytest.mark.parametrize(("axis", "held"), [(5 << 30, 40 << 20), (900, 200 << 20)], ids=["declared", "hidden"])
    def test_a_bomb_takes_no_more_memory_than_is_promised(self, tmp_path: Path, axis: int, held: int) -> None:
        path = tmp_path / "bomb.fits.gz"
        noise = np.random.default_rng(1).bytes(10 << 20)
        gzipped_zeros(path, image_hdu([axis])[:2880] + noise, 1024)
        file = SourceFile(str(path), path.name, path.stat().st_size)
        assert held < 2 * file.held
        command = [sys.executable, "-c", MEASURED, str(path)]
        code, before, after = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert code == "corrupt-fits"
        assert (int(after) - int(before)) << 10 < held

    def test_a_compressed_source_is_promised_the_memory_of_its_content(self) -> None:
        packed, plain = (SourceFile(name, name, 20 << 20) for name in ("a.fits.gz", "a.fits"))
        assert (packed.held, plain.held) == (200 << 20, 20 << 20)
        assert SourceFile("b", "b.fits", 1, (packed,)).held == 1 + packed.held
        facts = [batch_facts(Batch(0, [file]), Config()) for file in (packed, plain)]
        assert [fact.largest_file for fact in facts] == [packed.held, plain.held]

    def test_a_hundred_thousand_empty_gzip_members_are_read_or_refused_quickly(
        self, tmp_path: Path, confined: Confined
    ) -> None:
        members = gzip.compress(b"", mtime=0) * 400_000
        (tmp_path / "members.fits.gz").write_bytes(gzip.compress(SPECTRUM) + members)
        assert confined(tmp_path / "members.fits.gz") in ("read", "corrupt-fits")

    def test_more_than_a_hundred_thousand_hdus_are_refused_quickly(self, tmp_path: Path, confined: Confined) -> None:
        (tmp_path / "many.fits").write_bytes(EMPTY_PRIMARY + image_hdu((), first=IMAGE) * 100_000)
        assert confined(tmp_path / "many.fits") == "corrupt-fits"

    def test_a_keyword_repeated_a_hundred_thousand_times_is_read_quickly(
        self, tmp_path: Path, confined: Confined
    ) -> None:
        (tmp_path / "cards.fits").write_bytes(image_hdu([4], b"abcd", extra=["OBJECT  = 'x'"] * 200_000))
        assert confined(tmp_path / "cards.fits") in ("read", "corrupt-fits")

    @pytest.mark.parametrize(("znaxis", "length"), [(10**12, 4), (999, 4), (2, 10**9), (1, -4), (0, 4)])
    def test_a_compressed_image_of_absurd_size_is_refused(
        self, tmp_path: Path, confined: Confined, znaxis: int, length: int
    ) -> None:
        cards = ["ZIMAGE  =                    T", "ZCMPTYPE= 'GZIP_1'", card("ZBITPIX", 16), card("ZNAXIS", znaxis)]
        cards += [card("ZNAXIS1", length), card("ZNAXIS2", length), card("ZTILE1", 4), card("ZTILE2", 1)]
        raw = EMPTY_PRIMARY + table_hdu(["1PB(8)"], 8, bytes(32), extra=cards, heap=bytes(8))
        (tmp_path / "z.fits").write_bytes(raw)
        assert confined(tmp_path / "z.fits") == "corrupt-fits"


class TestDamage:
    @pytest.mark.parametrize("length", range(2880, len(SPECTRUM), 2880))
    def test_a_file_cut_at_a_block_is_truncated_or_has_whole_hdus_only(self, length: int) -> None:
        first_hdu = len(SPECTRUM) // 2
        if length == first_hdu:
            assert same_array(parsed(SPECTRUM[:length]).hdus[0].image(), PIXELS)
        else:
            with pytest.raises(Truncated):
                parsed(SPECTRUM[:length])

    @pytest.mark.parametrize("length", [1, 79, 80, 2000, 2879, 2881, 5000, 6479, 8641, 11521, 15119])
    def test_a_file_cut_anywhere_is_refused(self, length: int) -> None:
        with pytest.raises((Truncated, NotFits, CorruptFits)):
            parsed(SPECTRUM[:length])

    def test_a_file_that_ends_with_its_last_data_keeps_its_pixels(self) -> None:
        (hdu,) = parsed(SPECTRUM[:6480]).hdus
        assert same_array(hdu.image(), PIXELS)

    @pytest.mark.parametrize("length", [6481, 8639])
    def test_a_file_cut_in_its_padding_is_truncated(self, length: int) -> None:
        with pytest.raises(Truncated, match="within the padding that ends at 8640"):
            parsed(SPECTRUM[:length])

    @pytest.mark.parametrize("length", [1, 5, 17, 200, -9, -1])
    def test_a_gzipped_file_cut_anywhere_is_refused(self, length: int) -> None:
        with pytest.raises((Truncated, NotFits, CorruptFits)):
            parsed(gzip.compress(SPECTRUM)[:length])

    def test_a_flipped_bit_in_a_gzipped_file_is_corrupt(self) -> None:
        packed = bytearray(gzip.compress(SPECTRUM))
        packed[len(packed) // 2] ^= 4
        with pytest.raises(CorruptFits, match="gzip"):
            parsed(bytes(packed))

    def test_gzip_members_are_joined(self) -> None:
        raw = gzip.compress(SPECTRUM[:5000]) + gzip.compress(SPECTRUM[5000:])
        assert same_array(parsed(raw).hdus[1].image(), PIXELS)

    def test_a_copy_in_text_mode_is_refused(self) -> None:
        data = np.arange(1, 3001, dtype=">i4").tobytes()
        whole = image_hdu([3000], data, bitpix=32) + image_hdu([3000], data, bitpix=32, first=IMAGE)
        damaged = whole.replace(b"\n", b"\r\n")
        assert len(damaged) > len(whole)
        with pytest.raises((CorruptFits, Truncated)):
            parsed(damaged)

    @pytest.mark.parametrize("card", [b"END".ljust(50) + b"x", b"END  4", b"END\x0e", b"END = 1"])
    def test_an_end_card_with_other_bytes_ends_the_header_or_is_refused(self, card: bytes) -> None:
        raw = SPECTRUM.replace(b"END".ljust(80), card.ljust(80), 1)
        try:
            file = parsed(raw)
        except SourceError:
            return
        assert len(file.hdus) == len(reference(raw))
        assert same_array(file.hdus[0].image(), reference(raw)[0].data)

    def test_an_end_card_lost_between_two_images_is_refused_or_read_as_by_astropy(self) -> None:
        raw = SPECTRUM.replace(b"END     ", b"ENX     ", 1)
        try:
            file = parsed(raw)
        except SourceError:
            return
        assert len(file.hdus) == len(reference(raw))
        assert same_array(file.hdus[0].image(), reference(raw)[0].data)


class TestNotAFile:
    def test_an_empty_file_has_its_own_code(self, tmp_path: Path) -> None:
        (tmp_path / "x.fits").write_bytes(b"")
        with pytest.raises(EmptyFile, match=r"x\.fits"):
            open_fits(str(tmp_path / "x.fits"))

    def test_a_gzipped_empty_file_is_empty(self, tmp_path: Path) -> None:
        (tmp_path / "x.fits").write_bytes(gzip.compress(b""))
        with pytest.raises(EmptyFile):
            open_fits(str(tmp_path / "x.fits"))

    @pytest.mark.parametrize(
        "content", [b"\0", b"hello\n", b"\x1f", b"PK\x03\x04" * 1000, b"SIMPLE  =", b"\x89HDF\r\n"]
    )
    def test_other_content_is_not_fits(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x.fits").write_bytes(content)
        with pytest.raises(NotFits):
            open_fits(str(tmp_path / "x.fits"))

    def test_a_fifo_is_refused_without_waiting_for_a_writer(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "x.fits")
        with pytest.raises(Unreadable, match="not a regular file"):
            open_fits(str(tmp_path / "x.fits"))

    def test_a_directory_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.fits").mkdir()
        with pytest.raises(Unreadable):
            open_fits(str(tmp_path / "x.fits"))

    def test_a_device_is_refused(self) -> None:
        with pytest.raises(Unreadable, match="not a regular file"):
            open_fits("/dev/zero")

    def test_a_loop_of_links_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.fits").symlink_to(tmp_path / "y.fits")
        (tmp_path / "y.fits").symlink_to(tmp_path / "x.fits")
        with pytest.raises(Unreadable, match="symbolic links"):
            open_fits(str(tmp_path / "x.fits"))

    def test_a_missing_file_is_refused_by_the_name_it_was_given(self, tmp_path: Path) -> None:
        with pytest.raises(Unreadable, match="night1/x") as caught:
            open_fits(str(tmp_path / "x.fits"), "night1/x.fits")
        assert caught.value.path == "night1/x.fits"

    @pytest.mark.parametrize("path", ["x\0y.fits", "/" + "n" * 300])
    def test_an_impossible_path_is_refused(self, path: str) -> None:
        with pytest.raises(Unreadable):
            open_fits(path)

    def test_a_file_without_permission_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "x.fits"
        path.write_bytes(SPECTRUM)
        path.chmod(0)
        if os.geteuid() != 0:
            with pytest.raises(Unreadable, match="permissions"):
                open_fits(str(path))
        else:
            # Root may read everything: the same refusal comes from a file in a directory that does not exist.
            with pytest.raises(Unreadable, match="permissions"):
                open_fits(str(path / "inside.fits"))


def test_what_astropy_writes_is_read(tmp_path: Path) -> None:
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(PIXELS)]).writeto(tmp_path / "a.fits")
    file = open_fits(str(tmp_path / "a.fits"))
    assert file.size == (tmp_path / "a.fits").stat().st_size
    assert same_array(file.hdus[1].image(), PIXELS)

"""Hostile source files: absurd structures, bombs, strings and names that mean something to somebody, and no files."""

from __future__ import annotations

import bz2
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from spectral_zarr.testing.fits_bytes import EMPTY_PRIMARY, IMAGE, SIMPLE, block, card, image_hdu, table_hdu

__all__ = ["STRINGS", "bombs", "spectrum", "strings", "structures", "write_hostile", "write_no_files"]

STRINGS = (
    *("../../../escape", "/etc/passwd", "x\0y", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "line\nbreak", "\r\rback"),
    *("'; DROP TABLE spectra; --", "<script>alert(1)</script>", "{0.__class__} %s %n ${HOME} `id` $(id)", "]]>"),
    *(
        "\x7f",
        "\\x41",
        "\x9b31m",
        "cposix\nsystem\n(S'id'\ntR.",
        "\u202egnp.exe",
        "\ufeffbom",
        "caf\xe9",
        "\xff\xfe\x80",
    ),
    *("A" * 68, "", " ", ".", "..", "con", "nan", "-inf", "true", "null", "-rf", "--help", "~root", "*"),
    *("[red]markup[/red]", ":smile:"),
)
"""Texts that mean something to a shell, a terminal, a database, a browser, a format, a file system or an unpickler."""

NAMES = (
    *(b"esc-\x1b[2J.fits", b"new\nline.fits", b"carriage\rreturn.fits", b"bell\x07.fits", b"del\x7f.fits"),
    *(b"tab\t.fits", b"c1-\xc2\x9b31m.fits", b"latin-\xe9\xff.fits", b"surrogate-\xed\xa0\x80.fits"),
    *(b" leading.fits", b"trailing .fits", b"-rf.fits", b"--help.fits", b"quote'\".fits", b"[markup].fits"),
    *(b"$(id).fits", b"{0}%s%n.fits", b"...fits", b"*.fits", b"x" * 240 + b".fits"),
    *("\u202egnp.fits".encode(), "caf\u0065\u0301.fits".encode(), "\U0001f31f.fits".encode()),
)
"""Names that a file may have."""

MANY_HDUS = 100_001
BOMB_BYTES = 1 << 31


def spectrum(text: str | bytes = "star", *, keyword: str = "OBJECT", n_pix: int = 300, seed: int = 0) -> bytes:
    """A sound linear spectrum whose card `keyword` says `text`."""
    flux = np.random.default_rng(seed).normal(100, 5, n_pix).astype(">f4")
    value = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    cards = ["CTYPE1  = 'AWAV'", "CUNIT1  = 'Angstrom'", "CRVAL1  = 5000.0", "CRPIX1  = 1.0", "CDELT1  = 0.5"]
    cards += ["BUNIT   = 'erg/s/cm2/Angstrom'"]
    wanted = f"{keyword:<8}= '".encode() + value.replace(b"'", b"''") + b"'"
    return image_hdu([n_pix], flux.tobytes(), bitpix=-32, extra=[*cards, wanted[:80]])


def structures(many: int = MANY_HDUS) -> Iterator[tuple[str, bytes]]:
    """Names and contents of files whose headers lie about their structure, one of them with `many` HDUs."""
    for naxis in (-1, 3, 999, 1000, 10**9):
        yield f"naxis-{naxis}", block([SIMPLE, card("BITPIX", 8), card("NAXIS", naxis)])
    shapes: tuple[tuple[int, ...], ...] = (
        *((-5,), (5, -1), (2**62, 2**62), (10**12,), (2**63 - 1,), (10**19,), (0, 2**62), (0,), (1,) * 999),
    )
    for number, axes in enumerate(shapes):
        yield f"axes-{number}", image_hdu(axes, b"", bitpix=-64)
        yield f"axes-{number}-data", image_hdu(axes, bytes(28800), bitpix=-32)
        yield f"axes-{number}-extension", EMPTY_PRIMARY + image_hdu(axes, bytes(2880), first=IMAGE)
    for bitpix in (0, 7, -16, 10**9):
        yield f"bitpix-{bitpix}", image_hdu([900], bytes(3600), bitpix=bitpix)
    for pcount, gcount in ((-4, 1), (0, -1), (2**62, 2), (10**18, 10**18), (0, 0)):
        yield (
            f"counts-{pcount}-{gcount}",
            EMPTY_PRIMARY + image_hdu([4], b"abcd", first=IMAGE, pcount=pcount, gcount=gcount),
        )
    cards = (SIMPLE.ljust(80) + "X       =                    1".ljust(80) * 100_000).encode()
    yield "no-end", cards
    yield "no-end-short", cards[:2880]
    yield "only-end", b"END".ljust(2880)
    yield "many-hdus", EMPTY_PRIMARY + image_hdu((), first=IMAGE) * many
    yield "many-cards", image_hdu([4], b"abcd", extra=["OBJECT  = 'x'"] * 50_000)
    continued = ["LONGSTRN= 'x&'", *[f"CONTINUE  '{'y' * 66}&'"] * 1000, "CONTINUE  'end'"]
    yield "long-continue", image_hdu([4], b"abcd", extra=continued)
    for number, descriptor in enumerate(((3, 0), (2**31 - 1, 0), (-1, 0), (2, -8), (2, 2**31 - 1))):
        rows, heap = np.array(descriptor, ">i4").tobytes(), np.arange(2, dtype=">f4").tobytes()
        yield f"heap-{number}", EMPTY_PRIMARY + table_hdu(["1PE(3)"], 8, rows, heap=heap)
    for znaxis, length in ((10**12, 4), (999, 4), (2, 10**9), (1, -4), (0, 4), (1, 2**62)):
        lines = ["ZIMAGE  =                    T", "ZCMPTYPE= 'GZIP_1'", card("ZBITPIX", 16), card("ZNAXIS", znaxis)]
        lines += [card("ZNAXIS1", length), card("ZNAXIS2", length), card("ZTILE1", 4), card("ZTILE2", 1)]
        yield (
            f"zimage-{znaxis}-{length}",
            EMPTY_PRIMARY + table_hdu(["1PB(8)"], 8, bytes(32), extra=lines, heap=bytes(8)),
        )
    for forms in (["99999999999999999999E"], ["Z"], ["1E"] * 999, ["0E"], ["1PE(2147483647)"], ["1E(1,2)"], ["-1E"]):
        yield f"form-{forms[0][:9]}-{len(forms)}", EMPTY_PRIMARY + table_hdu(forms, 8, bytes(80))


def bombs(unpacked: int = BOMB_BYTES) -> Iterator[tuple[str, bytes]]:
    """Names with suffix and contents of small files that unpack to `unpacked` bytes or more, or not to FITS."""
    head = image_hdu([unpacked])[:2880]
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush the packer has forgotten everything, so one packed piece may stand any number of times.
    piece = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = start + piece * (unpacked >> 24)
    yield "bomb.fits.gz", bomb
    yield "bomb-without-suffix.fits", bomb
    yield "bomb-nested.fits.gz", gzip.compress(bomb)
    yield "bomb-members.fits.gz", gzip.compress(spectrum()) + gzip.compress(b"") * 100_000
    stream = bz2.compress(head + bytes(45_000_000))
    yield "bomb-bzip2.fits", stream * (1 + unpacked // 45_000_000)
    yield "plain.fits.gz", spectrum()
    yield "twice.fits.gz", gzip.compress(gzip.compress(spectrum()))
    yield "cut.fits.gz", gzip.compress(spectrum())[:-9]
    yield "zip.fits", b"PK\x03\x04" * 1000
    yield "text.fits", b"these are no pixels\n" * 100


def strings() -> Iterator[tuple[str, bytes]]:
    """Names and contents of sound spectra with hostile texts in their cards and column names."""
    for number, text in enumerate(STRINGS):
        for keyword in ("OBJECT", "INSTRUME", "DATE-OBS", "SPEC_ID", "BUNIT"):
            content = text.encode("utf-8" if number % 2 else "latin-1", "replace")
            yield f"string-{keyword}-{number}", spectrum(content, keyword=keyword, seed=number)
        data = text.encode("utf-8", "surrogateescape")
        name = b"EXTNAME = '" + data.replace(b"'", b"''")[:66] + b"'"
        column = [b"TTYPE1  = '" + data.replace(b"'", b"''")[:66] + b"'", name]
        yield f"string-table-{number}", EMPTY_PRIMARY + table_hdu(["1E"], 4, bytes(400), extra=column)


def write_no_files(directory: Path) -> list[Path]:
    """What has the name of a FITS file and is none: links, pipes, devices, directories, a file that nobody may read."""
    loop, dangling, fifo, device, folder, secret = (
        directory / f"{name}.fits" for name in ("loop", "dangling", "fifo", "device", "directory", "secret")
    )
    loop.symlink_to(loop)
    dangling.symlink_to(directory / "nowhere")
    os.mkfifo(fifo)
    device.symlink_to("/dev/zero")
    folder.mkdir()
    secret.write_bytes(spectrum())
    secret.chmod(0)
    return [loop, dangling, fifo, device, folder, secret]


def write_hostile(directory: Path, *, unpacked: int = BOMB_BYTES, many: int = MANY_HDUS) -> list[Path]:
    """Write all hostile files but mutated ones.

    Parameters
    ----------
    directory : Path
        Where to write; it must exist.
    unpacked : int
        Bytes that a bomb unpacks to.
    many : int
        HDUs of the file that has too many.

    Returns
    -------
    list of Path
        The files, without the directory that is named like one.
    """
    made: Iterable[tuple[str, bytes]] = (
        *((f"{name}.fits", content) for name, content in (*structures(many), *strings())),
        *bombs(unpacked),
    )
    paths = []
    for name, content in made:
        paths.append(directory / name)
        paths[-1].write_bytes(content)
    for number, raw in enumerate(NAMES):
        named = os.path.join(os.fsencode(directory), raw)  # noqa: PTH118 (the name is no text)
        descriptor = os.open(named, os.O_WRONLY | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(spectrum(f"named {number}", seed=1000 + number))
        paths.append(Path(os.fsdecode(named)))
    return [*paths, *(path for path in write_no_files(directory) if path.is_symlink() or not path.is_dir())]

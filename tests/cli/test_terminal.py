"""What strangers wrote into names and headers cannot reach the terminal raw, nor act as markup."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spectral_zarr.cli.terminal import clean, duration, size
from tests.cli.conftest import Run

HOSTILE_NAME = "\x1b[31mred\a\r\n[bold]x\u202egnp.fits"


def replace_card(path: Path, keyword: str, value: bytes) -> None:
    """Put another value into the card of a keyword, with bytes that FITS forbids."""
    data = bytearray(path.read_bytes())
    start = data.index(f"{keyword:<8}= ".encode())
    data[start : start + 80] = f"{keyword:<8}= ".encode() + (b"'" + value + b"'").ljust(70)
    path.write_bytes(bytes(data))


class TestClean:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain Å 12×", "plain Å 12×"),
            ("\x1b[31m", r"\x1b[31m"),
            ("a\nb\rc\td", r"a\x0ab\x0dc\x09d"),
            ("\x9b1m\x7f", r"\x9b1m\x7f"),
            ("\u202ereversed\u2028", r"\u202ereversed\u2028"),
            ("\udcff", r"\udcff"),
            ("[bold]x[/bold] :smile:", "[bold]x[/bold] :smile:"),
        ],
    )
    def test_only_what_is_printable_stays(self, text: str, shown: str) -> None:
        assert clean(text) == shown


class TestUnits:
    @pytest.mark.parametrize(
        ("nbytes", "text"),
        [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_940, "99.9 kB"), (123_456, "123 kB"), (5e15, "5000 TB")],
    )
    def test_sizes(self, nbytes: float, text: str) -> None:
        assert size(nbytes) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 01 s"), (7260, "2 h 01 min"), (float("nan"), "unknown")],
    )
    def test_durations(self, seconds: float, text: str) -> None:
        assert duration(seconds) == text


class TestHostileText:
    def test_a_file_name_with_control_characters_and_markup(self, run: Run, files: Path) -> None:
        (files / HOSTILE_NAME).write_text("no")
        for arguments in (("inspect", files), ("ingest", files, "out.zarr", "--cluster", "serial")):
            result = run(*arguments)
            shown = "".join((result.out + result.err).split())
            assert r"\x1b[31mred\x07\x0d\x0a[bold]x\u202egnp.fits" in shown
            assert not {"\a", "\r", "\u202e"} & set(result.out + result.err)

    def test_a_name_that_is_not_utf_8(self, run: Run, files: Path) -> None:
        Path(os.fsdecode(os.fsencode(files) + b"/caf\xe9.fits")).write_text("no")
        assert r"caf\xe9.fits" in run("inspect", files).out

    def test_json_stays_json(self, run: Run, files: Path) -> None:
        (files / HOSTILE_NAME).write_text("no")
        examples = run("inspect", files, "--json").json["rejections"]["not-fits"]["examples"]
        assert examples[0]["name"] == HOSTILE_NAME

    def test_header_cards_with_control_characters(self, run: Run, files: Path) -> None:
        first, second, _ = sorted(files.iterdir())
        replace_card(first, "INSTRUME", b"\x1b]0;owned\x07HARPS")
        replace_card(second, "OBJECT", b"\x1b[2JHD 1\x9b31m")
        replace_card(second, "BUNIT", b"\x1b[5mjoule")
        result = run("inspect", files)
        assert result.code == 0
        assert not {"\a", "\x9b"} & set(result.out)
        result = run("ingest", files, "out.zarr", "--cluster", "serial", "--max-rejected", "3")
        assert not {"\a", "\x9b"} & set(result.out + result.err)

    def test_arguments_are_cleaned_too(self, run: Run) -> None:
        assert r"\x1b[31m" in run("inspect", "\x1b[31mmissing").error
        assert r"\x1b[31m" in run("ingest", "a", "b.zarr", "--\x1b[31m").error

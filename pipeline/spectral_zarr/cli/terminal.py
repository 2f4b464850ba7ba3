"""Writing to the terminal: consoles without markup, escaped text, and JSON."""

from __future__ import annotations

import json
import math
import os
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 160
"""Columns of a table in a file or pipe, where nobody's window is too narrow."""


def clean(text: object) -> str:
    """Text whose control characters, line breaks and invisible formatting are shown as escapes.

    File names and header cards are written by strangers, and a terminal obeys what it is sent.
    """
    return "".join(_shown(character) for character in str(text))


def _shown(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    # Controls, formatting such as reversed writing, surrogates of undecodable names, and line separators.
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@cache
def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPED_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def results() -> Console:
    """Standard output, for what was asked for."""
    return _console(sys.stdout)


def messages() -> Console:
    """Standard error, for progress and errors."""
    return _console(sys.stderr)


def forgiving_streams() -> None:
    """Let the streams escape what their encoding cannot show, so that no name ends a command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def print_json(value: Any) -> None:
    """Write one JSON document to standard output; numbers that JSON does not have become null."""
    sys.stdout.write(json.dumps(_plain(value), indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def size(nbytes: float) -> str:
    """Bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(nbytes) < 999.5 or unit == "TB":
            break
        nbytes /= 1000
    return f"{nbytes:.0f} {unit}" if unit == "B" or abs(nbytes) >= 99.95 else f"{nbytes:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds for people."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 file``, ``2,000 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(values: Iterable[object], most: int = 3) -> str:
    """The first few values, cleaned, with an ellipsis for the rest."""
    shown = [clean(value) for value in values]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")

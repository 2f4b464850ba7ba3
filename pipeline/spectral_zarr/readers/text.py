"""A source file of text: its lines, and the columns of numbers in them."""

from __future__ import annotations

import io
import re
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import EmptyFile, MissingField, NotFits
from spectral_zarr.model import SourceFile
from spectral_zarr.readers.raw import RawFile

HEAD_BYTES = 64 << 10
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


class TextFile(RawFile):
    """Text in UTF-8 or Latin-1.

    Raises
    ------
    EmptyFile
        When there are no bytes.
    NotFits
        When the bytes are not text either.
    """

    def __init__(self, raw: bytes, name: str, path: str = "", companions: tuple[SourceFile, ...] = ()) -> None:
        super().__init__(raw, name, path, companions)
        if not self.data:
            raise EmptyFile("the file has no bytes; fetch it again", path=name)
        if _CONTROL.search(self.data[:HEAD_BYTES]):
            message = "the file is neither FITS, nor text, nor another known format; remove it from the sources"
            raise NotFits(message, path=name)

    @cached_property
    def head(self) -> list[str]:
        """First lines, as far as 64 KiB reach."""
        return _decode(self.data[:HEAD_BYTES]).splitlines()

    def numbers(self, *, skip: int = 0, columns: int = 0, comments: str = "#") -> NDArray[np.float64]:
        """Table of numbers, shape (n_lines, n_columns), float64.

        Parameters
        ----------
        skip : int
            Lines in front of the table.
        columns : int
            Columns that the table must have at least; further ones are given too.
        comments : str
            What begins a comment.

        Raises
        ------
        MissingField
            When a line is not of numbers, or has another number of them.
        """
        try:
            table: NDArray[Any] = np.loadtxt(
                io.BytesIO(self.data), dtype=np.float64, skiprows=skip, comments=comments or None, ndmin=2,
                encoding="latin-1",
            )  # fmt: skip
        except ValueError as error:
            message = f"the lines are not a table of numbers: {error}"
            raise MissingField(message, path=self.name) from error
        if table.shape[0] < 2 or table.shape[1] < columns:
            message = f"a table of {table.shape[0]} lines and {table.shape[1]} columns, expected at least {columns}"
            raise MissingField(message, path=self.name)
        return table

    def describe(self) -> str:
        """First line, for messages."""
        line = next((line for line in self.head if line.strip()), "")
        return f"text that begins {line[:60]!r}"


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")

"""One HDU of a file in memory: its columns, cells and image as views, undefined values as NaN."""

from __future__ import annotations

from functools import cached_property, lru_cache
from math import prod
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import CorruptFits, MissingField, RefusedProduct
from spectral_zarr.readers.fits.ascii_table import ascii_layout, undefined_fields
from spectral_zarr.readers.fits.cards import CARD, parse_value
from spectral_zarr.readers.fits.header import Header
from spectral_zarr.readers.fits.integrity import check_hdu
from spectral_zarr.readers.fits.nulls import blanked, scaled
from spectral_zarr.readers.fits.reference import Content
from spectral_zarr.readers.fits.structure import IMAGE_DTYPES, MOST_AXES, Structure
from spectral_zarr.readers.fits.table import PLAIN_DTYPES, UNREADABLE, TableColumn, TableLayout, table_layout

_SCALARS = {dtype: Struct(f">{code}") for dtype, code in zip(PLAIN_DTYPES.values(), "Bhiqfd", strict=True)}
"""What reads one number of a table, which takes a fraction of the time of an array for it."""


@lru_cache(maxsize=64)
def _kind(first: bytes) -> str:
    extension = str(parse_value(first)).strip()
    return {"IMAGE": "image", "BINTABLE": "table", "TABLE": "table"}.get(extension, extension.lower())


class Hdu:
    """One header-data unit.

    Attributes
    ----------
    index : int
        Zero-based position in the file.
    header : Header
        The cards.
    kind : str
        ``image``, ``table`` or the XTENSION text of anything else.
    shape : tuple of int
        Axes in NumPy order (slowest first), () without data; of a tile-compressed image, those of the image.
    compressed : bool
        Whether the HDU holds a tile-compressed image.
    """

    def __init__(self, content: Content, index: int, header: Header, structure: Structure, data_start: int) -> None:
        bitpix, axes, nbytes = structure
        self._content = content
        self.index = index
        self.header = header
        self.shape = axes[::-1]
        self._bitpix = bitpix
        self._data_start = data_start
        self._nbytes = nbytes
        self.kind = _kind(header.raw[:CARD]) if index else "image"
        # The tiles of an image lie in a heap. Most tables have none, and thousands of bytes of cards to look through.
        has_heap = self.kind == "table" and nbytes > prod(axes)
        self.compressed = has_heap and b"ZIMAGE  =" in header.raw and header.flag("ZIMAGE")
        if self.compressed:
            self.kind = "image"
            n_axes = header.integer("ZNAXIS") or 0
            if not 0 < n_axes <= MOST_AXES:
                raise CorruptFits(f"a compressed image of {n_axes} axes", path=content.name, hdu=index)
            self.shape = tuple(header.integer(f"ZNAXIS{axis}") or 0 for axis in range(n_axes, 0, -1))

    @cached_property
    def _sound(self) -> Content:
        """The bytes of the file, after those of this HDU were checked: whatever reads data takes them from here."""
        content = self._content
        if content.check_damage:
            check_hdu(content.data, self.header, self._data_start, self._nbytes, content.name, self.index)
        return content

    @cached_property
    def name(self) -> str:
        """EXTNAME in upper case, '' when absent."""
        return ((self.layout.extname if self.kind == "table" else "") or self.header.text("EXTNAME")).upper()

    @cached_property
    def layout(self) -> TableLayout:
        """Columns of a table."""
        if self.kind != "table":
            return TableLayout("", 0, (), {})
        raw = self.header.raw
        start = next((i for i in range(0, min(len(raw), 20 * CARD), CARD) if raw[i : i + 8] == b"TFIELDS "), 0)
        try:
            layout = ascii_layout(self.header, self.shape[-1]) if self._is_ascii else table_layout(raw[start:])
        except ValueError as error:
            raise CorruptFits(str(error), path=self._content.name, hdu=self.index) from error
        if layout.ztable and self.header.flag("ZTABLE"):
            message = "the table is tile-compressed (ZTABLE), which nothing here undoes; unpack it with funpack"
            raise RefusedProduct(message, path=self._content.name, hdu=self.index)
        if len(self.shape) != 2 or layout.row_bytes != self.shape[1]:
            message = f"the columns take {layout.row_bytes} bytes a row and NAXIS1 says {self.shape[-1:]}"
            raise CorruptFits(message, path=self._content.name, hdu=self.index)
        return layout

    @property
    def _is_ascii(self) -> bool:
        return self.header.raw[10:19] == b"'TABLE   "

    @property
    def n_rows(self) -> int:
        """Rows of a table."""
        return self.shape[0] if self.kind == "table" and self.shape else 0

    def find(self, *names: str) -> TableColumn | None:
        """First column whose name is one of `names`, compared without case."""
        layout = self.layout
        for name in names:
            i = layout.by_name.get(name.lower())
            if i is not None:
                return layout.columns[i]
        return None

    def column(self, *names: str) -> NDArray[Any]:
        """Column data as a read-only view, shape (n_rows,) or (n_rows, repeat).

        Raises
        ------
        MissingField
            When no column has any of the names.
        """
        column = self.find(*names)
        if column is None:
            message = f"no column {' or '.join(names)} among {', '.join(c.name for c in self.layout.columns)}"
            raise MissingField(message, path=self._content.name, hdu=self.index)
        return self.column_data(column)

    def column_data(self, column: TableColumn) -> NDArray[Any]:
        """Data of one column as a read-only view, through astropy where the column is not plain.

        Integers become float64 where some of them are undefined, and those are NaN.
        """
        if column.stored.startswith("S") and not column.dtype and self.n_rows:
            texts = self._stored_fields(column)
            return blanked(self._values(column), undefined_fields(texts[:, 0], self.header, column))
        if column.null is None or not self.n_rows:
            return self._values(column)
        if self._is_variable(column):
            values = self._values(column)
            cells = (self._stored_cell(column, row) for row in range(self.n_rows))
            defined = [blanked(cell, stored == column.null) for cell, stored in zip(values, cells, strict=True)]
            return np.fromiter(defined, object, len(defined))
        stored = self._stored_fields(column)
        undefined = stored == column.null
        if not undefined.any():
            return self._values(column)
        scale, zero = (self.header.number(f"{card}{column.number}") for card in ("TSCAL", "TZERO"))
        shape = self._values(column).shape if f"TDIM{column.number}" in self.header else self._shape_of(column)
        return blanked(scaled(stored, scale, zero), undefined).reshape(shape)

    def _stored_fields(self, column: TableColumn) -> NDArray[Any]:
        """A column as it is stored, shape (n_rows, repeat)."""
        rows, row_bytes = self.shape
        return np.ndarray(
            (rows, column.repeat),
            column.stored,
            buffer=self._sound.data,
            offset=self._data_start + column.offset,
            strides=(row_bytes, np.dtype(column.stored).itemsize),
        )

    def _shape_of(self, column: TableColumn) -> tuple[int, ...]:
        return (self.n_rows,) if column.repeat == 1 else (self.n_rows, column.repeat)

    def _is_variable(self, column: TableColumn) -> bool:
        return self.header.text(f"TFORM{column.number}").lstrip("0123456789")[:1].upper() in ("P", "Q")

    def _values(self, column: TableColumn) -> NDArray[Any]:
        if not column.dtype:
            return self._sound.read_by_astropy(self.index, self.header, column.number - 1)
        if column.dtype == UNREADABLE:
            message = f"the scale of column {column.name} cannot be read; fetch the file again"
            raise CorruptFits(message, path=self._content.name, hdu=self.index)
        rows, row_bytes = self.shape
        dtype = np.dtype(column.dtype)
        if dtype.itemsize == 0:
            return np.zeros(rows, dtype="S1")
        text_or_scalar = column.dtype.startswith("S") or column.repeat == 1
        if rows == 0:
            return np.zeros((0,) if text_or_scalar else (0, column.repeat), dtype)
        return np.ndarray(
            (rows,) if text_or_scalar else (rows, column.repeat),
            dtype,
            buffer=self._sound.data,
            offset=self._data_start + column.offset,
            strides=(row_bytes,) if text_or_scalar else (row_bytes, dtype.itemsize),
        )

    def cell_text(self, name: str, row: int = 0) -> str:
        """Text of one cell without surrounding blanks, '' when there is no such column."""
        column = self.find(name)
        if column is None or self.n_rows <= row:
            return ""
        if column.dtype.startswith("S"):
            start = self._start_of(column, row)
            return self._sound.data[start : start + column.repeat].decode("latin-1").strip("\0 ")
        blank = column.stored.startswith("S") and undefined_fields(self._stored_cell(column, row), self.header, column)
        if np.any(blank) or (column.null is not None and np.all(self._stored_cell(column, row) == column.null)):
            return ""
        value = self._values(column)[row]
        return value.decode("latin-1").strip("\0 ") if isinstance(value, bytes) else str(value).strip()

    def cell_number(self, name: str, row: int = 0) -> float:
        """Scalar cell as float, NaN when there is no such column."""
        column = self.find(name)
        if column is None or self.n_rows <= row or column.dtype.startswith("S"):
            return float("nan")
        if column.repeat == 1 and (form := _SCALARS.get(column.dtype)) is not None:
            value = form.unpack_from(self._sound.data, self._start_of(column, row))[0]
            return float("nan") if value == column.null else float(value)
        values = np.ravel(self.column_data(column)[row])
        return float(values[0]) if values.size else float("nan")

    def flat_cell(self, name: str, row: int = 0) -> NDArray[Any]:
        """Values of one cell in the order of the file, whatever TDIM says; empty when there is no such column."""
        column = self.find(name)
        if column is None or self.n_rows <= row:
            return np.empty(0)
        kind = self.header.text(f"TFORM{column.number}").lstrip("0123456789")
        scaled = any(f"{card}{column.number}" in self.header for card in ("TSCAL", "TZERO"))
        if kind not in PLAIN_DTYPES or scaled:
            return np.ravel(self.column_data(column)[row])
        values = np.frombuffer(self._sound.data, PLAIN_DTYPES[kind], column.repeat, self._start_of(column, row))
        return values if column.null is None else blanked(values, values == column.null)

    def _stored_cell(self, column: TableColumn, row: int) -> NDArray[Any]:
        """Integers of one cell as they are stored, before any scale."""
        data, start = self._sound.data, self._start_of(column, row)
        if not self._is_variable(column):
            return np.frombuffer(data, column.stored, column.repeat, start)
        narrow = "P" in self.header.text(f"TFORM{column.number}").upper()
        length, offset = np.frombuffer(data, ">i4" if narrow else ">i8", 2, start).tolist()
        heap = self.header.integer("THEAP")
        begin = self._data_start + (self.shape[0] * self.shape[1] if heap is None else heap) + offset
        return np.frombuffer(data, column.stored, length, begin)

    def _start_of(self, column: TableColumn, row: int) -> int:
        return self._data_start + row * self.shape[1] + column.offset

    def image(self) -> NDArray[Any]:
        """Image data as a read-only view, through astropy where it is scaled or compressed."""
        if not self.shape or self.kind != "image":
            raise MissingField("the HDU has no image", path=self._content.name, hdu=self.index)
        if len(self.shape) > MOST_AXES:
            raise CorruptFits(f"an image of {len(self.shape)} axes", path=self._content.name, hdu=self.index)
        scale = {card: self.header.get(card) for card in ("BSCALE", "BZERO") if card in self.header}
        if None in scale.values():
            raise CorruptFits("BSCALE or BZERO cannot be read", path=self._content.name, hdu=self.index)
        plain = scale.get("BSCALE", 1) == 1 and scale.get("BZERO", 0) == 0
        dtype = np.dtype(IMAGE_DTYPES[self._bitpix])
        count = int(np.prod(self.shape))
        blank = self.header.integer("BLANK") if "BLANK" in self.header and self._bitpix > 0 else None
        if blank is not None and not self.compressed:
            # BLANK is a stored integer (FITS standard 4.0, 4.4.2.5), which astropy forgets for unsigned images.
            stored = np.frombuffer(self._sound.data, dtype, count, self._data_start).reshape(self.shape)
            if (undefined := stored == blank).any():
                single = "f4" if dtype.itemsize <= 2 else "f8"
                values = scaled(stored, self.header.number("BSCALE"), self.header.number("BZERO"), single)
                return blanked(values, undefined)
        if self.compressed or not plain or ("BLANK" in self.header and self._bitpix > 0):
            return self._sound.read_by_astropy(self.index, self.header)
        return np.frombuffer(self._sound.data, dtype, count, self._data_start).reshape(self.shape)

"""HDF5 files: datasets of the file itself, read by rows, without links to other files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import CorruptFits
from spectral_zarr.readers.arrays.column import (
    CHUNK_BYTES,
    MOST_COLUMNS,
    ArrayColumn,
    ArrayStore,
    Block,
    as_text,
    check_whole,
)
from spectral_zarr.readers.arrays.packing import packing, packs

_UNIT_ATTRIBUTES = ("units", "unit", "UNITS", "UNIT")
_NAME_ATTRIBUTES = ("names", "columns", "param_names", "label_names")


class Hdf5Store(ArrayStore):
    """An open HDF5 file.

    Fields of a compound dataset of one axis are arrays of their own, called ``table/field``. Attributes of the file
    and datasets without an axis that hold text are facts. Datasets whose values lie in other files are not read.
    Values that a dataset packs by the CF conventions are unpacked, and those that it calls missing are NaN.
    """

    def __init__(self, path: str, name: str) -> None:
        self._file = h5py.File(path, "r", locking="best-effort")
        super().__init__(name)

    def close(self) -> None:
        self._file.close()

    def whole(self, name: str) -> NDArray[Any]:
        check_whole(self.columns[name], self.name)
        return np.asarray(self._read(self.columns[name], slice(None)))

    def rows(self, names: Sequence[str], block_bytes: int) -> Iterator[Block]:
        n_rows = self.columns[names[0]].shape[0]
        step = self._aligned(names, self.rows_per_block(names, block_bytes))
        for start in range(0, n_rows, step):
            block = slice(start, min(start + step, n_rows))
            yield {name: self._read(self.columns[name], block) for name in names}

    def _aligned(self, names: Sequence[str], step: int) -> int:
        # A chunk that is cut into blocks would be unpacked once for each.
        for name in names:
            dataset = self._file.get(name)
            if isinstance(dataset, h5py.Dataset) and dataset.chunks:
                row_bytes = max(self.columns[name].nbytes // max(dataset.shape[0], 1), 1)
                if dataset.chunks[0] * row_bytes <= CHUNK_BYTES:
                    step = max(step, dataset.chunks[0])
        return step

    def list_columns(self) -> None:
        for key, value in self._file.attrs.items():
            if isinstance(value, str | bytes):
                self.facts[key.lower()] = as_text(value)
        self._file.visititems(self._visit)

    def _visit(self, name: str, found: Any) -> None:
        if not isinstance(found, h5py.Dataset) or found.shape is None or found.is_virtual or found.external:
            return
        if len(self.columns) >= MOST_COLUMNS:
            raise CorruptFits(f"more than {MOST_COLUMNS} arrays in one file", path=self.name)
        dtype, text = found.dtype, h5py.check_string_dtype(found.dtype)
        if text is not None and found.shape == ():
            self.facts[name.lower()] = as_text(found[()])
        chunk_bytes = dtype.itemsize * int(np.prod([float(length) for length in found.chunks or ()]))
        if chunk_bytes > 2 * CHUNK_BYTES:
            raise CorruptFits(f"{name} has chunks of {chunk_bytes} bytes; rechunk the file by rows", path=self.name)
        stored = found.id.get_storage_size()
        unit = next((as_text(found.attrs[key]) for key in _UNIT_ATTRIBUTES if key in found.attrs), "")
        if dtype.names is not None and len(found.shape) == 1:
            for field in dtype.names:
                part = dtype[field]
                if part.subdtype is None and part.kind in "fiubS":
                    kind = "U" if part.kind == "S" else part.kind
                    column = ArrayColumn(f"{name}/{field}", found.shape, kind, dtype.itemsize, stored, field=field)
                    self.columns[column.name] = column
            return
        kind = "U" if text is not None else dtype.kind if dtype.kind in "fiub" else "O"
        packed = kind in "fiu" and packs(found.attrs)
        itemsize = 8 if packed else max(dtype.itemsize, 1)
        kind = "f" if packed else kind
        self.columns[name] = ArrayColumn(name, found.shape, kind, itemsize, stored, unit, names=_names(found))

    def _read(self, column: ArrayColumn, block: slice) -> NDArray[Any] | Sequence[Any]:
        found = self._file[column.name.removesuffix(f"/{column.field}")] if column.field else self._file[column.name]
        values = (found.fields(column.field) if column.field else found)[block]
        if column.kind == "U":
            return np.array([as_text(value) for value in values], dtype=object)
        values = np.asarray(values)
        if column.field or values.dtype.kind not in "fiu":
            return values
        netcdf = "_Netcdf4Dimid" in found.attrs or "_NCProperties" in self._file.attrs
        return packing(found.attrs, values.dtype, netcdf=netcdf, name=column.name, path=self.name).unpack(values)


def _names(dataset: h5py.Dataset) -> tuple[str, ...]:
    for key in _NAME_ATTRIBUTES:
        if key in dataset.attrs and np.ndim(value := dataset.attrs[key]) == 1:
            return tuple(as_text(one) for one in value)
    return ()

"""NumPy archives (``.npz``): members streamed by rows, their headers checked against the archive, no pickles."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from spectral_zarr.errors import CorruptFits
from spectral_zarr.readers.arrays.column import MOST_COLUMNS, ArrayColumn, ArrayStore, Block, as_text, check_whole

_MOST_FACT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class _Member:
    """One ``.npy`` member: where its values begin and how they lie."""

    info: zipfile.ZipInfo
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    field: str = ""


class NpzStore(ArrayStore):
    """An open NumPy archive.

    Fields of a structured array of one axis are arrays of their own, called ``table/field``. Text without an axis,
    such as ``flux_unit``, is a fact of the file.
    """

    def __init__(self, path: str, name: str) -> None:
        self._archive = zipfile.ZipFile(path)
        self._members: dict[str, _Member] = {}
        super().__init__(name)

    def close(self) -> None:
        self._archive.close()

    def whole(self, name: str) -> NDArray[Any]:
        member = self._members[name]
        check_whole(self.columns[name], self.name)
        with self._archive.open(member.info) as stream:
            stream.seek(member.start)
            flat = _values(stream, member, math.prod(member.shape))
        shaped = flat.reshape(member.shape, order="F" if member.fortran else "C")
        return shaped[member.field] if member.field else shaped

    def rows(self, names: Sequence[str], block_bytes: int) -> Iterator[Block]:
        n_rows, step = self.columns[names[0]].shape[0], self.rows_per_block(names, block_bytes)
        with ExitStack() as stack:
            streams: dict[str, IO[bytes]] = {}
            loaded: dict[str, NDArray[Any]] = {}
            for name in names:
                member = self._members[name]
                if member.fortran and len(member.shape) > 1:
                    loaded[name] = self.whole(name)
                else:
                    streams[name] = stack.enter_context(self._archive.open(member.info))
                    streams[name].seek(member.start)
            for start in range(0, n_rows, step):
                count = min(step, n_rows - start)
                block: dict[str, NDArray[Any]] = {name: loaded[name][start : start + count] for name in loaded}
                for name, stream in streams.items():
                    member = self._members[name]
                    row = math.prod(member.shape[1:])
                    values = _values(stream, member, count * row).reshape(count, *member.shape[1:])
                    block[name] = values[member.field] if member.field else values
                yield block

    def list_columns(self) -> None:
        infos = self._archive.infolist()
        if len(infos) > MOST_COLUMNS:
            raise CorruptFits(f"more than {MOST_COLUMNS} arrays in one archive", path=self.name)
        for info in infos:
            if not info.filename.endswith(".npy"):
                continue
            name = info.filename.removesuffix(".npy")
            with self._archive.open(info) as stream:
                member = _header(stream, info, self.name)
                if member.dtype.kind in "US" and not member.shape and member.dtype.itemsize <= _MOST_FACT_BYTES:
                    self.facts[name.lower()] = as_text(_values(stream, member, 1))
            self._add(name, member)
        for name, column in self.columns.items():
            unit = self.facts.get(f"{name.lower()}_unit") or self.facts.get(f"{name.lower()}_units") or ""
            self.columns[name] = replace(column, unit=unit)

    def _add(self, name: str, member: _Member) -> None:
        dtype = member.dtype
        if dtype.names is None or len(member.shape) != 1:
            kind = {"S": "U", "c": "O", "V": "O"}.get(dtype.kind, dtype.kind)
            stored = member.info.compress_size
            self.columns[name] = ArrayColumn(name, member.shape, kind, dtype.itemsize, stored)
            self._members[name] = member
            return
        for field in dtype.names:
            part = dtype[field]
            if part.subdtype is None and part.kind in "fiubUS":
                self._members[f"{name}/{field}"] = replace(member, field=field)
                kind = "U" if part.kind == "S" else part.kind
                column = ArrayColumn(
                    f"{name}/{field}", member.shape, kind, dtype.itemsize, member.info.compress_size, field=field
                )
                self.columns[column.name] = column


def _header(stream: IO[bytes], info: zipfile.ZipInfo, path: str) -> _Member:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    start = stream.tell()
    declared = dtype.itemsize * math.prod(shape)
    if dtype.hasobject:
        return _Member(info, start, tuple(shape), np.dtype("O"), fortran)
    if any(length < 0 for length in shape) or start + declared != info.file_size:
        message = f"{info.filename} declares {declared} bytes of values and has {info.file_size - start}"
        raise CorruptFits(f"{message}; the file is damaged", path=path)
    return _Member(info, start, tuple(shape), dtype, fortran)


def _values(stream: IO[bytes], member: _Member, count: int) -> NDArray[Any]:
    data = stream.read(count * member.dtype.itemsize)
    return np.frombuffer(data, member.dtype, count) if count * member.dtype.itemsize else np.zeros(count, member.dtype)

"""Reading the chunks of one array of any store, one at a time, without trusting a byte of them."""

from __future__ import annotations

import math
import os
import stat
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import blosc
from numcodecs.vlen import VLenBytes, VLenUTF8
from numpy.typing import NDArray

from spectral_zarr.model import ChunkReceipt
from spectral_zarr.store.blosc_frame import frame_problem
from spectral_zarr.store.documents import ArrayLayout

blosc.use_threads = False

DAMAGED = "Z-03/damaged"
NOT_AS_WRITTEN = "Q-06/damaged"
UNDECODABLE = "M-06/undecodable"

FEW_CHUNKS = 64
"""Chunks that are looked for one by one, which takes no longer than listing their directory."""

MOST_FILE_BYTES = 9 << 28
"""Two gibibytes, the limit of Blosc, and room for what surrounds them."""

_LONG_BYTES, _TEXTS_AT_ONCE = 1 << 20, 8192
"""Bytes of packed texts of different lengths above which, as of those of one length, so many are decoded at a time:
finding where they end takes as long as decoding them."""

_ABSENT = 2**64 - 1
_PIECE_BYTES = 1 << 20


class ChunkProblem(Exception):
    """A chunk that cannot be used; it becomes a finding.

    Attributes
    ----------
    symptom : str
        Symptom of the contract.
    key : str
        Path of the chunk inside the directory of the array.
    offset : int
        Row at fault, counted from the first of the chunk.
    """

    def __init__(self, symptom: str, key: str, reason: str, offset: int = 0) -> None:
        super().__init__(reason)
        self.symptom = symptom
        self.key = key
        self.reason = reason
        self.offset = offset


class ArrayReader:
    """The chunks of one array.

    Parameters
    ----------
    store : Path
        Directory of the store.
    layout : ArrayLayout
        Layout of the array.
    receipts : mapping of str to ChunkReceipt, optional
        What was written, by key; when given, no chunk is decoded that differs from its receipt.

    Attributes
    ----------
    nbytes : int
        Bytes decoded so far.
    """

    def __init__(self, store: Path, layout: ArrayLayout, receipts: Mapping[str, ChunkReceipt] | None = None) -> None:
        self._store = store
        self._directory = store / layout.path
        self._layout = layout
        self._receipts = receipts
        self._array: Any = None
        self.nbytes = 0

    def numbers(self, *indices: int) -> NDArray[Any] | None:
        """Values of a chunk, clipped to the array; None when its file is missing.

        Returns
        -------
        ndarray
            Valid until the next chunk of any array is read in this thread.

        Raises
        ------
        ChunkProblem
            When the chunk differs from its receipt or cannot be decoded.
        """
        key = self._layout.key(*indices)
        payload = self._payload(key)
        if payload is None:
            return None
        values = self._decode(key, payload, indices)
        self.nbytes += values.nbytes
        return values[self._clip(indices)]

    def present(self, indices: range) -> Iterable[int]:
        """Those of many chunks along one axis that have a file; all of them when there are few, or receipts."""
        if len(indices) <= FEW_CHUNKS or self._receipts is not None:
            return indices
        layout = self._layout
        nested = bool(layout.prefix) and layout.separator == "/"
        try:
            names = os.listdir(self._directory / layout.prefix if nested else self._directory)  # noqa: PTH208 (names)
        except OSError:
            return []
        numbers = (name if nested else name.removeprefix(f"{layout.prefix}.") for name in names)
        return sorted(int(number) for number in numbers if number.isdecimal() and int(number) in indices)

    def texts(self, index: int) -> Iterator[list[str]]:
        """Values of a chunk of a (N_spec,) text array, clipped to the array; nothing when its file is missing.

        Yields
        ------
        list of str
            The next rows: a long chunk takes many times its memory as Python objects.

        Raises
        ------
        ChunkProblem
            When the chunk differs from its receipt or cannot be decoded; some of its rows may have been given before.
        """
        key = self._layout.key(index)
        payload = self._payload(key)
        if payload is None:
            return
        (length,) = self._clip((index,))
        if self._layout.text == "fixed" or not self._layout.plain:
            yield _texts(key, self._decode(key, payload, (index,))[length])
            return
        if (problem := frame_problem(payload, None, codec=self._layout.codec)) is not None:
            raise ChunkProblem(DAMAGED, key, problem)
        try:
            decoded = blosc.Blosc().decode(payload)
        except Exception as error:
            # A decoder may raise anything on damaged bytes.
            raise ChunkProblem(DAMAGED, key, f"{type(error).__name__}: {error}") from None
        del payload
        # The decoder makes room for as many texts as the chunk promises.
        count = int.from_bytes(decoded[:4], "little")
        if len(decoded) < 4 or not length.stop <= count <= self._layout.chunks[0]:
            raise ChunkProblem(DAMAGED, key, f"{count} texts instead of {self._layout.chunks[0]}")
        for first, piece in _cut(decoded, count):
            # What fills the chunk up is decoded as well: it may be damaged like the rest.
            texts = _variable(key, piece, first)
            if first < length.stop:
                yield texts[: length.stop - first]

    def _clip(self, indices: tuple[int, ...]) -> tuple[slice, ...]:
        triples = zip(self._layout.shape, self._layout.chunks, indices, strict=True)
        return tuple(slice(0, min(chunk, length - chunk * index)) for length, chunk, index in triples)

    def _payload(self, key: str) -> bytes | None:
        payload = self._read(key)
        if self._receipts is None:
            return payload
        receipt = self._receipts.get(key)
        if receipt is None:
            if payload is None:
                raise ChunkProblem(NOT_AS_WRITTEN, key, "there is no receipt")
            raise ChunkProblem(NOT_AS_WRITTEN, key, "a file without a receipt")
        if (problem := receipt_problem(payload, receipt)) is not None:
            raise ChunkProblem(NOT_AS_WRITTEN, key, problem)
        return payload

    def _read(self, key: str) -> bytes | None:
        try:
            return read_regular(self._directory / key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ChunkProblem(DAMAGED, key, str(error.strerror or error)) from None

    def _decode(self, key: str, payload: bytes, indices: tuple[int, ...]) -> NDArray[Any]:
        layout = self._layout
        try:
            if not layout.plain:
                return self._by_zarr(indices)
            if layout.inner is not None:
                return self._shard(key, payload)
            return self._frame(key, payload, layout.chunks)
        except ChunkProblem:
            raise
        except Exception as error:
            # A decoder may raise anything on damaged bytes.
            raise ChunkProblem(DAMAGED, key, f"{type(error).__name__}: {error}") from None

    def _frame(self, key: str, payload: bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        dtype, codec = np.dtype(self._layout.dtype), self._layout.codec
        values = _buffer(math.prod(shape) * dtype.itemsize).view(dtype)
        if (problem := frame_problem(payload, values.nbytes, itemsize=dtype.itemsize, codec=codec)) is not None:
            raise ChunkProblem(DAMAGED, key, problem)
        blosc.Blosc().decode(payload, values)
        return values.reshape(shape, order=self._layout.order)

    def _shard(self, key: str, payload: bytes) -> NDArray[Any]:
        layout = self._layout
        assert layout.inner is not None
        counts = [length // part for length, part in zip(layout.chunks, layout.inner, strict=True)]
        n_inner = int(np.prod(counts))
        size = 16 * n_inner + 4
        if len(payload) < size:
            raise ChunkProblem(DAMAGED, key, "the shard is shorter than its index")
        index, crc = payload[-size:-4], struct.unpack("<I", payload[-4:])[0]
        if google_crc32c.value(index) != crc:
            raise ChunkProblem(DAMAGED, key, "the index of the shard does not agree with its checksum")
        values = np.full(layout.chunks, layout.fill, np.dtype(layout.dtype))
        for position, (offset, nbytes) in enumerate(np.frombuffer(index, "<u8").reshape(-1, 2).tolist()):
            if (offset, nbytes) == (_ABSENT, _ABSENT):
                continue
            if offset + nbytes > len(payload) - size:
                raise ChunkProblem(DAMAGED, key, "an inner chunk lies outside the shard")
            place = np.unravel_index(position, counts)
            region = tuple(slice(int(i) * n, (int(i) + 1) * n) for i, n in zip(place, layout.inner, strict=True))
            values[region] = self._frame(key, payload[offset : offset + nbytes], layout.inner)
        return values

    def _by_zarr(self, indices: tuple[int, ...]) -> NDArray[Any]:
        if self._array is None:
            import zarr

            # Left to itself, zarr-python opens the documents of the other format as well, which nobody has checked.
            self._array = zarr.open_array(str(self._directory), mode="r", zarr_format=self._layout.zarr_format)
        places = zip(indices, self._layout.chunks, strict=True)
        return np.asarray(self._array[tuple(slice(i * chunk, (i + 1) * chunk) for i, chunk in places)])


def _cut(decoded: bytes, count: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of packed texts, each packed in the same way, with the number of their first text."""
    length = int.from_bytes(decoded[4:8], "little")
    step = 4 + length
    alike = len(decoded) == 4 + count * step
    alike = alike and bool((np.ndarray((count,), "<u4", decoded, 4, (step,)) == length).all())
    if not alike and len(decoded) <= _LONG_BYTES:
        yield 0, decoded
        return
    stop = 4
    for first in range(0, count, _TEXTS_AT_ONCE):
        start, n = stop, min(_TEXTS_AT_ONCE, count - first)
        if alike:
            stop += n * step
        else:
            for _ in range(n):
                stop += 4 + int.from_bytes(decoded[stop : stop + 4], "little")
        yield first, n.to_bytes(4, "little") + decoded[start:stop]


def _variable(key: str, packed: bytes, first: int) -> list[str]:
    try:
        values: list[str] = VLenUTF8().decode(packed).tolist()
    except UnicodeDecodeError:
        raise _undecodable(key, packed, first) from None
    except Exception as error:
        raise ChunkProblem(DAMAGED, key, f"{type(error).__name__}: {error}") from None
    return values


def _undecodable(key: str, packed: bytes, first: int) -> ChunkProblem:
    try:
        raw = VLenBytes().decode(packed)
    except ValueError as error:
        # A damaged length cuts a text, or reads into the next one, before it ends beyond the chunk.
        return ChunkProblem(DAMAGED, key, f"{type(error).__name__}: {error}")
    bad = next(i for i, value in enumerate(raw) if not _is_utf8(value))
    return ChunkProblem(UNDECODABLE, key, repr(bytes(raw[bad])[:40]), first + bad)


def file_problem(path: Path, receipt: ChunkReceipt) -> str | None:
    """Why a file of any size is not what its receipt says, None when it is."""
    size = crc = 0
    try:
        with _regular(path) as file:
            while piece := file.read(_PIECE_BYTES):
                size, crc = size + len(piece), google_crc32c.extend(crc, piece)
    except OSError as error:
        return "the file that was written is missing" if isinstance(error, FileNotFoundError) else str(error)
    if size != receipt.size:
        return f"{size} bytes instead of {receipt.size}"
    return None if crc == receipt.crc32c else "the checksum differs"


def receipt_problem(payload: bytes | None, receipt: ChunkReceipt) -> str | None:
    """Why a file is not what its receipt says, None when it is."""
    if receipt.size == 0:
        return None if payload is None else "a chunk that should hold only fill value has a file"
    if payload is None:
        return "the file that was written is missing"
    if len(payload) != receipt.size:
        return f"{len(payload)} bytes instead of {receipt.size}"
    return None if google_crc32c.value(payload) == receipt.crc32c else "the checksum differs"


def read_regular(path: Path) -> bytes:
    """Content of a regular file; a pipe or device, which could block for ever, is an error.

    Raises
    ------
    OSError
        When the file cannot be read, is not a regular one, or is larger than any chunk can be.
    """
    with _regular(path) as file:
        if os.fstat(file.fileno()).st_size > MOST_FILE_BYTES:
            raise OSError("larger than any chunk can be")
        return file.readall()


def _regular(path: Path) -> FileIO:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = FileIO(descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError("not a regular file")
    return file


_OWN = threading.local()


def _buffer(nbytes: int) -> NDArray[np.uint8]:
    # Fresh memory costs more than decoding into it: the kernel has to clear every page.
    held: NDArray[np.uint8] | None = getattr(_OWN, "buffer", None)
    if held is None or held.nbytes < nbytes:
        held = _OWN.buffer = np.empty(nbytes, np.uint8)
    return held[:nbytes]


def _texts(key: str, values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "U":
        try:
            return [str(value) for value in values.tolist()]
        except ValueError as error:
            raise ChunkProblem(UNDECODABLE, key, str(error)) from None
    if values.dtype.kind != "S" and not all(isinstance(value, bytes) for value in values.tolist()):
        return [str(value) for value in values.tolist()]
    try:
        return [value.decode() for value in values.tolist()]
    except UnicodeDecodeError:
        bad = next(i for i, value in enumerate(values.tolist()) if not _is_utf8(value))
        raise ChunkProblem(UNDECODABLE, key, repr(bytes(values[bad])[:40]), bad) from None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True

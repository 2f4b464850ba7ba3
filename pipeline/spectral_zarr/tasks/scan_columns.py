"""Scanning the (N_spec,) arrays: every chunk decoded once, every rule on columns applied to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract import schema
from spectral_zarr.contract.columns import (
    Spans,
    bin_spans,
    check_intensity,
    check_method,
    check_number,
    check_param,
    check_text,
)
from spectral_zarr.contract.rows import Counted, Offences
from spectral_zarr.store.chunk_reader import ArrayReader, ChunkProblem
from spectral_zarr.store.documents import TEXT, ArrayLayout
from spectral_zarr.store.proof import proof_of
from spectral_zarr.tasks.scan import unpack

LONGEST_HASHED = 256

FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz", ".mxlo", ".fits.z")


@dataclass(frozen=True, slots=True)
class ColumnsTask:
    """Rows of the (N_spec,) arrays to scan.

    Attributes
    ----------
    continuum, no_continuum, garbage, shortest, longest : bytes
        What the scan of the cubes found for these rows, as in `RowsScan`.
    """

    store: str
    start: int
    stop: int
    columns: tuple[ArrayLayout, ...]
    continuum: bytes = b""
    no_continuum: bytes = b""
    garbage: bytes = b""
    shortest: bytes = b""
    longest: bytes = b""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class ColumnsScan:
    """What was found in a block of the columns.

    Attributes
    ----------
    spans : Spans
        Ranges of wavelengths by instrument.
    identifiers : bytes
        A hash of 8 bytes for each ``spec_id``, empty without that array.
    from_fits : bool
        Whether some row names a FITS file.
    """

    start: int
    stop: int
    counted: Counted
    spans: Spans = field(default_factory=dict)
    identifiers: bytes = b""
    from_fits: bool = False


class _Damaged(Exception):
    """A chunk cannot be used; it has been counted."""


class Columns:
    """Values of a range of rows, array by array."""

    def __init__(self, task: ColumnsTask, offences: Offences) -> None:
        self._store = Path(task.store)
        self._rows = range(task.start, task.stop)
        self._layouts = {layout.path: layout for layout in task.columns}
        self._receipts = proof_of(task.proof).columns() if task.proof else None
        self._offences = offences

    def read(self, path: str) -> Any:
        """Numbers as an array, text as a list; None when the array is absent or a chunk of it is damaged."""
        layout = self._layouts.get(path)
        if layout is None:
            return None
        try:
            if layout.kind == TEXT:
                return [text for _, texts in self.texts(layout) for text in texts]
            return self._numbers(layout)
        except _Damaged:
            return None

    def texts(self, layout: ArrayLayout) -> Iterator[tuple[int, list[str]]]:
        """First row and texts of consecutive pieces of the range.

        Raises
        ------
        _Damaged
            When a chunk cannot be used, which has been counted; pieces before it have been given.
        """
        done = self._rows.start
        for index, reader in self._chunks(layout):
            first = index * layout.chunks[0]
            with self._counting(layout, first):
                for texts in reader.texts(index):
                    low, high = max(first, self._rows.start), min(first + len(texts), self._rows.stop)
                    if low < high:
                        if done < low:
                            yield done, [layout.fill_text] * (low - done)
                        yield low, texts[low - first : high - first]
                        done = high
                    first += len(texts)
        if done < self._rows.stop:
            yield done, [layout.fill_text] * (self._rows.stop - done)

    def _numbers(self, layout: ArrayLayout) -> NDArray[Any]:
        values = np.full(len(self._rows), layout.fill, layout.dtype)
        for index, reader in self._chunks(layout):
            first = index * layout.chunks[0]
            with self._counting(layout, first):
                chunk = reader.numbers(index)
            if chunk is not None:
                inside = chunk[max(self._rows.start - first, 0) : self._rows.stop - first]
                start = max(first - self._rows.start, 0)
                values[start : start + len(inside)] = inside
        return values

    def _chunks(self, layout: ArrayLayout) -> Iterator[tuple[int, ArrayReader]]:
        receipts = None if self._receipts is None else self._receipts.get(layout.path, {})
        reader = ArrayReader(self._store, layout, receipts)
        length = layout.chunks[0]
        present = reader.present(range(self._rows.start // length, -(-self._rows.stop // length)))
        return ((index, reader) for index in present)

    @contextmanager
    def _counting(self, layout: ArrayLayout, first: int) -> Iterator[None]:
        """Count what is wrong with the chunk that begins at row `first`."""
        try:
            yield
        except ChunkProblem as problem:
            where = f"{layout.path}/{problem.key}"
            self._offences.note(problem.symptom, where, problem.reason, [first + problem.offset])
            raise _Damaged from None


def scan_columns(task: ColumnsTask) -> ColumnsScan:
    """Apply the rules on (N_spec,) arrays to a block of rows."""
    offences = Offences()
    columns = Columns(task, offences)
    numeric = [layout.path for layout in task.columns if layout.kind != TEXT]
    missing: dict[str, NDArray[np.bool_]] = {}
    for path in (path for path in numeric if path.startswith("params/")):
        values = columns.read(path)
        if values is not None and values.dtype.kind == "f":
            missing[path.removeprefix("params/")] = np.isnan(values)
    for path in numeric:
        values = columns.read(path)
        if values is None:
            continue
        if path.startswith("params/") and values.dtype.kind == "f":
            check_param(offences, path, task.start, values, missing)
        elif path.startswith("metadata/"):
            check_number(offences, path, task.start, values)
    kept: dict[str, list[str]] = {}
    identifiers, from_fits = b"", False
    for layout in (layout for layout in task.columns if layout.kind == TEXT):
        # What is found in a column counts only when all of it can be read.
        found, rows = Offences(), _TextRows()
        with suppress(_Damaged):
            for first, texts in columns.texts(layout):
                check_text(found, layout.path, first, texts)
                rows.add(layout.path, texts)
            offences.merge(found.counted())
            kept |= {layout.path: rows.kept} if layout.path in _KEPT else {}
            identifiers += rows.identifiers
            from_fits |= rows.from_fits
    return ColumnsScan(
        start=task.start,
        stop=task.stop,
        counted=_cross_check(task, columns, kept, offences),
        spans=_spans(task, kept),
        identifiers=identifiers,
        from_fits=from_fits,
    )


_KEPT = frozenset({schema.METHOD, "metadata/source_type", "metadata/flux_type", "metadata/instrument"})


class _TextRows:
    """What is kept of a text column.

    Attributes
    ----------
    kept : list of str
        All texts of a column that is compared with others; it repeats a few words, which are held once.
    identifiers : bytes
        Hashes of the identifiers.
    from_fits : bool
        Whether some text is the name of a FITS file.
    """

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.identifiers = b""
        self.from_fits = False
        self._words: dict[str, str] = {}

    def add(self, path: str, texts: list[str]) -> None:
        """Add the next texts of a column."""
        if path in _KEPT:
            self.kept += [self._words.setdefault(text, text) for text in texts]
        elif path == "metadata/spec_id":
            self.identifiers += _hashes(texts)
        elif path == "metadata/source_file":
            self.from_fits |= any(name.lower().endswith(FITS_SUFFIXES) for name in texts)


def _cross_check(task: ColumnsTask, columns: Columns, kept: dict[str, list[str]], offences: Offences) -> Counted:
    n_rows = task.stop - task.start
    if schema.METHOD in kept and task.continuum:
        has, has_not = unpack(task.continuum, n_rows), unpack(task.no_continuum, n_rows)
        check_method(offences, task.start, kept[schema.METHOD], has, has_not)
    if schema.FluxType.INTENSITY in kept.get("metadata/flux_type", []):
        check_intensity(offences, task.start, kept["metadata/flux_type"], columns.read("params/mu"))
    if task.garbage:
        garbage = unpack(task.garbage, n_rows)
        types = kept.get("metadata/source_type")
        observed = [kind == schema.SourceType.OBSERVED for kind in types] if types else [True] * n_rows
        offences.add("S-09/garbage", schema.FLUX, task.start + np.flatnonzero(garbage & observed))
    return offences.counted()


def _spans(task: ColumnsTask, kept: dict[str, list[str]]) -> Spans:
    if not task.shortest:
        return {}
    shortest, longest = (np.frombuffer(ends, "<f4").astype(np.float64) for ends in (task.shortest, task.longest))
    return bin_spans(task.start, kept.get("metadata/instrument") or [""] * shortest.size, shortest, longest)


_ODD = 0x9E3779B97F4A7C15


def _hashes(texts: list[str]) -> bytes:
    """Eight bytes a text, the same for the same text in whatever company; equal hashes are compared afterwards."""
    if not texts:
        return b""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    # One long text would make all of them as wide.
    short = [one if len(one) <= LONGEST_HASHED else hashlib.sha256(one).digest() for one in encoded]
    packed = np.array(short, np.bytes_)
    words = packed.astype(f"S{-(-packed.itemsize // 8) * 8}").view("<u8").reshape(len(texts), -1)
    total = np.zeros(len(texts), np.uint64)
    for position in range(words.shape[1]):
        word = words[:, position]
        # A word of padding adds nothing, so that the width of the others does not matter.
        total += (word ^ (word >> np.uint64(29))) * np.uint64(pow(_ODD, position + 1, 2**64))
    return total.astype("<u8").tobytes()


def equal_hashes(identifiers: Sequence[bytes]) -> list[int]:
    """Rows whose identifier may occur in another row, in order.

    Parameters
    ----------
    identifiers : sequence of bytes
        Hashes of 8 bytes a row, block by block.
    """
    hashes = np.frombuffer(b"".join(identifiers), "<u8")
    order = np.argsort(hashes, kind="stable")
    equal = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    rows: list[int] = np.unique(np.concatenate([order[equal], order[equal + 1]])).tolist()
    return rows


@dataclass(frozen=True, slots=True)
class RepeatedTask:
    """Rows whose identifiers have the hash of another one."""

    store: str
    layout: ArrayLayout
    rows: tuple[int, ...]
    proof: str = ""


def scan_repeated(task: RepeatedTask) -> list[int]:
    """Rows whose identifier is that of an earlier row."""
    length = task.layout.chunks[0]
    held, values = -1, [""]
    seen: set[str] = set()
    found = []
    for row in task.rows:
        if row // length != held:
            held = row // length
            block = range(held * length, min((held + 1) * length, task.layout.shape[0]))
            columns = ColumnsTask(task.store, block.start, block.stop, (task.layout,), proof=task.proof)
            values = Columns(columns, Offences()).read(task.layout.path)
        text = values[row - held * length]
        if text in seen:
            found.append(row)
        seen.add(text)
    return found

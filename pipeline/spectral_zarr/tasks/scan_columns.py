"""Scanning the (N_spec,) arrays, the common wavelength, the index and the other files of a store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract import schema
from spectral_zarr.contract.columns import (
    Centres,
    bin_centres,
    check_intensity,
    check_method,
    check_number,
    check_param,
    check_simulator,
    check_text,
)
from spectral_zarr.contract.cubes import WavelengthRows
from spectral_zarr.contract.rows import Counted, Offences
from spectral_zarr.store.chunk_reader import NOT_AS_WRITTEN, ArrayReader, ChunkProblem, file_problem
from spectral_zarr.store.columns import INDEX
from spectral_zarr.store.documents import TEXT, ArrayLayout
from spectral_zarr.store.index import IndexColumns, differing_rows
from spectral_zarr.store.proof import NO_ARRAY, proof_of
from spectral_zarr.tasks.scan import unpack

LONGEST_HASHED = 256

FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz", ".mxlo", ".fits.z")


@dataclass(frozen=True, slots=True)
class ColumnsTask:
    """Rows of the (N_spec,) arrays to scan.

    Attributes
    ----------
    continuum, no_continuum, garbage, centres : bytes
        What the scan of the cubes found for these rows, as in `RowsScan`.
    """

    store: str
    start: int
    stop: int
    columns: tuple[ArrayLayout, ...]
    continuum: bytes = b""
    no_continuum: bytes = b""
    garbage: bytes = b""
    centres: bytes = b""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class ColumnsScan:
    """What was found in a block of the columns.

    Attributes
    ----------
    centres : Centres
        Central wavelengths by instrument.
    identifiers : bytes
        A hash of 8 bytes for each ``spec_id``, empty without that array.
    from_fits : bool
        Whether some row names a FITS file.
    """

    start: int
    stop: int
    counted: Counted
    centres: Centres = field(default_factory=dict)
    identifiers: bytes = b""
    from_fits: bool = False


class _Columns:
    """Values of a range of rows, array by array."""

    def __init__(self, task: ColumnsTask, offences: Offences) -> None:
        self._store = Path(task.store)
        self._rows = range(task.start, task.stop)
        self._layouts = {layout.path: layout for layout in task.columns}
        self._receipts = proof_of(task.proof).columns() if task.proof else None
        self._offences = offences

    def __contains__(self, path: str) -> bool:
        return path in self._layouts

    def read(self, path: str) -> Any:
        """Numbers as an array, text as a list; None when the array is absent or a chunk of it is damaged."""
        layout = self._layouts.get(path)
        if layout is None:
            return None
        receipts = None if self._receipts is None else self._receipts.get(path, {})
        reader = ArrayReader(self._store, layout, receipts)
        text, first_row, n_rows = layout.kind == TEXT, self._rows.start, len(self._rows)
        values: Any = [layout.fill_text] * n_rows if text else np.full(n_rows, layout.fill, layout.dtype)
        for index in reader.present(range(first_row // layout.chunks[0], -(-self._rows.stop // layout.chunks[0]))):
            first = index * layout.chunks[0]
            try:
                chunk = reader.texts(index) if text else reader.numbers(index)
            except ChunkProblem as problem:
                row = first + problem.offset
                self._offences.note(problem.symptom, f"{path}/{problem.key}", problem.reason, [row])
                return None
            if chunk is not None:
                inside = chunk[max(first_row - first, 0) : self._rows.stop - first]
                start = max(first - first_row, 0)
                values[start : start + len(inside)] = inside
        return values


def scan_columns(task: ColumnsTask) -> ColumnsScan:
    """Apply the rules on (N_spec,) arrays to a block of rows."""
    offences = Offences()
    columns = _Columns(task, offences)
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
    for layout in task.columns:
        if layout.kind == TEXT and (texts := columns.read(layout.path)) is not None:
            check_text(offences, layout.path, task.start, texts)
            if layout.path in _KEPT:
                kept[layout.path] = _shared(texts)
            elif layout.path == "metadata/spec_id":
                identifiers = _hashes(texts)
            elif layout.path == "metadata/source_file":
                from_fits = any(name.lower().endswith(FITS_SUFFIXES) for name in texts)
    return ColumnsScan(
        start=task.start,
        stop=task.stop,
        counted=_cross_check(task, columns, kept, offences),
        centres=_centres(task, kept),
        identifiers=identifiers,
        from_fits=from_fits,
    )


_KEPT = frozenset({schema.METHOD, "metadata/source_type", "metadata/flux_type", "metadata/instrument"})


def _shared(texts: list[str]) -> list[str]:
    """The same texts, equal ones as one object: these columns repeat a few words."""
    known: dict[str, str] = {}
    return [known.setdefault(text, text) for text in texts]


def _cross_check(task: ColumnsTask, columns: _Columns, kept: dict[str, list[str]], offences: Offences) -> Counted:
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


def _centres(task: ColumnsTask, kept: dict[str, list[str]]) -> Centres:
    if not task.centres:
        return {}
    centres = np.frombuffer(task.centres, "<f4").astype(np.float64)
    return bin_centres(task.start, kept.get("metadata/instrument") or [""] * centres.size, centres)


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


@dataclass(frozen=True, slots=True)
class RestTask:
    """Everything of a store that is not cut into blocks of rows."""

    store: str
    n_spec: int
    wavelength: ArrayLayout | None
    factor: float
    index: tuple[tuple[str, ArrayLayout | None], ...]
    step: int
    proof: str = ""


def scan_columns_or_rest(task: ColumnsTask | RestTask) -> ColumnsScan:
    """Run either kind of task, so that both can be under way at the same time."""
    return scan_columns(task) if isinstance(task, ColumnsTask) else ColumnsScan(0, 0, scan_rest(task))


def scan_rest(task: RestTask) -> Counted:
    """Check the common wavelength, compare the index with the arrays, and files with their receipts."""
    offences = Offences()
    if task.wavelength is not None:
        _scan_grid(task, task.wavelength, offences)
    index_is_whole = not task.proof or _files_are_whole(task, offences)
    if task.index and index_is_whole:
        _compare_index(task, offences)
    return offences.counted()


def _scan_grid(task: RestTask, layout: ArrayLayout, offences: Offences) -> None:
    receipts = proof_of(task.proof).columns().get(layout.path, {}) if task.proof else None
    reader = ArrayReader(Path(task.store), layout, receipts)
    rows = WavelengthRows(layout.path, 0, 1, task.factor)
    finite = True
    for index in range(layout.grid[0]):
        try:
            values = reader.numbers(index)
        except ChunkProblem as problem:
            offences.note(problem.symptom, f"{layout.path}/{problem.key}", problem.reason)
            return
        first = index * layout.chunks[0]
        if values is None:
            values = np.full(min(layout.chunks[0], layout.shape[0] - first), layout.fill, np.dtype(layout.dtype))
        finite &= bool(np.isfinite(values).all())
        rows.add(first, values[None, :])
    if not finite:
        offences.note("S-02/not_finite", layout.path, "")
        return
    found = Offences()
    rows.report(found)
    for symptom, where in found.counted():
        offences.note(symptom, where, "")


def _compare_index(task: RestTask, offences: Offences) -> None:
    index = IndexColumns(Path(task.store))
    for name, layout in task.index:
        for start, piece in index.pieces([name], task.step):
            column = piece[name]
            offences.add("I-03/null", f"index.parquet:{name}", start + np.flatnonzero(column.null))
            # Damaged chunks are reported by the scan of the columns.
            stored = None if layout is None else _stored(task, layout, start, start + len(column.values))
            if stored is not None:
                rows = differing_rows(column, stored)
                offences.add("I-02/differs", f"index.parquet:{name}", start + rows)
    compared = {name for name, _ in task.index}
    if compared.issuperset(_MODEL):
        for start, piece in index.pieces(_MODEL, task.step):
            source_types, simulators = (_shared(piece[name].values) for name in _MODEL)
            check_simulator(offences, "index.parquet:simulator", start, source_types, simulators)
    # The others are decoded as well: readers of the whole file fail when one of them is damaged.
    for name in index.names:
        if name not in compared:
            index.read(name, task.step)
    if index.problem:
        offences.note("Z-03/damaged", "index.parquet", index.problem)


_MODEL = ("source_type", "simulator")


def _stored(task: RestTask, layout: ArrayLayout, start: int, stop: int) -> Any:
    block = ColumnsTask(task.store, start, stop, (layout,), proof=task.proof)
    return _Columns(block, Offences()).read(layout.path)


def _files_are_whole(task: RestTask, offences: Offences) -> bool:
    store, damaged = Path(task.store), set()
    for key, receipt in proof_of(task.proof).columns().get(NO_ARRAY, {}).items():
        if (problem := file_problem(store / key, receipt)) is not None:
            offences.note(NOT_AS_WRITTEN, key, problem)
            damaged.add(key)
    return INDEX not in damaged


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
            values = _Columns(columns, Offences()).read(task.layout.path)
        text = values[row - held * length]
        if text in seen:
            found.append(row)
        seen.add(text)
    return found

"""Cutting a store into scan tasks, and putting together what they found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from spectral_zarr.contract import schema
from spectral_zarr.contract.columns import Spans, check_repeated, check_spans, merge_spans
from spectral_zarr.contract.cubes import FirstGrid
from spectral_zarr.contract.facts import RowFacts
from spectral_zarr.contract.rows import FIRST_ROWS, Counted, Offences
from spectral_zarr.contract.rules.layout import MOST_PIXELS, MOST_SPECTRA
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.store.audit import Structure
from spectral_zarr.store.documents import LONGEST_ROW, TEXT, ArrayLayout
from spectral_zarr.store.proof import proof_of
from spectral_zarr.tasks.scan import SCAN_BYTES, RowsScan, RowsTask, unpack
from spectral_zarr.tasks.scan_columns import ColumnsScan, ColumnsTask, RepeatedTask, equal_hashes
from spectral_zarr.tasks.scan_rest import RestTask

_INDEXED = {
    **{name: f"metadata/{name}" for name in ("spec_id", "source_type", "instrument", "simulator", "snr")},
    **{name: f"params/{name}" for name in ("teff", "logg", "feh")},
}


LONGEST_BLOCK = 1 << 22
"""Rows of a block of columns, however long their chunks say they are."""


class _PerRow:
    """A value for each row, held for blocks of which something is known; it is zero elsewhere."""

    def __init__(self, step: int, dtype: DTypeLike) -> None:
        self._step = step
        self._dtype = np.dtype(dtype)
        self._held: dict[int, NDArray[Any]] = {}

    def put(self, start: int, values: NDArray[Any]) -> None:
        stop = start + len(values)
        for block in range(start // self._step, -(-stop // self._step)):
            first = block * self._step
            held = self._held.setdefault(block, np.zeros(self._step, self._dtype))
            low, high = max(start, first), min(stop, first + self._step)
            held[low - first : high - first] = values[low - start : high - start]

    def get(self, start: int, stop: int) -> NDArray[Any]:
        """Values of rows of one block."""
        block = start // self._step
        held = self._held.get(block)
        return (
            np.zeros(stop - start, self._dtype) if held is None else held[start - block * self._step :][: stop - start]
        )


class Gathering:
    """The scan of one store.

    Parameters
    ----------
    store : Path
        Directory of the store.
    structure : Structure
        Its structure.
    proof : str
        Published path whose build directory has the receipts, '' without receipts.

    Attributes
    ----------
    nbytes : int
        Bytes of spectral arrays that were decoded.
    """

    def __init__(self, store: Path, structure: Structure, proof: str) -> None:
        self._store = str(store)
        self._structure = structure
        self._proof = proof
        facts = structure.facts
        sane = 0 < facts.n_spec <= MOST_SPECTRA and 0 < facts.n_pix <= MOST_PIXELS
        self.n_spec, self._n_pix = (facts.n_spec, facts.n_pix) if sane else (0, 0)
        self._cubes = _cubes(structure, self.n_spec, self._n_pix)
        self._columns = _columns(structure, self.n_spec)
        units = facts.arrays[schema.WAVELENGTH].attributes.get("units") if schema.WAVELENGTH in facts.arrays else None
        factor = wavelength_factor(units) if isinstance(units, str) else None
        self._factor = float("nan") if factor is None else factor
        self._offences = Offences()
        self._finite: set[str] = set()
        self._grids: list[FirstGrid] = []
        self._one_grid = True
        self._from_fits = False
        self._spans: Spans = {}
        self._identifiers: dict[int, bytes] = {}
        self.nbytes = 0
        self._step = min(LONGEST_BLOCK, max([schema.ARRAYS_1D_CHUNK, *(one.chunks[0] for one in self._columns)]))
        self._continuum, self._no_continuum, self._garbage = (_PerRow(self._step, np.bool_) for _ in range(3))
        self._shortest, self._longest = (_PerRow(self._step, "<f4") for _ in range(2))
        self._alike: dict[int, int] = {}

    @property
    def _ragged(self) -> bool:
        return any(layout.path == schema.WAVELENGTH for layout in self._cubes)

    def row_tasks(self) -> Iterator[RowsTask]:
        """Blocks of whole chunk rows; rows without any file are reported and not scanned."""
        if not self._cubes:
            return
        first = next((layout for layout in self._cubes if layout.path == schema.FLUX), self._cubes[0])
        length = first.chunks[0]
        step = max(1, SCAN_BYTES // max(1, length * first.shape[1] * first.itemsize))
        done = 0
        for rows in self._with_files(self._cubes, length):
            self._skip(done, rows.start)
            for start in range(rows.start, rows.stop, step * length):
                stop = min(start + step * length, rows.stop)
                yield RowsTask(self._store, start, stop, self._cubes, self._factor, self._proof)
            done = rows.stop
        self._skip(done, self.n_spec)

    def _with_files(self, layouts: tuple[ArrayLayout, ...], length: int) -> list[range]:
        """Rows of which some array has a file, or should have one, in whole blocks."""
        found = [range(min(self.n_spec, proof_of(self._proof).plan.n_spec))] if self._proof else []
        for layout in layouts:
            height = layout.chunks[0]
            present = self._structure.chunk_rows.get(layout.path, ())
            found += [range(row * height, (row + 1) * height) for row in present]
        merged: list[range] = []
        for rows in sorted(found, key=lambda rows: rows.start):
            start, stop = rows.start // length * length, min(-(-rows.stop // length) * length, self.n_spec)
            if merged and start <= merged[-1].stop:
                merged[-1] = range(merged[-1].start, max(stop, merged[-1].stop))
            else:
                merged.append(range(start, stop))
        return merged

    def _skip(self, start: int, stop: int) -> None:
        for layout in self._cubes:
            empty = layout.fill != layout.fill or layout.fill == 0
            if layout.path == schema.FLUX and empty:
                self._offences.add("Q-02/empty", layout.path, range(start, stop))
            elif layout.path == schema.WAVELENGTH:
                self._offences.add("S-04/gap", layout.path, range(start, stop))

    def take_rows(self, scan: RowsScan) -> None:
        """Add what the scan of a block of rows found."""
        self._offences.merge(scan.counted)
        self._finite.update(scan.finite)
        self.nbytes += scan.nbytes
        self._one_grid &= scan.one_grid
        self._grids += scan.grids[:1] if self._grids else scan.grids
        self._one_grid &= all(grid.agrees(self._grids[0]) for grid in scan.grids)
        del self._grids[1:]
        if self._columns:
            n_rows = scan.stop - scan.start
            self._continuum.put(scan.start, unpack(scan.continuum, n_rows))
            self._no_continuum.put(scan.start, unpack(scan.no_continuum, n_rows))
            self._garbage.put(scan.start, unpack(scan.garbage, n_rows))
            self._shortest.put(scan.start, np.frombuffer(scan.shortest, "<f4"))
            self._longest.put(scan.start, np.frombuffer(scan.longest, "<f4"))

    def column_tasks(self) -> Iterator[ColumnsTask]:
        """Blocks of the (N_spec,) arrays, as long as their longest chunk; of rows without any file, the first few."""
        if not self._columns:
            return
        done = 0
        for rows in [*self._with_files((*self._columns, *self._cubes), self._step), range(self.n_spec, self.n_spec)]:
            if done < rows.start:
                # Rows that are nothing but fill values are all alike.
                self._alike[done] = rows.start - done
                yield self._block(done, min(done + FIRST_ROWS, rows.start))
            for start in range(rows.start, rows.stop, self._step):
                yield self._block(start, min(start + self._step, rows.stop))
            done = rows.stop

    def _block(self, start: int, stop: int) -> ColumnsTask:
        return ColumnsTask(
            store=self._store,
            start=start,
            stop=stop,
            columns=self._columns,
            continuum=np.packbits(self._continuum.get(start, stop)).tobytes(),
            no_continuum=np.packbits(self._no_continuum.get(start, stop)).tobytes(),
            garbage=np.packbits(self._garbage.get(start, stop)).tobytes(),
            shortest=self._shortest.get(start, stop).tobytes() if self._ragged else b"",
            longest=self._longest.get(start, stop).tobytes() if self._ragged else b"",
            proof=self._proof,
        )

    def take_columns(self, scan: ColumnsScan) -> None:
        """Add what the scan of a block of columns found."""
        shown, alike = scan.stop - scan.start, self._alike.get(scan.start, 0)
        if shown and alike > shown:
            counted = {key: replace(count, number=count.number * alike // shown) for key, count in scan.counted.items()}
            self._offences.merge(counted)
            if any(layout.path == "metadata/spec_id" for layout in self._columns):
                self._offences.add("M-04/repeated", "metadata/spec_id", range(scan.start + 1, scan.start + alike))
            self._from_fits |= scan.from_fits
            return
        self._offences.merge(scan.counted)
        merge_spans(self._spans, scan.spans)
        self._from_fits |= scan.from_fits
        if scan.identifiers:
            self._identifiers[scan.start] = scan.identifiers

    def rest_task(self) -> RestTask:
        """Everything that is not cut into rows."""
        facts, layouts = self._structure.facts, self._structure.layouts
        grid = layouts.get(schema.WAVELENGTH)
        common = grid is not None and grid.shape == (self._n_pix,) and not grid.refused and grid.kind != TEXT
        # So many chunks are tiny, which is a finding of its own.
        common = common and grid is not None and grid.grid[0] <= LONGEST_ROW
        index = facts.index
        readable = {layout.path: layout for layout in self._columns}
        listed = index.columns if index is not None and index.rows == self.n_spec else {}
        return RestTask(
            store=self._store,
            n_spec=self.n_spec,
            wavelength=grid if common else None,
            factor=self._factor,
            index=tuple((name, readable.get(path)) for name, path in _INDEXED.items() if name in listed),
            step=self._step if self._columns else schema.ARRAYS_1D_CHUNK,
            proof=self._proof,
        )

    def take(self, counted: Counted) -> None:
        """Add what was found elsewhere."""
        self._offences.merge(counted)

    def repeated_tasks(self) -> Iterator[RepeatedTask]:
        """What tells repeated identifiers from equal hashes, when the columns have been taken."""
        layout = next((one for one in self._columns if one.path == "metadata/spec_id"), None)
        blocks = [self._identifiers[start] for start in sorted(self._identifiers)]
        if layout is not None and sum(map(len, blocks)) == 8 * self.n_spec and (rows := equal_hashes(blocks)):
            yield RepeatedTask(self._store, layout, tuple(rows), self._proof)

    def take_repeated(self, rows: list[int]) -> None:
        """Add rows whose identifier is that of an earlier row."""
        self._offences.add("M-04/repeated", "metadata/spec_id", rows)

    def facts(self) -> RowFacts:
        """What was found in all rows together."""
        check_spans(self._offences, schema.WAVELENGTH, self._spans)
        check_repeated(self._offences)
        return self._offences.facts(
            finite=self._finite, one_grid=self._ragged and self._one_grid, from_fits=self._from_fits
        )


def _cubes(structure: Structure, n_spec: int, n_pix: int) -> tuple[ArrayLayout, ...]:
    # The wavelength comes first: the others are compared with its padding.
    paths = (schema.WAVELENGTH, *schema.CUBES)
    found = (structure.layouts[path] for path in paths if path in structure.layouts)
    return tuple(
        layout
        for layout in found
        if n_spec and layout.shape == (n_spec, n_pix) and not layout.refused and layout.is_number
    )


def _columns(structure: Structure, n_spec: int) -> tuple[ArrayLayout, ...]:
    return tuple(
        layout
        for path, layout in sorted(structure.layouts.items())
        if n_spec
        and layout.shape == (n_spec,)
        and not layout.refused
        and (layout.is_number or layout.kind == TEXT)
        and (path == schema.METHOD or (path.split("/")[0] in ("params", "metadata") and path.count("/") == 1))
    )

"""Cutting a store into scan tasks, and putting together what they found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spectral_zarr.contract import schema
from spectral_zarr.contract.columns import Centres, check_centres, check_repeated, merge_centres
from spectral_zarr.contract.cubes import FirstGrid
from spectral_zarr.contract.facts import RowFacts
from spectral_zarr.contract.rows import Counted, Offences
from spectral_zarr.contract.rules.layout import MOST_SPECTRA
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.store.audit import Structure
from spectral_zarr.store.documents import TEXT, ArrayLayout
from spectral_zarr.tasks.scan import SCAN_BYTES, RowsScan, RowsTask, unpack
from spectral_zarr.tasks.scan_columns import ColumnsScan, ColumnsTask, RestTask, identifiers_of, repeated

_INDEXED = {
    **{name: f"metadata/{name}" for name in ("spec_id", "source_type", "instrument", "simulator", "snr")},
    **{name: f"params/{name}" for name in ("teff", "logg", "feh")},
}


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
        sane = 0 < facts.n_spec <= MOST_SPECTRA and 0 < facts.n_pix <= MOST_SPECTRA
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
        self._centres: Centres = {}
        self._identifiers: dict[int, bytes] = {}
        self.nbytes = 0
        length = self.n_spec if self._columns else 0
        self._continuum = np.zeros(length, np.bool_)
        self._no_continuum = np.zeros(length, np.bool_)
        self._garbage = np.zeros(length, np.bool_)
        self._middle = np.full(length if self._ragged else 0, np.nan, "<f4")

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
        start = stop = 0
        for index in range(-(-self.n_spec // length)) if self._proof else self._with_files(length):
            if index != stop or index - start >= step:
                yield from self._task(start * length, stop * length)
                self._skip(stop * length, index * length)
                start = index
            stop = index + 1
        yield from self._task(start * length, min(stop * length, self.n_spec))
        self._skip(stop * length, self.n_spec)

    def _with_files(self, length: int) -> list[int]:
        found: set[int] = set()
        for layout in self._cubes:
            height = layout.chunks[0]
            for row in self._structure.chunk_rows.get(layout.path, ()):
                found.update(range(row * height // length, -(-min((row + 1) * height, self.n_spec) // length)))
        return sorted(found)

    def _task(self, start: int, stop: int) -> Iterator[RowsTask]:
        if start < stop:
            yield RowsTask(self._store, start, stop, self._cubes, self._factor, self._proof)

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
        rows, n_rows = slice(scan.start, scan.stop), scan.stop - scan.start
        if self._continuum.size and scan.continuum:
            self._continuum[rows] |= unpack(scan.continuum, n_rows)
            self._no_continuum[rows] |= unpack(scan.no_continuum, n_rows)
            self._garbage[rows] |= unpack(scan.garbage, n_rows)
        if self._middle.size and scan.centres:
            self._middle[rows] = np.frombuffer(scan.centres, "<f4")

    def column_tasks(self) -> Iterator[ColumnsTask]:
        """Blocks of the (N_spec,) arrays, as long as their longest chunk."""
        if not self._columns:
            return
        for start in range(0, self.n_spec, self._step):
            stop = min(start + self._step, self.n_spec)
            yield ColumnsTask(
                store=self._store,
                start=start,
                stop=stop,
                columns=self._columns,
                continuum=np.packbits(self._continuum[start:stop]).tobytes(),
                no_continuum=np.packbits(self._no_continuum[start:stop]).tobytes(),
                garbage=np.packbits(self._garbage[start:stop]).tobytes(),
                centres=self._middle[start:stop].tobytes(),
                proof=self._proof,
            )

    @property
    def _step(self) -> int:
        return max([schema.ARRAYS_1D_CHUNK, *(layout.chunks[0] for layout in self._columns)])

    def take_columns(self, scan: ColumnsScan) -> None:
        """Add what the scan of a block of columns found."""
        self._offences.merge(scan.counted)
        merge_centres(self._centres, scan.centres)
        self._from_fits |= scan.from_fits
        if scan.identifiers:
            self._identifiers[scan.start] = scan.identifiers

    def rest_task(self) -> RestTask:
        """Everything that is not cut into rows."""
        facts, layouts = self._structure.facts, self._structure.layouts
        grid = layouts.get(schema.WAVELENGTH)
        common = grid is not None and grid.shape == (self._n_pix,) and not grid.refused and grid.kind != TEXT
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

    def facts(self) -> RowFacts:
        """What was found in all rows together."""
        check_centres(self._offences, schema.WAVELENGTH, self._centres)
        check_repeated(self._offences)
        layout = next((one for one in self._columns if one.path == "metadata/spec_id"), None)
        blocks = [self._identifiers[start] for start in sorted(self._identifiers)]
        if layout is not None and sum(map(len, blocks)) == 8 * self.n_spec:
            rows = repeated(blocks, lambda wanted: identifiers_of(self._store, layout, wanted, self._proof))
            self._offences.add("M-04/repeated", layout.path, rows)
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

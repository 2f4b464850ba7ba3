"""Validation of every row: of a build against its receipts, and of any store through Zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import RowFacts, StoreFacts
from spectral_zarr.contract.findings import Finding
from spectral_zarr.contract.rows import Offences, check_cube, check_param, check_text, measured_rows
from spectral_zarr.contract.rules import check_rows, check_structure
from spectral_zarr.errors import DamagedBuild
from spectral_zarr.model import BlockReceipt, BlockTask, BuildPlan, ChunkReceipt
from spectral_zarr.store.arrays import cube_dtype
from spectral_zarr.store.audit import read_facts, read_index, read_rows
from spectral_zarr.store.chunks import read_chunk, read_encoded
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record
from spectral_zarr.tasks.placement import load_plan

SCAN_BYTES = 64 << 20
"""Decoded bytes of one array that a scan holds at a time."""


def verify_block(target: str, task: BlockTask) -> RowFacts:
    """Read one filled row block back, compare every chunk with its receipt, decode it and apply the row rules.

    Parameters
    ----------
    target : str
        Path of the store to be published.
    task : BlockTask
        The block.

    Returns
    -------
    RowFacts
    """
    paths = BuildPaths.of(target)
    plan = load_plan(target, task.plan_sha256)
    receipt = read_record(paths.block_receipt(task.block), BlockReceipt)
    rows = plan.block_rows(task.block)
    offences = Offences()
    measured = np.zeros(len(rows), dtype=np.bool_)
    for array in plan.arrays:
        pieces = [chunk for chunk in receipt.chunks if chunk.array == array]
        if len(pieces) != -(-plan.n_pix // plan.chunk_columns):
            offences.add("Q-06", array, [rows.start])
        ragged: list[NDArray[Any]] = []
        for chunk in pieces:
            try:
                values = _decode(paths.tmp, chunk, plan)
            except DamagedBuild:
                offences.add("Q-06", f"{array}/{chunk.key}", [rows.start])
                continue
            if values is None:
                continue
            values = values[: len(rows)]
            if array == schema.FLUX:
                measured |= measured_rows(values)
            if array == schema.WAVELENGTH:
                ragged.append(values)
            else:
                check_cube(offences, array, rows.start, values)
        if ragged:
            # The last chunk of a row is padded beyond N_pix.
            check_cube(offences, array, rows.start, np.concatenate(ragged, axis=1)[:, : plan.n_pix])
    offences.add("Q-02", schema.FLUX, rows.start + np.flatnonzero(~measured))
    return offences.facts()


def _decode(root: Path, chunk: ChunkReceipt, plan: BuildPlan) -> NDArray[Any] | None:
    return read_chunk(root, chunk, cube_dtype(chunk.array), (plan.chunk_rows, plan.chunk_columns))


def verify_columns(target: str) -> RowFacts:
    """Compare every chunk of the (N_spec,) arrays and of the common wavelength with its receipt."""
    paths = BuildPaths.of(target)
    offences = Offences()
    for chunk in read_record(paths.columns_receipt, BlockReceipt).chunks:
        try:
            read_encoded(paths.tmp, chunk)
        except DamagedBuild:
            offences.add("Q-06", f"{chunk.array}/{chunk.key}", [0])
    return offences.facts()


def scan_blocks(facts: StoreFacts) -> list[range]:
    """Row ranges that cut a store into whole chunk rows of bounded size, one per scan task."""
    flux = facts.arrays.get(schema.FLUX)
    if flux is None or len(flux.shape) != 2 or 0 in flux.shape:
        return []
    step = flux.chunks[0]
    step *= max(1, SCAN_BYTES // max(1, step * flux.shape[1] * flux.itemsize))
    return [range(start, min(start + step, flux.shape[0])) for start in range(0, flux.shape[0], step)]


def scan_block(store: str, facts: StoreFacts, rows: range) -> RowFacts:
    """Apply the row rules to a block of rows of every cube of any store, whose structure is `facts`."""
    path = Path(store)
    offences = Offences()
    for array, structure in facts.arrays.items():
        cube = len(structure.shape) == 2 and structure.shape[0] == facts.n_spec and structure.kind.startswith("float")
        if cube and (array in schema.CUBES or array == schema.WAVELENGTH):
            values = read_rows(path, array, slice(rows.start, rows.stop))
            check_cube(offences, array, rows.start, values)
            if array == schema.FLUX:
                offences.add("Q-02", array, rows.start + np.flatnonzero(~measured_rows(values)))
    return offences.facts()


def scan_columns(store: str, *, n_spec_expected: int | None = None, strict: bool = False) -> list[Finding]:
    """Findings on the structure of a store and on its (N_spec,) arrays and index."""
    path = Path(store)
    facts = read_facts(path, n_spec_expected=n_spec_expected)
    offences = Offences()
    for array, structure in facts.arrays.items():
        if len(structure.shape) != 1 or structure.shape[0] != facts.n_spec:
            continue
        for start in range(0, facts.n_spec, schema.ARRAYS_1D_CHUNK):
            rows = slice(start, min(start + schema.ARRAYS_1D_CHUNK, facts.n_spec))
            if array.startswith("params/") and structure.kind.startswith("float"):
                check_param(offences, array, start, read_rows(path, array, rows))
            elif array.startswith("metadata/") and array.split("/")[1] in _CHECKED_TEXT and structure.kind == "text":
                check_text(offences, array, start, read_rows(path, array, rows).tolist())
    wavelength = facts.arrays.get(schema.WAVELENGTH)
    if wavelength is not None and wavelength.shape == (facts.n_pix,) and wavelength.kind.startswith("float"):
        check_cube(offences, schema.WAVELENGTH, 0, read_rows(path, schema.WAVELENGTH, slice(None))[None, :])
    _compare_index(path, facts, offences)
    return [*check_structure(facts, strict=strict), *check_rows(offences.facts(), strict=strict)]


_CHECKED_TEXT = frozenset({"spec_id", "source_type", "flux_type", "date_obs"})


def _compare_index(path: Path, facts: StoreFacts, offences: Offences) -> None:
    index, spec_id = facts.index, facts.arrays.get("metadata/spec_id")
    if spec_id is None or spec_id.kind != "text" or spec_id.shape != (facts.n_spec,):
        return
    values = read_rows(path, "metadata/spec_id", slice(None)).tolist()
    seen: set[str] = set()
    repeated = []
    for row, value in enumerate(values):
        if value in seen:
            repeated.append(row)
        seen.add(value)
    offences.add("M-04", "metadata/spec_id", repeated)
    if index is None or index.rows != facts.n_spec:
        return
    table = read_index(path, [column for column in schema.INDEX_COLUMNS if column in index.columns])
    for column, listed in table.items():
        array = f"params/{column}" if column in ("teff", "logg", "feh") else f"metadata/{column}"
        structure = facts.arrays.get(array)
        if structure is not None and structure.shape == (facts.n_spec,):
            stored = read_rows(path, array, slice(None)).tolist()
            # NaN equals NaN here, and nothing else differs from itself.
            differs = [i for i, (a, b) in enumerate(zip(stored, listed, strict=True)) if a != b and (a == a or b == b)]
            offences.add("I-02", f"index.parquet:{column}", differs)

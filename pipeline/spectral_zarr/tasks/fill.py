"""The fill phase: one row block of every cube, assembled from staged rows and written as whole chunks, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract import schema
from spectral_zarr.contract.chunks import ChunkShape
from spectral_zarr.errors import DamagedBuild
from spectral_zarr.model import BlockReceipt, BlockTask, BuildPlan, ChunkReceipt
from spectral_zarr.plan.layout import CUBE_COLUMNS, buffer_columns
from spectral_zarr.readers import forget_parts
from spectral_zarr.store.arrays import cube_dtype
from spectral_zarr.store.calls import Step, reached
from spectral_zarr.store.chunk_reader import file_problem
from spectral_zarr.store.chunks import chunk_key, elided, encode, write_chunk
from spectral_zarr.store.fsops import pinned, sync_directory
from spectral_zarr.store.identity import build_id
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record, write_record
from spectral_zarr.store.staging import StagedPixels
from spectral_zarr.tasks.placement import StagedRow, load_plan, place_rows
from spectral_zarr.tasks.stopwatch import Stopwatch


def fill_block(target: str, task: BlockTask) -> BlockReceipt:
    """Fill one row block.

    Parameters
    ----------
    target : str
        Path of the store to be published.
    task : BlockTask
        The block and the staged batches that it reads.

    Returns
    -------
    BlockReceipt
        Size and CRC-32C of every chunk; also on disk, written last. A block whose receipt and
        chunks are whole is not written again.

    Raises
    ------
    DamagedBuild
        When the store in the making is that of another build.
    """
    forget_parts()
    paths = BuildPaths.of(target)
    with pinned(paths.tmp) as root, pinned(paths.receipts) as receipts:
        # Once pinned, both belong to this plan for good, whatever becomes of their names.
        if build_id(root) != task.plan_sha256:
            raise DamagedBuild("this block belongs to a build that was given up", path=target)
        proof = receipts / paths.block_receipt(task.block).name
        known = _known(proof, root, task)
        return known if known is not None else _fill(paths, root, proof, task)


def _known(proof: Path, root: Path, task: BlockTask) -> BlockReceipt | None:
    if not proof.exists():
        return None
    known = read_record(proof, BlockReceipt)
    written = [chunk for chunk in known.chunks if chunk.size]
    whole = all(file_problem(root / chunk.array / chunk.key, chunk) is None for chunk in written)
    return known if whole and known.plan_sha256 == task.plan_sha256 else None


def _fill(paths: BuildPaths, root: Path, proof: Path, task: BlockTask) -> BlockReceipt:
    watch = Stopwatch()
    plan = load_plan(str(paths.target), task.plan_sha256)
    rows = plan.block_rows(task.block)
    placed = list(place_rows(paths, plan, task.batches, rows))
    staged = {b.batch: StagedPixels(paths.staged_pixels(b.batch)) for b in task.batches}
    try:
        chunks: list[ChunkReceipt] = []
        buffer = np.empty(0, np.uint8)
        for array in plan.arrays:
            shape, dtype = _buffer_shape(plan, array)
            if buffer.nbytes < shape[0] * shape[1] * dtype.itemsize:
                buffer = np.empty(shape[0] * shape[1] * dtype.itemsize, np.uint8)
            view = buffer[: shape[0] * shape[1] * dtype.itemsize].view(dtype).reshape(shape)
            chunks += _fill_array(root, plan, array, view, task.block, rows, placed, staged)
    finally:
        for pixels in staged.values():
            pixels.close()
    for array in plan.arrays:
        sync_directory(root / array)
    receipt = BlockReceipt(task.block, plan.sha256, tuple(chunks), watch.stop())
    write_record(proof, receipt)
    sync_directory(proof.parent)
    return receipt


def _buffer_shape(plan: BuildPlan, array: str) -> tuple[tuple[int, int], np.dtype[Any]]:
    dtype = np.dtype(cube_dtype(array))
    width = buffer_columns(ChunkShape(plan.chunk_rows, plan.chunk_columns), plan.n_pix, dtype.itemsize)
    return (plan.chunk_rows, width), dtype


def _fill_array(
    root: Path,
    plan: BuildPlan,
    array: str,
    buffer: NDArray[Any],
    block: int,
    rows: range,
    placed: list[StagedRow],
    staged: dict[int, StagedPixels],
) -> list[ChunkReceipt]:
    chunk = ChunkShape(plan.chunk_rows, plan.chunk_columns)
    width = buffer.shape[1]
    receipts: list[ChunkReceipt] = []
    for left in range(0, plan.n_pix, width):
        window = range(left, min(left + width, plan.n_pix))
        copied = [range(0)] * len(buffer)
        for place in placed:
            row = place.row - rows.start
            if array == schema.WAVELENGTH:
                copied[row] = _copy_wavelength(buffer[row], window, place, staged[place.batch])
            else:
                copied[row] = _copy(buffer[row], window, CUBE_COLUMNS[array], place, staged[place.batch])
        filled = _fill_rest(buffer, copied)
        for column in range(left // chunk.columns, -(-window.stop // chunk.columns)):
            key = chunk_key(plan.zarr_format, block, column)
            start = column * chunk.columns - left
            reached(Step.BLOCK_BUFFERED)
            values = buffer[:, start : start + chunk.columns]
            if filled and not _all_nan(values):
                payload = encode(np.ascontiguousarray(values), plan.clevel)
                receipts.append(write_chunk(root, array, key, payload))
            else:
                receipts.append(elided(array, key))
    return receipts


def _all_nan(values: NDArray[Any]) -> bool:
    # The first row settles nearly every chunk without a pass over all of it.
    return bool(np.isnan(values[0]).all()) and bool(np.isnan(values).all())


def _fill_rest(buffer: NDArray[Any], copied: list[range]) -> bool:
    """Make all pixels NaN that were not copied; whether any were."""
    if not any(copied):
        return False
    width = buffer.shape[1]
    for row, there in zip(buffer, copied, strict=True):
        if there.start:
            row[: there.start] = np.nan
        if there.stop < width:
            row[there.stop :] = np.nan
    return True


def _copy(target: NDArray[Any], window: range, column: str, place: StagedRow, pixels: StagedPixels) -> range:
    """Columns of the buffer that were filled."""
    start, stop = max(window.start, place.offset), min(window.stop, place.offset + place.grid.n_pix)
    if start >= stop or not pixels.has(column, place.staged):
        return range(0)
    filled = range(start - window.start, stop - window.start)
    pixels.read_into(column, place.staged, target[filled.start : filled.stop], start - place.offset)
    return filled


def _copy_wavelength(target: NDArray[Any], window: range, place: StagedRow, pixels: StagedPixels) -> range:
    start, stop = window.start, min(window.stop, place.grid.n_pix)
    if start >= stop:
        return range(0)
    if place.grid.scale == "explicit":
        pixels.read_into("wavelength", place.grid_row, target[: stop - start], start)
    else:
        target[: stop - start] = place.grid.wavelength(start, stop)
    return range(stop - start)

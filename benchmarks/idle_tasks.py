"""Tasks that do nothing but return a receipt as long as a real one; workers import them."""

from __future__ import annotations

from spectral_zarr.model import Batch, BlockReceipt, BlockTask, ChunkReceipt, Rejection, StagedFile, StageReceipt
from spectral_zarr.tasks.stopwatch import Stopwatch

REASON = "the file ends in the middle of the data of HDU 1 (128 of 5760 bytes are missing); copy it again"


def stage(batch: Batch, rejected_share: float) -> StageReceipt:
    """The receipt of a batch that nobody has read."""
    watch = Stopwatch()
    number = batch.n_files
    rejections = [Rejection("truncated", batch.files[0].name, 1, -1, REASON)] * round(rejected_share * number)
    name = f"{batch.index:06d}"
    return StageReceipt(
        batch=batch.index,
        sources_digest="0" * 64,
        n_files=number,
        n_spectra=number - len(rejections),
        source_bytes=batch.nbytes,
        pixels=StagedFile(f"{name}.pixels.arrow", batch.nbytes // 5, 123456789),
        columns=StagedFile(f"{name}.columns.arrow", 1000 * number, 123456789),
        rejections=tuple(rejections),
        run=watch.stop(),
    )


def fill(task: BlockTask, arrays: tuple[str, ...], n_columns: int) -> BlockReceipt:
    """The receipt of a row block that nobody has written."""
    watch = Stopwatch()
    keys = [(array, f"c.{task.block}.{column}") for array in arrays for column in range(n_columns)]
    chunks = tuple(ChunkReceipt(array, key, 12345678, 123456789) for array, key in keys)
    return BlockReceipt(task.block, task.plan_sha256, chunks, watch.stop())


def seconds(task: object) -> float:
    """How long a task may take."""
    return 600.0

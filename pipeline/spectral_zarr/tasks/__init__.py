"""The phases as plain, repeatable functions; each leaves proof on disk and returns a small receipt."""

from spectral_zarr.tasks.fill import fill_block
from spectral_zarr.tasks.finalise import publish, write_columns
from spectral_zarr.tasks.sources import make_batches, scan_sources
from spectral_zarr.tasks.stage import stage_batch, survey_batch

__all__ = [
    "fill_block",
    "make_batches",
    "publish",
    "scan_sources",
    "stage_batch",
    "survey_batch",
    "write_columns",
]

"""The frozen values that cross floors: sources, spectra, grids, plans, receipts and rejections."""

from spectral_zarr.model.grid import Grid, Sampling, Scale
from spectral_zarr.model.part import WHOLE, Part, shares
from spectral_zarr.model.plan import (
    BatchRows,
    BlockTask,
    BuildPlan,
    CatalogPlan,
    MemoryPromise,
    WavelengthPlan,
)
from spectral_zarr.model.receipt import BlockReceipt, ChunkReceipt, StagedFile, StageReceipt, TaskRun
from spectral_zarr.model.source import (
    Batch,
    BatchFacts,
    Note,
    Rejection,
    SourceFile,
    SourceFiles,
    counting,
    merged_notes,
    most_unpacked,
)
from spectral_zarr.model.spectrum import NoiseKind, Observation, Pixels, Spectrum

__all__ = [
    "WHOLE",
    "Batch",
    "BatchFacts",
    "BatchRows",
    "BlockReceipt",
    "BlockTask",
    "BuildPlan",
    "CatalogPlan",
    "ChunkReceipt",
    "Grid",
    "MemoryPromise",
    "NoiseKind",
    "Note",
    "Observation",
    "Part",
    "Pixels",
    "Rejection",
    "Sampling",
    "Scale",
    "SourceFile",
    "SourceFiles",
    "Spectrum",
    "StageReceipt",
    "StagedFile",
    "TaskRun",
    "WavelengthPlan",
    "counting",
    "merged_notes",
    "most_unpacked",
    "shares",
]

"""Where tasks run and in which order: executors, the driver of a build, and of a validation."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectral_zarr.cluster.build import IngestRequest, Outcome, PlanPreview, ingest, preview
    from spectral_zarr.cluster.check import Verdict, validate
    from spectral_zarr.cluster.deferred import DeferredExecutor, LentExecutor
    from spectral_zarr.cluster.executor import Executor, SerialExecutor
    from spectral_zarr.cluster.isolation import ThreadExecutor
    from spectral_zarr.cluster.kinds import Patience
    from spectral_zarr.cluster.observer import Observer, SilentObserver
    from spectral_zarr.cluster.open import open_executor
    from spectral_zarr.cluster.pace import PaceRequest, measure_pace
    from spectral_zarr.cluster.parts import FilledPart, StagedPart, fill_part, finalise_parts, plan_parts, stage_part
    from spectral_zarr.cluster.status import BuildStatus, StatusReader, read_status
    from spectral_zarr.cluster.trials import ChunkReport, ChunkTrials, try_chunks

__all__ = [
    "BuildStatus",
    "ChunkReport",
    "ChunkTrials",
    "DeferredExecutor",
    "Executor",
    "FilledPart",
    "IngestRequest",
    "LentExecutor",
    "Observer",
    "Outcome",
    "PaceRequest",
    "Patience",
    "PlanPreview",
    "SerialExecutor",
    "SilentObserver",
    "StagedPart",
    "StatusReader",
    "ThreadExecutor",
    "Verdict",
    "fill_part",
    "finalise_parts",
    "ingest",
    "measure_pace",
    "open_executor",
    "plan_parts",
    "preview",
    "read_status",
    "stage_part",
    "try_chunks",
    "validate",
]

_HOMES = {
    "BuildStatus": "status",
    "ChunkReport": "trials",
    "ChunkTrials": "trials",
    "DeferredExecutor": "deferred",
    "Executor": "executor",
    "FilledPart": "parts",
    "IngestRequest": "build",
    "LentExecutor": "deferred",
    "Observer": "observer",
    "Outcome": "build",
    "PaceRequest": "pace",
    "Patience": "kinds",
    "PlanPreview": "build",
    "SerialExecutor": "executor",
    "SilentObserver": "observer",
    "StagedPart": "parts",
    "StatusReader": "status",
    "ThreadExecutor": "isolation",
    "Verdict": "check",
    "fill_part": "parts",
    "finalise_parts": "parts",
    "ingest": "build",
    "measure_pace": "pace",
    "open_executor": "open",
    "plan_parts": "parts",
    "preview": "build",
    "read_status": "status",
    "stage_part": "parts",
    "try_chunks": "trials",
    "validate": "check",
}


def __getattr__(name: str) -> object:
    # A child process that decodes chunks must not wait for Dask.
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

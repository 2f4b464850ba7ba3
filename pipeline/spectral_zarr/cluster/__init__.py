"""Where tasks run and in which order: executors, the driver of a build, and of a validation."""

from spectral_zarr.cluster.build import IngestRequest, Outcome, PlanPreview, ingest, preview
from spectral_zarr.cluster.check import Verdict, validate
from spectral_zarr.cluster.deferred import DeferredExecutor, LentExecutor
from spectral_zarr.cluster.executor import Executor, SerialExecutor
from spectral_zarr.cluster.isolation import ThreadExecutor
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.cluster.open import open_executor
from spectral_zarr.cluster.status import BuildStatus, read_status

__all__ = [
    "BuildStatus",
    "DeferredExecutor",
    "Executor",
    "IngestRequest",
    "LentExecutor",
    "Observer",
    "Outcome",
    "PlanPreview",
    "SerialExecutor",
    "SilentObserver",
    "ThreadExecutor",
    "Verdict",
    "ingest",
    "open_executor",
    "preview",
    "read_status",
    "validate",
]

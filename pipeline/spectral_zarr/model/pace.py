"""The pace of an ingest: what its phases took with some number of workers, and what follows for other numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spectral_zarr.model.trial import Cache

PHASES = ("workers", "scan", "stage", "plan", "fill", "validate", "finalise")
"""Starting and stopping workers; listing the files; parsing and staging; planning; writing the cubes; checking every
row; the (N_spec,) arrays, syncing and publishing."""

PARALLEL = ("stage", "fill", "validate")
"""Phases whose tasks run side by side; the driver does the others alone."""


Limit = Literal["cores", "tasks", "scheduler", "driver"]


@dataclass(frozen=True, slots=True)
class PhaseCost:
    """Elapsed seconds of a phase, and seconds of all processes together."""

    phase: str
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class IngestRun:
    """One ingest, measured.

    Attributes
    ----------
    phases : tuple of PhaseCost
        In the order of `PHASES`.
    cache : {'cold', 'asked', 'warm'}
        Whether the sources were in memory.
    batch_files : float
        Files of a stage task when there are millions like these.
    block_rows : int
        Spectra of a fill task when there are millions like these.
    staged_bytes : int
        Bytes of the staging store.
    fixed : PhaseCost
        What the driver does alone however few the files are: the empty store, its documents, publication.
    """

    workers: int
    n_files: int
    n_spectra: int
    source_bytes: int
    store_bytes: int
    phases: tuple[PhaseCost, ...]
    cache: Cache
    batch_files: float
    block_rows: int
    staged_bytes: int = 0
    fixed: PhaseCost = PhaseCost("fixed", 0.0, 0.0)

    @property
    def seconds(self) -> float:
        """Elapsed seconds of all phases."""
        return sum(cost.seconds for cost in self.phases)

    @property
    def cpu_seconds(self) -> float:
        """Seconds of all processes in all phases."""
        return sum(cost.cpu_seconds for cost in self.phases)


@dataclass(frozen=True, slots=True)
class PaceForecast:
    """What an ingest of many files would take on some cores, and the assumptions that this rests on.

    Attributes
    ----------
    alone_seconds : float
        Part of `seconds` in which the driver works alone, or waits for workers to start.
    n_tasks : int
        Tasks that stage, fill and check.
    limit : {'cores', 'tasks', 'scheduler', 'driver'}
        What the time hangs on: the cores, tasks of which there are too few for all cores, the rate at which tasks can
        be sent, or the driver, which works alone for longer than all workers do.
    bytes_per_second : float
        What the file system must move while the workers work: sources, staging store written and read, store written
        and read to be checked.
    """

    n_files: int
    cores: int
    seconds: float
    alone_seconds: float
    cpu_seconds: float
    store_bytes: float
    n_tasks: int
    limit: Limit
    bytes_per_second: float
    assumptions: tuple[str, ...]

"""The pace of an ingest: what its phases took with some number of workers, and what follows for other numbers."""

from __future__ import annotations

from dataclasses import dataclass

from spectral_zarr.model.trial import Cache

PHASES = ("workers", "scan", "stage", "plan", "fill", "validate", "finalise")
"""Starting and stopping workers; listing the files; parsing and staging; planning; writing the cubes; checking every
row; the (N_spec,) arrays, syncing and publishing."""

PARALLEL = ("stage", "fill", "validate")
"""Phases whose tasks run side by side; the driver does the others alone."""


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
    """

    workers: int
    n_files: int
    n_spectra: int
    source_bytes: int
    store_bytes: int
    phases: tuple[PhaseCost, ...]
    cache: Cache

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
    """What an ingest of many files would take on some cores, and the assumptions that this rests on."""

    n_files: int
    cores: int
    seconds: float
    cpu_seconds: float
    store_bytes: float
    assumptions: tuple[str, ...]

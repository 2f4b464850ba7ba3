"""Receipts: the proof on disk that a task is done, with the size and CRC-32C of what it wrote."""

from __future__ import annotations

from dataclasses import dataclass

from spectral_zarr.model.source import Note, Rejection


@dataclass(frozen=True, slots=True)
class TaskRun:
    """Where, when and at which cost a task did its work.

    Attributes
    ----------
    node, pid : str, int
        Host and process.
    start, end : float
        Seconds since 1970 in UTC, on the clock of the node.
    cpu_seconds : float
        Of the process, all its threads and the children that it waited for.
    """

    node: str
    pid: int
    start: float
    end: float
    cpu_seconds: float

    @property
    def seconds(self) -> float:
        """Elapsed seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file of the staging store."""

    name: str
    size: int
    crc32c: int


@dataclass(frozen=True, slots=True)
class StageReceipt:
    """Proof of one staged batch."""

    batch: int
    sources_digest: str
    n_files: int
    n_spectra: int
    source_bytes: int
    pixels: StagedFile
    columns: StagedFile
    rejections: tuple[Rejection, ...]
    run: TaskRun
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkReceipt:
    """One chunk of one array; size 0 means that all of it is fill value and no file was written."""

    array: str
    key: str
    size: int
    crc32c: int


@dataclass(frozen=True, slots=True)
class BlockReceipt:
    """Proof of one filled row block."""

    block: int
    plan_sha256: str
    chunks: tuple[ChunkReceipt, ...]
    run: TaskRun

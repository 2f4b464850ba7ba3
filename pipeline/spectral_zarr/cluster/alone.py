"""Tasks suspected of ending their process, run in limited child processes until the files at fault are known."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psutil

from spectral_zarr.cluster.isolation import (
    MOST_MEMORY,
    ChildLost,
    ChildMemory,
    ChildTimeout,
    Limits,
    call_isolated,
)
from spectral_zarr.config import Config
from spectral_zarr.errors import (
    ClusterLost,
    EnvironmentFault,
    MemoryLimit,
    ReaderDied,
    ReaderMemory,
    ReaderTimeout,
    SourceError,
)
from spectral_zarr.model import Batch, BlockReceipt, BlockTask, SourceFile, StageReceipt
from spectral_zarr.plan.layout import INTERPRETER_BYTES, STAGE_FILE_FACTOR, STAGE_HEADROOM, STAGE_ROW_BYTES
from spectral_zarr.tasks.fill import fill_block
from spectral_zarr.tasks.placement import load_plan
from spectral_zarr.tasks.stage import clear_leftovers, stage_batch, survey_batch

ATTEMPTS = 2
"""Children that a file has to end before it is rejected: what chance ended is no verdict."""

SLOWEST_BYTES, SLOWEST_FILES = 1_000_000, 10
"""Bytes and files per second below which a file system does not count as working."""


def seconds_for(batch: Batch, *, least: float) -> float:
    """How long a batch may take: generous, and longer for more bytes and files."""
    return least + batch.nbytes / SLOWEST_BYTES + batch.n_files / SLOWEST_FILES


def stage_alone(target: str, batch: Batch, config: Config, least_seconds: float) -> StageReceipt:
    """Stage a batch in child processes, without the files that end them.

    Parameters
    ----------
    target : str
        Path of the store to be published.
    batch : Batch
        Source files.
    config : Config
        Options of readers and transforms.
    least_seconds : float
        Time that any file may take.

    Returns
    -------
    StageReceipt
        With the files that ended their process among the rejections, and all others as they are staged anywhere.

    Raises
    ------
    MemoryLimit
        When this process may use less memory than the batch needs.
    ClusterLost
        When no single file is at fault.
    """
    limit = memory_limit()
    needed = promised_memory(batch)
    if limit < needed:
        raise _too_little(limit, needed, f"batch {batch.index} ({batch.files[0].name} and what follows)", target)
    refused: dict[str, SourceError] = {}
    for file in batch.files:
        refused |= _at_fault(batch.index, file, config, limit, least_seconds)
    limits = Limits(seconds_for(batch, least=least_seconds), limit, beyond_libraries=True)
    try:
        receipt = call_isolated(partial(_stage, target, config, refused), batch, limits)
    except ChildLost as lost:
        message = f"batch {batch.index} ends its process, and each of its files can be read: {lost}; please report this"
        raise ClusterLost(message, path=target) from lost
    clear_leftovers(target, batch)
    return receipt


def fill_alone(target: str, task: BlockTask, seconds: float) -> BlockReceipt:
    """Fill a row block in a child process.

    Raises
    ------
    MemoryLimit
        When this process may use less memory than the plan promises.
    ClusterLost
        When the child is lost for another reason.
    """
    limit, needed = memory_limit(), load_plan(target, task.plan_sha256).memory.worker
    if limit < needed:
        raise _too_little(limit, needed, f"row block {task.block}", target)
    try:
        return call_isolated(partial(fill_block, target), task, Limits(seconds, limit, beyond_libraries=True))
    except ChildMemory as lost:
        raise _too_little(limit, limit, f"row block {task.block}", target) from lost
    except ChildLost as lost:
        message = f"row block {task.block} ends the process that fills it: {lost}; please report this"
        raise ClusterLost(message, path=target) from lost


def promised_memory(batch: Batch) -> int:
    """Bytes that a worker needs to stage a batch of sound files, one spectrum in each."""
    largest = max(file.held for file in batch.files)
    return INTERPRETER_BYTES + STAGE_HEADROOM + STAGE_FILE_FACTOR * largest + STAGE_ROW_BYTES * len(batch.files)


def memory_limit() -> int:
    """Bytes that this process may use: the limit of its Dask worker, or what is free on this machine."""
    distributed = sys.modules.get("distributed")
    if distributed is not None:
        try:
            limit = distributed.get_worker().memory_manager.memory_limit
        except ValueError:
            limit = None
        if limit:
            return min(int(limit), MOST_MEMORY)
    return min(int(psutil.virtual_memory().available), MOST_MEMORY)


def _at_fault(index: int, file: SourceFile, config: Config, limit: int, least_seconds: float) -> dict[str, SourceError]:
    """The file and its companions that end a process which reads them alone."""
    problem = partial(_problem, config=config, limit=limit, least_seconds=least_seconds)
    error = problem(Batch(index, (file,)))
    if error is None:
        return {}
    members = [replace(file, companions=()), *file.companions] if file.companions else []
    alone = {one.name: found for one in members if (found := problem(Batch(index, (one,)))) is not None}
    return alone or {file.name: error}


def _problem(batch: Batch, *, config: Config, limit: int, least_seconds: float) -> SourceError | None:
    limits = Limits(seconds_for(batch, least=least_seconds), limit, beyond_libraries=True)
    name = batch.files[0].name
    error: SourceError | None = None
    for _ in range(ATTEMPTS):
        try:
            call_isolated(partial(_parse, config), batch, limits)
        except ChildTimeout as lost:
            error = ReaderTimeout(f"reading it alone gave {lost}; please report this file", path=name)
        except ChildMemory as lost:
            message = f"reading it alone takes more than {limit >> 20} MiB ({lost}); give workers more, or leave it out"
            error = ReaderMemory(message, path=name)
        except ChildLost as lost:
            error = ReaderDied(f"the process that read it alone was lost: {lost}; please report this file", path=name)
        else:
            return None
    return error


def _parse(config: Config, batch: Batch) -> None:
    with _coded():
        survey_batch(batch, config)


def _stage(target: str, config: Config, refused: dict[str, SourceError], batch: Batch) -> StageReceipt:
    with _coded():
        return stage_batch(target, batch, config, refused)


@contextmanager
def _coded() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # A child reports errors without a code as if it had been lost to them.
        raise EnvironmentFault(f"{error.strerror or error}; mend it and use --resume") from error


def _too_little(limit: int, needed: int, what: str, target: str) -> MemoryLimit:
    message = (
        f"{what} needs {needed >> 20} MiB and a worker may use {limit >> 20}; give workers more memory, or start fewer "
        "of them, then use --resume"
    )
    return MemoryLimit(message, path=target)

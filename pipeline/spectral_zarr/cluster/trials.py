"""The driver of chunk trials: a bounded scratch directory, one layout at a time in a child process, rounds in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectral_zarr.cluster.executor import Receipt, Task
from spectral_zarr.cluster.isolation import ChildLost, call_isolated
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.cluster.scratch import scratch
from spectral_zarr.errors import EnvironmentFault, UsageError
from spectral_zarr.model.trial import Layout, Recommendation, RowsTask, Trial, TrialReceipt, TrialTask
from spectral_zarr.plan.trials import candidate_layouts, disk_bytes, fewest_rows, recommend, trial_rows
from spectral_zarr.store.audit import read_structure
from spectral_zarr.store.fsops import translated
from spectral_zarr.tasks.trials import try_layout, write_rows

PIECE_BYTES = 64 << 20
"""Bytes of the source that are written between two steps of the progress."""


@dataclass(frozen=True, slots=True)
class ChunkTrials:
    """What to try, and where.

    Attributes
    ----------
    directory : str
        An existing directory on the file system to be measured.
    store : str
        The store that the spectra come from, '' to draw them.
    n_spec, n_pix : int
        Shape of the store to plan for; 0 for that of `store`.
    limit : int
        Rows to write, 0 for as many as tell something.
    rounds : int
        How often each layout is tried.
    access : str
        What the recommended layout should be good at.
    """

    directory: str
    store: str = ""
    n_spec: int = 0
    n_pix: int = 0
    limit: int = 0
    rounds: int = 3
    access: str = "epoch"


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """What the trials gave.

    Attributes
    ----------
    n_spec, n_pix, n_rows : int
        Shape of the store that is planned for, and rows that were tried.
    disk_bytes : int
        Bytes that were allowed on disk at one time.
    """

    n_spec: int
    n_pix: int
    n_rows: int
    disk_bytes: int
    trials: tuple[Trial, ...]
    recommendation: Recommendation


def try_chunks(request: ChunkTrials, observer: Observer | None = None) -> ChunkReport:
    """Write candidate layouts on a file system, read them in every way, and recommend one.

    Parameters
    ----------
    request : ChunkTrials
        What to try.
    observer : Observer, optional
        Is told about the progress.

    Returns
    -------
    ChunkReport

    Raises
    ------
    UsageError
        When the directory or the store is none, or the rows are too few.
    DiskFull
        When what has to be on disk at one time does not fit; nothing was written.
    """
    observer = observer or SilentObserver()
    n_spec, n_pix = (request.n_spec, request.n_pix) if not request.store else _shape(request.store)
    if min(n_spec, n_pix) < 1:
        raise UsageError("a store needs at least one spectrum and one pixel")
    fewest = fewest_rows(n_spec, n_pix)
    if request.limit and request.limit < fewest:
        raise UsageError(f"--limit {request.limit} is too few to tell layouts apart; it takes {fewest} rows")
    n_rows = min(request.limit, n_spec) if request.limit else trial_rows(n_spec, n_pix)
    layouts = candidate_layouts(n_spec, n_pix, n_rows)
    needed = disk_bytes(n_rows, n_pix, layouts)
    with scratch(Path(request.directory), needed) as directory:
        source = directory / "rows.npy"
        _write_source(source, request.store, (n_spec, n_rows, n_pix), observer)
        receipts: dict[Layout, list[TrialReceipt]] = {layout: [] for layout in layouts}
        observer.begin("try", 1 + request.rounds * len(layouts), "trials")
        # Libraries are loaded and threads started in a trial that does not count.
        _isolated(try_layout, TrialTask(str(directory), str(source), layouts[0], 0))
        observer.advance(1)
        for number in range(request.rounds):
            for layout in layouts:
                receipts[layout].append(_isolated(try_layout, TrialTask(str(directory), str(source), layout, number)))
                observer.advance(1)
        observer.end()
    trials = tuple(Trial(layout, tuple(receipts[layout])) for layout in layouts)
    return ChunkReport(n_spec, n_pix, n_rows, needed, trials, recommend(trials, request.access))


def _shape(store: str) -> tuple[int, int]:
    facts = read_structure(Path(store)).facts
    return facts.n_spec, facts.n_pix


def _write_source(source: Path, store: str, shape: tuple[int, int, int], observer: Observer) -> None:
    n_spec, n_rows, n_pix = shape
    with translated(source):
        np.lib.format.open_memmap(source, "w+", np.dtype("<f4"), (2, n_rows, n_pix))
    observer.begin("prepare", n_rows, "rows")
    height = max(1, PIECE_BYTES // (8 * n_pix))
    for start in range(0, n_rows, height):
        stop = min(start + height, n_rows)
        # Pieces are spread over the store: its rows are sorted by file, and neighbours are alike.
        first = start * (n_spec - (stop - start)) // max(1, n_rows - (stop - start)) if store else start
        task = RowsTask(str(source), start, stop, str(Path(store).absolute()) if store else "", first)
        observer.advance(_isolated(write_rows, task))
    observer.end()


def _isolated(function: Callable[[Task], Receipt], task: Task) -> Receipt:
    # A killed child writes no more, so that an interrupted trial can be removed.
    try:
        return call_isolated(function, task)
    except ChildLost as lost:
        raise EnvironmentFault(f"the process that measures was lost: {lost}") from lost

"""The executor over launched workers: it waits for the first of them, asks it, and then maps like any other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from distributed import Client

from spectral_zarr.cluster.dask import DaskExecutor
from spectral_zarr.cluster.executor import Receipt, Task
from spectral_zarr.cluster.launch import Launch
from spectral_zarr.cluster.preflight import preflight
from spectral_zarr.cluster.rundir import RunDirectory

LOOK_SECONDS = 0.2
SAY_SECONDS = 60.0


class Fleet(Protocol):
    """Workers on other nodes, and the scheduler that they come to."""

    cluster: Any

    def start(self, workers: int) -> None:
        """Ask for workers."""

    def check(self) -> None:
        """Raise what keeps workers from ever coming."""

    def waiting(self) -> str:
        """What the workers that have not come are doing, in words."""

    def close(self) -> None:
        """End all workers and wait until they are gone, then the scheduler."""


class LaunchedExecutor(DaskExecutor):
    """Runs tasks on workers that were asked for, however long they take to come.

    Parameters
    ----------
    fleet : Fleet
        Workers and scheduler.
    workers : int
        Number of workers that are wanted.
    launch, run, token : Launch, RunDirectory, str
        What a worker must see.
    note : callable
        Is told what people should know.

    Attributes
    ----------
    dashboard : tuple of str or None
        Where the dashboard is, and the line that leads there from elsewhere.
    """

    dashboard: tuple[str, str] | None = None

    def __init__(
        self,
        fleet: Fleet,
        *,
        workers: int,
        launch: Launch,
        run: RunDirectory,
        token: str,
        note: Callable[[str], None],
    ) -> None:
        super().__init__(Client(fleet.cluster), fleet, workers=workers, patience=math.inf)
        self._fleet = fleet
        self._launch = launch
        self._run = run
        self._token = token
        self._note = note
        self._ready = False

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task, after the first worker has come and was found fit."""
        if not self._ready:
            worker = self._first_worker()
            seen = preflight(self._client, worker, self._token, self._run.token_file, Path(self._launch.target))
            self._note(f"first worker on {seen.node}")
            self._ready = True
        return super().map(function, tasks)

    def _first_worker(self) -> str:
        spoke = -math.inf
        while True:
            self._fleet.check()
            known = self._client.nthreads()
            if known:
                return str(next(iter(known)))
            if time.monotonic() - spoke >= SAY_SECONDS:
                self._note(f"waiting for the first worker: {self._fleet.waiting()}")
                spoke = time.monotonic()
            time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        self._fleet.check()
        super()._look()

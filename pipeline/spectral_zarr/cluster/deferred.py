"""Executors of a command: a local cluster starts only when there is work for it, and may be lent to several builds."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING

from spectral_zarr.cluster.executor import Closing, Executor, Receipt, SerialExecutor, Task
from spectral_zarr.cluster.open import LAUNCHED, check_launch, open_executor, unknown_cluster
from spectral_zarr.cluster.signals import signals_wait
from spectral_zarr.errors import ClusterLost

if TYPE_CHECKING:
    from spectral_zarr.cluster.launch import Launch

FEWEST_PARALLEL_TASKS = 5
"""Tasks from which ``auto`` starts a local cluster: it takes as long to start as a few tasks take to run."""


class DeferredExecutor(Closing):
    """Opens another executor at the first task, so that a wrong path is reported before any worker has started.

    Parameters
    ----------
    cluster : str
        ``auto``, ``serial``, ``local``, ``slurm``, ``srun`` or an address; what cannot work fails here.
    workers : int
        Number of workers, 0 for the default.
    note : callable
        Is told when workers are started.
    launch : Launch, optional
        What ``slurm`` and ``srun`` are told. Their workers are asked for at the first task, when it is certain that
        no other driver builds the same store.

    Attributes
    ----------
    on_dashboard : callable
        Is told where the dashboard is, and the line that leads there from elsewhere.
    """

    def __init__(self, cluster: str, workers: int, note: Callable[[str], None], launch: Launch | None = None) -> None:
        self._cluster = cluster
        self._wanted = workers
        self._note = note
        self._launch = launch
        self.on_dashboard: Callable[[str, str], None] = lambda address, tunnel: None
        self._opened: Executor | None = None
        if cluster in LAUNCHED:
            if launch is None:
                raise unknown_cluster(cluster)
            check_launch(cluster, workers, launch)
        elif cluster not in ("auto", "local"):
            self._opened = self._open(cluster)

    @property
    def workers(self) -> int:
        """Number of tasks that run at the same time, at least."""
        return self._opened.workers if self._opened is not None else max(1, self._wanted)

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task."""
        waiting = iter(tasks)
        first = list(islice(waiting, FEWEST_PARALLEL_TASKS))
        if self._opened is None and self._cluster == "auto" and len(first) < FEWEST_PARALLEL_TASKS:
            return SerialExecutor().map(function, first)
        if self._opened is None:
            self._opened = self._open("local" if self._cluster == "auto" else self._cluster)
        return self._opened.map(function, chain(first, waiting))

    def _open(self, cluster: str) -> Executor:
        if cluster == "serial":
            return SerialExecutor()
        self._note(f"connecting to {cluster}" if "://" in cluster else "starting workers")
        try:
            with _uninterrupted():
                opened = open_executor(cluster, self._wanted, self._launch, self._note)
        except OSError as error:
            raise ClusterLost(f"no scheduler answers: {error}; check that it runs", path=cluster) from error
        link = getattr(opened, "dashboard", None)
        if link is not None:
            self.on_dashboard(*link)
        return opened

    def close(self) -> None:
        """Close what was opened."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let signals wait until the workers are up, and keep Ctrl-C from ever reaching them.

    A half-started cluster cannot be closed. A terminal sends Ctrl-C to every process, and workers that die of it
    print tracebacks while the driver asks them to leave; the threads and processes started here inherit the mask.
    """
    from multiprocessing import resource_tracker

    # The first process of multiprocessing is its resource tracker, and starting that one would lift the mask.
    resource_tracker.ensure_running()
    with signals_wait():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class LentExecutor(Closing):
    """An executor lent to one build of several: closing it leaves its workers to the next build.

    A build closes its executor so that no task can write to the published store; here that is certain already,
    since `map` has returned every receipt.
    """

    def __init__(self, lender: Executor) -> None:
        self._lender = lender

    @property
    def workers(self) -> int:
        """Number of tasks that run at the same time."""
        return self._lender.workers

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task."""
        return self._lender.map(function, tasks)

    def close(self) -> None:
        """Leave the workers running."""

"""Executors of a command: a local cluster starts only when there is work for it, and may be lent to several builds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from spectral_zarr.errors import ClusterLost

if TYPE_CHECKING:
    from spectral_zarr.cluster import Executor

Task = TypeVar("Task")
Receipt = TypeVar("Receipt")

FEWEST_PARALLEL_TASKS = 5
"""Tasks from which ``auto`` starts a local cluster: it takes as long to start as a few tasks take to run."""


class DeferredExecutor:
    """Opens another executor at the first task, so that a wrong path is reported before any worker has started.

    Parameters
    ----------
    cluster : str
        ``auto``, ``serial``, ``local`` or an address; unknown names and addresses fail here.
    workers : int
        Number of workers, 0 for the default.
    note : callable
        Is told when workers are started.
    """

    def __init__(self, cluster: str, workers: int, note: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._wanted = workers
        self._note = note
        self._opened: Executor | None = None
        if cluster not in ("auto", "local"):
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
            from spectral_zarr.cluster import SerialExecutor

            return SerialExecutor().map(function, first)
        if self._opened is None:
            self._opened = self._open("local")
        return self._opened.map(function, chain(first, waiting))

    def _open(self, cluster: str) -> Executor:
        from spectral_zarr.cluster import open_executor

        if cluster != "serial":
            self._note("starting workers" if cluster == "local" else f"connecting to {cluster}")
        try:
            return open_executor(cluster, self._wanted)
        except OSError as error:
            raise ClusterLost(f"no scheduler answers: {error}; check that it runs", path=cluster) from error

    def close(self) -> None:
        """Close what was opened."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LentExecutor:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

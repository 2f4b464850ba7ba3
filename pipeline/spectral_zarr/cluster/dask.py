"""The Dask executor: a bounded window of futures; a lost worker is a retry, what ends several workers runs alone."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Generic

from distributed import Client, Future
from distributed.client import AllExit
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from spectral_zarr.cluster.drain import Drain, draining
from spectral_zarr.cluster.executor import (
    MOST_RETRIES,
    Closing,
    Receipt,
    Retry,
    Task,
    TaskKind,
    is_transient,
    pause_before,
)
from spectral_zarr.errors import ClusterLost

WINDOW_PER_WORKER = 2
"""Tasks in flight per worker: one that runs and one that waits beside it."""

POLL_SECONDS = 2.0
"""Time between two looks at the cluster: whether there is still a scheduler, and workers."""

MOST_PLAIN_RETRIES = 1
"""Times that a task which cannot run alone is given to other workers."""

PATIENCE_SECONDS = 300.0
"""Time without any worker after which the cluster counts as lost."""


def _is_news(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], AllExit | asyncio.CancelledError | CommClosedError))


# The fetching of a receipt that a signal has interrupted ends later, in a thread where nobody asks for it; so does the
# search for a scheduler that is gone, when the client is closed. A message that finds the connection closed is no news
# either: what is lost by it is told as a lost cluster.
for _logger in ("asyncio", "distributed.batched", "distributed.client", "distributed.core"):
    logging.getLogger(_logger).addFilter(_is_news)


@dataclass(frozen=True, slots=True)
class _Attempt(Generic[Task, Receipt]):
    task: Task
    run: Callable[[Task], Receipt]
    alone: bool = False
    retries: int = 0
    pause: float = 0.0


@dataclass
class _Flight(Generic[Task, Receipt]):
    """What is in flight, by the key of its future."""

    attempts: dict[Any, _Attempt[Task, Receipt]] = field(default_factory=dict)
    futures: dict[Any, Future[Any]] = field(default_factory=dict)
    ended: SimpleQueue[Future[Any]] = field(default_factory=SimpleQueue)


class DaskExecutor(Closing):
    """Runs tasks on the workers of a Dask cluster.

    Parameters
    ----------
    client : Client
        Connected client; closed with the executor.
    cluster : object, optional
        Cluster to close with the executor; None for a scheduler that belongs to somebody else.
    workers : int
        Number of workers that are wanted.
    patience : float
        Seconds without any worker after which the cluster counts as lost; infinite where workers may wait for days.
    replace_lost : callable, optional
        Called every few seconds while tasks run, to start workers in the place of those that are gone for good.
    """

    def __init__(
        self,
        client: Client,
        cluster: Any = None,
        *,
        workers: int,
        patience: float = PATIENCE_SECONDS,
        replace_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._cluster = cluster
        self.workers = workers
        self._patience = patience
        self._replace_lost = replace_lost
        self._last_look = self._last_seen = time.monotonic()

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task.

        Raises
        ------
        ClusterLost
            When the scheduler is gone, when there is no worker for long, or when a task keeps losing its workers.
        """
        flight: _Flight[Task, Receipt] = _Flight()
        first = (self._first(function, task) for task in tasks)
        self._last_seen = time.monotonic()
        try:
            if not isinstance(function, TaskKind):
                yield from self._received(function, first, flight, Drain())
                return
            with draining(function.drain_seconds, function.note) as drain:
                yield from self._received(function, first, flight, drain)
        except CommClosedError as error:
            raise _no_scheduler(error) from error
        finally:
            if flight.futures and self._client.status == "running":
                # A scheduler that is gone has nothing left to cancel, and what ended the tasks says more.
                with suppress(OSError, CancelledError):
                    self._client.cancel(list(flight.futures.values()))

    def _received(
        self,
        function: Callable[[Task], Receipt],
        waiting: Iterator[_Attempt[Task, Receipt]],
        flight: _Flight[Task, Receipt],
        drain: Drain,
    ) -> Iterator[Receipt]:
        for attempt in islice(waiting, WINDOW_PER_WORKER * self.workers):
            self._submit(function, attempt, flight)
        while flight.futures:
            future = self._next(flight)
            error = self._error(future)
            if error is None:
                try:
                    receipt: Receipt = future.result(timeout=min(self._patience, PATIENCE_SECONDS))
                except (TimeoutError, CancelledError):
                    # Its worker was lost before it was fetched, so that it runs again.
                    error = None if future.status in ("pending", "lost") else self._error(future)
                    if error is None:
                        future.add_done_callback(flight.ended.put)
                        continue
                else:
                    self._forget(future, flight)
                    if not drain.requested:
                        for attempt in islice(waiting, 1):
                            self._submit(function, attempt, flight)
                    yield receipt
                    continue
            attempt = self._forget(future, flight)
            following = self._after(function, attempt, error)
            if not drain.requested:
                self._submit(function, following, flight)

    def _first(self, function: Callable[[Task], Receipt], task: Task) -> _Attempt[Task, Receipt]:
        if not isinstance(function, TaskKind):
            return _Attempt(task, function)
        alone = function.is_suspect(task)
        return _Attempt(task, function.alone if alone else function.run, alone)

    def _submit(
        self,
        function: Callable[[Task], Receipt],
        attempt: _Attempt[Task, Receipt],
        flight: _Flight[Task, Receipt],
    ) -> None:
        # A child process has a limit of time of its own, so that a worker is lost to a known suspect no more.
        limited = isinstance(function, TaskKind) and not attempt.alone
        seconds = function.seconds(attempt.task) if limited else 0.0  # type: ignore[attr-defined]
        key = f"{_name(attempt.run)}-{uuid.uuid4().hex}"
        future = self._client.submit(
            run_watched, attempt.run, attempt.task, seconds, attempt.pause, key=key, pure=False, retries=0
        )
        flight.attempts[key], flight.futures[key] = attempt, future
        future.add_done_callback(flight.ended.put)

    def _forget(self, future: Future[Any], flight: _Flight[Task, Receipt]) -> _Attempt[Task, Receipt]:
        future.release()
        del flight.futures[future.key]
        return flight.attempts.pop(future.key)

    def _next(self, flight: _Flight[Task, Receipt]) -> Future[Any]:
        while True:
            if time.monotonic() - self._last_look > POLL_SECONDS:
                self._look()
            try:
                future = flight.ended.get(timeout=POLL_SECONDS)
            except Empty:
                continue
            if future.key in flight.futures:
                self._last_seen = time.monotonic()
                return future

    def _look(self) -> None:
        """See whether there is a scheduler with workers."""
        self._last_look = time.monotonic()
        if self._client.status == "running":
            try:
                self._replace_lost()
                if self._client.nthreads():
                    self._last_seen = time.monotonic()
            except (OSError, CancelledError) as error:
                raise _no_scheduler(error) from error
        lost = time.monotonic() - self._last_seen
        if lost > self._patience:
            raise ClusterLost(f"no worker for {lost:.0f} s; see the logs of the workers, then use --resume")

    def _error(self, future: Future[Any]) -> BaseException | None:
        if future.status == "cancelled":
            return CancelledError(str(getattr(future._state, "exception", "")))
        return future.exception() if future.status == "error" else None

    def _after(
        self, function: Callable[[Task], Receipt], attempt: _Attempt[Task, Receipt], error: BaseException
    ) -> _Attempt[Task, Receipt]:
        """The next attempt after one that failed.

        Raises
        ------
        ClusterLost
            When there is no scheduler, or when the task has lost its workers too often.
        Exception
            The error itself where another attempt would meet it again.
        """
        following = replace(attempt, retries=attempt.retries + 1, pause=0.0)
        kind = function if isinstance(function, TaskKind) else None
        if isinstance(error, CancelledError):
            if self._client.status != "running" or "connection" in str(error) or "restart" in str(error):
                raise _no_scheduler(error) from error
            reason = str(error)
        elif isinstance(error, KilledWorker):
            reason = f"{error.allowed_failures + 1} workers died while they had it"
        elif isinstance(error, MemoryError) and kind is not None and not attempt.alone:
            reason = f"MemoryError: {error}"
        elif is_transient(error) and kind is not None and attempt.retries < MOST_RETRIES:
            following = replace(following, pause=pause_before(following.retries))
            kind.told(Retry(attempt.task, following.retries, str(error), attempt.alone))
            return following
        else:
            raise error
        if attempt.retries >= (MOST_RETRIES if kind is not None else MOST_PLAIN_RETRIES):
            message = f"a task lost its workers again and again, at last: {reason}; see the logs of the workers"
            raise ClusterLost(f"{message}{', then use --resume' if kind is not None else ''}") from error
        if kind is not None:
            following = replace(following, run=kind.alone, alone=True)
            kind.told(Retry(attempt.task, following.retries, reason, alone=True))
        return following

    def close(self) -> None:
        """Close the client, then the cluster, and wait until its workers are gone."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def run_watched(run: Callable[[Task], Receipt], task: Task, seconds: float, pause: float) -> Receipt:
    """Run a task in a worker, which ends itself when the task takes longer than it may.

    A thread that hangs in a library cannot be stopped, and may hold the lock that every other thread of Python needs;
    the watchdog needs none, and says on standard error where the task hung.
    """
    time.sleep(pause)
    if seconds:
        faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        return run(task)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _name(run: Callable[..., Any]) -> str:
    while hasattr(run, "func"):
        run = run.func
    return getattr(run, "__name__", type(run).__name__)


def _no_scheduler(error: BaseException) -> ClusterLost:
    return ClusterLost(f"the scheduler is gone: {error}; run the same command with --resume")

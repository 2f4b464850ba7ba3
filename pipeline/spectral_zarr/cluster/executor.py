"""An executor maps a function over tasks with a bounded number in flight; the serial one is a for loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from spectral_zarr.cluster.drain import draining
from spectral_zarr.errors import TRANSIENT_ERRNOS, TransientFault

Task = TypeVar("Task")
Receipt = TypeVar("Receipt")

MOST_RETRIES = 3
"""Times that a task is tried again after a transient error or a lost worker."""

PAUSE_SECONDS = 0.5
"""Pause before the first retry after a transient error; each further one is four times as long."""

DRAIN_SECONDS = 60.0
"""Time that running tasks are given after a signal."""


@dataclass(frozen=True, slots=True)
class Retry:
    """One attempt at a task that came to nothing.

    Attributes
    ----------
    task : object
        The task.
    number : int
        How many attempts at it have failed, this one included.
    reason : str
        What happened.
    alone : bool
        Whether the next attempt runs in a limited child process.
    """

    task: Any
    number: int
    reason: str
    alone: bool = False


@dataclass(frozen=True, slots=True)
class TaskKind(Generic[Task, Receipt]):
    """A function of tasks that leave proof on disk, and what is done with those that go wrong.

    Attributes
    ----------
    run : callable
        Runs a task and gives its receipt.
    alone : callable
        Runs a task that is suspected of ending its process, in limited child processes, and gives the same receipt.
    seconds : callable
        How long a task may take before its worker is given up.
    is_suspect : callable
        Whether an earlier attempt is known to have died in the task.
    told : callable
        Is told about every retry, in the process of the driver.
    note : callable
        Is told what people should know, in one line.
    drain_seconds : float
        Time that running tasks are given to finish after a signal.
    """

    run: Callable[[Task], Receipt]
    alone: Callable[[Task], Receipt]
    seconds: Callable[[Task], float]
    is_suspect: Callable[[Task], bool] = lambda task: False
    told: Callable[[Retry], None] = lambda retry: None
    note: Callable[[str], None] = lambda text: None
    drain_seconds: float = DRAIN_SECONDS

    def __call__(self, task: Task) -> Receipt:
        """Run a task without any of these."""
        return self.run(task)


def is_transient(error: BaseException) -> bool:
    """Whether the next attempt may succeed: the file system or the network failed, and nothing is known to be wrong."""
    if isinstance(error, TransientFault | ConnectionError | TimeoutError):
        return True
    return isinstance(error, OSError) and error.errno in TRANSIENT_ERRNOS


def pause_before(retry: int) -> float:
    """Seconds to wait before a retry, which counts from 1."""
    return float(PAUSE_SECONDS * 4 ** (retry - 1))


class Executor(Protocol):
    """Runs tasks and yields their receipts in the order of completion."""

    @property
    def workers(self) -> int:
        """Number of tasks that run at the same time."""

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task; the first error ends the iteration and is raised.

        Tasks of a `TaskKind` are tried again after transient errors and lost workers, run alone when they are suspect,
        and those that run when a signal comes are waited for before ``KeyboardInterrupt`` is raised.
        """

    def close(self) -> None:
        """Stop all workers and wait until they are gone."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Closing:
    """Closes itself at the end of a ``with`` block."""

    def close(self) -> None:
        """Stop what was started."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SerialExecutor(Closing):
    """Runs every task in this process, one after another.

    A task that ends its process ends this one; the next attempt at the build finds what it left and runs it alone.
    """

    workers = 1

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task in order."""
        if not isinstance(function, TaskKind):
            for task in tasks:
                yield function(task)
            return
        with draining(function.drain_seconds, function.note) as drain:
            for task in tasks:
                if drain.requested:
                    return
                yield _attempted(function, task)

    def close(self) -> None:
        """Nothing to stop."""


def _attempted(kind: TaskKind[Task, Receipt], task: Task) -> Receipt:
    retries = 0
    alone = kind.is_suspect(task)
    while True:
        try:
            return kind.alone(task) if alone else kind.run(task)
        except MemoryError as error:
            if alone:
                raise
            retries, alone = retries + 1, True
            kind.told(Retry(task, retries, f"MemoryError: {error}", alone))
        except Exception as error:
            if retries >= MOST_RETRIES or not is_transient(error):
                raise
            retries += 1
            kind.told(Retry(task, retries, str(error), alone))
            time.sleep(pause_before(retries))

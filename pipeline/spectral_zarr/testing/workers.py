"""Faults in the processes that run the tasks: death at a step or a moment, and a standstill that outlives a build."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spectral_zarr.cluster.executor import Closing, Executor, Receipt, Task, TaskKind
from spectral_zarr.store.calls import Step, hooked
from spectral_zarr.testing.faults import dies_at

__all__ = ["DiesAt", "DiesWithin", "Disturbed", "StopsAt"]


class Disturbed(Closing):
    """Runs tasks on another executor, each within a disturbance.

    Parameters
    ----------
    executor : Executor
        Where the tasks run.
    disturbance : callable
        Is given the function and the task where the task runs, so that it must survive pickling; calls it.
    """

    def __init__(self, executor: Executor, disturbance: Callable[[Callable[[Any], Any], Any], Any]) -> None:
        self._executor = executor
        self._disturbance = disturbance
        self.workers = executor.workers

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task, disturbed unless it runs alone."""
        if isinstance(function, TaskKind):
            return self._executor.map(replace(function, run=_Within(self._disturbance, function.run)), tasks)
        return self._executor.map(_Within(self._disturbance, function), tasks)

    def close(self) -> None:
        """Close the other executor."""
        self._executor.close()


@dataclass(frozen=True, slots=True)
class _Within:
    disturbance: Callable[[Callable[[Any], Any], Any], Any]
    function: Callable[[Any], Any]

    def __call__(self, task: Any) -> Any:
        return self.disturbance(self.function, task)


def _is_of(function: Callable[[Any], Any], phase: str) -> bool:
    return phase in repr(function)


@dataclass(frozen=True, slots=True)
class DiesAt:
    """The first worker that comes to a step is killed there.

    Attributes
    ----------
    step : Step
        The step.
    number : int
        Which time within one task.
    phase : str
        Name of the function whose tasks count.
    marker : str
        Path of a file that says that it happened.
    """

    step: Step
    number: int
    phase: str
    marker: str

    def __call__(self, function: Callable[[Any], Any], task: Any) -> Any:
        if not _is_of(function, self.phase):
            return function(task)
        with dies_at(self.step, number=self.number, marker=self.marker):
            return function(task)


@dataclass(frozen=True, slots=True)
class DiesWithin:
    """The first worker that begins a task is killed so many seconds later, if it is still at it.

    Attributes
    ----------
    seconds : float
        When, by a timer of the kernel, so that any instruction may be the last.
    phase : str
        Name of the function whose tasks count.
    marker : str
        Path of a file that says that it was tried; with ``.survived`` when the task was done before.
    """

    seconds: float
    phase: str
    marker: str

    def __call__(self, function: Callable[[Any], Any], task: Any) -> Any:
        if not _is_of(function, self.phase) or not _first(self.marker):
            return function(task)
        # Nobody handles SIGALRM, so that the kernel ends the process as it does for SIGKILL.
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        receipt = function(task)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _first(f"{self.marker}.survived")
        return receipt


@dataclass(frozen=True, slots=True)
class StopsAt:
    """The first worker that comes to a step stands still there until it gets SIGCONT, and then ends its task.

    It does not notice that its driver is gone meanwhile, like a worker behind a network that came back.

    Attributes
    ----------
    step : Step
        The step.
    phase : str
        Name of the function whose tasks count.
    marker : str
        Path of a file with the pid; with ``.ended`` and how its task ended, afterwards.
    """

    step: Step
    phase: str
    marker: str

    def __call__(self, function: Callable[[Any], Any], task: Any) -> Any:
        if not _is_of(function, self.phase):
            return function(task)
        stopped = False

        def stop(step: Step) -> None:
            nonlocal stopped
            if step is self.step and not stopped and _first(self.marker):
                stopped = True
                leave, os._exit = os._exit, _never  # type: ignore[assignment]
                leaving.append(leave)
                _say(f"{self.marker}.pid", str(os.getpid()))
                os.kill(os.getpid(), signal.SIGSTOP)

        leaving: list[Callable[[int], Any]] = []
        end = "done"
        try:
            with hooked(stop):
                return function(task)
        except Exception as error:
            end = type(error).__name__
            raise
        finally:
            if stopped:
                _say(f"{self.marker}.ended", end)
                leaving[0](0)


def _never(code: int) -> None:
    # Whatever thread found out that the driver is gone waits here for ever.
    threading.Event().wait()


def _first(marker: str) -> bool:
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _say(path: str, text: str) -> None:
    partial = Path(f"{path}.partial")
    partial.write_text(text)
    partial.rename(path)

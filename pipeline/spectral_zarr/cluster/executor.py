"""An executor maps a function over tasks with a bounded number in flight; the serial one is a for loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self, TypeVar

Task = TypeVar("Task")
Receipt = TypeVar("Receipt")


class Executor(Protocol):
    """Runs tasks and yields their receipts in the order of completion."""

    @property
    def workers(self) -> int:
        """Number of tasks that run at the same time."""

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task; the first error ends the iteration and is raised."""

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
    """Runs every task in this process, one after another."""

    workers = 1

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task in order."""
        for task in tasks:
            yield function(task)

    def close(self) -> None:
        """Nothing to stop."""

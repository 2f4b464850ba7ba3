"""Faults on purpose: file-system calls that fail, write too little or lose their reply, and death at a named step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from spectral_zarr.store.calls import FileCalls, Step, hooked, replaced

__all__ = ["CallFault", "FileCalls", "Step", "dies_at", "faulty", "hooked"]


@dataclass
class CallFault:
    """What happens to which file-system call.

    Attributes
    ----------
    at : int
        Number of the call that fails, from 1; 0 for none, which only counts.
    error : int
        ``errno`` that it fails with.
    how : {'fails', 'short', 'reply lost', 'no effect'}
        It does nothing and fails; writes half of what it was given; does its work and fails; or does nothing and
        reports success.
    forever : bool
        Whether all later calls fail too.
    only : tuple of str
        Names of `FileCalls` that count; all by default.
    path : str
        Text that an argument must contain to count, '' for any.
    count, fired : int
        Calls that counted so far, and those that failed.
    """

    at: int = 0
    error: int = 0
    how: Literal["fails", "short", "reply lost", "no effect"] = "fails"
    forever: bool = False
    only: tuple[str, ...] = ()
    path: str = ""
    count: int = 0
    fired: int = 0
    names: list[str] = field(default_factory=list)

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call with its fault."""

        def faulty_call(*arguments: Any, **options: Any) -> Any:
            if (self.only and name not in self.only) or not any(self.path in str(one) for one in arguments):
                return call(*arguments, **options)
            self.count += 1
            self.names.append(name)
            if not self.at or not (self.count == self.at or (self.forever and self.count > self.at)):
                return call(*arguments, **options)
            self.fired += 1
            if self.how == "short" and name == "write":
                descriptor, data = arguments
                return call(descriptor, memoryview(data)[: max(1, len(data) // 2)])
            if self.how == "no effect":
                return None
            if self.how == "reply lost":
                call(*arguments, **options)
            elif name == "close":
                # A descriptor is gone even when closing it reports an error.
                call(*arguments, **options)
            raise OSError(self.error, os.strerror(self.error))

        return faulty_call


@contextmanager
def faulty(fault: CallFault) -> Iterator[CallFault]:
    """Let the file-system calls of builds in this process suffer a fault during the block."""
    real = FileCalls()
    calls = {one.name: fault.wrap(one.name, getattr(real, one.name)) for one in fields(FileCalls)}
    with replaced(FileCalls(**calls)):
        yield fault


@contextmanager
def dies_at(step: Step, *, number: int = 1, with_signal: int = signal.SIGKILL, marker: str = "") -> Iterator[None]:
    """Send this process a signal when it reaches a step for the `number`-th time.

    Parameters
    ----------
    step : Step
        The step.
    number : int
        Which time.
    with_signal : int
        The signal.
    marker : str
        Path of a file that is made first; when it exists, nothing happens. So only one of several workers dies.
    """
    seen = 0

    def hook(reached: Step) -> None:
        nonlocal seen
        seen += reached == step
        if reached != step or seen != number:
            return
        if marker:
            try:
                with Path(marker).open("x"):
                    pass
            except FileExistsError:
                return
        os.kill(os.getpid(), with_signal)

    with hooked(hook):
        yield

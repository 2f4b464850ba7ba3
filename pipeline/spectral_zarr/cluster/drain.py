"""The first signal lets the running tasks finish, within a lead; the second one, or the end of the lead, stops them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from spectral_zarr.cluster.signals import SIGNALS, handlers_kept


@dataclass
class Drain:
    """Whether a signal has come, so that no task should begin."""

    requested: bool = False


@contextmanager
def draining(seconds: float, note: Callable[[str], None]) -> Iterator[Drain]:
    """Let SIGINT and SIGTERM wait for running tasks during the block.

    Parameters
    ----------
    seconds : float
        How long they wait at most; 0 interrupts at once.
    note : callable
        Is told that the running tasks are waited for.

    Raises
    ------
    KeyboardInterrupt
        At the second signal, at the end of the lead, or at the end of the block when a signal has come.
    """
    drain = Drain()
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread is ever interrupted.
        yield drain
        return

    def first(signum: int, frame: FrameType | None) -> None:
        if drain.requested or seconds <= 0:
            raise KeyboardInterrupt
        drain.requested = True
        signal.setitimer(signal.ITIMER_REAL, seconds)
        note(f"finishing the tasks that run, {seconds:.0f} s at most; a second signal stops them")

    def late(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    alarm = signal.signal(signal.SIGALRM, late)
    try:
        with handlers_kept():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, first)
            try:
                yield drain
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, alarm if alarm is not None else signal.SIG_DFL)
    if drain.requested:
        raise KeyboardInterrupt

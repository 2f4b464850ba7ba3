"""Signals wait while a store is being published, and keep their meaning when a library takes them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Undo what the block does to the handlers of SIGINT and SIGTERM; importing dask-jobqueue takes SIGINT."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread has handlers, and is ever interrupted.
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action if action is not None else signal.SIG_DFL)


@contextmanager
def signals_wait() -> Iterator[Callable[[], None]]:
    """Hold SIGINT and SIGTERM back during the block.

    Yields
    ------
    callable
        To be called when the work is done: a signal that came meanwhile has nothing left to interrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    arrived: list[int] = []

    def remember(signum: int, frame: FrameType | None) -> None:
        arrived.append(signum)

    finished = False

    def done() -> None:
        nonlocal finished
        finished = True

    try:
        with handlers_kept():
            # A mask would not do: another thread would take the signal, and the handler run here all the same.
            for number in SIGNALS:
                signal.signal(number, remember)
            yield done
    finally:
        if arrived and not finished:
            signal.raise_signal(arrived[0])

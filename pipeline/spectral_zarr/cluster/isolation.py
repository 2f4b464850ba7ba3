"""Running tasks in child processes of our own, so that what kills a decoder does not kill whoever asked."""

from __future__ import annotations

import atexit
import os
import pickle
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

from spectral_zarr.cluster.executor import Closing, Receipt, Task
from spectral_zarr.cluster.local import WORKER_ENVIRONMENT, available_cores

MOST_MEMORY = 16 << 30
"""Address space of a child: a chunk that asks for more is damaged or hostile."""

MOST_SECONDS = 1800.0
"""Time of one task: decoding a block takes seconds, on a stalled file system minutes."""

_LENGTH = struct.Struct("<Q")
_SERVE = "from spectral_zarr.cluster.isolation import serve; serve()"


class ChildLost(Exception):
    """The child that ran a task died or did not answer; the message says how."""


class _Child:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **WORKER_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )

    def call(self, function: Callable[[Task], Receipt], task: Task) -> Receipt:
        try:
            _send(self._process.stdin, (function, task))
            ok, result = _receive(self._process.stdout, time.monotonic() + MOST_SECONDS)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise ChildLost(self._how(error)) from None
        if not ok:
            raise result
        receipt: Receipt = result
        return receipt

    def _how(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {MOST_SECONDS:.0f} s"
        code = self._process.wait()
        return f"it died of {signal.Signals(-code).name}" if code < 0 else f"it ended with code {code}"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                continue


_OWN = threading.local()
_ALL: set[_Child] = set()


def call_isolated(function: Callable[[Task], Receipt], task: Task) -> Receipt:
    """Run a task in the child of the calling thread, which is started when there is none.

    Raises
    ------
    ChildLost
        When the child died of it or did not answer in time. The next call starts another one.
    """
    child: _Child | None = getattr(_OWN, "child", None)
    if child is None or child not in _ALL:
        child = _OWN.child = _Child()
        _ALL.add(child)
    try:
        return child.call(function, task)
    except BaseException as error:
        # A child that was left in the middle of an answer cannot be asked again.
        if not isinstance(error, Exception) or isinstance(error, ChildLost):
            _ALL.discard(child)
            child.close()
        raise


@atexit.register
def close_children() -> None:
    """End the children of all threads and wait until they are gone."""
    while _ALL:
        _ALL.pop().close()


class ThreadExecutor(Closing):
    """Runs tasks in threads of this process; for functions that wait for a child of their own.

    Parameters
    ----------
    workers : int
        Number of threads, 0 for one per available core.
    """

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or available_cores()
        self._threads = ThreadPoolExecutor(self.workers, "isolated")

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task; the receipts come in the order of the tasks."""
        waiting = iter(tasks)
        running: list[Future[Receipt]] = []
        try:
            while True:
                running += [
                    self._threads.submit(function, task) for task in islice(waiting, 2 * self.workers - len(running))
                ]
                if not running:
                    return
                yield running.pop(0).result()
        finally:
            for future in running:
                future.cancel()

    def close(self) -> None:
        """End the children and the threads."""
        close_children()
        self._threads.shutdown(wait=True, cancel_futures=True)


def serve() -> None:
    """Run the tasks that arrive at the standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    # What a library prints must not come between the answers.
    os.dup2(2, 1)
    while True:
        try:
            function, task = _receive(sys.stdin.buffer, None)
        except EOFError:
            return
        answer: tuple[bool, Any]
        try:
            answer = (True, function(task))
        except MemoryError:
            os.abort()
        except Exception as error:
            answer = (False, error)
        _send(answers, answer)


def _send(pipe: Any, value: Any) -> None:
    payload = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(payload)) + payload)
    pipe.flush()


def _receive(pipe: Any, deadline: float | None) -> Any:
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size, deadline))
    return pickle.loads(_exactly(pipe, length, deadline))


def _exactly(pipe: Any, length: int, deadline: float | None) -> bytes:
    pieces = []
    while length:
        if deadline is not None and not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        piece = os.read(pipe.fileno(), min(length, 1 << 20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)

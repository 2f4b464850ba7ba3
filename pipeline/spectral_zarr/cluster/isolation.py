"""Running tasks in child processes of our own, so that what kills a decoder does not kill whoever asked."""

from __future__ import annotations

import atexit
import faulthandler
import os
import pickle
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from spectral_zarr.cluster.executor import Closing, Receipt, Task
from spectral_zarr.cluster.workers import WORKER_ENVIRONMENT, available_cores
from spectral_zarr.errors import SpectralZarrError

MOST_MEMORY = 16 << 30
"""Address space of a child: a chunk that asks for more is damaged or hostile."""

MOST_SECONDS = 1800.0
"""Time of one task: decoding a block takes seconds, on a stalled file system minutes."""

LAST_SECONDS = 10.0
"""Time that a child has to end after its last word."""

NO_MEMORY = 86
"""Exit code of a child that could get no memory."""

MOST_WORDS = 500
"""Bytes of the last message of a child that are read."""

_LENGTH = struct.Struct("<Q")
_SERVE = "from spectral_zarr.cluster.isolation import serve; serve()"


class ChildLost(Exception):
    """The child that ran a task died or did not answer; the message says how."""


class ChildTimeout(ChildLost):
    """The child did not answer in time."""


class ChildMemory(ChildLost):
    """The child could get no memory, or was killed, which is what becomes of those who take too much."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one task may take in a child.

    Attributes
    ----------
    seconds : float
        Time until it is given up.
    nbytes : int
        Address space, libraries included, or with `beyond_libraries` without them.
    beyond_libraries : bool
        Whether the address space of a child that does nothing is added.
    """

    seconds: float
    nbytes: int
    beyond_libraries: bool = False


class _Child:
    def __init__(self) -> None:
        # Neither the working directory, which may be a stranger's, nor warnings that quote the store reach the child.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the child)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={**os.environ, **WORKER_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )

    def call(self, function: Callable[[Task], Receipt], task: Task, limits: Limits) -> Receipt:
        try:
            _send(self._process.stdin, (function, task, limits))
            ok, result = _receive(self._process.stdout, time.monotonic() + limits.seconds)
        except TimeoutError:
            raise ChildTimeout(f"no answer within {limits.seconds:.0f} s") from None
        except Exception as error:
            # A child whose memory is damaged may answer anything.
            raise self._how(error) from None
        if not ok:
            raise result
        receipt: Receipt = result
        return receipt

    def _how(self, error: Exception) -> ChildLost:
        try:
            code = self._process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            return ChildLost(f"its answer cannot be read: {type(error).__name__}: {error}")
        if code == NO_MEMORY:
            return ChildMemory("it could get no more memory")
        how = f"it died of {signal.Signals(-code).name}" if code < 0 else f"it ended with code {code}"
        kind = ChildMemory if code == -signal.SIGKILL else ChildLost
        return kind(f"{how} ({words})" if (words := self._last_words()) else how)

    def _last_words(self) -> str:
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - MOST_WORDS))
        lines = self._words.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._words):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                continue


class _Children:
    """Children that end together."""

    def __init__(self) -> None:
        self._living: set[_Child] = set()
        self._lock = threading.Lock()
        self._ended = False

    def __contains__(self, child: _Child) -> bool:
        return child in self._living

    def start(self) -> _Child:
        with self._lock:
            if self._ended:
                raise CancelledError
            child = _Child()
            self._living.add(child)
        return child

    def discard(self, child: _Child) -> None:
        self._living.discard(child)
        child.close()

    def kill(self) -> None:
        """End all of them and start no others, so that whoever waits for an answer is told."""
        with self._lock:
            self._ended = True
            for child in self._living:
                child.kill()

    def close(self) -> None:
        self.kill()
        while self._living:
            self._living.pop().close()


_OWN = threading.local()
_COMMON = _Children()
"""Children of threads that belong to no executor of this module."""

atexit.register(_COMMON.close)


def call_isolated(function: Callable[[Task], Receipt], task: Task, limits: Limits | None = None) -> Receipt:
    """Run a task in the child of the calling thread, which is started when there is none.

    Parameters
    ----------
    function : callable
        Runs the task.
    task : object
        The task.
    limits : Limits, optional
        What it may take; `MOST_SECONDS` and `MOST_MEMORY` by default.

    Raises
    ------
    ChildLost
        When the child died of it, did not answer in time, or met an error that is none of this package.
        The next call starts another one.
    """
    children: _Children = getattr(_OWN, "children", _COMMON)
    child: _Child | None = getattr(_OWN, "child", None)
    if child is None or child not in children:
        child = _OWN.child = children.start()
    try:
        return child.call(function, task, limits or Limits(MOST_SECONDS, MOST_MEMORY))
    except BaseException as error:
        # A child that was left in the middle of an answer cannot be asked again.
        if not isinstance(error, SpectralZarrError):
            children.discard(child)
        raise


class ThreadExecutor(Closing):
    """Runs tasks in threads of this process; for functions that wait for a child of their own.

    Parameters
    ----------
    workers : int
        Number of threads, 0 for one per available core.
    """

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or available_cores()
        self._children = _Children()
        self._threads = ThreadPoolExecutor(self.workers, "isolated", self._begin)

    def _begin(self) -> None:
        _OWN.children = self._children

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
        self._children.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._children.close()


def serve() -> None:
    """Run the tasks that arrive at the standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    # What a library prints must not come between the answers.
    os.dup2(2, 1)
    while True:
        limits: Limits
        try:
            function, task, limits = _receive(sys.stdin.buffer, None)
        except EOFError:
            return
        allowed = limits.nbytes + (_idle_bytes() if limits.beyond_libraries else 0)
        resource.setrlimit(
            resource.RLIMIT_AS, (allowed if most == resource.RLIM_INFINITY else min(allowed, most), most)
        )
        # Should whoever asks be killed, nobody is left to end a child that hangs.
        faulthandler.dump_traceback_later(limits.seconds + LAST_SECONDS, exit=True)
        answer: tuple[bool, Any]
        try:
            answer = (True, function(task))
        except MemoryError:
            os._exit(NO_MEMORY)
        except SpectralZarrError as error:
            answer = (False, error)
        except Exception as error:
            # What a hostile store makes of a library is known to the library alone.
            answer = (False, ChildLost(f"{type(error).__name__}: {error}"))
        faulthandler.cancel_dump_traceback_later()
        try:
            _send(answers, answer)
        except BrokenPipeError:
            return


@cache
def _idle_bytes() -> int:
    """Address space of this process that is not in memory: libraries, and what they reserve."""
    size, resident = (int(text) for text in Path("/proc/self/statm").read_text().split()[:2])
    return (size - resident) * os.sysconf("SC_PAGE_SIZE")


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

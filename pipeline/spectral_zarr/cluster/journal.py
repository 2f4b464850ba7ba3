"""The log of a build: a directory with one file for each writer, and one JSON object per line for each event."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from spectral_zarr.cluster.observer import Observer
from spectral_zarr.errors import EnvironmentFault
from spectral_zarr.model import Batch, BlockReceipt, BlockTask, Rejection, StageReceipt, TaskRun
from spectral_zarr.store.calls import Step
from spectral_zarr.store.fsops import append_line, make_directory
from spectral_zarr.store.paths import BuildPaths

PROGRESS_SECONDS = 10.0
"""A phase whose tasks have no lines of their own gets one whenever this time has passed."""


class Journal:
    """Appends events to a file of its own; errors are swallowed, since a full log disk must not fail a build.

    Parameters
    ----------
    paths : BuildPaths
        Paths of the build; its directory exists.
    writer : str
        Name of the file: an attempt of the driver, or a part of a job array.
    """

    def __init__(self, paths: BuildPaths, writer: str) -> None:
        self._directory = paths.log
        self._path = paths.log / f"{writer}.jsonl"
        self._torn = False
        self._retries: dict[tuple[str, int], int] = {}

    @classmethod
    def of_attempt(cls, paths: BuildPaths, attempt: int) -> Journal:
        """The log of the driver that holds a claim."""
        return cls(paths, f"driver-{attempt:06d}")

    def write(self, event: str, **facts: Any) -> None:
        """Append one event with its time."""
        line = _line({"time": round(time.time(), 3), "event": event, **facts})
        try:
            try:
                append_line(self._path, b"\n" + line if self._torn else line)
            except FileNotFoundError:
                make_directory(self._directory)
                append_line(self._path, line)
            self._torn = False
        except (OSError, EnvironmentFault):
            self._torn = True

    def begin(self, **facts: Any) -> None:
        """Say who writes."""
        self.write("begin", node=socket.gethostname(), pid=os.getpid(), **facts)

    def retried(self, task: Batch | BlockTask, number: int, reason: str) -> None:
        """A task has come to nothing for the `number`-th time and is tried again."""
        if isinstance(task, Batch):
            phase, unit, index = "stage", "batch", task.index
        else:
            phase, unit, index = "fill", "block", task.block
        self._retries[phase, index] = number
        self.write("retry", phase=phase, **{unit: index}, retries=number, reason=reason)

    def staged(self, receipt: StageReceipt, of: int) -> None:
        """A batch is staged, one of `of`, in this run or an earlier one."""
        self.write(
            Step.STAGED,
            phase="stage",
            batch=receipt.batch,
            of=of,
            **_run(receipt.run),
            retries=self._retries.pop(("stage", receipt.batch), 0),
            files=receipt.n_files,
            spectra=receipt.n_spectra,
            rejected=by_code(receipt.rejections),
            bytes_in=receipt.source_bytes,
            bytes_out=receipt.pixels.size + receipt.columns.size,
        )

    def filled(self, receipt: BlockReceipt, of: int, rows: int) -> None:
        """A row block of `rows` spectra is filled, one of `of` blocks."""
        self.write(
            Step.FILLED,
            phase="fill",
            block=receipt.block,
            of=of,
            **_run(receipt.run),
            retries=self._retries.pop(("fill", receipt.block), 0),
            spectra=rows,
            bytes_out=sum(chunk.size for chunk in receipt.chunks),
        )


def by_code(rejections: Iterable[Rejection]) -> dict[str, int]:
    """Number of rejections of each code."""
    return dict(Counter(rejection.code for rejection in rejections))


def _run(run: TaskRun) -> dict[str, Any]:
    return {"node": run.node, "pid": run.pid, "start": run.start, "end": run.end, "cpu_seconds": run.cpu_seconds}


def _line(facts: dict[str, Any]) -> bytes:
    # Reasons quote file names, which may hold what no JSON can, or what a terminal obeys.
    plain = {
        name: fact.encode("utf-8", "backslashreplace").decode() if isinstance(fact, str) else fact
        for name, fact in facts.items()
    }
    return json.dumps(plain, separators=(",", ":")).replace("\x7f", "\\u007f").encode() + b"\n"


class LoggedObserver:
    """An observer that writes the phases to the log as well.

    Parameters
    ----------
    inner : Observer
        Is told everything.
    journal : Journal
        Gets a line when a phase begins, and seldom one in between.
    """

    def __init__(self, inner: Observer, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal
        self._phase, self._unit = "", ""
        self._total = self._done = 0
        self._spoke = 0.0

    def begin(self, phase: str, total: int, unit: str) -> None:
        """Write that the phase begins."""
        self._phase, self._total, self._unit, self._done = phase, total, unit, 0
        self._write()
        self._inner.begin(phase, total, unit)

    def advance(self, amount: int) -> None:
        """Write how far the phase is, when it is time."""
        self._done = min(self._done + amount, self._total)
        if time.monotonic() - self._spoke >= PROGRESS_SECONDS:
            self._write()
        self._inner.advance(amount)

    def end(self) -> None:
        """Pass it on."""
        self._inner.end()

    def note(self, text: str) -> None:
        """Write it down and pass it on."""
        self._journal.write("note", text=text)
        self._inner.note(text)

    def _write(self) -> None:
        self._spoke = time.monotonic()
        self._journal.write("phase", phase=self._phase, done=self._done, total=self._total, unit=self._unit)

"""Reading the log of a build, whole or what is new in it, while others write."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from spectral_zarr.model import TaskRun
from spectral_zarr.store.fsops import translated


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log; what a line does not say is empty.

    Attributes
    ----------
    time : float
        When it was written, on the clock of the writer.
    event : str
        What happened: ``begin``, ``phase``, ``staged``, ``filled``, ``stopped`` and others.
    batch, block, of : int
        The task, and how many of its kind there are.
    start, end : float
        When the task ran, on the clock of its node.
    done, total, unit
        How far a phase is.
    """

    time: float
    event: str
    phase: str = ""
    batch: int = -1
    block: int = -1
    of: int = 0
    node: str = ""
    pid: int = 0
    start: float = 0.0
    end: float = 0.0
    cpu_seconds: float = 0.0
    retries: int = 0
    files: int = 0
    spectra: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    done: int = 0
    total: int = 0
    unit: str = ""
    blocks: int = 0
    attempt: int = 0
    request: str = ""
    code: str = ""
    reason: str = ""
    dashboard: str = ""
    tunnel: str = ""

    @property
    def index(self) -> int:
        """Number of the batch or block."""
        return self.batch if self.block < 0 else self.block

    @property
    def run(self) -> TaskRun:
        """The run of the task."""
        return TaskRun(self.node, self.pid, self.start, self.end, self.cpu_seconds)


_DECODER = msgspec.json.Decoder(Event)


class LogReader:
    """Reads the files of a log; lines that are damaged or not finished are left out.

    Parameters
    ----------
    directory : Path
        ``<dataset>.zarr.build/log``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._places: dict[str, int] = {}
        self._events: dict[str, list[Event]] = {}

    def read(self) -> dict[str, list[Event]]:
        """All events so far by writer, of which the known ones are not read again.

        Raises
        ------
        EnvironmentFault
            When the log cannot be read.
        """
        with translated(self._directory):
            found = {path.stem: path for path in self._directory.glob("*.jsonl")}
            for gone in self._events.keys() - found.keys():
                del self._events[gone], self._places[gone]
            for writer, path in found.items():
                self._read(writer, path)
        return self._events

    def _read(self, writer: str, path: Path) -> None:
        with path.open("rb") as stream:
            place = self._places.get(writer, 0)
            if stream.seek(0, 2) < place:
                # Another build of the same name.
                place = 0
            if place == 0:
                self._events[writer] = []
            stream.seek(place)
            text = stream.read()
        # What follows the last line break is being written.
        whole = text.rfind(b"\n") + 1
        self._places[writer] = place + whole
        events = self._events[writer]
        for line in text[:whole].splitlines():
            try:
                events.append(_DECODER.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue

"""Observers of a build: a bar on a terminal, and plain lines with the time in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from spectral_zarr.cli.terminal import clean, duration, messages

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from spectral_zarr.cluster import Observer

LINE_SHARE, LINE_SECONDS = 0.1, 30.0
"""A log gets a line whenever this share of a phase is done or this time has passed."""


class BarProgress:
    """One bar per phase; finished phases stay with the time they took.

    Parameters
    ----------
    progress : Progress
        Live display, started by the caller.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._left = 0

    def begin(self, phase: str, total: int, unit: str) -> None:
        """Add the bar of a phase."""
        self._left = total
        self._task = self._progress.add_task(phase, total=total, unit=unit)

    def advance(self, amount: int) -> None:
        """Move the bar, never beyond its end."""
        amount = min(amount, self._left)
        self._left -= amount
        if self._task is not None:
            self._progress.advance(self._task, amount)

    def end(self) -> None:
        """Fill the bar."""
        self.advance(self._left)

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(clean(text), style="dim")


class LineProgress:
    """Lines with date and time, seldom enough for a log of a long job.

    Parameters
    ----------
    stream : TextIO
        Where the lines go.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._phase, self._unit = "", ""
        self._total = self._done = self._shown = 0
        self._began = self._spoke = 0.0

    def begin(self, phase: str, total: int, unit: str) -> None:
        """Announce a phase."""
        self._phase, self._unit, self._total = phase, unit, total
        self._done = self._shown = 0
        self._began = self._spoke = self._clock()
        self._line(f"{phase}: {total:,} {unit}")

    def advance(self, amount: int) -> None:
        """Write a line when enough is done or enough time has passed."""
        self._done = min(self._done + amount, self._total)
        now = self._clock()
        if self._done == self._total:
            return
        if self._done - self._shown < LINE_SHARE * self._total and now - self._spoke < LINE_SECONDS:
            return
        self._shown, self._spoke = self._done, now
        rate = self._done / max(now - self._began, 1e-9)
        left = duration((self._total - self._done) / rate) if self._done else "unknown"
        share = f"{self._done / self._total:.0%}"
        self._line(f"{self._phase}: {self._done:,} of {self._total:,} {self._unit} ({share}), {left} left")

    def end(self) -> None:
        """Say how long the phase took."""
        seconds = self._clock() - self._began
        self._line(f"{self._phase}: done in {duration(seconds)}")

    def note(self, text: str) -> None:
        """Write a line."""
        self._line(clean(text))

    def _line(self, text: str) -> None:
        self._stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        self._stream.flush()


@contextmanager
def watching(*, quiet: bool) -> Iterator[Observer]:
    """The observer for standard error: bars on a terminal, lines elsewhere, nothing when `quiet`."""
    if quiet:
        from spectral_zarr.cluster import SilentObserver

        yield SilentObserver()
        return
    if not messages().is_terminal:
        yield LineProgress(sys.stderr)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("  {task.description:<9}", markup=False),
        BarColumn(bar_width=32, complete_style="cyan", finished_style="green"),
        TextColumn("{task.completed:>9,.0f} of {task.total:,.0f} {task.fields[unit]:<6}", style="dim", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=messages()) as progress:
        yield BarProgress(progress)

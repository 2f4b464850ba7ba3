"""Progress: seldom lines in a log, bars on a terminal, and executors that start when there is work."""

from __future__ import annotations

import io

import pytest

from spectral_zarr.cli.progress import BarProgress, LineProgress
from spectral_zarr.cluster import DeferredExecutor, LentExecutor
from spectral_zarr.errors import UsageError


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TestLines:
    def test_a_line_for_every_tenth_of_a_phase(self) -> None:
        stream, clock = io.StringIO(), Clock()
        progress = LineProgress(stream, clock)
        progress.begin("stage", 1000, "files")
        for _ in range(1000):
            clock.now += 0.01
            progress.advance(1)
        progress.end()
        lines = stream.getvalue().splitlines()
        assert len(lines) == 1 + 9 + 1
        assert lines[1].endswith("stage: 100 of 1,000 files (10%), 9.0 s left")
        assert lines[-1].endswith("stage: done in 10.0 s")

    def test_a_line_after_half_a_minute_of_slow_work(self) -> None:
        stream, clock = io.StringIO(), Clock()
        progress = LineProgress(stream, clock)
        progress.begin("fill", 1_000_000, "rows")
        for _ in range(10):
            clock.now += 11.0
            progress.advance(1)
        assert len(stream.getvalue().splitlines()) == 1 + 3

    def test_lines_begin_with_date_and_time_and_are_cleaned(self) -> None:
        stream = io.StringIO()
        LineProgress(stream).note("\x1b[31m")
        assert stream.getvalue()[:2] == "20"
        assert "\x1b" not in stream.getvalue()

    def test_more_than_all_is_all(self) -> None:
        stream = io.StringIO()
        progress = LineProgress(stream)
        progress.begin("validate", 10, "rows")
        progress.advance(1024)
        progress.end()
        assert "1,024" not in stream.getvalue()


class TestBars:
    def test_bars_end_full(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(file=io.StringIO())) as display:
            bars = BarProgress(display)
            bars.begin("stage", 10, "files")
            bars.advance(7)
            bars.advance(7)
            bars.note("[bold]")
            bars.end()
            assert [(task.completed, task.total) for task in display.tasks] == [(10, 10)]


def square(number: int) -> int:
    return number * number


class TestExecutors:
    def test_nothing_starts_before_the_first_task(self) -> None:
        notes: list[str] = []
        with DeferredExecutor("local", 1, notes.append) as executor:
            assert executor.workers == 1
        assert notes == []

    def test_auto_runs_a_few_tasks_here(self) -> None:
        notes: list[str] = []
        with DeferredExecutor("auto", 0, notes.append) as executor:
            assert list(executor.map(square, range(4))) == [0, 1, 4, 9]
        assert notes == []

    def test_a_cluster_is_lent_twice_and_started_once(self) -> None:
        notes: list[str] = []
        with DeferredExecutor("auto", 1, notes.append) as executor:
            for _ in range(2):
                with LentExecutor(executor) as lent:
                    assert sorted(lent.map(abs, range(-8, 0))) == list(range(1, 9))
        assert notes == ["starting workers"]

    def test_unknown_names_fail_at_once(self) -> None:
        with pytest.raises(UsageError):
            DeferredExecutor("moon", 0, str)

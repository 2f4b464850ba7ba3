"""What the log of a build tells about it: progress, pace, slow tasks and workers, over attempts and damaged lines."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from spectral_zarr.cluster.events import LogReader
from spectral_zarr.cluster.status import BuildStatus, summarise
from spectral_zarr.errors import ContractViolation


class Log:
    """Writes lines of a log with a clock of its own."""

    def __init__(self, directory: Path, writer: str, time: float, **facts: Any) -> None:
        directory.mkdir(exist_ok=True)
        self.path = directory / f"{writer}.jsonl"
        self.time = time
        self.line("begin", **facts)

    def line(self, event: str, after: float = 0.0, **facts: Any) -> None:
        """Write an event `after` seconds."""
        self.time += after
        with self.path.open("a") as stream:
            stream.write(json.dumps({"time": self.time, "event": event, **facts}) + "\n")

    def staged(self, batch: int, of: int, after: float = 1.0, **facts: Any) -> None:
        """A batch is staged that took as long as it was waited for."""
        run = {"node": "n1", "pid": 7, "start": self.time, "end": self.time + after, "retries": 0}
        moved = {"files": 10, "spectra": 9, "rejected": {"truncated": 1}, "bytes_in": 100, "bytes_out": 50}
        self.line("staged", after, **{"phase": "stage", "batch": batch, "of": of, **run, **moved, **facts})

    def filled(self, block: int, of: int, after: float = 1.0, **facts: Any) -> None:
        """A row block is filled."""
        run = {"node": "n1", "pid": 7, "start": self.time, "end": self.time + after, "retries": 0}
        self.line("filled", after, **{"phase": "fill", "block": block, "of": of, **run, "bytes_out": 30, **facts})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "log"


def told(directory: Path, state: Any = "running") -> BuildStatus:
    return summarise("x.zarr", state, "process 1 on n0", LogReader(directory).read())


def test_progress_pace_and_time_left_of_a_phase(directory: Path) -> None:
    log = Log(directory, "driver-000001", 1000.0)
    log.line("batches", of=40)
    log.line("phase", phase="stage", total=400, unit="files")
    found = told(directory)
    assert (found.phase, found.done, found.total, found.unit) == ("stage", 0, 40, "batches")
    assert math.isnan(found.rate)
    assert math.isnan(found.eta_seconds)
    for batch in range(10):
        log.staged(batch, 40, 2.0)
    found = told(directory)
    assert (found.done, found.rate, found.eta_seconds) == (10, 0.5, 60.0)
    assert (found.bytes_in, found.spectra, found.rejected) == (1000, 90, {"truncated": 10})
    assert math.isnan(told(directory, "stopped").eta_seconds)


def test_the_pace_is_that_of_late(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.line("phase", phase="stage", total=1000, unit="files")
    for batch in range(10):
        log.staged(batch, 100, 10.0)
    for batch in range(10, 60):
        log.staged(batch, 100, 2.0)
    assert told(directory).rate == pytest.approx(0.5)


def test_a_task_that_is_proven_again_counts_once_and_only_new_work_has_a_pace(directory: Path) -> None:
    first = Log(directory, "driver-000001", 0.0, request="a")
    for batch in range(10):
        first.staged(batch, 20)
    lines = [json.loads(line) for line in first.path.read_text().splitlines()][1:]
    second = Log(directory, "driver-000002", 10_000.0, request="a")
    for line in lines:
        # Found done: the line is new, the work is old.
        second.line("staged", 0.001, **{key: value for key, value in line.items() if key not in ("time", "event")})
    found = told(directory)
    assert (found.done, found.bytes_in, found.rejected) == (10, 1000, {"truncated": 10})
    assert math.isnan(found.rate)
    assert found.nodes == ()
    for batch in range(10, 14):
        second.staged(batch, 20, 5.0)
    found = told(directory)
    assert found.done == 14
    assert found.rate == pytest.approx(0.2, rel=0.01)
    assert [(node.node, node.tasks) for node in found.nodes] == [("n1", 4)]


def test_a_batch_that_was_damaged_and_staged_anew_has_its_last_facts(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.staged(0, 2, rejected={"truncated": 1})
    again = Log(directory, "driver-000002", 100.0)
    again.staged(0, 2, 3.0, rejected={"truncated": 2, "not-fits": 1})
    found = told(directory)
    assert (found.done, found.rejected) == (1, {"truncated": 2, "not-fits": 1})
    assert [task.run.seconds for task in found.slowest] == [3.0]


def test_batches_of_other_sources_do_not_count(directory: Path) -> None:
    first = Log(directory, "driver-000001", 0.0, request="a")
    for batch in range(5):
        first.staged(batch, 20)
    Log(directory, "driver-000002", 100.0, request="b").staged(0, 30)
    found = told(directory)
    assert (found.done, found.total) == (1, 30)


def test_rejected_duplicates_are_among_the_rejections(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.staged(0, 1)
    log.line("gathered", rejected={"duplicate-id": 3})
    assert told(directory).rejected == {"duplicate-id": 3, "truncated": 1}


def test_a_deleted_store_has_no_blocks(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.staged(0, 1)
    log.filled(0, 2)
    log.filled(1, 2)
    log.line("stopped", 1.0, code=ContractViolation.code, reason="two checks failed")
    again = Log(directory, "driver-000002", 100.0)
    again.line("planned", blocks=2)
    again.line("phase", phase="fill", total=10, unit="rows")
    found = told(directory)
    assert (found.phase, found.done, found.total, found.unit) == ("fill", 0, 2, "row blocks")
    again.filled(1, 2)
    found = told(directory)
    assert (found.done, found.bytes_out, found.spectra) == (1, 30, 9)


def test_slowest_tasks_with_their_nodes_and_retries(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    for batch in range(20):
        log.staged(batch, 20, 1.0 + batch % 7, node=f"n{batch % 3}", pid=batch)
    log.line("retry", phase="fill", block=0, retries=1)
    log.filled(0, 1, 100.0, retries=1)
    found = told(directory)
    assert [(task.phase, task.index, task.run.node, task.retries) for task in found.slowest] == [
        *(("fill", 0, "n1", 1), ("stage", 6, "n0", 0), ("stage", 13, "n1", 0), ("stage", 5, "n2", 0)),
        ("stage", 12, "n0", 0),
    ]
    assert found.retries == 1
    assert [(node.node, node.workers, node.tasks) for node in found.nodes] == [("n0", 7, 7), ("n1", 7, 8), ("n2", 6, 6)]


def test_parts_that_write_side_by_side_are_one_attempt(directory: Path) -> None:
    parts = [Log(directory, f"stage-{part}", 1000.0 + part) for part in range(3)]
    for step in range(4):
        for part, log in enumerate(parts):
            log.line("phase", phase="stage", total=100, unit="files")
            log.staged(step * 3 + part, 20, 10.0, node=f"n{part}")
    found = told(directory)
    assert (found.done, found.total) == (12, 20)
    assert found.rate == pytest.approx(0.3, rel=0.1)
    assert [node.node for node in found.nodes] == ["n0", "n1", "n2"]
    assert len(found.attempts) == 3


def test_attempts_and_how_they_ended(directory: Path) -> None:
    Log(directory, "driver-000001", 0.0, node="n1").line("stopped", 5.0, code="interrupted", reason="stopped")
    Log(directory, "driver-000002", 100.0, node="n2").line("phase", 3.0, phase="stage")
    Log(directory, "driver-000003", 200.0, node="n3").line("published", 7.0)
    assert [(one.node, one.began, one.last, one.end) for one in told(directory).attempts] == [
        *(("n1", 0.0, 5.0, "interrupted"), ("n2", 100.0, 103.0, ""), ("n3", 200.0, 207.0, "published"))
    ]


def test_a_dashboard_is_that_of_a_build_that_runs(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.line("cluster", dashboard="http://127.0.0.1:8787/status", tunnel="ssh -N -L 8787:127.0.0.1:8787 n1")
    assert told(directory).dashboard == "http://127.0.0.1:8787/status"
    assert told(directory).tunnel.startswith("ssh -N")
    assert told(directory, "stopped").dashboard == ""
    Log(directory, "driver-000002", 100.0)
    assert told(directory).dashboard == ""


def test_phases_of_the_driver_are_told_as_they_were_written(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.filled(0, 1)
    log.line("phase", phase="validate", done=0, total=900, unit="rows")
    log.line("phase", 10.0, phase="validate", done=300, total=900, unit="rows")
    found = told(directory)
    assert (found.phase, found.done, found.total, found.unit) == ("validate", 300, 900, "rows")
    assert found.eta_seconds == pytest.approx(20.0)


@pytest.mark.parametrize(
    "damage",
    [b'{"time":5,"ev', b"\x00\xff\n", b'{"time":"x","event":"staged"}\n', b"[]\n", b"\n\n", b'{"event":"staged"}\n'],
)
def test_damaged_lines_are_left_out(directory: Path, damage: bytes) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.staged(0, 3)
    with log.path.open("ab") as stream:
        stream.write(damage)
    assert told(directory).done == 1
    with log.path.open("ab") as stream:
        stream.write(b"\n")
    log.staged(1, 3)
    assert told(directory).done == 2


def test_a_line_is_read_when_it_is_whole(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.staged(0, 3)
    reader = LogReader(directory)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-20])
    assert [event.event for event in reader.read()["driver-000001"]] == ["begin"]
    log.path.write_bytes(whole)
    assert [event.event for event in reader.read()["driver-000001"]] == ["begin", "staged"]
    assert [event.event for event in reader.read()["driver-000001"]] == ["begin", "staged"]


def test_a_log_of_another_build_is_read_from_its_beginning(directory: Path) -> None:
    log = Log(directory, "driver-000001", 0.0)
    log.staged(0, 3)
    reader = LogReader(directory)
    assert len(reader.read()["driver-000001"]) == 2
    log.path.unlink()
    Log(directory, "driver-000002", 0.0)
    assert [len(events) for events in reader.read().values()] == [1]
    (directory / "driver-000002.jsonl").write_text("{}\n")
    assert reader.read() == {"driver-000002": []}


def test_a_build_without_a_log(directory: Path) -> None:
    found = told(directory, "stopped")
    assert (found.state, found.phase, found.done, found.attempts) == ("stopped", "", 0, ())

"""The log of a build: a file for each writer, one JSON object per line, and never a reason for a build to fail."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from spectral_zarr import Config, IngestRequest, SerialExecutor, Tolerance, ingest
from spectral_zarr.cluster.journal import Journal, LoggedObserver
from spectral_zarr.cluster.observer import SilentObserver
from spectral_zarr.config.options import BuildOptions
from spectral_zarr.errors import TooManyRejections
from spectral_zarr.model import BlockReceipt, BlockTask
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record
from spectral_zarr.testing.faults import CallFault, faulty

SMALL = Config(build=BuildOptions(batch_files=4))


@pytest.fixture
def paths(tmp_path: Path) -> BuildPaths:
    """Paths of a build whose directory exists."""
    paths = BuildPaths.of(tmp_path / "x.zarr")
    paths.build.mkdir()
    return paths


def lines(paths: BuildPaths, writer: str) -> list[dict[str, Any]]:
    text = (paths.log / f"{writer}.jsonl").read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_every_task_says_where_and_when_it_ran_and_what_it_moved(sdss_files: Path, tmp_path: Path) -> None:
    (sdss_files / "text.fits").write_text("no")
    target = tmp_path / "x.zarr"
    ingest(IngestRequest((str(sdss_files),), str(target), SMALL, Tolerance.parse("1")), SerialExecutor())
    events = lines(BuildPaths.of(target), "driver-000001")
    staged = [event for event in events if event["event"] == "staged"]
    assert [(one["batch"], one["of"]) for one in staged] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert sum(one["files"] for one in staged) == 13
    assert sum(one["spectra"] for one in staged) == 12
    assert [one["rejected"] for one in staged if one["rejected"]] == [{"not-fits": 1}]
    assert sum(one["bytes_in"] for one in staged) == sum(path.stat().st_size for path in sdss_files.iterdir())
    (filled,) = [event for event in events if event["event"] == "filled"]
    assert (filled["block"], filled["of"], filled["spectra"]) == (0, 1, 12)
    assert filled["bytes_out"] == sum(path.stat().st_size for path in target.glob("signal/*/c.*.*"))
    for one in (*staged, filled):
        assert (one["node"], one["pid"], one["retries"]) == (socket.gethostname(), os.getpid(), 0)
        assert one["start"] <= one["end"] <= one["time"] + 0.001
        assert one["cpu_seconds"] > 0
    phases = [event["phase"] for event in events if event["event"] == "phase" and not event["done"]]
    assert phases == ["stage", "plan", "fill", "finalise", "validate", "publish"]


def test_every_attempt_has_a_file_and_work_of_an_earlier_one_keeps_its_place_and_time(
    sdss_files: Path, tmp_path: Path
) -> None:
    (sdss_files / "text.fits").write_text("no")
    request = IngestRequest((str(sdss_files),), str(tmp_path / "x.zarr"), SMALL)
    with pytest.raises(TooManyRejections):
        ingest(request, SerialExecutor())
    (sdss_files / "text.fits").unlink()
    ingest(IngestRequest(request.sources, request.target, SMALL, resume=True), SerialExecutor())
    paths = BuildPaths.of(request.target)
    assert sorted(path.name for path in paths.log.iterdir()) == ["driver-000001.jsonl", "driver-000002.jsonl"]
    first, second = lines(paths, "driver-000001"), lines(paths, "driver-000002")
    assert first[-1]["event"] == "stopped"
    assert first[-1]["code"] == "too-many-rejections"
    assert (first[0]["event"], first[0]["attempt"], second[0]["attempt"]) == ("begin", 1, 2)
    assert first[0]["request"] != second[0]["request"]
    once, again = (
        {one["batch"]: (one["start"], one["end"]) for one in events if one["event"] == "staged"}
        for events in (first, second)
    )
    assert again == {batch: run for batch, run in once.items() if batch != 3}


def test_attempts_that_came_to_nothing_are_counted_in_the_line_of_their_task(
    sdss_files: Path, paths: BuildPaths
) -> None:
    ingest(IngestRequest((str(sdss_files),), str(paths.target), SMALL), SerialExecutor())
    receipt = read_record(paths.receipts / "block-000000.json", BlockReceipt)
    journal = Journal(paths, "other")
    task = BlockTask(0, receipt.plan_sha256, ())
    journal.retried(task, 1, "its worker was lost")
    journal.retried(task, 2, "its worker was lost")
    journal.filled(receipt, 1, 12)
    journal.filled(receipt, 1, 12)
    assert [(one["event"], one["block"], one["retries"]) for one in lines(paths, "other")] == [
        *(("retry", 0, 1), ("retry", 0, 2), ("filled", 0, 2), ("filled", 0, 0))
    ]


def test_names_cannot_break_a_line_or_command_a_terminal(paths: BuildPaths) -> None:
    reason = "a\nb\x1b[2J\x7f\x9b\u202e\udc80"
    Journal(paths, "driver-000001").write("stopped", reason=reason)
    raw = (paths.log / "driver-000001.jsonl").read_bytes()
    assert raw.count(b"\n") == 1
    assert all(0x20 <= byte < 0x7F for byte in raw[:-1])
    (event,) = lines(paths, "driver-000001")
    assert event["reason"] == "a\nb\x1b[2J\x7f\x9b\u202e\\udc80"


@pytest.mark.parametrize("call", ["open", "write", "close", "mkdir"])
def test_a_full_disk_loses_lines_and_nothing_else(paths: BuildPaths, call: str) -> None:
    journal = Journal(paths, "driver-000001")
    with faulty(CallFault(at=1, error=errno.ENOSPC, only=(call,), path="" if call == "write" else "log", forever=True)):
        journal.write("lost")
    journal.write("kept")
    kept = [json.loads(line) for line in (paths.log / "driver-000001.jsonl").read_text().splitlines() if line]
    assert kept[-1]["event"] == "kept"


def test_a_line_that_was_cut_short_does_not_spoil_the_next(paths: BuildPaths) -> None:
    journal = Journal(paths, "driver-000001")
    journal.write("first")
    with faulty(CallFault(at=1, how="short", only=("write",))):
        journal.write("in two pieces")
    with faulty(CallFault(at=1, error=errno.ENOSPC, how="reply lost", only=("write",))) as fault:
        journal.write("cut")
    assert fault.fired
    path = paths.log / "driver-000001.jsonl"
    # As much of it as still had room.
    path.write_bytes(path.read_bytes()[:-9])
    journal.write("next")
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line)["event"])
        except json.JSONDecodeError:
            continue
    assert found == ["first", "in two pieces", "next"]


def test_a_build_that_was_given_up_gets_no_log_again(paths: BuildPaths) -> None:
    journal = Journal(paths, "driver-000001")
    paths.build.rmdir()
    journal.write("late")
    assert not paths.build.exists()


def test_a_phase_without_lines_of_its_tasks_is_heard_of_now_and_then(
    paths: BuildPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("spectral_zarr.cluster.journal.time.monotonic", lambda: now)
    observer = LoggedObserver(SilentObserver(), Journal(paths, "driver-000001"))
    observer.begin("validate", 100, "rows")
    for _ in range(100):
        now += 0.5
        observer.advance(1)
    observer.note("a worker was lost")
    *phases, note = lines(paths, "driver-000001")
    assert [event["done"] for event in phases] == [0, 20, 40, 60, 80, 100]
    assert (note["event"], note["text"]) == ("note", "a worker was lost")

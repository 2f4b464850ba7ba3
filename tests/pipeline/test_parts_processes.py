"""Parts as processes: at once, twice, killed, stopped, and awake in another build."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr import SerialExecutor, ingest
from spectral_zarr.cluster import read_status
from spectral_zarr.errors import (
    PartsMissing,
    StagingBusy,
)
from spectral_zarr.store.abort import abort_build
from spectral_zarr.store.claim import current_claim, own_claim
from spectral_zarr.store.records import write_record
from spectral_zarr.store.request import request_facts
from spectral_zarr.testing.faults import Step

from .parts_scene import (
    Parts,
    _epoch,
    answer,
    parts,
    source,
    tell,
    told,
)

__all__ = ["_epoch", "parts", "source"]


class TestProcesses:
    @pytest.mark.parametrize(
        "numbers", [("1/3", "2/3", "3/3"), ("1/1", "1/1")], ids=["three parts", "two copies of one"]
    )
    def test_processes_that_run_at_once_claim_the_build_once_and_do_no_harm(
        self, parts: Parts, numbers: tuple[str, ...]
    ) -> None:
        running = {parts.start(): number for number in numbers}
        try:
            assert {answer(process) for process in running} == {"ready"}
            for phase, then in (("stage", parts.plan), ("fill", parts.finalise)):
                for process, number in running.items():
                    tell(process, phase, number)
                assert [answer(process) for process in running] == ["done"] * len(numbers)
                then()
        finally:
            for process in running:
                process.communicate(timeout=120)
        parts.assert_published()

    @pytest.mark.parametrize(
        ("phase", "step", "number"),
        [
            ("stage", Step.CLAIMED, 1),
            ("stage", Step.FILE_WRITTEN, 6),
            ("stage", Step.STAGED, 2),
            ("fill", Step.FILE_SYNCED, 4),
            ("fill", Step.BLOCK_BUFFERED, 1),
        ],
    )
    def test_a_part_that_is_killed_runs_again_and_does_only_what_has_no_proof(
        self, parts: Parts, phase: str, step: Step, number: int
    ) -> None:
        stage, fill = [1, 2, 3], [1, 2, 3]
        if phase == "fill":
            for part in stage:
                parts.stage(part)
            parts.plan()
        killed = parts.start(step, number)
        assert told(killed, phase, "2/3") == ""
        assert killed.returncode == -signal.SIGKILL
        known = parts.proofs()
        run: Callable[[int], None] = parts.stage if phase == "stage" else parts.fill
        for part in (3, 1):
            run(part)
        with pytest.raises(PartsMissing, match=r"--part 2/3$"):
            parts.plan() if phase == "stage" else parts.finalise()
        run(2)
        assert known.items() <= parts.proofs().items()
        if phase == "stage":
            parts.plan()
            for part in fill:
                parts.fill(part)
        parts.finalise()
        parts.assert_published()

    @pytest.mark.parametrize("step", [Step.COLUMNS_WRITTEN, Step.INTENT_WRITTEN, Step.RENAMED, Step.RECORDED])
    def test_a_finalise_that_is_killed_runs_again(self, parts: Parts, step: Step) -> None:
        parts.stage(1, 1)
        parts.plan()
        parts.fill(1, 1)
        killed = parts.start(step)
        assert told(killed, "finalise", "1/1") == ""
        assert killed.returncode == -signal.SIGKILL
        if step is Step.COLUMNS_WRITTEN:
            parts.fill(1, 1)
        parts.finalise()
        parts.assert_published()

    @pytest.mark.parametrize("phase", ["stage", "fill"])
    def test_a_part_that_is_told_to_stop_finishes_its_task_and_exits_75(self, parts: Parts, phase: str) -> None:
        if phase == "fill":
            parts.stage(1, 1)
            parts.plan()
        before = parts.proofs()
        # A file in the middle of the second batch, or of the second block.
        number = 8 if phase == "stage" else 7
        said = told(parts.start(Step.FILE_WRITTEN, number, signal.SIGTERM), phase, "1/1")
        assert said.startswith("75 interrupted: ")
        assert said.endswith("run the same command again")
        known = parts.proofs()
        assert len(known) == len(before) + 2
        (parts.stage if phase == "stage" else parts.fill)(1, 1)
        assert known.items() <= parts.proofs().items()

    @pytest.mark.parametrize("phase", ["stage", "fill"])
    def test_while_a_part_runs_nobody_has_the_build_for_himself(self, parts: Parts, phase: str) -> None:
        if phase == "fill":
            parts.stage(1, 1)
            parts.plan()
        part = parts.start(Step.STAGED if phase == "stage" else Step.FILLED, 1, signal.SIGSTOP)
        tell(part, phase, "1/1")
        try:
            wait_until_stopped(part.pid)
            seen = read_status(parts.target)
            assert (seen.state, seen.phase) == ("running", phase)
            assert seen.owner.endswith(f"({phase} 1 of 1)")
            who = rf"process {part.pid} on .* \({phase} 1 of 1\) is building this store"
            with pytest.raises(StagingBusy, match=who):
                parts.plan()
            with pytest.raises(StagingBusy, match=who):
                ingest(replace(parts.request, resume=True), SerialExecutor())
            with pytest.raises(StagingBusy, match=who):
                abort_build(parts.paths, own_claim(request_facts((), None, "")))
            if phase == "fill":
                parts.fill(1, 1)
                with pytest.raises(StagingBusy, match=who):
                    parts.finalise()
        finally:
            part.send_signal(signal.SIGCONT)
            said, _ = part.communicate(timeout=120)
        assert said == "ready\ndone\n"
        assert read_status(parts.target).state == "stopped"
        if phase == "stage":
            parts.plan()
            parts.fill(1, 1)
        parts.finalise()
        parts.assert_published()

    def test_a_part_on_another_node_is_left_alone_until_its_file_is_removed(self, parts: Parts) -> None:
        parts.stage(1, 1)
        claim = current_claim(parts.paths)
        assert claim is not None
        file = parts.paths.parts / "stage-1-of-1.elsewhere-7.json"
        write_record(file, replace(claim, host="elsewhere", pid=7))
        parts.stage(1, 1)
        with pytest.raises(
            StagingBusy, match=rf"7 on elsewhere \(stage 1 of 1; when it has certainly ended, remove {file}"
        ):
            parts.plan()
        file.unlink()
        parts.plan()

    def test_a_part_that_wakes_in_another_build_of_this_name_writes_nothing(self, parts: Parts) -> None:
        part = parts.start(Step.STAGED, 2, signal.SIGSTOP)
        tell(part, "stage", "1/1")
        try:
            wait_until_stopped(part.pid)
            for path in parts.paths.parts.iterdir():
                path.unlink()
            assert abort_build(parts.paths, own_claim(request_facts((), None, "")))
            parts.stage(1, 1, limit=20)
            known = parts.proofs()
        finally:
            part.send_signal(signal.SIGCONT)
            said, _ = part.communicate(timeout=120)
        assert said.startswith("ready\n5 staging-busy")
        assert "given up, or taken over" in said
        assert parts.proofs() == known


def wait_until_stopped(pid: int) -> None:
    """Wait until a process has stopped itself."""
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0] != "T":
        assert time.monotonic() < deadline
        time.sleep(0.01)

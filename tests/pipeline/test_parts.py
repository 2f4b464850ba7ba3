"""The phases alone, in parts: the same bytes as a serial ingest, whatever the order, and whatever dies on the way."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, load_config
from spectral_zarr.cluster import fill_part, finalise_parts, plan_parts, read_status, stage_part
from spectral_zarr.cluster.provenance import package_version
from spectral_zarr.errors import (
    BadTarget,
    PartsMissing,
    ResumeRefused,
    StagingBusy,
    TargetExists,
    TooManyRejections,
)
from spectral_zarr.model import Part
from spectral_zarr.store.calls import hooked
from spectral_zarr.store.claim import abort_build, current_claim, own_claim, record
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import write_record
from spectral_zarr.store.request import request_facts
from spectral_zarr.testing import store_digest, write_samples
from spectral_zarr.testing.faults import Step

from .matrix import _epoch

__all__ = ["_epoch"]

N_FILES, N_BATCHES, N_BLOCKS = 150, 10, 3
CONFIG = "[build]\nbatch_files = 16\n[store]\nchunk_rows = 64\n"

PROGRAM = """
import sys
from pathlib import Path
from spectral_zarr import IngestRequest, load_config
from spectral_zarr.cli.failures import interrupt_on_terminate
from spectral_zarr.cluster import fill_part, stage_part
from spectral_zarr.errors import SpectralZarrError
from spectral_zarr.model import Part
from spectral_zarr.testing.faults import Step, dies_at
files, config, target, step, number, signal = sys.argv[1:7]
interrupt_on_terminate()
request = IngestRequest((files,), target, load_config(Path(config)))
print("ready", flush=True)
for line in sys.stdin:
    phase, part = line.split()
    try:
        with dies_at(Step(step), number=int(number), with_signal=int(signal)):
            stage_part(request, Part.parse(part)) if phase == "stage" else fill_part(target, Part.parse(part))
        print("done", flush=True)
    except SpectralZarrError as error:
        print(error.exit_code, error, flush=True)
"""
"""Runs the parts that it reads; a signal hits it at a step."""


class Parts:
    """A build in parts, and the digest of the store that a serial ingest of the same request gives."""

    def __init__(self, files: Path, config: Path, target: Path, serial: str) -> None:
        self.files, self.config, self.target, self.serial = files, config, target, serial
        self.paths = BuildPaths.of(target)

    @property
    def request(self) -> IngestRequest:
        return IngestRequest((str(self.files),), str(self.target), load_config(self.config))

    def stage(self, number: int, of: int = 3, **options: object) -> None:
        stage_part(replace(self.request, **options), Part(number, of))

    def plan(self) -> None:
        plan_parts(str(self.target), Tolerance())

    def fill(self, number: int, of: int = 3) -> None:
        fill_part(str(self.target), Part(number, of))

    def finalise(self, *, replacing: bool = False) -> None:
        finalise_parts(str(self.target), replacing=replacing, workers=1)

    def run(self, of: int = 3) -> None:
        for number in range(1, of + 1):
            self.stage(number, of)
        self.plan()
        for number in range(1, of + 1):
            self.fill(number, of)
        self.finalise()

    def start(
        self, step: Step = Step.PUBLISHED, number: int = 1, with_signal: int = signal.SIGKILL
    ) -> subprocess.Popen[str]:
        """A process that runs the parts that it is told; a signal hits it at a step."""
        words = (self.files, self.config, self.target, step, number, int(with_signal))
        command = [sys.executable, "-c", PROGRAM, *map(str, words)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def proofs(self) -> dict[str, int]:
        """Inode of every receipt, which changes when work is done again."""
        found = [*self.paths.staged.glob("*.receipt.json"), *self.paths.receipts.glob("*.json")]
        return {path.name: path.stat().st_ino for path in found}

    def assert_published(self) -> None:
        assert store_digest(self.target) == self.serial
        names = {path.name for path in self.target.parent.iterdir()}
        assert names == {self.target.name, self.paths.build.name}
        assert not list(self.target.parent.rglob("*.partial"))
        assert not self.paths.parts.exists()


def tell(process: subprocess.Popen[str], phase: str, part: str) -> None:
    """Let a process run a part."""
    assert process.stdin is not None
    process.stdin.write(f"{phase} {part}\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    """The next line of a process, '' when it has died."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def told(process: subprocess.Popen[str], phase: str, part: str) -> str:
    """What a process that runs a part at last says."""
    with process:
        assert answer(process) == "ready"
        tell(process, phase, part)
        return process.communicate(timeout=120)[0].strip()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, _epoch: None) -> tuple[Path, Path, str]:
    """Files for ten batches and three row blocks, their configuration, and the digest of the serial store."""
    root = tmp_path_factory.mktemp("source")
    write_samples(root / "files", "wcs1d", N_FILES, n_pix=4096)
    (root / "c.toml").write_text(CONFIG)
    request = IngestRequest((str(root / "files"),), str(root / "serial.zarr"), load_config(root / "c.toml"))
    outcome = ingest(request, SerialExecutor())
    assert outcome.plan.n_blocks == N_BLOCKS
    return root / "files", root / "c.toml", store_digest(root / "serial.zarr")


@pytest.fixture
def parts(source: tuple[Path, Path, str], tmp_path: Path) -> Parts:
    files, config, serial = source
    return Parts(files, config, tmp_path / "x.zarr", serial)


class TestBytes:
    @pytest.mark.parametrize("of", [1, 3, 16])
    def test_any_number_of_parts_gives_the_serial_store(self, parts: Parts, of: int) -> None:
        parts.run(of)
        parts.assert_published()

    def test_parts_may_run_in_any_order_and_twice_and_nothing_is_parsed_twice(self, parts: Parts) -> None:
        generator = random.Random(7)
        for phase, then in ((parts.stage, parts.plan), (parts.fill, parts.finalise)):
            twice = [1, 2, 3, 1, 2, 3]
            generator.shuffle(twice)
            known: dict[str, int] = {}
            for number in twice:
                phase(number)
                found = parts.proofs()
                assert {name: found[name] for name in known} == known
                known = found
            if then == parts.plan:
                then()
        parts.finalise()
        parts.assert_published()

    def test_another_number_of_parts_finds_what_is_staged(self, parts: Parts) -> None:
        parts.stage(1, 2)
        known = parts.proofs()
        for number in (1, 2, 3):
            parts.stage(number, 3)
        assert known.items() <= parts.proofs().items()
        parts.plan()
        parts.fill(1, 1)
        parts.finalise()
        parts.assert_published()

    def test_an_existing_store_is_replaced_when_both_ends_say_so(self, parts: Parts, tmp_path: Path) -> None:
        ingest(IngestRequest((str(parts.files),), str(parts.target), limit=3), SerialExecutor())
        old = store_digest(parts.target)
        with pytest.raises(TargetExists, match="--replace"):
            parts.stage(1, 1)
        parts.stage(1, 1, replace=True)
        parts.plan()
        parts.fill(1, 1)
        with pytest.raises(TargetExists, match="--replace"):
            parts.finalise()
        assert store_digest(parts.target) == old
        parts.finalise(replacing=True)
        parts.assert_published()

    def test_finalise_again_says_the_same_and_writes_nothing(self, parts: Parts) -> None:
        parts.run(1)
        before = parts.target.stat().st_ino
        parts.finalise()
        assert parts.target.stat().st_ino == before
        parts.assert_published()


class TestRefusals:
    def test_a_phase_waits_for_all_parts_of_the_one_before_and_names_those_that_are_missing(self, parts: Parts) -> None:
        for early in (parts.plan, lambda: parts.fill(1), parts.finalise):
            with pytest.raises(PartsMissing, match="begin with stage"):
                early()
        parts.stage(2)
        with pytest.raises(PartsMissing, match=r"run stage --part 1/3, 3/3$") as caught:
            parts.plan()
        assert caught.value.exit_code == 5
        for early in (lambda: parts.fill(1), parts.finalise):
            with pytest.raises(PartsMissing, match="run plan"):
                early()
        parts.stage(1)
        parts.stage(3)
        parts.plan()
        with pytest.raises(
            PartsMissing, match=f"{N_BLOCKS} of {N_BLOCKS} row blocks are not filled; run fill --part i/n"
        ):
            parts.finalise()
        parts.fill(2)
        with pytest.raises(PartsMissing, match=r"2 of 3 row blocks are not filled; run fill --part 1/3, 3/3$"):
            parts.finalise()
        parts.fill(1)
        parts.fill(3)
        parts.finalise()
        parts.assert_published()

    def test_a_part_with_another_request_is_told_what_differs(self, parts: Parts, tmp_path: Path) -> None:
        parts.stage(1)
        with pytest.raises(ResumeRefused, match=r"sources: 150 files of \d+ bytes before, 7 files"):
            parts.stage(2, limit=7)
        config = load_config(parts.config)
        with pytest.raises(ResumeRefused, match=r"build.min_valid_share 0.02 before, 0.5 now"):
            parts.stage(2, config=replace(config, build=replace(config.build, min_valid_share=0.5)))
        claim = current_claim(parts.paths)
        assert claim is not None
        record(parts.paths, replace(claim, request=replace(claim.request, version="0.0.1")))
        with pytest.raises(ResumeRefused, match=f"version 0.0.1 before, {package_version()} now"):
            parts.stage(2)
        with pytest.raises(ResumeRefused, match=r"version 0\.0\.1 before"):
            parts.plan()

    def test_an_ingest_is_refused_or_takes_all_over(self, parts: Parts) -> None:
        parts.stage(1)
        parts.stage(3)
        known = parts.proofs()
        with pytest.raises(StagingBusy, match="a build in 3 parts lies here; go on with stage"):
            ingest(parts.request, SerialExecutor())
        parts.stage(2)
        assert known.items() <= parts.proofs().items()
        parts.plan()
        parts.fill(2)
        known = parts.proofs()
        steps: list[Step] = []
        with hooked(steps.append):
            ingest(replace(parts.request, resume=True), SerialExecutor())
        assert steps.count(Step.FILLED) == N_BLOCKS
        found = parts.proofs()
        assert {name: found.get(name) for name in known if "block" in name} == {
            name: inode for name, inode in known.items() if "block" in name
        }
        assert store_digest(parts.target) == parts.serial

    def test_parts_do_not_join_an_ingest(self, parts: Parts) -> None:
        def stop(step: Step) -> None:
            if step is Step.STAGED:
                raise KeyboardInterrupt

        with hooked(stop), pytest.raises(Exception, match="--resume"):
            ingest(parts.request, SerialExecutor())
        with pytest.raises(StagingBusy, match="continue with ingest --resume"):
            parts.stage(1)
        with pytest.raises(StagingBusy, match="continue with ingest --resume"):
            parts.plan()

    def test_abort_gives_the_build_up(self, parts: Parts, tmp_path: Path) -> None:
        parts.stage(1)
        assert abort_build(parts.paths, own_claim(request_facts((), None, "")))
        assert list(tmp_path.iterdir()) == []
        parts.run(1)
        parts.assert_published()

    def test_rejections_are_counted_when_all_is_staged(self, parts: Parts, tmp_path: Path) -> None:
        files = tmp_path / "files"
        files.mkdir()
        for path in sorted(parts.files.iterdir())[:40]:
            (files / path.name).symlink_to(path)
        (files / "text.fits").write_text("no")
        parts.files = files
        for number in (1, 2):
            parts.stage(number, 2)
        with pytest.raises(TooManyRejections, match=r"text\.fits: not-fits .* adding --max-rejected 1$"):
            parts.plan()
        found = plan_parts(str(parts.target), Tolerance.parse("1"))
        assert [rejection.name for rejection in found.rejections] == ["text.fits"]
        parts.fill(1, 1)
        outcome = finalise_parts(str(parts.target), workers=1)
        assert (outcome.plan.n_spec, len(outcome.rejections)) == (40, 1)

    def test_a_target_that_is_no_store_name(self, parts: Parts) -> None:
        with pytest.raises(BadTarget):
            fill_part("x.zip", Part(1, 1))


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

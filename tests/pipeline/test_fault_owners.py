"""Who owns a build: racing processes, dead and foreign owners, late writers, changed inputs, clocks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.cluster.provenance import package_version
from spectral_zarr.errors import DamagedBuild, EnvironmentFault, ResumeRefused, StagingBusy, TargetExists
from spectral_zarr.model import BlockTask, BuildPlan
from spectral_zarr.store.abort import abort_build
from spectral_zarr.store.calls import hooked
from spectral_zarr.store.claim import Claim, current_claim, own_claim, record
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record
from spectral_zarr.store.request import request_facts
from spectral_zarr.tasks.fill import fill_block
from spectral_zarr.testing.faults import CallFault, Step, faulty

from .matrix import Scene, attempt, disturbed, run, visible, watched


def interrupted(scene: Scene, target: Path, step: Step = Step.FILLED) -> Claim:
    """A build that was killed at a step; its claim."""
    assert disturbed(scene, target, step, 1, signal.SIGKILL) == -signal.SIGKILL
    claim = current_claim(BuildPaths.of(target))
    assert claim is not None
    return claim


RACER = """
import sys
from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.errors import SpectralZarrError
print("ready", flush=True)
for target in sys.stdin:
    try:
        ingest(IngestRequest((sys.argv[1],), target.strip(), resume=sys.argv[2] == "resume"), SerialExecutor())
        print("published", flush=True)
    except SpectralZarrError as error:
        print(error.code, flush=True)
"""


class TestRace:
    def race(self, scene: Scene, tmp_path: Path, racers: int, rounds: int, *, resume: bool) -> None:
        """All racers start each round at once; exactly one publishes, and the others say why not."""
        command = [sys.executable, "-c", RACER, str(scene.new_files), "resume" if resume else "fresh"]
        racing = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(racers)
        ]
        try:
            for one in racing:
                assert one.stdout is not None
                assert one.stdout.readline() == "ready\n"
            for number in range(rounds):
                target = tmp_path / f"{number}.zarr"
                with watched(target) as watcher:
                    for one in racing:
                        assert one.stdin is not None
                        one.stdin.write(f"{target}\n")
                        one.stdin.flush()
                    answers = sorted(one.stdout.readline().strip() for one in racing if one.stdout is not None)
                assert answers.count("published") == 1, answers
                assert set(answers) <= {"published", "staging-busy", "target-exists"}
                assert visible(target) == scene.new
                assert watcher.digests <= {scene.new}
        finally:
            for one in racing:
                one.communicate()

    @pytest.mark.parametrize("resume", [False, True])
    def test_one_of_several_processes_publishes(self, scene: Scene, tmp_path: Path, resume: bool) -> None:
        self.race(scene, tmp_path, 4, 3, resume=resume)

    @pytest.mark.sweep
    @pytest.mark.parametrize("resume", [False, True])
    def test_one_of_eight_processes_publishes_100_times(self, scene: Scene, tmp_path: Path, resume: bool) -> None:
        self.race(scene, tmp_path, 8, 100, resume=resume)


class TestStaleClaims:
    def test_a_dead_owner_is_taken_over_and_its_work_is_kept(self, scene: Scene, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        interrupted(scene, target)
        with pytest.raises(StagingBusy, match="--resume"):
            run(scene.request(target))
        steps: list[Step] = []
        receipt = BuildPaths.of(target).block_receipt(0)
        before = receipt.stat().st_ino
        with hooked(steps.append):
            run(scene.request(target, resume=True))
        assert Step.BLOCK_BUFFERED not in steps
        assert receipt.stat().st_ino == before
        assert visible(target) == scene.new

    def test_an_owner_on_another_machine_is_left_alone(self, scene: Scene, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        claim = interrupted(scene, target)
        record(BuildPaths.of(target), replace(claim, host="elsewhere"))
        with pytest.raises(StagingBusy, match=f"process {claim.pid} on elsewhere"):
            run(scene.request(target, resume=True))
        with pytest.raises(StagingBusy, match="on elsewhere"):
            abort_build(BuildPaths.of(target), own_claim(claim.request))

    def test_a_reused_pid_is_not_the_owner(self, scene: Scene, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        claim = interrupted(scene, target)
        record(BuildPaths.of(target), replace(claim, pid=os.getppid()))
        run(scene.request(target, resume=True))
        assert visible(target) == scene.new

    @pytest.mark.parametrize("resume", [False, True])
    def test_a_foreign_directory_is_never_touched(self, scene: Scene, tmp_path: Path, resume: bool) -> None:
        target = tmp_path / "x.zarr"
        (tmp_path / "x.zarr.tmp").mkdir()
        (tmp_path / "x.zarr.tmp" / "thesis").write_text("precious")
        with pytest.raises(StagingBusy, match="by hand"):
            run(scene.request(target, resume=resume))
        with pytest.raises(StagingBusy, match="by hand"):
            abort_build(BuildPaths.of(target), own_claim(request_facts((), None, "")))
        assert (tmp_path / "x.zarr.tmp" / "thesis").read_text() == "precious"

    @pytest.mark.parametrize("linked", [False, True])
    @pytest.mark.parametrize("name", ["x.zarr.build", "x.zarr.old-build"])
    @pytest.mark.parametrize(
        "precious", ["mydata.txt", "thesis/mydata.txt", ".hidden", "log/mydata.txt", "staged/mydata.txt"]
    )
    def test_a_directory_of_the_user_is_never_emptied(
        self, scene: Scene, tmp_path: Path, name: str, precious: str, linked: bool
    ) -> None:
        directory = tmp_path / name
        if linked:
            directory = tmp_path / "elsewhere"
            (tmp_path / name).symlink_to(directory)
        file = directory / precious
        file.parent.mkdir(parents=True)
        file.write_text("precious")
        target = tmp_path / "x.zarr"
        for request in (scene.request(target), scene.request(target, resume=True)):
            with pytest.raises(StagingBusy, match="was not made by this tool"):
                run(request)
        with pytest.raises(StagingBusy, match="was not made by this tool"):
            abort_build(BuildPaths.of(target), own_claim(request_facts((), None, "")))
        assert file.read_text() == "precious"
        assert visible(target) == ""

    def test_records_without_claims_are_those_of_a_build_only_with_its_plan(self, scene: Scene, tmp_path: Path) -> None:
        plan = tmp_path / "x.zarr.build" / "plan.json"
        plan.parent.mkdir()
        plan.write_text("precious")
        with pytest.raises(StagingBusy, match=r"plan\.json in it was not made by this tool"):
            run(scene.request(tmp_path / "x.zarr"))
        assert plan.read_text() == "precious"

    @pytest.mark.parametrize("target_exists", [False, True])
    def test_a_stranger_among_the_records_of_a_build_is_named_and_kept(
        self, scene: Scene, tmp_path: Path, target_exists: bool
    ) -> None:
        target = tmp_path / "x.zarr"
        if target_exists:
            run(scene.request(target))
        else:
            interrupted(scene, target)
        note = tmp_path / "x.zarr.build" / "notes.txt"
        note.write_text("precious")
        with pytest.raises(StagingBusy, match=r"notes\.txt in it was not made by this tool; move it away"):
            run(replace(scene.request(target, resume=not target_exists), replace=target_exists))
        with pytest.raises(StagingBusy, match=r"notes\.txt"):
            abort_build(BuildPaths.of(target), own_claim(request_facts((), None, "")))
        assert note.read_text() == "precious"
        note.unlink()
        run(replace(scene.request(target, resume=not target_exists), replace=target_exists))
        assert visible(target) == scene.new

    def test_trash_of_another_name_is_kept(self, scene: Scene, tmp_path: Path) -> None:
        kept = tmp_path / "x.zarr.trash-can" / "thesis"
        kept.parent.mkdir()
        kept.write_text("precious")
        run(scene.request(tmp_path / "x.zarr"))
        assert kept.read_text() == "precious"

    def test_a_link_to_an_empty_directory_holds_the_build(self, scene: Scene, tmp_path: Path) -> None:
        scratch, target = tmp_path / "scratch", tmp_path / "x.zarr"
        scratch.mkdir()
        (tmp_path / "x.zarr.build").symlink_to(scratch)
        interrupted(scene, target)
        assert abort_build(BuildPaths.of(target), own_claim(request_facts((), None, "")))
        assert list(scratch.iterdir()) == []
        run(scene.request(target))
        run(replace(scene.request(target), replace=True))
        assert visible(target) == scene.new
        assert (scratch / "plan.json").exists()
        assert {path.name for path in tmp_path.iterdir()} == {"scratch", "x.zarr", "x.zarr.build"}

    @pytest.mark.parametrize("kind", ["directory", "empty directory", "file", "link", "dangling link"])
    @pytest.mark.parametrize("replacing", [False, True])
    def test_what_is_no_store_is_not_replaced(self, scene: Scene, tmp_path: Path, kind: str, replacing: bool) -> None:
        target = tmp_path / "x.zarr"
        if kind == "file":
            target.write_text("x")
        elif kind.endswith("directory"):
            target.mkdir()
            if kind == "directory":
                (target / "thesis").write_text("precious")
        else:
            target.symlink_to(scene.root / "old.zarr" if kind == "link" else "nowhere")
        with pytest.raises(TargetExists):
            run(replace(scene.request(target), replace=replacing))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zarr"]
        assert visible(scene.root / "old.zarr") == scene.old

    @pytest.mark.parametrize("kind", ["store", "empty directory", "file", "dangling link"])
    def test_what_appears_before_the_rename_is_kept(self, scene: Scene, tmp_path: Path, kind: str) -> None:
        target = tmp_path / "x.zarr"

        def appears(step: Step) -> None:
            if step is Step.TREE_SYNCED:
                if kind == "dangling link":
                    target.symlink_to("nowhere")
                elif kind == "file":
                    target.write_text("x")
                else:
                    target.mkdir()
                    if kind == "store":
                        (target / "zarr.json").write_text("{}")

        with hooked(appears), pytest.raises(TargetExists, match="move it away"):
            run(replace(scene.request(target), replace=False))
        target.unlink() if kind in ("file", "dangling link") else target.rename(tmp_path / "moved")
        run(scene.request(target, resume=True))
        assert visible(target) == scene.new


class TestAbort:
    @pytest.mark.parametrize("step", [Step.PLANNED, Step.INTENT_WRITTEN])
    def test_giving_up_a_replacement_brings_the_records_of_the_old_store_back(
        self, scene: Scene, tmp_path: Path, step: Step
    ) -> None:
        target = tmp_path / "x.zarr"
        scene.prepare(target, replacing=True)
        plan = BuildPaths.of(target).plan.read_bytes()
        claim = interrupted(scene, target, step)
        assert abort_build(BuildPaths.of(target), own_claim(claim.request))
        assert visible(target) == scene.old
        assert BuildPaths.of(target).plan.read_bytes() == plan
        scene.assert_contained(target)
        run(scene.request(target))
        assert visible(target) == scene.new

    def test_a_build_that_died_after_its_rename_is_published(self, scene: Scene, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        scene.prepare(target, replacing=True)
        claim = interrupted(scene, target, Step.RENAMED)
        assert not abort_build(BuildPaths.of(target), own_claim(claim.request))
        assert visible(target) == scene.new


class TestZombies:
    def test_a_writer_that_outlives_an_aborted_build_cannot_write_into_the_next(
        self, scene: Scene, tmp_path: Path
    ) -> None:
        target = tmp_path / "x.zarr"
        paths = BuildPaths.of(target)
        claim = interrupted(scene, target, Step.INITIALISED)
        plan = read_record(paths.plan, BuildPlan)
        given_up = False

        def give_up(step: Step) -> None:
            nonlocal given_up
            if step is Step.BLOCK_BUFFERED and not given_up:
                given_up = True
                assert abort_build(paths, own_claim(claim.request))
                run(scene.request(target, files=scene.old_files))

        with hooked(give_up), pytest.raises(EnvironmentFault):
            fill_block(str(target), BlockTask(0, plan.sha256, plan.batches))
        assert given_up
        assert visible(target) == scene.old
        scene.assert_contained(target)

    def test_a_task_that_begins_after_its_build_was_given_up_is_refused(self, scene: Scene, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        paths = BuildPaths.of(target)
        claim = interrupted(scene, target, Step.INITIALISED)
        plan = read_record(paths.plan, BuildPlan)
        assert abort_build(paths, own_claim(claim.request))
        command = [str(scene.old_files)]
        other = IngestRequest(tuple(command), str(target))
        refused = False

        def zombie(step: Step) -> None:
            nonlocal refused
            if step is Step.INITIALISED and not refused:
                refused = True
                with pytest.raises(DamagedBuild, match="given up"):
                    fill_block(str(target), BlockTask(0, plan.sha256, plan.batches))

        with hooked(zombie):
            ingest(other, SerialExecutor())
        assert refused
        assert visible(target) == scene.old


class TestChangedInputs:
    def test_other_bytes_of_the_same_length_are_named(self, scene: Scene, tmp_path: Path) -> None:
        target, files = tmp_path / "x.zarr", tmp_path / "files"
        files.mkdir()
        for path in scene.new_files.iterdir():
            (files / path.name).write_bytes(path.read_bytes())
        request = scene.request(target, files=files, resume=True)
        with faulty(CallFault(at=1, error=errno.EIO, only=("rename_new",), forever=True)):
            assert attempt(request) is not None
        changed = min(files.iterdir())
        payload, status = changed.read_bytes(), changed.stat()
        changed.write_bytes(payload[:-1] + bytes([payload[-1] ^ 1]))
        os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
        with pytest.raises(ResumeRefused, match=changed.name):
            run(request)
        changed.write_bytes(payload)
        run(request)
        assert visible(target) == scene.new

    def test_another_version_is_refused(self, scene: Scene, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        claim = interrupted(scene, target, Step.STAGED)
        record(BuildPaths.of(target), replace(claim, request=replace(claim.request, version="0.0.1")))
        with pytest.raises(ResumeRefused, match=f"version 0.0.1 before, {package_version()} now"):
            run(scene.request(target, resume=True))

    def test_options_that_differ_are_named(self, scene: Scene, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        interrupted(scene, target)
        request = scene.request(target, resume=True)
        config = replace(request.config, build=replace(request.config.build, min_valid_share=0.5))
        with pytest.raises(ResumeRefused, match=r"build.min_valid_share 0.02 before, 0.5 now"):
            run(replace(request, config=config))

    @pytest.mark.parametrize("damaged", ["staged/000000.pixels.arrow", "receipts", "chunk"])
    def test_work_without_a_valid_proof_is_done_again(self, scene: Scene, tmp_path: Path, damaged: str) -> None:
        target = tmp_path / "x.zarr"
        interrupted(scene, target)
        paths = BuildPaths.of(target)
        file = {
            "receipts": paths.block_receipt(0),
            "chunk": paths.tmp / "signal/flux_raw/c.0.0",
        }.get(damaged, paths.build / damaged)
        if damaged == "receipts":
            file.unlink()
        else:
            payload = bytearray(file.read_bytes())
            payload[len(payload) // 2] ^= 1
            file.write_bytes(payload)
        run(scene.request(target, resume=True))
        assert visible(target) == scene.new


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_was_set_does_not_make_a_living_owner_dead(scene: Scene, tmp_path: Path, hours: int) -> None:
    target = tmp_path / "x.zarr"
    paths = BuildPaths.of(target)
    claim = interrupted(scene, target)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        ticks = Path(f"/proc/{owner.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        record(paths, replace(claim, pid=owner.pid, birth=f"{boot}/{ticks}"))
        for path in paths.build.rglob("*"):
            moment = path.stat().st_mtime + hours * 3600
            os.utime(path, (moment, moment))
        with pytest.raises(StagingBusy, match=f"process {owner.pid}"):
            run(scene.request(target, resume=True))
        owner.communicate(b"\n")
    run(scene.request(target, resume=True))
    assert visible(target) == scene.new


@pytest.mark.parametrize("where", ["/log/", "rejections.parquet", "/receipts"])
def test_a_disk_that_is_full_for_records_only_corrupts_nothing(scene: Scene, tmp_path: Path, where: str) -> None:
    target = tmp_path / "x.zarr"
    with faulty(CallFault(at=1, error=errno.ENOSPC, only=("open",), path=where, forever=True)) as fault:
        error = attempt(scene.request(target, resume=True))
    assert fault.fired
    assert (error is None) == (where == "/log/")
    scene.assert_visible(target, replacing=False)
    if error is not None:
        scene.finish(target, replacing=False)
    assert msgspec.json.decode((tmp_path / "x.zarr" / "zarr.json").read_bytes())["attributes"]["n_accepted"] == 4

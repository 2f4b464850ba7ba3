"""The fault matrix: wherever a build dies or fails, readers see a whole store and a second run gives the same bytes."""

from __future__ import annotations

import errno
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr.errors import DiskFull, EnvironmentFault, TargetExists
from spectral_zarr.store.calls import FileCalls, replaced
from spectral_zarr.testing.faults import CallFault, Step, faulty

from .matrix import Scene, attempt, disturbed, run, visible, watched

REPLACING = pytest.mark.parametrize("replacing", [False, True], ids=["fresh", "replace"])
PUBLISH_STEPS = [
    *(Step.QUIESCED, Step.TREE_SYNCED, Step.INTENT_WRITTEN, Step.RENAMED, Step.PARENT_SYNCED, Step.RECORDED),
    *(Step.OLD_MOVED, Step.OLD_REMOVED),
]


def reaches(step: Step, replacing: bool) -> bool:
    return replacing or step is not Step.OLD_MOVED


def swept(scene: Scene, directory: Path, fault: CallFault, *, replacing: bool, exchange: bool = True) -> bool:
    """Run with a fault, then without; whether the fault came."""
    target = directory / "x.zarr"
    scene.prepare(target, replacing=replacing)
    with faulty(fault):
        error = attempt(scene.request(target, resume=True))
    scene.assert_visible(target, replacing=replacing)
    if error is None:
        assert visible(target) == scene.new
    else:
        assert isinstance(error, EnvironmentFault | TargetExists), error
    if fault.error == errno.ENOSPC and error is not None:
        assert isinstance(error, DiskFull)
    scene.finish(target, replacing=replacing)
    shutil.rmtree(directory)
    return fault.fired > 0


def count_calls(scene: Scene, directory: Path, *, replacing: bool) -> int:
    directory.mkdir()
    scene.prepare(directory / "x.zarr", replacing=replacing)
    with faulty(CallFault()) as counted:
        run(scene.request(directory / "x.zarr"))
    return counted.count


class TestEveryCallFails:
    def sweep(self, scene: Scene, tmp_path: Path, pieces: int, fault: CallFault, replacing: bool) -> int:
        total = count_calls(scene, tmp_path / "counted", replacing=replacing)
        fired = 0
        for number in range(1, total + 1, max(1, total // pieces)):
            (tmp_path / str(number)).mkdir()
            fired += swept(scene, tmp_path / str(number), replace(fault, at=number, names=[]), replacing=replacing)
        return fired

    @pytest.mark.parametrize(
        ("error", "forever", "replacing"),
        [(errno.ENOSPC, False, True), (errno.EIO, True, True), (errno.EIO, False, False)],
    )
    def test_a_sample(self, scene: Scene, tmp_path: Path, error: int, forever: bool, replacing: bool) -> None:
        assert self.sweep(scene, tmp_path, 5, CallFault(error=error, forever=forever), replacing) >= 4

    @pytest.mark.sweep
    @REPLACING
    @pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
    @pytest.mark.parametrize("forever", [False, True], ids=["once", "forever"])
    def test_all(self, scene: Scene, tmp_path: Path, error: int, forever: bool, replacing: bool) -> None:
        fired = self.sweep(scene, tmp_path, 10**6, CallFault(error=error, forever=forever), replacing)
        assert fired > 100
        print("trials", fired)


class TestRenameReplies:
    @REPLACING
    @pytest.mark.parametrize("call", ["rename_new", "exchange"])
    def test_a_rename_whose_reply_is_lost_is_read_back(
        self, scene: Scene, tmp_path: Path, call: str, replacing: bool
    ) -> None:
        target = tmp_path / "x.zarr"
        scene.prepare(target, replacing=replacing)
        with faulty(CallFault(at=1, error=errno.EIO, how="reply lost", only=(call,), path=".zarr.tmp")):
            error = attempt(scene.request(target))
        assert error is None
        scene.assert_visible(target, replacing=replacing)
        assert visible(target) == scene.new
        scene.assert_contained(target)

    @REPLACING
    def test_a_success_without_effect_is_called_uncertain(self, scene: Scene, tmp_path: Path, replacing: bool) -> None:
        target = tmp_path / "x.zarr"
        scene.prepare(target, replacing=replacing)
        with faulty(CallFault(at=1, how="no effect", only=("rename_new", "exchange"), path="x.zarr.tmp", forever=True)):
            error = attempt(scene.request(target))
        assert error is not None
        assert error.code == "publish-uncertain"
        scene.assert_visible(target, replacing=replacing)
        scene.finish(target, replacing=replacing)


@REPLACING
def test_short_writes_give_the_same_bytes(scene: Scene, tmp_path: Path, replacing: bool) -> None:
    target = tmp_path / "x.zarr"
    scene.prepare(target, replacing=replacing)
    with faulty(CallFault(at=1, how="short", only=("write",), path="", forever=True)) as fault:
        run(scene.request(target))
    assert fault.fired > 50
    assert visible(target) == scene.new


def _unsupported(*names: str) -> None:
    raise OSError(errno.EINVAL, "Invalid argument")


class TestWithoutExchange:
    def test_the_old_store_is_renamed_aside_and_removed(self, scene: Scene, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        scene.prepare(target, replacing=True)
        with replaced(FileCalls(exchange=_unsupported, rename_new=_unsupported)):
            run(scene.request(target))
        assert visible(target) == scene.new
        scene.assert_contained(target)

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_rename_that_fails_brings_the_old_store_back(self, scene: Scene, tmp_path: Path, number: int) -> None:
        target = tmp_path / "x.zarr"
        scene.prepare(target, replacing=True)
        calls = FileCalls(exchange=_unsupported)
        fault = CallFault(at=number, error=errno.EIO, path="x.zarr.tmp", only=("rename_new",))
        aside = CallFault(at=1 if number == 1 else 0, error=errno.EIO, path="x.zarr.old-")
        broken = replace(
            calls, rename=aside.wrap("rename", calls.rename), rename_new=fault.wrap("rename_new", calls.rename_new)
        )
        with replaced(broken):
            error = attempt(scene.request(target))
        assert (error is None) == (fault.fired + aside.fired == 0)
        assert visible(target) == (scene.old if error else scene.new)
        scene.finish(target, replacing=True)


@REPLACING
class TestKilledDriver:
    @pytest.mark.parametrize("step", [Step.FILE_WRITTEN, Step.INDEX_WRITTEN, Step.RENAMED])
    def test_kill_9_at_some_steps(self, scene: Scene, tmp_path: Path, step: Step, replacing: bool) -> None:
        self.kill(scene, tmp_path, step, 1, replacing)

    @pytest.mark.sweep
    @pytest.mark.parametrize("number", [1, 2, 7])
    @pytest.mark.parametrize("step", list(Step))
    def test_kill_9_at_every_step(self, scene: Scene, tmp_path: Path, step: Step, number: int, replacing: bool) -> None:
        self.kill(scene, tmp_path, step, number, replacing)

    def kill(self, scene: Scene, tmp_path: Path, step: Step, number: int, replacing: bool) -> None:
        target = tmp_path / "x.zarr"
        scene.prepare(target, replacing=replacing)
        with watched(target) as watcher:
            code = disturbed(scene, target, step, number, signal.SIGKILL)
            assert code == -signal.SIGKILL or (code == 0 and (number > 1 or not reaches(step, replacing)))
            scene.assert_visible(target, replacing=replacing)
            scene.finish(target, replacing=replacing)
            watcher.look()
        assert watcher.digests <= {scene.old, scene.new}
        assert not (replacing and watcher.absent)


@REPLACING
class TestTerminated:
    @pytest.mark.parametrize("step", [Step.INTENT_WRITTEN, Step.RENAMED])
    def test_sigterm_at_some_steps(self, scene: Scene, tmp_path: Path, step: Step, replacing: bool) -> None:
        self.terminate(scene, tmp_path, step, replacing)

    @pytest.mark.sweep
    @pytest.mark.parametrize("step", PUBLISH_STEPS)
    def test_sigterm_at_every_step(self, scene: Scene, tmp_path: Path, step: Step, replacing: bool) -> None:
        self.terminate(scene, tmp_path, step, replacing)

    def terminate(self, scene: Scene, tmp_path: Path, step: Step, replacing: bool) -> None:
        target = tmp_path / "x.zarr"
        scene.prepare(target, replacing=replacing)
        with watched(target) as watcher:
            code = disturbed(scene, target, step, 1, signal.SIGTERM)
        assert code in (0, 75)
        assert (visible(target) == scene.new) == (code == 0)
        scene.assert_visible(target, replacing=replacing)
        assert watcher.digests <= {scene.old, scene.new}
        if code:
            scene.finish(target, replacing=replacing)
        scene.assert_contained(target)

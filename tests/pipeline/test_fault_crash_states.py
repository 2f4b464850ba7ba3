"""Every disk that a power cut may leave, by a model of what syncs promise: readers see a whole store or none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from spectral_zarr.store.calls import replaced

from .crash_model import Disk, Recorder, after_cut
from .matrix import Scene, attempt, run, visible


def files_of(store: Path) -> dict[str, bytes]:
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def recorded(scene: Scene, directory: Path, *, replacing: bool) -> Recorder:
    """An ingest whose calls are remembered; first another one that it replaces."""
    directory.mkdir()
    scene.prepare(directory / "x.zarr", replacing=replacing)
    recorder = Recorder(directory)
    with replaced(recorder.calls()):
        run(scene.request(directory / "x.zarr"))
    return recorder


@pytest.mark.parametrize("replacing", [False, True], ids=["fresh", "replace"])
class TestAfterACut:
    def survey(
        self, scene: Scene, tmp_path: Path, recorder: Recorder, replacing: bool, *, step: int, every: int, mend: int
    ) -> None:
        allowed = [files_of(scene.root / "new.zarr"), files_of(scene.root / "old.zarr") if replacing else None]
        states = mended = 0
        for clock in range(recorder.clock, 0, -step):
            for disk in after_cut(recorder, clock, every):
                assert disk.visible("x.zarr") in allowed, f"moment {clock} of {recorder.clock}"
                if states % mend == 0:
                    self.finish(scene, tmp_path / str(states), disk, replacing)
                    mended += 1
                states += 1
        print("trials", states, "mended", mended)
        assert states > 100

    def finish(self, scene: Scene, directory: Path, disk: Disk, replacing: bool) -> None:
        """C: the same command finishes the work on what the cut has left."""
        disk.write_to(directory)
        scene.finish(directory / "x.zarr", replacing=replacing)
        shutil.rmtree(directory)

    def test_at_some_moments(self, scene: Scene, tmp_path: Path, replacing: bool) -> None:
        recorder = recorded(scene, tmp_path / "run", replacing=replacing)
        self.survey(scene, tmp_path, recorder, replacing, step=60, every=9, mend=400)

    @pytest.mark.sweep
    def test_at_many_moments(self, scene: Scene, tmp_path: Path, replacing: bool) -> None:
        recorder = recorded(scene, tmp_path / "run", replacing=replacing)
        self.survey(scene, tmp_path, recorder, replacing, step=4, every=3, mend=200)

    def test_what_was_said_to_be_published_is_durable(self, scene: Scene, tmp_path: Path, replacing: bool) -> None:
        recorder = recorded(scene, tmp_path / "run", replacing=replacing)
        new = files_of(scene.root / "new.zarr")
        assert all(disk.visible("x.zarr") == new for disk in after_cut(recorder, recorder.clock))


class TestAFailedSync:
    def fail(self, scene: Scene, directory: Path, number: int) -> int:
        """A sync fails once, and the next one lies: what is published at last does not rest on it."""
        directory.mkdir()
        recorder = Recorder(directory, fail_sync=number)
        with replaced(recorder.calls()):
            error = attempt(scene.request(directory / "x.zarr"))
            assert error is None or error.code in ("environment", "transient")
            if error is not None:
                run(scene.request(directory / "x.zarr", resume=True))
        assert visible(directory / "x.zarr") == scene.new
        new = files_of(scene.root / "new.zarr")
        assert all(disk.visible("x.zarr") == new for disk in after_cut(recorder, recorder.clock)), number
        shutil.rmtree(directory)
        return recorder.file_syncs

    def test_at_some_files(self, scene: Scene, tmp_path: Path) -> None:
        total = self.fail(scene, tmp_path / "0", 0)
        for number in range(3, total + 1, total // 3):
            self.fail(scene, tmp_path / str(number), number)

    @pytest.mark.sweep
    def test_at_every_file(self, scene: Scene, tmp_path: Path) -> None:
        total = self.fail(scene, tmp_path / "0", 0)
        for number in range(1, total + 1):
            self.fail(scene, tmp_path / str(number), number)
        print("trials", total)

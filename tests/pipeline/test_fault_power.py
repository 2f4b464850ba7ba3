"""Power cuts on a real file system: what had reached a loop-mounted disk at each step, mounted again and looked at."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spectral_zarr.store.calls import FileCalls, hooked, replaced
from spectral_zarr.testing.faults import Step

from .matrix import Scene, run, visible

DISK_BYTES = 24 << 20
MODES = {"late": "commit=300,data=writeback", "ordinary": "data=ordered", "early": "sync,dirsync"}
"""When the file system writes what nobody has synced: as late as it may, as it likes, and at once."""


def made(disk: Path) -> Path:
    """A file with an empty ext4; the test is skipped where that is impossible."""
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    with disk.open("wb") as stream:
        stream.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-N", "2048", str(disk)], check=True, capture_output=True)
    return disk


@contextmanager
def mounted(disk: Path, options: str = "data=ordered") -> Iterator[Path]:
    where = disk.with_suffix(".mnt")
    where.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", f"loop,{options}", str(disk), str(where)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a file is not permitted here: {done.stderr.strip()}")
    try:
        (where / "stores").mkdir(exist_ok=True)
        yield where / "stores"
    finally:
        subprocess.run(["umount", str(where)], check=True, capture_output=True)


@pytest.mark.parametrize("replacing", [False, True], ids=["fresh", "replace"])
class TestPowerCut:
    def cut(self, scene: Scene, tmp_path: Path, mode: str, replacing: bool, steps: list[Step]) -> None:
        """Copy the disk at every step of an ingest; each copy shows a whole store, and the ingest can be finished."""
        disk = made(tmp_path / "disk")
        copies: list[tuple[str, Path]] = []
        numbers = itertools.count()

        def copy(step: Step) -> None:
            if step in steps:
                path = tmp_path / f"{next(numbers):04d}"
                subprocess.run(["cp", "--sparse=always", str(disk), str(path)], check=True)
                copies.append((step, path))

        with mounted(disk, MODES[mode]) as where:
            scene.prepare(where / "x.zarr", replacing=replacing)
            subprocess.run(["sync", "-f", str(where)], check=True)
            with hooked(copy):
                run(scene.request(where / "x.zarr"))
            copy(steps[-1])
        done = [step for step, _ in copies].index(Step.RECORDED)
        for number, (step, path) in enumerate(copies):
            with mounted(path) as where:
                scene.assert_visible(where / "x.zarr", replacing=replacing)
                # The rename is durable before anybody is told about it.
                assert number < done or visible(where / "x.zarr") == scene.new, step
                scene.finish(where / "x.zarr", replacing=replacing)
            path.unlink()
        print("trials", len(copies))

    @pytest.mark.parametrize("mode", ["late"])
    def test_at_the_steps_of_publishing(self, scene: Scene, tmp_path: Path, mode: str, replacing: bool) -> None:
        steps = [Step.TREE_SYNCED, Step.INTENT_WRITTEN, Step.RENAMED, Step.RECORDED, Step.PUBLISHED]
        self.cut(scene, tmp_path, mode, replacing, steps)

    @pytest.mark.sweep
    @pytest.mark.parametrize("mode", list(MODES))
    def test_at_every_step(self, scene: Scene, tmp_path: Path, mode: str, replacing: bool) -> None:
        self.cut(scene, tmp_path, mode, replacing, list(Step))


def test_without_syncs_the_same_cut_loses_the_store(scene: Scene, tmp_path: Path) -> None:
    disk = made(tmp_path / "disk")
    copy = tmp_path / "copy"

    def keep(step: Step) -> None:
        if step is Step.PUBLISHED:
            shutil.copyfile(disk, copy)

    with mounted(disk, MODES["late"]) as where:
        subprocess.run(["sync", "-f", str(where)], check=True)
        with replaced(FileCalls(fsync=lambda descriptor: None)), hooked(keep):
            run(scene.request(where / "x.zarr"))
    with mounted(copy) as where:
        assert visible(where / "x.zarr") != scene.new

"""What a machine runs out of: space, inodes, quota, open files; and file systems that are not one."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.errors import DiskFull, EnvironmentFault
from spectral_zarr.store.calls import FileCalls, replaced
from spectral_zarr.testing import store_digest, write_samples
from spectral_zarr.testing.faults import CallFault, Step, faulty, hooked

from .matrix import Scene, attempt, run, visible

Mount = Callable[[Path, str], Path]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts a tmpfs; the test is skipped where that is not permitted."""
    mounted: list[Path] = []

    def make(path: Path, options: str) -> Path:
        path.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small file system is not permitted here")
        mounted.append(path)
        return path

    yield make
    for path in reversed(mounted):
        subprocess.run(["umount", str(path)], check=True)


def enlarge(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, _epoch: None) -> tuple[Path, str]:
    """Files whose staging and store need some 12 MB, and the digest of their store."""
    root = tmp_path_factory.mktemp("large")
    write_samples(root / "files", "sdss-spec", 160)
    ingest(IngestRequest((str(root / "files"),), str(root / "x.zarr")), SerialExecutor())
    return root / "files", store_digest(root / "x.zarr")


class TestDiskFull:
    @pytest.mark.parametrize(
        "kbytes", [*(pytest.param(size, marks=pytest.mark.sweep) for size in range(256, 8192, 512)), 8192]
    )
    def test_a_full_disk_costs_time_and_nothing_else(
        self, large: tuple[Path, str], tmp_path: Path, mount: Mount, kbytes: int
    ) -> None:
        files, digest = large
        disk = mount(tmp_path / "disk", f"size={kbytes}k")
        request = IngestRequest((str(files),), str(disk / "x.zarr"), resume=True)
        with pytest.raises(DiskFull, match="no space is left; free some"):
            ingest(request, SerialExecutor())
        assert not (disk / "x.zarr").exists()
        enlarge(disk, "size=64m")
        ingest(request, SerialExecutor())
        assert store_digest(disk / "x.zarr") == digest
        assert {path.name for path in disk.iterdir()} == {"x.zarr", "x.zarr.build"}

    @pytest.mark.parametrize(
        "inodes", [*(pytest.param(count, marks=pytest.mark.sweep) for count in range(5, 160, 8)), 60]
    )
    def test_a_disk_without_inodes_is_named_so(self, scene: Scene, tmp_path: Path, mount: Mount, inodes: int) -> None:
        disk = mount(tmp_path / "disk", f"size=64m,nr_inodes={inodes}")
        error = attempt(scene.request(disk / "x.zarr", resume=True))
        assert isinstance(error, DiskFull)
        assert "no inodes are left" in str(error)
        assert not (disk / "x.zarr").exists()
        enlarge(disk, "nr_inodes=4096")
        scene.finish(disk / "x.zarr", replacing=False)

    @pytest.mark.parametrize("number", [40, *(pytest.param(n, marks=pytest.mark.sweep) for n in range(1, 800, 25))])
    def test_a_used_up_quota_is_named_so(self, scene: Scene, tmp_path: Path, number: int) -> None:
        with faulty(CallFault(at=number, error=errno.EDQUOT, only=("write", "mkdir"), forever=True)) as fault:
            error = attempt(scene.request(tmp_path / "x.zarr", resume=True))
        if fault.fired:
            assert isinstance(error, DiskFull)
            assert "the quota is used up" in str(error)
        scene.assert_visible(tmp_path / "x.zarr", replacing=False)
        scene.finish(tmp_path / "x.zarr", replacing=False)


class TestFileSystems:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [("x.zarr", "another file system"), ("x.zarr.build", "another file system"), ("x.zarr.tmp", "by hand")],
    )
    def test_another_file_system_is_refused_before_any_work(
        self, scene: Scene, tmp_path: Path, mount: Mount, name: str, reason: str
    ) -> None:
        disk = mount(tmp_path / name, "size=8m")
        if name == "x.zarr":
            shutil.copytree(scene.root / "old.zarr", disk, dirs_exist_ok=True)
        steps: list[Step] = []
        with hooked(steps.append):
            error = attempt(scene.request(tmp_path / "x.zarr"))
        assert error is not None
        assert reason in str(error)
        assert str(disk) in str(error)
        assert Step.CLAIMED not in steps
        assert Step.STAGED not in steps

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM])
    def test_neither_exchange_nor_exclusive_rename(self, scene: Scene, tmp_path: Path, number: int) -> None:
        def unsupported(*names: str) -> None:
            raise OSError(number, os.strerror(number))

        target = tmp_path / "x.zarr"
        with replaced(FileCalls(exchange=unsupported, rename_new=unsupported)):
            run(replace(scene.request(target, files=scene.old_files), replace=False))
            assert visible(target) == scene.old
            run(scene.request(target))
        assert visible(target) == scene.new
        scene.assert_contained(target)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EINTR])
def test_a_write_that_would_block_is_a_coded_error(scene: Scene, tmp_path: Path, number: int) -> None:
    with faulty(CallFault(at=100, error=number, only=("write", "fsync"))) as fault:
        error = attempt(scene.request(tmp_path / "x.zarr"))
    assert fault.fired
    assert isinstance(error, EnvironmentFault)
    scene.finish(tmp_path / "x.zarr", replacing=False)


FEW_FILES = """
import resource, sys
from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.errors import SpectralZarrError
import spectral_zarr.cluster.build, spectral_zarr.readers.registry
request = IngestRequest((sys.argv[1],), sys.argv[2], replace=True, resume=True)
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    ingest(request, SerialExecutor())
except SpectralZarrError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("limit", [8, *(pytest.param(limit, marks=pytest.mark.sweep) for limit in range(4, 24))])
def test_too_many_open_files_end_with_a_code_and_reject_nothing(scene: Scene, tmp_path: Path, limit: int) -> None:
    assert limit < resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    target = tmp_path / "x.zarr"
    command = [sys.executable, "-c", FEW_FILES, str(scene.new_files), str(target), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 6), done.stdout + done.stderr
    if done.returncode == 0:
        assert visible(target) == scene.new
    assert not (tmp_path / "x.zarr").exists() or visible(target) == scene.new
    scene.finish(target, replacing=False)


def test_a_git_that_is_killed_is_an_error_and_no_unknown_commit(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    # An installed package knows its commit; that of a checkout asks git.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "pipeline")}
    environment.pop("SPECTRAL_ZARR_GIT_COMMIT", None)
    program = "from spectral_zarr.cli import main; main()"
    command = [
        sys.executable,
        "-P",
        "-c",
        program,
        "ingest",
        str(scene.new_files),
        str(tmp_path / "x.zarr"),
        "--resume",
    ]
    broken = environment | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for variables, code in ((broken, 6), (environment, 0)):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        assert ("git does not tell the commit" in done.stderr) == (code == 6)
        assert (tmp_path / "x.zarr").exists() == (code == 0)

"""A small build that a fault disturbs, a watcher of what readers see, and the check that a second run mends all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.errors import SpectralZarrError
from spectral_zarr.testing import store_digest, write_samples

N_FILES = 4


@pytest.fixture(scope="module")
def _epoch() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    yield
    patch.undo()


@dataclass(frozen=True)
class Scene:
    """Two sets of files, and the digests of their stores."""

    root: Path
    new_files: Path
    old_files: Path
    new: str
    old: str

    def request(self, target: Path, *, files: Path | None = None, resume: bool = False) -> IngestRequest:
        return IngestRequest((str(files or self.new_files),), str(target), resume=resume, replace=True)

    def prepare(self, target: Path, *, replacing: bool) -> None:
        """Put the store that is to be replaced in its place, with the records of its build."""
        if replacing:
            for suffix in ("", ".build"):
                shutil.copytree(f"{self.root / 'old.zarr'}{suffix}", f"{target}{suffix}")

    def assert_visible(self, target: Path, *, replacing: bool) -> None:
        """V: absent (only when nothing is replaced), the whole old store, or the whole new one."""
        allowed = {self.new, self.old} if replacing else {self.new, ""}
        assert visible(target) in allowed

    def assert_contained(self, target: Path) -> None:
        """N: nothing is left but the store and its records, and no partial file."""
        names = {path.name for path in target.parent.iterdir()}
        assert names == {target.name, f"{target.name}.build"}
        assert not list(target.parent.rglob("*.partial"))

    def finish(self, target: Path, *, replacing: bool) -> None:
        """C: the same command without the fault publishes the same bytes."""
        run(self.request(target, resume=True))
        assert visible(target) == self.new
        self.assert_contained(target)


def visible(target: Path) -> str:
    """Digest of what a reader finds, '' when there is nothing."""
    return store_digest(target) if os.path.lexists(target) else ""


def run(request: IngestRequest) -> None:
    ingest(request, SerialExecutor())


def attempt(request: IngestRequest) -> SpectralZarrError | None:
    """The coded error that ended an ingest, None when it published; anything else is raised."""
    try:
        run(request)
    except SpectralZarrError as error:
        return error
    return None


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, _epoch: None) -> Scene:
    root = tmp_path_factory.mktemp("scene")
    write_samples(root / "new", "wcs1d", N_FILES, n_pix=64)
    write_samples(root / "old", "wcs1d", N_FILES - 1, n_pix=64)
    digests = []
    for name in ("new", "old"):
        run(IngestRequest((str(root / name),), str(root / f"{name}.zarr")))
        digests.append(store_digest(root / f"{name}.zarr"))
    return Scene(root, root / "new", root / "old", *digests)


PROGRAM = """
import sys
from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.cli.failures import interrupt_on_terminate
from spectral_zarr.errors import SpectralZarrError
from spectral_zarr.testing.faults import Step, dies_at
files, target, step, number, signal = sys.argv[1:6]
interrupt_on_terminate()
try:
    with dies_at(Step(step), number=int(number), with_signal=int(signal)):
        ingest(IngestRequest((files,), target, replace=True, resume="resume" in sys.argv), SerialExecutor())
except SpectralZarrError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def disturbed(scene: Scene, target: Path, step: str, number: int, signal: int) -> int:
    """Exit code of an ingest in a process of its own that a signal hits at a step."""
    command = [sys.executable, "-c", PROGRAM, str(scene.new_files), str(target), step, str(number), str(int(signal))]
    return subprocess.run(command, capture_output=True, timeout=120).returncode


class Watcher:
    """Looks at a target again and again, and digests every store that it meets there through a pinned descriptor."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._seen: dict[int, str] = {}
        self.looks = 0
        self.absent = 0
        self.digests: set[str] = set()

    def look(self) -> None:
        self.looks += 1
        try:
            descriptor = os.open(self._target, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            self.absent += 1
            return
        try:
            inode = os.fstat(descriptor).st_ino
            if inode in self._seen:
                return
            try:
                found = _digest(descriptor)
            except FileNotFoundError:
                found = "incomplete"
            # A store that has lost its name while we read it was removed, which readers by name never saw.
            if self._target.stat().st_ino == inode:
                self._seen[inode] = found
                self.digests.add(found)
        except FileNotFoundError:
            return
        finally:
            os.close(descriptor)


def _digest(descriptor: int) -> str:
    return store_digest(Path(f"/proc/self/fd/{descriptor}/."))


@contextmanager
def watched(target: Path) -> Iterator[Watcher]:
    watcher = Watcher(target)
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            watcher.look()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield watcher
    finally:
        stop.set()
        thread.join()

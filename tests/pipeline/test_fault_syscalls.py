"""A build that dies at a random system call, and calls that are interrupted, both done from outside by strace."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from .matrix import Scene, visible, watched

PROGRAM = """
import sys
from spectral_zarr import IngestRequest, SerialExecutor, ingest
ingest(IngestRequest((sys.argv[1],), sys.argv[2], replace=True), SerialExecutor())
"""
CALL = re.compile(r"(\d+) +(\w+)\(")

Point = tuple[str, int]
"""A system call of the main thread: its name, and how many of that name the process has made with it."""


def traced(scene: Scene, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """An ingest under strace; the test is skipped where tracing is impossible."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    program = [sys.executable, "-c", PROGRAM, str(scene.new_files), str(target)]
    command = ["strace", "-f", "-q", *options, *program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=900)
        except BaseException:
            # What strace watches would live on without it.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    done = subprocess.CompletedProcess(command, process.returncode, output, errors)
    if done.returncode and "ptrace" in done.stderr.lower():
        pytest.skip(f"tracing is not permitted here: {done.stderr.splitlines()[0]}")
    return done


def points(trace: Path, first: str) -> list[Point]:
    """The system calls of the main thread from the one that makes a directory on."""
    counts: Counter[str] = Counter()
    found: list[Point] = []
    lines = trace.read_text().splitlines()
    main = lines[0].split()[0]
    begun = False
    for line in lines:
        call = CALL.match(line)
        if call is None or call[1] != main:
            continue
        counts[call[2]] += 1
        begun |= call[2] == "mkdir" and f'"{first}"' in line
        if begun:
            found.append((call[2], counts[call[2]]))
    return found


@pytest.mark.trace
@pytest.mark.parametrize("replacing", [False, True], ids=["fresh", "replace"])
class TestKilledAnywhere:
    def kill(self, scene: Scene, tmp_path: Path, replacing: bool, trials: int) -> None:
        (tmp_path / "traced").mkdir()
        target = tmp_path / "traced" / "x.zarr"
        scene.prepare(target, replacing=replacing)
        done = traced(scene, target, "-o", str(tmp_path / "trace"))
        assert done.returncode == 0, done.stderr
        # A store that is replaced has a build directory already; then the claim is what comes first.
        build = target.with_name("x.zarr.build")
        first = build / "claims" if replacing else build
        drawn = random.Random(f"{trials} {replacing}").sample(points(tmp_path / "trace", str(first)), trials)
        killed = 0
        for number, (call, count) in enumerate(drawn):
            killed += self.trial(scene, tmp_path / str(number), call, count, replacing)
        print("trials", trials, "killed", killed)
        # Between two runs the counts differ a little, so that a late point may lie behind the end.
        assert killed >= 0.9 * trials - 1

    def trial(self, scene: Scene, directory: Path, call: str, count: int, replacing: bool) -> bool:
        directory.mkdir()
        target = directory / "x.zarr"
        scene.prepare(target, replacing=replacing)
        with watched(target) as watcher:
            inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={count}"]
            code = traced(scene, target, "-o", str(directory.with_suffix(".trace")), *inject).returncode
            assert code in (0, -signal.SIGKILL)
            scene.assert_visible(target, replacing=replacing)
            assert code or visible(target) == scene.new
            scene.finish(target, replacing=replacing)
            watcher.look()
        assert watcher.digests <= {scene.old, scene.new}
        assert not (replacing and watcher.absent)
        shutil.rmtree(directory)
        return code != 0

    def test_at_some_system_calls(self, scene: Scene, tmp_path: Path, replacing: bool) -> None:
        self.kill(scene, tmp_path, replacing, 2)

    @pytest.mark.sweep
    def test_at_100_system_calls(self, scene: Scene, tmp_path: Path, replacing: bool) -> None:
        self.kill(scene, tmp_path, replacing, 100)


@pytest.mark.trace
@pytest.mark.parametrize(("call", "when"), [("write", "40+3"), ("fsync", "1+2"), ("openat", "1+2"), ("read", "1+2")])
def test_interrupted_system_calls_change_nothing(scene: Scene, tmp_path: Path, call: str, when: str) -> None:
    target = tmp_path / "x.zarr"
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error=EINTR:when={when}"]
    if call in ("openat", "read"):
        # The interpreter itself does not survive this while it imports modules.
        inject += [word for path in sorted(scene.new_files.iterdir()) for word in ("-P", str(path))]
    done = traced(scene, target, "-o", str(tmp_path / "trace"), *inject)
    assert done.returncode == 0, done.stderr
    assert "EINTR" in (tmp_path / "trace").read_text()
    assert visible(target) == scene.new

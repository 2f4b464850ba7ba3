"""What a build cannot choose: its clock, its environment, a second signal, and readers while it replaces a store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spectral_zarr.testing.faults import Step

from .matrix import Scene, run, visible, watched

INGEST = """
import sys
from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.testing.faults import Step, dies_at
with dies_at(Step(sys.argv[3]), number=int(sys.argv[4])):
    ingest(IngestRequest((sys.argv[1],), sys.argv[2], replace=True, resume=True), SerialExecutor())
"""
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *out) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    static unsigned long calls;
    int code = real(id, out);
    if (id == CLOCK_REALTIME) out->tv_sec += atol(getenv("JUMP")) * (long)(calls++ % 3);
    return code;
}
"""
"""A clock that jumps there and back at every look: twice JUMP seconds ahead, then none, then once."""


def ingested(scene: Scene, target: Path, step: Step, number: int, **environment: str) -> int:
    program = [sys.executable, "-c", INGEST, str(scene.new_files), str(target), step, str(number)]
    return subprocess.run(program, env={**os.environ, **environment}, capture_output=True, timeout=120).returncode


@pytest.mark.parametrize(
    "jump", [-86400, *(pytest.param(s, marks=pytest.mark.sweep) for s in (86400, -3600, 450_000_000))]
)
def test_a_clock_that_jumps_decides_nothing(scene: Scene, tmp_path: Path, jump: int) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler makes a clock that jumps")
    (tmp_path / "clock.c").write_text(CLOCK)
    library = str(tmp_path / "clock.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "clock.c", "-ldl"], check=True)
    target = tmp_path / "stores" / "x.zarr"
    target.parent.mkdir()
    scene.prepare(target, replacing=True)
    clock = {"LD_PRELOAD": library, "JUMP": str(jump)}
    assert ingested(scene, target, Step.FILLED, 1, **clock) == -9
    assert visible(target) == scene.old
    assert ingested(scene, target, Step.RENAMED, 1, **{**clock, "JUMP": str(-jump)}) == -9
    assert visible(target) == scene.new
    assert ingested(scene, target, Step.PUBLISHED, 9, **clock) == 0
    assert visible(target) == scene.new
    scene.assert_contained(target)


def test_locale_time_zone_hash_seed_and_umask_change_no_byte(scene: Scene, tmp_path: Path) -> None:
    target = tmp_path / "x.zarr"
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Tokyo"}
    before = os.umask(0o027)
    try:
        assert ingested(scene, target, Step.PUBLISHED, 9, PYTHONHASHSEED="7", **environment) == 0
    finally:
        os.umask(before)
    assert visible(target) == scene.new
    modes = {path.stat().st_mode & 0o777 for path in target.rglob("*") if path.is_file()}
    assert modes == {0o640}, "the group reads it, as the umask says"


SIGNALLED = """
import os, signal, sys, threading
from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.cli.failures import interrupt_on_terminate
from spectral_zarr.errors import SpectralZarrError
from spectral_zarr.testing.faults import Step, hooked
files, target, wanted, first, second = sys.argv[1:]
sent = []

def send(step):
    if step == wanted and not sent:
        sent.append(threading.Timer(0.01, os.kill, (os.getpid(), int(second))))
        sent[0].start()
        os.kill(os.getpid(), int(first))

interrupt_on_terminate()
try:
    with hooked(send):
        ingest(IngestRequest((files,), target, replace=True, resume=True), SerialExecutor())
except SpectralZarrError as error:
    sent[0].join()
    sys.exit(error.exit_code)
for one in sent:
    one.join()
print("published", flush=True)
"""


@pytest.mark.parametrize("replacing", [False, True], ids=["fresh", "replace"])
@pytest.mark.parametrize(
    ("step", "first", "second"),
    [
        (Step.INITIALISED, 15, 2),
        (Step.RENAMED, 2, 15),
        *(
            pytest.param(step, first, second, marks=pytest.mark.sweep)
            for step in Step
            for first in (2, 15)
            for second in (2, 15)
        ),
    ],
)
def test_two_signals_ten_milliseconds_apart(
    scene: Scene, tmp_path: Path, step: Step, first: int, second: int, replacing: bool
) -> None:
    target = tmp_path / "x.zarr"
    scene.prepare(target, replacing=replacing)
    program = [sys.executable, "-c", SIGNALLED, str(scene.new_files), str(target), step, str(first), str(second)]
    with watched(target) as watcher:
        done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    scene.assert_visible(target, replacing=replacing)
    # The second one may end the process while it says that the first one has stopped it.
    assert done.returncode in (0, 75, 1, -2, -15), done.stderr
    if "published" in done.stdout:
        assert visible(target) == scene.new
    assert not (done.returncode == 0 and visible(target) != scene.new)
    scene.finish(target, replacing=replacing)
    assert watcher.digests <= {scene.old, scene.new}


READER = """
import hashlib, sys
import numpy, zarr
from spectral_zarr import open_store
from spectral_zarr.errors import StoreChanged

def content(path):
    group = zarr.open_group(open_store(path), mode="r")
    digest = hashlib.sha256(str(group.attrs["plan_sha256"]).encode())
    for name in ("signal/flux_raw", "signal/uncertainty_raw", "signal/wavelength", "metadata/spec_id"):
        digest.update(numpy.ascontiguousarray(group[name][:]).tobytes())
    return digest.hexdigest()

allowed, seen, changed = {content(path) for path in sys.argv[2:]}, set(), 0
print("ready", flush=True)
for line in sys.stdin:
    while True:
        try:
            found = content(sys.argv[1])
            break
        except StoreChanged:
            changed += 1
    assert found in allowed, "old and new are mixed"
    seen.add(found)
    print(len(seen), changed, flush=True)
"""


@pytest.mark.parametrize(
    ("readers", "rounds"), [pytest.param(2, 4, id="few"), pytest.param(8, 60, id="many", marks=pytest.mark.sweep)]
)
def test_readers_while_a_store_is_replaced_again_and_again_never_mix(
    scene: Scene, tmp_path: Path, readers: int, rounds: int
) -> None:
    target = tmp_path / "x.zarr"
    run(scene.request(target, files=scene.old_files))
    command = [sys.executable, "-c", READER, target, scene.root / "old.zarr", scene.root / "new.zarr"]
    reading = [
        subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(readers)
    ]
    try:
        for one in reading:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for number in range(rounds):
            for one in reading:
                assert one.stdin is not None
                one.stdin.write("look\n" * 3)
                one.stdin.flush()
            run(scene.request(target, files=scene.new_files if number % 2 == 0 else scene.old_files))
            answers = [one.stdout.readline() for one in reading for _ in range(3) if one.stdout is not None]
            assert all(answers), "a reader found what never was"
        print("looks", 3 * readers * rounds, "seen and changed, by reader", answers[2::3])
    finally:
        for one in reading:
            one.communicate()
    assert all(one.returncode == 0 for one in reading)

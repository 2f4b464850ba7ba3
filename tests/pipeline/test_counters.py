"""What one small ingest asks of the system, counted and compared with what its plan says; seconds play no part."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, load_config
from spectral_zarr.cluster.executor import TaskKind
from spectral_zarr.contract.schema import GROUPS, METADATA
from spectral_zarr.testing import write_samples

N_FILES, BATCH_FILES, CHUNK_ROWS = 150, 50, 64
N_BATCHES, N_BLOCKS = 3, 3
CONFIG = f"[build]\nbatch_files = {BATCH_FILES}\n[store]\nchunk_rows = {CHUNK_ROWS}\n"
N_CUBES, N_FILLED = 4, 2
"""Flux, uncertainty and two continua of which SDSS gives none."""

PROGRAM = """
import json, re, sys
from pathlib import Path
from spectral_zarr import *
request = IngestRequest((sys.argv[1],), sys.argv[2], load_config(Path(sys.argv[3])))
plan = ingest(request, SerialExecutor()).plan
(peak,) = re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(json.dumps({
    "n_spec": plan.n_spec, "n_pix": plan.n_pix, "header": len(plan.header), "params": len(plan.params),
    "files": plan.n_files, "promise": plan.memory.worker, "peak": 1024 * int(peak),
}))
"""
CALL = re.compile(r"^\d+ +(\w+)\((?:[^<\"]*<([^>]*)>)?.*\) += (-?\d+)(?:<([^>]*)>)?")
UNIQUE = re.compile(r"(\.[0-9a-f]{32}\.partial)+$")


@dataclass(frozen=True)
class Traced:
    """One ingest: its files, what its plan says, and its system calls as (name, path, result)."""

    source: Path
    target: Path
    plan: dict[str, int]
    calls: tuple[tuple[str, Path, int], ...]

    def count(self, name: str, below: Path) -> Counter[Path]:
        """How often a call was made, by path below a directory."""
        return Counter(path for call, path, _ in self.calls if call == name and path.is_relative_to(below))

    def nbytes(self, names: Iterable[str], below: Path) -> int:
        """Bytes that calls moved from or to the files below a directory."""
        return sum(result for call, path, result in self.calls if call in names and path.is_relative_to(below))

    @property
    def making(self) -> Path:
        """The store before it was published."""
        return self.target.with_name("x.zarr.tmp")

    @property
    def build(self) -> Path:
        """The build directory."""
        return self.target.with_name("x.zarr.build")

    @property
    def columns(self) -> int:
        """The (N_spec,) arrays: method, metadata, header fields and parameters."""
        return 1 + len(METADATA) + self.plan["header"] + self.plan["params"]

    @property
    def cube_chunks(self) -> list[Path]:
        """Files of the published cubes."""
        return sorted(self.target.glob("*/*/c.*.*"))


READ, WRITE = ("read", "pread64"), ("write", "pwrite64", "writev")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SDSS-like files for three batches and three row blocks, and the configuration that cuts them so."""
    directory = tmp_path_factory.mktemp("counted")
    write_samples(directory / "files", "sdss-spec", N_FILES)
    (directory / "small.toml").write_text(CONFIG)
    return directory / "files"


@pytest.fixture(scope="module")
def traced(source: Path) -> Traced:
    """The ingest under strace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    directory = source.parent
    trace, target = directory / "trace", directory / "x.zarr"
    calls = "trace=open,openat,fsync,fdatasync," + ",".join((*READ, *WRITE))
    command = ["strace", "-f", "-q", "-y", "-s", "0", "-e", calls, "-o", trace]
    arguments = [sys.executable, "-c", PROGRAM, source, target, directory / "small.toml"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode and "ptrace" in done.stderr.lower():
        pytest.skip(f"tracing is not permitted here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    found = []
    for line in whole_lines(trace):
        if (call := CALL.match(line)) is None or int(call[3]) < 0:
            continue
        name, path = call[1], call[4] if call[1].startswith("open") else call[2]
        if path:
            found.append((name, Path(UNIQUE.sub("", path)), int(call[3])))
    return Traced(source, target, json.loads(done.stdout), tuple(found))


def whole_lines(trace: Path) -> Iterator[str]:
    """Lines of a trace, those put together that the call of another thread has cut."""
    begun: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        thread, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>")
        elif " resumed>" in call:
            yield begun.pop(thread) + call.partition(" resumed>")[2]
        else:
            yield line


@pytest.mark.trace
class TestSystemCalls:
    def test_each_source_is_opened_once_and_each_byte_of_it_read_once(self, traced: Traced) -> None:
        files = sorted(traced.source.iterdir())
        opens = traced.count("openat", traced.source)
        del opens[traced.source]
        assert opens == dict.fromkeys(files, 1)
        assert traced.count("read", traced.source) == opens
        assert traced.nbytes(READ, traced.source) == sum(path.stat().st_size for path in files)

    def test_the_plan_predicts_the_files(self, traced: Traced) -> None:
        published = [path for path in traced.target.rglob("*") if path.is_file()]
        assert len(published) == traced.plan["files"]
        assert len(traced.cube_chunks) == N_FILLED * N_BLOCKS

    def test_each_byte_of_the_store_is_written_once(self, traced: Traced) -> None:
        published = {path for path in traced.target.rglob("*") if path.is_file()}
        written: Counter[Path] = Counter()
        for name, path, nbytes in traced.calls:
            if name in WRITE and path.is_relative_to(traced.making):
                written[traced.target / path.relative_to(traced.making)] += nbytes
        assert written == {path: path.stat().st_size for path in published}

    def test_staging_holds_the_pixels_once(self, traced: Traced) -> None:
        pixels = sum(fits.getval(path, "NAXIS2", ext=1) for path in traced.source.iterdir())
        staged = sum(
            nbytes for name, path, nbytes in traced.calls if name in WRITE and path.name.endswith(".pixels.arrow")
        )
        assert 8 * pixels <= staged <= 1.02 * 8 * pixels, "flux and uncertainty, float32"

    def test_each_chunk_of_a_cube_is_read_once_to_be_checked(self, traced: Traced) -> None:
        opens = traced.count("openat", traced.making)
        for chunk in traced.cube_chunks:
            path = traced.making / chunk.relative_to(traced.target)
            assert traced.nbytes(READ, path) == chunk.stat().st_size
            assert opens[path] == 3, "written, checked, synced"

    def test_every_sync_is_accounted_for(self, traced: Traced) -> None:
        arrays = N_CUBES + traced.columns + 1
        synced = traced.count("fsync", traced.making) + traced.count("fsync", traced.build)
        expected: Counter[Path] = Counter()
        for path in [traced.target, *traced.target.rglob("*")]:
            expected[traced.making / path.relative_to(traced.target)] += 1
        assert sum(expected.values()) == traced.plan["files"] + arrays + len(GROUPS) + 1
        for path in list(expected):
            # A chunk of a cube is durable before its receipt says so, and every filled cube after each of its blocks.
            if path.name.startswith("c.") and path.name.count(".") == 2:
                expected[path] += 1
        for array in ("flux_raw", "uncertainty_raw"):
            expected[traced.making / "signal" / array] += N_BLOCKS
        staged, receipts = traced.build / "staged", traced.build / "receipts"
        for batch in range(N_BATCHES):
            expected.update(staged / f"{batch:06d}.{end}" for end in ("pixels.arrow", "columns.arrow", "receipt.json"))
        for block in range(N_BLOCKS):
            expected[receipts / f"block-{block:06d}.json"] += 1
        claims = traced.build / "claims"
        # Names in the build directory: when it is claimed, when the plan is frozen, when the store is to be published.
        expected.update({staged: N_BATCHES, receipts: N_BLOCKS + 1, traced.build: 3})
        # Held exclusively, then building, then published.
        expected.update({claims: 3, claims / "000001.json": 3})
        expected[receipts / "columns.json"] += 1
        expected[traced.making / "index.parquet"] += 1
        expected.update(
            traced.build / name for name in ("plan.json", "rejections.parquet", "report.json", "publish-intent.json")
        )
        assert synced == expected
        assert traced.count("fsync", traced.target.parent)[traced.target.parent] == 2, "claimed, published"
        assert not traced.count("fdatasync", traced.target.parent)

    def test_the_peak_of_memory_is_within_the_promise(self, traced: Traced) -> None:
        assert traced.plan["peak"] <= traced.plan["promise"]


class Counting(SerialExecutor):
    """Notes the function of every task and the bytes that its receipt takes to send."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        name = innermost(function)
        for task in tasks:
            receipt = function(task)
            self.sent.append((name, len(pickle.dumps(receipt, pickle.HIGHEST_PROTOCOL))))
            yield receipt


def innermost(function: Any) -> str:
    """Name of the function that does the work of a partial, or of a kind of task."""
    if isinstance(function, TaskKind):
        function = function.run
    while isinstance(function, partial):
        inner = [value for value in function.args if callable(value)]
        function = inner[0] if inner else function.func
    return str(function.__name__)


@pytest.fixture(scope="module")
def sent(source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """Tasks of an ingest and the sizes of their receipts."""
    executor = Counting()
    target = tmp_path_factory.mktemp("tasks") / "x.zarr"
    ingest(IngestRequest((str(source),), str(target), load_config(source.parent / "small.toml")), executor)
    return executor.sent


class TestTasks:
    def test_there_is_one_per_batch_and_block_and_a_few_to_check(self, sent: list[tuple[str, int]]) -> None:
        tasks = Counter(name for name, _ in sent)
        assert tasks.pop("stage_batch") == N_BATCHES
        assert tasks.pop("fill_block") == N_BLOCKS
        assert tasks == {"scan_rows": 1, "scan_columns_or_rest": 2}

    def test_no_spectrum_crosses_from_a_worker_to_the_driver(self, sent: list[tuple[str, int]]) -> None:
        sizes: dict[str, int] = {}
        for name, nbytes in sent:
            sizes[name] = max(nbytes, sizes.get(name, 0))
        assert sizes["stage_batch"] <= 2048
        assert sizes["fill_block"] <= 1024 + 256 * N_FILLED
        assert sizes["scan_rows"] + sizes["scan_columns_or_rest"] <= 64 * N_FILES + 8192

"""The same bytes whatever runs the tasks, each source opened once, and memory within the promise."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest, load_config
from spectral_zarr.cluster.local import local_executor
from spectral_zarr.testing import differing_files, write_samples


def peak_bytes() -> int:
    # ru_maxrss of a child begins at the size of its parent; the high-water mark of the address space is its own.
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough SDSS-like files for several batches and row blocks."""
    directory = tmp_path_factory.mktemp("files")
    write_samples(directory, "sdss-spec", 150)
    (directory.parent / "small.toml").write_text("[build]\nbatch_files = 16\n[store]\nchunk_rows = 64\n")
    return directory


def test_serial_one_worker_and_two_workers_give_the_same_bytes(
    mixture: Path, tmp_path: Path, fixed_clock: None
) -> None:
    config = load_config(mixture.parent / "small.toml")
    ingest(IngestRequest((str(mixture),), str(tmp_path / "serial.zarr"), config), SerialExecutor())
    for workers in (1, 2):
        target = tmp_path / f"workers-{workers}.zarr"
        with local_executor(workers) as executor:
            outcome = ingest(IngestRequest((str(mixture),), str(target), config), executor)
        assert outcome.plan.n_blocks == 3
        assert differing_files(tmp_path / "serial.zarr", target) == []


def test_the_way_the_files_are_cut_into_batches_changes_nothing_but_the_recorded_plan(
    mixture: Path, tmp_path: Path, fixed_clock: None
) -> None:
    for files in (7, 50):
        (tmp_path / "c.toml").write_text(f"[build]\nbatch_files = {files}\n[store]\nchunk_rows = 64\n")
        config = load_config(tmp_path / "c.toml")
        ingest(IngestRequest((str(mixture),), str(tmp_path / f"by-{files}.zarr"), config), SerialExecutor())
    assert differing_files(tmp_path / "by-7.zarr", tmp_path / "by-50.zarr") == ["zarr.json"]


@pytest.mark.parametrize(("product", "count", "n_pix"), [("sdss-spec", 400, None), ("harps-adp", 24, 100_000)])
def test_no_worker_uses_more_memory_than_the_plan_promised(
    product: str, count: int, n_pix: int | None, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    write_samples(tmp_path / "files", product, count, n_pix=n_pix)
    executor = local_executor(1)
    peaks: list[int] = []
    close = executor.close

    def measure_and_close() -> None:
        if not peaks:
            peaks.extend(executor._client.run(peak_bytes).values())
        close()

    executor.close = measure_and_close  # type: ignore[method-assign]
    with executor:
        outcome = ingest(IngestRequest((str(tmp_path / "files"),), str(tmp_path / "x.zarr")), executor)
    assert peaks
    assert max(peaks) <= outcome.plan.memory.worker


@pytest.mark.trace
def test_each_source_is_opened_exactly_once(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    (tmp_path / "files").mkdir()
    write_samples(tmp_path / "files", "sdss-spec", 20)
    trace = tmp_path / "trace"
    program = (
        "import sys; from spectral_zarr import *;ingest(IngestRequest((sys.argv[1],), sys.argv[2]), SerialExecutor())"
    )
    command = ["strace", "-f", "-q", "-e", "trace=open,openat", "-o", str(trace)]
    arguments = [sys.executable, "-c", program, str(tmp_path / "files"), str(tmp_path / "x.zarr")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode and "ptrace" in done.stderr.lower():
        pytest.skip(f"tracing is not permitted here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    opened = re.findall(r'"[^"]*/files/([^"/]+\.fits)"', trace.read_text())
    assert sorted(opened) == sorted(path.name for path in (tmp_path / "files").iterdir())


def test_nothing_is_served_over_http_however_often_workers_are_started() -> None:
    for _ in range(2):
        with local_executor(1) as executor:
            port = executor._cluster.scheduler.http_server.port
            for page in ("status", "info/main/workers.html", "health", "metrics"):
                with pytest.raises(HTTPError, match="404"):
                    urlopen(f"http://127.0.0.1:{port}/{page}", timeout=30)

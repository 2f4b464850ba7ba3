"""Hostile, damaged and mutated files: no crash, no hang, bounded memory, nothing written, and no text that acts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zarr

from spectral_zarr import errors, validate
from spectral_zarr.testing import PRODUCTS, write_samples
from spectral_zarr.testing.hostile import write_hostile
from spectral_zarr.testing.mutations import write_copies, write_cuts

PROGRAM = [sys.executable, "-c", "from spectral_zarr.cli import main; main()"]
MEMORY = 1 << 30
"""What a reader may use beyond the address space that its libraries reserve at the first file."""

INGEST_MEMORY = 3 << 30
"""Address space of a whole ingest."""

CPU_SECONDS = 5.0
"""Of one file."""

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

READ = """
import json, os, resource, sys, time
from spectral_zarr.config import Config, ReaderOptions
from spectral_zarr.model import Batch, SourceFile
from spectral_zarr.tasks.sources import scan_sources
from spectral_zarr.tasks.stage import survey_batch

memory = int(sys.argv[2])
config = Config(readers=ReaderOptions(echelle="rows"))
sources = scan_sources([sys.argv[1]])
survey_batch(Batch(0, (sources[0],)), config)
memory += int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
# Whoever writes to a file dies of SIGXFSZ.
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for source in sources:
    began = time.process_time()
    survey = survey_batch(Batch(0, (source,)), config)
    codes = [(rejection.code, rejection.reason, rejection.name) for rejection in survey.rejections]
    seconds = time.process_time() - began
    print(json.dumps({"file": source.name, "spectra": survey.columns.num_rows, "rejections": codes, "cpu": seconds}))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"peak": int(peak.split()[1]) << 10}))
"""

KNOWN = {found.code for found in errors.SourceError.__subclasses__()} - {errors.ReaderFailure.code}


def read_all(directory: Path, elsewhere: Path) -> tuple[Counter[str], dict[str, float]]:
    """Read every file in a confined process, and check what is said of each."""
    elsewhere.mkdir()
    before = tree(directory.parent)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(directory), str(MEMORY)],
        capture_output=True,
        text=True,
        cwd=elsewhere,
        env=os.environ | {"HOME": str(elsewhere), "TMPDIR": str(elsewhere)},
    )
    *lines, last = [json.loads(line) for line in done.stdout.splitlines()] or [{}]
    assert done.returncode == 0, f"ended after {lines[-1:]}: {done.stderr[-3000:]}"
    assert tree(directory.parent) == before
    counts: Counter[str] = Counter()
    for line in lines:
        name = line["file"]
        assert line["spectra"] or line["rejections"], name
        assert line["cpu"] < CPU_SECONDS, line
        for code, reason, _ in line["rejections"]:
            assert code in KNOWN, line
            assert reason.isprintable(), line
            counts[code] += 1
        counts["read"] += line["spectra"] > 0
    counts["files"] = len(lines)
    assert last["peak"] < MEMORY
    return counts, {"slowest": max(line["cpu"] for line in lines), "peak": last["peak"]}


def tree(root: Path) -> dict[str, tuple[int, int, int]]:
    """Everything below a directory, with its size, mode and time."""
    found = {}
    for directory, folders, names in os.walk(os.fsencode(root)):
        for name in (*folders, *names):
            status = os.lstat(os.path.join(directory, name))  # noqa: PTH118 (names are bytes)
            time = 0 if name in folders else status.st_mtime_ns
            found[os.fsdecode(os.path.join(directory, name))] = (status.st_size, status.st_mode, time)  # noqa: PTH118
    return found


def ingest_all(files: Path, place: Path, only: str) -> tuple[int, Counter[str]]:
    """Ingest every file in a confined process; the rows of the store, and its rejections by code."""
    place.mkdir()
    (place / "only.toml").write_text(f'[readers]\nonly = ["{only}"]\n[dataset]\nallow_mixed_frame = true\n')
    before = tree(files)
    command = [*PROGRAM, "ingest", str(files), "x.zarr", "-c", "only.toml", "--cluster", "serial"]
    confine = f'ulimit -v {INGEST_MEMORY >> 10} && exec "$@"'
    done = subprocess.run(
        ["bash", "-c", confine, "bash", *command, "--max-rejected", "100%"],
        capture_output=True,
        cwd=place,
        env=os.environ | {"HOME": str(place), "TMPDIR": str(place)},
    )
    shown = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, shown[-3000:]
    assert CONTROL.findall(shown) == []
    assert "Traceback" not in shown
    assert sorted(path.name for path in place.iterdir()) == ["only.toml", "x.zarr", "x.zarr.build"]
    assert tree(files) == before
    for log in (place / "x.zarr.build").rglob("*.jsonl"):
        text = log.read_text()
        assert CONTROL.findall(text) == []
        assert all(json.loads(line) for line in text.splitlines())
    assert validate(place / "x.zarr").valid
    table = pq.read_table(place / "x.zarr.build" / "rejections.parquet").to_pydict()
    assert all(reason.isprintable() for reason in table["reason"])
    store = zarr.open_group(str(place / "x.zarr"), mode="r")
    accepted = store["metadata/source_file"][:].tolist()
    plan = json.loads((place / "x.zarr.build" / "plan.json").read_text())
    assert plan["n_input_files"] == len(set(accepted) | set(table["source_file"]))
    return len(accepted), Counter(table["code"])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile") / "files"
    directory.mkdir()
    write_hostile(directory, unpacked=256 << 20, many=2000)
    (source,) = write_samples(directory.parent / "sound", "wcs1d", 1, n_pix=2000)
    write_copies(source, directory, 40)
    write_cuts(source, directory, 4)
    return directory


class TestSample:
    def test_every_file_is_read_or_rejected_with_a_code(self, files: Path, tmp_path: Path) -> None:
        counts, _ = read_all(files, tmp_path / "elsewhere")
        assert counts["read"] > 100
        assert {"unreadable", "truncated", "corrupt-fits", "not-fits"} <= set(counts)

    def test_an_ingest_of_all_of_them_publishes_the_sound_ones(self, files: Path, tmp_path: Path) -> None:
        rows, codes = ingest_all(files, tmp_path / "place", "generic-image")
        assert rows > 100
        assert sum(codes.values()) > 50


@pytest.mark.sweep
def test_ten_thousand_hostile_files(real_files: Path, tmp_path: Path) -> None:
    files = tmp_path / "hostile" / "files"
    files.mkdir(parents=True)
    write_hostile(files)
    for product in PRODUCTS:
        write_samples(tmp_path / "sound", product, 1, n_pix=None if product.startswith(("ap", "as")) else 1500)
    sound = sorted((tmp_path / "sound").iterdir())
    real = [path for path in sorted(real_files.glob("*/*")) if path.suffix != ".md" and path.stat().st_size < 500_000]
    for source in (*sound, *real):
        write_copies(source, files, 225)
        write_cuts(source, files, 25)
    counts, worst = read_all(files, tmp_path / "elsewhere")
    print(dict(counts), worst)
    assert counts["files"] >= 10_000
    rows, codes = ingest_all(files, tmp_path / "place", "sdss-spec")
    print(rows, dict(codes))
    assert rows + sum(codes.values()) >= 10_000
    assert rows >= 3

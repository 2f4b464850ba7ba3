"""Mutated copies of every real file are rejected with a code or give valid spectra, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from spectral_zarr import errors
from spectral_zarr.testing.mutations import write_copies

N_COPIES, N_COPIES_SWEEP = 6, 120
SECONDS, MEMORY = 240, 3 << 30
"""Processor seconds and address space of the process that reads a whole set of copies."""

READ = """
import json, resource, sys
seconds, memory = map(int, sys.argv[2:4])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
from pathlib import Path
from spectral_zarr.config import Config, ReaderOptions
from spectral_zarr.model import Batch, SourceFile
from spectral_zarr.tasks.stage import survey_batch

config = Config(readers=ReaderOptions(echelle="rows"))
for path in sorted(Path(sys.argv[1]).iterdir()):
    source = SourceFile(str(path), path.name, path.stat().st_size)
    survey = survey_batch(Batch(0, (source,)), config)
    codes = [(rejection.code, rejection.reason) for rejection in survey.rejections]
    print(json.dumps({"file": path.name, "spectra": survey.columns.num_rows, "rejections": codes}), flush=True)
"""


def check(real_files: Path, directory: Path, count: int) -> dict[str, int]:
    """Read mutated copies of all real files and count what became of them."""
    sources = [path for path in sorted(real_files.glob("*/*")) if path.suffix != ".md"]
    written = [path for source in sources for path in write_copies(source, directory, count)]
    done = subprocess.run(
        [sys.executable, "-c", READ, str(directory), str(SECONDS * max(1, count // N_COPIES)), str(MEMORY)],
        capture_output=True,
        text=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    after = f"after {lines[-1]['file']}" if lines else "at once"
    assert done.returncode == 0, f"the reading process ended {after}: {done.stderr[-2000:]}"
    assert len(lines) == len(written)
    known = {found.code for found in errors.SourceError.__subclasses__()}
    tripped = [
        f"{line['file']}: {reason}"
        for line in lines
        for code, reason in line["rejections"]
        if code == errors.ReaderFailure.code
    ]
    assert tripped == []
    counts: dict[str, int] = {"spectra": 0}
    for line in lines:
        assert line["spectra"] or line["rejections"], f"{line['file']} gave neither a spectrum nor a rejection"
        counts["spectra"] += line["spectra"] > 0
        for code, reason in line["rejections"]:
            assert code in known
            assert reason.isprintable(), f"{line['file']}: {reason!r}"
            counts[code] = counts.get(code, 0) + 1
    return counts


def test_mutated_real_files_are_rejected_with_a_code_or_read(real_files: Path, tmp_path: Path) -> None:
    counts = check(real_files, tmp_path, N_COPIES)
    assert counts["spectra"] > 20
    assert len(counts) > 5


@pytest.mark.sweep
def test_thousands_of_mutated_real_files_are_rejected_with_a_code_or_read(real_files: Path, tmp_path: Path) -> None:
    counts = check(real_files, tmp_path, N_COPIES_SWEEP)
    print(dict(sorted(counts.items())))

"""Mutated copies of every real file are rejected with a code or give valid spectra, in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spectral_zarr import errors

CARD = 80
N_COPIES, N_COPIES_SWEEP = 6, 120
SECONDS, MEMORY = 240, 3 << 30
"""Processor seconds and address space of the process that reads a whole set of copies."""

VALUES = (
    *("0", "-1", "1", "2", "3", "999999", "2147483647", "9223372036854775807", "-9223372036854775808", "1E400", "NAN"),
    *("INDEF", "T", "F", "''", "'A'", "'Angstrom'", "'log'", "'1 nm'", "1.5", "-1E-300", "'\x7f'", "(1,2)", "", "= ="),
)

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


def _another_value(generator: random.Random, data: bytearray) -> None:
    starts = [i for i in range(0, min(len(data), 200_000), CARD) if data[i + 8 : i + 10] == b"= "]
    if starts:
        at = generator.choice(starts)
        data[at + 10 : at + CARD] = generator.choice(VALUES).encode("latin-1").rjust(20).ljust(CARD - 10)


def _no_card(generator: random.Random, data: bytearray) -> None:
    starts = [i for i in range(CARD, min(len(data), 200_000), CARD) if data[i + 8 : i + 10] == b"= "]
    if starts:
        at = generator.choice(starts)
        data[at : at + CARD] = b"COMMENT".ljust(CARD)


def _another_name(generator: random.Random, data: bytearray) -> None:
    starts = [i for i in range(CARD, min(len(data), 200_000), CARD) if data[i + 8 : i + 10] == b"= "]
    if len(starts) > 1:
        one, other = generator.sample(starts, 2)
        data[one : one + 8], data[other : other + 8] = data[other : other + 8], data[one : one + 8]


def _another_byte(generator: random.Random, data: bytearray) -> None:
    for _ in range(generator.choice((1, 10, 1000))):
        data[generator.randrange(len(data))] = generator.randrange(256)


def _shorter(generator: random.Random, data: bytearray) -> None:
    del data[generator.randrange(len(data)) :]


def _shorter_by_blocks(generator: random.Random, data: bytearray) -> None:
    del data[2880 * generator.randrange(1 + len(data) // 2880) :]


def _blank_pixels(generator: random.Random, data: bytearray) -> None:
    start = generator.randrange(len(data))
    stop = min(len(data), start + generator.choice((100, 10_000, 1_000_000)))
    data[start:stop] = generator.choice((b"\0", b"\xff", b"\x7f")) * (stop - start)


def _text_mode(generator: random.Random, data: bytearray) -> None:
    data[:] = data.replace(b"\n", b"\r\n")


MUTATIONS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    *(_another_value, _another_value, _another_value, _no_card, _another_name, _another_byte),
    *(_shorter, _shorter_by_blocks, _blank_pixels, _text_mode),
)


def write_copies(source: Path, directory: Path, count: int) -> list[Path]:
    """Write mutated copies of a file, the same ones every time."""
    raw = source.read_bytes()
    zipped = raw[:2] == b"\x1f\x8b"
    generator = random.Random(source.name)
    stem, _, suffix = source.name.partition(".")
    paths = []
    for number in range(count):
        data = bytearray(gzip.decompress(raw) if zipped else raw)
        for _ in range(generator.choice((1, 1, 2, 5))):
            if data:
                generator.choice(MUTATIONS)(generator, data)
        path = directory / f"{stem}-{number:04d}.{suffix}"
        path.write_bytes(gzip.compress(bytes(data), 1) if zipped else bytes(data))
        paths.append(path)
    return paths


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

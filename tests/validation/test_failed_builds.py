"""A build whose store fails validation deletes it, keeps the report, and is never resumed from the remains."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.cluster import phases as driver
from spectral_zarr.errors import ContractViolation
from spectral_zarr.model import ChunkReceipt
from spectral_zarr.store.abort import abort_build
from spectral_zarr.store.claim import own_claim
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.request import request_facts
from spectral_zarr.testing import differing_files, write_samples

from .faults import FLUX, OBJECT, UNCERTAINTY, chunk_of


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_samples(tmp_path / "files", "sdss-spec", 12)
    return tmp_path / "files"


def build(files: Path, target: Path, *, resume: bool = False) -> None:
    ingest(IngestRequest((str(files),), str(target), resume=resume), SerialExecutor())


def remains(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.name.startswith(target.name))


def swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def zero(chunk: Path) -> None:
    chunk.write_bytes(bytes(chunk.stat().st_size))


def reindex(store: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.read_table(store / "index.parquet")
    pq.write_table(change(table), store / "index.parquet")


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a chunk": ("Q-06", lambda tmp: chunk_of(tmp, FLUX).write_bytes(b"")),
    "a document": ("L-06", lambda tmp: (tmp / OBJECT / "zarr.json").write_text("{")),
    "the root": ("L-06", lambda tmp: (tmp / "zarr.json").write_text("{")),
    "no root at all": ("L-06", lambda tmp: (tmp / "zarr.json").unlink()),
    "the index": ("L-03", lambda tmp: (tmp / "index.parquet").write_bytes(b"PAR1")),
    "a stray file": ("Q-06", lambda tmp: (tmp / FLUX / "stray").write_text("x")),
    "the backup of an editor": ("Q-06", lambda tmp: (tmp / "zarr.json~").write_text("{}")),
    "a file that NFS keeps for its reader": ("Q-06", lambda tmp: (tmp / FLUX / ".nfs000000000042").write_text("x")),
    "swapped chunks": ("Q-06", lambda tmp: swap(chunk_of(tmp, FLUX), chunk_of(tmp, UNCERTAINTY))),
    "a chunk of zeros": ("Q-06", lambda tmp: zero(chunk_of(tmp, FLUX))),
    "the document of a group": ("Q-06", lambda tmp: (tmp / "signal/zarr.json").unlink()),
    "an index without its last row": ("Q-06", lambda tmp: reindex(tmp, lambda table: table.slice(0, len(table) - 1))),
    "an index in another order": ("Q-06", lambda tmp: reindex(tmp, lambda table: table.take([1, 0, *range(2, 12)]))),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_of_any_kind_deletes_the_store_and_keeps_the_report(
    name: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixed_clock: None
) -> None:
    rule, damage = DAMAGE[name]
    target = tmp_path / "x.zarr"
    real = driver.write_columns

    def write_and_damage(path: str, plan_sha256: str, documents: tuple[ChunkReceipt, ...]) -> object:
        receipt = real(path, plan_sha256, documents)
        damage(BuildPaths.of(path).tmp)
        return receipt

    with monkeypatch.context() as patched:
        patched.setattr(driver, "write_columns", write_and_damage)
        with pytest.raises(ContractViolation, match=r"report\.json") as caught:
            build(files, target)
    assert caught.value.exit_code == 4
    assert remains(target) == ["x.zarr.build"]
    report = json.loads((tmp_path / "x.zarr.build" / "report.json").read_text())
    assert rule in {finding["rule"] for finding in report if finding["severity"] == "error"}
    build(files, target, resume=True)
    build(files, tmp_path / "y.zarr")
    assert differing_files(target, tmp_path / "y.zarr") == []


PROGRAM = """
import os, shutil, signal, sys
from pathlib import Path
from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.cluster import phases
from spectral_zarr.store.calls import FileCalls, replaced
from spectral_zarr.store.paths import BuildPaths

real, remove = phases.write_columns, shutil.rmtree

def write_and_damage(target, *rest):
    receipt = real(target, *rest)
    (BuildPaths.of(target).tmp / "signal/flux_raw/c.0.0").write_bytes(b"")
    return receipt

def removes_a_part_and_dies(path, *rest, **named):
    if ".trash-" in str(path):
        if sys.argv[3] == "half":
            remove(Path(path) / "metadata")
        os.kill(os.getpid(), signal.SIGKILL)
    remove(path, *rest, **named)

phases.write_columns = write_and_damage
with replaced(FileCalls(rmtree=removes_a_part_and_dies)):
    ingest(IngestRequest((sys.argv[1],), sys.argv[2]), SerialExecutor())
"""


@pytest.mark.parametrize("removed", ["nothing", "half"])
def test_kill_9_in_the_middle_of_the_deletion_leaves_nothing_that_is_resumed(
    removed: str, files: Path, tmp_path: Path, fixed_clock: None
) -> None:
    target = tmp_path / "x.zarr"
    command = [sys.executable, "-c", PROGRAM, str(files), str(target), removed]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == -9
    (trash,) = (name for name in remains(target) if "trash" in name)
    assert trash.startswith("x.zarr.tmp.trash-")
    assert remains(target) == ["x.zarr.build", trash]
    assert json.loads((tmp_path / "x.zarr.build" / "report.json").read_text())
    build(files, target, resume=True)
    build(files, tmp_path / "y.zarr")
    assert differing_files(target, tmp_path / "y.zarr") == []
    assert remains(target) == ["x.zarr", "x.zarr.build"]


def test_giving_up_removes_what_a_killed_deletion_left(files: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.zarr"
    command = [sys.executable, "-c", PROGRAM, str(files), str(target), "half"]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == -9
    assert abort_build(BuildPaths.of(target), own_claim(request_facts((), None, "")))
    assert remains(target) == []

"""``status``: what it says of builds that run, have stopped, are published or belong to another node."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr.store.claim import Claim, current_claim, record
from spectral_zarr.store.paths import BuildPaths
from tests.cli.conftest import Run


@pytest.fixture
def stopped(run: Run, files: Path) -> Path:
    """A build that too many rejections stopped."""
    (files / "text.fits").write_text("no")
    assert run("ingest", files, "out.zarr", "--cluster", "serial").code == 3
    return Path("out.zarr")


@pytest.fixture
def owner() -> Iterator[int]:
    """Another process of this node that lives until the test ends."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.communicate(b"\n")


def owned_by(target: Path, host: str, pid: int) -> None:
    """Let the claim of a stopped build be that of a process that builds."""
    paths = BuildPaths.of(target)
    claim = current_claim(paths)
    assert isinstance(claim, Claim)
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    record(paths, replace(claim, host=host, pid=pid, birth=f"{boot}/{ticks}", state="building"))


def test_a_stopped_build_says_why_and_how_to_go_on(run: Run, stopped: Path) -> None:
    result = run("status", stopped)
    assert result.code == 0
    for words in ("stopped in plan", "too-many-rejections", "1 (1 not-fits)", "--resume"):
        assert words in result.out
    found = run("status", stopped, "--json").json
    assert (found["state"], found["rejected"], found["rejections"]) == ("stopped", 1, {"not-fits": 1})
    assert found["eta_seconds"] is None


def test_a_published_store(run: Run, published: Path) -> None:
    assert "published" in run("status", published).out
    found = run("status", published, "--json").json
    assert (found["state"], found["eta_seconds"]) == ("published", 0)
    assert {task["phase"] for task in found["slowest"]} == {"stage", "fill"}
    assert [(node["node"], node["workers"], node["tasks"]) for node in found["nodes"]] == [(socket.gethostname(), 1, 2)]


def test_a_published_store_without_records(run: Run, published: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path / "moved.zarr")
    assert run("status", "moved.zarr", "--json").json["state"] == "published"


def test_nothing_there(run: Run) -> None:
    result = run("status", "missing.zarr")
    assert result.code == 2
    assert "nothing is being built there" in result.error


def test_an_owner_that_lives_runs(run: Run, stopped: Path, owner: int) -> None:
    owned_by(stopped, socket.gethostname(), owner)
    result = run("status", stopped)
    assert "running" in result.out
    assert f"process {owner} on {socket.gethostname()}, running, last word" in result.out
    assert "--resume" not in result.out


def test_an_owner_that_died_without_a_word_has_stopped(run: Run, stopped: Path) -> None:
    owned_by(stopped, socket.gethostname(), os.getpid())
    (log,) = BuildPaths.of(stopped).log.iterdir()
    log.write_text("".join(line for line in log.read_text().splitlines(True) if '"stopped"' not in line))
    result = run("status", stopped)
    assert "gone without a word of why" in result.out
    assert "--resume" in result.out


def test_an_owner_on_another_node_cannot_be_seen(run: Run, stopped: Path) -> None:
    owned_by(stopped, "elsewhere", os.getpid())
    result = run("status", stopped)
    assert "unknown" in result.out
    assert "on elsewhere, which cannot be seen from here, last word" in result.out
    assert run("status", stopped, "--json").json["state"] == "unknown"


def test_a_line_cannot_command_the_terminal(run: Run, stopped: Path) -> None:
    (log,) = BuildPaths.of(stopped).log.iterdir()
    with log.open("a") as stream:
        stream.write(
            json.dumps({"time": time.time(), "event": "stopped", "code": "x\x1b[2J", "reason": "\u202e"}) + "\n"
        )
    assert "x\\x1b[2J: \\u202e" in run("status", stopped).out


def test_watching_ends_with_the_build(run: Run, stopped: Path, owner: int, monkeypatch: pytest.MonkeyPatch) -> None:
    owned_by(stopped, socket.gethostname(), owner)
    paths = BuildPaths.of(stopped)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            claim = current_claim(paths)
            assert claim is not None
            record(paths, replace(claim, state="stopped"))

    monkeypatch.setattr("spectral_zarr.cli.status.time.sleep", wait)
    result = run("status", stopped, "--watch", "0.5")
    assert waited == [0.5, 0.5, 0.5]
    assert result.out.count("in plan") == 4
    assert result.out.count("stopped in plan") == 1

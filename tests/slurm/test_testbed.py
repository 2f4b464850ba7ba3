"""The testbed is a real Slurm of several nodes, closed to other machines, that leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from .testbed import SLURM, Slurm

pytestmark = pytest.mark.slurm


def test_a_job_runs_on_each_of_four_nodes(slurm: Slurm, tmp_path: Path) -> None:
    job = slurm.submit("--nodes=4", "--output=names", "--wrap", "srun printenv SLURMD_NODENAME", cwd=tmp_path)
    assert slurm.wait(job)["JobState"] == "COMPLETED"
    assert sorted((tmp_path / "names").read_text().split()) == ["n1", "n2", "n3", "n4"]


def test_the_daemons_listen_on_the_loopback_interface_alone(slurm: Slurm) -> None:
    known = json.loads((slurm.directory / "run/daemons.json").read_text())
    listening = [
        connection.laddr.ip
        for pid, _ in known.values()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 5
    assert set(listening) == {"127.0.0.1"}


def test_a_testbed_starts_beside_another_one_and_leaves_no_process(started_slurm: Slurm, tmp_path: Path) -> None:
    directory = tmp_path / "second"

    def testbed(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SLURM / "testbed"), *words, str(directory)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    started = testbed("start", "--nodes=1")
    try:
        assert started.returncode == 0, started.stderr
        known = json.loads((directory / "run/daemons.json").read_text())
        refused = testbed("start")
        assert (refused.returncode, "run already" in refused.stderr) == (1, True)
        assert testbed("status").returncode == 0
        environment = {**started_slurm.environment, "SLURM_CONF": str(directory / "slurm.conf")}
        subprocess.run(["sbatch", "--wrap", "sleep 600"], cwd=tmp_path, env=environment, check=True, timeout=30)
    finally:
        stopped = testbed("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert [name for name, (pid, _) in known.items() if _runs(pid)] == []
    assert testbed("status").returncode == 1


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE

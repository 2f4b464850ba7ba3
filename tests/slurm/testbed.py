"""The real Slurm of the tests: submitting jobs, looking at them, and waiting for what becomes of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SLURM = Path(__file__).parents[2] / "slurm"
COMMAND = Path(sys.executable).with_name("spectral-zarr")
PATIENCE = 60.0
GONE = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", ""})


def wait_until(reached: Callable[[], object], seconds: float = PATIENCE, what: str = "") -> None:
    """Wait for a condition; the test fails when it does not come true."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what or reached}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Slurm:
    """A running cluster.

    Attributes
    ----------
    directory : Path
        Its directory; ``log/`` tells why a job did not start.
    environment : dict
        Environment of clients, and so of the jobs that they submit.
    """

    directory: Path
    environment: Mapping[str, str]

    def run(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a client."""
        return subprocess.run(
            [str(word) for word in command],
            env=dict(self.environment),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def output(self, *command: str | Path, cwd: Path | None = None) -> str:
        """What a client prints; it must succeed."""
        done = self.run(*command, cwd=cwd)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout.strip()

    def submit(self, *arguments: str | Path, cwd: Path) -> str:
        """Submit a job and return its id."""
        return self.output("sbatch", "--parsable", *arguments, cwd=cwd)

    def facts(self, job: str) -> dict[str, str]:
        """Everything that Slurm knows of a job, also of one that has ended; empty when it has forgotten it."""
        return dict(re.findall(r"(\w+)=(\S+)", self.run("scontrol", "show", "job", "-o", job).stdout))

    def state(self, job: str) -> str:
        """State of a job, '' for an unknown one."""
        return self.facts(job).get("JobState", "")

    def jobs(self) -> list[str]:
        """Ids of the jobs that are waiting or running."""
        return self.output("squeue", "--noheader", "--format=%i").split()

    def wait(self, job: str, seconds: float = PATIENCE) -> dict[str, str]:
        """Wait until a job has ended, and tell how."""
        wait_until(lambda: self.state(job) in GONE, seconds, f"job {job}, which is {self.facts(job)}")
        return self.facts(job)

    def run_again(self, job: str) -> None:
        """End the two minutes that a requeued job waits."""
        wait_until(lambda: self.state(job) == "PENDING", what=f"the requeued job {job}")
        # Slurm revokes the first run's right to start by the second, and a second run in the same one would fail.
        pending = time.monotonic()
        wait_until(lambda: time.monotonic() > pending + 2, what="two seconds of Slurm's clock")

        def begun() -> bool:
            self.run("scontrol", "update", f"jobid={job}", "starttime=now")
            return self.state(job) != "PENDING"

        wait_until(begun, what=f"the second run of {job}")

    def clear(self) -> None:
        """Cancel all jobs, and wait until they are gone and all nodes are up."""
        self.run("scancel", f"--user={os.getuid()}")
        wait_until(lambda: not self.jobs(), what="an empty queue")

        def idle() -> bool:
            return set(self.output("sinfo", "--noheader", "--format=%T").split()) == {"idle"}

        wait_until(idle, what="idle nodes")

"""Measure whole processes: seconds of cpu and wall and resident memory of a process tree."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

INTERVAL = 0.05
"""Seconds between two looks at the tree; the kernel keeps the high-water mark of each process in between."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took.

    Attributes
    ----------
    cpu, wall : float
        Seconds; cpu is user and system time of the process and of all children that it waited for.
    peak_process, peak_tree : int
        Bytes: the largest resident set of any one process, and the largest sum over the tree at one moment.
    """

    cpu: float
    wall: float
    peak_process: int
    peak_tree: int


class RunFailed(Exception):
    """A contender ended with an error."""


@dataclass(slots=True)
class _Tree:
    root: int
    high_water: int = 0
    together: int = 0
    pending: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Take the memory of every process that lives now."""
        total = 0
        self.pending = [self.root]
        while self.pending:
            process = Path("/proc", str(self.pending.pop()))
            try:
                # Not ru_maxrss: a child starts with the high-water mark of the process that started it.
                status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
                for children in process.glob("task/*/children"):
                    self.pending += map(int, children.read_text().split())
            except (OSError, ValueError):
                continue
            if "VmRSS" in status:
                total += int(status["VmRSS"].split()[0]) << 10
                self.high_water = max(self.high_water, int(status["VmHWM"].split()[0]) << 10)
        self.together = max(self.together, total)


def run(command: list[str], environment: dict[str, str] | None = None) -> Usage:
    """Run a command to its end.

    Raises
    ------
    RunFailed
        With what it wrote, when it did not end with 0.
    """
    began = time.perf_counter()
    with subprocess.Popen(
        command, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        tree = _Tree(process.pid)
        while True:
            tree.look()
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            time.sleep(INTERVAL)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output = process.stdout.read().decode(errors="replace") if process.stdout else ""
    if process.returncode:
        raise RunFailed(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return Usage(usage.ru_utime + usage.ru_stime, wall, tree.high_water, max(tree.together, tree.high_water))

"""What a task says about its own run: node, process, start, end and processor time."""

from __future__ import annotations

import os
import resource
import socket
import time

from spectral_zarr.model import TaskRun


class Stopwatch:
    """Started when it is made."""

    def __init__(self) -> None:
        self._start = time.time()
        self._cpu = _cpu_seconds()

    def stop(self) -> TaskRun:
        """The run so far."""
        return TaskRun(
            node=socket.gethostname(),
            pid=os.getpid(),
            start=round(self._start, 3),
            end=round(time.time(), 3),
            cpu_seconds=round(_cpu_seconds() - self._cpu, 6),
        )


def _cpu_seconds() -> float:
    # A file that ends its process is parsed in a child, which is part of the task.
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

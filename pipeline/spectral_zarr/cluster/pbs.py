"""What PBS is asked; written after its manual, and not tried on a real one."""

from __future__ import annotations

import getpass
from collections.abc import Iterable

from spectral_zarr.cluster.slurm import QueuedJob, ask


def queued_jobs(name: str) -> dict[str, QueuedJob] | None:
    """Jobs of this user with a name that have not ended, by their number; None when there is no answer."""
    done = ask("qselect", "-u", getpass.getuser(), "-N", name)
    if done is None or done.returncode != 0:
        return None
    numbers = [line.partition(".")[0].strip() for line in done.stdout.splitlines() if line.strip()]
    return {number: QueuedJob(number, "Q", "in the queue") for number in numbers}


def cancel(ids: Iterable[str]) -> None:
    """Cancel jobs; it is no error when they have ended, or when the server is away."""
    known = list(ids)
    if known:
        ask("qdel", *known)

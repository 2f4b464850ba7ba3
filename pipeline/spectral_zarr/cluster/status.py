"""How far a build is, from its files alone, on any node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from spectral_zarr.cluster.slurm import job_lives
from spectral_zarr.errors import UsageError
from spectral_zarr.model import BuildPlan
from spectral_zarr.store.claim import current_claim
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """State of a build.

    Attributes
    ----------
    phase : str
        ``stage``, ``fill``, ``finalise``, ``stopped`` or ``published``.
    done, total : int
        Tasks of the phase.
    rate : float
        Tasks per second over the phase, NaN before the second task.
    rejected : int
        Rejections so far.
    last : str
        Last line of the log, for people.
    """

    target: str
    phase: str
    done: int
    total: int
    rate: float
    rejected: int
    alive: bool
    owner: str
    last: str

    @property
    def eta_seconds(self) -> float:
        """Seconds until the phase is done, NaN when unknown."""
        return (self.total - self.done) / self.rate if self.rate > 0 else float("nan")


def read_status(target: str | Path) -> BuildStatus:
    """Read the state of a build.

    Raises
    ------
    UsageError
        When nothing was ever built there.
    """
    paths = BuildPaths.of(target)
    claim = current_claim(paths)
    if claim is None:
        if paths.target.exists():
            return BuildStatus(str(paths.target), "published", 0, 0, float("nan"), 0, False, "", "")
        raise UsageError("nothing is being built there and nothing was", path=str(target))
    events = _events(paths.log)
    staged = [event for event in events if event["event"] == "staged"]
    filled = [event for event in events if event["event"] == "filled"]
    if claim.state == "published" or (paths.target.exists() and not paths.tmp.exists()):
        phase, tasks, total = "published", filled, len(filled)
    elif filled or paths.plan.exists():
        plan = read_record(paths.plan, BuildPlan)
        phase, tasks, total = ("fill" if len(filled) < plan.n_blocks else "finalise"), filled, plan.n_blocks
    else:
        phase, tasks, total = "stage", staged, int(staged[-1]["of"]) if staged else 0
    alive = claim.active(job_lives)
    span = tasks[-1]["time"] - tasks[0]["time"] if len(tasks) > 1 else 0.0
    return BuildStatus(
        target=str(paths.target),
        phase=phase if alive or phase == "published" else f"stopped in {phase}",
        done=len({event.get("batch", event.get("block")) for event in tasks}),
        total=total,
        rate=(len(tasks) - 1) / span if span > 0 else float("nan"),
        rejected=sum(sum(event["rejected"].values()) for event in {event["batch"]: event for event in staged}.values()),
        alive=alive,
        owner=claim.owner,
        last=_last(events),
    )


def _events(directory: Path) -> list[dict[str, Any]]:
    events = []
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                events.append(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.DecodeError:
                continue  # the line that is being written while we read
    return sorted(events, key=lambda event: float(event["time"]))


def _last(events: list[dict[str, Any]]) -> str:
    if not events:
        return ""
    return ", ".join(f"{key}={value}" for key, value in events[-1].items() if key != "time")

"""How far a build is, from its files alone, on any node."""

from __future__ import annotations

import math
import socket
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest
from itertools import chain
from pathlib import Path
from typing import Literal

from spectral_zarr.cluster.events import Event, LogReader
from spectral_zarr.cluster.slurm import job_lives
from spectral_zarr.errors import ContractViolation, UsageError
from spectral_zarr.model import TaskRun
from spectral_zarr.store.calls import Step
from spectral_zarr.store.claim import Claim, ask_about_jobs, at_work, current_claim
from spectral_zarr.store.paths import BuildPaths

MOST_SLOWEST = 5

FEWEST_FOR_RATE = 10
"""Tasks from which the second half of a phase tells its rate; with fewer, all of it does."""

State = Literal["running", "unknown", "stopped", "published"]


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """A task that is done."""

    phase: str
    index: int
    run: TaskRun
    retries: int


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node whose workers did tasks in the last attempt.

    Attributes
    ----------
    last : float
        When its last task ended, seconds since 1970.
    """

    node: str
    workers: int
    tasks: int
    last: float


@dataclass(frozen=True, slots=True)
class AttemptSeen:
    """A process that drove the build.

    Attributes
    ----------
    began, last : float
        When it wrote its first and its last line, seconds since 1970.
    end : str
        Code of the error that ended it, ``published``, or '' when it said nothing.
    """

    writer: str
    node: str
    began: float
    last: float
    end: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """State of a build.

    Attributes
    ----------
    state : {'running', 'unknown', 'stopped', 'published'}
        Unknown when the owner is on another node, where its process cannot be seen.
    phase : str
        Phase of the last attempt, '' before the first.
    done, total, unit : int, int, str
        Units of the phase; a total of 0 is not known.
    rate : float
        Units per second of the last attempt, NaN when nothing tells.
    rejected : dict of str to int
        Rejections so far by code.
    bytes_in, bytes_out : int
        Source bytes that are staged, and bytes of the cubes that are written.
    slowest : tuple of TaskSeen
        The slowest tasks, slowest first.
    nodes : tuple of NodeSeen
        Sorted by name.
    attempts : tuple of AttemptSeen
        In order of time.
    dashboard, tunnel : str
        Address of the dashboard, and the ssh command that leads to it, of a build that is running.
    """

    target: str
    state: State
    owner: str = ""
    phase: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    rate: float = math.nan
    spectra: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    retries: int = 0
    slowest: tuple[TaskSeen, ...] = ()
    nodes: tuple[NodeSeen, ...] = ()
    attempts: tuple[AttemptSeen, ...] = ()
    dashboard: str = ""
    tunnel: str = ""

    @property
    def eta_seconds(self) -> float:
        """Seconds until the phase is done, NaN when unknown."""
        if self.state == "published":
            return 0.0
        return (self.total - self.done) / self.rate if self.rate > 0 and self.state != "stopped" else math.nan


def read_status(target: str | Path) -> BuildStatus:
    """Read the state of a build.

    Raises
    ------
    UsageError
        When nothing was ever built there.
    """
    return StatusReader(target).read()


class StatusReader:
    """Reads the state of a build again and again, and of its log only what is new.

    Parameters
    ----------
    target : str or Path
        ``<dataset>.zarr``.
    """

    def __init__(self, target: str | Path) -> None:
        ask_about_jobs(job_lives)
        self._paths = BuildPaths.of(target)
        self._log = LogReader(self._paths.log)

    def read(self) -> BuildStatus:
        """The state.

        Raises
        ------
        UsageError
            When nothing was ever built there.
        """
        paths = self._paths
        claim = current_claim(paths)
        if claim is None:
            if paths.target.exists():
                return BuildStatus(str(paths.target), "published")
            raise UsageError("nothing is being built there and nothing was", path=str(paths.target))
        part = at_work(paths, claim) if claim.shared else ""
        return summarise(str(paths.target), _state(paths, claim, part), part or claim.owner, self._log.read())


def _state(paths: BuildPaths, claim: Claim, part: str) -> State:
    if claim.state == "published" or (paths.target.exists() and not paths.tmp.exists()):
        return "published"
    if claim.shared:
        return "running" if part else "stopped"
    if not claim.active:
        return "stopped"
    known = claim.host == socket.gethostname() or (claim.job and job_lives(claim.job, claim.restarts))
    return "running" if known else "unknown"


def summarise(target: str, state: State, owner: str, log: Mapping[str, Sequence[Event]]) -> BuildStatus:
    """The state of a build from its log.

    Parameters
    ----------
    target : str
        Path of the store.
    state, owner : str
        What the claim says.
    log : mapping of str to sequence of Event
        Events by writer.
    """
    written = {writer: events for writer, events in log.items() if events}
    if not written:
        return BuildStatus(target, state, owner)
    begun = {writer: events[0].time for writer, events in written.items()}
    newest = max(begun, key=lambda writer: begun[writer])
    # Parts of a job array write side by side; a driver is alone.
    last = [writer for writer, events in written.items() if events[-1].time >= begun[newest]]
    events = sorted(chain.from_iterable(written.values()), key=lambda event: event.time)
    recent = sorted(chain.from_iterable(written[writer] for writer in last), key=lambda event: event.time)
    phase = next((event.phase for event in reversed(recent) if event.phase), "")
    tasks = _proofs(_valid(written, newest))
    fresh = _fresh(events, {id(event) for event in recent})
    found = _progress(phase, tasks, recent, fresh)
    staged = [task for task in tasks if task.phase == "stage"]
    gathered = next((event for event in reversed(recent) if event.event == "gathered"), None)
    rejected: Counter[str] = Counter(gathered.rejected if gathered is not None else {})
    for task in staged:
        rejected.update(task.rejected)
    seen = [TaskSeen(task.phase, task.index, task.run, task.retries) for task in _slowest(tasks)]
    linked = next((event for event in reversed(recent) if event.dashboard), None)
    linked = linked if state in ("running", "unknown") else None
    return replace(
        found,
        target=target,
        state=state,
        owner=owner,
        spectra=sum(task.spectra for task in staged),
        rejected=dict(rejected.most_common()),
        bytes_in=sum(task.bytes_in for task in staged),
        bytes_out=sum(task.bytes_out for task in tasks if task.phase == "fill"),
        retries=sum(event.event == "retry" for event in events),
        slowest=tuple(seen),
        nodes=_nodes(fresh),
        attempts=tuple(_attempt(writer, written[writer]) for writer in sorted(begun, key=lambda name: begun[name])),
        dashboard=linked.dashboard if linked is not None else "",
        tunnel=linked.tunnel if linked is not None else "",
    )


def _valid(written: Mapping[str, Sequence[Event]], newest: str) -> list[Event]:
    """Tasks whose proof counts for what the last attempt was asked to do, in order of time."""
    request = written[newest][0].request
    events = [
        event
        for events in written.values()
        if events[0].request in ("", request)
        for event in events
        if event.event in (Step.STAGED, Step.FILLED)
    ]
    # A store that fails its checks is deleted, with all that was filled.
    deleted = max(
        (event.time for events in written.values() for event in events if event.code == ContractViolation.code),
        default=0.0,
    )
    return sorted(
        (event for event in events if event.event == Step.STAGED or event.time > deleted), key=lambda event: event.time
    )


def _proofs(events: Iterable[Event]) -> list[Event]:
    """The last proof of every task."""
    return list({(event.phase, event.index): event for event in events}.values())


def _fresh(events: Iterable[Event], recent: set[int]) -> list[Event]:
    """Tasks that the last attempt did itself, and did not find done by an earlier one."""
    known: set[tuple[str, int, str, int, float]] = set()
    fresh = []
    for event in events:
        if event.event not in (Step.STAGED, Step.FILLED):
            continue
        identity = (event.phase, event.index, event.node, event.pid, event.start)
        if identity not in known:
            known.add(identity)
            if id(event) in recent:
                fresh.append(event)
    return fresh


def _progress(phase: str, tasks: Sequence[Event], recent: Sequence[Event], fresh: Sequence[Event]) -> BuildStatus:
    began = next((event.time for event in recent if event.phase == phase), 0.0)
    if phase not in ("stage", "fill"):
        at = next((event for event in reversed(recent) if event.phase == phase), None)
        if at is None:
            return BuildStatus("", "unknown", phase=phase)
        rate = at.done / (at.time - began) if at.done and at.time > began else math.nan
        return BuildStatus("", "unknown", phase=phase, done=at.done, total=at.total, unit=at.unit, rate=rate)
    kind = "batches" if phase == "stage" else "planned"
    of = next((event.of or event.blocks for event in reversed(recent) if event.event == kind), 0)
    done = [task for task in tasks if task.phase == phase]
    total = of or max((task.of for task in done), default=0)
    rate = _rate(began, [task.time for task in fresh if task.phase == phase])
    unit = "batches" if phase == "stage" else "row blocks"
    done_here = sum(task.index < total for task in done)
    return BuildStatus("", "unknown", phase=phase, done=done_here, total=total, unit=unit, rate=rate)


def _rate(began: float, times: Sequence[float]) -> float:
    if not times or times[-1] <= began:
        return math.nan
    middle = (began + times[-1]) / 2
    # Workers join and leave, so that the first half of a phase says little about what is left of it.
    later = [time for time in times if time > middle]
    if len(later) < FEWEST_FOR_RATE:
        return len(times) / (times[-1] - began)
    return len(later) / (times[-1] - middle)


def _slowest(tasks: Iterable[Event]) -> list[Event]:
    return nlargest(MOST_SLOWEST, tasks, key=lambda task: task.end - task.start)


def _nodes(fresh: Iterable[Event]) -> tuple[NodeSeen, ...]:
    seen: dict[str, list[Event]] = {}
    for task in fresh:
        seen.setdefault(task.node, []).append(task)
    return tuple(
        NodeSeen(node, len({task.pid for task in tasks}), len(tasks), max(task.end for task in tasks))
        for node, tasks in sorted(seen.items())
    )


def _attempt(writer: str, events: Sequence[Event]) -> AttemptSeen:
    ends = [event for event in events if event.event in ("stopped", Step.PUBLISHED)]
    end = ends[-1] if ends else None
    return AttemptSeen(
        writer=writer,
        node=events[0].node,
        began=events[0].time,
        last=events[-1].time,
        end="" if end is None else end.code or end.event,
        reason="" if end is None else end.reason,
    )

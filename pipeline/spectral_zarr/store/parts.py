"""A build whose parts are processes on several nodes: how they join its claim, and what they agree on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from spectral_zarr.errors import PartsMissing, ResumeRefused, StagingBusy, TargetExists
from spectral_zarr.model import BatchFacts
from spectral_zarr.store.calls import calls
from spectral_zarr.store.claim import Claim, at_work, current_claim, record, take_claim
from spectral_zarr.store.fsops import create_durable, make_directory
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record, to_json, write_record
from spectral_zarr.store.request import differences

JOIN_SECONDS = 60.0
"""Time that a part waits for another process to finish claiming the build."""

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Share:
    """How the work of a phase is shared.

    Attributes
    ----------
    of : int
        Number of parts, as the first of them said.
    batches : tuple of BatchFacts
        All batches, for the stage phase.
    """

    of: int
    batches: tuple[BatchFacts, ...] = ()


def write_share(paths: BuildPaths, phase: str, share: Share) -> None:
    """Record how a phase is shared, unless a part has done so before."""
    path = paths.share(phase)
    if not path.exists():
        create_durable(path, to_json(share))


def read_share(paths: BuildPaths, phase: str) -> Share | None:
    """How a phase is shared, None when no part of it has begun."""
    path = paths.share(phase)
    return read_record(path, Share) if path.exists() else None


def parts_claim(paths: BuildPaths) -> Claim:
    """The claim of a build in parts that has been begun.

    Raises
    ------
    PartsMissing
        When there is none.
    StagingBusy
        When one driver builds the store.
    """
    claim = current_claim(paths)
    if claim is None or claim.state == "new":
        raise PartsMissing("nothing is staged; begin with stage --part i/n", path=str(paths.target))
    if claim.state == "published":
        raise PartsMissing("the build is published; a new one begins with stage --part i/n", path=str(paths.target))
    if not claim.parts:
        raise StagingBusy(_ingest_words(paths, claim), path=str(paths.build))
    return claim


@contextmanager
def joined(paths: BuildPaths, wanted: Claim, name: str, *, begin: bool, replacing: bool = False) -> Iterator[Claim]:
    """Be at work as one part of a build during the block, which whoever wants the build for itself can see.

    Parameters
    ----------
    paths : BuildPaths
        Paths of the build.
    wanted : Claim
        Claim of this process, with the number of parts; its request must be that of the build.
    name : str
        Name of the part and its process.
    begin : bool
        Whether the build may begin with this part.
    replacing : bool
        Whether a build that begins may replace a store at the target.

    Raises
    ------
    ResumeRefused
        When the build was begun with another request; it says what differs.
    StagingBusy
        When one process has the build for itself.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    file = paths.parts / f"{name}.json"
    try:
        while True:
            claim = _join(paths, wanted, deadline, begin=begin, replacing=replacing)
            make_directory(paths.parts)
            write_record(file, wanted)
            if current_claim(paths) == claim:
                break
        yield claim
    finally:
        # It may not have been made yet, and what cannot be removed names a process that has ended.
        with suppress(OSError):
            calls().unlink(str(file))


def _join(paths: BuildPaths, wanted: Claim, deadline: float, *, begin: bool, replacing: bool) -> Claim:
    while True:
        current = current_claim(paths)
        if current is not None and current.active:
            _wait(paths, current, deadline)
            continue
        started = current is not None and current.state in ("building", "stopped")
        if not started and not begin:
            parts_claim(paths)
        if started and current is not None:
            _require_same(paths, current, wanted)
            if current.shared and current.state == "building":
                return current
        try:
            shared = replace(wanted, shared=True)
            claim = take_claim(paths, shared, resume=started, replacing=started or replacing)
        except StagingBusy:
            latest = current_claim(paths)
            if latest is None or (latest.host, latest.pid, latest.birth) == (wanted.host, wanted.pid, wanted.birth):
                raise
            _wait(paths, latest, deadline)
            continue
        if claim.state == "published":
            record(paths, claim)
            raise TargetExists("the build was published already", path=str(paths.target))
        return claim


def _wait(paths: BuildPaths, claim: Claim, deadline: float) -> None:
    # Claiming takes a moment; a driver, a plan or a publication may take hours.
    if not (claim.claiming or claim.shared) or time.monotonic() > deadline:
        message = f"{at_work(paths, claim) or claim.owner} has this build for itself; wait for it"
        raise StagingBusy(message, path=str(paths.build))
    time.sleep(POLL_SECONDS)


def _require_same(paths: BuildPaths, claim: Claim, wanted: Claim) -> None:
    if not claim.parts:
        raise StagingBusy(_ingest_words(paths, claim), path=str(paths.build))
    found = differences(claim.request, wanted.request)
    if found:
        message = f"the other parts differ: {'; '.join(found)}. Run it like them, or give the build up with abort"
        raise ResumeRefused(message, path=str(paths.build))


def _ingest_words(paths: BuildPaths, claim: Claim) -> str:
    if who := at_work(paths, claim):
        return f"{who} is building this store; wait for it"
    return f"an interrupted build by {claim.owner} lies here; continue with ingest --resume, or give it up with abort"


def require_standing(paths: BuildPaths, claim: Claim) -> None:
    """Make sure that a build which this process has joined is still the one that it was.

    Raises
    ------
    StagingBusy
        When it was given up or taken over, which happens to those who were thought to be dead.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    while True:
        current = current_claim(paths)
        if current is None or not current.parts or current.request != claim.request:
            raise StagingBusy("the build was given up, or taken over, while this part ran", path=str(paths.build))
        if not current.active:
            return
        # Whoever wants the build for itself is about to see this part, and to let the build go.
        _wait(paths, current, deadline)

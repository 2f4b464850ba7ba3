"""The claim on a target: who builds it and from what, whether that owner still lives, and who takes over."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from spectral_zarr.errors import DamagedBuild, EnvironmentFault, ResumeRefused, StagingBusy, TargetExists
from spectral_zarr.store.calls import Step, calls, reached
from spectral_zarr.store.fsops import (
    create_durable,
    make_directory,
    remove_aside,
    remove_leftovers,
    sync_directory,
    translated,
)
from spectral_zarr.store.identity import is_store
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.publication import remove_partial_files, retire_old, settle, was_published
from spectral_zarr.store.records import read_record, to_json, write_record
from spectral_zarr.store.request import RequestFacts, differences
from spectral_zarr.store.strangers import refuse_strangers

JobLives = Callable[[str, int], bool | None]
"""Whether a job of the batch system still runs under a restart count; None when that cannot be found out."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Owner of a build.

    Attributes
    ----------
    host, pid, birth : str, int, str
        The driver: its host, its process and when that began, so that a reused pid is not taken for the owner.
    request : RequestFacts
        The sources, the configuration and the version.
    state : {'new', 'building', 'stopped', 'published'}
        Last word of the owner.
    claiming : bool
        Whether the owner is still finding out what its predecessor left.
    attempt : int
        Counts the owners of the build directory.
    parts : int
        Number of parts in which the sources are staged; 0 when one driver does all.
    shared : bool
        Whether parts work under the claim, each for itself; then the owner only made it.
    job, restarts : str, int
        The job of the batch system that the process runs in, '' for none, and how often it was requeued.
    """

    host: str
    pid: int
    birth: str
    request: RequestFacts
    state: Literal["new", "building", "stopped", "published"] = "new"
    claiming: bool = False
    attempt: int = 1
    parts: int = 0
    shared: bool = False
    job: str = ""
    restarts: int = 0

    @property
    def owner(self) -> str:
        """The owner in words."""
        return f"process {self.pid} on {self.host}{f', job {self.job}' if self.job else ''}"

    @property
    def active(self) -> bool:
        """Whether the owner is at work."""
        return (self.claiming or (self.state == "building" and not self.shared)) and owner_lives(self)


def own_claim(request: RequestFacts, job: str = "", restarts: int = 0) -> Claim:
    """The claim of this process."""
    return Claim(socket.gethostname(), os.getpid(), _birth(os.getpid()), request, job=job, restarts=restarts)


def current_claim(paths: BuildPaths) -> Claim | None:
    """The claim that counts, None when nothing was built."""
    if not paths.claims.is_dir():
        return None
    attempts = [path for path in paths.claims.iterdir() if path.suffix == ".json"]
    return read_record(max(attempts), Claim) if attempts else None


def at_work(paths: BuildPaths, claim: Claim) -> str:
    """Who is at work under a claim, in words: its owner, or one of the parts that have joined; '' for nobody."""
    if claim.active:
        return claim.owner
    for path in sorted(paths.parts.glob("*.json")):
        try:
            part = read_record(path, Claim)
        except DamagedBuild:
            if path.exists():
                raise
            continue
        if owner_lives(part):
            words = path.stem.partition(".")[0].replace("-", " ")
            if part.host != socket.gethostname():
                words += f"; when it has certainly ended, remove {path}"
            return f"{part.owner} ({words})"
    return ""


def take_claim(paths: BuildPaths, wanted: Claim, *, resume: bool, replacing: bool = False) -> Claim:
    """Claim the target, or take an interrupted build over.

    Returns
    -------
    Claim
        To be written again whenever its state changes. Its state is ``published`` when the interrupted build had
        renamed its store already, so that nothing is left to do.

    Raises
    ------
    TargetExists
        When the store exists, or what is there is no store that could be replaced.
    StagingBusy
        When another build holds the target, or an interrupted one lies there and `resume` is not set or does not fit.
    """
    refuse_start(paths, wanted, resume=resume, replacing=replacing)
    held = acquire(paths, wanted)
    try:
        claim = _begin(paths, held, wanted, resume=resume, replacing=replacing)
    except BaseException:
        release(paths, held)
        raise
    record(paths, claim)
    reached(Step.CLAIMED)
    return claim


def refuse_start(paths: BuildPaths, wanted: Claim, *, resume: bool, replacing: bool) -> None:
    """Refuse a build that could not begin, as `take_claim` would; nothing is changed.

    Raises
    ------
    SpectralZarrError
        Those of `take_claim`.
    """
    refuse_strangers(paths)
    previous = current_claim(paths)
    if previous is None:
        _refuse_target(paths, replacing=replacing)
        if os.path.lexists(paths.tmp):
            message = "it was not made by this tool, or its build directory is gone; remove it by hand"
            raise StagingBusy(message, path=str(paths.tmp))
        return
    if who := at_work(paths, previous):
        raise StagingBusy(f"{who} is building this store; wait for it", path=str(paths.tmp))
    if was_published(paths):
        if resume and not differences(previous.request, wanted.request):
            return
        _refuse_target(paths, replacing=replacing)
    else:
        _refuse_state(paths, previous, wanted, resume=resume, replacing=replacing)


def record(paths: BuildPaths, claim: Claim) -> None:
    """Write the state of a claim that is held."""
    write_record(paths.claim(claim.attempt), claim)
    sync_directory(paths.claims)


def release(paths: BuildPaths, claim: Claim) -> None:
    """Let a claim go; a build that was under way has stopped."""
    record(paths, replace(claim, claiming=False, state="stopped" if claim.state == "building" else claim.state))


def acquire(paths: BuildPaths, wanted: Claim) -> Claim:
    """Become the owner of the build directory; of several processes that try, one succeeds."""
    for directory in (paths.build, paths.claims):
        make_directory(directory)
    previous = current_claim(paths)
    if previous is not None and (who := at_work(paths, previous)):
        raise StagingBusy(f"{who} is building this store; wait for it", path=str(paths.tmp))
    held = replace(wanted, claiming=True)
    if previous is not None:
        attempt = previous.attempt + 1
        held = replace(held, request=previous.request, state=previous.state, parts=previous.parts, attempt=attempt)
    file = paths.claim(held.attempt)
    try:
        made = create_durable(file, to_json(held))
    except EnvironmentFault as error:
        # Whoever has won removes the partial files of those that lose, or gives the build up.
        if not paths.claims.is_dir():
            message = "another process has just given this build up; run the same command again"
            raise StagingBusy(message, path=str(paths.tmp)) from error
        if not file.exists():
            raise
        made = read_record(file, Claim) == held
    if not made:
        raise StagingBusy("another process has just taken this build", path=str(paths.tmp))
    if previous is not None and (who := at_work(paths, replace(previous, shared=True))):
        # A part joins and then looks whether the claim still stands; one of the two notices the other.
        release(paths, held)
        raise StagingBusy(f"{who} is building this store; wait for it", path=str(paths.tmp))
    return held


def _refuse_target(paths: BuildPaths, *, replacing: bool) -> None:
    if not os.path.lexists(paths.target):
        return
    if not replacing:
        message = "the store exists already; replace it with --replace, or choose another name"
        raise TargetExists(message, path=str(paths.target))
    if not is_store(paths.target):
        raise TargetExists("it is no Zarr store; --replace does not touch anything else", path=str(paths.target))


def _begin(paths: BuildPaths, held: Claim, wanted: Claim, *, resume: bool, replacing: bool) -> Claim:
    settled = settle(paths)
    if settled:
        retire_old(paths)
        _clear_remains(paths)
        held = replace(held, state="published")
        record(paths, held)
        if resume and not differences(held.request, wanted.request):
            return replace(held, claiming=False)
    _refuse_state(paths, held, wanted, resume=resume, replacing=replacing)
    if held.state not in ("building", "stopped"):
        _put_records_aside(paths)
    _clear_remains(paths)
    if not paths.tmp.exists():
        # Receipts of a store that was deleted prove nothing; with them, an empty one would pass for filled.
        remove_aside(paths.receipts)
    for directory in (paths.staged, paths.receipts, paths.tmp):
        make_directory(directory)
    _refuse_other_disks(paths)
    sync_directory(paths.build)
    sync_directory(paths.target.parent)
    return replace(wanted, attempt=held.attempt, state="building", claiming=False)


def _refuse_state(paths: BuildPaths, held: Claim, wanted: Claim, *, resume: bool, replacing: bool) -> None:
    """Refuse what the last owner left, unless the build begins anew there or goes on."""
    _refuse_target(paths, replacing=replacing)
    if held.state in ("building", "stopped"):
        if not resume:
            message = (
                f"a build in {held.parts} parts lies here; go on with stage, plan, fill and finalise, take it over "
                "with ingest --resume, or give it up with abort"
                if held.parts
                else "an interrupted build lies here; continue with --resume, or give it up with abort"
            )
            raise StagingBusy(message, path=str(paths.build))
        _refuse_other(paths, held, wanted)
    elif paths.tmp.is_symlink() or (paths.tmp.exists() and any(paths.tmp.iterdir())):
        raise StagingBusy("it was not made by this tool; remove it by hand", path=str(paths.tmp))


def _refuse_other_disks(paths: BuildPaths) -> None:
    """Only within one file system does a rename publish a store; better said now than after hours of work."""
    disk = paths.target.parent.stat().st_dev
    for path in (paths.tmp, paths.build, paths.target):
        if os.path.lexists(path) and path.lstat().st_dev != disk:
            message = f"it is on another file system than {paths.target.parent}, so that no rename reaches it; move it"
            raise EnvironmentFault(message, path=str(path))


def _clear_remains(paths: BuildPaths) -> None:
    """Remove what killed writers and removals left."""
    for path in (paths.tmp, paths.receipts, paths.staged, paths.build, paths.target):
        remove_leftovers(path)
    remove_partial_files(paths.build, but=paths.staged)


def _refuse_other(paths: BuildPaths, held: Claim, wanted: Claim) -> None:
    found = differences(held.request, wanted.request)
    if not paths.plan.exists():
        # Before there is a plan, every staged batch proves its own sources, so files may still be added or left out.
        found = [text for text in found if text.startswith("version")]
    if found:
        message = f"the interrupted build differs: {'; '.join(found)}. Give it up with abort, or run it as it was"
        raise ResumeRefused(message, path=str(paths.build))


def _put_records_aside(paths: BuildPaths) -> None:
    """Keep the records of a store that stays until it is replaced; those of one that is gone are removed."""
    kept = paths.old_build / paths.plan.name
    if paths.plan.exists() and kept.exists():
        remove_aside(paths.old_build, paths.target)
    moved = [path for path in paths.build.iterdir() if path != paths.claims]
    if moved and paths.build.stat().st_dev != paths.target.parent.stat().st_dev:
        message = "the link leads to another file system and holds the records of the last build; remove them first"
        raise StagingBusy(message, path=str(paths.build))
    if moved:
        make_directory(paths.old_build)
    # The plan goes last, so that a second attempt knows that the first one has not come to its end.
    for path in sorted(moved, key=lambda path: path == paths.plan):
        if (paths.old_build / path.name).is_dir():
            # The first attempt had come to making the directories of the new build.
            remove_aside(path)
            continue
        with translated(path):
            calls().rename(str(path), str(paths.old_build / path.name))
    if moved:
        # Before the claim says that another plan is being built, the old one must be out of its way for good.
        sync_directory(paths.old_build)
    if not os.path.lexists(paths.target):
        remove_aside(paths.old_build, paths.target)


def _nobody_knows(job: str, restarts: int) -> bool | None:
    return None


_job_lives: JobLives = _nobody_knows


def ask_about_jobs(job_lives: JobLives) -> None:
    """Tell whom to ask about the job of an owner on another host; until then, nobody knows."""
    global _job_lives
    _job_lives = job_lives


def owner_lives(claim: Claim) -> bool:
    """Whether the owner may still run; one on another host is presumed alive, unless its job is known to be gone."""
    if claim.host != socket.gethostname():
        return not claim.job or _job_lives(claim.job, claim.restarts) is not False
    return claim.pid != os.getpid() and _birth(claim.pid) == claim.birth


def _birth(pid: int) -> str:
    """When a process began, on a clock that nobody can set, '' when it has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return "" if status[0] in "ZX" else f"{boot}/{status[19]}"


def clear_staging(paths: BuildPaths) -> None:
    """Remove the staged files of a published build; plan, receipts and rejections stay."""
    remove_aside(paths.staged)

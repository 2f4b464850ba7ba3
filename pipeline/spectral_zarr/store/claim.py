"""The claim on a target: who builds it and from what, and whether that owner still lives."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from typing import Literal

import psutil

from spectral_zarr.errors import StagingBusy, TargetExists
from spectral_zarr.store.fsops import create_exclusive, remove_aside, remove_leftovers, sync_directory, translated
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record, write_record


@dataclass(frozen=True, slots=True)
class Claim:
    """Owner of a build.

    Attributes
    ----------
    host, pid, started : str, int, float
        The driver: its host, its process and when that began, so that a reused pid is not taken for the owner.
    request_sha256 : str
        Digest of the sources and the configuration.
    version : str
        Version of the package.
    state : {'building', 'stopped', 'published'}
        Last word of the owner.
    """

    host: str
    pid: int
    started: float
    request_sha256: str
    version: str
    state: Literal["building", "stopped", "published"] = "building"


def own_claim(request_sha256: str, version: str) -> Claim:
    """The claim of this process."""
    process = psutil.Process()
    return Claim(socket.gethostname(), process.pid, process.create_time(), request_sha256, version)


def take_claim(paths: BuildPaths, claim: Claim, *, resume: bool) -> None:
    """Claim the target, or take an interrupted build over.

    Raises
    ------
    TargetExists
        When the store exists.
    StagingBusy
        When another build holds the target, or an interrupted one lies there and `resume` is not set or does not fit.
    """
    if paths.target.exists() or paths.target.is_symlink():
        message = "the store exists already; remove it, or choose another name"
        raise TargetExists(message, path=str(paths.target))
    interrupted = paths.claim.exists()
    if interrupted:
        previous = read_record(paths.claim, Claim)
        if previous.state == "published" and not paths.tmp.exists():
            remove_aside(paths.build)
            interrupted = False
        else:
            _refuse_unfit(paths, previous, claim, resume=resume)
    elif paths.tmp.exists():
        message = "it was not made by this tool, or its build directory is gone; remove it by hand"
        raise StagingBusy(message, path=str(paths.tmp))
    if not paths.tmp.exists():
        if interrupted:
            # Receipts of a store that was deleted prove nothing; with them, an empty one would pass for filled.
            remove_aside(paths.receipts)
        create_exclusive(paths.tmp)
        for path in (paths.tmp, paths.receipts):
            remove_leftovers(path)
    with translated(paths.build):
        for directory in (paths.build, paths.staged, paths.receipts):
            directory.mkdir(exist_ok=True)
    write_record(paths.claim, claim)
    sync_directory(paths.build)


def _refuse_unfit(paths: BuildPaths, previous: Claim, claim: Claim, *, resume: bool) -> None:
    owner = f"process {previous.pid} on {previous.host}"
    if previous.state == "building" and owner_lives(previous):
        raise StagingBusy(f"{owner} is building this store; wait for it", path=str(paths.tmp))
    if not resume:
        message = f"an interrupted build by {owner} lies here; continue with --resume, or give it up with abort"
        raise StagingBusy(message, path=str(paths.build))
    # Before there is a plan, every staged batch proves its own sources, so files may still be added or left out.
    planned_otherwise = paths.plan.exists() and previous.request_sha256 != claim.request_sha256
    if planned_otherwise or previous.version != claim.version:
        message = "the interrupted build had other sources, configuration or version; give it up with abort"
        raise StagingBusy(message, path=str(paths.build))


def owner_lives(claim: Claim) -> bool:
    """Whether the owner may still run; an owner on another host is presumed alive."""
    if claim.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(claim.pid)
        same = abs(process.create_time() - claim.started) < 1.0
        return bool(same and process.status() != psutil.STATUS_ZOMBIE and claim.pid != os.getpid())
    except psutil.Error:
        return False


def abort_build(paths: BuildPaths) -> bool:
    """Give an interrupted build up: remove the store in the making and the build directory.

    Returns
    -------
    bool
        Whether there was anything to remove; a published store is never touched.

    Raises
    ------
    StagingBusy
        When its owner lives, or the directory was not made by this tool.
    """
    if not paths.claim.exists():
        if paths.tmp.exists():
            raise StagingBusy("it was not made by this tool; remove it by hand", path=str(paths.tmp))
        return False
    claim = read_record(paths.claim, Claim)
    if claim.state == "published" and not paths.tmp.exists():
        return False
    if claim.state == "building" and owner_lives(claim):
        message = f"process {claim.pid} on {claim.host} is building this store; stop it first"
        raise StagingBusy(message, path=str(paths.tmp))
    for path in (paths.tmp, paths.build):
        remove_leftovers(path)
        remove_aside(path)
    return True


def clear_staging(paths: BuildPaths) -> None:
    """Remove the staged files of a published build; plan, receipts and rejections stay."""
    with translated(paths.staged):
        shutil.rmtree(paths.staged, ignore_errors=False)

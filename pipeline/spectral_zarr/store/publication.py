"""Publishing a store: an intent on disk, one rename or exchange, and a look at what is there, which alone decides."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spectral_zarr.errors import DamagedBuild, PublishUncertain, SpectralZarrError, TargetExists
from spectral_zarr.store.calls import Step, calls, reached
from spectral_zarr.store.fsops import remove_aside, rename_new, sync_directory, translated
from spectral_zarr.store.identity import Identity, identity, is_store
from spectral_zarr.store.paths import PARTIAL, PIXELS, BuildPaths
from spectral_zarr.store.records import read_record, write_record


@dataclass(frozen=True, slots=True)
class Intent:
    """What a publication is about to do.

    Attributes
    ----------
    mode : {'rename', 'exchange', 'aside'}
        Nothing is replaced; both stores exchange their names; or the old store is renamed before the new one, so
        that for an instant there is none.
    new, old : Identity
        The store in the making, and the one that it replaces.
    aside : str
        Name that the old store gets.
    """

    mode: Literal["rename", "exchange", "aside"]
    new: Identity
    old: Identity | None
    aside: str


def publish(paths: BuildPaths, build_id: str, *, replace: bool, exchange: bool) -> Intent:
    """Give a durable store its final name.

    Parameters
    ----------
    paths : BuildPaths
        Paths of the build.
    build_id : str
        Digest of the plan.
    replace : bool
        Whether a store at the target is replaced.
    exchange : bool
        Whether the file system exchanges names.

    Returns
    -------
    Intent
        For `retire_old`.

    Raises
    ------
    TargetExists
        When something appeared at the target; the store in the making is kept.
    PublishUncertain
        When the file system reports success and has done nothing.
    EnvironmentFault
        When it failed; the old store, if any, is at its place again.
    """
    new = identity(paths.tmp)
    if new is None or new.build_id != build_id:
        raise DamagedBuild("the store to be published is not the one that was built", path=str(paths.tmp))
    old = identity(paths.target)
    if old is not None and not (replace and is_store(paths.target)):
        raise TargetExists("something was put there meanwhile; move it away, then use --resume", path=str(paths.target))
    mode: Literal["rename", "exchange", "aside"] = "rename" if old is None else "exchange" if exchange else "aside"
    intent = Intent(mode, new, old, f"{paths.target.name}.old-{uuid.uuid4().hex[:8]}")
    write_record(paths.intent, intent)
    sync_directory(paths.build)
    reached(Step.INTENT_WRITTEN)
    failure = _move(paths, intent)
    # The reply to a rename may be lost, or wrong: what is there decides.
    if identity(paths.target) != new:
        settle(paths)
        raise failure or PublishUncertain("renamed without effect; use --resume", path=str(paths.target))
    reached(Step.RENAMED)
    sync_directory(paths.target.parent)
    reached(Step.PARENT_SYNCED)
    return intent


def _move(paths: BuildPaths, intent: Intent) -> SpectralZarrError | None:
    try:
        if intent.mode == "exchange":
            with translated(paths.target):
                calls().exchange(str(paths.tmp), str(paths.target))
            return None
        if intent.mode == "aside":
            _rename(paths.target, paths.target.with_name(intent.aside), intent.old)
            reached(Step.OLD_MOVED)
        rename_new(paths.tmp, paths.target)
    except SpectralZarrError as error:
        return error
    return None


def _rename(source: Path, target: Path, moved: Identity | None) -> None:
    with translated(source):
        try:
            calls().rename(str(source), str(target))
        except OSError:
            if identity(target) != moved:
                raise


def was_published(paths: BuildPaths) -> bool:
    """Whether a publication that was interrupted had come to its rename; changes nothing."""
    try:
        return paths.intent.exists() and identity(paths.target) == read_record(paths.intent, Intent).new
    except DamagedBuild:
        # Its owner has removed it meanwhile.
        if paths.intent.exists():
            raise
        return True


def settle(paths: BuildPaths) -> bool:
    """Finish or undo a publication that was interrupted; whether its store is published.

    Only the owner of the claim may call this.
    """
    if not paths.intent.exists():
        return False
    intent = read_record(paths.intent, Intent)
    if identity(paths.target) == intent.new:
        sync_directory(paths.target.parent)
        return True
    aside = paths.target.with_name(intent.aside)
    if intent.old is not None and identity(aside) == intent.old and not os.path.lexists(paths.target):
        _rename(aside, paths.target, intent.old)
        sync_directory(paths.target.parent)
    return False


def retire_old(paths: BuildPaths) -> None:
    """Remove the store that a publication has replaced and the records of its build."""
    if not paths.intent.exists():
        return
    intent = read_record(paths.intent, Intent)
    aside = paths.target.with_name(intent.aside)
    if intent.mode == "exchange" and intent.old is not None and identity(paths.tmp) == intent.old:
        _rename(paths.tmp, aside, intent.old)
        sync_directory(paths.target.parent)
        reached(Step.OLD_MOVED)
    # A removal that was interrupted has taken the root documents, and with them the identity.
    if os.path.lexists(aside):
        remove_aside(aside, paths.target)
    remove_aside(paths.old_build, paths.target)
    if intent.old is not None:
        # Without the intent nobody would know what is still to be removed.
        sync_directory(paths.target.parent)
    reached(Step.OLD_REMOVED)
    with translated(paths.intent):
        calls().unlink(str(paths.intent))


def remove_partial_files(root: Path, *, but: Path | None = None) -> None:
    """Remove what a killed writer was writing, except the staged pixels in `but`, which say in which batch it died."""
    for partial in root.rglob(f"*.{'[0-9a-f]' * 32}{PARTIAL}"):
        if partial.parent == but and PIXELS in partial.name:
            continue
        with translated(partial), suppress(FileNotFoundError):
            calls().unlink(str(partial))

"""Giving an interrupted build up."""

from __future__ import annotations

import os
from dataclasses import replace

from spectral_zarr.errors import StagingBusy
from spectral_zarr.store.calls import calls
from spectral_zarr.store.claim import Claim, acquire, at_work, current_claim, release
from spectral_zarr.store.fsops import make_directory, remove_aside, remove_leftovers, translated
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.publication import retire_old, settle
from spectral_zarr.store.strangers import refuse_strangers


def abort_build(paths: BuildPaths, wanted: Claim) -> bool:
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
    refuse_strangers(paths)
    previous = current_claim(paths)
    if previous is None:
        if os.path.lexists(paths.tmp):
            raise StagingBusy("it was not made by this tool; remove it by hand", path=str(paths.tmp))
        return False
    if who := at_work(paths, previous):
        raise StagingBusy(f"{who} is building this store; stop it first", path=str(paths.tmp))
    held = acquire(paths, wanted)
    published = settle(paths) or held.state == "published"
    if published:
        retire_old(paths)
        release(paths, replace(held, state="published"))
        return False
    for path in (paths.tmp, paths.build):
        remove_leftovers(path)
    remove_aside(paths.tmp)
    if paths.build.is_symlink():
        _empty(paths)
    else:
        remove_aside(paths.build)
        if paths.old_build.exists():
            with translated(paths.old_build):
                calls().rename(str(paths.old_build), str(paths.build))
    return True


def _empty(paths: BuildPaths) -> None:
    """Give up what lies in a directory to which people made a link; both stay, with the records that were put aside."""
    # The claims go last, so that what is left of an abort that was killed is still known as a build.
    for path in sorted(paths.build.iterdir(), key=lambda path: path == paths.claims):
        if path.is_dir():
            remove_aside(path)
        else:
            with translated(path):
                calls().unlink(str(path))
    if paths.old_build.exists():
        make_directory(paths.claims)
        for path in paths.old_build.iterdir():
            with translated(path):
                calls().rename(str(path), str(paths.build / path.name))
        remove_aside(paths.old_build)

"""What lies beside a target and was not made by this tool, which is neither entered nor removed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from spectral_zarr.errors import StagingBusy
from spectral_zarr.store.paths import BuildPaths

_LEFT = r"(\.trash-[0-9a-f]{8}|(\.[0-9a-f]{32}\.partial)+)?"
"""What a killed removal or a killed writer adds to a name."""

_LEAVINGS = re.compile(f"{_LEFT}\\Z")
_CLAIM = re.compile(rf"\d{{6}}\.json{_LEFT}")


def refuse_strangers(paths: BuildPaths) -> None:
    """Refuse a build directory, or records of a store to be replaced, with anything that no build makes.

    A link to a directory is followed when that directory is empty or holds the records of a build.

    Raises
    ------
    StagingBusy
        With the name of the first entry that this tool did not make.
    """
    for directory in (paths.build, paths.old_build):
        try:
            found = _stranger(directory, paths.records, claimed=directory == paths.build)
        except FileNotFoundError:
            if not os.path.lexists(directory):
                continue
            found = "."
        except NotADirectoryError:
            found = "."
        if found == ".":
            raise StagingBusy("it was not made by this tool; remove it by hand", path=str(directory))
        if found:
            message = f"{found} in it was not made by this tool; move it away, or choose another name for the store"
            raise StagingBusy(message, path=str(directory))


def _stranger(directory: Path, records: frozenset[str], *, claimed: bool) -> str:
    """Name of the first entry that no build makes, '' when there is none."""
    names = sorted(path.name for path in directory.iterdir())
    for name in names:
        if _LEAVINGS.sub("", name, count=1) not in records:
            return name
    # Claims are made before everything but the directory of a launch; an abort brings records back without them.
    if not claimed or names in ([], ["run"]) or "plan.json" in names:
        return ""
    claims = directory / "claims"
    if not claims.is_dir() or claims.is_symlink():
        return names[0]
    return next((f"claims/{path.name}" for path in claims.iterdir() if not _CLAIM.fullmatch(path.name)), "")

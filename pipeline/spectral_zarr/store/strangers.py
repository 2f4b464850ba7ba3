"""What lies beside a target and was not made by this tool, which is neither entered nor removed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from spectral_zarr.errors import SpectralZarrError, StagingBusy
from spectral_zarr.model import BuildPlan
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import read_record

_LEAVINGS = re.compile(r"(\.trash-[0-9a-f]{8}|(\.[0-9a-f]{32}\.partial)+)?\Z")
"""What a killed removal or a killed writer adds to a name."""

_INSIDE = {
    "claims": re.compile(r"\d{6,}\.json"),
    "staged": re.compile(r"\d{6,}\.(pixels\.arrow|columns\.arrow|receipt\.json)|catalog\.arrow"),
    "receipts": re.compile(r"(block-\d{6,}|columns)\.json"),
    "parts": re.compile(r"[^.].*\.json"),
    "log": re.compile(r"[^.].*\.jsonl"),
}
"""Names of files in the directories of a build; a launch keeps logs of any name in ``run``."""


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
        record = _made_name(name)
        if record not in records or (record in _INSIDE and (directory / name).is_symlink()):
            return name
        made = _INSIDE.get(record)
        if made is not None and (directory / name).is_dir():
            for path in (directory / name).iterdir():
                if not made.fullmatch(_made_name(path.name)):
                    return f"{name}/{path.name}"
    # Claims are made before everything but the directory of a launch; an abort brings records back without them.
    if claimed and names not in ([], ["run"]) and "claims" not in names and not _is_plan(directory / "plan.json"):
        return names[0]
    return ""


def _made_name(name: str) -> str:
    return _LEAVINGS.sub("", name, count=1)


def _is_plan(path: Path) -> bool:
    try:
        read_record(path, BuildPlan)
    except SpectralZarrError:
        return False
    return True

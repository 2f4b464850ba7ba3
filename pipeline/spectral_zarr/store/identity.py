"""Which store a directory is: its inode and the build that its root attributes name, read without zarr-python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from spectral_zarr.store.fsops import ROOT_DOCUMENTS


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity of a store.

    Attributes
    ----------
    inode : int
        Inode of its directory, which a rename keeps and every machine of a cluster sees alike.
    build_id : str
        Digest of the plan it was built from, '' for stores of other writers.
    """

    inode: int
    build_id: str


def identity(store: Path) -> Identity | None:
    """Identity of the directory of a store, None when there is none."""
    try:
        inode = store.lstat().st_ino
    except FileNotFoundError:
        return None
    return Identity(inode, build_id(store))


def build_id(store: Path) -> str:
    """The root attribute ``plan_sha256``, '' when it is absent or the document cannot be read."""
    for name in ("zarr.json", ".zattrs"):
        try:
            document = msgspec.json.decode((store / name).read_bytes())
        except (OSError, msgspec.DecodeError):
            continue
        attributes = document.get("attributes", document) if isinstance(document, dict) else {}
        found = attributes.get("plan_sha256", "") if isinstance(attributes, dict) else ""
        return found if isinstance(found, str) else ""
    return ""


def is_store(path: Path) -> bool:
    """Whether a directory, not a link to one, has the root documents of a Zarr store."""
    return not path.is_symlink() and any((path / name).is_file() for name in ROOT_DOCUMENTS)

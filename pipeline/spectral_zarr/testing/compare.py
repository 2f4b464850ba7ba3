"""Comparing stores byte by byte."""

from __future__ import annotations

import hashlib
from pathlib import Path


def store_files(store: Path) -> dict[str, bytes]:
    """SHA-256 of every file below a store by relative path."""
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


def store_digest(store: Path) -> str:
    """One digest over the names and bytes of all files of a store."""
    digest = hashlib.sha256()
    for name, content in store_files(store).items():
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + content)
    return digest.hexdigest()


def differing_files(one: Path, other: Path) -> list[str]:
    """Relative paths that are in one store only or have other bytes."""
    first, second = store_files(one), store_files(other)
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))

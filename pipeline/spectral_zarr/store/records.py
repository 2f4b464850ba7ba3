"""Plans, receipts and claims as canonical JSON, and their digests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from spectral_zarr.errors import DamagedBuild
from spectral_zarr.model import BuildPlan
from spectral_zarr.store.fsops import write_durable

T = TypeVar("T")


def to_json(value: object) -> bytes:
    """Canonical JSON of a frozen value: the same value gives the same bytes."""
    return msgspec.json.encode(value, order="deterministic")


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(to_json(value)).hexdigest()


def write_record(path: Path, value: object) -> None:
    """Write a value durably."""
    write_durable(path, to_json(value))


def read_record(path: Path, kind: type[T]) -> T:
    """Read a value back.

    Raises
    ------
    DamagedBuild
        When the file is absent, cut short or of another version.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise DamagedBuild(f"a record of the build cannot be read: {error}; start anew", path=str(path)) from error


def write_json(path: Path, value: Any) -> None:
    """Write plain JSON with indentation, for people."""
    write_durable(path, msgspec.json.format(to_json(value), indent=2) + b"\n")


def freeze_plan(plan: BuildPlan) -> BuildPlan:
    """The plan with its own digest filled in."""
    return replace(plan, sha256=digest(replace(plan, sha256="")))

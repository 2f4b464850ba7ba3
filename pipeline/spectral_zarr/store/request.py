"""What a build was asked to do, in few words, so that a resumed one can say what differs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from spectral_zarr.model import SourceFile
from spectral_zarr.store.records import to_json


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The request of a build.

    Attributes
    ----------
    sources_sha256 : str
        Digest of the names and sizes of all source files.
    n_sources, source_bytes : int
        Their number and size.
    config : str
        The whole configuration as JSON.
    version : str
        Version of the package.
    """

    sources_sha256: str
    n_sources: int
    source_bytes: int
    config: str
    version: str


def request_facts(files: Iterable[SourceFile], config: object, version: str) -> RequestFacts:
    """Facts of a request; times of files play no part."""
    names = hashlib.sha256()
    number = nbytes = 0
    for file in files:
        for one in (file, *file.companions):
            names.update(to_json((one.name, one.size)))
            number += 1
            nbytes += one.size
    return RequestFacts(names.hexdigest(), number, nbytes, to_json(config).decode(), version)


def differences(before: RequestFacts, now: RequestFacts) -> list[str]:
    """What differs between two requests, in words; nothing when they are the same."""
    found = []
    if before.version != now.version:
        found.append(f"version {before.version} before, {now.version} now")
    if before.sources_sha256 != now.sources_sha256:
        found.append(
            f"sources: {before.n_sources} files of {before.source_bytes} bytes before, "
            f"{now.n_sources} files of {now.source_bytes} bytes now"
        )
    options = _differing(msgspec.json.decode(before.config), msgspec.json.decode(now.config))
    if options:
        found.append(f"configuration: {', '.join(options)}")
    return found


def _differing(before: Any, now: Any, prefix: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            text
            for key in sorted(before.keys() | now.keys())
            for text in _differing(before.get(key), now.get(key), f"{prefix}.{key}" if prefix else key)
        ]
    return [] if before == now else [f"{prefix} {before!r} before, {now!r} now"]

"""The log of a build: one JSON line per event, appended by the driver."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from spectral_zarr.store.fsops import append_line


class Journal:
    """Appends events to ``log.jsonl``; a full log disk must not fail a build, so errors are swallowed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **facts: Any) -> None:
        """Append one event with its time."""
        line = msgspec.json.encode({"time": round(time.time(), 3), "event": event, **facts}) + b"\n"
        try:
            append_line(self._path, line)
        except OSError:
            return

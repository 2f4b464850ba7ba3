"""The log of a build: one JSON line per event, appended by the driver."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec


class Journal:
    """Appends events to ``log.jsonl``; a full log disk must not fail a build, so errors are swallowed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **facts: Any) -> None:
        """Append one event with its time."""
        line = msgspec.json.encode({"time": round(time.time(), 3), "event": event, **facts}) + b"\n"
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError:
            return

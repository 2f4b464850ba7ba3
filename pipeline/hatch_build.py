"""Build hook that bakes the git commit of the sources into the wheel, for the provenance of every store."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface[Any]):
    """Write ``spectral_zarr/_commit.txt`` into the wheel when the sources are a git checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return

        def git(*arguments: str) -> str:
            command = ["git", "-C", self.root, *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

        try:
            if Path(git("rev-parse", "--show-toplevel")).resolve() != Path(self.root).resolve():
                return
            commit = git("rev-parse", "HEAD")
            if git("status", "--porcelain", "--untracked-files=no"):
                commit += "-dirty"
        except (OSError, subprocess.CalledProcessError):
            return
        baked = Path(tempfile.mkdtemp(prefix="spectral-zarr-build-")) / "_commit.txt"
        baked.write_text(commit + "\n")
        build_data["force_include"][str(baked)] = "spectral_zarr/_commit.txt"

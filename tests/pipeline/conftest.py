"""Sample directories and builds for the tests of whole ingests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spectral_zarr import Config, IngestRequest, Outcome, SerialExecutor, Tolerance, ingest
from spectral_zarr.testing import write_samples

from .matrix import _epoch, scene

__all__ = ["_epoch", "scene"]

Build = Callable[..., Outcome]


@pytest.fixture
def sdss_files(tmp_path: Path) -> Path:
    """Twelve SDSS-like files."""
    directory = tmp_path / "files"
    directory.mkdir()
    write_samples(directory, "sdss-spec", 12)
    return directory


@pytest.fixture
def build() -> Build:
    """An ingest with the serial executor."""

    def run(
        sources: Path, target: Path, *, max_rejected: str = "0", resume: bool = False, config: Config | None = None
    ) -> Outcome:
        request = IngestRequest(
            (str(sources),), str(target), config or Config(), Tolerance.parse(max_rejected), resume=resume
        )
        return ingest(request, SerialExecutor())

    return run

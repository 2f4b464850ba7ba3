"""Fixtures shared by all tests: the real survey files and a fixed clock for byte-identical stores."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REAL_FILES = Path(__file__).parents[1].parent / "shared" / "spectra"

settings.register_profile("suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# A shell that starts the suite in the background has SIGINT ignored, and every program that a test interrupts with it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_files() -> Path:
    """Directory of the real survey files."""
    if not REAL_FILES.is_dir():
        pytest.skip("the real survey files are not beside this checkout")
    return REAL_FILES


@pytest.fixture
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same created_at for every build."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

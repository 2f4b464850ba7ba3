"""Fixtures of the validation tests: one process that decodes chunks, and the good stores that are damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spectral_zarr import SerialExecutor, Verdict, validate

Judge = Callable[..., Verdict]


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    """`validate` in this thread, so that all stores share one child process."""
    executor = SerialExecutor()

    def run(store: Path, **question: object) -> Verdict:
        return validate(store, executor=executor, **question)

    return run

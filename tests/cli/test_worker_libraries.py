"""The command gives its own process what workers get, and leaves what the user has set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spectral_zarr.cluster.workers import WORKER_ENVIRONMENT

SHOWN = "from spectral_zarr.cluster.workers import become_worker as b; b(); import os, pyarrow as pa; print({})"


def shown(what: str, **variables: str) -> str:
    plain = {name: value for name, value in os.environ.items() if name not in WORKER_ENVIRONMENT}
    program = [sys.executable, "-c", SHOWN.format(what)]
    return subprocess.run(
        program, env={**plain, **variables}, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("name", sorted(WORKER_ENVIRONMENT))
def test_what_the_user_has_set_stays(name: str) -> None:
    value = "system" if name == "ARROW_DEFAULT_MEMORY_POOL" else "2000000"
    assert shown(f"os.environ['{name}']", **{name: value}) == value
    assert shown(f"os.environ['{name}']") == WORKER_ENVIRONMENT[name]


def test_arrow_takes_the_memory_of_the_c_library() -> None:
    assert shown("pa.default_memory_pool().backend_name") == "system"


def test_a_library_leaves_the_process_as_it_is() -> None:
    program = "import os, spectral_zarr.cluster.build; print(os.environ.get('OMP_NUM_THREADS'))"
    plain = {name: value for name, value in os.environ.items() if name not in WORKER_ENVIRONMENT}
    done = subprocess.run([sys.executable, "-c", program], env=plain, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"

"""What a process that does the work gets: a core, one thread of every library, and memory that it keeps."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = 256 << 20, 32 << 20
"""Bytes. Memory that goes back to the kernel is cleared before it comes again; older C libraries allow 32 MiB at most
for the second."""
_MALLOC_OPTIONS = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_MMAP_THRESHOLD_": -3}
"""Numbers of M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "BLOSC_NTHREADS": "1",
    "ARROW_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_TRIM_THRESHOLD_": str(_TRIM_THRESHOLD),
    "MALLOC_MMAP_THRESHOLD_": str(_MMAP_THRESHOLD),
}
"""One thread per worker: processes scale with the cores, threads of a codec would only compete with them."""


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def become_worker() -> None:
    """Give this process what workers get, before it imports the libraries; what the user has set stays."""
    missing = {name: value for name, value in WORKER_ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(missing)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    for name, option in _MALLOC_OPTIONS.items():
        # The C library has read the variables of the user when the process began.
        if mallopt is not None and name in missing:
            mallopt(option, int(missing[name]))

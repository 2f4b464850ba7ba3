"""What a process that does the work gets: a core, one thread of every library, and memory that it keeps."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = 256 << 20, 32 << 20
"""Bytes. Memory that goes back to the kernel is cleared before it comes again; older C libraries allow 32 MiB at most
for the second."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

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
    for name, value in WORKER_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # The C library has read its variables when the process began.
        mallopt(_M_TRIM_THRESHOLD, int(os.environ["MALLOC_TRIM_THRESHOLD_"]))
        mallopt(_M_MMAP_THRESHOLD, int(os.environ["MALLOC_MMAP_THRESHOLD_"]))

"""A Dask cluster of single-threaded processes on this machine, closed to everybody else on it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import dask

from spectral_zarr.cluster.dask import DaskExecutor
from spectral_zarr.cluster.workers import WORKER_ENVIRONMENT, available_cores

PATIENCE_SECONDS = 60.0
"""Time that workers on this machine may all be away."""

GIVEN_UP_SECONDS = 10.0
"""Time after which a worker that is away will not come back by itself."""

SETTINGS: dict[str, Any] = {
    "distributed.worker.daemon": True,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.scheduler.allowed-failures": 1,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.comm.require-encryption": True,
    "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
}


def settings() -> dict[str, Any]:
    """Configuration of Dask for workers that are nobody else's; a copy, because Dask appends to the lists in it."""
    return deepcopy(SETTINGS)


def local_executor(workers: int = 0, *, worker_memory: int = 0) -> DaskExecutor:
    """Start workers on this machine.

    Parameters
    ----------
    workers : int
        Number of worker processes; 0 for one per available core.
    worker_memory : int
        Bytes that a worker may use before it is ended; 0 for its share of the machine.

    Returns
    -------
    DaskExecutor

    Notes
    -----
    A scheduler port is remote code execution for whoever reaches it, so the connection is encrypted with
    certificates made for this run, and every socket is bound to the loopback interface.
    """
    dask.config.set(settings())
    from distributed import Client, LocalCluster
    from distributed.security import Security
    from distributed.system import MEMORY_LIMIT

    count = workers or available_cores()
    cluster: Any = LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=worker_memory or MEMORY_LIMIT // count,
        security=Security.temporary(),
        protocol="tls",
        # What matters comes as an exception; the rest is the noise of workers that are told to leave while they work.
        silence_logs=logging.CRITICAL,
    )
    return DaskExecutor(
        Client(cluster), cluster, workers=count, patience=PATIENCE_SECONDS, replace_lost=_replacement(cluster, count)
    )


def _replacement(cluster: Any, count: int) -> Callable[[], None]:
    """What starts a worker in the place of one that died while it started, which its supervisor gives up."""
    missing: dict[Any, float] = {}

    def replace_lost() -> None:
        present = {worker.name for worker in list(cluster.scheduler.workers.values())}
        now = time.monotonic()
        for name in list(cluster.worker_spec):
            if name in present:
                missing.pop(name, None)
            elif now - missing.setdefault(name, now) > GIVEN_UP_SECONDS:
                del missing[name]
                cluster.sync(cluster.scale_down, [name])
                cluster.scale(count)

    return replace_lost

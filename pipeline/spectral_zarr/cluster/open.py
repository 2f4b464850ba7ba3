"""Choosing an executor by the name that the command line gives."""

from __future__ import annotations

from spectral_zarr.cluster.executor import Executor, SerialExecutor
from spectral_zarr.errors import UsageError


def open_executor(cluster: str, workers: int = 0) -> Executor:
    """Start or connect to what runs the tasks.

    Parameters
    ----------
    cluster : str
        ``serial``, ``local``, or the address of a running scheduler (``tcp://host:port``, ``tls://host:port``).
    workers : int
        Number of workers; 0 for one per core, or for all workers of a running scheduler.

    Raises
    ------
    UsageError
        When the name is unknown.
    """
    if cluster == "serial":
        return SerialExecutor()
    if cluster == "local":
        from spectral_zarr.cluster.local import local_executor

        return local_executor(workers)
    if "://" in cluster:
        from distributed import Client

        from spectral_zarr.cluster.dask import DaskExecutor

        client = Client(cluster)
        return DaskExecutor(client, workers=workers or max(1, len(client.scheduler_info()["workers"])))
    raise UsageError(f"--cluster takes serial, local or the address of a scheduler, not '{cluster}'")

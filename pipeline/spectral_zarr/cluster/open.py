"""Choosing an executor by the name that the command line gives."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from spectral_zarr.cluster.executor import Executor, SerialExecutor
from spectral_zarr.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from spectral_zarr.cluster.launch import Launch

LAUNCHED = ("slurm", "srun")
"""Clusters whose workers have to be asked for."""


def open_executor(
    cluster: str, workers: int = 0, launch: Launch | None = None, note: Callable[[str], None] = lambda text: None
) -> Executor:
    """Start or connect to what runs the tasks.

    Parameters
    ----------
    cluster : str
        ``serial``, ``local``, ``slurm`` (worker jobs), ``srun`` (the nodes of this job), or the address of a running
        scheduler (``tcp://host:port``, ``tls://host:port``).
    workers : int
        Number of workers; 0 for one per core, for what the profile says, for all tasks of this job but one, or for all
        workers of a running scheduler.
    launch : Launch, optional
        What ``slurm`` and ``srun`` are told.
    note : callable
        Is told what people should know about launched workers.

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
    if cluster in LAUNCHED and launch is not None:
        return _launched(cluster, workers, launch, note)
    raise unknown_cluster(cluster)


def unknown_cluster(cluster: str) -> UsageError:
    """The error for a name that means nothing here."""
    if cluster in LAUNCHED:
        return UsageError(f"--cluster {cluster} works with ingest only; use local or the address of a scheduler")
    return UsageError(f"--cluster takes serial, local, slurm, srun or the address of a scheduler, not '{cluster}'")


def check_launch(cluster: str, workers: int, launch: Launch) -> None:
    """Find out what is wrong with a launch before anything is claimed or parsed.

    Raises
    ------
    UsageError, EnvironmentFault
        When there is no batch system, no address that other nodes reach, or no allocation to start workers in.
    """
    from spectral_zarr.cluster import pbs, slurm
    from spectral_zarr.cluster.launch import driver_address

    if launch.dashboard:
        _require_dashboard()
    if cluster == "srun":
        from spectral_zarr.cluster.step import within_allocation

        within_allocation(launch, workers)
    elif launch.profile.scheduler == "slurm" and not slurm.is_installed():
        raise EnvironmentFault(
            "there is no sbatch, squeue or scancel here; run this on a node where jobs are submitted"
        )
    elif launch.profile.scheduler == "pbs" and not pbs.is_installed():
        raise EnvironmentFault("there is no qsub, qstat or qdel here; run this on a node where jobs are submitted")
    driver_address(launch.profile)


def _require_dashboard() -> None:
    from importlib.util import find_spec

    if find_spec("bokeh") is None:
        raise UsageError("the dashboard needs another library: pip install bokeh")


def _launched(cluster: str, workers: int, launch: Launch, note: Callable[[str], None]) -> Executor:
    from spectral_zarr.cluster import pbs, slurm
    from spectral_zarr.cluster.launched import Fleet, LaunchedExecutor
    from spectral_zarr.cluster.rundir import RunDirectory

    run = RunDirectory(launch.directory, keep=launch.keep)
    token = run.make()
    try:
        security = None if launch.insecure else run.make_keys()
        fleet: Fleet
        if cluster == "srun":
            from spectral_zarr.cluster.step import StepFleet, within_allocation

            launch, workers = within_allocation(launch, workers)
            fleet = StepFleet(launch, run, security, note)
        else:
            from spectral_zarr.cluster.jobs import job_cluster
            from spectral_zarr.cluster.supervision import JobFleet

            workers = workers or launch.profile.workers
            jobs, orders = job_cluster(launch, run, security)
            fleet = JobFleet(jobs, orders, slurm if launch.profile.scheduler == "slurm" else pbs, note)
        executor = LaunchedExecutor(fleet, workers=workers, launch=launch, run=run, token=token, note=note)
    except BaseException:
        run.close()
        raise
    try:
        if launch.insecure:
            note("insecure: whoever reaches the scheduler can run programs as you, and read what is sent")
        if launch.dashboard:
            executor.dashboard = dashboard_link(fleet.cluster.scheduler.http_server.port)
            note(f"dashboard {executor.dashboard[0]}")
            note(f"from your own machine: {executor.dashboard[1]}")
        fleet.start(workers)
    except BaseException:
        executor.close()
        raise
    return executor


def dashboard_link(port: int) -> tuple[str, str]:
    """Where the dashboard is, and the line that leads there from elsewhere."""
    tunnel = f"ssh -L {port}:127.0.0.1:{port} {getpass.getuser()}@{socket.getfqdn()}"
    return f"http://127.0.0.1:{port}/status", tunnel

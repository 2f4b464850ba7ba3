"""The Dask executor: a bounded window of futures, each released as soon as its receipt has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from distributed import Client, as_completed
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from spectral_zarr.cluster.executor import Closing, Receipt, Task
from spectral_zarr.errors import ClusterLost

WINDOW_PER_WORKER = 2
"""Tasks in flight per worker: one that runs and one that waits beside it."""


class DaskExecutor(Closing):
    """Runs tasks on the workers of a Dask cluster.

    Parameters
    ----------
    client : Client
        Connected client; closed with the executor.
    cluster : object, optional
        Cluster to close with the executor; None for a scheduler that belongs to somebody else.
    workers : int
        Number of workers that are wanted.
    """

    def __init__(self, client: Client, cluster: Any = None, *, workers: int) -> None:
        self._client = client
        self._cluster = cluster
        self.workers = workers

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task.

        Raises
        ------
        ClusterLost
            When the scheduler or a worker that ran a task is gone for good.
        """
        waiting = iter(tasks)
        running = as_completed(self._submit(function, islice(waiting, WINDOW_PER_WORKER * self.workers)))
        try:
            for future in running:
                receipt: Receipt = future.result()
                future.release()
                for following in self._submit(function, islice(waiting, 1)):
                    running.add(following)
                yield receipt
        except KilledWorker as error:
            message = f"a task ended {error.allowed_failures + 1} workers ({error.task}); see the log of the workers"
            raise ClusterLost(message) from error
        except (FutureCancelledError, OSError) as error:
            if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
                raise
            raise ClusterLost(f"the scheduler is gone: {error}; run the same command with --resume") from error

    def _submit(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> list[Any]:
        return [self._client.submit(function, task, pure=False, retries=0) for task in tasks]

    def close(self) -> None:
        """Close the client, then the cluster, and wait until its workers are gone."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

"""Looking after worker jobs: those that are gone are replaced, and what cannot come any more is told at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from spectral_zarr.cluster.jobs import Orders, Registered
from spectral_zarr.cluster.slurm import ENDING, QueuedJob
from spectral_zarr.errors import ClusterLost, JobRefused, SpectralZarrError

MOST_PAUSE_SECONDS = 300.0
REPLACEMENTS_PER_WORKER = 20
"""Jobs that may be lost for each worker before it is no accident any more."""

FAILED_STARTS = 3
"""Jobs in a row that end before their worker has come, beside one for each worker."""

LOST_SECONDS = 20.0
"""Time that a job may run on after its worker has left, which a worker that is only restarted does not take."""

GONE_SECONDS = 60.0
"""Time that cancelled jobs have to end."""

AWAY = ("unable to contact", "timed out", "temporarily", "zero bytes", "connection refused", "try again")
"""Words of a batch system that is away, and has not refused anything."""


class BatchSystem(Protocol):
    """What is asked of a batch system."""

    def queued_jobs(self, name: str) -> Mapping[str, QueuedJob] | None:
        """Jobs with a name that have not ended; None when there is no answer."""

    def cancel(self, ids: list[str]) -> None:
        """Cancel jobs."""


class JobFleet:
    """The worker jobs of one cluster.

    Parameters
    ----------
    cluster : dask_jobqueue.JobQueueCluster
        Cluster without jobs.
    orders : Orders
        What its jobs share.
    batch : BatchSystem
        Knows which jobs there are.
    note : callable
        Is told what people should know.
    """

    def __init__(self, cluster: Any, orders: Orders, batch: BatchSystem, note: Callable[[str], None]) -> None:
        self.cluster = cluster
        self._orders = orders
        self._batch = batch
        self._note = note
        self._wanted = 0
        self._failure: SpectralZarrError | None = None
        self._queued: Mapping[str, QueuedJob] = {}
        self._registered = Registered()
        self._missing: dict[str, float] = {}
        self._n_replaced = self._n_failed = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="worker jobs")

    def start(self, workers: int) -> None:
        """Cancel what a killed driver has left, submit the jobs, and look after them from here on."""
        left = self._batch.queued_jobs(self._orders.launch.job_name)
        if left:
            self._note(f"cancelling {len(left)} worker jobs of a driver that has ended")
            self._batch.cancel(list(left))
        self._wanted = workers
        self.cluster.sync(self._begin)
        self._thread.start()

    async def _begin(self) -> None:
        self.cluster.scheduler.add_plugin(self._registered, name="registered")
        self.cluster.scale(self._wanted)
        await self.cluster._correct_state()

    def check(self) -> None:
        """Raise what keeps workers from ever coming."""
        if self._failure is not None:
            raise self._failure

    def waiting(self) -> str:
        """What the jobs are doing, in words."""
        states: dict[str, int] = {}
        for job in self._queued.values():
            words = {"R": "starting", "CF": "starting"}.get(job.state, f"pending ({job.reason})")
            states[words] = states.get(words, 0) + 1
        return ", ".join(f"{count} {words}" for words, count in states.items()) or "submitted"

    def close(self) -> None:
        """Cancel all jobs, wait until they have ended, and end the scheduler."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._orders.closing = True
        self.cluster.close()
        if not self._all_gone():
            self._note("some worker jobs have not ended yet; they cannot reach the driver any more")
        self._orders.run.close()

    def _all_gone(self) -> bool:
        deadline = time.monotonic() + GONE_SECONDS
        while time.monotonic() < deadline:
            # By their name, because a job that was being submitted when the end came has no number here.
            queued = self._batch.queued_jobs(self._orders.launch.job_name)
            if queued is not None and not queued:
                return True
            self._batch.cancel([job.id for job in (queued or {}).values() if job.state != ENDING])
            time.sleep(0.2)
        return False

    def _watch(self) -> None:
        often = float(self._orders.launch.profile.check_seconds)
        # All are submitted, so that a refusal is found at once.
        pause = 0.0
        while not self._stopped.wait(pause):
            try:
                pause = often if self._look() else min(max(often, 2 * pause), MOST_PAUSE_SECONDS)
            except SpectralZarrError as error:
                self._failure = error
                return
            except Exception as error:
                self._failure = ClusterLost(f"the worker jobs cannot be looked after: {type(error).__name__}: {error}")
                return

    def _look(self) -> bool:
        """Compare the jobs that there should be with those that there are; whether there was an answer."""
        # Before the question, because what is submitted later is not in the answer.
        known = {name: job for name, job in list(self.cluster.workers.items()) if job.job_id or job.refusal}
        queued = self._batch.queued_jobs(self._orders.launch.job_name)
        if queued is None:
            return False
        self._queued = queued
        refused = {name: job.refusal for name, job in known.items() if job.refusal}
        living = {name for name, job in known.items() if job.job_id in queued and queued[job.job_id].state != ENDING}
        living -= self._left_by_their_workers(living)
        gone = set(known) - living - set(refused)
        self._count(gone)
        self._judge(refused, bool(living))
        if gone or refused:
            self.cluster.sync(self._replace, gone | set(refused))
        return True

    def _left_by_their_workers(self, living: set[str]) -> set[str]:
        """Jobs that run on without the worker that they once had."""
        here = {str(worker.name) for worker in list(self.cluster.scheduler.workers.values())}
        missing = (living & self._registered.names) - here
        moment = time.monotonic()
        self._missing = {name: self._missing.get(name, moment) for name in missing}
        return {name for name, since in self._missing.items() if moment - since >= LOST_SECONDS}

    def _count(self, gone: set[str]) -> None:
        self._n_replaced += len(gone)
        came = gone & self._registered.names
        self._n_failed = 0 if came else self._n_failed + len(gone)
        logs = f"see {self._orders.run.path}/worker-*.log"
        if self._n_failed >= FAILED_STARTS + self._wanted:
            raise ClusterLost(f"{self._n_failed} worker jobs in a row ended before their worker had come; {logs}")
        if self._n_replaced > REPLACEMENTS_PER_WORKER * self._wanted:
            raise ClusterLost(f"{self._n_replaced} worker jobs were lost; {logs}, then use --resume")
        if gone:
            self._note(f"{len(gone)} worker jobs ended and are replaced")

    def _judge(self, refused: dict[str, str], some_live: bool) -> None:
        for reason in set(refused.values()):
            if any(words in reason.lower() for words in AWAY):
                self._note(f"the batch system did not answer ({reason}); trying again")
            elif not some_live:
                raise JobRefused(f"no worker job was taken: {reason}; see the site profile")
            else:
                self._wanted = max(1, self._wanted - sum(one == reason for one in refused.values()))
                self._note(f"no more worker jobs are taken ({reason}); going on with {self._wanted}")

    async def _replace(self, names: set[str]) -> None:
        cluster = self.cluster
        for worker in [one for one in cluster.scheduler.workers.values() if str(one.name) in names]:
            # A node that lost its power closes no connection, and its tasks would wait for minutes.
            await cluster.scheduler.remove_worker(worker.address, stimulus_id=f"job-gone-{time.time()}")
        for name in names:
            job = cluster.workers.pop(name, None)
            cluster.worker_spec.pop(name, None)
            if job is not None:
                await job.close()
        cluster.scale(self._wanted)

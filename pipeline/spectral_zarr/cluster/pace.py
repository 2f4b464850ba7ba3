"""Measuring ingests: the same files with several numbers of workers, phase by phase, in a directory that is removed."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic

from spectral_zarr.cluster.build import IngestRequest, Outcome, ingest
from spectral_zarr.cluster.executor import Closing, Executor, Receipt, SerialExecutor, Task, TaskKind
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.cluster.open import open_executor
from spectral_zarr.cluster.scratch import scratch
from spectral_zarr.config import Config, Tolerance
from spectral_zarr.contract.chunks import spectral_chunks
from spectral_zarr.contract.rules.layout import MOST_SPECTRA
from spectral_zarr.errors import UsageError
from spectral_zarr.model import SourceFile, StageReceipt
from spectral_zarr.model.pace import PARALLEL, PHASES, IngestRun, PhaseCost
from spectral_zarr.readers import readers
from spectral_zarr.store.fsops import translated
from spectral_zarr.store.page_cache import drop_files
from spectral_zarr.tasks.sources import files_of_batch, scan_sources

DISK_FACTOR = 4
"""Bytes on disk per byte of the sources at one time: staged pixels and columns, the store, and the same again to spare
for compressed sources."""

SLACK_BYTES = 64 << 20
FEWEST_FILES = 8
"""Files of an ingest that shows what the driver does for the fewest of them."""

LIBRARIES = ("stage", "fill", "scan", "scan_columns", "scan_rest", "finalise")

FOLLOWING = MappingProxyType({"stage": "plan", "fill": "finalise"})
"""What the driver does alone after a phase of tasks."""

ANYTHING = Tolerance.parse("100%")


@dataclass(frozen=True, slots=True)
class PaceRequest:
    """What to ingest, where, and with which numbers of workers (1 is this process alone)."""

    sources: tuple[str, ...]
    directory: str
    workers: tuple[int, ...]
    limit: int = 0
    config: Config = field(default_factory=Config)


def measure_pace(request: PaceRequest, observer: Observer | None = None) -> tuple[IngestRun, ...]:
    """Ingest the same files once for every number of workers.

    Parameters
    ----------
    request : PaceRequest
        What to measure.
    observer : Observer, optional
        Is told about the progress.

    Returns
    -------
    tuple of IngestRun
        In the order of ``request.workers``.

    Raises
    ------
    SpectralZarrError
        When an ingest would fail, or the disk is too small; what was written is removed.
    """
    observer = observer or SilentObserver()
    if not request.workers or min(request.workers) < 1:
        raise UsageError("numbers of workers are 1 or more")
    files = scan_sources(request.sources, request.limit)
    needed = DISK_FACTOR * files.nbytes + SLACK_BYTES
    runs = []
    with scratch(Path(request.directory), needed) as directory:
        observer.begin("ingest", 1 + len(request.workers), "runs")
        # Libraries are imported by a run that does not count.
        _ingest(request, directory / "first.zarr", FEWEST_FILES, SerialExecutor(), SilentObserver())
        few = files[:FEWEST_FILES]
        fixed = _alone(_measured(replace(request, limit=len(few)), directory / "few", few, 1))
        observer.advance(1)
        for number, workers in enumerate(request.workers):
            run = _measured(request, directory / str(number), files, workers)
            runs.append(replace(run, fixed=fixed) if len(files) > len(few) else run)
            observer.advance(1)
        observer.end()
    return tuple(runs)


def _ingest(request: PaceRequest, target: Path, limit: int, executor: Executor, observer: Observer) -> Outcome:
    return ingest(
        IngestRequest(request.sources, str(target), request.config, ANYTHING, limit=limit), executor, observer
    )


def _measured(request: PaceRequest, directory: Path, files: Sequence[SourceFile], workers: int) -> IngestRun:
    with translated(directory):
        directory.mkdir()
        cache = drop_files(Path(one.path) for file in files for one in (file, *file.companions))
    began = _cpu_of_all()
    clock = PhaseClock(in_process=workers == 1)
    with ClockedExecutor("serial" if workers == 1 else "local", workers, clock) as executor:
        outcome = _ingest(request, directory / "x.zarr", request.limit, executor, clock)
    clock.stop()
    # Workers are counted when they have ended: what no task accounts for is their start and their talk.
    unaccounted = _cpu_of_all() - began - sum(clock.cpu.values())
    clock.cpu["workers"] += max(0.0, unaccounted)
    return IngestRun(
        workers=workers,
        n_files=len(files),
        n_spectra=outcome.plan.n_spec,
        source_bytes=outcome.source_bytes,
        store_bytes=outcome.store_bytes,
        phases=tuple(PhaseCost(phase, clock.wall[phase], clock.cpu[phase]) for phase in PHASES),
        cache=cache,
        batch_files=files_of_batch(outcome.source_bytes / len(files), request.config.build),
        block_rows=request.config.store.chunk_rows or spectral_chunks(MOST_SPECTRA, outcome.plan.n_pix).rows,
        staged_bytes=clock.staged_bytes,
    )


def _alone(run: IngestRun) -> PhaseCost:
    costs = [cost for cost in run.phases if cost.phase not in (*PARALLEL, "workers")]
    return PhaseCost("fixed", sum(cost.seconds for cost in costs), sum(cost.cpu_seconds for cost in costs))


def _cpu_of_all() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class PhaseClock:
    """Watches a build and adds the time of this process, and of the tasks elsewhere, to the phase that runs.

    Parameters
    ----------
    in_process : bool
        Whether tasks run in this process, whose time is counted anyway.
    """

    def __init__(self, *, in_process: bool) -> None:
        self.wall = dict.fromkeys(PHASES, 0.0)
        self.cpu = dict.fromkeys(PHASES, 0.0)
        self.staged_bytes = 0
        self._in_process = in_process
        self._phase = "workers"
        self._since = time.perf_counter(), time.process_time()

    def enter(self, phase: str) -> str:
        """End the phase that runs, begin another one, and return the first."""
        left, (wall, cpu) = self._phase, self._since
        self._since = time.perf_counter(), time.process_time()
        self.wall[left] += self._since[0] - wall
        self.cpu[left] += self._since[1] - cpu
        self._phase = phase
        return left

    def stop(self) -> None:
        """End the last phase."""
        self.enter("")

    def add(self, cpu_seconds: float) -> None:
        """Add the time of a task."""
        if not self._in_process:
            self.cpu[self._phase] += cpu_seconds

    def begin(self, phase: str, total: int, unit: str) -> None:
        """A phase begins."""
        self.enter(phase)

    def advance(self, amount: int) -> None:
        """Progress is nothing to a clock."""

    def end(self) -> None:
        """The driver goes on alone; after the rows, the validation has columns to check."""
        if self._phase in FOLLOWING:
            self.enter(FOLLOWING[self._phase])

    def note(self, text: str) -> None:
        """Words are nothing to a clock."""


@dataclass(frozen=True, slots=True)
class Clocked(Generic[Receipt]):
    """A receipt and the CPU seconds of its task."""

    receipt: Receipt
    cpu_seconds: float


def clocked(function: Callable[[Task], Receipt], task: Task) -> Clocked[Receipt]:
    """Run a task and take its time."""
    began = time.process_time()
    receipt = function(task)
    return Clocked(receipt, time.process_time() - began)


def load_libraries(_: int) -> None:
    """Import what the tasks of an ingest use."""
    readers()
    for name in LIBRARIES:
        import_module(f"spectral_zarr.tasks.{name}")


class ClockedExecutor(Closing):
    """An executor whose tasks, start and end are put on the clock."""

    def __init__(self, cluster: str, workers: int, clock: PhaseClock) -> None:
        self._clock = clock
        self._inner = open_executor(cluster, workers)
        # A worker imports everything at its first task, which must not be charged to the files in it.
        for answer in self._inner.map(partial(clocked, load_libraries), range(2 * workers)):
            clock.add(answer.cpu_seconds)
        clock.enter("scan")

    @property
    def workers(self) -> int:
        """Number of tasks that run at the same time."""
        return self._inner.workers

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task."""
        run: Any = partial(clocked, function)
        if isinstance(function, TaskKind):
            # What becomes of lost workers stays with the driver and is not sent to them.
            run = replace(function, run=partial(clocked, function.run), alone=partial(clocked, function.alone))
        for answer in self._inner.map(run, tasks):
            self._clock.add(answer.cpu_seconds)
            if isinstance(answer.receipt, StageReceipt):
                self._clock.staged_bytes += answer.receipt.pixels.size + answer.receipt.columns.size
            yield answer.receipt

    def close(self) -> None:
        """Stop the workers; the first to ask is the build, before it publishes."""
        phase = self._clock.enter("workers")
        self._inner.close()
        self._clock.enter("finalise" if phase == "validate" else phase)

"""The driver: stage, plan, fill and finalise in order, each task repeatable, with one outcome at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial

from spectral_zarr.cluster.deferred import DeferredExecutor
from spectral_zarr.cluster.executor import Executor
from spectral_zarr.cluster.journal import Journal, LoggedObserver
from spectral_zarr.cluster.kinds import Patience
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.cluster.phases import (
    Build,
    complete,
    create,
    fill,
    finish_plan,
    make_public,
    plan_staged,
    released,
    stage,
    tidy,
    with_notes,
)
from spectral_zarr.cluster.provenance import package_version, timestamp
from spectral_zarr.cluster.slurm import claim_in_job
from spectral_zarr.config import Config, Tolerance
from spectral_zarr.errors import SpectralZarrError
from spectral_zarr.model import Batch, BuildPlan, Rejection, SourceFiles
from spectral_zarr.store.calls import Step, reached
from spectral_zarr.store.claim import Claim, record, refuse_start, take_claim
from spectral_zarr.store.columns import read_rejections
from spectral_zarr.store.fsops import can_exchange, tree_size
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import digest, read_record
from spectral_zarr.store.request import request_facts
from spectral_zarr.tasks.planning import gather_surveyed, surveyed_tables
from spectral_zarr.tasks.sources import make_batches, scan_sources
from spectral_zarr.tasks.stage import Survey, batch_facts, survey_batch


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What to ingest, and where to.

    Attributes
    ----------
    sources : tuple of str
        Files, directories, patterns or ``@list.txt``.
    target : str
        ``<dataset>.zarr``.
    tolerance : Tolerance
        Rejections that are accepted.
    resume : bool
        Whether to take an interrupted build over.
    replace : bool
        Whether a store at the target is replaced; until then it stays as it is.
    limit : int
        Only the first files, 0 for all.
    patience : Patience
        How long tasks are waited for.
    """

    sources: tuple[str, ...]
    target: str
    config: Config = field(default_factory=Config)
    tolerance: Tolerance = field(default_factory=Tolerance)
    resume: bool = False
    replace: bool = False
    limit: int = 0
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A published store."""

    target: str
    plan: BuildPlan
    rejections: tuple[Rejection, ...]
    warnings: int
    source_bytes: int
    store_bytes: int
    store_files: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """What an ingest would do, and why it would not begin."""

    plan: BuildPlan
    rejections: tuple[Rejection, ...]
    n_batches: int
    source_bytes: int
    refusal: SpectralZarrError | None = None


def preview(request: IngestRequest, executor: Executor, observer: Observer | None = None) -> PlanPreview:
    """Parse all sources and plan, without writing anything.

    Raises
    ------
    SpectralZarrError
        What would end the ingest before the fill phase, except too many rejections.
    """
    observer = observer or SilentObserver()
    paths = BuildPaths.of(request.target)
    files = sources_of(request)
    refusal = None
    try:
        refuse_start(paths, _wanted(files, request), resume=request.resume, replacing=request.replace)
    except SpectralZarrError as error:
        refusal = error
    try:
        plan, rejections, batches = _surveyed(request, files, paths, executor, observer)
    except SpectralZarrError as error:
        # The ingest would not have come to what is wrong with the sources.
        raise refusal or error from None
    return PlanPreview(plan, rejections, len(batches), sum(batch.nbytes for batch in batches), refusal)


def _surveyed(
    request: IngestRequest, files: SourceFiles, paths: BuildPaths, executor: Executor, observer: Observer
) -> tuple[BuildPlan, tuple[Rejection, ...], tuple[Batch, ...]]:
    batches = make_batches(files, request.config.build)
    observer.begin("survey", sum(batch.n_files for batch in batches), "files")
    surveys: dict[int, Survey] = {}
    for survey in executor.map(partial(survey_batch, config=request.config), batches):
        surveys[survey.batch] = survey
        observer.advance(batches[survey.batch].n_files)
    observer.end()
    planner = gather_surveyed(surveys, batches, request.config)
    rejections = (*(r for batch in batches for r in surveys[batch.index].rejections), *planner.rejections)
    facts = [batch_facts(batch, request.config) for batch in batches]
    tables = surveyed_tables(surveys, planner)
    plan, _ = finish_plan(paths, request.config, planner, facts, rejections, tables, timestamp())
    plan = with_notes(plan, (note for batch in batches for note in surveys[batch.index].notes))
    return plan, rejections, batches


def _wanted(files: SourceFiles, request: IngestRequest) -> Claim:
    return claim_in_job(request_facts(files, request.config, package_version()))


def ingest(request: IngestRequest, executor: Executor, observer: Observer | None = None) -> Outcome:
    """Run all phases and publish the store.

    Parameters
    ----------
    request : IngestRequest
        What to ingest.
    executor : Executor
        Runs the tasks; closed before the store is published, so that no writer is left.
    observer : Observer, optional
        Is told about the progress.

    Returns
    -------
    Outcome

    Raises
    ------
    SpectralZarrError
        Nothing was published. The code says why and whether ``--resume`` continues.
    """
    began = time.monotonic()
    paths = BuildPaths.of(request.target)
    files = sources_of(request)
    claim = take_claim(paths, _wanted(files, request), resume=request.resume, replacing=request.replace)
    journal = Journal.of_attempt(paths, claim.attempt)
    journal.begin(attempt=claim.attempt, request=digest(claim.request))
    watching = LoggedObserver(observer or SilentObserver(), journal)
    if isinstance(executor, DeferredExecutor):
        executor.on_dashboard = lambda address, tunnel: journal.write("dashboard", dashboard=address, tunnel=tunnel)
    build = Build(paths, request.config, executor, watching, journal, patience=request.patience)
    if claim.state == "published":
        # The interrupted build had ended with its rename.
        record(paths, claim)
        plan, rejections, warnings = read_record(paths.plan, BuildPlan), read_rejections(paths.rejections), 0
        tidy(build)
    else:
        batches = make_batches(files, request.config.build)
        with released(build, claim):
            exchange = request.replace and can_exchange(paths.target)
            receipts = stage(build, batches, len(batches))
            facts = [batch_facts(batch, request.config) for batch in batches]
            plan, rejections = plan_staged(build, facts, receipts, request.tolerance)
            documents = create(build, plan)
            fill(build, plan, range(plan.n_blocks))
            warnings = complete(build, plan, documents)
            make_public(build, plan, claim, replacing=request.replace, exchange=exchange)
    return outcome(build, plan, rejections, warnings, files.nbytes, time.monotonic() - began)


def outcome(
    build: Build,
    plan: BuildPlan,
    rejections: tuple[Rejection, ...],
    warnings: int,
    source_bytes: int,
    seconds: float,
) -> Outcome:
    """What there is to say of a store that has just been published."""
    store_files, store_bytes = tree_size(build.paths.target)
    build.journal.write(Step.PUBLISHED, rows=plan.n_spec, files=store_files, bytes=store_bytes)
    reached(Step.PUBLISHED)
    return Outcome(
        target=str(build.paths.target),
        plan=plan,
        rejections=rejections,
        warnings=warnings,
        source_bytes=source_bytes,
        store_bytes=store_bytes,
        store_files=store_files,
        seconds=seconds,
    )


def sources_of(request: IngestRequest) -> SourceFiles:
    """The files that a request names."""
    return scan_sources(request.sources, request.limit)

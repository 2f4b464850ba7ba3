"""The driver: stage, plan, fill and finalise in order, each task repeatable, with one outcome at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from spectral_zarr.cluster.check import check
from spectral_zarr.cluster.executor import Executor
from spectral_zarr.cluster.journal import Journal, LoggedObserver, by_code
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.cluster.provenance import library_versions, package_commit, package_version, pipeline_name, timestamp
from spectral_zarr.cluster.signals import signals_wait
from spectral_zarr.config import Config, Tolerance
from spectral_zarr.contract.findings import Finding, Severity
from spectral_zarr.contract.rules import RULES
from spectral_zarr.errors import (
    ContractViolation,
    Interrupted,
    NothingAccepted,
    ResumeRefused,
    SpectralZarrError,
    TooManyRejections,
    UsageError,
)
from spectral_zarr.model import Batch, BlockTask, BuildPlan, ChunkReceipt, Rejection, SourceFile, StageReceipt
from spectral_zarr.plan import Planner
from spectral_zarr.store.arrays import array_specs, root_attributes
from spectral_zarr.store.audit import read_structure
from spectral_zarr.store.calls import Step, reached
from spectral_zarr.store.claim import Claim, clear_staging, own_claim, record, release, take_claim
from spectral_zarr.store.columns import read_rejections, write_rejections
from spectral_zarr.store.create import create_store
from spectral_zarr.store.fsops import can_exchange, remove_aside, sync_directory, sync_tree, tree_size
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.publication import publish, remove_partial_files, retire_old
from spectral_zarr.store.records import digest, freeze_plan, read_record, to_json, write_json, write_record
from spectral_zarr.store.request import request_facts
from spectral_zarr.store.staging import write_columns as write_staged
from spectral_zarr.tasks.catalog import plan_catalog
from spectral_zarr.tasks.fill import fill_block
from spectral_zarr.tasks.finalise import write_columns
from spectral_zarr.tasks.placement import batches_of
from spectral_zarr.tasks.planning import gather_staged, gather_surveyed, staged_tables, surveyed_tables
from spectral_zarr.tasks.sources import make_batches, scan_sources
from spectral_zarr.tasks.stage import Survey, stage_batch, survey_batch


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
    """

    sources: tuple[str, ...]
    target: str
    config: Config = field(default_factory=Config)
    tolerance: Tolerance = field(default_factory=Tolerance)
    resume: bool = False
    replace: bool = False
    limit: int = 0


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
    """What an ingest would do."""

    plan: BuildPlan
    rejections: tuple[Rejection, ...]
    n_batches: int
    source_bytes: int


def preview(request: IngestRequest, executor: Executor, observer: Observer | None = None) -> PlanPreview:
    """Parse all sources and plan, without writing anything.

    Raises
    ------
    SpectralZarrError
        What would end the ingest before the fill phase, except too many rejections.
    """
    observer = observer or SilentObserver()
    BuildPaths.of(request.target)
    batches = make_batches(_sources(request), request.config.build)
    observer.begin("survey", sum(batch.n_files for batch in batches), "files")
    surveys: dict[int, Survey] = {}
    for survey in executor.map(partial(survey_batch, config=request.config), batches):
        surveys[survey.batch] = survey
        observer.advance(batches[survey.batch].n_files)
    observer.end()
    planner = gather_surveyed(surveys, batches, request.config)
    rejections = (*(r for batch in batches for r in surveys[batch.index].rejections), *planner.rejections)
    plan, _ = _finish(planner, batches, rejections, request, timestamp(), surveyed_tables(surveys, planner))
    return PlanPreview(plan, rejections, len(batches), sum(batch.nbytes for batch in batches))


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
    files = _sources(request)
    wanted = own_claim(request_facts(files, request.config, package_version()))
    claim = take_claim(paths, wanted, resume=request.resume, replacing=request.replace)
    journal = Journal.of_attempt(paths, claim.attempt)
    journal.begin(attempt=claim.attempt, request=digest(claim.request))
    observer = LoggedObserver(observer or SilentObserver(), journal)
    if claim.state == "published":
        # The interrupted build had ended with its rename.
        record(paths, claim)
        plan, rejections, warnings = read_record(paths.plan, BuildPlan), read_rejections(paths.rejections), 0
        _tidy(paths, journal)
    else:
        batches = make_batches(files, request.config.build)
        with _released(paths, claim, executor, journal):
            exchange = request.replace and can_exchange(paths.target)
            journal.write("batches", of=len(batches), bytes_in=sum(file.nbytes for file in files))
            receipts = _stage(paths, batches, request, executor, observer, journal)
            observer.begin("plan", len(batches), "batches")
            planner = gather_staged(paths, receipts, batches, request.config)
            rejections = (*(r for receipt in receipts for r in receipt.rejections), *planner.rejections)
            journal.write("gathered", spectra=planner.n_spec, rejected=by_code(planner.rejections))
            _tolerate(paths, planner.n_spec, rejections, request)
            plan = _plan(paths, planner, batches, rejections, request, journal)
            observer.end()
            attributes = root_attributes(plan, pipeline_name(), library_versions())
            documents = create_store(paths.tmp, array_specs(plan), attributes, plan.zarr_format)
            reached(Step.INITIALISED)
            _fill(paths, plan, documents, executor, observer, journal)
            remove_partial_files(paths.tmp)
            warnings = _validate(paths, plan, executor, observer)
            reached(Step.VALIDATED)
            journal.write("phase", phase="publish", done=0, total=plan.n_files, unit="files")
            executor.close()
            reached(Step.QUIESCED)
            sync_tree(paths.tmp)
            reached(Step.TREE_SYNCED)
            with signals_wait() as done:
                publish(paths, plan.sha256, replace=request.replace, exchange=exchange)
                record(paths, replace(claim, state="published"))
                reached(Step.RECORDED)
                _tidy(paths, journal)
                done()
    store_files, store_bytes = tree_size(paths.target)
    journal.write(Step.PUBLISHED, rows=plan.n_spec, files=store_files, bytes=store_bytes)
    reached(Step.PUBLISHED)
    return Outcome(
        target=str(paths.target),
        plan=plan,
        rejections=rejections,
        warnings=warnings,
        source_bytes=sum(file.nbytes for file in files),
        store_bytes=store_bytes,
        store_files=store_files,
        seconds=time.monotonic() - began,
    )


def _tidy(paths: BuildPaths, journal: Journal) -> None:
    try:
        retire_old(paths)
        clear_staging(paths)
    except SpectralZarrError as error:
        # The store is published; what could not be removed goes with the next build of this name.
        journal.write("left-behind", reason=str(error))


def _sources(request: IngestRequest) -> tuple[SourceFile, ...]:
    files = scan_sources(request.sources)
    return files[: request.limit] if request.limit else files


def _finish(
    planner: Planner,
    batches: tuple[Batch, ...],
    rejections: tuple[Rejection, ...],
    request: IngestRequest,
    created_at: str,
    tables: Callable[[list[str]], Iterator[Any]],
) -> tuple[BuildPlan, Any]:
    if planner.n_spec == 0:
        raise NothingAccepted(f"no spectrum was accepted: {_shown(rejections)}", path=request.target)
    catalog, kept = None, None
    if request.config.catalog.file:
        catalog, kept = plan_catalog(request.config.catalog, planner.header.items(), tables)
    plan = planner.finish(
        n_input_files=sum(batch.n_files for batch in batches),
        n_rejected=len(rejections),
        created_at=created_at,
        git_commit=package_commit(),
        config=to_json(request.config).decode(),
        catalog=catalog,
    )
    return freeze_plan(plan), kept


def _shown(rejections: tuple[Rejection, ...]) -> str:
    shown = "; ".join(f"{r.name}: {r.code} ({r.reason})" for r in rejections[:3])
    return f"{shown}{'; ...' if len(rejections) > 3 else ''}"


@contextmanager
def _released(paths: BuildPaths, claim: Claim, executor: Executor, journal: Journal) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        # A worker that still writes would race with whoever takes the build over.
        executor.close()
        code = error.code if isinstance(error, SpectralZarrError) else type(error).__name__
        journal.write("stopped", code=code, reason=str(error))
        try:
            # What is at the target may be this build all the same; then the next start says so.
            release(paths, claim)
        except SpectralZarrError:
            # The disk is full: the claim still says who built, and a dead owner is recognised by its process.
            journal.write("claim-not-released")
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted("stopped; run the same command with --resume", path=str(paths.target)) from error
        raise


def _stage(
    paths: BuildPaths,
    batches: tuple[Batch, ...],
    request: IngestRequest,
    executor: Executor,
    observer: Observer,
    journal: Journal,
) -> list[StageReceipt]:
    observer.begin("stage", sum(batch.n_files for batch in batches), "files")
    receipts: dict[int, StageReceipt] = {}
    task = partial(stage_batch, str(paths.target), config=request.config)
    for receipt in executor.map(task, batches):
        receipts[receipt.batch] = receipt
        observer.advance(receipt.n_files)
        reached(Step.STAGED)
        journal.staged(receipt, len(batches))
    observer.end()
    return [receipts[batch.index] for batch in batches]


def _tolerate(paths: BuildPaths, accepted: int, rejections: tuple[Rejection, ...], request: IngestRequest) -> None:
    write_rejections(paths.rejections, rejections)
    total = accepted + len(rejections)
    if request.tolerance.allows(rejected=len(rejections), total=total):
        return
    message = (
        f"{len(rejections)} of {total} rejected: {_shown(rejections)}. All are in {paths.rejections}. "
        f"Leave them out, or run again with --resume --max-rejected {len(rejections)}"
    )
    raise TooManyRejections(message, path=str(paths.target))


def _plan(
    paths: BuildPaths,
    planner: Planner,
    batches: tuple[Batch, ...],
    rejections: tuple[Rejection, ...],
    request: IngestRequest,
    journal: Journal,
) -> BuildPlan:
    known = read_record(paths.plan, BuildPlan) if paths.plan.exists() else None
    created_at = known.created_at if known is not None else timestamp()
    plan, kept = _finish(planner, batches, rejections, request, created_at, staged_tables(paths, planner))
    if known is not None and known.sha256 != plan.sha256:
        changed = [one.name for one in fields(plan) if getattr(plan, one.name) != getattr(known, one.name)]
        shown = ", ".join(name for name in changed if name != "sha256") or "the plan on disk was edited"
        message = f"the interrupted build had another plan ({shown}); give it up with abort"
        raise ResumeRefused(message, path=str(paths.plan))
    if kept is not None:
        write_staged(paths.catalog, kept)
    write_record(paths.plan, plan)
    sync_directory(paths.build)
    reached(Step.PLANNED)
    journal.write(Step.PLANNED, rows=plan.n_spec, n_pix=plan.n_pix, blocks=plan.n_blocks, sha256=plan.sha256)
    return plan


def _block_tasks(plan: BuildPlan) -> list[BlockTask]:
    return [BlockTask(block, plan.sha256, batches_of(plan, plan.block_rows(block))) for block in range(plan.n_blocks)]


def _fill(
    paths: BuildPaths,
    plan: BuildPlan,
    documents: tuple[ChunkReceipt, ...],
    executor: Executor,
    observer: Observer,
    journal: Journal,
) -> None:
    observer.begin("fill", plan.n_spec, "rows")
    for receipt in executor.map(partial(fill_block, str(paths.target)), _block_tasks(plan)):
        rows = len(plan.block_rows(receipt.block))
        observer.advance(rows)
        reached(Step.FILLED)
        journal.filled(receipt, plan.n_blocks, rows)
    observer.end()
    observer.begin("finalise", plan.n_spec, "rows")
    write_columns(str(paths.target), plan.sha256, documents)
    observer.end()
    reached(Step.FINALISED)


def _validate(paths: BuildPaths, plan: BuildPlan, executor: Executor, observer: Observer) -> int:
    try:
        structure = read_structure(paths.tmp, n_spec_expected=plan.n_spec)
        # With receipts, no chunk is decoded that is not what was written, so that no child process is needed.
        findings = check(paths.tmp, structure, executor, observer, proof=str(paths.target)).findings
    except UsageError as error:
        # What the build has written is no store any more.
        findings = (Finding("L-06", Severity.ERROR, "root", error.message, RULES["L-06"].remedy),)
    write_json(paths.report, findings)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        remove_aside(paths.tmp)
        worst = errors[0]
        message = (
            f"{len(errors)} checks failed, first {worst.rule} on {worst.where}: {worst.message}. The store in the "
            f"making was deleted; the report is {paths.report}. Give the build up with abort and report this"
        )
        raise ContractViolation(message, path=str(paths.target))
    return sum(finding.severity is Severity.WARNING for finding in findings)

"""The phases of a build: each can be repeated, and does nothing again that has a valid proof on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

from spectral_zarr.cluster.check import check
from spectral_zarr.cluster.executor import Executor, Retry
from spectral_zarr.cluster.journal import Journal, by_code
from spectral_zarr.cluster.kinds import Patience, fill_kind, stage_kind
from spectral_zarr.cluster.observer import Observer
from spectral_zarr.cluster.provenance import library_versions, package_commit, pipeline_name, timestamp
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
from spectral_zarr.model import (
    Batch,
    BatchFacts,
    BlockTask,
    BuildPlan,
    ChunkReceipt,
    Note,
    Rejection,
    StageReceipt,
    counting,
    merged_notes,
)
from spectral_zarr.plan import Planner
from spectral_zarr.store.arrays import array_specs, root_attributes
from spectral_zarr.store.audit import read_structure
from spectral_zarr.store.calls import Step, reached
from spectral_zarr.store.claim import Claim, clear_staging, record, release
from spectral_zarr.store.columns import write_rejections
from spectral_zarr.store.create import create_store
from spectral_zarr.store.fsops import remove_aside, sync_directory, sync_tree
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.publication import publish, remove_partial_files, retire_old
from spectral_zarr.store.records import freeze_plan, read_record, to_json, write_json, write_record
from spectral_zarr.store.staging import write_columns as write_staged
from spectral_zarr.tasks.finalise import write_columns
from spectral_zarr.tasks.placement import batches_of
from spectral_zarr.tasks.planning import gather_staged, staged_tables

Run = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class Build:
    """What the phases of one build share.

    Attributes
    ----------
    again : str
        How the command that runs the phases is repeated, for messages.
    """

    paths: BuildPaths
    config: Config
    executor: Executor
    observer: Observer
    journal: Journal
    again: str = "run the same command with --resume"
    patience: Patience = field(default_factory=Patience)

    def retried(self, retry: Retry) -> None:
        """Write down that a task is tried again."""
        reason = f"{retry.reason}; it runs alone" if retry.alone else retry.reason
        self.journal.retried(retry.task, retry.number, reason)


@contextmanager
def released(build: Build, claim: Claim) -> Iterator[None]:
    """Stop the workers and let the claim go when the block fails.

    Raises
    ------
    Interrupted
        When a signal ended the block.
    """
    with told(build):
        try:
            yield
        except BaseException:
            # A worker that still writes would race with whoever takes the build over.
            build.executor.close()
            try:
                # What is at the target may be this build all the same; then the next start says so.
                release(build.paths, claim)
            except SpectralZarrError:
                # The disk is full: the claim still says who built, and a dead owner is recognised by its process.
                build.journal.write("claim-not-released")
            raise


@contextmanager
def told(build: Build) -> Iterator[None]:
    """Write to the log why the block failed; Ctrl-C and SIGTERM become `Interrupted`."""
    try:
        yield
    except BaseException as error:
        code = error.code if isinstance(error, SpectralZarrError) else type(error).__name__
        build.journal.write("stopped", code=code, reason=str(error))
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"stopped; {build.again}", path=str(build.paths.target)) from error
        raise


def stage(build: Build, batches: Sequence[Batch], n_batches: int) -> list[StageReceipt]:
    """Stage some batches of a build that has `n_batches`; their receipts, in order."""
    build.journal.write("batches", of=n_batches)
    build.observer.begin("stage", sum(batch.n_files for batch in batches), "files")
    receipts: dict[int, StageReceipt] = {}
    kind = stage_kind(str(build.paths.target), build.config, build.patience, build.retried, build.observer.note)
    for receipt in build.executor.map(kind, batches):
        receipts[receipt.batch] = receipt
        build.observer.advance(receipt.n_files)
        reached(Step.STAGED)
        build.journal.staged(receipt, n_batches)
    build.observer.end()
    return [receipts[batch.index] for batch in batches]


def plan_staged(
    build: Build, batches: Sequence[BatchFacts], receipts: Sequence[StageReceipt], tolerance: Tolerance
) -> tuple[BuildPlan, tuple[Rejection, ...]]:
    """Freeze the plan of all staged batches.

    Raises
    ------
    TooManyRejections
        When more was rejected than is tolerated; the list of all rejections is written before.
    ResumeRefused
        When the build has another plan already.
    """
    paths = build.paths
    build.observer.begin("plan", len(batches), "batches")
    planner = gather_staged(paths, receipts, batches, build.config)
    rejections = (*(r for receipt in receipts for r in receipt.rejections), *planner.rejections)
    build.journal.write("gathered", spectra=planner.n_spec, rejected=by_code(planner.rejections))
    write_rejections(paths.rejections, rejections)
    counted = counting(rejections)
    total = planner.n_spec + len(counted)
    if not tolerance.allows(rejected=len(counted), total=total):
        message = (
            f"{len(counted)} of {total} rejected: {_shown(counted)}. All are in {paths.rejections}. "
            f"Leave them out, or {build.again}, adding --max-rejected {len(counted)}"
        )
        raise TooManyRejections(message, path=str(paths.target))
    known = read_record(paths.plan, BuildPlan) if paths.plan.exists() else None
    created_at = known.created_at if known is not None else timestamp()
    tables = staged_tables(paths, planner)
    plan, kept = finish_plan(paths, build.config, planner, batches, rejections, tables, created_at)
    plan = with_notes(plan, (note for receipt in receipts for note in receipt.notes))
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
    build.journal.write(Step.PLANNED, rows=plan.n_spec, n_pix=plan.n_pix, blocks=plan.n_blocks, sha256=plan.sha256)
    build.observer.end()
    return plan, rejections


def finish_plan(
    paths: BuildPaths,
    config: Config,
    planner: Planner,
    batches: Sequence[BatchFacts],
    rejections: tuple[Rejection, ...],
    tables: Callable[[list[str]], Iterator[Any]],
    created_at: str,
) -> tuple[BuildPlan, Any]:
    """The plan of what a planner has gathered, and the rows of the catalogue that it joins.

    Raises
    ------
    NothingAccepted
        When there is no spectrum.
    """
    if planner.n_spec == 0:
        raise NothingAccepted(f"no spectrum was accepted: {_shown(rejections)}", path=str(paths.target))
    catalog, kept = None, None
    if config.catalog.file:
        # Only catalogues need Arrow's functions, which take a tenth of the time of all other imports.
        from spectral_zarr.tasks.catalog import plan_catalog

        catalog, kept = plan_catalog(config.catalog, planner.header.items(), tables)
    plan = planner.finish(
        n_input_files=sum(batch.n_files for batch in batches),
        n_rejected=len(counting(rejections)),
        created_at=created_at,
        git_commit=package_commit(),
        config=to_json(config).decode(),
        catalog=catalog,
    )
    return freeze_plan(plan), kept


def with_notes(plan: BuildPlan, notes: Iterable[Note]) -> BuildPlan:
    """The plan with what accepted spectra lack."""
    return freeze_plan(replace(plan, notes=merged_notes(notes)))


def _shown(rejections: tuple[Rejection, ...]) -> str:
    shown = "; ".join(f"{r.name}: {r.code} ({r.reason})" for r in rejections[:3])
    return f"{shown}{'; ...' if len(rejections) > 3 else ''}"


def create(build: Build, plan: BuildPlan) -> tuple[ChunkReceipt, ...]:
    """Make the empty store, or write its documents again; their receipts."""
    attributes = root_attributes(plan, pipeline_name(), library_versions())
    documents = create_store(build.paths.tmp, array_specs(plan), attributes, plan.zarr_format)
    reached(Step.INITIALISED)
    return documents


def fill(build: Build, plan: BuildPlan, blocks: Sequence[int]) -> None:
    """Fill some row blocks."""
    tasks = [BlockTask(block, plan.sha256, batches_of(plan, plan.block_rows(block))) for block in blocks]
    build.observer.begin("fill", sum(len(plan.block_rows(block)) for block in blocks), "rows")
    kind = fill_kind(str(build.paths.target), build.patience, build.retried, build.observer.note)
    for receipt in build.executor.map(kind, tasks):
        rows = len(plan.block_rows(receipt.block))
        build.observer.advance(rows)
        reached(Step.FILLED)
        build.journal.filled(receipt, plan.n_blocks, rows)
    build.observer.end()


def complete(
    build: Build, plan: BuildPlan, documents: tuple[ChunkReceipt, ...], run: Run = lambda function: function
) -> int:
    """Write the (N_spec,) arrays of a filled store and check all of it.

    Parameters
    ----------
    build : Build
        The build.
    plan : BuildPlan
        Its plan.
    documents : tuple of ChunkReceipt
        Receipts of the metadata documents.
    run : callable
        Makes the function that runs a task of the check from the task's own: as it is by default.

    Returns
    -------
    int
        Number of warnings.

    Raises
    ------
    ContractViolation
        When a check failed; the store in the making was deleted.
    """
    build.observer.begin("finalise", plan.n_spec, "rows")
    write_columns(str(build.paths.target), plan.sha256, documents)
    build.observer.end()
    reached(Step.FINALISED)
    remove_partial_files(build.paths.tmp)
    warnings = _validate(build, plan, run)
    reached(Step.VALIDATED)
    return warnings


def _validate(build: Build, plan: BuildPlan, run: Run) -> int:
    paths = build.paths
    try:
        structure = read_structure(paths.tmp, n_spec_expected=plan.n_spec)
        # With receipts, no chunk is decoded that is not what was written, so that no child process is needed.
        verdict = check(paths.tmp, structure, build.executor, build.observer, proof=str(paths.target), run=run)
        findings = verdict.findings
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


def make_public(build: Build, plan: BuildPlan, claim: Claim, *, replacing: bool, exchange: bool) -> None:
    """Stop all workers, make a complete store durable and give it its name.

    Raises
    ------
    SpectralZarrError
        The store is not published, see `publish`.
    """
    build.journal.write("phase", phase="publish", done=0, total=plan.n_files, unit="files")
    build.executor.close()
    reached(Step.QUIESCED)
    sync_tree(build.paths.tmp)
    reached(Step.TREE_SYNCED)
    with signals_wait() as done:
        publish(build.paths, plan.sha256, replace=replacing, exchange=exchange)
        record(build.paths, replace(claim, state="published"))
        reached(Step.RECORDED)
        tidy(build)
        done()


def tidy(build: Build) -> None:
    """Remove what a published build does not need any more."""
    try:
        retire_old(build.paths)
        clear_staging(build.paths)
    except SpectralZarrError as error:
        # The store is published; what could not be removed goes with the next build of this name.
        build.journal.write("left-behind", reason=str(error))

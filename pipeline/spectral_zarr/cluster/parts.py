"""The phases alone, for clusters without a Dask scheduler: parts of a phase are processes that share only files."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from spectral_zarr.cluster.build import IngestRequest, Outcome, PlanPreview, outcome, sources_of
from spectral_zarr.cluster.executor import Receipt, SerialExecutor, Task, TaskKind
from spectral_zarr.cluster.isolation import ThreadExecutor, call_isolated
from spectral_zarr.cluster.journal import Journal, LoggedObserver
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.cluster.phases import (
    Build,
    complete,
    create,
    fill,
    make_public,
    plan_staged,
    released,
    stage,
    tidy,
    told,
)
from spectral_zarr.cluster.provenance import package_version
from spectral_zarr.cluster.slurm import claim_in_job
from spectral_zarr.config import Config, Tolerance
from spectral_zarr.errors import EnvironmentFault, PartsMissing, TargetExists
from spectral_zarr.model import BlockReceipt, BuildPlan, Part, Rejection, StageReceipt, shares
from spectral_zarr.store.claim import Claim, current_claim, record, release, take_claim
from spectral_zarr.store.columns import read_rejections
from spectral_zarr.store.fsops import can_exchange, remove_aside
from spectral_zarr.store.identity import build_id
from spectral_zarr.store.parts import Share, joined, parts_claim, read_share, require_standing, write_share
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import digest, read_record
from spectral_zarr.store.request import request_facts
from spectral_zarr.tasks.sources import make_batches
from spectral_zarr.tasks.stage import batch_facts

AGAIN = "run the same command again"
MOST_NAMED = 20
"""Parts that a message names."""


@dataclass(frozen=True, slots=True)
class StagedPart:
    """What one part has staged, now or before."""

    n_batches: int
    of_batches: int
    n_files: int
    n_spectra: int
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class FilledPart:
    """What one part has filled, now or before."""

    n_blocks: int
    of_blocks: int
    n_rows: int


class _PartExecutor(SerialExecutor):
    """Runs tasks in this process as long as the build is the one that this part has joined."""

    def __init__(self, paths: BuildPaths, claim: Claim) -> None:
        self._paths = paths
        self._claim = claim

    def map(self, function: Callable[[Task], Receipt], tasks: Iterable[Task]) -> Iterator[Receipt]:
        """Apply `function` to every task in order."""
        if isinstance(function, TaskKind):
            function = replace(function, run=partial(_once_more, function.run))
        return super().map(function, self._standing(tasks))

    def _standing(self, tasks: Iterable[Task]) -> Iterator[Task]:
        for task in tasks:
            require_standing(self._paths, self._claim)
            yield task


def _once_more(run: Callable[[Task], Receipt], task: Task) -> Receipt:
    """Run a task again whose partial file was removed: a second copy of this part took it for one of the dead."""
    try:
        return run(task)
    except EnvironmentFault as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        return run(task)


def stage_part(request: IngestRequest, part: Part, observer: Observer | None = None) -> StagedPart:
    """Stage one part of the sources; the first part to come begins the build.

    Parameters
    ----------
    request : IngestRequest
        What to ingest, the same for all parts.
    part : Part
        Which part.
    observer : Observer, optional
        Is told about the progress.

    Returns
    -------
    StagedPart

    Raises
    ------
    SpectralZarrError
        What is staged has its proof; the same part run again continues.
    """
    paths = BuildPaths.of(request.target)
    files = sources_of(request)
    batches = make_batches(files, request.config.build)
    wanted = replace(claim_in_job(request_facts(files, request.config, package_version())), parts=part.of)
    name = _name("stage", part)
    with joined(paths, wanted, name, begin=True, replacing=request.replace) as claim:
        facts = (batch_facts(batch, request.config) for batch in batches)
        write_share(paths, "stage", lambda: Share(part.of, tuple(facts)))
        build = _build(paths, request.config, claim, name, observer)
        with told(build):
            own = part.of_weights([batch.nbytes for batch in batches])
            receipts = stage(build, [batches[index] for index in own], len(batches))
    return StagedPart(
        n_batches=len(receipts),
        of_batches=len(batches),
        n_files=sum(receipt.n_files for receipt in receipts),
        n_spectra=sum(receipt.n_spectra for receipt in receipts),
        rejections=tuple(rejection for receipt in receipts for rejection in receipt.rejections),
    )


def plan_parts(target: str, tolerance: Tolerance, observer: Observer | None = None) -> PlanPreview:
    """Freeze the plan when all parts are staged, and make the empty store.

    Raises
    ------
    PartsMissing
        When some are not; it names them.
    SpectralZarrError
        What ends an ingest between its stage and its fill phase.
    """
    paths = BuildPaths.of(target)
    claim = take_claim(paths, _wanted(paths), resume=True, replacing=True)
    if claim.state == "published":
        record(paths, claim)
        raise TargetExists("the build was published already", path=target)
    build = _build(paths, _config(claim), claim, _name("plan", Part(1, 1)), observer)
    with released(build, claim):
        share = read_share(paths, "stage")
        if share is None:
            raise PartsMissing("nothing is staged; begin with stage --part i/n", path=target)
        plan, rejections = plan_staged(build, share.batches, _staged(paths, share), tolerance)
        create(build, plan)
    release(paths, claim)
    return PlanPreview(plan, rejections, len(share.batches), sum(batch.nbytes for batch in share.batches))


def fill_part(target: str, part: Part, observer: Observer | None = None) -> FilledPart:
    """Fill one part of the row blocks.

    Raises
    ------
    PartsMissing
        When there is no plan.
    SpectralZarrError
        What is filled has its proof; the same part run again continues.
    """
    paths = BuildPaths.of(target)
    wanted, name = _wanted(paths), _name("fill", part)
    _plan(paths)
    with joined(paths, wanted, name, begin=False) as claim:
        plan = _plan(paths)
        write_share(paths, "fill", lambda: Share(part.of))
        build = _build(paths, _config(claim), claim, name, observer)
        own = part.of_range(plan.n_blocks)
        with told(build):
            fill(build, plan, own)
    return FilledPart(len(own), plan.n_blocks, sum(len(plan.block_rows(block)) for block in own))


def finalise_parts(
    target: str, *, replacing: bool = False, workers: int = 0, observer: Observer | None = None
) -> Outcome:
    """Write the (N_spec,) arrays when all blocks are filled, check the store and publish it.

    Parameters
    ----------
    target : str
        Path of the store.
    replacing : bool
        Whether a store at the target is replaced.
    workers : int
        Processes that check, 0 for one per core.
    observer : Observer, optional
        Is told about the progress.

    Returns
    -------
    Outcome
        The same when the store was published before.

    Raises
    ------
    PartsMissing
        When blocks are not filled; it names the parts.
    SpectralZarrError
        What ends an ingest after its fill phase.
    """
    began = time.monotonic()
    paths = BuildPaths.of(target)
    claim = current_claim(paths)
    if claim is None or not _is_published(paths, claim):
        claim = take_claim(paths, _wanted(paths), resume=True, replacing=replacing)
    name = _name("finalise", Part(1, 1))
    with ThreadExecutor(workers) as executor:
        log = Journal(paths, name)
        build = Build(paths, _config(claim), executor, LoggedObserver(observer or SilentObserver(), log), log, AGAIN)
        warnings = 0
        if claim.state == "published":
            record(paths, replace(claim, claiming=False))
            tidy(build)
            plan = read_record(paths.plan, BuildPlan)
        else:
            with released(build, claim):
                plan = _plan(paths)
                _require_filled(paths, plan)
                exchange = replacing and can_exchange(paths.target)
                warnings = complete(build, plan, create(build, plan), partial(partial, call_isolated))
                make_public(build, plan, claim, replacing=replacing, exchange=exchange)
    remove_aside(paths.parts)
    rejections = read_rejections(paths.rejections)
    return outcome(build, plan, rejections, warnings, claim.request.source_bytes, time.monotonic() - began)


def _name(phase: str, part: Part) -> str:
    return f"{phase}-{part.number}-of-{part.of}.{socket.gethostname()}-{os.getpid()}"


def _build(paths: BuildPaths, config: Config, claim: Claim, name: str, observer: Observer | None) -> Build:
    journal = Journal(paths, name)
    journal.begin(attempt=claim.attempt, request=digest(claim.request))
    watching = LoggedObserver(observer or SilentObserver(), journal)
    return Build(paths, config, _PartExecutor(paths, claim), watching, journal, AGAIN)


def _wanted(paths: BuildPaths) -> Claim:
    """The claim of this process on a build that others have begun."""
    begun = parts_claim(paths)
    return replace(claim_in_job(replace(begun.request, version=package_version())), parts=begun.parts)


def _config(claim: Claim) -> Config:
    return msgspec.json.decode(claim.request.config, type=Config)


def _plan(paths: BuildPaths) -> BuildPlan:
    if not paths.plan.exists():
        raise PartsMissing("there is no plan yet; run plan when all parts are staged", path=str(paths.target))
    plan = read_record(paths.plan, BuildPlan)
    if build_id(paths.tmp) != plan.sha256:
        raise PartsMissing("the store in the making is gone; run plan, then all parts of fill", path=str(paths.target))
    return plan


def _is_published(paths: BuildPaths, claim: Claim) -> bool:
    if claim.state != "published" or not paths.plan.exists():
        return False
    return build_id(paths.target) == read_record(paths.plan, BuildPlan).sha256


def _staged(paths: BuildPaths, share: Share) -> list[StageReceipt]:
    receipts: list[StageReceipt] = []
    missing: list[int] = []
    for batch in share.batches:
        proof = paths.stage_receipt(batch.index)
        receipt = read_record(proof, StageReceipt) if proof.exists() else None
        if receipt is None or receipt.sources_digest != batch.sources_digest:
            missing.append(batch.index)
        else:
            receipts.append(receipt)
    if missing:
        owners = shares([batch.nbytes for batch in share.batches], share.of)
        named = _named({owners[index] for index in missing}, share.of)
        message = f"{len(missing)} of {len(share.batches)} batches are not staged; run stage --part {named}"
        raise PartsMissing(message, path=str(paths.target))
    return receipts


def _require_filled(paths: BuildPaths, plan: BuildPlan) -> None:
    missing = {block for block in range(plan.n_blocks) if not _is_filled(paths, plan, block)}
    if not missing:
        return
    share = read_share(paths, "fill")
    named = "i/n, all of them"
    if share is not None:
        parts = (Part(number, share.of) for number in range(1, share.of + 1))
        named = _named({part.number for part in parts if missing & set(part.of_range(plan.n_blocks))}, share.of)
    message = f"{len(missing)} of {plan.n_blocks} row blocks are not filled; run fill --part {named}"
    raise PartsMissing(message, path=str(paths.target))


def _is_filled(paths: BuildPaths, plan: BuildPlan, block: int) -> bool:
    proof = paths.block_receipt(block)
    return proof.exists() and read_record(proof, BlockReceipt).plan_sha256 == plan.sha256


def _named(numbers: set[int], of: int) -> str:
    shown = [str(Part(number, of)) for number in sorted(numbers)]
    return ", ".join(shown[:MOST_NAMED]) + (", ..." if len(shown) > MOST_NAMED else "")

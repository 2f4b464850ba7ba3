"""The driver of a validation: blocks of rows fan out, findings come together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from spectral_zarr.cluster.executor import Executor
from spectral_zarr.cluster.isolation import ChildLost, ThreadExecutor, call_isolated
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.cluster.recovery import KILLED, recovered
from spectral_zarr.contract.facts import Count
from spectral_zarr.contract.findings import Finding, Severity
from spectral_zarr.contract.rows import Counted, Offences
from spectral_zarr.contract.rules import RULES, check_rows, check_structure
from spectral_zarr.contract.version import Reading, reading
from spectral_zarr.errors import DamagedBuild, UsageError
from spectral_zarr.store.audit import FATAL_PARTS, Structure, read_structure
from spectral_zarr.store.chunk_reader import NOT_AS_WRITTEN
from spectral_zarr.store.proof import NO_ARRAY, Proof, proof_of
from spectral_zarr.tasks.gather import Gathering
from spectral_zarr.tasks.scan import scan_rows
from spectral_zarr.tasks.scan_columns import scan_repeated
from spectral_zarr.tasks.scan_rest import scan_columns_or_rest


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a validation.

    Attributes
    ----------
    nbytes : int
        Bytes of spectral arrays that were decoded.
    scanned : bool
        Whether the rows were read; not those of another major version, nor where the structure cannot be read.
    """

    store: str
    n_spec: int
    n_pix: int
    findings: tuple[Finding, ...]
    nbytes: int = 0
    seconds: float = 0.0
    scanned: bool = True

    @property
    def valid(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def validate(
    store: str | Path,
    *,
    strict: bool = False,
    deep: bool = False,
    for_reading: bool = False,
    n_spec_expected: int | None = None,
    executor: Executor | None = None,
    observer: Observer | None = None,
) -> Verdict:
    """Check every row of a store against the contract, whoever wrote it.

    Parameters
    ----------
    store : path-like
        A Zarr store, of format 2 or 3.
    strict : bool
        Whether rules where the contract is silent are errors as well.
    deep : bool
        Whether every file is compared with the receipts that the build left beside the store.
    for_reading : bool
        Whether the question is if readers may use the store: then a newer minor version is no error.
    n_spec_expected : int, optional
        Number of spectra that the store should hold; what its builder recorded by default.
    executor : Executor, optional
        Where the blocks are scanned; threads with child processes by default.
    observer : Observer, optional
        Is told about the progress.

    Returns
    -------
    Verdict

    Raises
    ------
    UsageError
        When there is no Zarr store, or `deep` is asked and there are no receipts of it, or damaged ones.

    Notes
    -----
    Chunks are decoded in child processes: what ends a decoder becomes a finding.
    """
    path = Path(store).absolute()
    proof = str(path) if deep else ""
    try:
        if executor is None:
            with ThreadExecutor() as own:
                return _validate(path, strict, proof, for_reading, n_spec_expected, own, observer)
        return _validate(path, strict, proof, for_reading, n_spec_expected, executor, observer)
    except DamagedBuild as error:
        message = f"the receipts beside the store cannot be used: {error}; check it without --deep"
        raise UsageError(message, path=str(path)) from error


def _validate(
    path: Path,
    strict: bool,
    proof: str,
    for_reading: bool,
    n_spec_expected: int | None,
    executor: Executor,
    observer: Observer | None,
) -> Verdict:
    began = time.monotonic()
    question = _Question(path, n_spec_expected, for_reading)
    try:
        structure = _structure(question, executor)
    except ChildLost as lost:
        finding = Finding("L-06", Severity.ERROR, "root", f"reading the structure failed: {lost}", RULES["L-06"].remedy)
        return Verdict(str(path), 0, 0, (finding,), seconds=time.monotonic() - began, scanned=False)
    if proof:
        _compare_builds(path, structure, Proof(Path(proof)))
    verdict = check(
        path, structure, executor, observer, proof=proof, strict=strict, run=partial(partial, call_isolated)
    )
    return replace(verdict, seconds=time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class _Question:
    path: Path
    n_spec_expected: int | None
    for_reading: bool
    fatal: tuple[tuple[str, str], ...] = ()


def _read_structure(question: _Question) -> Structure:
    return read_structure(
        question.path,
        n_spec_expected=question.n_spec_expected,
        for_reading=question.for_reading,
        fatal=dict(question.fatal),
    )


def _structure(question: _Question, executor: Executor) -> Structure:
    """The structure, without the parts that end whoever reads them."""
    reason = ""
    for parts in ((), *combinations(FATAL_PARTS, 1), FATAL_PARTS):
        asked = replace(question, fatal=tuple((part, reason) for part in parts))
        try:
            return next(iter(executor.map(partial(call_isolated, _read_structure), [asked])))
        except ChildLost as lost:
            reason = str(lost)
    raise ChildLost(reason)


def _compare_builds(path: Path, structure: Structure, proof: Proof) -> None:
    if structure.facts.attributes.get("plan_sha256") == proof.plan.sha256:
        return
    # Damage of the root document must not pass for another build.
    if not proof.fits(path):
        message = "the receipts beside the store are those of another build; check it without --deep"
        raise UsageError(message, path=str(path))


def check(
    path: Path,
    structure: Structure,
    executor: Executor,
    observer: Observer | None = None,
    *,
    proof: str = "",
    strict: bool = False,
    run: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] = lambda function: function,
) -> Verdict:
    """Check a store whose structure has been read.

    Parameters
    ----------
    path : Path
        Directory of the store.
    structure : Structure
        Its structure.
    executor : Executor
        Where the blocks are scanned.
    observer : Observer, optional
        Is told about the progress.
    proof : str
        Published path whose build directory has the receipts, '' without receipts.
    strict : bool
        Whether rules where the contract is silent are errors as well.
    run : callable
        Makes the function that runs a task from the task's own: as it is by default.

    Returns
    -------
    Verdict
    """
    facts, observer = structure.facts, observer or SilentObserver()
    findings = check_structure(facts, strict=strict)
    if reading(facts.attributes.get("schema_version")) is Reading.OTHER_MAJOR:
        refused = tuple(finding for finding in findings if finding.rule == "V-02")
        return Verdict(str(path), facts.n_spec, facts.n_pix, refused, scanned=False)
    gathering = Gathering(path, structure, proof)
    observer.begin("validate", facts.n_spec, "rows")
    for rows in executor.map(partial(recovered, run(scan_rows)), gathering.row_tasks()):
        gathering.take_rows(rows)
        observer.advance(rows.stop - rows.start)
    observer.end()
    tasks = chain([gathering.rest_task()], gathering.column_tasks())
    for columns in executor.map(partial(recovered, run(scan_columns_or_rest)), tasks):
        gathering.take_columns(columns)
    try:
        for repeated in executor.map(run(scan_repeated), gathering.repeated_tasks()):
            gathering.take_repeated(repeated)
    except ChildLost as lost:
        gathering.take({(KILLED, "metadata/spec_id"): Count((), 0, str(lost))})
    gathering.take(_without_receipt(structure, proof_of(proof)) if proof else _unchecked())
    findings += check_rows(facts, gathering.facts(), strict=strict)
    return Verdict(str(path), facts.n_spec, facts.n_pix, tuple(findings), gathering.nbytes)


def _without_receipt(structure: Structure, proof: Proof) -> Counted:
    known = proof.columns().get(NO_ARRAY, {})
    offences = Offences()
    for name in [*structure.facts.foreign, *(name for name in structure.documents if name not in known)]:
        offences.note(NOT_AS_WRITTEN, name, "a file without a receipt")
    return offences.counted()


def _unchecked() -> Counted:
    offences = Offences()
    offences.note("Q-06/unchecked", "root", "")
    return offences.counted()

"""The driver of a validation: blocks of rows fan out, findings come together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spectral_zarr.cluster.executor import Executor, SerialExecutor
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.contract.findings import Finding, Severity
from spectral_zarr.contract.rows import Offences
from spectral_zarr.contract.rules import check_rows
from spectral_zarr.store.audit import read_facts
from spectral_zarr.tasks.validate import scan_block, scan_blocks, scan_columns


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a validation."""

    store: str
    n_spec: int
    n_pix: int
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def validate(
    store: str | Path,
    *,
    strict: bool = False,
    n_spec_expected: int | None = None,
    executor: Executor | None = None,
    observer: Observer | None = None,
) -> Verdict:
    """Check every row of a store against the contract.

    Parameters
    ----------
    store : path-like
        A Zarr store, of format 2 or 3, written by anybody.
    strict : bool
        Whether rules where the contract is silent are errors as well.
    n_spec_expected : int, optional
        Number of spectra that the store should hold.
    executor : Executor, optional
        Runs the blocks; serial by default.
    observer : Observer, optional
        Is told about the progress.

    Returns
    -------
    Verdict

    Raises
    ------
    UsageError
        When there is no Zarr store.
    """
    path, observer, executor = Path(store).absolute(), observer or SilentObserver(), executor or SerialExecutor()
    facts = read_facts(path, n_spec_expected=n_spec_expected)
    offences = Offences()
    blocks = scan_blocks(facts)
    observer.begin("validate", facts.n_spec, "rows")
    results = executor.map(partial(scan_block, str(path), facts), blocks)
    for rows, found in zip(blocks, results, strict=True):
        offences.merge(found)
        observer.advance(len(rows))
    observer.end()
    findings = [
        *scan_columns(str(path), n_spec_expected=n_spec_expected, strict=strict),
        *check_rows(offences.facts(), strict=strict),
    ]
    return Verdict(str(path), facts.n_spec, facts.n_pix, tuple(findings))

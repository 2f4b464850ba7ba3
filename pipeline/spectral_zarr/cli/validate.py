"""``spectral-zarr validate``: every rule on every row of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.failures import print_error
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import counted, print_json, results
from spectral_zarr.errors import ContractViolation, UsageError

if TYPE_CHECKING:
    from spectral_zarr.cluster import Verdict

SEVERITY_STYLES = {"error": "red", "warning": "yellow", "info": "dim"}


def validate(
    stores: Annotated[
        list[str] | None,
        typer.Argument(metavar="STORE...", help="Zarr stores, whoever wrote them.", show_default=False),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also fail on our own rules where the contract is silent.")
    ] = False,
    expected_nspec: Annotated[
        int | None, typer.Option("--expected-nspec", min=0, metavar="N", help="Number of spectra there should be.")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="Print all rules and check nothing.")] = False,
    cluster: options.AutoCluster = "auto",
    workers: options.Workers = 0,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Check stores against the data contract.

    The exit code is 0 when all are valid and 4 when a rule is broken.
    """
    if rules:
        _show_rules(as_json=as_json)
        return
    if not stores:
        raise UsageError("name at least one store, or ask for --rules")
    from spectral_zarr.cluster import DeferredExecutor, LentExecutor
    from spectral_zarr.cluster import validate as run_validate

    verdicts: list[Verdict] = []
    unchecked = False
    with watching(quiet=quiet) as observer, DeferredExecutor(cluster, workers, observer.note) as executor:
        for store in stores:
            lent = LentExecutor(executor)
            try:
                verdicts.append(
                    run_validate(store, strict=strict, n_spec_expected=expected_nspec, executor=lent, observer=observer)
                )
            except UsageError as error:
                print_error(str(error))
                unchecked = True
    if as_json:
        print_json([_as_json(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            _show(verdict)
    if not all(verdict.valid for verdict in verdicts):
        raise typer.Exit(ContractViolation.exit_code)
    if unchecked:
        raise typer.Exit(UsageError.exit_code)


def _show(verdict: Verdict) -> None:
    shape = f"{report.spectra(verdict.n_spec)} of {verdict.n_pix:,} pixels, every row was checked"
    word, style = ("valid", "green") if verdict.valid else ("not valid", "red")
    report.heading(word, verdict.store, shape, style=style)
    if not verdict.findings:
        return
    made = report.table("rule", "severity", "where", "rows", "first", "finding", right=("rows",), keep=("severity",))
    order = list(SEVERITY_STYLES)
    for finding in sorted(verdict.findings, key=lambda one: (order.index(one.severity.value), one.rule)):
        first = ", ".join(map(str, finding.rows[:4])) + (", ..." if finding.count > 4 else "")
        count = f"{finding.count:,}" if finding.count else ""
        cells = (finding.rule, finding.severity.value, finding.where, count, first, finding.message)
        report.row(made, *cells, style=SEVERITY_STYLES[finding.severity.value])
    results().print(made)
    results().print(f"\n  {counted(len(verdict.findings), 'finding')}\n", style="dim")


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "store": verdict.store,
        "valid": verdict.valid,
        "n_spec": verdict.n_spec,
        "n_pix": verdict.n_pix,
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity.value,
                "where": finding.where,
                "count": finding.count,
                "rows": list(finding.rows),
                "message": finding.message,
            }
            for finding in verdict.findings
        ],
    }


def _show_rules(*, as_json: bool) -> None:
    from spectral_zarr.contract.rules import RULES

    ordered = sorted(RULES.values(), key=lambda rule: rule.id)
    if as_json:
        print_json([{"id": rule.id, "level": rule.level.value, "clause": rule.clause} for rule in ordered])
        return
    made = report.table("rule", "level", "clause", keep=("rule", "level"))
    for rule in ordered:
        report.row(made, rule.id, rule.level.value, rule.clause)
    results().print(made)
    results().print("\n  MUST and SHOULD are the contract's; HOUSE rules fail with --strict only.\n", style="dim")

"""``spectral-zarr validate``: every rule on every row of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spectral_zarr.cli import findings, options
from spectral_zarr.cli.failures import print_error
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import print_json
from spectral_zarr.errors import ContractViolation, UsageError

if TYPE_CHECKING:
    from spectral_zarr.cluster import Executor, Verdict


def validate(
    stores: Annotated[
        list[str] | None,
        typer.Argument(metavar="STORE...", help="Zarr stores, whoever wrote them.", show_default=False),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also fail on our own rules where the contract is silent.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare every file with the receipts in STORE.build beside it.")
    ] = False,
    reading: Annotated[
        bool, typer.Option("--reading", help="Ask whether readers may use it: a newer minor version is no error.")
    ] = False,
    expected_nspec: Annotated[
        int | None, typer.Option("--expected-nspec", min=0, metavar="N", help="Number of spectra there should be.")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="Print all rules and check nothing.")] = False,
    cluster: options.CheckCluster = "local",
    workers: options.Workers = 0,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Check stores against the data contract.

    The exit code is 0 when all are valid, 4 when a rule is broken and 2 when a path is no store.
    """
    if rules:
        findings.show_rules(as_json=as_json)
        return
    if not stores:
        raise UsageError("name at least one store, or ask for --rules")
    from spectral_zarr.cluster import validate as run_validate

    verdicts: list[Verdict] = []
    unchecked = False
    with watching(quiet=quiet) as observer, _executor(cluster, workers) as executor:
        for store in stores:
            try:
                verdict = run_validate(
                    store,
                    strict=strict,
                    deep=deep,
                    for_reading=reading,
                    n_spec_expected=expected_nspec,
                    executor=executor,
                    observer=observer,
                )
                verdicts.append(verdict)
            except UsageError as error:
                print_error(str(error))
                unchecked = True
    if as_json:
        print_json([findings.verdict_json(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            findings.show_verdict(verdict)
    if not all(verdict.valid for verdict in verdicts):
        raise typer.Exit(ContractViolation.exit_code)
    if unchecked:
        raise typer.Exit(UsageError.exit_code)


def _executor(cluster: str, workers: int) -> Executor:
    from spectral_zarr.cluster import ThreadExecutor, open_executor

    if cluster in ("local", "auto"):
        return ThreadExecutor(workers)
    return ThreadExecutor(1) if cluster == "serial" else open_executor(cluster, workers)

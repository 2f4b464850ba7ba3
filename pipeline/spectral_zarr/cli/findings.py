"""Verdicts and rules as a person reads them, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spectral_zarr.cli import report
from spectral_zarr.cli.terminal import clean, counted, duration, print_json, results, size

if TYPE_CHECKING:
    from spectral_zarr.cluster import Verdict
    from spectral_zarr.contract import Finding

STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}
MOST_PLACES = 5
MARGIN = " " * 16

SECTIONS = {
    "L": "Layout",
    "G": "Core principle",
    "D": "Dimensions",
    "S": "Signal",
    "C": "Continuum",
    "R": "Representations",
    "P": "Parameters",
    "M": "Metadata",
    "H": "Header projection",
    "U": "Units",
    "K": "Chunks",
    "Z": "Compression",
    "I": "Index",
    "V": "Provenance",
    "W": "Writing",
    "Q": "Completeness",
    "E": "Schema evolution",
    "F": "Forbidden practices",
}


def show_verdict(verdict: Verdict) -> None:
    """Print what was found in one store, the worst first."""
    speed = f"{size(verdict.nbytes)} decoded in {duration(verdict.seconds)}"
    rows = f"every row was checked, {speed}" if verdict.scanned else "no row was checked"
    shape = f"{report.spectra(verdict.n_spec)} of {verdict.n_pix:,} pixels, {rows}"
    word, style = ("valid", "green") if verdict.valid else ("not valid", "red")
    report.heading(word, verdict.store, shape, style=style)
    order = list(STYLES)
    groups: dict[tuple[int, str], list[Finding]] = {}
    for finding in verdict.findings:
        groups.setdefault((order.index(finding.severity.value), finding.rule), []).append(finding)
    for _, group in sorted(groups.items(), key=lambda pair: pair[0]):
        _show_group(group)
    if verdict.findings:
        severities = [finding.severity.value for finding in verdict.findings]
        numbers = [counted(severities.count(word), word) for word in order if word != "info" and word in severities]
        results().print(f"  {', '.join(numbers) or 'no error and no warning'}\n", style="dim")


def _show_group(group: Sequence[Finding]) -> None:
    from rich.text import Text

    from spectral_zarr.contract.rules import RULES

    rule, word = RULES[group[0].rule], group[0].severity.value
    results().print(
        Text.assemble((f"  {word:<8}", STYLES[word]), (f"{rule.id:<6}", "bold"), rule.clause), soft_wrap=True
    )
    for finding in group[:MOST_PLACES]:
        place = f"{clean(finding.where)}: {clean(finding.message)}{_rows(finding)}"
        results().print(f"{MARGIN}{place}", soft_wrap=True)
    if len(group) > MOST_PLACES:
        results().print(f"{MARGIN}and {len(group) - MOST_PLACES:,} more places", style="dim")
    results().print(f"{MARGIN}-> {clean(group[0].remedy)}\n", style="dim", soft_wrap=True)


def _rows(finding: Finding) -> str:
    if not finding.count:
        return ""
    ellipsis = ", ..." if finding.count > len(finding.rows) else ""
    return f" ({counted(finding.count, 'row')}: {', '.join(map(str, finding.rows))}{ellipsis})"


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict for programs."""
    return {
        "store": verdict.store,
        "valid": verdict.valid,
        "n_spec": verdict.n_spec,
        "n_pix": verdict.n_pix,
        "scanned": verdict.scanned,
        "decoded_bytes": verdict.nbytes,
        "seconds": verdict.seconds,
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity.value,
                "where": finding.where,
                "count": finding.count,
                "rows": list(finding.rows),
                "message": finding.message,
                "remedy": finding.remedy,
            }
            for finding in verdict.findings
        ],
    }


def show_rules(*, as_json: bool) -> None:
    """Print every rule with its level, its clause, how it is checked and what to do when it is broken."""
    from spectral_zarr.contract.rules import RULES, checked_by

    if as_json:
        entries = [
            {
                "id": rule.id,
                "level": rule.level.value,
                "clause": rule.clause,
                "checked": checked_by(rule),
                "remedy": rule.remedy,
            }
            for rule in RULES.values()
        ]
        print_json(sorted(entries, key=lambda entry: entry["id"]))
        return
    for letter, title in SECTIONS.items():
        results().print(f"\n{title}", style="bold")
        for rule in sorted((rule for rule in RULES.values() if rule.id[0] == letter), key=lambda rule: rule.id):
            results().print(f"  {rule.id}  {rule.level.value:<6}  {rule.clause}", soft_wrap=True)
            results().print(
                f"                checked: {checked_by(rule)}; remedy: {rule.remedy}", style="dim", soft_wrap=True
            )
    note = (
        "\nMUST and SHOULD are the contract's own words, HOUSE is our reading where it is silent. A broken MUST is an "
        "error, a broken HOUSE rule an error with --strict and else a warning, a SHOULD a warning."
    )
    results().print(note, style="dim", soft_wrap=True)

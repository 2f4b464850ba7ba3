"""The clauses of the contract as named rules; facts in, findings out."""

from __future__ import annotations

from spectral_zarr.contract.facts import RowFacts, StoreFacts
from spectral_zarr.contract.findings import Finding
from spectral_zarr.contract.rules import columns, layout, signal, storage
from spectral_zarr.contract.rules.registry import (
    GATHERED_CHECKS,
    RULES,
    STRUCTURE_CHECKS,
    SYMPTOMS,
    Breach,
    Level,
    Rule,
    Symptom,
    severity,
)

__all__ = [
    "RULES",
    "SYMPTOMS",
    "Level",
    "Rule",
    "Symptom",
    "check_rows",
    "check_structure",
    "checked_by",
    "columns",
    "layout",
    "severity",
    "signal",
    "storage",
]


LONGEST_MESSAGE = 1000


def check_structure(facts: StoreFacts, *, strict: bool = False) -> list[Finding]:
    """Apply every rule on the structure.

    Parameters
    ----------
    facts : StoreFacts
        Structure of the store.
    strict : bool
        Whether a broken HOUSE rule is an error.
    """
    return [
        _finding(RULES[identifier], breach, strict=strict)
        for identifier, check in STRUCTURE_CHECKS.items()
        for breach in check(facts)
    ]


def check_rows(facts: StoreFacts, found: RowFacts, *, strict: bool = False) -> list[Finding]:
    """Findings for what was counted in the rows.

    Parameters
    ----------
    facts : StoreFacts
        Structure of the store.
    found : RowFacts
        What was counted over all of its rows.
    strict : bool
        Whether a broken HOUSE rule is an error.
    """
    findings = []
    for (key, where), count in sorted(found.offences.items(), key=lambda pair: pair[0]):
        symptom = SYMPTOMS[key]
        rule = RULES[symptom.rule]
        level = severity(symptom.level or rule.level, strict=strict)
        message = _shortened(f"{symptom.message}: {count.reason}" if count.reason else symptom.message)
        findings.append(Finding(rule.id, level, where, message, rule.remedy, count.rows, count.number))
    findings += [
        _finding(RULES[identifier], breach, strict=strict)
        for identifier, check in GATHERED_CHECKS.items()
        for breach in check(facts, found)
    ]
    return findings


def checked_by(rule: Rule) -> str:
    """How a rule is checked, in words."""
    if rule.same_as:
        return f"as {rule.same_as}"
    ways = [
        *(["structure"] if rule.id in STRUCTURE_CHECKS else []),
        *(["every row"] if rule.id in GATHERED_CHECKS or any(s.rule == rule.id for s in SYMPTOMS.values()) else []),
    ]
    return " and ".join(ways) or "kept by the writer; a store cannot show it"


def _finding(rule: Rule, breach: Breach, *, strict: bool) -> Finding:
    level = severity(breach.level or rule.level, strict=strict)
    return Finding(rule.id, level, breach.where, _shortened(breach.message), rule.remedy)


def _shortened(message: str) -> str:
    # Messages quote the store, where a text may have any length.
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}..."

"""What a rule is, and the tables that all rules enter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from spectral_zarr.contract.facts import RowFacts, StoreFacts
from spectral_zarr.contract.findings import Severity


class Level(StrEnum):
    """Where a rule comes from: the contract's MUST or SHOULD, or our reading where the contract is silent."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    HOUSE = "HOUSE"
    INFO = "INFO"


@dataclass(frozen=True, slots=True)
class Rule:
    """One clause.

    Attributes
    ----------
    remedy : str
        What to do when it is broken.
    same_as : str
        The rule that checks this clause, '' when it has checks of its own.
    """

    id: str
    level: Level
    clause: str
    remedy: str
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class Breach:
    """One place where a rule is broken; `level` replaces the level of the rule."""

    where: str
    message: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Symptom:
    """One way in which rows break a rule; `level` replaces the level of the rule."""

    rule: str
    message: str
    level: Level | None = None


StructureCheck = Callable[[StoreFacts], Iterator[Breach]]
GatheredCheck = Callable[[StoreFacts, RowFacts], Iterator[Breach]]

RULES: dict[str, Rule] = {}
SYMPTOMS: dict[str, Symptom] = {}
STRUCTURE_CHECKS: dict[str, StructureCheck] = {}
GATHERED_CHECKS: dict[str, GatheredCheck] = {}


def rule(identifier: str, level: Level, clause: str, remedy: str) -> None:
    """Enter a clause that nothing but the way of writing can keep, or whose checks follow."""
    RULES[identifier] = Rule(identifier, level, clause, remedy)


def same(identifier: str, level: Level, clause: str, other: str) -> None:
    """Enter a clause that another rule checks."""
    RULES[identifier] = Rule(identifier, level, clause, f"as for {other}", other)


def rows(identifier: str, level: Level, clause: str, remedy: str, **symptoms: str | tuple[str, Level]) -> None:
    """Enter a rule on rows, with its symptoms; they are known as ``<rule>/<name>``."""
    rule(identifier, level, clause, remedy)
    for name, symptom in symptoms.items():
        message, override = symptom if isinstance(symptom, tuple) else (symptom, None)
        SYMPTOMS[f"{identifier}/{name}"] = Symptom(identifier, message, override)


def structure(identifier: str, level: Level, clause: str, remedy: str) -> Callable[[StructureCheck], None]:
    """Enter a rule and its check of the structure."""
    rule(identifier, level, clause, remedy)
    return also(identifier)


def also(identifier: str) -> Callable[[StructureCheck], None]:
    """Add a check of the structure to a rule that has been entered."""

    def register(check: StructureCheck) -> None:
        STRUCTURE_CHECKS[identifier] = check

    return register


def gathered(identifier: str, level: Level, clause: str, remedy: str) -> Callable[[GatheredCheck], None]:
    """Enter a rule and its check of what was counted over all rows together."""
    rule(identifier, level, clause, remedy)

    def register(check: GatheredCheck) -> None:
        GATHERED_CHECKS[identifier] = check

    return register


def severity(level: Level, *, strict: bool) -> Severity:
    """Error for MUST, and for HOUSE when strict; information for INFO; else a warning."""
    if level is Level.INFO:
        return Severity.INFO
    return Severity.ERROR if level is Level.MUST or (strict and level is Level.HOUSE) else Severity.WARNING

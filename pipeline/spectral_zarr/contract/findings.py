"""What a check reports: a finding names the rule, the array, the rows and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs; only errors make a store invalid."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule.

    Attributes
    ----------
    rule : str
        Identifier of the clause, for example ``Q-02``.
    severity : Severity
        Error, warning or information.
    where : str
        Array, group or file inside the store.
    message : str
        What was found.
    remedy : str
        What to do about it.
    rows : tuple of int
        The first few offending rows.
    count : int
        Number of offending rows, 0 when the finding is not about rows.
    """

    rule: str
    severity: Severity
    where: str
    message: str
    remedy: str = ""
    rows: tuple[int, ...] = ()
    count: int = 0

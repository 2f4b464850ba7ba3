"""One of several that share a phase or a file, and what of it is its own."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Part `number`, from 1, of `of` parts.

    Raises
    ------
    ValueError
        When there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(f"there is no part {self.number} of {self.of}")

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read ``2/3``.

        Raises
        ------
        ValueError
            When it is anything else.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if found is None:
            raise ValueError(f"'{text}' is no part")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def of_weights(self, weights: Sequence[int]) -> list[int]:
        """Tasks of this part, ascending; the heaviest are given out first, each to the part that has least so far."""
        return [task for task, part in enumerate(shares(weights, self.of)) if part == self.number]

    def of_range(self, count: int) -> range:
        """Tasks, or rows, of this part when each is given an equal run of them."""
        return range(count * (self.number - 1) // self.of, count * self.number // self.of)


WHOLE = Part(1, 1)
"""The only part of what is not shared."""


def shares(weights: Sequence[int], of: int) -> list[int]:
    """Number of the part, from 1, that each task belongs to."""
    loads = [(0, part) for part in range(1, of + 1)]
    found = [0] * len(weights)
    for task in sorted(range(len(weights)), key=lambda task: -weights[task]):
        load, part = heapq.heappop(loads)
        found[task] = part
        heapq.heappush(loads, (load + weights[task], part))
    return found

"""What the driver tells whoever watches: phases, their progress, and single events."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Watches a build."""

    def begin(self, phase: str, total: int, unit: str) -> None:
        """A phase begins; `total` counts units such as files or rows."""

    def advance(self, amount: int) -> None:
        """More units of the phase are done."""

    def end(self) -> None:
        """The phase is done."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class SilentObserver:
    """Watches and says nothing."""

    def begin(self, phase: str, total: int, unit: str) -> None:
        """Say nothing."""

    def advance(self, amount: int) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

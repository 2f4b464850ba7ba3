"""Agreement of all spectra on one value of a field, or a refusal that names who disagrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from spectral_zarr.errors import MixedDataset

EXAMPLES = 3


class Agreement:
    """Counts the values of one field with a few example files each.

    Parameters
    ----------
    field : str
        What must agree, for the message.
    """

    def __init__(self, field: str) -> None:
        self.field = field
        self.counts: dict[str, int] = {}
        self.examples: dict[str, list[str]] = {}

    def add(self, values: Sequence[str], names: Sequence[str]) -> None:
        """Count the values of a batch, with the file of each."""
        wanting = {}
        for value, count in Counter(values).items():
            self.counts[value] = self.counts.get(value, 0) + count
            examples = self.examples.setdefault(value, [])
            if len(examples) < EXAMPLES:
                wanting[value] = examples
        if not wanting:
            return
        for value, name in zip(values, names, strict=True):
            found = wanting.get(value)
            if found is not None and len(found) < EXAMPLES and name not in found:
                found.append(name)

    def agreed(self) -> str:
        """The one value.

        Raises
        ------
        MixedDataset
            When there are several; the message lists each with its files.
        """
        if len(self.counts) == 1:
            return next(iter(self.counts))
        groups = "; ".join(
            f"'{value}' in {count} ({', '.join(self.examples[value])}{', ...' if count > EXAMPLES else ''})"
            for value, count in sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))
        )
        raise MixedDataset(f"the spectra disagree in {self.field}: {groups}. Make one store per product")

    def dominant(self) -> str:
        """The most frequent value."""
        return max(sorted(self.counts), key=lambda value: self.counts[value])

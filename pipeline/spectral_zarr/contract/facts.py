"""What a check needs to know about a store: its structure, and what was counted in its rows; no values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """Structure of one array.

    Attributes
    ----------
    kind : str
        ``text`` or a NumPy dtype name such as ``float32``.
    chunks : tuple of int
        Chunk shape, of the shards where the array is sharded.
    codec : tuple of (str, int, str), optional
        Blosc compressor, level and shuffle; None for any other compression.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    kind: str
    itemsize: int
    codec: tuple[str, int, str] | None
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """Structure of ``index.parquet``."""

    rows: int
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What was counted over all rows: rule and array to the first offending rows and their number."""

    offences: Mapping[tuple[str, str], tuple[tuple[int, ...], int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """Structure of a store.

    Attributes
    ----------
    name : str
        Last component of its path.
    groups : tuple of str
        Paths of all groups but the root.
    foreign : tuple of str
        Entries of the root directory that belong to neither Zarr nor the contract.
    n_spec_expected : int, optional
        Rows that the plan promised.
    """

    name: str
    zarr_format: int
    attributes: Mapping[str, Any]
    groups: tuple[str, ...]
    group_attributes: Mapping[str, Mapping[str, Any]]
    arrays: Mapping[str, ArrayFacts]
    index: IndexFacts | None
    foreign: tuple[str, ...] = ()
    n_spec_expected: int | None = None

    @property
    def n_spec(self) -> int:
        """Rows of the flux, 0 when it is absent or not two-dimensional."""
        return self._flux_axis(0)

    @property
    def n_pix(self) -> int:
        """Pixels of the flux, 0 when it is absent or not two-dimensional."""
        return self._flux_axis(1)

    def _flux_axis(self, axis: int) -> int:
        flux = self.arrays.get("signal/flux_raw")
        return flux.shape[axis] if flux is not None and len(flux.shape) == 2 else 0

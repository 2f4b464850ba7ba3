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
    inner_chunks : tuple of int, optional
        Chunk shape inside the shards, None where the array is not sharded.
    codec : tuple of (str, int, str), optional
        Blosc compressor, level and shuffle; None for any other compression.
    typesize : int, optional
        Element size that the codec is told, None where it is not told.
    unreadable : str
        Why the chunks cannot or must not be decoded, '' when they can.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    kind: str
    itemsize: int
    codec: tuple[str, int, str] | None
    attributes: Mapping[str, Any]
    inner_chunks: tuple[int, ...] | None = None
    typesize: int | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """Structure of ``index.parquet``.

    Attributes
    ----------
    columns : mapping
        Name to Arrow type.
    longest_row_group : int
        Rows of the longest row group.
    compressions : frozenset of str
        Compression of the column chunks, lower case.
    """

    rows: int
    columns: Mapping[str, str]
    longest_row_group: int = 0
    compressions: frozenset[str] = frozenset({"zstd"})


@dataclass(frozen=True, slots=True)
class Count:
    """Rows that show one symptom in one array.

    Attributes
    ----------
    rows : tuple of int
        The first few.
    number : int
        How many there are, 0 when the symptom is not one of rows.
    reason : str
        What a decoder or checksum said, '' when the symptom says all.
    """

    rows: tuple[int, ...]
    number: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What was counted over all rows.

    Attributes
    ----------
    offences : mapping
        Symptom and array to the rows that show it.
    finite : frozenset of str
        Arrays with at least one finite value.
    one_grid : bool
        Whether all rows of a two-dimensional wavelength are the same grid.
    from_fits : bool
        Whether some row names a FITS file as its source.
    """

    offences: Mapping[tuple[str, str], Count] = field(default_factory=dict)
    finite: frozenset[str] = frozenset()
    one_grid: bool = False
    from_fits: bool = False


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
        Files and directories that belong neither to Zarr nor to the contract.
    problems : tuple of (str, str)
        Metadata documents that cannot be read, with the reason.
    unknown : tuple of (str, str)
        Arrays that the contract does not name and this version cannot describe, with the reason.
    n_spec_expected : int, optional
        Rows that there should be, None when nobody says.
    unfinished_beside : str
        Name of a store in the making beside this one, '' when there is none.
    for_reading : bool
        Whether the question is if readers may use the store, not if it may be published.
    """

    name: str
    zarr_format: int
    attributes: Mapping[str, Any]
    groups: tuple[str, ...]
    group_attributes: Mapping[str, Mapping[str, Any]]
    arrays: Mapping[str, ArrayFacts]
    index: IndexFacts | None
    index_problem: str = ""
    foreign: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    n_spec_expected: int | None = None
    unfinished_beside: str = ""
    for_reading: bool = False

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

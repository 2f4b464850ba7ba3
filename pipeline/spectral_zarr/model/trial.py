"""Trials of chunk layouts: what is written and read on a file system, and what it took."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Literal

ACCESSES = ("write", "row", "batch", "epoch", "window")
"""Ways of using a store that are measured: writing it and syncing it, whole rows one by one, batches of random rows,
all rows in blocks of whole chunks in random order, and a window of wavelengths of all rows."""

READS = ACCESSES[1:]

Cache = Literal["cold", "asked", "warm"]
"""Whether the page cache was empty before a read: seen to be, asked to be, or not."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the (N_spec, N_pix) arrays are cut.

    Attributes
    ----------
    rows, columns : int
        Shape of a chunk; of an inner chunk where there are shards.
    shard_rows, shard_columns : int
        Shape of a shard, 0 without.
    """

    rows: int
    columns: int
    shard_rows: int = 0
    shard_columns: int = 0
    zarr_format: Literal[2, 3] = 3
    clevel: int = 5

    @property
    def sharded(self) -> bool:
        """Whether several chunks share a file."""
        return self.shard_rows > 0

    @property
    def outer(self) -> tuple[int, int]:
        """Rows and columns of one file."""
        return (self.shard_rows, self.shard_columns) if self.sharded else (self.rows, self.columns)

    @property
    def label(self) -> str:
        """The layout in a few characters, different from that of any other."""
        shard = f" in shards ({self.shard_rows}, {self.shard_columns})" if self.sharded else ""
        return f"({self.rows}, {self.columns}){shard} v{self.zarr_format} clevel {self.clevel}"


@dataclass(frozen=True, slots=True)
class RowsTask:
    """Rows to write into the common source of all trials.

    Attributes
    ----------
    source : str
        A .npy file of shape (2, rows, N_pix): flux and uncertainty.
    start, stop : int
        Rows of the source.
    store : str
        Where the rows come from, '' to draw them.
    first : int
        Row of the store that becomes row `start`.
    """

    source: str
    start: int
    stop: int
    store: str = ""
    first: int = 0


@dataclass(frozen=True, slots=True)
class TrialTask:
    """One layout to try once.

    Attributes
    ----------
    directory : str
        Where to write; what is written is removed again.
    source : str
        The .npy file that is written.
    seed : int
        Chooses the random rows, the same ones for all layouts.
    """

    directory: str
    source: str
    layout: Layout
    seed: int


@dataclass(frozen=True, slots=True)
class Access:
    """One way of using the store, measured.

    Attributes
    ----------
    n_rows : int
        Spectra written or delivered.
    nbytes : int
        Bytes of pixels written or delivered, uncompressed.
    seconds, cpu_seconds : float
        Elapsed time, and time of all threads.
    nbytes_read : int
        Bytes that were asked of the file system, 0 when writing.
    """

    name: str
    n_rows: int
    nbytes: int
    seconds: float
    cpu_seconds: float
    nbytes_read: int

    @property
    def amplification(self) -> float:
        """Bytes read for one byte delivered."""
        return self.nbytes_read / self.nbytes


@dataclass(frozen=True, slots=True)
class TrialReceipt:
    """What one trial gave; `nbytes` and `n_files` are those of the chunks and documents on disk."""

    layout: Layout
    accesses: tuple[Access, ...]
    nbytes_logical: int
    nbytes: int
    n_files: int
    cache: Cache


@dataclass(frozen=True, slots=True)
class Trial:
    """A layout and its receipts, one of each round."""

    layout: Layout
    receipts: tuple[TrialReceipt, ...]

    def milliseconds(self, access: str) -> tuple[float, ...]:
        """Elapsed milliseconds per spectrum, of each round."""
        measured = [one for receipt in self.receipts for one in receipt.accesses if one.name == access]
        return tuple(1e3 * one.seconds / one.n_rows for one in measured)

    def best(self, access: str) -> float:
        """Least of `milliseconds`: other work on the machine only ever adds to the time, so this compares best."""
        return min(self.milliseconds(access))

    def median(self, access: str) -> float:
        """Median of `milliseconds`."""
        return statistics.median(self.milliseconds(access))

    def cpu_median(self, access: str) -> float:
        """Median of the milliseconds of all cores per spectrum."""
        measured = [one for receipt in self.receipts for one in receipt.accesses if one.name == access]
        return statistics.median(1e3 * one.cpu_seconds / one.n_rows for one in measured)

    def amplification(self, access: str) -> float:
        """Bytes read for one byte delivered, which is the same in all rounds up to a few documents."""
        measured = [one for receipt in self.receipts for one in receipt.accesses if one.name == access]
        return statistics.median(one.amplification for one in measured)

    @property
    def ratio(self) -> float:
        """Uncompressed bytes for one byte on disk."""
        return self.receipts[0].nbytes_logical / self.receipts[0].nbytes

    @property
    def cache(self) -> Cache:
        """The warmest of all rounds."""
        caches = {receipt.cache for receipt in self.receipts}
        return "warm" if "warm" in caches else "asked" if "asked" in caches else "cold"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a recommended layout costs in one respect: `factor` times the best of all layouts tried."""

    respect: str
    factor: float
    best: Layout


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The layout to take for an access, why, its price elsewhere, and the lines of the configuration for it."""

    layout: Layout
    access: str
    reason: str
    costs: tuple[Cost, ...]
    config: str

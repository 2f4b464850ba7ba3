"""The build plan: everything that fill and finalise need, decided once and frozen with a digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.model.grid import Grid
from spectral_zarr.model.source import Note


@dataclass(frozen=True, slots=True)
class BatchRows:
    """The published rows of one staged batch."""

    batch: int
    first_row: int
    n_staged: int
    excluded: tuple[int, ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows of the batch that enter the store."""
        return self.n_staged - len(self.excluded)


@dataclass(frozen=True, slots=True)
class WavelengthPlan:
    """How wavelengths are stored.

    ``identical`` and ``lattice`` give a (N_pix,) array, ``ragged`` a (N_spec, N_pix) array padded with NaN
    at the end of each row. `grid` is the common grid; for an explicit one `batch` holds its values.
    """

    kind: Literal["identical", "lattice", "ragged"]
    medium: str
    grid: Grid | None = None
    batch: int = -1


@dataclass(frozen=True, slots=True)
class CatalogPlan:
    """The catalogue rows that are joined to the spectra.

    Attributes
    ----------
    name, sha256 : str
        The catalogue that the user named, and the SHA-256 of its bytes.
    key, field : str
        Column of the catalogue, and what it equals in the store.
    params : tuple of str
        Parameters with a value for some spectrum.
    n_matched : int
        Spectra with a row in the catalogue.
    nbytes : int
        Bytes of the rows that are kept for the join.
    """

    name: str
    sha256: str
    key: str
    field: str
    params: tuple[str, ...]
    n_matched: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class MemoryPromise:
    """Largest working memory of one task in bytes, beyond the interpreter and its imports."""

    stage: int
    fill: int
    finalise: int
    interpreter: int

    @property
    def worker(self) -> int:
        """Bytes that a worker process needs in total."""
        return self.interpreter + max(self.stage, self.fill, self.finalise)


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """The frozen plan of a build."""

    n_spec: int
    n_pix: int
    n_input_files: int
    n_rejected: int
    wavelength: WavelengthPlan
    flux_unit: str
    flux_unit_original: str
    chunk_rows: int
    chunk_columns: int
    zarr_format: Literal[2, 3]
    clevel: int
    arrays: tuple[str, ...]
    has_normalized: bool
    batches: tuple[BatchRows, ...]
    header: tuple[tuple[HeaderKey, str], ...]
    params: tuple[str, ...]
    readers: tuple[str, ...]
    products: tuple[str, ...]
    memory: MemoryPromise
    logical_bytes: int
    n_files: int
    created_at: str
    git_commit: str
    config: str
    data_rights: str = ""
    catalog: CatalogPlan | None = None
    notes: tuple[Note, ...] = ()
    sha256: str = ""

    @property
    def n_blocks(self) -> int:
        """Number of row blocks, the fill tasks."""
        return -(-self.n_spec // self.chunk_rows)

    def block_rows(self, block: int) -> range:
        """Rows of the store that a block holds."""
        return range(block * self.chunk_rows, min((block + 1) * self.chunk_rows, self.n_spec))


@dataclass(frozen=True, slots=True)
class BlockTask:
    """One fill task: the row block and the staged batches that it reads."""

    block: int
    plan_sha256: str
    batches: tuple[BatchRows, ...]

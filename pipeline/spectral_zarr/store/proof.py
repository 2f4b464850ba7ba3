"""The receipts of a build, by array and key: what every file of its store must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from spectral_zarr.contract import schema
from spectral_zarr.errors import DamagedBuild, UsageError
from spectral_zarr.model import BlockReceipt, BuildPlan, ChunkReceipt
from spectral_zarr.store.chunk_reader import file_problem
from spectral_zarr.store.chunks import chunk_key, elided
from spectral_zarr.store.columns import INDEX
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import freeze_plan, read_record

Receipts = Mapping[str, Mapping[str, ChunkReceipt]]
"""Path of an array to key to receipt."""

NO_ARRAY = ""
"""Array of the receipts of files that are no chunks: documents and the index."""


class Proof:
    """Receipts in the build directory of a store.

    Parameters
    ----------
    target : Path
        Path of the published store; its build directory lies beside it.

    Raises
    ------
    UsageError
        When there is no plan of a build beside the store.
    DamagedBuild
        When the plan, or later a receipt, is absent, cut short or of another build.
    """

    def __init__(self, target: Path) -> None:
        self._paths = BuildPaths.of(target)
        if not self._paths.plan.exists():
            message = f"there are no receipts in {self._paths.build.name} beside the store; check it without --deep"
            raise UsageError(message, path=str(target))
        self.plan = read_record(self._paths.plan, BuildPlan)
        if freeze_plan(self.plan).sha256 != self.plan.sha256:
            raise DamagedBuild("the plan is not the one that was frozen", path=str(self._paths.plan))
        self._columns: Receipts | None = None

    def blocks(self, rows: range) -> Receipts:
        """Receipts of the cubes for a range of rows; rows that the plan does not know have none."""
        first, last = rows.start // self.plan.chunk_rows, (rows.stop - 1) // self.plan.chunk_rows
        blocks = range(first, min(last + 1, self.plan.n_blocks))
        receipts = [receipt for block in blocks for receipt in self._chunks(self._paths.block_receipt(block))]
        keys = [
            chunk_key(self.plan.zarr_format, block, column)
            for block in blocks
            for column in range(-(-self.plan.n_pix // self.plan.chunk_columns))
        ]
        # An array that no spectrum fills was never written, so that its blocks do not speak of it.
        unwritten = [array for array in schema.CUBES if array not in self.plan.arrays]
        return _by_array([*receipts, *(elided(array, key) for array in unwritten for key in keys)])

    def columns(self) -> Receipts:
        """Receipts of the (N_spec,) arrays, the common wavelength, the documents and the index."""
        if self._columns is None:
            self._columns = _by_array(self._chunks(self._paths.columns_receipt))
        return self._columns

    def fits(self, store: Path) -> bool:
        """Whether the index and every document below the root are what was written."""
        receipts = self.columns().get(NO_ARRAY, {})
        below = [key for key in receipts if "/" in key or key == INDEX]
        return bool(below) and all(file_problem(store / key, receipts[key]) is None for key in below)

    def _chunks(self, path: Path) -> tuple[ChunkReceipt, ...]:
        record = read_record(path, BlockReceipt)
        if record.plan_sha256 != self.plan.sha256:
            raise DamagedBuild("a receipt of another plan", path=str(path))
        return record.chunks


def proof_of(target: str) -> Proof:
    """The receipts of a store, read once per process.

    Raises
    ------
    UsageError
        See `Proof`.
    """
    receipt = BuildPaths.of(target).columns_receipt
    return _proof_of(target, receipt.stat().st_mtime_ns if receipt.exists() else 0)


@lru_cache(maxsize=2)
def _proof_of(target: str, moment: int) -> Proof:
    return Proof(Path(target))


def _by_array(receipts: Iterable[ChunkReceipt]) -> Receipts:
    found: dict[str, dict[str, ChunkReceipt]] = {}
    for receipt in receipts:
        found.setdefault(receipt.array, {})[receipt.key] = receipt
    return found

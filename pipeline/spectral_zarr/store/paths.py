"""Where a build keeps its files: the target, the store in the making, and the build directory beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spectral_zarr.errors import BadTarget

PARTIAL = ".partial"
"""Suffix of files that are being written; they are replaced atomically and never read."""

PIXELS = ".pixels.arrow"
"""Suffix of the staged pixels of a batch."""


def pixels_name(batch: int) -> str:
    """Name of the staged pixels of a batch."""
    return f"{batch:06d}{PIXELS}"


def columns_name(batch: int) -> str:
    """Name of the staged columns of a batch."""
    return f"{batch:06d}.columns.arrow"


def receipt_name(batch: int) -> str:
    """Name of the proof that a batch is staged."""
    return f"{batch:06d}.receipt.json"


@dataclass(frozen=True, slots=True)
class BuildPaths:
    """Paths of one build; everything is a sibling of the target, so that one rename publishes it."""

    target: Path

    @classmethod
    def of(cls, target: str | Path) -> BuildPaths:
        """Paths for a target.

        Raises
        ------
        BadTarget
            When the name does not end in ``.zarr`` or its parent is not a directory.
        """
        path = Path(target).absolute()
        if path.suffix != ".zarr" or path.stem in ("", ".zarr"):
            raise BadTarget("the output must be named <dataset>.zarr", path=str(target))
        if not path.parent.is_dir():
            raise BadTarget(f"the directory {path.parent} does not exist; create it first", path=str(target))
        return cls(path)

    @property
    def tmp(self) -> Path:
        """The store in the making."""
        return self.target.with_name(self.target.name + ".tmp")

    @property
    def build(self) -> Path:
        """Claim, plan, staged files, receipts, rejections and log."""
        return self.target.with_name(self.target.name + ".build")

    @property
    def staged(self) -> Path:
        """The staging store."""
        return self.build / "staged"

    @property
    def receipts(self) -> Path:
        """Receipts of filled row blocks and of the columns."""
        return self.build / "receipts"

    @property
    def claims(self) -> Path:
        """Who builds, since when, and from what: one claim for each attempt, of which the last one counts."""
        return self.build / "claims"

    @property
    def parts(self) -> Path:
        """Which parts of a phase are at work: one claim for each."""
        return self.build / "parts"

    def share(self, phase: str) -> Path:
        """How the work of a phase is shared among its parts."""
        return self.build / f"{phase}-share.json"

    @property
    def intent(self) -> Path:
        """What the publication that is under way does, so that the next start can finish or undo it."""
        return self.build / "publish-intent.json"

    @property
    def old_build(self) -> Path:
        """Records of the published store while another one is being built to replace it."""
        return self.target.with_name(self.target.name + ".old-build")

    @property
    def plan(self) -> Path:
        """The frozen plan."""
        return self.build / "plan.json"

    @property
    def catalog(self) -> Path:
        """The catalogue rows that are joined to the spectra."""
        return self.staged / "catalog.arrow"

    @property
    def rejections(self) -> Path:
        """Everything that was rejected."""
        return self.build / "rejections.parquet"

    @property
    def report(self) -> Path:
        """Findings of the last validation."""
        return self.build / "report.json"

    @property
    def log(self) -> Path:
        """What happened, one file of JSON lines for each process that drives the build."""
        return self.build / "log"

    @property
    def run(self) -> Path:
        """Keys and logs of the jobs of a launch."""
        return self.build / "run"

    @property
    def records(self) -> frozenset[str]:
        """Names of everything that a build keeps in its directory."""
        shares = (self.share("stage"), self.share("fill"))
        directories = (self.staged, self.receipts, self.claims, self.parts, self.log, self.run)
        files = (self.plan, self.report, self.rejections, self.intent)
        return frozenset(path.name for path in (*shares, *directories, *files))

    def staged_pixels(self, batch: int) -> Path:
        """Staged pixels of a batch."""
        return self.staged / pixels_name(batch)

    def staged_columns(self, batch: int) -> Path:
        """Staged columns of a batch."""
        return self.staged / columns_name(batch)

    def stage_receipt(self, batch: int) -> Path:
        """Proof that a batch is staged."""
        return self.staged / receipt_name(batch)

    def claim(self, attempt: int) -> Path:
        """Claim of one attempt."""
        return self.claims / f"{attempt:06d}.json"

    def block_receipt(self, block: int) -> Path:
        """Proof of a filled row block."""
        return self.receipts / f"block-{block:06d}.json"

    @property
    def columns_receipt(self) -> Path:
        """Proof of the (N_spec,) arrays."""
        return self.receipts / "columns.json"

"""The error tree: every failure has a stable code, a place (path, HDU, row) and a message that says what to do."""

from __future__ import annotations

import errno
from typing import ClassVar

TRANSIENT_ERRNOS = frozenset(
    (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET, errno.EHOSTDOWN, errno.EREMOTEIO, errno.ENOTCONN)
)
"""Errors of the operating system that the next attempt may not meet: a file server that restarts, a lost reply."""


def _rebuild(cls: type[SpectralZarrError], message: str, place: dict[str, object]) -> SpectralZarrError:
    return cls(message, **place)  # type: ignore[arg-type]


class SpectralZarrError(Exception):
    """Root of the tree.

    Parameters
    ----------
    message : str
        What happened and what to do about it.
    path : str, optional
        The file or store concerned, '' when there is none.
    hdu, row : int, optional
        Zero-based HDU index and row (of a table or image) concerned.

    Attributes
    ----------
    code : str
        Stable identifier of the failure, part of the public contract of the package.
    exit_code : int
        Exit status of the command line for this failure.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 6

    def __init__(self, message: str, *, path: str = "", hdu: int | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hdu = hdu
        self.row = row

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, {"path": self.path, "hdu": self.hdu, "row": self.row})

    def __str__(self) -> str:
        place = self.path
        if self.hdu is not None:
            place += f"[{self.hdu}]"
        if self.row is not None:
            place += f" row {self.row}"
        return f"{self.code}: {place + ': ' if place else ''}{self.message}"


class UsageError(SpectralZarrError):
    """The command or a configuration value cannot be understood."""

    code = "usage"
    exit_code = 2


class NoSources(UsageError):
    """Nothing to ingest was found."""

    code = "no-sources"


class BadTarget(UsageError):
    """The output path cannot name a store."""

    code = "bad-target"


class ConfigError(UsageError):
    """The configuration file is wrong."""

    code = "config"


class BadCatalog(UsageError):
    """The catalogue of parameters cannot be read, or does not identify the spectra."""

    code = "bad-catalog"


class SourceError(SpectralZarrError):
    """One source file, or one spectrum in it, cannot be ingested; it becomes a rejection."""

    code = "source"
    exit_code = 3


class Unreadable(SourceError):
    """The operating system refuses to read the file, or it is not a regular file."""

    code = "unreadable"


class SourceChanged(SourceError):
    """The file has another size than when the sources were listed."""

    code = "source-changed"


class EmptyFile(SourceError):
    """The file has no bytes."""

    code = "empty-file"


class NotFits(SourceError):
    """The file is not FITS."""

    code = "not-fits"


class Truncated(SourceError):
    """The file is shorter than its headers declare."""

    code = "truncated"


class CorruptFits(SourceError):
    """The file begins like FITS but its headers or data contradict the standard."""

    code = "corrupt-fits"


class DamagedData(SourceError):
    """The data of a FITS file are not what its header says of them: bytes were lost, moved or changed."""

    code = "damaged-data"


class NotASpectrum(SourceError):
    """The file is sound FITS without a spectrum that a reader understands."""

    code = "not-a-spectrum"


class RefusedProduct(SourceError):
    """The product is recognised, and cannot be stored as spectra without a decision by the user."""

    code = "refused-product"


class LeftOut(SourceError):
    """The survey itself flags the file or some of its rows: sky, a dead fibre, no exposure."""

    code = "left-out"


class UnknownUnit(SourceError):
    """The unit of the wavelength or the flux is missing or cannot be understood."""

    code = "unknown-unit"


class BadWavelength(SourceError):
    """The wavelength axis is not finite and strictly monotonic."""

    code = "bad-wavelength"


class MissingField(SourceError):
    """A column, HDU or keyword that the product must have is absent."""

    code = "missing-field"


class AllNaN(SourceError):
    """No pixel of the flux is finite."""

    code = "all-nan"


class AllZero(SourceError):
    """Every finite pixel of the flux is exactly zero."""

    code = "all-zero"


class TooFewPixels(SourceError):
    """Less than the required share of pixels carries a measurement."""

    code = "too-few-pixels"


class FiniteGarbage(SourceError):
    """An observed flux has many finite values of absurd size, the mark of damaged bytes."""

    code = "finite-garbage"


class FluxRange(SourceError):
    """The flux does not fit the range of float32 in its unit."""

    code = "flux-range"


class DuplicateSpecId(SourceError):
    """Two spectra claim the same identifier."""

    code = "duplicate-spec-id"


class ReaderFailure(SourceError):
    """A reader met a layout that it does not expect."""

    code = "reader-failure"


class ReaderDied(SourceError):
    """The process that read the file alone died of it, twice."""

    code = "reader-died"


class ReaderTimeout(SourceError):
    """Reading the file alone took longer than any file may take."""

    code = "reader-timeout"


class ReaderMemory(SourceError):
    """Reading the file alone took more memory than its size justifies."""

    code = "reader-memory"


class TooManyRejections(SpectralZarrError):
    """More spectra were rejected than ``--max-rejected`` allows."""

    code = "too-many-rejections"
    exit_code = 3


class NothingAccepted(TooManyRejections):
    """Every spectrum was rejected."""

    code = "nothing-accepted"


class ContractViolation(SpectralZarrError):
    """The store would break the data contract."""

    code = "contract"
    exit_code = 4


class MixedDataset(ContractViolation):
    """The accepted spectra disagree in unit, medium or frame and cannot share one store."""

    code = "mixed-dataset"


class TargetExists(SpectralZarrError):
    """The store to be published exists already."""

    code = "target-exists"
    exit_code = 5


class StagingBusy(SpectralZarrError):
    """Another build, alive or interrupted, holds the target."""

    code = "staging-busy"
    exit_code = 5


class ResumeRefused(StagingBusy):
    """The interrupted build was made from something else, so that continuing it would mix two data sets."""

    code = "resume-refused"


class PartsMissing(SpectralZarrError):
    """A phase of a build in parts cannot begin, because parts of the phase before it have no proof on disk."""

    code = "parts-missing"
    exit_code = 5


class EnvironmentFault(SpectralZarrError):
    """The machine failed the build: disk, memory, permissions or cluster."""

    code = "environment"
    exit_code = 6


class DiskFull(EnvironmentFault):
    """No space or no inodes are left."""

    code = "disk-full"


class TransientFault(EnvironmentFault):
    """The file system or the network failed for a moment; trying again helped nothing so far."""

    code = "transient"


class MemoryLimit(EnvironmentFault):
    """A worker may use less memory than a task needs."""

    code = "memory-limit"


class DamagedBuild(EnvironmentFault):
    """A staged file, receipt or plan is not what its proof says."""

    code = "damaged-build"


class PublishUncertain(EnvironmentFault):
    """The file system reported success and the published store is not there."""

    code = "publish-uncertain"


class StoreChanged(EnvironmentFault):
    """A store that is being read was removed or replaced, and what is left of it is incomplete."""

    code = "store-changed"


class ClusterLost(EnvironmentFault):
    """The scheduler or too many workers are gone."""

    code = "cluster-lost"


class JobRefused(EnvironmentFault):
    """The batch system does not take the jobs of the workers."""

    code = "job-refused"


class PreflightFailed(EnvironmentFault):
    """A worker on another node is another program, or does not see the same files."""

    code = "preflight"


class Interrupted(SpectralZarrError):
    """The build was stopped by a signal and can be resumed."""

    code = "interrupted"
    exit_code = 75

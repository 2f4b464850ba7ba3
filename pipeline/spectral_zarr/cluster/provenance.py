"""Who made a store: name and version of the pipeline, commit of the package, versions of its libraries, time."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from spectral_zarr.errors import EnvironmentFault

_LIBRARIES = ("astropy", "dask", "distributed", "numcodecs", "numpy", "pyarrow", "zarr")


@cache
def package_version() -> str:
    """Version of this package."""
    try:
        return version("spectral-zarr")
    except PackageNotFoundError:
        return "0+unknown"


def pipeline_name() -> str:
    """Text of the root attribute ``ingest_pipeline``."""
    return f"spectral-zarr {package_version()}"


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide what is written."""
    return {name: version(name) for name in _LIBRARIES}


@cache
def package_commit() -> str:
    """Commit of the package's own sources.

    The environment variable ``SPECTRAL_ZARR_GIT_COMMIT``, else the commit baked into the wheel, else that of the
    checkout which the package is part of, with ``-dirty`` for local changes; ``unknown`` without any. The working
    directory plays no part.

    Raises
    ------
    EnvironmentFault
        When git could not be run for a reason that may pass.
    """
    given = os.environ.get("SPECTRAL_ZARR_GIT_COMMIT", "").strip()
    if given:
        return given
    package = Path(__file__).resolve().parents[1]
    baked = package / "_commit.txt"
    if baked.exists():
        return baked.read_text().strip()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        # A virtual environment inside somebody's repository is not part of that repository.
        git("ls-files", "--error-unmatch", "errors.py")
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError) as error:
        no_git = isinstance(error, FileNotFoundError | PermissionError)
        no_checkout = isinstance(error, subprocess.CalledProcessError) and error.returncode > 0
        if no_git or no_checkout:
            return "unknown"
        # What another start would find must not be recorded as unknown.
        message = f"git does not tell the commit of the package ({error}); mend it and run the same command"
        raise EnvironmentFault(message, path=str(package)) from error


def timestamp() -> str:
    """The current time, or ``SOURCE_DATE_EPOCH``, as ``YYYY-MM-DDThh:mm:ssZ``."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

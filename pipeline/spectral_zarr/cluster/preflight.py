"""Before the first task, one worker shows that it is the same program and sees the same files."""

from __future__ import annotations

import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectral_zarr.cluster.provenance import package_version
from spectral_zarr.errors import PreflightFailed

LEAST_SCRATCH_BYTES = 64 << 20
PREFLIGHT_SECONDS = 120.0

SEEN = "__import__('spectral_zarr.cluster.preflight', fromlist=['seen_here']).seen_here({!r}, {!r})"
"""Evaluated by the worker: one that cannot import this package would die of a function from it, and say nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a worker sees.

    Attributes
    ----------
    node, version : str
        Its node, and its version of this package.
    token : str
        What is in the token file, '' when there is none.
    trouble : str
        What cannot be written, in words.
    """

    node: str
    version: str
    token: str
    trouble: str


def preflight(client: Any, worker: str, token: str, token_file: Path, target: Path) -> Seen:
    """Ask one worker.

    Raises
    ------
    PreflightFailed
        When it is another version, does not see the directory of the store, or cannot write there or to its scratch.
    """
    question = SEEN.format(str(token_file), str(target.parent))
    future = client.submit(eval, question, workers=[worker], pure=False, retries=0)
    try:
        seen: Seen = future.result(timeout=PREFLIGHT_SECONDS)
    except (ImportError, AttributeError) as error:
        message = f"the first worker cannot import this package ({error}); set python or prologue in the site profile"
        raise PreflightFailed(message, path=worker) from error
    except Exception as error:
        raise PreflightFailed(
            f"the first worker does not answer: {type(error).__name__}: {error}", path=worker
        ) from error
    if seen.version != package_version():
        message = f"spectral-zarr is {seen.version} on {seen.node} and {package_version()} here; install one version"
        raise PreflightFailed(message, path=seen.node)
    if seen.token != token:
        message = f"{seen.node} does not see this directory; use a file system that all nodes share"
        raise PreflightFailed(message, path=str(token_file.parent))
    if seen.trouble:
        raise PreflightFailed(f"on {seen.node}, {seen.trouble}", path=str(target))
    return seen


def seen_here(token_file: str, directory: str) -> Seen:
    """What this process sees; runs on the worker."""
    try:
        token = Path(token_file).read_text()
    except OSError:
        token = ""
    trouble = _unwritable(directory)
    scratch = _scratch()
    if not trouble:
        trouble = _unwritable(scratch)
        if not trouble and shutil.disk_usage(scratch).free < LEAST_SCRATCH_BYTES:
            trouble = f"the scratch directory {scratch} is full; name another one in the site profile"
    return Seen(socket.gethostname(), package_version(), token, trouble)


def _scratch() -> str:
    from distributed import get_worker

    return str(get_worker().local_directory)


def _unwritable(directory: str) -> str:
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0")
    except OSError as error:
        return f"{directory} cannot be written to: {error.strerror or error}"
    return ""

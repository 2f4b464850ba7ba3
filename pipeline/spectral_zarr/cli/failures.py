"""From an exception to one line on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import traceback
from types import FrameType

import typer

from spectral_zarr.cli.terminal import clean, messages
from spectral_zarr.errors import DiskFull, EnvironmentFault, Interrupted, SpectralZarrError, UsageError

DEBUG_VARIABLE = "SPECTRAL_ZARR_DEBUG"
BUG_EXIT_CODE = 70


def interrupt_on_terminate() -> None:
    """Treat SIGTERM, which Slurm sends before the time is up, like Ctrl-C; workers are not affected."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def report(error: BaseException) -> int:
    """Print what happened, where and what to do, and give the exit code.

    Parameters
    ----------
    error : BaseException
        Whatever ended the command.

    Returns
    -------
    int
        The exit code of the failure, 70 for a bug.
    """
    if os.environ.get(DEBUG_VARIABLE):
        messages().print(clean_lines("".join(traceback.format_exception(error))), soft_wrap=True)
    known = _translated(error)
    if known is None:
        kind = type(error).__name__
        text = f"bug: {kind}: {error}; this is a fault of spectral-zarr, please report it"
        print_error(f"{text} with the output of {DEBUG_VARIABLE}=1")
        return BUG_EXIT_CODE
    print_error(str(known))
    return known.exit_code


def print_error(text: str) -> None:
    """One line that begins with a red ``error``."""
    from rich.text import Text

    messages().print(Text.assemble(("error ", "bold red"), clean(text)), soft_wrap=True)


def clean_lines(text: str) -> str:
    """Escape every line of a text and keep the line breaks."""
    return "\n".join(clean(line) for line in text.split("\n"))


def _translated(error: BaseException) -> SpectralZarrError | None:
    if isinstance(error, SpectralZarrError):
        return error
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Interrupted("stopped before anything was published; run the same command again")
    if hasattr(error, "format_message"):  # Typer has its own copy of Click in some versions and depends on it in others
        hint = getattr(getattr(error, "ctx", None), "command_path", "spectral-zarr")
        return UsageError(f"{error.format_message().rstrip('.')}; see '{hint} --help'")
    if isinstance(error, MemoryError):
        return EnvironmentFault("the memory is used up; give more, or fewer --workers")
    if isinstance(error, OSError):
        where = str(error.filename or "")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull("no space, quota or inodes left; free some and run the same command again", path=where)
        return EnvironmentFault(f"{error.strerror or error}; mend it and run the same command again", path=where)
    return None

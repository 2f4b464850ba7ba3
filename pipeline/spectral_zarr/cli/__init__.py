"""The command line: every command, its output for people and for programs, and its exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from spectral_zarr.cli import (
    bench,
    builds,
    demo,
    failures,
    ingest,
    inspect,
    phases,
    readers,
    slurm_script,
    status,
    validate,
)
from spectral_zarr.cli.terminal import forgiving_streams
from spectral_zarr.cluster.workers import become_worker

TYPER_INTERRUPTED = 130
"""What Typer makes of a KeyboardInterrupt that no command has caught."""

app = typer.Typer(
    name="spectral-zarr",
    help="FITS spectra of any survey, in one machine-learning-ready Zarr store per dataset.",
    epilog="Exit codes: 0 done, 2 usage, 3 too many rejections, 4 contract findings, 5 busy or target exists, "
    "6 environment, 70 bug, 75 interrupted and resumable.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("demo")(demo.demo)
app.command("inspect")(inspect.inspect)
app.command("ingest")(ingest.ingest)
app.command("stage")(phases.stage)
app.command("plan")(phases.plan)
app.command("fill")(phases.fill)
app.command("finalise")(phases.finalise)
app.command("slurm-script")(slurm_script.slurm_script)
app.command("validate")(validate.validate)
app.command("status")(status.status)
app.command("abort")(builds.abort)
app.command("readers")(readers.readers)
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        from spectral_zarr.cluster.provenance import package_version

        typer.echo(f"spectral-zarr {package_version()}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """FITS spectra of any survey, in one machine-learning-ready Zarr store per dataset."""


def run(arguments: list[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str
        The command line without the name of the program.

    Returns
    -------
    int
        The exit code; every failure has been printed.
    """
    forgiving_streams()
    try:
        code = app(arguments or ["--help"], prog_name="spectral-zarr", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; the interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return failures.report(error)
    if code == TYPER_INTERRUPTED:
        return failures.report(KeyboardInterrupt())
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the command ``spectral-zarr``."""
    become_worker()
    failures.interrupt_on_terminate()
    sys.exit(run(sys.argv[1:]))

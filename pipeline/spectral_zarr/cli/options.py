"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="Options of readers and store, a TOML file.")
]
Workers: TypeAlias = Annotated[
    int, typer.Option("--workers", "-w", min=0, metavar="N", help="Worker processes; 0 for one per core.")
]
AutoCluster: TypeAlias = Annotated[
    str,
    typer.Option(
        "--cluster",
        metavar="WHERE",
        help="Where tasks run: auto (this process, or all cores when there is much to do), serial, local, "
        "or the address of a Dask scheduler.",
    ),
]
CheckCluster: TypeAlias = Annotated[
    str,
    typer.Option(
        "--cluster",
        metavar="WHERE",
        help="Where chunks are decoded: local (a process per core), serial (one process), or the address of a Dask "
        "scheduler.",
    ),
]
LocalCluster: TypeAlias = Annotated[
    str,
    typer.Option(
        "--cluster",
        metavar="WHERE",
        help="Where tasks run: local (all cores), serial (this process), or the address of a Dask scheduler.",
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Target: TypeAlias = Annotated[str, typer.Argument(metavar="OUT.zarr", help="The store that is being built.")]

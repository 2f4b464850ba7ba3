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
IngestCluster: TypeAlias = Annotated[
    str,
    typer.Option(
        "--cluster",
        metavar="WHERE",
        help="Where tasks run: local (all cores), serial (this process), slurm (jobs that it submits), srun (the nodes "
        "of the job that it runs in), or the address of a Dask scheduler.",
    ),
]
Profile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--profile", metavar="FILE", help="What slurm and srun are told about the site, a TOML file."),
]
RunDirectory: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--run-directory",
        metavar="DIR",
        help="Keys and logs of the workers of slurm and srun, where all nodes see them; OUT.zarr.build/run.",
    ),
]
Dashboard: TypeAlias = Annotated[
    bool,
    typer.Option("--dashboard", help="Serve the dashboard of slurm and srun on loopback, and print how to get there."),
]
Insecure: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="No encryption and no keys between driver and workers of slurm and srun: whoever reaches the scheduler, "
        "which is every user of the cluster, can run programs as you.",
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; the result is printed.")]
Silent: TypeAlias = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress and no summary, only errors and rejections."),
]
Target: TypeAlias = Annotated[str, typer.Argument(metavar="OUT.zarr", help="The store that is being built.")]
SourcesAndTarget: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCES... OUT.zarr",
        help="Files, directories, quoted patterns or @list.txt; last, the store to make.",
        show_default=False,
    ),
]
MaxRejected: TypeAlias = Annotated[
    str, typer.Option(metavar="N|P%", help="Rejections to accept: a number such as 5, or a share such as 2%.")
]
Catalog: TypeAlias = Annotated[
    str, typer.Option(metavar="TABLE", help="Stellar parameters to join: FITS, Parquet, CSV or VOTable.")
]
CatalogKey: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="COLUMN[=FIELD]",
        help="Column of the catalogue that identifies the spectra, and the metadata field that it equals.",
    ),
]
Limit: TypeAlias = Annotated[int, typer.Option(min=0, metavar="N", help="Only the first N files; 0 for all.")]
ZarrFormat: TypeAlias = Annotated[
    int | None, typer.Option(min=2, max=3, metavar="2|3", help="Zarr format; 3, or what the configuration says.")
]
Part: TypeAlias = Annotated[
    str, typer.Option("--part", metavar="I/N", help="Which of how many parts, for example 2/16.", show_default=False)
]

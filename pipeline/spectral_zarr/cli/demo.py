"""``spectral-zarr demo``: sample files of several products, each ingested, validated and shown."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import clean, duration, results, size
from spectral_zarr.errors import BadTarget, ContractViolation, TargetExists

if TYPE_CHECKING:
    from spectral_zarr.cluster import Executor, Observer, Outcome

MARKER = ".spectral-zarr-demo"
"""File that shows that a directory was made by the demo, so that ``--force`` removes nothing else."""

PRODUCTS = (
    ("sdss-spec", 300, None),
    ("apstar", 60, None),
    ("aspcapstar", 60, None),
    ("harps-adp", 24, 20_000),
    ("uves-adp", 24, 20_000),
    ("generic-table", 20, None),
)
"""Product, number of files, and the pixels to which long spectra are shortened."""


@dataclass(frozen=True, slots=True)
class _Made:
    product: str
    outcome: Outcome
    valid: bool


def demo(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to write, about 200 MB.", show_default=True)
    ] = Path("spectral-zarr-demo"),
    force: Annotated[bool, typer.Option("--force", help="Start an earlier demo over.")] = False,
    cluster: options.LocalCluster = "local",
    workers: options.Workers = 0,
    quiet: options.Quiet = False,
) -> None:
    """Write sample files of several products, ingest, validate and show them."""
    from spectral_zarr.cluster import DeferredExecutor

    _claim(directory, force=force)
    began = time.monotonic()
    with watching(quiet=quiet) as observer, DeferredExecutor(cluster, workers, observer.note) as executor:
        made = _make(directory, executor, observer)
    _show(directory, made, time.monotonic() - began)
    if not all(one.valid for one in made):
        raise ContractViolation("a store of the demo is not valid; please report this", path=str(directory))


def _claim(directory: Path, *, force: bool) -> None:
    from spectral_zarr.store.paths import BuildPaths

    if directory.exists() and not directory.is_dir():
        raise BadTarget("it is not a directory; choose another", path=str(directory))
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARKER).exists():
            raise BadTarget("the directory is not empty and no demo; choose another", path=str(directory))
        if not force:
            raise TargetExists(
                "a demo is here already; look at its stores, or start over with --force", path=str(directory)
            )
        for product, _, _ in PRODUCTS:
            made = BuildPaths.of(directory / f"{product}.zarr")
            for path in (directory / "files" / product, made.target, made.tmp, made.build, made.old_build):
                if path.is_dir():
                    shutil.rmtree(path)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARKER).touch()


def _make(directory: Path, executor: Executor, observer: Observer) -> list[_Made]:
    from spectral_zarr.cluster import IngestRequest, LentExecutor, SilentObserver, ingest, validate
    from spectral_zarr.readers.samples import write_samples

    observer.begin("write", sum(count for _, count, _ in PRODUCTS), "files")
    for product, count, n_pix in PRODUCTS:
        write_samples(directory / "files" / product, product, count, n_pix=n_pix)
        observer.advance(count)
    observer.end()
    made = []
    observer.begin("ingest", len(PRODUCTS), "stores")
    for product, _, _ in PRODUCTS:
        target = directory / f"{product}.zarr"
        request = IngestRequest((str(directory / "files" / product),), str(target))
        outcome = ingest(request, LentExecutor(executor), SilentObserver())
        verdict = validate(target, executor=LentExecutor(executor))
        made.append(_Made(product, outcome, verdict.valid))
        observer.advance(1)
    observer.end()
    return made


def _show(directory: Path, made: list[_Made], seconds: float) -> None:
    report.heading("ready", f"{len(made)} stores in {directory}", f"in {duration(seconds)}, every row validated")
    numbers = ("rows", "N_pix", "size", "time")
    made_table = report.table("store", *numbers[:2], "wavelength", "medium", "flux", *numbers[2:], right=numbers)
    for one in made:
        plan, name = one.outcome.plan, Path(one.outcome.target).name
        kind = report.WAVELENGTH_WORDS[plan.wavelength.kind]
        cells = (name, f"{plan.n_spec:,}", f"{plan.n_pix:,}", kind, plan.wavelength.medium, plan.flux_unit)
        report.row(made_table, *cells, size(one.outcome.store_bytes), duration(one.outcome.seconds))
    results().print(made_table)
    results().print("\n  Open one in Python:\n", style="dim")
    store = directory / f"{made[0].product}.zarr"
    for line in (
        "import xarray",
        f"signal = xarray.open_zarr({str(store)!r}, group='signal')",
        "print(signal.wavelength.values, signal.flux_raw[0].values)",
    ):
        results().print(f"    {clean(line)}", style="cyan", soft_wrap=True)
    results().print("\n  Your own files: spectral-zarr inspect DIR, then ingest DIR OUT.zarr\n", style="dim")

"""``spectral-zarr bench``: what a file system and its cores can do for a store, measured before it is built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectral_zarr.cli import bench_ingest, options, report
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import print_json, results, size
from spectral_zarr.errors import UsageError

if TYPE_CHECKING:
    from spectral_zarr.cluster import ChunkReport

app = typer.Typer(help="Measure what your own file system and cores can do.", no_args_is_help=True)
app.command("ingest")(bench_ingest.pace)

PLOT_SUFFIXES = (".png", ".html")

MEANINGS = {
    "write": "compress, write and sync",
    "row": "whole rows, one at a time",
    "batch": "64 random rows at a time",
    "epoch": "all rows, blocks of chunks in random order, shuffled within",
    "window": "100 neighbouring pixels of all rows",
}

ACCESSES = tuple(MEANINGS)

CACHES = {
    "cold": "Reads are cold: before each, the kernel dropped the files (posix_fadvise DONTNEED), which was seen",
    "asked": "Reads are perhaps cold: before each, the kernel was asked to drop the files (posix_fadvise DONTNEED)",
    "warm": "Reads are warm: this file system keeps files in memory",
}


@app.callback()
def bench() -> None:
    """Measure what your own file system and cores can do."""


@app.command("chunks")
def chunks(
    path: Annotated[
        Path, typer.Option("--path", metavar="DIR", help="Directory on the file system to measure.", show_default=False)
    ],
    store: Annotated[
        str, typer.Argument(metavar="[STORE]", help="The store whose spectra are written.", show_default=False)
    ] = "",
    synthetic: Annotated[
        tuple[int, int],
        typer.Option(metavar="N_SPEC N_PIX", help="Drawn spectra for a store of this shape.", show_default=False),
    ] = (0, 0),
    access: Annotated[
        str, typer.Option(metavar="WAY", help=f"What the layout should be good at: {', '.join(MEANINGS)}.")
    ] = "epoch",
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="How often each layout is tried.")] = 3,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Rows to write; 0 for about 500 MB of pixels.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture, .png, or a page with it, .html.")
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Try chunk layouts with the spectra of a store, or with drawn ones, and recommend one.

    What is written is removed afterwards. Nothing begins when it would not fit.
    """
    if bool(store) == (synthetic != (0, 0)):
        raise UsageError("name a store whose spectra to use, or give --synthetic N_SPEC N_PIX")
    if access not in MEANINGS:
        raise UsageError(f"--access takes {', '.join(MEANINGS)}, not '{access}'")
    if plot is not None:
        _can_plot(plot)
    from spectral_zarr.cluster import ChunkTrials, try_chunks

    request = ChunkTrials(str(path), store, *synthetic, limit=limit, rounds=rounds, access=access)
    with watching(quiet=quiet) as observer:
        found = try_chunks(request, observer)
    if plot is not None:
        from spectral_zarr.cli.bench_plot import draw_trials

        draw_trials(found, plot, "\n".join(_sentences(found)))
    if as_json:
        print_json(_json(found))
        return
    _show(found, path)


def _can_plot(plot: Path) -> None:
    if plot.suffix.lower() not in PLOT_SUFFIXES:
        raise UsageError(f"--plot takes a name that ends in {' or '.join(PLOT_SUFFIXES)}", path=str(plot))
    if not plot.absolute().parent.is_dir():
        raise UsageError("the directory of --plot does not exist; create it first", path=str(plot))
    try:
        import matplotlib  # noqa: F401 (asked for before minutes are spent)
    except ImportError:
        raise UsageError("--plot needs matplotlib; install 'spectral-zarr[plot]'") from None


def _show(found: ChunkReport, path: Path) -> None:
    subject = f"{found.n_rows:,} of {found.n_spec:,} spectra of {found.n_pix:,} pixels on {path}"
    report.heading("measured", subject, f"at most {size(found.disk_bytes)} at one time, removed again")
    made = report.table("chunks", *MEANINGS, "ratio", "files", right=(*MEANINGS, "ratio", "files"), keep=("chunks",))
    for trial in found.trials:
        cells = [f"{trial.median(access):.3g}" for access in MEANINGS]
        style = "green" if trial.layout == found.recommendation.layout else None
        files = f"{trial.receipts[0].n_files:,}"
        report.row(made, trial.layout.label, *cells, f"{trial.ratio:.2f}", files, style=style)
    results().print(made)
    results().print(
        "\n  Milliseconds per spectrum, flux and uncertainty, median of the rounds (compared by their best rounds):",
        style="dim",
    )
    report.facts([(access, MEANINGS[access]) for access in MEANINGS])
    report.heading("recommended", found.recommendation.layout.label)
    for sentence in _sentences(found):
        results().print(f"  {sentence}", soft_wrap=True)
    if found.recommendation.config:
        results().print("\n  In the configuration of the ingest:\n", style="dim")
        for line in found.recommendation.config.splitlines():
            results().print(f"    {line}", style="cyan")
    results().print()


def _sentences(found: ChunkReport) -> list[str]:
    """Why, at which price, and what the figures are worth."""
    taken = found.recommendation
    sentences = [f"{taken.access}: {taken.reason}."]
    for cost in taken.costs:
        if cost.best == taken.layout:
            sentences.append(f"{cost.respect}: none is better.")
        elif cost.factor < 1.005:
            sentences.append(f"{cost.respect}: as good as the best.")
        else:
            sentences.append(f"{cost.respect}: {cost.factor:.2f} times that of {cost.best.label}.")
    shards = " Shards are tried for comparison; ingest does not write them." if _sharded(found) else ""
    caches = {trial.cache for trial in found.trials}
    cache = next(state for state in ("warm", "asked", "cold") if state in caches)
    return [*sentences, f"{CACHES[cache]}.{shards}"]


def _sharded(found: ChunkReport) -> bool:
    return any(trial.layout.sharded for trial in found.trials)


def _json(found: ChunkReport) -> dict[str, Any]:
    taken = found.recommendation
    return {
        "n_spec": found.n_spec,
        "n_pix": found.n_pix,
        "rows_tried": found.n_rows,
        "disk_bytes": found.disk_bytes,
        "layouts": [
            {
                "label": trial.layout.label,
                "chunks": [trial.layout.rows, trial.layout.columns],
                "shards": list(trial.layout.outer) if trial.layout.sharded else None,
                "zarr_format": trial.layout.zarr_format,
                "clevel": trial.layout.clevel,
                "cache": trial.cache,
                "ratio": trial.ratio,
                "bytes": trial.receipts[0].nbytes,
                "files": trial.receipts[0].n_files,
                "milliseconds_per_spectrum": {access: trial.median(access) for access in MEANINGS},
                "rounds": {access: list(trial.milliseconds(access)) for access in MEANINGS},
                "cpu_milliseconds_per_spectrum": {access: trial.cpu_median(access) for access in MEANINGS},
                "bytes_read_per_byte": {access: trial.amplification(access) for access in list(MEANINGS)[1:]},
            }
            for trial in found.trials
        ],
        "recommendation": {
            "label": taken.layout.label,
            "access": taken.access,
            "reason": taken.reason,
            "config": taken.config,
            "costs": [
                {"respect": cost.respect, "factor": cost.factor, "best": cost.best.label} for cost in taken.costs
            ],
        },
    }

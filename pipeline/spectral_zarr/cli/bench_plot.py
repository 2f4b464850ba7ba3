"""Pictures of chunk trials: one panel for each way of using a store, as PNG or as a page that needs no other file."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectral_zarr.cli.terminal import clean
from spectral_zarr.model.trial import ACCESSES
from spectral_zarr.store.fsops import translated

if TYPE_CHECKING:
    from spectral_zarr.cluster import ChunkReport

TITLES = {
    "write": "write and sync",
    "row": "one whole row",
    "batch": "64 random rows",
    "epoch": "epoch, blocks shuffled",
    "window": "window of 100 pixels",
}
TAKEN, OTHER = "#c4420f", "#3d5a80"
LOG_FACTOR = 5.0
"""Panels whose slowest layout takes this many times the fastest have a logarithmic axis."""

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Chunk layouts</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }}
svg {{ width: 100%; height: auto; }}</style></head>
<body><h1>Chunk layouts for {n_spec:,} spectra of {n_pix:,} pixels</h1>
<p>Recommended: <b>{label}</b></p><ul>{sentences}</ul>{picture}</body></html>
"""


def draw_trials(found: ChunkReport, path: Path, words: str) -> None:
    """Draw the trials.

    Parameters
    ----------
    found : ChunkReport
        What was measured.
    path : Path
        A .png file, or an .html file with the picture inside.
    words : str
        Why the recommended layout is recommended, one sentence per line; they go into the page.
    """
    figure = _figure(found)
    if path.suffix.lower() == ".png":
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=130)
        content = picture.getvalue()
    else:
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg")
        sentences = "".join(f"<li>{html.escape(clean(line))}</li>" for line in words.splitlines())
        svg = drawn.getvalue()
        page = PAGE.format(
            n_spec=found.n_spec,
            n_pix=found.n_pix,
            label=html.escape(found.recommendation.layout.label),
            sentences=sentences,
            picture=svg[svg.index("<svg") :],
        )
        content = page.encode()
    with translated(path):
        path.write_bytes(content)


def _figure(found: ChunkReport) -> Any:
    from matplotlib.figure import Figure

    labels = [trial.layout.label for trial in found.trials]
    figure = Figure(figsize=(13.0, 2.2 + 0.62 * len(labels)), layout="constrained")
    panels = figure.subplots(2, 3, sharey=True).flat
    places = range(len(labels))
    colours = [TAKEN if trial.layout == found.recommendation.layout else OTHER for trial in found.trials]
    for panel, access in zip(panels, ACCESSES, strict=False):
        for place, trial, colour in zip(places, found.trials, colours, strict=True):
            times = trial.milliseconds(access)
            panel.plot(times, [place] * len(times), "o", color=colour, alpha=0.35, markersize=4)
            panel.plot(trial.median(access), place, "D", color=colour, markersize=7)
            shown = f"{trial.median(access):.3g}"
            panel.annotate(shown, (trial.median(access), place), (0, 7), textcoords="offset points", ha="center")
        _scale(panel, [value for trial in found.trials for value in trial.milliseconds(access)])
        panel.set_title(TITLES[access], fontweight="bold" if access == found.recommendation.access else "normal")
        panel.set_xlabel("milliseconds per spectrum")
    sizes = panels[len(ACCESSES)]
    kilobytes = [trial.receipts[0].nbytes / found.n_rows / 1e3 for trial in found.trials]
    sizes.barh(places, kilobytes, 0.5, color=colours)
    for place, value, trial in zip(places, kilobytes, found.trials, strict=True):
        sizes.annotate(f" {value:.3g} ({trial.receipts[0].n_files:,} files)", (value, place), va="center")
    sizes.set_xlim(0, 1.6 * max(kilobytes))
    sizes.set_title("size on disk")
    sizes.set_xlabel("kB per spectrum")
    panels[0].set_yticks(list(places), labels)
    panels[0].set_ylim(len(labels) - 0.5, -0.7)
    for panel in panels:
        panel.grid(axis="x", color="0.88")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"{found.n_rows:,} spectra of {found.n_pix:,} pixels, flux and uncertainty; "
        "dots: rounds, diamonds: medians, red: recommended"
    )
    return figure


def _scale(panel: Any, values: list[float]) -> None:
    low, high = min(values), max(values)
    if high > LOG_FACTOR * low:
        from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set_xlim(low / 1.6, high * 1.6)
    else:
        panel.set_xlim(0, 1.15 * high)

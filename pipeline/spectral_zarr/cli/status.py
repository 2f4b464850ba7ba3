"""``spectral-zarr status``: how far a build is, where it runs and what is slow, from its files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.terminal import counted, duration, print_json, results, size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from spectral_zarr.cluster import BuildStatus

STYLES = {"running": "cyan", "unknown": "yellow", "stopped": "yellow", "published": "green"}

MOST_NODES = 20

MEASURED = ("stage", "fill", "validate")
"""Phases that say how far they are."""

REMEDIES = {
    "stopped": "run the same ingest with --resume, or give it up with abort",
    "unknown": "if its last word is old, see on its node whether it still runs",
}


def status(
    target: options.Target,
    watch: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Show it again and again until it ends.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Show how far an ingest is, from its files, on any node."""
    if not watch:
        from spectral_zarr.cluster import read_status

        found = read_status(target)
        if as_json:
            print_json(_json(found))
        else:
            _print(found)
        return
    if as_json or not results().is_terminal:
        for found in _readings(target, watch):
            if as_json:
                print_json(_json(found))
            else:
                _print(found)
        return
    from rich.console import Group
    from rich.live import Live

    with Live(console=results(), auto_refresh=False) as live:
        for found in _readings(target, watch):
            live.update(Group(*_blocks(found)), refresh=True)


def _readings(target: str, seconds: float) -> Iterator[BuildStatus]:
    """The state now and whenever the time has passed, until nothing runs any more."""
    from spectral_zarr.cluster import StatusReader

    reader = StatusReader(target)
    while True:
        found = reader.read()
        yield found
        if found.state in ("stopped", "published"):
            return
        time.sleep(seconds)


def _json(found: BuildStatus) -> dict[str, Any]:
    document = asdict(found)
    document["tasks_per_second"] = document.pop("rate")
    document["eta_seconds"] = found.eta_seconds
    document["rejections"] = document.pop("rejected")
    document["rejected"] = sum(found.rejected.values())
    for task, seen in zip(document["slowest"], found.slowest, strict=True):
        task |= task.pop("run")
        task["seconds"] = round(seen.run.seconds, 3)
    return document


def _print(found: BuildStatus) -> None:
    from rich.text import Text

    for block in _blocks(found):
        # A path is never broken.
        results().print(block, soft_wrap=isinstance(block, Text))


def _blocks(found: BuildStatus) -> list[RenderableType]:
    blocks: list[RenderableType] = ["", report.headline(found.state, found.target, _where(found), STYLES[found.state])]
    blocks += ["", report.fact_table(_facts(found))]
    if found.slowest:
        right = ("seconds", "retries", "process")
        made = report.table("slowest tasks", "seconds", "node", "process", "retries", right=right, keep=("node",))
        for task in found.slowest:
            run = task.run
            report.row(made, f"{task.phase} {task.index}", f"{run.seconds:,.1f}", run.node, run.pid, task.retries)
        blocks += ["", made]
    if found.nodes:
        made = report.table("nodes", "workers", "tasks", "last task", right=("workers", "tasks"), keep=("nodes",))
        for node in found.nodes[:MOST_NODES]:
            report.row(made, node.node, f"{node.workers:,}", f"{node.tasks:,}", _ago(node.last))
        if len(found.nodes) > MOST_NODES:
            report.row(made, f"and {len(found.nodes) - MOST_NODES:,} more", "", "", "", style="dim")
        blocks += ["", made]
    return [*blocks, ""]


def _where(found: BuildStatus) -> str:
    if found.state == "published" or not found.phase:
        return ""
    return f"{'stopped in' if found.state == 'stopped' else 'in'} {found.phase}"


def _facts(found: BuildStatus) -> Iterator[tuple[str, str]]:
    published = found.state == "published"
    if found.total and not published:
        share = f"{found.done:,} of {found.total:,} {found.unit} ({found.done / found.total:.0%})"
        # Writing the (N_spec,) arrays and publishing say nothing in between.
        yield found.phase, share if found.phase in MEASURED else f"{found.total:,} {found.unit}"
    if found.rate > 0 and not published and found.state != "stopped":
        yield "rate", f"{found.rate:.3g} {found.unit} per second, {duration(found.eta_seconds)} left"
    if found.bytes_in:
        yield "read", f"{size(found.bytes_in)}, {report.spectra(found.spectra)}"
    if found.bytes_out:
        yield "written", f"{size(found.bytes_out)} of chunks"
    if found.owner:
        codes = ", ".join(f"{number:,} {code}" for code, number in found.rejected.items())
        yield "rejected", f"{sum(found.rejected.values()):,} ({codes})" if codes else "none"
    if found.retries:
        yield "retries", f"{found.retries:,}"
    if found.owner:
        yield "owner", f"{found.owner}, {_life(found)}"
    if len(found.attempts) > 1:
        ends = Counter(attempt.end or "no word" for attempt in found.attempts[:-1])
        before = ", ".join(f"{number:,} ended with {end}" for end, number in ends.items())
        yield "attempts", f"{counted(len(found.attempts), 'attempt')}, of which {before}"
    if found.dashboard:
        yield "dashboard", found.dashboard
    if found.tunnel:
        yield "tunnel", found.tunnel
    if found.state in REMEDIES:
        yield "next", REMEDIES[found.state]


def _life(found: BuildStatus) -> str:
    """What is known of the owner."""
    last = max((attempt.last for attempt in found.attempts), default=0.0)
    word = f"last word {_ago(last)}" if last else "no word yet"
    if found.state == "running":
        return f"running, {word}"
    if found.state == "unknown":
        return f"which cannot be seen from here, {word}"
    end = found.attempts[-1] if found.attempts else None
    if found.state == "stopped" and end is not None:
        return f"stopped, {word}: {end.end}: {end.reason}" if end.end else f"gone without a word of why, {word}"
    return "ended"


def _ago(moment: float) -> str:
    """How long ago, on the clock of this node."""
    return f"{duration(max(0.0, time.time() - moment))} ago"

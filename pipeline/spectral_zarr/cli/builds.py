"""``spectral-zarr status`` and ``abort``: looking at a build, and giving it up."""

from __future__ import annotations

from spectral_zarr.cli import options, report
from spectral_zarr.cli.terminal import duration, print_json, results


def status(target: options.Target, as_json: options.Json = False) -> None:
    """Show how far an ingest is, from its files, on any node."""
    from spectral_zarr.cluster import read_status

    found = read_status(target)
    published = found.phase == "published"
    if as_json:
        print_json(
            {
                "target": found.target,
                "phase": found.phase,
                "done": found.done,
                "total": found.total,
                "tasks_per_second": found.rate,
                "eta_seconds": 0.0 if published else found.eta_seconds,
                "rejected": found.rejected,
                "alive": found.alive,
                "owner": found.owner,
                "last": found.last,
            }
        )
        return
    style = "green" if published else "cyan" if found.alive else "yellow"
    report.heading(found.phase, target, style=style)
    entries: list[tuple[str, str]] = []
    if found.total and not published:
        entries.append(("tasks", f"{found.done:,} of {found.total:,} ({found.done / found.total:.0%})"))
    if found.rate > 0 and not published:
        entries.append(("rate", f"{found.rate:.3g} tasks per second, {duration(found.eta_seconds)} left"))
    if found.owner:
        entries += [
            ("rejected", f"{found.rejected:,} so far" if found.alive else f"{found.rejected:,}"),
            ("owner", f"{found.owner}, {'running' if found.alive else 'ended'}"),
        ]
    if found.last:
        entries.append(("last", found.last))
    if not found.alive and not published:
        entries.append(("next", "run the same ingest with --resume, or give it up with abort"))
    report.facts(entries)
    results().print()


def abort(target: options.Target) -> None:
    """Give an interrupted ingest up and remove what it left; a published store is never touched."""
    from spectral_zarr.cluster.provenance import package_version
    from spectral_zarr.cluster.slurm import job_lives
    from spectral_zarr.store.claim import abort_build, own_claim
    from spectral_zarr.store.paths import BuildPaths
    from spectral_zarr.store.request import request_facts

    paths = BuildPaths.of(target)
    if abort_build(paths, own_claim(request_facts((), None, package_version())), job_lives):
        report.heading("removed", f"{paths.tmp.name} and {paths.build.name}", "the sources are untouched")
    elif paths.target.exists():
        # What lies beside a published store is the record of its build and not a build to give up.
        report.heading("nothing to do", target, "it is published", style="green")
    else:
        report.heading("nothing to do", target, "nothing is being built there")

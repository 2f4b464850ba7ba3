"""``spectral-zarr inspect``: what is in these files, without writing anything."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectral_zarr.cli import options, report
from spectral_zarr.cli.failures import print_error
from spectral_zarr.cli.progress import watching
from spectral_zarr.cli.terminal import clean, counted, listed, print_json, results, size

if TYPE_CHECKING:
    from spectral_zarr.cluster.inspect import Inspection, ProductGroup


def inspect(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES...", help="Files, directories, quoted patterns or @list.txt.", show_default=False
        ),
    ],
    config: options.Config = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Only the first N files; 0 for all.")] = 0,
    lists: Annotated[
        Path | None,
        typer.Option("--lists", metavar="DIR", help="Write the files of each product to a list for ingest @list.txt."),
    ] = None,
    write_config: Annotated[
        Path | None,
        typer.Option("--write-config", metavar="FILE", help="Write the configuration that these files need."),
    ] = None,
    cluster: options.AutoCluster = "auto",
    workers: options.Workers = 0,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Show which products the files are, on which grids, what they lack and what would be rejected."""
    from spectral_zarr.cluster import DeferredExecutor
    from spectral_zarr.cluster.inspect import inspect_files
    from spectral_zarr.config import load_config
    from spectral_zarr.tasks.sources import scan_sources

    settings = load_config(config)
    files = scan_sources(sources, limit)
    with watching(quiet=quiet) as observer, DeferredExecutor(cluster, workers, observer.note) as executor:
        found = inspect_files(files, settings, executor, observer)
    if write_config is not None:
        from spectral_zarr.cli.advice import write_configuration

        write_configuration(write_config, found)
    names = _store_names(found.groups)
    written = _write_lists(lists, found.groups, names) if lists is not None else {}
    if as_json:
        print_json(_as_json(found, names, written))
    else:
        _show(found, names, written)


def _show(found: Inspection, names: list[str], written: dict[str, str]) -> None:
    from spectral_zarr.model import counting

    total = sum(group.n_spectra for group in found.groups)
    remark = f"{counted(len(found.groups), 'product')}, {len(counting(found.rejections)):,} rejected"
    subject = f"{report.files(found.n_files)}, {size(found.source_bytes)}, {report.spectra(total)}"
    report.heading("found", subject, remark, style="cyan")
    for group, name in zip(found.groups, names, strict=True):
        title = f"{group.reader}  {group.instrument}".rstrip()
        counts = f"{report.files(len(group.files))}, {report.spectra(group.n_spectra)}"
        results().print(f"  {clean(title)}", style="bold", end="")
        results().print(f"  {counts}", style="dim")
        report.facts(
            [
                ("pixels", _pixels(group)),
                ("wavelength", f"{report.angstroms(*group.wavelength)}, {group.medium}, {group.frame}"),
                ("flux", group.flux_unit),
                ("as a store", _store(group)),
                ("missing", report.shares(group.missing)),
                *([("parameters", listed(group.params, most=60))] if group.params else []),
                ("next", _next(group, found, written.get(name, ""), name)),
            ]
        )
        results().print()
    if found.rejections:
        report.rejections(found.rejections)
        results().print()
    if len(found.groups) > 1:
        hint = (
            "one store holds one product"
            if written
            else "one store holds one product; --lists DIR writes a list of files for each"
        )
        results().print(f"  {hint}\n", style="dim")


def _pixels(group: ProductGroup) -> str:
    low, high = group.n_pix
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _store(group: ProductGroup) -> str:
    shape = f"{group.n_spectra:,} x {group.store_pixels:,}"
    return f"{shape}, {report.wavelength_words(group.kind)}, {size(group.store_bytes)} before compression"


def _store_names(groups: tuple[ProductGroup, ...]) -> list[str]:
    """A short name for the store of each group, made of what tells the groups apart."""
    names: list[str] = []
    for group in groups:
        words = "-".join((group.reader.split("@")[0], *(group.instrument.lower().split())))
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in words)[:60].strip("-.")
        candidates = (name, f"{name}-{group.medium}", f"{name}-{group.frame}", *(f"{name}-{n}" for n in range(2, 999)))
        names.append(next(candidate for candidate in candidates if candidate not in names))
    return names


def _next(group: ProductGroup, found: Inspection, listing: str, name: str) -> str:
    """The line that ingests one group: from a list, or from a directory or file that holds nothing else."""
    if listing:
        return f"spectral-zarr ingest {shlex.quote(f'@{listing}')} {name}.zarr"
    common = Path(os.path.commonpath([str(Path(path).parent) for path in group.files]))
    others = [path for other in found.groups if other is not group for path in other.files]
    if any(Path(path).is_relative_to(common) for path in others):
        return f"inspect once more with --lists DIR, then spectral-zarr ingest @DIR/{name}.txt {name}.zarr"
    if len(group.files) == 1:
        common = Path(group.files[0])
    return f"spectral-zarr ingest {shlex.quote(_near(common))} {name}.zarr"


def _near(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _write_lists(directory: Path, groups: tuple[ProductGroup, ...], names: list[str]) -> dict[str, str]:
    directory.mkdir(parents=True, exist_ok=True)
    written = {}
    for group, name in zip(groups, names, strict=True):
        fit = [path for path in group.files if _fits_a_line(path)]
        if len(fit) < len(group.files):
            unfit = next(path for path in group.files if path not in fit)
            print_error(
                f"{counted(len(group.files) - len(fit), 'name')} cannot stand in a list; rename them, first {unfit}"
            )
        listing = directory / f"{name}.txt"
        listing.write_text("".join(f"{path}\n" for path in fit), encoding="utf-8")
        written[name] = _near(listing.absolute())
    return written


def _fits_a_line(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return path.splitlines() == [path] and path.strip() == path


def _as_json(found: Inspection, names: list[str], written: dict[str, str]) -> dict[str, Any]:
    groups = []
    for group, name in zip(found.groups, names, strict=True):
        entry = {key: value for key, value in asdict(group).items() if key != "files"}
        groups.append(entry | {"n_files": len(group.files), "suggested_name": name, "list": written.get(name)})
    return {
        "n_files": found.n_files,
        "source_bytes": found.source_bytes,
        "groups": groups,
        **report.rejected_json(found.rejections),
    }

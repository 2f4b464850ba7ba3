"""Compare an ingest with the least work by hand and with what one would write instead, in alternating rounds.

Every variant is a process of its own, and rounds go A B C A B C, so that what else the machine does falls on all.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from measure import Usage, run

HERE = Path(__file__).resolve().parent
PRODUCTS = ("sdss-spec", "harps-adp", "uves-adp", "apstar")
OURS = ("ours-serial", "ours-local")
OTHERS = ("astropy-loop", "delayed-stack", "specutils-loop", "h5py-file", "row-writer")
VARIANTS = (*OURS, "floor", *OTHERS)
USUAL = VARIANTS[:4]
"""Variants of a comparison for which none are named; the others take minutes for some thousand files."""

RATIOS = (*((ours, "floor") for ours in OURS), *((other, ours) for other in OTHERS for ours in OURS))
# One thread per process, as on the workers of a cluster; threads of a library would only blur the seconds.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLOSC_NTHREADS")
ENVIRONMENT = {
    **dict.fromkeys(_THREADS, "1"),
    "PYTHONWARNINGS": "ignore",
    # An installed package keeps its byte code; without, compiling it would be charged to every start.
    "PYTHONDONTWRITEBYTECODE": "",
}


@dataclass(slots=True)
class Results:
    """Runs of one variant, one per round; `core` holds the cpu seconds of the inner loop where it reports them."""

    full: list[Usage] = field(default_factory=list)
    small: list[Usage] = field(default_factory=list)
    core: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bench:
    """One comparison: the product, its files and where to write."""

    product: str
    source: Path
    work: Path
    workers: int

    def command(self, variant: str, target: Path, limit: int) -> list[str]:
        """Command line of a variant."""
        if variant.startswith("ours-"):
            script = "ours.py"
            rest = ["--cluster", variant.removeprefix("ours-"), "--workers", str(self.workers)]
        else:
            script = variant.replace("-", "_") + ".py"
            rest = ["--policy", str(self.policy), "--report", str(self.report)]
        product = [] if script == "ours.py" else [self.product]
        paths = [str(self.source), str(target)]
        return [sys.executable, str(HERE / script), *product, *paths, "--limit", str(limit), *rest]

    @property
    def policy(self) -> Path:
        """The wanted cards."""
        return self.work / "policy.json"

    @property
    def report(self) -> Path:
        """What the last contender said about its inner loop."""
        return self.work / "report.json"

    def run(self, variant: str, *, limit: int = 0, target: Path | None = None) -> tuple[Usage, float | None]:
        """Run a variant; what it wrote is removed unless `target` is given."""
        self.report.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work) as scratch:
            usage = run(self.command(variant, target or Path(scratch) / "out.zarr", limit), ENVIRONMENT)
        return usage, json.loads(self.report.read_text())["cpu"] if self.report.exists() else None

    def check(self, variants: list[str]) -> None:
        """Compare what the variants write.

        Raises
        ------
        RunFailed
            When chunks of the floor or values of another contender are not those of ours.
        """
        with tempfile.TemporaryDirectory(dir=self.work) as scratch:
            ours = Path(scratch) / "ours.zarr"
            self.run("ours-serial", target=ours)
            for variant in variants:
                if variant in OURS:
                    continue
                target = Path(scratch) / f"{variant}.zarr"
                self.run(variant, target=target)
                kind = {"floor": "--floor", "h5py-file": "--hdf5"}.get(variant, "--store")
                run([sys.executable, str(HERE / "check.py"), str(ours), kind, str(target)])
                print(f"{variant}: same {'chunks' if variant == 'floor' else 'values'} as ours")


def compare(bench: Bench, variants: list[str], rounds: int, n_small: int) -> dict[str, Results]:
    """Run all variants in alternating rounds."""
    results = {variant: Results() for variant in variants}
    for number in range(rounds):
        for variant in variants:
            usage, core = bench.run(variant)
            results[variant].full.append(usage)
            if core is not None:
                results[variant].core.append(core)
            if n_small:
                results[variant].small.append(bench.run(variant, limit=n_small)[0])
            print(f"round {number + 1} {variant}: {usage.cpu:.2f} s cpu, {usage.wall:.2f} s wall", file=sys.stderr)
    return results


def summary(results: dict[str, Results], n_spectra: int, n_small: int) -> list[dict[str, Any]]:
    """One row per variant: medians over the rounds, seconds turned into milliseconds per spectrum."""
    rows = []
    for variant, result in results.items():
        per_spectrum = 1e3 / n_spectra
        row: dict[str, Any] = {
            "variant": variant,
            "cpu_ms": per_spectrum * statistics.median(usage.cpu for usage in result.full),
            "wall_ms": per_spectrum * statistics.median(usage.wall for usage in result.full),
            "core_ms": per_spectrum * statistics.median(result.core) if result.core else None,
            "marginal_ms": None,
            "peak_process_mb": max(usage.peak_process for usage in result.full) / 1e6,
            "peak_tree_mb": max(usage.peak_tree for usage in result.full) / 1e6,
        }
        if n_small:
            row["marginal_ms"] = 1e3 * statistics.median(marginal(result, n_spectra, n_small))
        rows.append(row)
    return rows


def marginal(result: Results, n_spectra: int, n_small: int) -> list[float]:
    """Cpu seconds of one more spectrum, by round."""
    pairs = zip(result.full, result.small, strict=True)
    return [(full.cpu - small.cpu) / (n_spectra - n_small) for full, small in pairs]


def ratios(results: dict[str, Results], n_spectra: int, n_small: int) -> dict[str, dict[str, float]]:
    """Medians of the ratios of two variants within a round."""
    found = {}
    for one, two in RATIOS:
        if one not in results or two not in results:
            continue
        first, second = results[one], results[two]
        pairs = list(zip(first.full, second.full, strict=True))
        found[f"{one} / {two}"] = {
            "cpu": statistics.median(a.cpu / b.cpu for a, b in pairs),
            "wall": statistics.median(a.wall / b.wall for a, b in pairs),
        }
        if n_small:
            steps = zip(marginal(first, n_spectra, n_small), marginal(second, n_spectra, n_small), strict=True)
            found[f"{one} / {two}"]["marginal cpu"] = statistics.median(a / b for a, b in steps)
            if second.core:
                cores = zip(marginal(first, n_spectra, n_small), second.core, strict=True)
                found[f"{one} / {two}"]["marginal / core cpu"] = statistics.median(a * n_spectra / b for a, b in cores)
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    head = ("variant", "cpu ms", "wall ms", "core cpu ms", "marginal cpu ms", "peak process MB", "peak tree MB")
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for row in rows:
        cells = [row["variant"]]
        cells += ["" if value is None else f"{value:.3g}" for value in list(row.values())[1:5]]
        cells += [f"{value:.0f}" for value in list(row.values())[5:]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@contextmanager
def workspace(parent: Path | None) -> Iterator[Path]:
    """A directory for what the variants write, on the file system to be measured."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as path:
        yield Path(path)


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("product", choices=PRODUCTS)
    parser.add_argument("source", type=Path, help="a directory that generate.py wrote")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(USUAL))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="of ours-local")
    parser.add_argument("--marginal", type=int, default=0, metavar="N", help="run each variant on N files as well")
    parser.add_argument("--check", action="store_true", help="first compare what the variants write")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, help="directory to write in")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the command line."""
    options = options_of()
    paths = sorted(options.source.iterdir())
    if not 0 <= options.marginal < len(paths):
        sys.exit(f"--marginal must be below the {len(paths)} files of the directory")
    # Cold reads would be charged to whichever variant comes first.
    nbytes = sum(len(path.read_bytes()) for path in paths)
    with workspace(options.work) as work:
        bench = Bench(options.product, options.source, work, options.workers)
        run([sys.executable, str(HERE / "policy.py"), options.product, str(bench.policy)])
        if options.check:
            bench.check(options.variants)
        results = compare(bench, options.variants, options.rounds, options.marginal)
    rows = summary(results, len(paths), options.marginal)
    proportions = ratios(results, len(paths), options.marginal)
    cores = len(os.sched_getaffinity(0))
    print(f"{len(paths)} {options.product} files, {nbytes / 1e6:.0f} MB, {options.rounds} rounds, {cores} cores\n")
    print(table(rows))
    print()
    for pair, values in proportions.items():
        print(f"{pair}: " + ", ".join(f"{name} {value:.2f}" for name, value in values.items()))
    if options.json:
        report = {
            "product": options.product,
            "n_spectra": len(paths),
            "source_bytes": nbytes,
            "rounds": options.rounds,
            "cores": cores,
            "summary": rows,
            "ratios": proportions,
            "runs": {variant: asdict(result) for variant, result in results.items()},
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

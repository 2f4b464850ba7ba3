"""The price of durability: the same ingest with its syncs and with syncs that do nothing, in alternating rounds."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from measure import Usage, run
from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.store.calls import FileCalls, replaced

VARIANTS = ("synced", "unsynced")


def ingest_once(source: Path, target: Path, variant: str) -> None:
    """Ingest in this process."""
    unsynced = replaced(FileCalls(fsync=lambda descriptor: None))
    with unsynced if variant == "unsynced" else nullcontext():
        ingest(IngestRequest((str(source),), str(target)), SerialExecutor())


def compare(source: Path, work: Path, rounds: int) -> dict[str, list[Usage]]:
    """Run both variants in alternating rounds, each in a process and a directory of its own."""
    found: dict[str, list[Usage]] = {variant: [] for variant in VARIANTS}
    for number in range(rounds):
        # What one leaves to be written must not always be paid by the same other.
        for variant in VARIANTS if number % 2 == 0 else reversed(VARIANTS):
            with tempfile.TemporaryDirectory(dir=work) as scratch:
                target = Path(scratch) / "out.zarr"
                found[variant].append(run([sys.executable, __file__, str(source), "--once", variant, str(target)]))
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="a directory that generate.py wrote")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, help="directory to write in, on the file system to be measured")
    parser.add_argument("--once", nargs=2, metavar=("VARIANT", "TARGET"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        ingest_once(options.source, Path(options.once[1]), options.once[0])
        return
    n_files = len([path.read_bytes() for path in options.source.iterdir()])
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.work) as work:
        found = compare(options.source, Path(work), options.rounds)
    ratios = {
        name: statistics.median(
            getattr(one, name) / getattr(other, name)
            for one, other in zip(found["synced"], found["unsynced"], strict=True)
        )
        for name in ("wall", "cpu")
    }
    for variant, usages in found.items():
        wall, cpu = (statistics.median(getattr(usage, name) for usage in usages) for name in ("wall", "cpu"))
        print(f"{variant}: {wall:.2f} s wall, {cpu:.2f} s cpu (medians of {options.rounds} rounds, {n_files} files)")
    print(f"synced / unsynced: wall {ratios['wall']:.2f}, cpu {ratios['cpu']:.2f} (medians of the rounds)")
    if options.json:
        runs = {variant: [asdict(usage) for usage in usages] for variant, usages in found.items()}
        options.json.write_text(json.dumps({"n_files": n_files, "ratios": ratios, "runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    main()

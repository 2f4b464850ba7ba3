"""Parse files in one process, in turn by hand, by the readers of spectral-zarr and by astropy, with the same result.

Hand and astropy know the product; the readers find out, and check what they read. `cards` is the file read, its cards
projected and its arrays found; `canonical` is flux and uncertainty besides, float32 with NaN for what is not known.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

import astropy_loop
import floor
from ingest import ENVIRONMENT, HERE
from layout import FLUX, UNCERTAINTY, Wanted, source_files
from measure import run
from spectral_zarr.config import Config
from spectral_zarr.contract.naming import sanitise_keyword
from spectral_zarr.model import SourceFile, Spectrum
from spectral_zarr.readers import find_reader, open_source
from spectral_zarr.transforms import prepare

Result = tuple[NDArray[Any], NDArray[Any] | None, dict[str, str]]
RATIOS = (
    ("ours cards", "floor cards"),
    ("ours canonical", "floor canonical"),
    ("astropy canonical", "ours canonical"),
    ("astropy canonical", "floor canonical"),
)


class Contenders:
    """The ways of reading one product."""

    def __init__(self, product: str, wanted: Wanted) -> None:
        self.wanted = wanted
        self.cards = floor.Cards(wanted, {})
        self.by_hand = floor.READERS[product]
        self.by_astropy = astropy_loop.READERS[product]
        self.options = Config().readers

    def ways(self) -> dict[str, Callable[[str], Any]]:
        """What is measured, by name."""
        return {
            "floor cards": self.floor_cards,
            "ours cards": self.spectrum,
            "floor canonical": self.floor,
            "ours canonical": self.ours,
            "astropy canonical": self.astropy,
        }

    def floor_cards(self, path: str) -> None:
        """Read a file and project the cards of its first two headers."""
        data, found = read(path), dict[str, str]()
        self.cards.scan(data, self.next_header(data, self.cards.scan(data, 0, 0, found)), 1, found)

    @staticmethod
    def next_header(data: bytes, end: int) -> int:
        """Where the second header begins: in these products the first one has no data."""
        if not data.startswith(b"XTENSION", end):
            raise ValueError("the primary header has data; this is another product")
        return end

    def floor(self, path: str) -> Result:
        """Read a file by hand."""
        row = self.by_hand(read(path), self.cards)
        return row.arrays[FLUX], row.arrays.get(UNCERTAINTY), row.header

    def spectrum(self, path: str) -> Spectrum:
        """Open a file, find its reader, and let it read."""
        source = open_source(SourceFile(path, Path(path).name, 0))
        reader = find_reader(source, self.options)
        (spectrum,) = reader.read(source, self.options, reader.policy)
        if not isinstance(spectrum, Spectrum):
            raise spectrum
        return spectrum

    def ours(self, path: str) -> Result:
        """Make the spectrum canonical and check it."""
        found = prepare(self.spectrum(path))
        return found.flux, found.uncertainty, dict(found.source.header)  # type: ignore[arg-type]

    def astropy(self, path: str) -> Result:
        """Read a file with the best options of astropy."""
        data = read(path)
        with fits.open(io.BytesIO(data), memmap=False) as hdus:
            row = self.by_astropy(hdus, self.wanted, data)
        return row.arrays[FLUX], row.arrays.get(UNCERTAINTY), row.header


def read(path: str) -> bytes:
    """All bytes of a file."""
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 (pathlib adds a fifth to the open)
        return stream.read()


def check(contenders: Contenders, path: str) -> None:
    """Refuse results that differ."""
    ours, hand, astropy = contenders.ours(path), contenders.floor(path), contenders.astropy(path)
    for other in (hand, astropy):
        for one, two in zip(ours[:2], other[:2], strict=True):
            same = one is two if one is None or two is None else np.array_equal(one, two, equal_nan=True)
            if not same:
                sys.exit(f"{path}: the pixels differ")
    named = {
        f"h{hdu}_{sanitise_keyword(keyword)}": text
        for (hdu, keyword, occurrence), text in ours[2].items()  # type: ignore[misc]
        if occurrence == 1
    }
    if different := {name for name, text in named.items() if astropy[2].get(name) != text}:
        sys.exit(f"{path}: other cards by astropy: {', '.join(sorted(different))}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("product", choices=tuple(floor.READERS))
    parser.add_argument("source", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    paths = source_files(options.source, options.limit)
    with tempfile.TemporaryDirectory() as scratch:
        policy = Path(scratch) / "policy.json"
        run([sys.executable, str(HERE / "policy.py"), options.product, str(policy)], ENVIRONMENT)
        contenders = Contenders(options.product, Wanted.load(policy))
    for path in paths:
        check(contenders, path)
    ways = contenders.ways()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            began = time.process_time()
            for path in paths:
                way(path)
            seconds[name].append((time.process_time() - began) / len(paths))
    print(f"{len(paths)} {options.product} files, {options.rounds} rounds, same pixels and cards\n")
    print("| way | cpu µs a file |\n|---|---:|")
    for name, measured in seconds.items():
        print(f"| {name} | {1e6 * statistics.median(measured):.0f} |")
    print()
    for one, two in RATIOS:
        pairs = zip(seconds[one], seconds[two], strict=True)
        print(f"{one} / {two}: {statistics.median(a / b for a, b in pairs):.2f}")


if __name__ == "__main__":
    main()

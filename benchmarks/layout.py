"""What the hand-written floor and the astropy loop share: arguments, wanted cards, chunk shapes and the zero fill."""

from __future__ import annotations

import argparse
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

APOGEE_BAD = 0b100_0000_1111_1111
"""Bits of APOGEE_PIXMASK that take the uncertainty away: 0 to 7 and 14."""

FLUX, UNCERTAINTY, WAVELENGTH = "signal/flux_raw", "signal/uncertainty_raw", "signal/wavelength"


@dataclass
class Wanted:
    """The cards that a product projects and the fields of a spectrum, as `policy.py` wrote them down.

    The patterns are those of the reader, but neither contender may spend time on importing the package.
    """

    allow: re.Pattern[str]
    deny: re.Pattern[str]
    literal: frozenset[str]
    columns: dict[int, frozenset[str]]
    metadata: dict[str, str]

    @classmethod
    def load(cls, path: Path) -> Wanted:
        """Read a policy file."""
        policy = json.loads(path.read_text())
        return cls(
            re.compile("|".join(f"(?:{pattern})" for pattern in policy["allow"])),
            re.compile("|".join(f"(?:{pattern})" for pattern in policy["deny"])),
            frozenset(policy["literal"]),
            {int(hdu): frozenset(keywords) for hdu, keywords in policy["columns"].items()},
            policy["metadata"],
        )

    def __call__(self, hdu: int, keyword: str) -> bool:
        """Whether a card of an HDU is projected."""
        if keyword in self.literal or keyword in self.columns.get(hdu, ()):
            return True
        return self.allow.fullmatch(keyword) is not None and self.deny.fullmatch(keyword) is None


def arguments(description: str | None, products: tuple[str, ...]) -> argparse.Namespace:
    """Parse the command line that both contenders have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("product", choices=products)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--policy", type=Path, required=True, help="written by policy.py")
    parser.add_argument("--limit", type=int, default=0, help="only the first files")
    parser.add_argument("--report", type=Path, help="where to write the seconds of the inner loop as JSON")
    return parser.parse_args()


def source_files(directory: Path, limit: int) -> list[str]:
    """Paths of the files in the order of the store."""
    with os.scandir(directory) as entries:
        paths = sorted(entry.path for entry in entries)
    return paths[:limit] if limit else paths


def chunk_shape(n_spec: int, n_pix: int) -> tuple[int, int]:
    """Rows and columns of a chunk, the recommendation of the contract."""
    if n_pix < 10_000:
        return min(1024, n_spec), n_pix
    rows, columns = min(256, n_spec), 4096
    while columns < n_pix and rows * columns * 4 < 1 << 20:
        columns += 4096
    return rows, min(columns, n_pix)


def zero_fill(flux: NDArray[Any], sigma: NDArray[Any]) -> list[slice]:
    """Runs of exact zeros that are fill: at the ends, and from eight pixels on where no uncertainty is known."""
    bounds = np.flatnonzero(np.diff(flux == 0, prepend=False, append=False))
    runs = [slice(*bound) for bound in bounds.reshape(-1, 2).tolist()]
    return [
        run
        for run in runs
        if run.start == 0 or run.stop == flux.size or (run.stop - run.start >= 8 and not np.isfinite(sigma[run]).any())
    ]

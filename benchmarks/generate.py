"""Write a directory of layout-faithful synthetic survey files, to be ingested by the benchmarks."""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from spectral_zarr.readers.samples import PRODUCTS, Draw, write_samples


def write_range(indices: range, directory: Path, product: str, seed: int, n_pix: int | None) -> int:
    """Write the files of a range of indices and return their bytes."""
    nbytes = 0
    for index in indices:
        sample = PRODUCTS[product](Draw.of(product, seed, index, n_pix))
        nbytes += (directory / sample.name).write_bytes(b"".join(sample.parts))
    return nbytes


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("product", choices=sorted(PRODUCTS))
    parser.add_argument("count", type=int)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-pix", type=int, default=None, help="shorten the spectra to this number of pixels")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    try:
        # No file yet: this checks the arguments and makes the directory.
        write_samples(options.directory, options.product, 0, seed=options.seed, n_pix=options.n_pix)
    except ValueError as error:
        parser.error(str(error))
    step = max(1, -(-options.count // (4 * options.jobs)))
    ranges = [range(start, min(start + step, options.count)) for start in range(0, options.count, step)]
    write = partial(
        write_range,
        directory=options.directory,
        product=options.product,
        seed=options.seed,
        n_pix=options.n_pix,
    )
    with ProcessPoolExecutor(options.jobs) as pool:
        nbytes = sum(pool.map(write, ranges))
    print(f"{options.count} {options.product} files, {nbytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

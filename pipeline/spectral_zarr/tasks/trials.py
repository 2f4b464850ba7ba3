"""Trials of chunk layouts: the rows that all of them share, and one layout written, read in every way and removed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.model.trial import Access, Cache, RowsTask, TrialReceipt, TrialTask
from spectral_zarr.readers.samples.draw import Draw
from spectral_zarr.readers.samples.spectra import observe, stellar_flux, template
from spectral_zarr.store.fsops import sync_tree, translated, tree_size
from spectral_zarr.store.page_cache import drop_cached
from spectral_zarr.store.trials import create_trial, open_trial, read_rows

Arrays: TypeAlias = tuple[Any, ...]

SINGLE_ROWS = 16
BATCHES, BATCH_ROWS = 3, 64
WINDOW_PIXELS = 100
BLOCK_BYTES = 64 << 20
"""Least bytes of an array that an epoch reads at once, where one row of chunks has less."""

BLUE, RED = 3700.0, 9100.0
"""Range of drawn spectra in Angstrom."""

PIXELS_PER_RESOLUTION = 3.0
MOST_PADDING = 0.07
"""Share of pixels that may be missing at each end of a drawn spectrum, as in slices of a common lattice."""

BAD_RUNS, BAD_PIXELS = 4, 12


def write_rows(task: RowsTask) -> int:
    """Write rows of the common source.

    Parameters
    ----------
    task : RowsTask
        Rows of a store, or rows to draw: stars with lines and photon noise, NaN padding at both ends, and short runs
        without an uncertainty.

    Returns
    -------
    int
        Number of rows written.
    """
    source = np.load(task.source, mmap_mode="r+")
    rows = range(task.first, task.first + task.stop - task.start)
    if task.store:
        for cube, values in zip(source, read_rows(Path(task.store), rows), strict=True):
            cube[task.start : task.stop] = values
    else:
        for row in range(task.start, task.stop):
            source[:, row] = drawn_spectrum(row, source.shape[2])
    source.flush()
    return len(rows)


def drawn_spectrum(row: int, n_pix: int) -> NDArray[np.float32]:
    """Flux and 1-sigma uncertainty of a star, shape (2, n_pix), relative to its continuum; NaN where there is none."""
    draw = Draw.of("trial", 0, row, n_pix)
    star = draw.star(faint=8.0, bright=80.0)
    wavelength = np.geomspace(BLUE, RED, n_pix)
    resolution = n_pix / np.log(RED / BLUE) / PIXELS_PER_RESOLUTION
    lines = template(BLUE * 0.99, RED * 1.01, resolution, air=False)
    flux = stellar_flux(wavelength, lines.depth_at(wavelength, star.velocity), star.teff, star.feh)
    values = np.stack(observe(flux, star.snr, draw.rng))
    first, last = (int(draw.rng.uniform(0, MOST_PADDING) * n_pix) for _ in range(2))
    values[:, :first] = values[:, n_pix - last :] = np.nan
    for start in draw.rng.integers(0, n_pix, BAD_RUNS).tolist():
        values[1, start : start + BAD_PIXELS] = np.nan
    return values


def try_layout(task: TrialTask) -> TrialReceipt:
    """Write one layout, read it in every way, remove it.

    Parameters
    ----------
    task : TrialTask
        The layout, the source and where to write.

    Returns
    -------
    TrialReceipt
    """
    source = np.load(task.source, mmap_mode="r")
    root = Path(task.directory) / "trial.zarr"
    try:
        with translated(root):
            return _measured(task, source, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _measured(task: TrialTask, source: NDArray[np.float32], root: Path) -> TrialReceipt:
    # Pages of the source must be in memory, or its reading would be charged to the writing.
    float(np.nanmax(source))
    arrays = create_trial(root, source.shape[1:], task.layout)

    def write() -> int:
        height = task.layout.outer[0]
        for start in range(0, source.shape[1], height):
            for array, values in zip(arrays, source, strict=True):
                array[start : start + height] = values[start : start + height]
        sync_tree(root)
        return len(source[0])

    accesses = [_clocked("write", write, source.shape[2])]
    n_files, nbytes = tree_size(root)
    opened = open_trial(root)
    caches: list[Cache] = []
    for name, reads, width in _reads(opened, task):
        parts = []
        for read in reads:
            caches.append(drop_cached(root))
            parts.append(_clocked(name, read, width))
        accesses.append(_total(name, parts))
    warmest: Cache = "warm" if "warm" in caches else "asked" if "asked" in caches else "cold"
    return TrialReceipt(task.layout, tuple(accesses), source.nbytes, nbytes, n_files, warmest)


def _reads(arrays: Arrays, task: TrialTask) -> Iterator[tuple[str, list[Callable[[], int]], int]]:
    """Every way of reading: its name, reads that each begin without a page in memory, and pixels of a row."""
    n_rows, n_pix = arrays[0].shape
    rng = np.random.default_rng(task.seed)
    singles = rng.choice(n_rows, min(SINGLE_ROWS, n_rows), replace=False).tolist()
    size = min(BATCH_ROWS, n_rows)
    batches = [np.sort(rng.choice(n_rows, size, replace=False)) for _ in range(BATCHES)]
    left = int(rng.integers(0, max(1, n_pix - WINDOW_PIXELS)))
    window = slice(left, min(left + WINDOW_PIXELS, n_pix))
    yield "row", [partial(_rows, arrays, slice(row, row + 1)) for row in singles], n_pix
    yield "batch", [partial(_rows, arrays, rows) for rows in batches], n_pix
    yield "epoch", [partial(_epoch, arrays, _block_rows(task, n_pix), rng)], n_pix
    yield "window", [partial(_rows, arrays, slice(None), window)], window.stop - window.start


def _rows(arrays: Arrays, rows: slice | NDArray[np.intp], window: slice = slice(None)) -> int:
    if isinstance(rows, slice):
        return _lengths(array[rows, window] for array in arrays)
    return _lengths(array.oindex[rows] for array in arrays)


def _lengths(parts: Iterator[NDArray[np.float32]]) -> int:
    return [len(part) for part in parts].pop()


def _block_rows(task: TrialTask, n_pix: int) -> int:
    height = task.layout.outer[0]
    return height * max(1, BLOCK_BYTES // (4 * height * n_pix))


def _epoch(arrays: Arrays, height: int, rng: np.random.Generator) -> int:
    n_rows = arrays[0].shape[0]
    delivered = 0
    for start in rng.permutation(np.arange(0, n_rows, height)).tolist():
        blocks = [array[start : start + height] for array in arrays]
        order = rng.permutation(len(blocks[0]))
        delivered += _lengths(block[order] for block in blocks)
    return delivered


def _clocked(name: str, run: Callable[[], int], width: int) -> Access:
    asked, cpu, wall = _bytes_asked(), time.process_time(), time.perf_counter()
    n_rows = run()
    seconds = time.perf_counter() - wall
    cpu_seconds = time.process_time() - cpu
    nbytes_read = 0 if name == "write" else _bytes_asked() - asked
    return Access(name, n_rows, 2 * 4 * n_rows * width, seconds, cpu_seconds, nbytes_read)


def _total(name: str, parts: list[Access]) -> Access:
    return Access(
        name,
        sum(part.n_rows for part in parts),
        sum(part.nbytes for part in parts),
        sum(part.seconds for part in parts),
        sum(part.cpu_seconds for part in parts),
        sum(part.nbytes_read for part in parts),
    )


def _bytes_asked() -> int:
    """Bytes that this process has asked for with read calls so far, whether they came from memory or not."""
    with open("/proc/self/io", "rb", buffering=0) as file:  # noqa: PTH123 (a Path would be read in several calls)
        text = file.read(512).decode()
    return int(text.split("rchar: ")[1].split()[0])

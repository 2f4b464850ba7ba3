"""The least work that an ingest has to do, by hand: read, parse, place, compress once, write once, with numpy alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from layout import APOGEE_BAD, FLUX, UNCERTAINTY, WAVELENGTH, Wanted, arguments, chunk_shape, source_files, zero_fill

CARD, BLOCK = 80, 2880
END = b"END" + b" " * 77


@dataclass(slots=True)
class Row:
    """One spectrum: its arrays, the lattice index of its first pixel, and its projected cards."""

    first: int
    arrays: dict[str, NDArray[Any]]
    header: dict[str, str]


@dataclass(slots=True)
class Cards:
    """Scans headers; a keyword is looked at once per run, not once per file."""

    wanted: Wanted
    known: dict[tuple[int, bytes], str]

    def scan(self, data: bytes, start: int, hdu: int, found: dict[str, str]) -> int:
        """Project the cards of the header at `start` and return where its data begins."""
        end = data.find(END, start)
        known = self.known
        for card in range(start, end, CARD):
            head, equals = data[card : card + 8], card + 8
            if head == b"HIERARCH":
                equals = data.find(b"=", card, card + CARD)
                head = data[card:equals]
            name = known.get((hdu, head))
            if name is None:
                keyword = head.removeprefix(b"HIERARCH").decode().strip()
                name = known[hdu, head] = f"h{hdu}_{keyword}" if self.wanted(hdu, keyword) else ""
            if name:
                found[name] = text(data[equals + 1 : card + CARD])
        return end + BLOCK - (end - start) % BLOCK


def text(field: bytes) -> str:
    """Value of a card as it is written."""
    field = field.strip()
    if field[:1] != b"'":
        return field.partition(b"/")[0].rstrip().decode()
    end = field.find(b"'", 1)
    while field[end + 1 : end + 2] == b"'":
        end = field.find(b"'", end + 2)
    return field[1:end].rstrip().decode()


def integer(data: bytes, start: int, card: int) -> int:
    """Value of a mandatory integer card, which has a fixed place."""
    return int(data[start + card * CARD + 10 : start + card * CARD + 30])


COADD = np.dtype([("flux", ">f4"), ("loglam", ">f4"), ("ivar", ">f4"), ("other", "V20")])


def read_sdss(data: bytes, cards: Cards) -> Row:
    """Flux and 1 / sqrt(ivar) on the lattice of log10 wavelength."""
    header: dict[str, str] = {}
    table = cards.scan(data, 0, 0, header)
    rows = integer(data, table, 4)
    coadd = np.frombuffer(data, COADD, rows, cards.scan(data, table, 1, header))
    ivar = coadd["ivar"].astype(np.float64)
    unknown = ivar <= 0
    with np.errstate(divide="ignore"):
        sigma = (1.0 / np.sqrt(ivar)).astype(np.float32)
    sigma[unknown] = np.nan
    first = round(float(coadd["loglam"][0]) / 1e-4)
    return Row(first, {FLUX: coadd["flux"].astype(np.float32), UNCERTAINTY: sigma}, header)


def read_vectors(data: bytes, cards: Cards) -> tuple[Row, NDArray[Any]]:
    """Flux and error of the first three vectors of an ESO product, and its wavelengths as they stand."""
    header: dict[str, str] = {}
    table = cards.scan(data, 0, 0, header)
    start = cards.scan(data, table, 1, header)
    columns = data.find(b"TFORM1  =", table)
    n_pix = int(data[columns + 11 : columns + 31].partition(b"D")[0])
    wavelength = np.frombuffer(data, ">f8", n_pix, start)
    flux = np.frombuffer(data, ">f4", n_pix, start + 8 * n_pix).astype(np.float32)
    sigma = np.frombuffer(data, ">f4", n_pix, start + 12 * n_pix).astype(np.float32)
    return Row(0, {FLUX: flux, UNCERTAINTY: sigma}, header), wavelength


def fill_zeros(row: Row) -> None:
    """Make fill NaN in the flux and unknown errors NaN; an error that is never known is no array."""
    flux, sigma = row.arrays[FLUX], row.arrays[UNCERTAINTY]
    sigma[~(sigma > 0)] = np.nan
    for run in zero_fill(flux, sigma):
        flux[run] = sigma[run] = np.nan
    if np.isnan(np.fmin.reduce(sigma)):
        del row.arrays[UNCERTAINTY]


def read_harps(data: bytes, cards: Cards) -> Row:
    """A slice of the lattice of 0.01 Angstrom."""
    row, wavelength = read_vectors(data, cards)
    row.first = round(float(wavelength[0]) / 0.01)
    fill_zeros(row)
    return row


def read_uves(data: bytes, cards: Cards) -> Row:
    """A grid of its own."""
    row, wavelength = read_vectors(data, cards)
    flux, sigma = row.arrays[FLUX], row.arrays[UNCERTAINTY]
    sigma[(sigma == 1) & (flux == 0)] = np.nan
    fill_zeros(row)
    row.arrays[WAVELENGTH] = wavelength.astype(np.float64)
    return row


def read_apstar(data: bytes, cards: Cards) -> Row:
    """The first rows of the flux, error and mask images, all on one grid."""
    header: dict[str, str] = {}
    image = cards.scan(data, 0, 0, header)
    start = cards.scan(data, image, 1, header)
    shape = [integer(data, image, 3 + axis) for axis in range(integer(data, image, 2))]
    flux = np.frombuffer(data, ">f4", shape[0], start).astype(np.float32)
    following = start + -(-4 * int(np.prod(shape)) // BLOCK) * BLOCK
    errors = cards.scan(data, following, 2, {})
    sigma = np.frombuffer(data, ">f4", shape[0], errors).astype(np.float32)
    mask_header = errors + following - start
    flags = f">i{integer(data, mask_header, 1) // 8}"
    mask = np.frombuffer(data, flags, shape[0], cards.scan(data, mask_header, 3, {}))
    sentinel = sigma >= 1e9
    flux[sentinel & (flux == 0)] = np.nan
    sigma[sentinel | (mask & APOGEE_BAD != 0)] = np.nan
    row = Row(0, {FLUX: flux, UNCERTAINTY: sigma}, header)
    fill_zeros(row)
    return row


READERS: dict[str, Callable[[bytes, Cards], Row]] = {
    "sdss-spec": read_sdss,
    "harps-adp": read_harps,
    "uves-adp": read_uves,
    "apstar": read_apstar,
}


def write(rows: list[Row], target: Path) -> None:
    """Write every chunk that holds anything, and the headers of each block of rows."""
    first = min(row.first for row in rows)
    n_pix = max(row.first - first + row.arrays[FLUX].size for row in rows)
    chunk_rows, chunk_columns = chunk_shape(len(rows), n_pix)
    codec = blosc.Blosc(cname="zstd", clevel=5, shuffle=blosc.Blosc.BITSHUFFLE, blocksize=512 << 10)
    for array in (FLUX, UNCERTAINTY, WAVELENGTH):
        if any(array in row.arrays for row in rows):
            (target / array).mkdir(parents=True)
    (target / "headers").mkdir(parents=True)
    for block, start in enumerate(range(0, len(rows), chunk_rows)):
        members = rows[start : start + chunk_rows]
        for array in (FLUX, UNCERTAINTY, WAVELENGTH):
            values = np.empty((chunk_rows, chunk_columns), np.float64 if array == WAVELENGTH else np.float32)
            for column, left in enumerate(range(0, n_pix, chunk_columns)):
                if fill(values, members, array, first + left):
                    (target / array / f"c.{block}.{column}").write_bytes(codec.encode(values))
        (target / "headers" / f"{block}.json").write_text(json.dumps([row.header for row in members]))


def fill(values: NDArray[Any], rows: list[Row], array: str, left: int) -> bool:
    """Place one chunk of rows; False when there is nothing in it."""
    values.fill(np.nan)
    placed = False
    for target, row in zip(values, rows, strict=False):
        pixels = row.arrays.get(array)
        if pixels is not None:
            offset = row.first - left
            low, high = max(0, offset), min(target.size, offset + pixels.size)
            if low < high:
                target[low:high] = pixels[low - offset : high - offset]
                placed = True
    return placed and not bool(np.isnan(np.fmin.reduce(values, axis=None)))


def main() -> None:
    """Run the command line."""
    options = arguments(__doc__, tuple(READERS))
    blosc.use_threads = False
    read, cards = READERS[options.product], Cards(Wanted.load(options.policy), {})
    cpu, wall = time.process_time(), time.perf_counter()
    rows = []
    for path in source_files(options.source, options.limit):
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 (pathlib adds a fifth to the open)
            rows.append(read(stream.read(), cards))
    write(rows, options.target)
    seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    if options.report:
        options.report.write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()

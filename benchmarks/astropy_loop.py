"""The loop that a careful astronomer would write: astropy reads file by file, zarr-python writes the same store."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import zarr
from astropy.io import fits
from astropy.time import Time
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from layout import APOGEE_BAD, FLUX, UNCERTAINTY, WAVELENGTH, Wanted, arguments, chunk_shape, source_files, zero_fill

NAN = float("nan")
MISSING = frozenset({"NULL", "None", "nan", "NaN", "INDEF", "N/A", "-999", "-9999", "-999.0", "-9999.0"})

UNKNOWN: dict[str, Any] = {
    "text": "",
    "float64": NAN,
    "float32": np.float32(NAN),
    "int64": np.int64(0),
    "int32": np.int32(0),
}
"""Value of a metadata field that the file does not give, by the kind of the field."""

INDEX = (
    *("spec_id", "source_type", "teff", "logg", "feh", "instrument", "simulator", "snr", "row_idx"),
    *("flux_type", "date_obs", "gaia_id", "gaia_dr", "ra", "dec", "source_file"),
)


@dataclass(slots=True)
class Row:
    """One spectrum: its arrays, the lattice index of its first pixel, and its columns."""

    first: int
    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, Any]
    header: dict[str, str]
    params: dict[str, float] = field(default_factory=dict)


def project(hdus: fits.HDUList, wanted: Wanted) -> dict[str, str]:
    """Text of the wanted cards of the first two headers."""
    found: dict[str, str] = {}
    for number in (0, 1):
        for card in hdus[number].header.cards:
            if wanted(number, card.keyword):
                name = "".join(c if c.isalnum() else "_" for c in card.keyword.lower())
                found[f"h{number}_{name}"] = text(card.value)
    return found


def text(value: Any) -> str:
    """Text of a card: T and F, numbers as Python writes them, '' for what is missing."""
    if isinstance(value, bool):
        return "T" if value else "F"
    projected = str(value).rstrip()
    return "" if isinstance(value, fits.card.Undefined) or projected in MISSING else projected


def number(header: fits.Header, *keywords: str) -> float:
    """Value of the first card that holds a number."""
    values = (header.get(keyword) for keyword in keywords)
    return next((float(value) for value in values if isinstance(value, int | float)), NAN)


catalogue_layouts: dict[tuple[int, int], np.dtype[Any]] = {}


def catalogue_row(hdus: fits.HDUList, data: bytes) -> Any:
    """The row of SPECOBJ.

    Its 127 columns cost astropy some 40 ms a file through ``.data``, ten times all the rest; whoever tunes his loop
    finds that out and views the bytes with the layout of the first file.
    """
    header = hdus[2].header
    layout = (header["NAXIS1"], header["TFIELDS"])
    if layout not in catalogue_layouts:
        catalogue_layouts[layout] = hdus[2].columns.dtype.newbyteorder(">")
    return np.frombuffer(data, catalogue_layouts[layout], 1, hdus[2].fileinfo()["datLoc"])[0]


def read_sdss(hdus: fits.HDUList, wanted: Wanted, data: bytes) -> Row:
    """Columns of the coadd."""
    coadd = hdus[1].data
    ivar = coadd["ivar"].astype(np.float64)
    with np.errstate(divide="ignore"):
        sigma = (1.0 / np.sqrt(ivar)).astype(np.float32)
    sigma[ivar <= 0] = np.nan
    first = round(float(coadd["loglam"][0]) / 1e-4)
    arrays = {FLUX: coadd["flux"].astype(np.float32), UNCERTAINTY: sigma}
    return sdss_row(hdus, wanted, data, first, arrays)


def sdss_row(hdus: fits.HDUList, wanted: Wanted, data: bytes, first: int, arrays: dict[str, NDArray[Any]]) -> Row:
    """Pixels with the cards; the signal-to-noise ratio and the star stand in SPECOBJ."""
    header, catalogue = hdus[0].header, catalogue_row(hdus, data)
    thing = int(catalogue["THING_ID"]) if "THING_ID" in catalogue.dtype.names else -1
    snr = float(catalogue["SN_MEDIAN_ALL"])
    metadata = {
        "spec_id": f"sdss-{header['PLATEID']}-{header['MJD']}-{header['FIBERID']:04d}",
        "instrument": header.get("INSTRUME") or catalogue["INSTRUMENT"].decode().strip(),
        "object": header.get("OBJECT", ""),
        "object_id": f"thing-{thing}" if thing > 0 else "",
        "program_id": header.get("PROGRAM", ""),
        "mjd": header["TAI-BEG"] / 86400,
        "velocity_frame": "heliocentric",
        "wavelength_medium": "vacuum",
        "flux_calibration": "absolute",
        "snr": snr if snr > 0 else NAN,
        "snr_method": "header:SN_MEDIAN_ALL",
        "ra": number(header, "PLUG_RA", "RA"),
        "dec": number(header, "PLUG_DEC", "DEC"),
        "exptime": number(header, "EXPTIME"),
        "airmass": number(header, "AIRMASS"),
        "rv_applied": number(header, "HELIO_RV"),
        "wave_min": float(10.0 ** (first * 1e-4)),
        "wave_max": float(10.0 ** ((first + arrays[FLUX].size - 1) * 1e-4)),
    }
    return Row(first, arrays, metadata, project(hdus, wanted))


def read_vectors(hdus: fits.HDUList, wanted: Wanted, data: bytes) -> Row:
    """The first three vectors of an ESO product and the cards that describe the observation."""
    header, table = hdus[0].header, hdus[1].data
    wavelength, flux, sigma = (np.array(table.field(i)[0], dtype) for i, dtype in enumerate(("f8", "f4", "f4")))
    sigma[~(sigma > 0)] = np.nan
    if header["INSTRUME"] == "UVES":
        sigma[(sigma == 1) & (flux == 0)] = np.nan
    for run in zero_fill(flux, sigma):
        flux[run] = sigma[run] = np.nan
    berv = number(header, "ESO QC BERV", "ESO DRS BERV", "ESO DRS BARYCORR", "ESO QC VRAD BARYCOR")
    barycentric = header["SPECSYS"].strip() == "BARYCENT"
    metadata = {
        "spec_id": header["ARCFILE"].removesuffix(".fits"),
        "instrument": header["INSTRUME"],
        "object": header["OBJECT"],
        "program_id": header["PROG_ID"],
        "date_obs": header["DATE-OBS"],
        "velocity_frame": "barycentric" if barycentric else "topocentric",
        "wavelength_medium": "air" if "obs.atmos" in hdus[1].header["TUCD1"] else "vacuum",
        "flux_calibration": "counts",
        "snr": number(header, "SNR"),
        "snr_method": "header:SNR",
        "ra": number(header, "RA"),
        "dec": number(header, "DEC"),
        "mjd": number(header, "MJD-OBS"),
        "exptime": number(header, "EXPTIME"),
        "airmass": number(header, "AIRMASS", "ESO TEL AIRM START"),
        "berv": berv,
        "rv_applied": berv if barycentric else NAN,
        "resolving_power": np.float32(number(header, "SPEC_RES")),
        "wave_min": float(wavelength[0]),
        "wave_max": float(wavelength[-1]),
    }
    arrays = {FLUX: flux, UNCERTAINTY: sigma, WAVELENGTH: wavelength}
    return Row(0, arrays, metadata, project(hdus, wanted))


def read_harps(hdus: fits.HDUList, wanted: Wanted, data: bytes) -> Row:
    """A slice of the lattice of 0.01 Angstrom without any error."""
    row = read_vectors(hdus, wanted, data)
    wavelength = row.arrays.pop(WAVELENGTH)
    row.first = round(float(wavelength[0]) / 0.01)
    if np.isnan(row.arrays[UNCERTAINTY]).all():
        del row.arrays[UNCERTAINTY]
    row.metadata["wave_min"] = row.first * 0.01
    row.metadata["wave_max"] = (row.first + wavelength.size - 1) * 0.01
    return row


def read_apstar(hdus: fits.HDUList, wanted: Wanted, data: bytes) -> Row:
    """The first rows of the flux, error and mask images, and the radial velocity."""
    header = hdus[0].header
    flux, sigma = (np.atleast_2d(hdus[number].data)[0].astype(np.float32) for number in (1, 2))
    sentinel = sigma >= 1e9
    flux[sentinel & (flux == 0)] = np.nan
    sigma[sentinel | ~(sigma > 0) | (np.atleast_2d(hdus[3].data)[0] & APOGEE_BAD != 0)] = np.nan
    for run in zero_fill(flux, sigma):
        flux[run] = sigma[run] = np.nan
    star = header["OBJID"].strip()
    grid = 10.0 ** (header["CRVAL1"] + header["CDELT1"] * np.array([0.0, flux.size - 1.0]))
    single = header["NVISITS"] == 1
    metadata = {
        "spec_id": f"apogee-{header['TELESCOP'].strip()}-{header['FIELD'].strip()}-{star}",
        "source_type": "observed" if single else "stacked",
        "date_obs": header["DATE1"].strip() if single else "",
        "mjd": header["JD1"] - 2400000.5 if single else NAN,
        "instrument": "APOGEE",
        "object": star,
        "object_id": star,
        "velocity_frame": "rest",
        "wavelength_medium": "vacuum",
        "flux_calibration": "absolute",
        "snr": number(header, "SNR"),
        "snr_method": "header:SNR",
        "ra": number(header, "RA"),
        "dec": number(header, "DEC"),
        "rv_applied": number(header, "VHELIO"),
        "wave_min": float(grid[0]),
        "wave_max": float(grid[1]),
    }
    params = {"rv": number(header, "VHELIO"), "e_rv": number(header, "VERR")}
    return Row(0, {FLUX: flux, UNCERTAINTY: sigma}, metadata, project(hdus, wanted), params)


Reader: TypeAlias = Callable[[fits.HDUList, Wanted, bytes], Row]

READERS: dict[str, Reader] = {
    "sdss-spec": read_sdss,
    "harps-adp": read_harps,
    "uves-adp": read_vectors,
    "apstar": read_apstar,
}


def read_all(product: str, paths: list[str], wanted: Wanted, reader: Reader | None = None) -> list[Row]:
    """Every file, one after another; the bytes are read once, because the checksum needs them too."""
    rows = []
    reader = reader or READERS[product]
    unknown = {name: UNKNOWN[kind] for name, kind in wanted.metadata.items()}
    unknown |= {"source_type": "observed", "flux_type": "flux", "reader": "astropy-loop@1"}
    for path in paths:
        data = Path(path).read_bytes()
        with fits.open(io.BytesIO(data), memmap=False) as hdus:
            row = reader(hdus, wanted, data)
        row.metadata = {**unknown, **row.metadata}
        row.metadata["n_pix_valid"] = np.int32(np.count_nonzero(np.isfinite(row.arrays[FLUX])))
        row.metadata["source_file"], row.metadata["source_hdu"] = Path(path).name, np.int32(1)
        row.metadata["source_size"], row.metadata["source_sha256"] = len(data), hashlib.sha256(data).hexdigest()
        rows.append(row)
    return rows


def common_grid(rows: list[Row]) -> tuple[int, int]:
    """First lattice index and number of pixels of all rows together, noted in each row."""
    first = min(row.first for row in rows)
    for row in rows:
        row.metadata["pix_offset"] = np.int32(row.first - first)
    return first, max(row.first - first + row.arrays[FLUX].size for row in rows)


def place(rows: list[Row], name: str, first: int, n_pix: int) -> NDArray[Any]:
    """Rows of one array on the common grid, NaN where they have nothing."""
    block = np.full((len(rows), n_pix), np.nan, np.float64 if name == WAVELENGTH else np.float32)
    for target, row in zip(block, rows, strict=True):
        if name in row.arrays:
            target[row.first - first : row.first - first + row.arrays[name].size] = row.arrays[name]
    return block


def write_cubes(root: zarr.Group, rows: list[Row], product: str, height: int = 0) -> None:
    """Place rows, of one chunk at a time unless another height is given, and let zarr-python compress them."""
    first, n_pix = common_grid(rows)
    chunks = chunk_shape(len(rows), n_pix)
    height = height or chunks[0]
    extra = ("continuum/continuum_model", "continuum/continuum_uncertainty")
    ragged = any(WAVELENGTH in row.arrays for row in rows)
    for name in (FLUX, UNCERTAINTY, *extra, *((WAVELENGTH,) if ragged else ())):
        dtype = np.float64 if name == WAVELENGTH else np.float32
        array = create(root, name, (len(rows), n_pix), chunks, dtype, ("spectrum", "pixel"))
        if any(name in row.arrays for row in rows):
            for start in range(0, len(rows), height):
                array[start : start + height] = place(rows[start : start + height], name, first, n_pix)
    if not ragged:
        grid = wavelengths(product, first, n_pix)
        create(root, WAVELENGTH, (n_pix,), (n_pix,), np.float64, ("pixel",))[:] = grid


def wavelengths(product: str, first: int, n_pix: int) -> NDArray[np.float64]:
    """The common grid of a product that has one."""
    pixels = np.arange(first, first + n_pix)
    grids: dict[str, Callable[[], NDArray[np.float64]]] = {
        "sdss-spec": lambda: 10.0 ** (pixels * 1e-4),
        "harps-adp": lambda: pixels * 0.01,
        "apstar": lambda: 10.0 ** (4.179 + pixels * 6e-6),
    }
    return grids[product]()


def create(root: zarr.Group, name: str, shape: Any, chunks: Any, dtype: Any, dimensions: Any) -> zarr.Array[Any]:
    """Create one array with the codec of the contract."""
    return root.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressors=BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle"),
        fill_value="" if dtype is str else NAN if np.dtype(dtype).kind == "f" else 0,
        dimension_names=dimensions,
        chunk_key_encoding={"name": "default", "separator": "."},
    )


def columns_of(rows: list[Row]) -> dict[str, list[Any]]:
    """Values of the (N_spec,) arrays by path, header fields without any text left out."""
    columns = {f"metadata/{name}": [row.metadata[name] for row in rows] for name in rows[0].metadata}
    for name in sorted({name for row in rows for name in row.params}):
        columns[f"params/{name}"] = [row.params.get(name, NAN) for row in rows]
    for name in sorted({name for row in rows for name in row.header}):
        values = [row.header.get(name, "") for row in rows]
        if any(values):
            columns[f"metadata/{name}"] = values
    return columns | {"continuum/method": ["none"] * len(rows)}


def write_columns(root: zarr.Group, rows: list[Row], target: Path) -> None:
    """Write the (N_spec,) arrays and the index."""
    columns = columns_of(rows)
    length = min(65_536, len(rows))
    for path, values in columns.items():
        dtype = str if isinstance(values[0], str) else np.asarray(values).dtype
        array = create(root, path, (len(rows),), (length,), dtype, ("spectrum",))
        array[:] = np.array(values, object) if dtype is str else np.asarray(values)
    named = {path.partition("/")[2]: values for path, values in columns.items()}
    named["row_idx"] = list(range(len(rows)))
    nothing = [NAN] * len(rows)
    params = [path.removeprefix("params/") for path in columns if path.startswith("params/")]
    table = {name: named.get(name, nothing) for name in (*INDEX, *params)}
    pa.parquet.write_table(pa.table(table), target / "index.parquet", compression="zstd")


def complete_dates(rows: list[Row]) -> None:
    """Turn seconds of TAI into UTC, for all spectra at once because astropy is slow with single times."""
    times = Time([row.metadata["mjd"] for row in rows], format="mjd", scale="tai", precision=3).utc
    for row, mjd, date in zip(rows, times.mjd.tolist(), times.isot.tolist(), strict=True):
        row.metadata["mjd"], row.metadata["date_obs"] = mjd, date


def create_groups(target: Path) -> zarr.Group:
    """An empty store."""
    root = zarr.create_group(str(target), zarr_format=3, attributes={"schema_version": "2.0"})
    for group in ("signal", "continuum", "representations", "params", "metadata"):
        root.create_group(group)
    return root


def run(options: argparse.Namespace, read: Callable[..., list[Row]] = read_all, height: int = 0) -> None:
    """Read all files into memory, write a store, and report the seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    rows = read(options.product, source_files(options.source, options.limit), Wanted.load(options.policy))
    if options.product == "sdss-spec":
        complete_dates(rows)
    root = create_groups(options.target)
    write_cubes(root, rows, options.product, height)
    write_columns(root, rows, options.target)
    zarr.consolidate_metadata(str(options.target))
    report(options, cpu, wall)


def report(options: argparse.Namespace, cpu: float, wall: float) -> None:
    """Write the seconds since two moments where the caller wants them."""
    seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    if options.report:
        options.report.write_text(json.dumps(seconds))


if __name__ == "__main__":
    run(arguments(__doc__, tuple(READERS)))

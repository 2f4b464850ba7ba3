"""Stores that keep every rule, in every variant the contract allows, written with zarr-python and pyarrow alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numcodecs
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import zarr
from zarr.codecs import BloscCodec

GROUPS = ("signal", "continuum", "representations", "params", "metadata")
CUBES = (
    *("signal/flux_raw", "signal/uncertainty_raw", "continuum/continuum_model", "continuum/continuum_uncertainty"),
    *("representations/normalized_flux", "representations/normalized_uncertainty"),
)
INDEX = ("spec_id", "source_type", "teff", "logg", "feh", "instrument", "simulator", "snr")
INDEX_TEXT = ("spec_id", "source_type", "instrument", "simulator")

FORMAT_2: dict[str, Any] = {"zarr_format": 2, "separator": "."}

N_SPEC, N_PIX = 1030, 40
"""Two rows of chunks, the second of six spectra."""


@dataclass(frozen=True)
class Layout:
    """How the arrays of a store lie on disk.

    Attributes
    ----------
    keys : {'default', 'v2'}
        Encoding of the chunk keys in format 3.
    fixed_text : {'', 'U', 'S'}
        Kind of fixed-length text in format 2, '' for text of variable length.
    inner : int
        Rows of the chunks inside shards of the recommended chunk shape, 0 without shards.
    shard_factor : int
        Rows of a shard over rows of the recommended chunk.
    """

    zarr_format: Literal[2, 3] = 3
    separator: Literal["/", "."] = "/"
    keys: Literal["default", "v2"] = "default"
    fixed_text: Literal["", "U", "S"] = ""
    inner: int = 0
    shard_factor: int = 1
    clevel: int = 5
    consolidated: bool = False


@dataclass(frozen=True)
class Content:
    """What a store holds: arrays by path, units by path, root attributes; and how it lies on disk."""

    arrays: Mapping[str, np.ndarray]
    units: Mapping[str, str]
    attributes: Mapping[str, Any]
    layout: Layout = field(default_factory=Layout)

    def having(self, arrays: Mapping[str, Any] | None = None, **layout: Any) -> Content:
        """The same with arrays replaced, added, or left out by None, and with another layout."""
        merged = {**self.arrays, **(arrays or {})}
        kept = {path: values for path, values in merged.items() if values is not None}
        return replace(self, arrays=kept, layout=replace(self.layout, **layout))


def text(values: list[str]) -> np.ndarray:
    """Text as zarr-python takes it."""
    return np.array(values, dtype=object)


def observed(n_spec: int = N_SPEC, n_pix: int = N_PIX, *, flux_unit: str = "erg / (Angstrom cm2 s)") -> Content:
    """Observed spectra on one grid; every second has a continuum and a normalised flux, the first no parameters."""
    random = np.random.default_rng(n_spec * 100_003 + n_pix)
    flux = random.uniform(50, 150, (n_spec, n_pix)).astype("f4")
    second = (np.arange(n_spec) % 2 == 0)[:, None]
    continuum = np.where(second, np.float32(160), np.float32(np.nan)) * np.ones((1, n_pix), "f4")
    number = np.arange(n_spec)
    first = number == 0
    arrays = {
        "signal/wavelength": 5000 + np.arange(n_pix, dtype="f8"),
        "signal/flux_raw": flux,
        "signal/uncertainty_raw": np.sqrt(flux),
        "continuum/continuum_model": continuum,
        "continuum/continuum_uncertainty": np.full_like(flux, np.nan),
        "continuum/method": text(["none" if i % 2 else "fit:poly3" for i in range(n_spec)]),
        "representations/normalized_flux": flux / continuum,
        "representations/normalized_uncertainty": np.sqrt(flux) / continuum,
        "params/teff": np.where(first, np.nan, 4000 + number % 3000),
        "params/e_teff": np.where(first, np.nan, 50.0),
        "params/logg": np.where(first, np.nan, 4.44),
        "params/feh": np.where(first, np.nan, -0.1),
        "metadata/spec_id": text([f"demo-{i:05d}" for i in range(n_spec)]),
        "metadata/source_type": text(["observed"] * n_spec),
        "metadata/flux_type": text(["flux"] * n_spec),
        "metadata/instrument": text(["HARPS"] * n_spec),
        "metadata/simulator": text([""] * n_spec),
        "metadata/snr": 20 + number % 50.0,
        "metadata/date_obs": text([f"2019-03-{1 + i % 31:02d}T04:05:06.789" for i in range(n_spec)]),
        "metadata/gaia_id": text(["" if i % 3 else str(2**60 + i) for i in range(n_spec)]),
        "metadata/gaia_dr": text(["" if i % 3 else "DR3" for i in range(n_spec)]),
        "metadata/ra": 0.25 * (number % 1440),
        "metadata/dec": -45 + 0.05 * (number % 1800),
        "metadata/object": text([f"α Cen {i}" for i in range(n_spec)]),
        "metadata/source_row": number.astype("i4"),
        "metadata/source_file": text([f"night{i % 5}/spectrum{i:05d}.fits" for i in range(n_spec)]),
        "metadata/h0_date_obs": text([f"2019-03-{1 + i % 31:02d}" for i in range(n_spec)]),
        "metadata/h0_exptime": text(["1200.0"] * n_spec),
        "metadata/h0_ctype1": text(["WAVE"] * n_spec),
        "metadata/h0_ctype1_2": text(["WAVE"] * n_spec),
        "metadata/h0_ctype1_3": text(["AWAV" if i % 2 else "" for i in range(n_spec)]),
        "metadata/h0_eso_tel_airm_start": text(["1.234"] * n_spec),
    }
    units = {path: "dimensionless" if path.startswith("representations/") else flux_unit for path in CUBES}
    attributes = {
        "schema_version": "2.0",
        "ingest_pipeline": "stacker 3.1",
        "created_at": "2025-05-06T07:08:09Z",
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
    }
    return Content(arrays, {"signal/wavelength": "Angstrom", **units}, attributes)


def modelled(kind: str, n_spec: int = 30, *, uncertain: bool = False) -> Content:
    """Spectra of a code: no instrument, no date, no source file, no header."""
    good = observed(n_spec)
    dropped = {path: None for path in good.arrays if path.startswith("metadata/h0_") or path.endswith("source_file")}
    nothing = text([""] * n_spec)
    return good.having(
        {
            **dropped,
            "metadata/source_type": text([kind] * n_spec),
            "metadata/simulator": text(["PHOENIX-ACES-2011"] * n_spec),
            **{f"metadata/{name}": nothing for name in ("instrument", "date_obs", "gaia_id", "gaia_dr")},
            "metadata/snr": np.full(n_spec, np.nan),
            **({} if uncertain else {"signal/uncertainty_raw": np.full((n_spec, N_PIX), np.nan, "f4")}),
        }
    )


def ragged(n_spec: int = 30, n_pix: int = N_PIX) -> Content:
    """Every spectrum has a grid of its own, padded with NaN at the end; two instruments."""
    good = observed(n_spec, n_pix)
    length = n_pix - np.arange(n_spec) % 7
    padding = np.arange(n_pix) >= length[:, None]
    grids = 5000 + 0.3 * np.arange(n_spec)[:, None] + np.arange(n_pix) * 1.0
    cubes = {path: np.where(padding, np.float32(np.nan), good.arrays[path]) for path in CUBES}
    instruments = text(["HARPS" if i % 2 else "UVES" for i in range(n_spec)])
    return good.having(
        {
            **cubes,
            "signal/wavelength": np.where(padding, np.nan, grids),
            "metadata/instrument": instruments,
            "metadata/n_pix_valid": length.astype("i4"),
        }
    )


def lattice(n_spec: int = 30) -> Content:
    """One union grid, every spectrum at its offset, NaN elsewhere."""
    good = observed(n_spec)
    offset, length = np.arange(n_spec) % 11, N_PIX - 10
    column = np.arange(N_PIX)
    outside = (column < offset[:, None]) | (column >= offset[:, None] + length)
    cubes = {path: np.where(outside, np.float32(np.nan), good.arrays[path]) for path in CUBES}
    fields = {
        "metadata/pix_offset": offset.astype("i4"),
        "metadata/n_pix_valid": np.full(n_spec, length, "i4"),
        "signal/wavelength": 10 ** (3.5 + 1e-4 * column),
    }
    return good.having({**cubes, **fields})


def recommended(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The chunk shape that the contract recommends, by its text; few rows of many pixels get wider chunks."""
    if len(shape) != 2:
        return tuple(min(length, 131_072) for length in shape)
    n_spec, n_pix = shape
    if n_pix < 10_000:
        return min(1024, n_spec), n_pix
    rows, columns = min(256, n_spec), 4096
    while rows * columns * 4 < 2**20 and columns < n_pix:
        columns += 4096
    return rows, min(columns, n_pix)


def create(
    root: zarr.Group,
    path: str,
    values: np.ndarray,
    layout: Layout,
    *,
    units: str | None = None,
    chunks: tuple[int, ...] | None = None,
    compressor: Any = None,
    fill_value: Any = None,
) -> None:
    """Write one array, compressed as the contract requires unless another compressor is given."""
    is_text = values.dtype.kind in "OUS"
    if is_text and layout.fixed_text and values.dtype.kind == "O":
        encoded = [value.encode() for value in values] if layout.fixed_text == "S" else values.tolist()
        width = max(1, *map(len, encoded))
        values = np.array(encoded, dtype=f"{layout.fixed_text}{width}")
    dtype: Any = str if values.dtype.kind == "O" else values.dtype
    chunks = chunks or recommended(values.shape)
    shards = None
    if layout.inner and len(values.shape) == 2:
        shards = (layout.shard_factor * chunks[0], chunks[1])
        chunks = (layout.inner, chunks[1])
    if compressor is None and layout.zarr_format == 3:
        itemsize = 1 if is_text else values.dtype.itemsize
        compressor = BloscCodec(cname="zstd", clevel=layout.clevel, shuffle="bitshuffle", typesize=itemsize)
    elif compressor is None:
        compressor = numcodecs.Blosc(cname="zstd", clevel=layout.clevel, shuffle=numcodecs.Blosc.BITSHUFFLE)
    if fill_value is None:
        fill_value = np.nan if values.dtype.kind == "f" else "" if dtype is str else None
    name = "v2" if layout.zarr_format == 2 else layout.keys
    array = root.create_array(
        path,
        shape=values.shape,
        dtype=dtype,
        chunks=chunks,
        shards=shards,
        compressors=compressor if compressor != "zarr" else "auto",
        fill_value=fill_value,
        chunk_key_encoding={"name": name, "separator": layout.separator},
        attributes={} if units is None else {"units": units},
    )
    array[...] = values


def index_of(arrays: Mapping[str, np.ndarray]) -> pa.Table:
    """The index as the contract wants it: eight columns, NaN for parameters that are not there."""
    n_spec = len(arrays["metadata/spec_id"])
    columns = {}
    for name in INDEX:
        values = arrays.get(f"metadata/{name}", arrays.get(f"params/{name}"))
        if name in INDEX_TEXT:
            columns[name] = pa.array([str(value) for value in values], pa.string())
        else:
            columns[name] = pa.array(np.full(n_spec, np.nan) if values is None else values.astype("f8"), pa.float64())
    return pa.table(columns)


def write(path: Path, content: Content) -> Path:
    """Write a store."""
    layout = content.layout
    root = zarr.create_group(str(path), zarr_format=layout.zarr_format, attributes=dict(content.attributes))
    for group in GROUPS:
        root.create_group(group)
    for name, values in content.arrays.items():
        create(root, name, values, layout, units=content.units.get(name))
    if layout.consolidated:
        zarr.consolidate_metadata(root.store)
    pa.parquet.write_table(index_of(content.arrays), path / "index.parquet", compression="zstd")
    return path


def _without_continuum() -> Content:
    good = observed(30)
    empty = np.full((30, N_PIX), np.nan, "f4")
    normalised = dict.fromkeys(CUBES[4:])
    return good.having(
        {**normalised, "continuum/continuum_model": empty, "continuum/method": text(["none"] * 30)},
    )


def _intensity() -> Content:
    mu = np.linspace(0.05, 1.0, 30)
    return modelled("synthetic").having({"metadata/flux_type": text(["intensity"] * 30), "params/mu": mu})


def _in_unit(unit: str, factor: float) -> Content:
    good = ragged()
    scaled = good.having({"signal/wavelength": good.arrays["signal/wavelength"] * factor})
    return replace(scaled, units={**good.units, "signal/wavelength": unit})


def _normalised_only() -> Content:
    good = observed(30, flux_unit="dimensionless")
    flux = np.random.default_rng(1).uniform(0.2, 1.1, (30, N_PIX)).astype("f4")
    sigma = np.full_like(flux, 0.01)
    empty = np.full_like(flux, np.nan)
    cubes = dict(zip(CUBES, (flux, sigma, empty, empty, flux, sigma), strict=True))
    return good.having({**cubes, "continuum/method": text(["none"] * 30)})


def _without_params(good: Content) -> Content:
    return good.having({path: None for path in good.arrays if path.startswith("params/")})


def _single_precision(good: Content) -> Content:
    return good.having({path: values.astype("f4") for path, values in good.arrays.items() if path.startswith("params")})


def _stacked() -> Content:
    days = text(["2019-03-04"] * 30)
    return observed(30).having({"metadata/source_type": text(["stacked"] * 30), "metadata/date_obs": days})


GOOD: dict[str, Callable[[], Content]] = {
    "one grid, the last row of chunks is not full": observed,
    "one grid, exactly two full rows of chunks": lambda: observed(2048),
    "a single spectrum": lambda: observed(1),
    "a single spectrum of a single pixel": lambda: observed(1, 1),
    "a ragged wavelength padded with NaN": ragged,
    "a ragged wavelength in two rows of chunks": lambda: ragged(N_SPEC),
    "a lattice with offsets": lattice,
    "normalised flux absent": lambda: observed(30).having(dict.fromkeys(CUBES[4:])),
    "no continuum and no normalised flux": _without_continuum,
    "normalised spectra only": _normalised_only,
    "synthetic spectra without uncertainties": lambda: modelled("synthetic"),
    "an emulator": lambda: modelled("emulator"),
    "a forward model with uncertainties": lambda: modelled("forward_model", uncertain=True),
    "stacked spectra with a date only": _stacked,
    "intensities with their angle": _intensity,
    "no parameters": lambda: _without_params(observed(30)),
    "parameters of single precision": lambda: _single_precision(observed(30)),
    "wavelengths of single precision where that is enough": lambda: observed(30).having(
        {"signal/wavelength": observed(30).arrays["signal/wavelength"].astype("f4")}
    ),
    "wavelengths in nm": lambda: _in_unit("nm", 0.1),
    "wavelengths in um": lambda: _in_unit("um", 1e-4),
    "wavelengths in m": lambda: _in_unit("m", 1e-10),
    "fluxes in counts": lambda: observed(30, flux_unit="adu"),
    "high resolution, several columns of chunks": lambda: observed(300, 12_288),
    "high resolution, few spectra": lambda: observed(8, 50_000),
    "high resolution, ragged": lambda: ragged(130, 10_240),
    "format 2": lambda: observed().having(**FORMAT_2),
    "format 2, chunk keys with /": lambda: observed(30).having(zarr_format=2, separator="/"),
    "format 2, ragged": lambda: ragged().having(**FORMAT_2),
    "format 2, text of fixed length": lambda: observed(30).having(**FORMAT_2, fixed_text="U"),
    "format 2, bytes of fixed length": lambda: observed(30).having(**FORMAT_2, fixed_text="S"),
    "format 2, consolidated": lambda: observed(30).having(**FORMAT_2, consolidated=True),
    "format 3, chunk keys with .": lambda: observed().having(separator="."),
    "format 3, chunk keys of format 2": lambda: observed().having(keys="v2", separator="."),
    "format 3, consolidated": lambda: observed(30).having(consolidated=True),
    "sharded": lambda: observed().having(inner=128),
    "sharded, ragged": lambda: ragged(N_SPEC).having(inner=512),
    "sharded, shards of several recommended chunks": lambda: observed(5000).having(inner=1024, shard_factor=4),
    "compression level 6": lambda: observed(30).having(clevel=6),
    "compression level 7": lambda: observed(30).having(**FORMAT_2, clevel=7),
}
"""Every variant by name; each validates without error and without warning, also when strict."""

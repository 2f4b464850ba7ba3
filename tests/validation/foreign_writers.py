"""Stores as the converters of the contract's owner write them: format 2, bytes of fixed width, defaults of zarr-python.

Blosc is named for two-dimensional arrays only, wavelengths are float32 and two-dimensional, rows are written one by
one, and the index comes from pandas or polars.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numcodecs
import numpy as np
import pandas as pd
import polars as pl
import zarr

N_SPEC, N_PIX = 40, 900

Engine = Literal["pandas", "polars"]


@dataclass(frozen=True)
class Habits:
    """What one converter does otherwise than another.

    Attributes
    ----------
    engine : {'pandas', 'polars'}
        What writes the index.
    missing : float
        Written for parameters that are not known.
    nulls : bool
        Whether unknown values of the index are nulls.
    indexed : bool
        Whether the index of pandas is written as a column.
    chunk_rows : int
        Rows of a chunk of the cubes.
    step : float
        Pixel in Angstrom.
    first_name : bytes
        Name of the first object.
    """

    engine: Engine = "polars"
    missing: float = float("nan")
    nulls: bool = False
    indexed: bool = False
    chunk_rows: int = 1024
    step: float = 0.5
    first_name: bytes = b"HD 0"


def columns() -> dict[str, np.ndarray]:
    """The (N_spec,) arrays, text as bytes of fixed width; two are nothing but fill value."""
    names = [f"star_{i:03d}" for i in range(N_SPEC)]
    texts = {
        "metadata/spec_id": names,
        "metadata/source_type": ["observed"] * N_SPEC,
        "metadata/instrument": ["HARPS"] * N_SPEC,
        "metadata/flux_type": ["flux"] * N_SPEC,
        "metadata/date_obs": ["2015-03-01T02:03:04.5"] * N_SPEC,
        "metadata/gaia_id": [""] * N_SPEC,
        "metadata/gaia_dr": [""] * N_SPEC,
        "metadata/h0_object": [f"HD {i}" for i in range(N_SPEC)],
        "continuum/method": ["none"] * N_SPEC,
    }
    numbers = {
        "metadata/snr": np.linspace(20, 90, N_SPEC).astype("f4"),
        "params/teff": np.linspace(4000, 7000, N_SPEC).astype("f4"),
        "params/logg": np.full(N_SPEC, 4.5, "f4"),
        "params/feh": np.full(N_SPEC, -0.25, "f4"),
    }
    return {path: np.array(values, dtype="S") for path, values in texts.items()} | numbers


def write(path: Path, habits: Habits) -> Path:
    """Write a store."""
    root = zarr.open_group(str(path), mode="w", zarr_format=2)
    root.attrs.update(
        schema_version="2.0", ingest_pipeline="converter", created_at="2026-03-01T12:00:00", git_commit="unknown"
    )
    for group in ("signal", "continuum", "representations", "params", "metadata"):
        root.create_group(group)
    _cubes(root, habits)
    found = columns()
    found["params/feh"][3] = habits.missing
    found["metadata/h0_object"][0] = habits.first_name
    for name, values in found.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # No codec is named: zarr-python chooses its own for arrays of one dimension.
            array = root.create_array(name, shape=values.shape, dtype=values.dtype, chunks=values.shape)
            array[:] = values
    _index(path / "index.parquet", found, habits)
    return path


def _cubes(root: zarr.Group, habits: Habits) -> None:
    rng = np.random.default_rng(4)
    blosc = numcodecs.Blosc(cname="zstd", clevel=5, shuffle=numcodecs.Blosc.BITSHUFFLE)
    units = {"signal/wavelength": "Angstrom", "signal/flux_raw": "erg / (Angstrom cm2 s)"}
    for name in (
        *("signal/wavelength", "signal/flux_raw", "signal/uncertainty_raw"),
        *("continuum/continuum_model", "continuum/continuum_uncertainty"),
    ):
        array: Any = root.create_array(
            name,
            shape=(N_SPEC, N_PIX),
            chunks=(habits.chunk_rows, N_PIX),
            dtype="f4",
            compressors=blosc,
            fill_value=0.0,
        )
        array.attrs["units"] = units.get(name, units["signal/flux_raw"])
        for row in range(N_SPEC):
            flux = rng.uniform(1, 2, N_PIX) * 1e-15
            array[row] = {
                "signal/wavelength": 5000 + 0.75 * row + habits.step * np.arange(N_PIX),
                "signal/flux_raw": flux,
                "signal/uncertainty_raw": flux / 50,
            }.get(name, np.full(N_PIX, np.nan))


def _index(path: Path, found: dict[str, np.ndarray], habits: Habits) -> None:
    names = {
        name: f"metadata/{name}" for name in ("spec_id", "source_type", "instrument", "snr", "date_obs", "flux_type")
    } | {name: f"params/{name}" for name in ("teff", "logg", "feh")}
    table: dict[str, list[Any]] = {
        name: [value.decode() if isinstance(value, bytes) else float(value) for value in found[source].tolist()]
        for name, source in names.items()
    }
    table["simulator"] = [None if habits.nulls else ""] * N_SPEC
    table["row_idx"] = list(range(N_SPEC))
    if habits.engine == "pandas":
        frame = pd.DataFrame(table)
        frame.to_parquet(path, index=True if habits.indexed else None)
    else:
        pl.DataFrame(table, schema_overrides={"simulator": pl.String}).write_parquet(path)

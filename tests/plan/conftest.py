"""Staged columns and grids for the planner, made without files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spectral_zarr.config import Config
from spectral_zarr.model import BuildPlan, Grid, Sampling
from spectral_zarr.plan import Planner
from spectral_zarr.transforms.wavelength import resolve

Values = NDArray[np.float64]


class Grids:
    """Grids by place, and their wavelengths for the tally to load."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, int], Values] = {}

    def load(self, batch: int, row: int) -> Values:
        return self.values[batch, row]

    def explicit(self, values: Values, batch: int = 0, row: int = 0) -> Grid:
        resolved = resolve(Sampling(unit="Angstrom", values=np.asarray(values)), len(values))
        self.values[batch, row] = np.asarray(values, float)
        return resolved.grid


def lattice(first: int, n: int, step: float = 1e-4, scale: str = "log10") -> Grid:
    """A slice of a lattice."""
    sampling = Sampling(
        unit="Angstrom",
        scale=scale,
        start=first * step,
        step=step,
        n_pix=n,
        lattice_step=step,  # type: ignore[arg-type]
    )
    return resolve(sampling, n).grid


def linear(start: float, step: float, n: int) -> Grid:
    """An affine grid on no lattice."""
    return resolve(Sampling(unit="Angstrom", start=start, step=step, n_pix=n), n).grid


def columns(ids: list[str], files: list[str] | None = None, grids: list[Grid] | None = None, **fields: Any) -> Any:
    """The staged columns of one batch; a field is one value for all rows or a list."""
    n = len(ids)
    grids = grids or [lattice(35500, 100)] * n
    defaults: dict[str, Any] = {
        "source_hdu": 1,
        "source_row": 0,
        "source_size": 1000,
        "source_type": "observed",
        "reader": "r@1",
        "instrument": "I",
        "wavelength_medium": "vacuum",
        "velocity_frame": "rest",
        "flux_unit": "adu",
        "flux_unit_original": "ADU",
        "has_uncertainty": True,
        "has_continuum": False,
        "has_normalized": False,
    }
    table = {name: value if isinstance(value, list) else [value] * n for name, value in {**defaults, **fields}.items()}
    table |= {"spec_id": ids, "source_file": files or [f"{name}.fits" for name in ids]}
    table |= {
        f"grid_{name}": [getattr(grid, name) for grid in grids]
        for name in ("scale", "start", "step", "first", "digest")
    }
    return table | {name: [getattr(grid, name) for grid in grids] for name in ("n_pix", "wave_min", "wave_max")}


class Everything:
    """Hashes that may all be repeated: batches come one by one."""

    def __contains__(self, number: object) -> bool:
        return True


class Planning:
    """A planner that is fed batches of identifiers."""

    def __init__(self, config: Config | None = None) -> None:
        self.grids = Grids()
        self.planner = Planner(config or Config(), self.grids.load, Everything())
        self.batches = 0

    def add(self, ids: list[str], header: Any = (), params: Any = (), **fields: Any) -> None:
        table = columns(ids, **fields)
        self.planner.add(self.batches, table, header, params, nbytes=1000 * len(ids), largest_file=5000)
        self.batches += 1

    def finish(self) -> BuildPlan:
        return self.planner.finish(
            n_input_files=9, n_rejected=0, created_at="2026-01-31T12:00:00Z", git_commit="0123abc", config="{}"
        )


@pytest.fixture
def planning() -> Planning:
    return Planning()

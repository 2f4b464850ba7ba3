"""FITS spectra of any survey in one machine-learning-ready Zarr store per dataset, under a strict data contract."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectral_zarr.cluster import (
        IngestRequest,
        Outcome,
        SerialExecutor,
        Verdict,
        ingest,
        open_executor,
        preview,
        read_status,
        validate,
    )
    from spectral_zarr.config import Config, Tolerance, load_config
    from spectral_zarr.errors import SpectralZarrError
    from spectral_zarr.store.pinned import open_store

__all__ = [
    "Config",
    "IngestRequest",
    "Outcome",
    "SerialExecutor",
    "SpectralZarrError",
    "Tolerance",
    "Verdict",
    "ingest",
    "load_config",
    "open_executor",
    "open_store",
    "preview",
    "read_status",
    "validate",
]

_HOMES = {
    "Config": "config",
    "SpectralZarrError": "errors",
    "Tolerance": "config",
    "load_config": "config",
    "open_store": "store.pinned",
}


def __getattr__(name: str) -> object:
    # Zarr, Arrow and Dask take most of a second to import, which `spectral-zarr --help` must not pay.
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'cluster')}"), name)

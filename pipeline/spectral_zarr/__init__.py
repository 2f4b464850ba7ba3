"""FITS spectra of any survey in one machine-learning-ready Zarr store per dataset, under a strict data contract."""

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
    "preview",
    "read_status",
    "validate",
]

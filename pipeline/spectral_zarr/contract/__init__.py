"""The data contract as code: the schema, naming, chunking and unit rules, and the findings of a check; pure."""

from spectral_zarr.contract.chunks import ChunkShape, spectral_chunks
from spectral_zarr.contract.findings import Finding, Severity
from spectral_zarr.contract.naming import header_names, sanitise_keyword
from spectral_zarr.contract.schema import (
    ARRAYS_1D_CHUNK,
    CLEVEL,
    GROUPS,
    INDEX_COLUMNS,
    METADATA,
    SCHEMA_VERSION,
    Field,
    FluxType,
    SourceType,
)
from spectral_zarr.contract.units import canonical_unit, wavelength_factor

__all__ = [
    "ARRAYS_1D_CHUNK",
    "CLEVEL",
    "GROUPS",
    "INDEX_COLUMNS",
    "METADATA",
    "SCHEMA_VERSION",
    "ChunkShape",
    "Field",
    "Finding",
    "FluxType",
    "Severity",
    "SourceType",
    "canonical_unit",
    "header_names",
    "sanitise_keyword",
    "spectral_chunks",
    "wavelength_factor",
]

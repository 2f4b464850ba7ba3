"""The layout of a store as one table: groups, arrays, fields, allowed values, index columns and codec."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

SCHEMA_VERSION = "2.0"

GROUPS = ("signal", "continuum", "representations", "params", "metadata")
REQUIRED_GROUPS = ("signal", "continuum", "metadata")

WAVELENGTH = "signal/wavelength"
FLUX = "signal/flux_raw"
UNCERTAINTY = "signal/uncertainty_raw"
CONTINUUM = "continuum/continuum_model"
CONTINUUM_UNCERTAINTY = "continuum/continuum_uncertainty"
METHOD = "continuum/method"
NORMALIZED = "representations/normalized_flux"
NORMALIZED_UNCERTAINTY = "representations/normalized_uncertainty"

REQUIRED_ARRAYS = (WAVELENGTH, FLUX, UNCERTAINTY, CONTINUUM, CONTINUUM_UNCERTAINTY, METHOD)
CUBES = (FLUX, UNCERTAINTY, CONTINUUM, CONTINUUM_UNCERTAINTY, NORMALIZED, NORMALIZED_UNCERTAINTY)
ARRAYS_WITH_UNITS = (WAVELENGTH, *CUBES)

ROOT_ATTRIBUTES = ("schema_version", "ingest_pipeline", "created_at", "git_commit")

ADDED_ROOT_ATTRIBUTES = (
    *("n_input", "n_accepted", "n_rejected", "plan_sha256", "config", "package_versions", "readers", "zarr_format"),
    *("schema_extensions", "wavelength_kind", "data_rights", "header_map_sha256", "resampling"),
)
"""Root attributes beyond the required ones that this package writes or knows."""

CLEVEL = 5
CLEVELS = range(5, 8)
CNAME: Final = "zstd"
SHUFFLE: Final = "bitshuffle"

ARRAYS_1D_CHUNK = 65_536
"""Rows per chunk of the (N_spec,) arrays: they, not the cubes, make the number of files."""


class SourceType(StrEnum):
    """Origin of a spectrum, the allowed values of ``metadata/source_type``."""

    OBSERVED = "observed"
    SYNTHETIC = "synthetic"
    EMULATOR = "emulator"
    FORWARD_MODEL = "forward_model"
    STACKED = "stacked"


class FluxType(StrEnum):
    """Physical quantity, the allowed values of ``metadata/flux_type``."""

    FLUX = "flux"
    INTENSITY = "intensity"


FieldKind = Literal["text", "float64", "float32", "int64", "int32"]


@dataclass(frozen=True, slots=True)
class Field:
    """One array of ``metadata/``: its name, its kind and what it means."""

    name: str
    kind: FieldKind
    meaning: str


METADATA = (
    Field("spec_id", "text", "unique identifier of the spectrum"),
    Field("source_type", "text", "observed, synthetic, emulator, forward_model or stacked"),
    Field("instrument", "text", "instrument, '' for models at native resolution"),
    Field("flux_type", "text", "flux or intensity"),
    Field("snr", "float64", "signal-to-noise ratio per pixel, NaN unknown"),
    Field("date_obs", "text", "UTC start of the exposure, ISO 8601, '' unknown or meaningless"),
    Field("gaia_id", "text", "Gaia source_id, '' unknown"),
    Field("gaia_dr", "text", "Gaia data release of gaia_id"),
    Field("simulator", "text", "code and version of a model, '' for observations"),
    Field("snr_method", "text", "header:<KEY>, median_flux_over_sigma, der_snr or none"),
    Field("wavelength_medium", "text", "air, vacuum or unknown"),
    Field("velocity_frame", "text", "barycentric, heliocentric, topocentric, rest or unknown"),
    Field("berv", "float64", "barycentric velocity of the observatory in km/s, NaN unknown"),
    Field("rv_applied", "float64", "velocity shift already removed in km/s, NaN none or unknown"),
    Field("resolving_power", "float32", "nominal resolving power, NaN unknown"),
    Field("ra", "float64", "right ascension in degrees, NaN unknown"),
    Field("dec", "float64", "declination in degrees, NaN unknown"),
    Field("object", "text", "target name as the observer gave it"),
    Field("object_id", "text", "survey identifier of the star, equal for repeated observations"),
    Field("program_id", "text", "observing programme"),
    Field("exptime", "float64", "exposure time in seconds, NaN unknown"),
    Field("airmass", "float64", "airmass, NaN unknown"),
    Field("mjd", "float64", "modified Julian date of the start, NaN unknown"),
    Field("flux_calibration", "text", "absolute, relative, counts, normalized or ''"),
    Field("n_pix_valid", "int32", "pixels with a finite flux"),
    Field("pix_offset", "int32", "column of the first pixel of the spectrum"),
    Field("wave_min", "float64", "shortest wavelength in the unit of signal/wavelength"),
    Field("wave_max", "float64", "longest wavelength in the unit of signal/wavelength"),
    Field("order", "text", "echelle order where each order is a row of its own, else ''"),
    Field("arm_merge", "text", "how the arms of one exposure were joined, '' for a single arm"),
    Field("order_overlap", "text", "sorted where the pixels of overlapping orders were interleaved, else ''"),
    Field("params_source", "text", "where params/ come from"),
    Field("source_file", "text", "path of the source file relative to the ingested directory"),
    Field("source_companions", "text", "further source files of the spectrum, separated by |"),
    Field("source_hdu", "int32", "zero-based HDU of the flux"),
    Field("source_row", "int32", "zero-based row within the HDU"),
    Field("source_size", "int64", "bytes of the source file"),
    Field("source_sha256", "text", "SHA-256 of the source file"),
    Field("reader", "text", "reader name@version"),
)

INDEX_COLUMNS = ("spec_id", "source_type", "teff", "logg", "feh", "instrument", "simulator", "snr")
INDEX_TEXT = ("spec_id", "source_type", "instrument", "simulator")
INDEX_EXTRA = ("flux_type", "date_obs", "gaia_id", "gaia_dr", "ra", "dec", "source_file")


def is_named(path: str) -> bool:
    """Whether the contract gives the array at a path a meaning; parameters and metadata are open sets."""
    return path in (*REQUIRED_ARRAYS, *CUBES) or path.split("/")[0] in ("params", "metadata")

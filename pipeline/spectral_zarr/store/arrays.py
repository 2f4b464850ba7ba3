"""The arrays of a store as the plan decides them, with units and provenance attributes."""

from __future__ import annotations

from typing import Any

from spectral_zarr.contract import schema
from spectral_zarr.contract.units import ANGSTROM, DIMENSIONLESS
from spectral_zarr.model import BuildPlan
from spectral_zarr.store.create import ArrayKind, ArraySpec

SPECTRUM, PIXEL = "spectrum", "pixel"

_DTYPES = {"text": "text", "float64": "<f8", "float32": "<f4", "int64": "<i8", "int32": "<i4"}


def array_specs(plan: BuildPlan) -> tuple[ArraySpec, ...]:
    """All arrays of the store."""
    return (*_cubes(plan), _wavelength(plan), *column_specs(plan))


def column_specs(plan: BuildPlan) -> tuple[ArraySpec, ...]:
    """The (N_spec,) arrays: method, metadata, projected header fields and parameters."""
    specs = [ArraySpec(schema.METHOD, _column(plan, "text"))]
    specs += [ArraySpec(f"metadata/{field.name}", _column(plan, _DTYPES[field.kind])) for field in schema.METADATA]
    specs += [ArraySpec(f"metadata/{name}", _column(plan, "text")) for _, name in plan.header]
    specs += [ArraySpec(f"params/{name}", _column(plan, "<f8")) for name in plan.params]
    return tuple(specs)


def root_attributes(plan: BuildPlan, pipeline: str, versions: dict[str, str]) -> dict[str, Any]:
    """Provenance of the store: the four required attributes and the additive ones."""
    attributes: dict[str, Any] = {
        "schema_version": schema.SCHEMA_VERSION,
        "ingest_pipeline": pipeline,
        "created_at": plan.created_at,
        "git_commit": plan.git_commit,
        "n_input": plan.n_input_files,
        "n_accepted": plan.n_spec,
        "n_rejected": plan.n_rejected,
        "plan_sha256": plan.sha256,
        "readers": list(plan.readers),
        "config": plan.config,
        "package_versions": versions,
        "zarr_format": plan.zarr_format,
        "schema_extensions": [],
        "wavelength_kind": plan.wavelength.kind,
    }
    if plan.data_rights:
        attributes["data_rights"] = plan.data_rights
    return attributes


def cube_dtype(array: str) -> str:
    """Dtype of a (N_spec, N_pix) array."""
    return "<f8" if array == schema.WAVELENGTH else "<f4"


def _cubes(plan: BuildPlan) -> list[ArraySpec]:
    kind = ArrayKind(
        "<f4",
        (plan.n_spec, plan.n_pix),
        (plan.chunk_rows, plan.chunk_columns),
        (SPECTRUM, PIXEL),
        plan.zarr_format,
        plan.clevel,
    )
    units: dict[str, Any] = {"units": plan.flux_unit}
    if plan.flux_unit_original and plan.flux_unit_original != plan.flux_unit:
        units["units_original"] = plan.flux_unit_original
    names = (schema.FLUX, schema.UNCERTAINTY, schema.CONTINUUM, schema.CONTINUUM_UNCERTAINTY)
    specs = [ArraySpec(name, kind, units) for name in names]
    if plan.has_normalized:
        specs += [
            ArraySpec(name, kind, {"units": DIMENSIONLESS})
            for name in (schema.NORMALIZED, schema.NORMALIZED_UNCERTAINTY)
        ]
    return specs


def _wavelength(plan: BuildPlan) -> ArraySpec:
    attributes = {"units": ANGSTROM, "medium": plan.wavelength.medium}
    ragged = plan.wavelength.kind == "ragged"
    kind = ArrayKind(
        "<f8",
        (plan.n_spec, plan.n_pix) if ragged else (plan.n_pix,),
        (plan.chunk_rows, plan.chunk_columns) if ragged else (plan.n_pix,),
        (SPECTRUM, PIXEL) if ragged else (PIXEL,),
        plan.zarr_format,
        plan.clevel,
    )
    return ArraySpec(schema.WAVELENGTH, kind, attributes)


def _column(plan: BuildPlan, dtype: str) -> ArrayKind:
    chunk = min(schema.ARRAYS_1D_CHUNK, plan.n_spec)
    return ArrayKind(dtype, (plan.n_spec,), (chunk,), (SPECTRUM,), plan.zarr_format, plan.clevel)

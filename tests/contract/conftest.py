"""The facts of a store that keeps every rule, to be broken one rule at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spectral_zarr.contract import schema
from spectral_zarr.contract.chunks import spectral_chunks
from spectral_zarr.contract.facts import ArrayFacts, IndexFacts, StoreFacts

N_SPEC, N_PIX = 2000, 500
CODEC = ("zstd", 5, "bitshuffle")


def array(shape: tuple[int, ...], kind: str = "float32", **attributes: Any) -> ArrayFacts:
    """An array as our writer makes it."""
    itemsize = 1 if kind == "text" else int(kind[-2:]) // 8
    chunk = spectral_chunks(N_SPEC, N_PIX)
    chunks = (chunk.rows, chunk.columns) if len(shape) == 2 else shape
    return ArrayFacts(shape, chunks, kind, itemsize, CODEC, attributes)


def good_store() -> StoreFacts:
    """Facts without any finding."""
    cube = (N_SPEC, N_PIX)
    arrays = {path: array(cube, units="adu") for path in schema.CUBES}
    arrays[schema.WAVELENGTH] = array((N_PIX,), "float64", units="Angstrom")
    arrays[schema.METHOD] = array((N_SPEC,), "text")
    for field in schema.METADATA:
        arrays[f"metadata/{field.name}"] = array((N_SPEC,), field.kind)
    arrays["metadata/h0_exptime"] = array((N_SPEC,), "text")
    arrays["params/teff"] = array((N_SPEC,), "float64")
    return StoreFacts(
        name="good.zarr",
        zarr_format=3,
        attributes={
            "schema_version": "2.0",
            "ingest_pipeline": "spectral-zarr 0.1.0",
            "created_at": "2026-01-31T12:00:00Z",
            "git_commit": "0123abc-dirty",
        },
        groups=schema.GROUPS,
        group_attributes={group: {} for group in schema.GROUPS},
        arrays=arrays,
        index=IndexFacts(N_SPEC, dict.fromkeys(schema.INDEX_COLUMNS, "string")),
        n_spec_expected=N_SPEC,
    )


def changed(path: str, **fields: Any) -> StoreFacts:
    """The good store with one array changed."""
    good = good_store()
    return replace(good, arrays={**good.arrays, path: replace(good.arrays[path], **fields)})


def added(path: str, facts: ArrayFacts) -> StoreFacts:
    """The good store with one more array."""
    good = good_store()
    return replace(good, arrays={**good.arrays, path: facts})


def without(*paths: str) -> StoreFacts:
    """The good store with arrays left out."""
    good = good_store()
    return replace(good, arrays={path: facts for path, facts in good.arrays.items() if path not in paths})


def attributes(**values: Any) -> StoreFacts:
    """The good store with root attributes set, or left out by None."""
    good = good_store()
    merged = {**good.attributes, **values}
    return replace(good, attributes={key: value for key, value in merged.items() if value is not None})

"""The facts of a store that keeps every rule, to be broken one rule at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import ArrayFacts, IndexFacts, StoreFacts

N_SPEC, N_PIX = 2000, 500
CHUNKS = (1024, 500)
CODEC = ("zstd", 5, "bitshuffle")
FLUX_UNIT = "erg / (Angstrom cm2 s)"


def array(shape: tuple[int, ...], kind: str = "float32", **attributes: Any) -> ArrayFacts:
    """An array stored as the contract wants it."""
    text = kind == "text"
    itemsize = 16 if text else {"bool": 1}.get(kind) or int("".join(c for c in kind if c.isdigit())) // 8
    chunks = tuple(min(chunk, length) for chunk, length in zip(CHUNKS, shape, strict=False))
    return ArrayFacts(
        shape=shape,
        chunks=chunks if len(shape) == 2 else shape,
        kind=kind,
        itemsize=itemsize,
        codec=CODEC,
        attributes=attributes,
        typesize=1 if text else itemsize,
    )


def column(kind: str = "float64") -> ArrayFacts:
    """An array with one value a spectrum."""
    return array((N_SPEC,), kind)


def cube(kind: str = "float32", **attributes: Any) -> ArrayFacts:
    """An array with one value a pixel."""
    return array((N_SPEC, N_PIX), kind, **attributes)


def good_store() -> StoreFacts:
    """Facts without any finding, not even when strict."""
    arrays = {path: cube(units=FLUX_UNIT) for path in schema.CUBES}
    for path in (schema.NORMALIZED, schema.NORMALIZED_UNCERTAINTY):
        arrays[path] = cube(units="dimensionless")
    arrays[schema.WAVELENGTH] = array((N_PIX,), "float64", units="Angstrom")
    arrays[schema.METHOD] = column("text")
    for field in schema.METADATA:
        arrays[f"metadata/{field.name}"] = column(field.kind)
    arrays["metadata/h0_exptime"] = column("text")
    for name in ("teff", "logg", "e_teff"):
        arrays[f"params/{name}"] = column()
    text = dict.fromkeys(schema.INDEX_TEXT, "string")
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
        index=IndexFacts(N_SPEC, {name: text.get(name, "double") for name in schema.INDEX_COLUMNS}, N_SPEC),
        n_spec_expected=N_SPEC,
    )


GOOD = good_store()
assert GOOD.index is not None
INDEX = GOOD.index


def changed(path: str, **fields: Any) -> StoreFacts:
    """The good store with one array changed."""
    return added(path, replace(GOOD.arrays[path], **fields))


def with_units(path: str, units: Any) -> StoreFacts:
    """The good store with the unit of one array changed."""
    return changed(path, attributes={"units": units})


def added(path: str, facts: ArrayFacts) -> StoreFacts:
    """The good store with one more array."""
    return replace(GOOD, arrays={**GOOD.arrays, path: facts})


def without(*paths: str) -> StoreFacts:
    """The good store with arrays left out."""
    return replace(GOOD, arrays={path: facts for path, facts in GOOD.arrays.items() if path not in paths})


def with_group(group: str, **attributes: Any) -> StoreFacts:
    """The good store with one more group, or other attributes of a group."""
    groups = GOOD.groups if group in GOOD.groups else (*GOOD.groups, group)
    return replace(GOOD, groups=groups, group_attributes={**GOOD.group_attributes, group: attributes})


def with_index(**fields: Any) -> StoreFacts:
    """The good store with its index changed."""
    return replace(GOOD, index=replace(INDEX, **fields))


def with_attributes(**values: Any) -> StoreFacts:
    """The good store with root attributes set, or left out by None."""
    merged = {**GOOD.attributes, **values}
    return replace(GOOD, attributes={key: value for key, value in merged.items() if value is not None})

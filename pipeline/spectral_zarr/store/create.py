"""The metadata documents of a store, taken from zarr-python once per kind of array and stamped out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from spectral_zarr.contract.schema import CNAME, GROUPS, SHUFFLE
from spectral_zarr.model import ChunkReceipt
from spectral_zarr.store.chunks import BLOCK_BYTES, receipt_of
from spectral_zarr.store.fsops import make_directories, write_plain

if TYPE_CHECKING:
    from zarr.storage import MemoryStore

DIMENSIONS = "_ARRAY_DIMENSIONS"


@dataclass(frozen=True, slots=True)
class ArrayKind:
    """What distinguishes the metadata of arrays, but for their attributes."""

    dtype: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dimensions: tuple[str, ...]
    zarr_format: Literal[2, 3]
    clevel: int


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """One array to create."""

    path: str
    kind: ArrayKind
    attributes: dict[str, Any] = field(default_factory=dict)


def create_store(
    root: Path, arrays: tuple[ArraySpec, ...], attributes: dict[str, Any], zarr_format: int
) -> tuple[ChunkReceipt, ...]:
    """Write the metadata of all groups and arrays into an existing directory.

    Parameters
    ----------
    root : Path
        Directory of the store.
    arrays : tuple of ArraySpec
        All arrays.
    attributes : dict
        Attributes of the root group.
    zarr_format : int
        2 or 3.

    Returns
    -------
    tuple of ChunkReceipt
        Size and CRC-32C of every document, which belongs to no array.

    Notes
    -----
    Consolidated metadata is part of the documents written, so that opening is one read.
    """
    documents: dict[str, dict[str, Any]] = {}
    for group in ("", *GROUPS):
        documents.update(_group_documents(group, attributes if not group else {}, zarr_format))
    for spec in sorted(arrays, key=lambda spec: spec.path):
        documents.update(_array_documents(spec))
    if zarr_format == 3:
        members = {key.removesuffix("/zarr.json"): value for key, value in documents.items() if key != "zarr.json"}
        consolidated = {"kind": "inline", "must_understand": False, "metadata": dict(sorted(members.items()))}
        documents["zarr.json"]["consolidated_metadata"] = consolidated
    else:
        documents[".zmetadata"] = {"metadata": dict(sorted(documents.items())), "zarr_consolidated_format": 1}
    receipts = []
    for key, document in documents.items():
        # The standard library indents in Python, many times slower.
        payload = msgspec.json.format(json.dumps(document, ensure_ascii=False).encode(), indent=2)
        make_directories((root / key).parent, root)
        write_plain(root / key, payload)
        receipts.append(receipt_of("", key, payload))
    return tuple(receipts)


def _group_documents(path: str, attributes: dict[str, Any], zarr_format: int) -> dict[str, dict[str, Any]]:
    prefix = f"{path}/" if path else ""
    if zarr_format == 3:
        return {f"{prefix}zarr.json": {"attributes": attributes, "zarr_format": 3, "node_type": "group"}}
    return {f"{prefix}.zgroup": {"zarr_format": 2}, f"{prefix}.zattrs": attributes}


def _array_documents(spec: ArraySpec) -> dict[str, dict[str, Any]]:
    documents = json.loads(_prototype(spec.kind))
    attributes = dict(spec.attributes)
    if spec.kind.zarr_format == 3:
        documents["zarr.json"]["attributes"] = attributes
    else:
        if not spec.path.startswith("params/"):
            attributes[DIMENSIONS] = list(spec.kind.dimensions)
        documents[".zattrs"] = attributes
    return {f"{spec.path}/{key}": document for key, document in documents.items()}


@lru_cache(maxsize=64)
def _prototype(kind: ArrayKind) -> str:
    # Only the driver creates arrays; a worker never needs zarr-python and starts faster without it.
    import numcodecs
    import zarr
    from zarr.codecs import BloscCodec
    from zarr.core.sync import sync
    from zarr.storage import MemoryStore

    store = MemoryStore()
    text = kind.dtype == "text"
    itemsize = 1 if text else int(kind.dtype[-1])
    compressor: Any
    if kind.zarr_format == 3:
        compressor = BloscCodec(
            cname=CNAME,
            clevel=kind.clevel,
            shuffle=SHUFFLE,
            typesize=itemsize,
            blocksize=BLOCK_BYTES,
        )
    else:
        compressor = numcodecs.Blosc(
            cname=CNAME, clevel=kind.clevel, shuffle=numcodecs.Blosc.BITSHUFFLE, blocksize=BLOCK_BYTES
        )
    zarr.create_array(
        store,
        name="prototype",
        shape=kind.shape,
        dtype=str if text else kind.dtype,
        chunks=kind.chunks,
        compressors=compressor,
        fill_value="" if text else float("nan") if "f" in kind.dtype else 0,
        zarr_format=kind.zarr_format,
        dimension_names=kind.dimensions if kind.zarr_format == 3 else None,
        chunk_key_encoding={"name": "default", "separator": "."} if kind.zarr_format == 3 else None,
    )
    return json.dumps(sync(_documents(store)))


async def _documents(store: MemoryStore) -> dict[str, Any]:
    from zarr.core.buffer import default_buffer_prototype

    found: dict[str, Any] = {}
    async for key in store.list_prefix("prototype/"):
        value = await store.get(key, default_buffer_prototype())
        if value is not None:
            found[key.removeprefix("prototype/")] = json.loads(value.to_bytes())
    return found

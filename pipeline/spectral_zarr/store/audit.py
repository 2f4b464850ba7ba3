"""Reading a store for validation, whoever wrote it: its structure, and blocks of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import ArrayFacts, IndexFacts, StoreFacts
from spectral_zarr.errors import UsageError
from spectral_zarr.store.columns import INDEX

if TYPE_CHECKING:
    import zarr

_ZARR_FILES = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zmetadata"})
_TEXT_KINDS = frozenset("OTUS")


def open_group(path: Path) -> zarr.Group:
    """The root group, read-only.

    Raises
    ------
    UsageError
        When there is no Zarr store.
    """
    import zarr

    try:
        return zarr.open_group(str(path), mode="r", use_consolidated=False)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"not a Zarr store: {error}", path=str(path)) from error


def read_facts(path: Path, *, n_spec_expected: int | None = None) -> StoreFacts:
    """Structure of a store."""
    root = open_group(path)
    groups: dict[str, dict[str, Any]] = {}
    arrays: dict[str, ArrayFacts] = {}
    for name, member in _members(root):
        if hasattr(member, "shape"):
            arrays[name] = _array_facts(member)
        else:
            groups[name] = dict(member.attrs)
    allowed = {*_ZARR_FILES, INDEX, *schema.GROUPS}
    return StoreFacts(
        name=path.name,
        zarr_format=root.metadata.zarr_format,
        attributes=dict(root.attrs),
        groups=tuple(sorted(groups)),
        group_attributes=groups,
        arrays=dict(sorted(arrays.items())),
        index=_index_facts(path / INDEX),
        foreign=tuple(sorted(entry.name for entry in path.iterdir() if entry.name not in allowed)),
        n_spec_expected=n_spec_expected,
    )


def _members(group: zarr.Group, prefix: str = "") -> Iterator[tuple[str, Any]]:
    import warnings

    import zarr

    with warnings.catch_warnings():
        # index.parquet is part of the contract and unknown to zarr-python.
        warnings.simplefilter("ignore")
        members = sorted(group.members(), key=lambda pair: pair[0])
    for name, member in members:
        yield prefix + name, member
        if isinstance(member, zarr.Group):
            yield from _members(member, f"{prefix}{name}/")


def _array_facts(array: Any) -> ArrayFacts:
    text = array.dtype.kind in _TEXT_KINDS
    return ArrayFacts(
        shape=tuple(array.shape),
        chunks=tuple(array.shards or array.chunks),
        kind="text" if text else array.dtype.name,
        itemsize=16 if text else array.dtype.itemsize,
        codec=_blosc(array),
        attributes=dict(array.attrs),
    )


def _blosc(array: Any) -> tuple[str, int, str] | None:
    for codec in array.compressors:
        shuffle = getattr(codec, "shuffle", None)
        if type(codec).__name__ in ("Blosc", "BloscCodec"):
            cname, name = (str(getattr(value, "value", value)) for value in (codec.cname, shuffle))
            return cname, int(codec.clevel), {"0": "noshuffle", "1": "shuffle", "2": "bitshuffle"}.get(name, name)
    return None


def _index_facts(path: Path) -> IndexFacts | None:
    try:
        parquet = pa.parquet.ParquetFile(path)
        return IndexFacts(parquet.metadata.num_rows, {field.name: str(field.type) for field in parquet.schema_arrow})
    except (OSError, pa.ArrowException):
        return None


def read_index(path: Path, columns: list[str]) -> dict[str, list[Any]]:
    """Columns of the index."""
    table: dict[str, list[Any]] = pa.parquet.ParquetFile(path / INDEX).read(columns).to_pydict()
    return table


def read_rows(path: Path, array: str, rows: slice) -> NDArray[Any]:
    """A block of rows of one array; text as an object array of str."""
    values = np.asarray(open_group(path)[array][rows])  # type: ignore[index]
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(object)
    return values.astype(object) if values.dtype.kind in _TEXT_KINDS else values

"""The structure of a store, whoever wrote it: every document read, every directory listed, no chunk decoded."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet

from spectral_zarr.contract.facts import ArrayFacts, IndexFacts, StoreFacts
from spectral_zarr.contract.schema import is_named
from spectral_zarr.errors import UsageError
from spectral_zarr.store.chunk_reader import read_regular
from spectral_zarr.store.columns import INDEX
from spectral_zarr.store.documents import ArrayLayout, DocumentProblem, array_of_format_2, array_of_format_3

if TYPE_CHECKING:
    import zarr

FORMAT_3 = "zarr.json"
FORMAT_2 = (".zgroup", ".zarray", ".zattrs", ".zmetadata")
DEEPEST = 8
MOST_DOCUMENT_BYTES = 64 << 20

ZARR_PART, INDEX_PART = "zarr", "index"
FATAL_PARTS = (INDEX_PART, ZARR_PART)
"""Parts of the structure whose reading, by libraries, may end the process."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What can be known of a store without decoding a chunk.

    Attributes
    ----------
    layouts : mapping
        How the chunks of each array are stored, by path.
    chunk_rows : mapping
        Indices along the first axis of the chunks that have files, sorted, by path of an array of one or two axes.
    documents : tuple of str
        Paths of the metadata documents.
    """

    facts: StoreFacts
    layouts: Mapping[str, ArrayLayout]
    chunk_rows: Mapping[str, tuple[int, ...]]
    documents: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, ArrayFacts] = field(default_factory=dict)
    layouts: dict[str, ArrayLayout] = field(default_factory=dict)
    chunk_rows: dict[str, tuple[int, ...]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)


def open_group(path: Path) -> zarr.Group:
    """The root group as zarr-python sees it, read-only.

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


def read_structure(
    path: Path,
    *,
    n_spec_expected: int | None = None,
    for_reading: bool = False,
    fatal: Mapping[str, str] = MappingProxyType({}),
) -> Structure:
    """Read all documents of a store.

    Parameters
    ----------
    path : Path
        Directory of the store.
    n_spec_expected : int, optional
        Number of spectra that there should be; the root attribute ``n_accepted`` by default.
    for_reading : bool
        Whether the question is if readers may use the store.
    fatal : mapping of str to str
        Which of `FATAL_PARTS` are not read again, and how the process ended that read them.

    Raises
    ------
    UsageError
        When there is no Zarr store.
    """
    if not path.is_dir():
        raise UsageError("there is no such directory", path=str(path))
    names = set(os.listdir(path))  # noqa: PTH208 (names, not paths)
    if FORMAT_3 not in names and not names & set(FORMAT_2):
        raise UsageError("not a Zarr store: it has neither zarr.json nor .zgroup", path=str(path))
    zarr_format: Literal[2, 3] = 3 if FORMAT_3 in names else 2
    found = _Found()
    _walk(path, "", zarr_format, found, 0)
    root = found.groups.pop("", {})
    if not found.problems:
        found.problems += _stale(found.documents, zarr_format)
    if ZARR_PART in fatal:
        found.problems.append(("root", f"opening it ended the process: {fatal[ZARR_PART]}"))
    elif not found.problems and (problem := _zarr_problem(path, zarr_format, found)) is not None:
        found.problems.append(("root", problem))
    if INDEX_PART in fatal:
        index, index_problem = None, f"reading it ended the process: {fatal[INDEX_PART]}"
    else:
        index, index_problem = _index_facts(path / INDEX)
    accepted = root.get("n_accepted")
    if n_spec_expected is None and isinstance(accepted, int) and not isinstance(accepted, bool):
        n_spec_expected = accepted
    tmp = path.with_name(f"{path.name}.tmp")
    facts = StoreFacts(
        name=path.name,
        zarr_format=zarr_format,
        attributes=root,
        groups=tuple(sorted(found.groups)),
        group_attributes=found.groups,
        arrays=dict(sorted(found.arrays.items())),
        index=index,
        index_problem=index_problem,
        foreign=tuple(sorted(found.foreign)),
        problems=tuple(found.problems),
        unknown=tuple(found.unknown),
        n_spec_expected=n_spec_expected,
        unfinished_beside=tmp.name if path.suffix == ".zarr" and tmp.exists() else "",
        for_reading=for_reading,
    )
    return Structure(facts, found.layouts, found.chunk_rows, tuple(sorted(found.documents)))


def _walk(directory: Path, path: str, zarr_format: int, found: _Found, depth: int) -> None:
    with os.scandir(directory) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    names = {entry.name for entry in listed}
    prefix = f"{path}/" if path else ""
    documents: dict[str, Any] = {}
    for name in sorted(names.intersection(_documents_of(zarr_format))):
        try:
            documents[name] = _document(directory / name)
        except DocumentProblem as problem:
            found.problems.append((path or "root", str(problem)))
    found.documents.update({prefix + name: document for name, document in documents.items()})
    node = documents.get(FORMAT_3, {})
    if (isinstance(node, dict) and node.get("node_type") == "array") or ".zarray" in documents:
        _array(directory, path, documents, zarr_format, found, names)
        return
    unread = names.intersection(_documents_of(zarr_format)) - documents.keys()
    if path and unread and not any(entry.is_dir(follow_symlinks=False) and entry.name != "c" for entry in listed):
        # The document that cannot be read was that of an array; its chunks mean nothing without it.
        return
    if not documents and not unread and not any(entry.is_dir(follow_symlinks=False) for entry in listed):
        found.foreign.append(path)
        return
    attributes = node.get("attributes", {}) if FORMAT_3 in documents and isinstance(node, dict) else {}
    attributes = documents.get(".zattrs", attributes)
    if not isinstance(node, dict) or not isinstance(attributes, dict):
        found.problems.append((path or "root", "the document is not one of a group"))
        attributes = {}
    found.groups[path] = attributes
    for entry in listed:
        if prefix + entry.name == INDEX:
            continue
        if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
            _walk(directory / entry.name, prefix + entry.name, zarr_format, found, depth + 1)
        elif entry.name not in _documents_of(zarr_format):
            found.foreign.append(prefix + entry.name)
    if unread or FORMAT_3 in documents or ".zgroup" in documents:
        return
    if any(name.startswith(prefix) for name in (*found.arrays, *found.groups) if name != path):
        name = FORMAT_3 if zarr_format == 3 else ".zgroup"
        found.problems.append((path or "root", f"there is no {name}: Zarr does not see the group"))
    else:
        del found.groups[path]
        found.foreign = [*(name for name in found.foreign if not name.startswith(prefix)), path]


def _array(
    directory: Path, path: str, documents: dict[str, Any], zarr_format: int, found: _Found, names: set[str]
) -> None:
    try:
        if zarr_format == 3:
            layout, attributes = array_of_format_3(path, documents[FORMAT_3])
        else:
            layout, attributes = array_of_format_2(path, documents[".zarray"], documents.get(".zattrs", {}))
    except DocumentProblem as problem:
        (found.problems if is_named(path) else found.unknown).append((path, str(problem)))
        return
    found.layouts[path] = layout
    found.arrays[path] = ArrayFacts(
        shape=layout.shape,
        chunks=layout.chunks,
        kind=layout.kind,
        itemsize=layout.itemsize,
        codec=layout.codec,
        attributes=attributes,
        inner_chunks=layout.inner,
        typesize=layout.typesize,
        unreadable=layout.refused,
    )
    rows, stray = _chunk_rows(directory, layout, names - set(_documents_of(zarr_format)))
    found.foreign += [f"{path}/{name}" for name in stray]
    if len(layout.shape) in (1, 2):
        found.chunk_rows[path] = rows


def _chunk_rows(directory: Path, layout: ArrayLayout, names: set[str]) -> tuple[tuple[int, ...], list[str]]:
    rows: set[int] = set()
    stray: list[str] = []
    grid = layout.grid
    nested = layout.separator == "/" and layout.prefix
    if nested and layout.prefix in names and (directory / layout.prefix).is_dir():
        chunk_names = {f"{layout.prefix}/{name}" for name in os.listdir(directory / layout.prefix)}  # noqa: PTH208
    else:
        chunk_names = {name for name in names if not (nested and name == layout.prefix)}
    for name in chunk_names:
        parts = name.split(layout.separator)
        if layout.prefix and parts[0] == layout.prefix:
            parts = parts[1:]
        inside = (
            0 < len(parts) <= len(grid)
            and all(part.isascii() and part.isdigit() and str(int(part)) == part for part in parts)
            and all(int(part) < count for part, count in zip(parts, grid, strict=False))
        )
        if inside:
            rows.add(int(parts[0]))
        elif len(grid):
            stray.append(name)
    return tuple(sorted(rows)), sorted(stray)


def _document(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_DOCUMENT_BYTES:
            raise DocumentProblem(f"{path.name} is too large for a document")
        document = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise DocumentProblem(f"{path.name}: {error}") from None
    if not isinstance(document, dict):
        raise DocumentProblem(f"{path.name} is not a mapping")
    return document


def _documents_of(zarr_format: int) -> tuple[str, ...]:
    return (FORMAT_3,) if zarr_format == 3 else FORMAT_2


def _stale(documents: dict[str, Any], zarr_format: int) -> Iterator[tuple[str, str]]:
    if zarr_format == 3:
        root = documents.get(FORMAT_3)
        consolidated = root.get("consolidated_metadata") if isinstance(root, dict) else None
        listed = consolidated.get("metadata") if isinstance(consolidated, dict) else None
        actual = {key.removesuffix(f"/{FORMAT_3}"): value for key, value in documents.items() if key != FORMAT_3}
    else:
        consolidated = documents.get(".zmetadata")
        listed = consolidated.get("metadata") if isinstance(consolidated, dict) else None
        actual = {key: value for key, value in documents.items() if not key.endswith(".zmetadata")}
    if consolidated is None:
        return
    if not isinstance(listed, dict):
        yield "root", "the consolidated metadata cannot be read"
        return
    for key in sorted(actual.keys() | listed.keys()):
        if not _same_document(actual.get(key), listed.get(key)):
            yield key, "the consolidated metadata say something else; consolidate them again"


def _same_document(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    keys = (one.keys() | other.keys()) - {"consolidated_metadata"}
    return all(json.dumps(one.get(key), sort_keys=True) == json.dumps(other.get(key), sort_keys=True) for key in keys)


def _zarr_problem(path: Path, zarr_format: Literal[2, 3], found: _Found) -> str | None:
    import zarr

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Only the documents that were read are opened: with the format left to zarr-python, it would open those of
            # the other one as well, and its own walk follows symbolic links in circles.
            zarr.open_group(str(path), mode="r", zarr_format=zarr_format)
            root = zarr.open_group(str(path), mode="r", zarr_format=zarr_format, use_consolidated=False)
            for member in (*found.groups, *found.arrays):
                root[member]
    except Exception as error:
        # Whatever it raises, readers of the store meet it too.
        return f"zarr-python cannot open it: {type(error).__name__}: {error}"
    return None


def _index_facts(path: Path) -> tuple[IndexFacts | None, str]:
    if path.is_dir():
        return None, "a directory; write one file"
    if path.exists() and not path.is_file():
        return None, "not a regular file"
    try:
        parquet = pa.parquet.ParquetFile(path)
        groups = [parquet.metadata.row_group(i) for i in range(parquet.metadata.num_row_groups)]
        compressions = {str(group.column(i).compression).lower() for group in groups for i in range(group.num_columns)}
        facts = IndexFacts(
            rows=parquet.metadata.num_rows,
            columns={column.name: str(column.type) for column in parquet.schema_arrow},
            longest_row_group=max((group.num_rows for group in groups), default=0),
            compressions=frozenset(compressions),
        )
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, pa.ArrowException) as error:
        return None, f"it cannot be read: {error}"
    return facts, ""

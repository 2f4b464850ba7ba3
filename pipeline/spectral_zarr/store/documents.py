"""The metadata documents of an array, of format 2 or 3, read strictly into what is needed to decode its chunks."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from spectral_zarr.contract.chunks import BLOSC_LIMIT_BYTES

TEXT = "text"

TextKind = Literal["", "variable", "fixed"]
Codec = tuple[str, int, str]

_SHUFFLES = {0: "noshuffle", 1: "shuffle", 2: "bitshuffle", -1: "autoshuffle"}
_SAFE_CODECS = frozenset(
    {
        *("blosc", "zstd", "gzip", "zlib", "bz2", "lzma", "lz4", "shuffle", "delta", "fixedscaleoffset", "quantize"),
        *("bitround", "packbits", "astype", "crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"),
        *("vlen-utf8", "vlen-bytes", "json2", "msgpack2", "bytes", "transpose", "sharding_indexed"),
    }
)
"""Codecs that compute; pickle, which runs what the store says, is not among them."""


LONGEST_ROW = 65_536
"""Chunks side by side: a row of more was cut by a damaged number, and looking for all of them would take hours."""

_LONGEST_AXIS = 2**63 - 1


class DocumentProblem(ValueError):
    """A document says something that no reader can follow."""


class _Named(msgspec.Struct):
    name: str
    configuration: dict[str, Any] = {}


class _Format3(msgspec.Struct):
    zarr_format: Literal[3]
    node_type: Literal["array"]
    shape: list[int]
    data_type: str | _Named
    chunk_grid: _Named
    chunk_key_encoding: _Named
    fill_value: Any
    codecs: list[str | _Named]
    attributes: dict[str, Any] = {}
    dimension_names: list[str | None] | None = None


class _Format2(msgspec.Struct):
    zarr_format: Literal[2]
    shape: list[int]
    chunks: list[int]
    dtype: str
    compressor: dict[str, Any] | None
    filters: list[dict[str, Any]] | None
    fill_value: Any
    order: Literal["C", "F"]
    dimension_separator: Literal[".", "/"] = "."


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """How the chunks of one array are named and encoded.

    Attributes
    ----------
    chunks : tuple of int
        Shape of what one file holds.
    inner : tuple of int, optional
        Chunk shape inside a shard, None where the array is not sharded.
    dtype : str
        NumPy dtype as stored, '' for text of variable length.
    text : {'', 'variable', 'fixed'}
        How text is stored.
    fill : object
        Value of missing chunks.
    codec : (str, int, str), optional
        Blosc compressor, level and shuffle; None for another compression.
    typesize : int, optional
        Element size that the codec is told.
    plain : bool
        Whether a chunk is nothing but values in a Blosc frame, so that it is decoded without zarr-python.
    refused : str
        Why chunks must not be decoded, '' when they may.
    """

    path: str
    zarr_format: Literal[2, 3]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    inner: tuple[int, ...] | None
    dtype: str
    kind: str
    text: TextKind
    fill: Any
    order: Literal["C", "F"]
    codec: Codec | None
    typesize: int | None
    plain: bool
    prefix: str
    separator: str
    refused: str = ""

    def key(self, *indices: int) -> str:
        """Path of a chunk file inside the directory of the array."""
        parts = [self.prefix, *map(str, indices)] if self.prefix else list(map(str, indices))
        return self.separator.join(parts) if parts else "0"

    @property
    def itemsize(self) -> int:
        """Bytes of one value; text of variable length counts as 16."""
        return np.dtype(self.dtype).itemsize if self.dtype else 16

    @property
    def fill_text(self) -> str:
        """Value of missing chunks of text."""
        return self.fill.decode() if isinstance(self.fill, bytes) else str(self.fill)

    @property
    def is_number(self) -> bool:
        """Whether the values are integers or floating-point numbers."""
        return bool(self.dtype) and np.dtype(self.dtype).kind in "fiu"

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return tuple(-(-length // chunk) for length, chunk in zip(self.shape, self.chunks, strict=True))


def array_of_format_3(path: str, document: Any) -> tuple[ArrayLayout, dict[str, Any]]:
    """Layout and attributes from a ``zarr.json``.

    Raises
    ------
    DocumentProblem
        When the document is not one of an array that can be read.
    """
    try:
        found = msgspec.convert(document, _Format3)
        chunks = _lengths(found.chunk_grid.configuration.get("chunk_shape"), len(found.shape))
    except msgspec.ValidationError as error:
        raise DocumentProblem(str(error)) from None
    if found.chunk_grid.name != "regular":
        raise DocumentProblem(f"a chunk grid called {found.chunk_grid.name}")
    codecs = _codecs(found.codecs)
    inner, outer = None, [codec.name for codec in codecs]
    index_codecs: list[str] = []
    if outer == ["sharding_indexed"]:
        shard = codecs[0].configuration
        inner = _lengths(shard.get("chunk_shape"), len(found.shape))
        if any(length % part for length, part in zip(chunks, inner, strict=True)):
            raise DocumentProblem(f"inner chunks {inner} do not divide shards {chunks}")
        codecs = _codecs(shard.get("codecs", []))
        index_codecs = [codec.name for codec in _codecs(shard.get("index_codecs", []))]
        outer += [codec.name for codec in codecs] + index_codecs
    names = [codec.name for codec in codecs]
    big = any(codec.name == "bytes" and codec.configuration.get("endian") == "big" for codec in codecs)
    dtype, kind, text = _type_of_format_3(found.data_type, big=big)
    blosc = next((codec.configuration for codec in codecs if codec.name == "blosc"), None)
    shard_plain = inner is None or (
        text != "variable" and index_codecs == ["bytes", "crc32c"] and _index_at_end(found.codecs)
    )
    encoding = found.chunk_key_encoding
    default = encoding.name == "default"
    if encoding.name not in ("default", "v2"):
        raise DocumentProblem(f"chunk keys called {encoding.name}")
    return ArrayLayout(
        path=path,
        zarr_format=3,
        shape=_lengths(found.shape, len(found.shape), least=0),
        chunks=chunks,
        inner=inner,
        dtype=dtype,
        kind=kind,
        text=text,
        fill=_fill(found.fill_value, dtype),
        order="C",
        codec=_blosc(blosc),
        typesize=blosc.get("typesize") if blosc is not None else None,
        plain=names == [("vlen-utf8" if text == "variable" else "bytes"), "blosc"] and shard_plain,
        prefix="c" if default else "",
        separator=_separator(encoding.configuration.get("separator", "/" if default else ".")),
        refused=_refusal(outer, found.shape, chunks, dtype),
    ), found.attributes


def array_of_format_2(path: str, document: Any, attributes: Any) -> tuple[ArrayLayout, dict[str, Any]]:
    """Layout and attributes from a ``.zarray`` and a ``.zattrs``.

    Raises
    ------
    DocumentProblem
        When the documents are not those of an array that can be read.
    """
    try:
        found = msgspec.convert(document, _Format2)
        dtype = np.dtype(found.dtype)
    except (msgspec.ValidationError, TypeError, ValueError, SyntaxError) as error:
        raise DocumentProblem(str(error)) from None
    if not isinstance(attributes, dict):
        raise DocumentProblem("the attributes are no mapping")
    filters = [str(one.get("id")) for one in found.filters or []]
    compressor = str(found.compressor.get("id")) if found.compressor is not None else ""
    variable = dtype.kind == "O"
    text: TextKind = "variable" if variable else "fixed" if dtype.kind in "SU" else ""
    chunks = _lengths(found.chunks, len(found.shape))
    names = [*filters, compressor] if compressor else filters
    return ArrayLayout(
        path=path,
        zarr_format=2,
        shape=_lengths(found.shape, len(found.shape), least=0),
        chunks=chunks,
        inner=None,
        dtype="" if variable else found.dtype,
        kind=TEXT if text else dtype.name,
        text=text,
        fill=_fill(found.fill_value, "" if variable else found.dtype),
        order=found.order,
        codec=_blosc(found.compressor) if compressor == "blosc" else None,
        typesize=None,
        plain=compressor == "blosc" and filters == (["vlen-utf8"] if variable else []),
        prefix="",
        separator=found.dimension_separator,
        refused=_refusal(names, found.shape, chunks, "" if variable else found.dtype),
    ), attributes


def _type_of_format_3(data_type: str | _Named, *, big: bool) -> tuple[str, str, TextKind]:
    name = data_type if isinstance(data_type, str) else data_type.name
    length = 0 if isinstance(data_type, str) else data_type.configuration.get("length_bytes", 0)
    if name in ("string", "variable_length_utf8"):
        return "", TEXT, "variable"
    if isinstance(length, int) and 0 < length <= BLOSC_LIMIT_BYTES:
        if name == "fixed_length_utf32":
            return f"{'>' if big else '<'}U{length // 4}", TEXT, "fixed"
        if name == "null_terminated_bytes":
            return f"|S{length}", TEXT, "fixed"
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        raise DocumentProblem(f"the data type {name}") from None
    if dtype.kind not in "biufc":
        raise DocumentProblem(f"the data type {name}")
    return (dtype.newbyteorder(">") if big else dtype).str, dtype.name, ""


def _blosc(configuration: dict[str, Any] | None) -> Codec | None:
    if configuration is None:
        return None
    clevel, shuffle = configuration.get("clevel"), configuration.get("shuffle")
    if isinstance(shuffle, int):
        shuffle = _SHUFFLES.get(shuffle, str(shuffle))
    return str(configuration.get("cname")), clevel if isinstance(clevel, int) else -1, str(shuffle)


def _index_at_end(codecs: list[str | _Named]) -> bool:
    shard = codecs[0]
    return isinstance(shard, _Named) and shard.configuration.get("index_location", "end") == "end"


def _codecs(listed: Any) -> list[_Named]:
    try:
        found = msgspec.convert(listed, list[str | _Named])
    except msgspec.ValidationError as error:
        raise DocumentProblem(str(error)) from None
    return [codec if isinstance(codec, _Named) else _Named(codec) for codec in found]


def _separator(value: Any) -> str:
    if value not in (".", "/"):
        raise DocumentProblem(f"chunk keys with {value!r} in between")
    return str(value)


def _refusal(names: list[str], shape: list[int], chunks: tuple[int, ...], dtype: str) -> str:
    unknown = [name for name in names if name.removeprefix("numcodecs.") not in _SAFE_CODECS]
    if unknown:
        return f"the codec {', '.join(unknown)} is not decoded: it is unknown, or can run code from the store"
    if names.count("sharding_indexed") > 1:
        return "shards inside shards are not decoded"
    # A text of variable length takes at least the four bytes that say how long it is.
    nbytes = math.prod(chunks) * (np.dtype(dtype).itemsize if dtype else 4)
    if nbytes > BLOSC_LIMIT_BYTES:
        return f"one chunk of {nbytes} bytes is too large to be decoded"
    beside = math.prod(-(-length // chunk) for length, chunk in zip(shape[1:], chunks[1:], strict=True))
    return f"{beside} chunks side by side are too many to be read" if beside > LONGEST_ROW else ""


def _lengths(values: Any, ndim: int, *, least: int = 1) -> tuple[int, ...]:
    if not isinstance(values, list) or len(values) != ndim:
        raise DocumentProblem(f"chunks that are not {ndim} lengths")
    if not all(type(value) is int and least <= value <= _LONGEST_AXIS for value in values):
        raise DocumentProblem("lengths that no axis can have")
    return tuple(values)


def _fill(value: Any, dtype: str) -> Any:
    if not dtype:
        return value if isinstance(value, str) else ""
    kind = np.dtype(dtype)
    if kind.kind in "SU":
        return _text_fill(value, kind)
    if kind.kind not in "fiubc":
        # Dates and records are not decoded here.
        return None
    if value is None:
        return kind.type()
    try:
        if kind.kind == "c" and isinstance(value, list):
            real, imaginary = (_fill(part, f"f{kind.itemsize // 2}") for part in value)
            return complex(real, imaginary)
        if isinstance(value, str) and value.startswith("0x"):
            bits = int(value, 16).to_bytes(kind.itemsize, "little")
            return np.frombuffer(bits, kind.newbyteorder("<"))[0].item()
        special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
        return kind.type(special.get(value, value) if isinstance(value, str) else value).item()
    except (TypeError, ValueError, OverflowError) as error:
        raise DocumentProblem(f"the fill value {value!r}: {error}") from None


def _text_fill(value: Any, kind: np.dtype[Any]) -> str | bytes:
    # Bytes are written as base64 in both formats; 0 and null stand for an empty text.
    text = value if isinstance(value, str) else ""
    if kind.kind == "U":
        return text
    try:
        filling = base64.b64decode(text, validate=True).rstrip(b"\0")
        filling.decode()
    except ValueError as error:
        raise DocumentProblem(f"the fill value {value!r}: {error}") from None
    return filling

"""Documents that no reader can follow are problems, and codecs that could run code are refused."""

from __future__ import annotations

import copy
from typing import Any

import numcodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_zarr.store.documents import ArrayLayout, DocumentProblem, array_of_format_2, array_of_format_3

BLOSC_3 = {"cname": "zstd", "clevel": 5, "shuffle": "bitshuffle", "typesize": 4, "blocksize": 0}
GOOD_INDEX = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
GOOD_3: dict[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4, 6],
    "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 6]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": "NaN",
    "codecs": [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "blosc", "configuration": BLOSC_3},
    ],
    "attributes": {"units": "adu"},
    "dimension_names": ["spectrum", None],
    "storage_transformers": [],
}
GOOD_2: dict[str, Any] = {
    "zarr_format": 2,
    "shape": [4, 6],
    "chunks": [2, 6],
    "dtype": "<f4",
    "compressor": {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 2, "blocksize": 0},
    "filters": None,
    "fill_value": "NaN",
    "order": "C",
    "dimension_separator": ".",
}
SHARDED: dict[str, Any] = {
    **GOOD_3,
    "codecs": [
        {
            "name": "sharding_indexed",
            "configuration": {"chunk_shape": [1, 3], "codecs": GOOD_3["codecs"], "index_codecs": GOOD_INDEX},
        }
    ],
}


def of_format_3(document: Any) -> ArrayLayout:
    return array_of_format_3("x", document)[0]


def of_format_2(document: Any) -> ArrayLayout:
    return array_of_format_2("x", document, {})[0]


def test_the_bits_of_a_nan_in_a_document_are_a_nan() -> None:
    document = {**GOOD_3, "fill_value": "0x7fc00001"}
    assert np.isnan(array_of_format_3("x", document)[0].fill)


class TestRefusals:
    @pytest.mark.parametrize("name", ["pickle", "exec", "myown", "numcodecs.pickle"])
    @pytest.mark.parametrize("place", ["filters", "compressor"])
    def test_codecs_of_format_2_that_could_run_code(self, name: str, place: str) -> None:
        codec: Any = {"id": name}
        document = {**GOOD_2, place: [codec] if place == "filters" else codec}
        layout, _ = array_of_format_2("x", document, {})
        assert name in layout.refused
        assert not layout.plain

    @pytest.mark.parametrize("name", ["pickle", "numcodecs.pickle", "unknown"])
    def test_codecs_of_format_3_that_could_run_code(self, name: str) -> None:
        bad = {"name": name, "configuration": {}}
        plain = {**GOOD_3, "codecs": [*GOOD_3["codecs"], bad]}
        configuration = {"chunk_shape": [2, 2], "codecs": [*GOOD_3["codecs"], bad], "index_codecs": GOOD_INDEX}
        sharded = {**GOOD_3, "codecs": [{"name": "sharding_indexed", "configuration": configuration}]}
        for document in (plain, sharded):
            assert name in array_of_format_3("x", document)[0].refused

    def test_pickled_objects_as_numcodecs_writes_them(self) -> None:
        document = {**GOOD_2, "dtype": "|O", "filters": [numcodecs.Pickle().get_config()], "fill_value": None}
        assert "pickle" in array_of_format_2("x", document, {})[0].refused

    @pytest.mark.parametrize("name", ["numcodecs.zstd", "numcodecs.shuffle", "crc32c", "gzip"])
    def test_codecs_that_compute_are_not_refused(self, name: str) -> None:
        document = {**GOOD_3, "codecs": [*GOOD_3["codecs"], {"name": name, "configuration": {}}]}
        assert array_of_format_3("x", document)[0].refused == ""

    def test_chunks_larger_than_a_frame_can_be(self) -> None:
        grid = {"name": "regular", "configuration": {"chunk_shape": [1 << 20, 1 << 12]}}
        assert "too large" in array_of_format_3("x", {**GOOD_3, "chunk_grid": grid})[0].refused
        assert "too large" in array_of_format_2("x", {**GOOD_2, "chunks": [1 << 20, 1 << 12]}, {})[0].refused


def test_attributes_are_those_of_the_document() -> None:
    assert array_of_format_3("x", GOOD_3)[1] == {"units": "adu"}
    assert array_of_format_2("x", GOOD_2, {"units": "ct"})[1] == {"units": "ct"}


MALFORMED: list[tuple[Any, str, Any]] = [
    *((GOOD_3, "zarr_format", value) for value in (2, "3", None)),
    *((GOOD_3, "node_type", value) for value in ("group", None)),
    *((GOOD_3, "shape", value) for value in (None, [4], [4, -1], [4.5, 6], "4", [True, 6], [4, 6, 1])),
    *((GOOD_3, "data_type", value) for value in ("float33", "object", "r16", None, {"name": "structured"})),
    *((GOOD_3, "chunk_grid", {"name": name, "configuration": {"chunk_shape": [2, 6]}}) for name in ("rectilinear", "")),
    *(
        (GOOD_3, "chunk_grid", {"name": "regular", "configuration": {"chunk_shape": value}})
        for value in ([0, 6], [2], [-2, 6], None, [2, "6"], [2.0, 6])
    ),
    (GOOD_3, "chunk_key_encoding", {"name": "hilbert"}),
    *((GOOD_3, "codecs", value) for value in (None, 5, [5], [{"configuration": {}}])),
    *((GOOD_3, "fill_value", value) for value in ("nothing", {}, "0xzz")),
    *((GOOD_3, "attributes", value) for value in ([], "units", 5)),
    *((GOOD_2, "zarr_format", value) for value in (3, "2")),
    *((GOOD_2, "shape", value) for value in (None, [4], [4, -1], {})),
    *((GOOD_2, "chunks", value) for value in (None, [0, 6], [2], [2, 6, 1], [2, None])),
    *((GOOD_2, "dtype", value) for value in ("float33", "<x4", "", None, 5)),
    *((GOOD_2, "compressor", value) for value in ("blosc", 5, ["blosc"])),
    *((GOOD_2, "filters", value) for value in ("delta", [5], {"id": "delta"})),
    *((GOOD_2, "order", value) for value in ("K", None)),
    *((GOOD_2, "dimension_separator", value) for value in ("-", "")),
    *((GOOD_2, "fill_value", value) for value in ("nothing", {}, [])),
]


@pytest.mark.parametrize(("good", "key", "value"), MALFORMED)
def test_a_malformed_document_is_a_problem(good: dict[str, Any], key: str, value: Any) -> None:
    read = of_format_3 if good is GOOD_3 else of_format_2
    assert read(good).shape == (4, 6)
    with pytest.raises(DocumentProblem):
        read({**good, key: value})


@pytest.mark.parametrize("good", [GOOD_3, GOOD_2])
def test_a_document_without_a_required_entry_is_a_problem(good: dict[str, Any]) -> None:
    optional = {"attributes", "dimension_names", "storage_transformers", "dimension_separator"}
    read = of_format_3 if good is GOOD_3 else of_format_2
    for key in good.keys() - optional:
        with pytest.raises(DocumentProblem):
            read({name: value for name, value in good.items() if name != key})


@pytest.mark.parametrize("inner", [[1, 4], [3, 3], [0, 3], [1], None, "x"])
def test_inner_chunks_divide_their_shard(inner: Any) -> None:
    document = copy.deepcopy(SHARDED)
    document["codecs"][0]["configuration"]["chunk_shape"] = inner
    with pytest.raises(DocumentProblem):
        array_of_format_3("x", document)


def places(node: Any) -> list[list[Any]]:
    """The way to every value of a document."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else []
    return [[], *([key, *way] for key, value in pairs for way in places(value))]


WAYS = [(document, way) for document in (GOOD_3, GOOD_2, SHARDED) for way in places(document) if way]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=2),
    max_leaves=4,
)


@settings(max_examples=500)
@given(st.sampled_from(WAYS), JSON)
def test_whatever_stands_in_a_document_it_is_a_layout_or_a_problem(place: Any, value: Any) -> None:
    document, way = copy.deepcopy(place[0]), place[1]
    *path, last = way
    node = document
    for key in path:
        node = node[key]
    node[last] = value
    read = of_format_2 if place[0] is GOOD_2 else of_format_3
    try:
        layout = read(document)
    except DocumentProblem as problem:
        assert str(problem)
    else:
        assert all(count >= 0 for count in layout.grid)


@given(JSON)
def test_a_document_of_any_json_is_a_problem(value: Any) -> None:
    for read in (of_format_2, of_format_3):
        with pytest.raises(DocumentProblem):
            read(value)

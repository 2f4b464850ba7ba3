"""Stores that are hostile or broken beyond a byte: each gives its finding, and the rest is checked all the same."""

from __future__ import annotations

import os
import pickle
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from numcodecs import Blosc

from spectral_zarr import validate
from spectral_zarr.cluster import Executor, ThreadExecutor

from .faults import (
    FLUX,
    OBJECT,
    UNCERTAINTY,
    Fault,
    chunk_of,
    edit,
    errors,
    grid,
    instead,
    message,
    spoiled,
    text,
    zarr_json,
)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """One child process for all of these tests."""
    with ThreadExecutor(1) as threads:
        yield threads


@pytest.fixture(scope="module")
def sound_but_for_one_row(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose only fault is one blank row."""
    return spoiled(tmp_path_factory.mktemp("spoiled"))


@pytest.fixture
def store(sound_but_for_one_row: Path, tmp_path: Path) -> Path:
    """A copy to be made worse."""
    return Path(shutil.copytree(sound_but_for_one_row, tmp_path / "stars.zarr"))


def replaced(array: str, make: Fault) -> Fault:
    """A fault that puts something else in the place of a chunk file."""

    def fault(store: Path) -> None:
        path = chunk_of(store, array)
        path.unlink()
        make(path)

    return fault


def written(array: str, payload: Callable[[bytes], bytes]) -> Fault:
    """A fault that rewrites a chunk file."""

    def fault(store: Path) -> None:
        path = chunk_of(store, array)
        path.write_bytes(payload(path.read_bytes()))

    return fault


def framed(texts: bytes) -> bytes:
    return bytes(Blosc(cname="zstd", clevel=5, shuffle=Blosc.BITSHUFFLE).encode(texts))


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


CHUNK_FAULTS: dict[str, tuple[str, Fault]] = {
    "a directory": (UNCERTAINTY, replaced(UNCERTAINTY, Path.mkdir)),
    "a pipe that nobody writes": (UNCERTAINTY, replaced(UNCERTAINTY, os.mkfifo)),
    "a circle of links": (UNCERTAINTY, replaced(UNCERTAINTY, lambda path: path.symlink_to(path.name))),
    "a device without end": (UNCERTAINTY, replaced(UNCERTAINTY, lambda path: path.symlink_to("/dev/zero"))),
    "a terabyte of nothing": (UNCERTAINTY, replaced(UNCERTAINTY, sparse)),
    "text that is a directory": (OBJECT, replaced(OBJECT, Path.mkdir)),
    "text that is a pipe": (OBJECT, replaced(OBJECT, os.mkfifo)),
    "empty": (UNCERTAINTY, written(UNCERTAINTY, lambda _: b"")),
    "zeros": (UNCERTAINTY, written(UNCERTAINTY, lambda payload: bytes(len(payload)))),
    "random": (UNCERTAINTY, written(UNCERTAINTY, lambda payload: np.random.default_rng(1).bytes(len(payload)))),
    "cut": (UNCERTAINTY, written(UNCERTAINTY, lambda payload: payload[:-100])),
    "a header that promises four gigabytes": (
        UNCERTAINTY,
        written(UNCERTAINTY, lambda payload: payload[:4] + struct.pack("<III", 2**32 - 1, 2**32 - 1, 2**32 - 1)),
    ),
    "a header that promises more than there is": (
        UNCERTAINTY,
        written(UNCERTAINTY, lambda payload: payload[:12] + struct.pack("<I", 2 * len(payload)) + payload[16:]),
    ),
    "four billion texts": (OBJECT, written(OBJECT, lambda _: framed(b"\xff" * 4 + bytes(64)))),
    "a text of four gigabytes": (
        OBJECT,
        written(OBJECT, lambda _: framed(struct.pack("<II", 12, 2**32 - 1) + b"x" * 99)),
    ),
    "a text of negative length": (OBJECT, written(OBJECT, lambda _: framed(struct.pack("<Ii", 12, -8) + b"x" * 99))),
    "fewer texts than rows": (OBJECT, written(OBJECT, lambda _: framed(struct.pack("<III", 2, 1, 1) + b"xx"))),
    "a length that is damaged": (
        OBJECT,
        written(OBJECT, lambda _: framed(struct.pack("<I", 12) + struct.pack("<I", 1) + b"\xff" + b"\xff" * 40)),
    ),
    "no text at all": (OBJECT, written(OBJECT, lambda _: framed(b"\0"))),
}


@pytest.mark.parametrize("name", CHUNK_FAULTS)
def test_a_chunk_that_cannot_be_read_is_one_finding(store: Path, name: str, executor: Executor) -> None:
    array, fault = CHUNK_FAULTS[name]
    fault(store)
    verdict = validate(store, executor=executor)
    where = f"{array}/{chunk_of(store, array).name}"
    assert errors(verdict) == {("Q-02", FLUX), ("Z-03", where)}
    assert "ended the process" not in message(verdict, "Z-03", where)


DEEP = "[" * 100_000 + "]" * 100_000


DOCUMENT_FAULTS: dict[str, tuple[str, Fault]] = {
    "nested beyond recursion": (OBJECT, text(f"{OBJECT}/zarr.json", DEEP)),
    "a number of a million digits": (OBJECT, text(f"{OBJECT}/zarr.json", '{"shape": [' + "9" * 1_000_000 + "]}")),
    "not UTF-8": (OBJECT, text(f"{OBJECT}/zarr.json", b'{"\xff": 1}')),
    "a list": (OBJECT, text(f"{OBJECT}/zarr.json", "[1, 2]")),
    "a pipe": (OBJECT, instead(f"{OBJECT}/zarr.json", os.mkfifo)),
    "a device": (OBJECT, instead(f"{OBJECT}/zarr.json", lambda path: path.symlink_to("/dev/zero"))),
    "a shape of 1e300": (OBJECT, zarr_json(OBJECT, shape=[1e300])),
    "a shape of four thousand digits": (OBJECT, zarr_json(OBJECT, shape=[10**4000])),
    "chunks of four thousand digits": (OBJECT, zarr_json(OBJECT, chunk_grid=grid(10**4000))),
    "a negative shape": (OBJECT, zarr_json(OBJECT, shape=[-12])),
    "a shape that is not a number": (OBJECT, zarr_json(OBJECT, shape=[float("nan")])),
    "chunks of nothing": (OBJECT, zarr_json(OBJECT, chunk_grid=grid(0))),
    "chunks of text": (OBJECT, zarr_json(OBJECT, chunk_grid=grid("12"))),
    "a separator that leads elsewhere": (
        OBJECT,
        zarr_json(OBJECT, chunk_key_encoding={"name": "default", "configuration": {"separator": "/../"}}),
    ),
    "an empty separator": (
        OBJECT,
        zarr_json(OBJECT, chunk_key_encoding={"name": "default", "configuration": {"separator": ""}}),
    ),
    "codecs that are a number": (OBJECT, zarr_json(OBJECT, codecs=5)),
    "shards whose codecs are a number": (
        OBJECT,
        zarr_json(OBJECT, codecs=[{"name": "sharding_indexed", "configuration": {"chunk_shape": [1], "codecs": 5}}]),
    ),
    "an unknown type": (OBJECT, zarr_json(OBJECT, data_type="float4")),
    "text of a terabyte each": (
        OBJECT,
        zarr_json(OBJECT, data_type={"name": "fixed_length_utf32", "configuration": {"length_bytes": 2**40}}),
    ),
}


@pytest.mark.parametrize("name", DOCUMENT_FAULTS)
def test_a_document_that_means_nothing_is_one_finding(store: Path, name: str, executor: Executor) -> None:
    array, fault = DOCUMENT_FAULTS[name]
    fault(store)
    verdict = validate(store, executor=executor)
    assert errors(verdict) == {("Q-02", FLUX), ("L-06", array)}
    assert len(message(verdict, "L-06", array)) <= 1100


REFUSED: dict[str, tuple[str, list[Any]]] = {
    "pickle": ("pickle", [{"name": "numcodecs.pickle", "configuration": {}}]),
    "an unknown one": ("evil", [{"name": "evil", "configuration": {}}]),
    "one inside a shard": (
        "evil",
        [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": [12],
                    "codecs": [{"name": "evil"}],
                    "index_codecs": [{"name": "bytes"}],
                },
            }
        ],
    ),
    "one of the index of a shard": (
        "evil",
        [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": [12],
                    "codecs": [{"name": "vlen-utf8"}],
                    "index_codecs": [{"name": "evil"}],
                },
            }
        ],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_codec_that_could_run_code_is_never_run(store: Path, name: str, executor: Executor, tmp_path: Path) -> None:
    codec, codecs = REFUSED[name]
    edit(store / OBJECT / "zarr.json", codecs=codecs)
    trap = tmp_path / "trap"
    chunk_of(store, OBJECT).write_bytes(pickle.dumps(_Trap(str(trap))))
    verdict = validate(store, executor=executor)
    assert not trap.exists()
    assert ("Z-04", OBJECT) in errors(verdict)
    assert codec in message(verdict, "Z-04", OBJECT)
    assert ("Q-02", FLUX) in errors(verdict)


class _Trap:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


def test_the_trap_of_that_test_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(_Trap(str(tmp_path / "trap"))))
    assert (tmp_path / "trap").exists()


def test_a_module_in_the_working_directory_is_not_imported(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "zarr", "msgspec", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'trap')!r}, 'w')\nraise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    with ThreadExecutor(1) as fresh:
        assert errors(validate(store, executor=fresh)) == {("Q-02", FLUX)}
    assert not (tmp_path / "trap").exists()


class TestTree:
    def test_directories_within_directories(self, store: Path, executor: Executor) -> None:
        (store / "/".join(["deep"] * 400)).mkdir(parents=True)
        verdict = validate(store, executor=executor)
        assert errors(verdict) == {("Q-02", FLUX)}
        assert "L-04" in {finding.rule for finding in verdict.findings}

    def test_links_in_circles(self, store: Path, executor: Executor) -> None:
        for name in ("one", "two"):
            (store / "signal" / name).symlink_to("..")
        assert errors(validate(store, executor=executor)) == {("Q-02", FLUX)}

    @pytest.mark.parametrize("name", [".zattrs", ".zgroup", ".zmetadata", f"{OBJECT}/.zattrs", "metadata/.zgroup"])
    def test_pipes_named_like_documents_of_the_other_format(self, store: Path, name: str, executor: Executor) -> None:
        os.mkfifo(store / name)
        verdict = validate(store, executor=executor)
        assert errors(verdict) == {("Q-02", FLUX)}
        assert ("L-04", name) in {(finding.rule, finding.where) for finding in verdict.findings}

    def test_names_that_are_no_text(self, store: Path, executor: Executor) -> None:
        Path(os.fsdecode(os.fsencode(store) + b"/\xff\x1b[31m")).write_text("x")
        assert errors(validate(store, executor=executor)) == {("Q-02", FLUX)}

    def test_a_root_that_means_nothing(self, store: Path, executor: Executor) -> None:
        (store / "zarr.json").write_text(DEEP)
        verdict = validate(store, executor=executor)
        assert {("Q-02", FLUX), ("L-06", "root")} <= errors(verdict)


def forged_index(store: Path) -> None:
    payload = bytearray((store / "index.parquet").read_bytes())
    length = struct.unpack("<I", payload[-8:-4])[0]
    payload[-8 - length : -8] = np.random.default_rng(1).bytes(length)
    (store / "index.parquet").write_bytes(payload)


INDEX_FAULTS: dict[str, Fault] = {
    "empty": text("index.parquet", ""),
    "text": text("index.parquet", "spec_id,teff\n"),
    "cut": lambda store: os.truncate(store / "index.parquet", 1000),
    "a footer of four gigabytes": text("index.parquet", b"PAR1\xff\xff\xff\xffPAR1"),
    "a footer of noise": forged_index,
    "a pipe": instead("index.parquet", os.mkfifo),
    "a circle of links": instead("index.parquet", lambda path: path.symlink_to(path.name)),
    "a device": instead("index.parquet", lambda path: path.symlink_to("/dev/zero")),
}


@pytest.mark.parametrize("name", INDEX_FAULTS)
def test_an_index_that_cannot_be_read_is_one_finding(store: Path, name: str, executor: Executor) -> None:
    INDEX_FAULTS[name](store)
    assert errors(validate(store, executor=executor)) == {("Q-02", FLUX), ("L-03", "index.parquet")}


def test_pages_of_the_index_that_cannot_be_read(store: Path, executor: Executor) -> None:
    payload = bytearray((store / "index.parquet").read_bytes())
    payload[4:400] = bytes(396)
    (store / "index.parquet").write_bytes(payload)
    assert errors(validate(store, executor=executor)) == {("Q-02", FLUX), ("Z-03", "index.parquet")}


def test_a_column_of_the_index_that_the_contract_does_not_name(store: Path, executor: Executor) -> None:
    path = store / "index.parquet"
    group = pa.parquet.read_metadata(path).row_group(0)
    (column,) = (group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == "source_file")
    payload = bytearray(path.read_bytes())
    first = column.dictionary_page_offset or column.data_page_offset
    payload[first : first + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(payload)
    with pytest.raises(OSError):
        pa.parquet.read_table(path)
    assert errors(validate(store, executor=executor)) == {("Q-02", FLUX), ("Z-03", "index.parquet")}


def test_an_index_of_nested_columns(store: Path, executor: Executor) -> None:
    table = pa.parquet.read_table(store / "index.parquet")
    nested = pa.array([[one] for one in table["spec_id"].to_pylist()])
    pa.parquet.write_table(table.set_column(0, "spec_id", nested), store / "index.parquet")
    verdict = validate(store, executor=executor)
    assert errors(verdict) == {("Q-02", FLUX)}
    warned = {(finding.rule, finding.where, finding.count) for finding in verdict.findings}
    assert ("I-03", "index.parquet:spec_id", 0) in warned
    assert ("I-02", "index.parquet:spec_id", 12) in warned


def test_an_index_with_two_columns_of_one_name(store: Path, executor: Executor) -> None:
    table = pa.parquet.read_table(store / "index.parquet")
    pa.parquet.write_table(table.append_column("teff", table["teff"]), store / "index.parquet")
    verdict = validate(store, executor=executor)
    assert errors(verdict) == {("Q-02", FLUX), ("Z-03", "index.parquet")}
    assert "teff" in message(verdict, "Z-03", "index.parquet")

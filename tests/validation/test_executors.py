"""The same findings whatever runs the scans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import numpy as np
import pytest
import zarr
from distributed import LocalCluster

from spectral_zarr import SerialExecutor, Verdict, validate
from spectral_zarr.cluster import Executor, ThreadExecutor, open_executor
from spectral_zarr.cluster.local import local_executor

from .builds import built, copied
from .faults import FLUX, UNCERTAINTY, chunk_of
from .good_stores import observed, write


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine rows of chunks with faults in rows, chunks, columns, documents and the index."""
    store = write(tmp_path_factory.mktemp("broken") / "broken.zarr", observed(9 * 1024))
    root = zarr.open_group(str(store), mode="r+", use_consolidated=False)
    for row in (5, 3000, 9000):
        root[FLUX][row] = np.nan
        root["params/feh"][row] = -9999
        root["metadata/source_type"][row] = "observd"
    root["metadata/spec_id"][7000] = root["metadata/spec_id"][1]
    root.create_group("extra")
    flux = root[UNCERTAINTY]
    key = store / UNCERTAINTY / flux.metadata.encode_chunk_key((4, 0))
    key.write_bytes(key.read_bytes()[:-5])
    (store / "notes.txt").write_text("x")
    return store


@contextmanager
def unencrypted() -> Iterator[Executor]:
    """Workers that are met at an address, as those of somebody else's scheduler are."""
    ports = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"distributed.comm.require-encryption": False}),
        LocalCluster(n_workers=1, threads_per_worker=2, **ports) as cluster,
    ):
        address = cluster.scheduler_address
        assert address.startswith("tcp://")
        with open_executor(address) as executor:
            yield executor


EXECUTORS = {
    "one child": lambda: ThreadExecutor(1),
    "two children": lambda: ThreadExecutor(2),
    "two encrypted workers": lambda: local_executor(2),
    "a scheduler's address": unencrypted,
}


@pytest.fixture(scope="module")
def alone(broken: Path) -> Verdict:
    """What a plain loop finds."""
    return validate(broken, executor=SerialExecutor())


def test_a_loop_finds_every_fault(alone: Verdict) -> None:
    found = {(f.rule, f.where.split("/c/")[0]): f for f in alone.findings}
    assert found["Q-02", FLUX].rows == (5, 3000, 9000)
    assert found["P-03", "params/feh"].rows == (5, 3000, 9000)
    assert found["M-01", "metadata/source_type"].rows == (5, 3000, 9000)
    assert found["M-04", "metadata/spec_id"].rows == (7000,)
    assert found["Z-03", UNCERTAINTY].rows == (4096,)
    assert {("I-02", "index.parquet:feh"), ("L-04", "notes.txt"), ("E-01", "extra")} <= found.keys()


@pytest.mark.parametrize("name", EXECUTORS)
def test_others_find_the_same(name: str, broken: Path, alone: Verdict) -> None:
    with EXECUTORS[name]() as executor:
        verdict = validate(broken, executor=executor)
    assert verdict.findings == alone.findings
    assert (verdict.n_spec, verdict.n_pix, verdict.nbytes) == (alone.n_spec, alone.n_pix, alone.nbytes)


def test_workers_compare_with_receipts_as_a_loop_does(tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    (tmp_path / "copy").mkdir()
    store = copied(built(tmp_path / "built"), tmp_path / "copy")
    chunk = chunk_of(store, FLUX)
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    (store / "index.parquet").unlink()
    alone = validate(store, deep=True, executor=SerialExecutor())
    assert {f.where for f in alone.findings if f.rule == "Q-06"} == {f"{FLUX}/{chunk.name}", "index.parquet"}
    with local_executor(1) as executor:
        assert validate(store, deep=True, executor=executor).findings == alone.findings

"""Readers that pin a store: whole old or new data while stores are exchanged, and an error instead of false blanks."""

from __future__ import annotations

import itertools
import pickle
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from spectral_zarr import open_store
from spectral_zarr.errors import StoreChanged, UsageError
from spectral_zarr.store.calls import calls
from spectral_zarr.store.fsops import remove_aside

CHUNKS = 4


def write(path: Path, value: int, zarr_format: int = 3) -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    group.attrs["value"] = value
    array = group.create_array("signal/flux", shape=(CHUNKS, 4), chunks=(1, 4), dtype="f4", fill_value=np.nan)
    array[:] = value
    return path


def values(group: zarr.Group) -> set[float]:
    """All values and the attribute, read chunk by chunk."""
    flux = group["signal/flux"]
    return {float(group.attrs["value"]), *(float(flux[row, 0]) for row in range(CHUNKS))}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_and_xarray_read_stores_of_others(tmp_path: Path, zarr_format: int) -> None:
    store = open_store(write(tmp_path / "x.zarr", 5, zarr_format))
    assert store.build_id == ""
    assert values(zarr.open_group(store, mode="r")) == {5.0}
    if zarr_format == 3:
        other = zarr.open_group(str(tmp_path / "y.zarr"), mode="w")
        other.create_array("a/flux", data=np.full((3, 2), 7.0), dimension_names=("row", "pixel"))
        opened = xr.open_zarr(open_store(tmp_path / "y.zarr"), group="a", consolidated=False)
        assert opened.flux.values.tolist() == [[7.0, 7.0]] * 3


def test_what_was_opened_stays_when_another_store_takes_the_name(tmp_path: Path) -> None:
    write(tmp_path / "x.zarr", 1)
    write(tmp_path / "y.zarr", 2)
    store = open_store(tmp_path / "x.zarr")
    group = zarr.open_group(store, mode="r")
    assert store.is_current()
    calls().exchange(str(tmp_path / "x.zarr"), str(tmp_path / "y.zarr"))
    assert not store.is_current()
    assert values(group) == {1.0}
    assert values(zarr.open_group(open_store(tmp_path / "x.zarr"), mode="r")) == {2.0}


def test_a_removed_store_raises_instead_of_giving_fill_values(tmp_path: Path) -> None:
    write(tmp_path / "x.zarr", 1)
    group = zarr.open_group(open_store(tmp_path / "x.zarr"), mode="r")
    flux = group["signal/flux"]
    remove_aside(tmp_path / "x.zarr")
    with pytest.raises(StoreChanged):
        flux[0]


def test_a_chunk_that_was_never_written_is_fill_value(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "x.zarr"), mode="w")
    group.create_array("flux", shape=(4,), chunks=(2,), dtype="f4", fill_value=np.nan)
    read = zarr.open_group(open_store(tmp_path / "x.zarr"), mode="r")["flux"]
    assert np.isnan(read[:]).all()


def test_readers_of_a_store_that_is_replaced_again_and_again_never_mix(tmp_path: Path) -> None:
    target, other = tmp_path / "x.zarr", tmp_path / "x.zarr.tmp"
    made = [write(tmp_path / f"{value}.zarr", value) for value in range(5)]
    shutil.copytree(made[0], target)
    mixed: list[set[float]] = []
    whole: set[float] = set()
    changed = 0
    stop = threading.Event()

    def read() -> None:
        nonlocal changed
        while not stop.is_set():
            try:
                found = values(zarr.open_group(open_store(target), mode="r"))
            except StoreChanged:
                changed += 1
                continue
            (whole.update if len(found) == 1 else mixed.append)(found)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for one in itertools.islice(itertools.cycle(made), 1, 400):
            if len(whole) > 2 and changed > 2:
                break
            shutil.copytree(one, other)
            calls().exchange(str(other), str(target))
            remove_aside(other)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert mixed == []
    assert len(whole) > 2


def test_a_pickled_store_opens_the_same_store_or_raises(tmp_path: Path) -> None:
    write(tmp_path / "x.zarr", 1)
    store = open_store(tmp_path / "x.zarr")
    frozen = pickle.dumps(store)
    assert values(zarr.open_group(pickle.loads(frozen), mode="r")) == {1.0}
    write(tmp_path / "y.zarr", 2)
    calls().exchange(str(tmp_path / "x.zarr"), str(tmp_path / "y.zarr"))
    with pytest.raises(StoreChanged):
        pickle.loads(frozen)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_what_is_no_store_is_refused(tmp_path: Path, make: object) -> None:
    make(tmp_path / "x.zarr")  # type: ignore[operator]
    with pytest.raises(UsageError, match="no Zarr store"):
        open_store(tmp_path / "x.zarr")


def test_it_cannot_be_written(tmp_path: Path) -> None:
    store = open_store(write(tmp_path / "x.zarr", 1))
    with pytest.raises(ValueError, match="read-only"):
        zarr.open_group(store, mode="r")["signal/flux"][0] = 3

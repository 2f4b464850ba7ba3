"""Compare what the contenders wrote with a store of spectral-zarr."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import zarr
from numpy.typing import NDArray

NAMES_THE_WRITER = frozenset({"metadata/reader"})
NEVER_FILLED = frozenset({"continuum/continuum_model", "continuum/continuum_uncertainty"})
CUBES = ("signal", "continuum", "representations")


def differing_chunks(ours: Path, floor: Path) -> list[str]:
    """Chunks of the cubes that are in one store only or have other bytes."""
    names = {
        path.relative_to(root).as_posix()
        for root in (ours, floor)
        for group in CUBES
        for path in root.glob(f"{group}/*/c.*.*")
    }
    if not names:
        return ["no chunks"]

    def content(root: Path, name: str) -> bytes | None:
        return (root / name).read_bytes() if (root / name).exists() else None

    return sorted(name for name in names if content(ours, name) != content(floor, name))


def differing_values(ours: Path, other: Path) -> list[str]:
    """Arrays and index columns that are in one store only or have other values.

    Pixels must be equal; metadata that are computed (a date from seconds of TAI) may differ by rounding, dates by a
    millisecond.
    """
    one, two = arrays(ours), arrays(other)
    different = sorted(one.keys() ^ two.keys())
    for name in sorted(one.keys() & two.keys() - NAMES_THE_WRITER):
        if not equal(one[name][...], two[name][...], exact=name.startswith(CUBES)):
            different.append(name)
    index, other_index = (pa.parquet.read_table(store / "index.parquet") for store in (ours, other))
    if index.column_names != other_index.column_names:
        return [*different, "index.parquet"]
    for name in index.column_names:
        if not equal(np.array(index[name].to_pylist()), np.array(other_index[name].to_pylist()), exact=False):
            different.append(f"index.parquet:{name}")
    return different


def differing_datasets(ours: Path, file: Path) -> list[str]:
    """Arrays whose dataset in an HDF5 file is absent or has other values; those without any data need none."""
    different = []
    with h5py.File(file) as datasets:
        for name, array in arrays(ours).items():
            if name in NAMES_THE_WRITER | NEVER_FILLED:
                continue
            if name not in datasets:
                different.append(name)
                continue
            dataset = datasets[name]
            values = dataset.asstr()[...] if h5py.check_string_dtype(dataset.dtype) else dataset[...]
            if not equal(array[...], values, exact=name.startswith(CUBES)):
                different.append(name)
    return different


def arrays(store: Path) -> dict[str, Any]:
    """Every array of a store by path."""
    return {
        f"{name}/{array}": value
        for name, group in zarr.open_group(str(store), mode="r").groups()
        for array, value in group.arrays()
    }


def equal(one: NDArray[Any], two: NDArray[Any], *, exact: bool) -> bool:
    """Whether two arrays have equal values, NaN being equal to NaN."""
    if one.shape != two.shape:
        return False
    if one.dtype.kind != "f":
        same = one.astype(object) == two.astype(object)
        return bool(same.all()) or nearly_same_dates(one[~same], two[~same])
    return bool(np.array_equal(one, two, equal_nan=True) if exact else np.allclose(one, two, 1e-12, 0, equal_nan=True))


def nearly_same_dates(one: NDArray[Any], two: NDArray[Any]) -> bool:
    """Whether texts that differ are dates a millisecond apart."""
    try:
        dates = [np.array(values.tolist(), "datetime64[ms]") for values in (one, two)]
    except ValueError:
        return False
    return bool((np.abs(dates[0] - dates[1]) <= np.timedelta64(1, "ms")).all())


def main() -> None:
    """Run the command line; the exit code is 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ours", type=Path)
    parser.add_argument("--floor", type=Path)
    parser.add_argument("--store", type=Path, action="append", default=[], help="a store of another writer")
    parser.add_argument("--hdf5", type=Path)
    options = parser.parse_args()
    different = differing_chunks(options.ours, options.floor) if options.floor else []
    different += [f"{store.name}: {name}" for store in options.store for name in differing_values(options.ours, store)]
    different += differing_datasets(options.ours, options.hdf5) if options.hdf5 else []
    sys.exit(f"different: {', '.join(different)}" if different else 0)


if __name__ == "__main__":
    main()

"""Small stores built by this package from sample files, with their receipts, and what zarr-python reads of a store."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet
import zarr

from spectral_zarr import Config, IngestRequest, SerialExecutor, ingest
from spectral_zarr.config import StoreOptions
from spectral_zarr.testing import write_samples

N_SPEC = 12

Format = Literal[2, 3]


def built(directory: Path, zarr_format: Format = 3, product: str = "sdss-spec") -> Path:
    """Ingest twelve sample files; the receipts lie beside the store."""
    write_samples(directory / "files", product, N_SPEC)
    config = Config(store=StoreOptions(zarr_format=zarr_format))
    target = directory / "stars.zarr"
    ingest(IngestRequest((str(directory / "files"),), str(target), config), SerialExecutor())
    return target


def copied(store: Path, directory: Path) -> Path:
    """A copy of a store and of its receipts, to be damaged."""
    target = directory / store.name
    shutil.copytree(store, target)
    build = store.with_name(f"{store.name}.build")
    if build.exists():
        shutil.copytree(build, target.with_name(build.name))
    return target


def files_of(store: Path) -> list[Path]:
    """All files of a store, sorted."""
    return sorted(path for path in store.rglob("*") if path.is_file())


def contents(store: Path) -> str:
    """A digest of all attributes, values and index columns that zarr-python and pyarrow read, or their error."""
    found = hashlib.sha256()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root = zarr.open_group(str(store), mode="r", use_consolidated=False)
            found.update(repr(sorted(root.attrs.items())).encode())
            for path, member in sorted(root.members(max_depth=None)):
                found.update(f"{path}{sorted(member.attrs.items())!r}".encode())
                if isinstance(member, zarr.Array):
                    values = np.asarray(member[...])
                    found.update(f"{values.shape}{values.dtype}".encode())
                    found.update(repr(values.tolist()).encode())
            table = pyarrow.parquet.read_table(store / "index.parquet")
            found.update(repr(table.to_pydict()).encode())
    except Exception as error:
        return f"unreadable: {type(error).__name__}"
    return found.hexdigest()

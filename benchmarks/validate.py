"""Measure the validator on a store of any logical size beside the plain decoding of the same chunks."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import zarr
from numcodecs import blosc
from numcodecs.vlen import VLenUTF8

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import run
from spectral_zarr.contract import GROUPS, schema

N_PIX, ROWS = 4639, 1024
DISTINCT = 16
CUBES = (schema.FLUX, schema.UNCERTAINTY)
EMPTY = (schema.CONTINUUM, schema.CONTINUUM_UNCERTAINTY)


def make_store(path: Path, n_blocks: int, seed: int = 0) -> None:
    """Write a valid store of ``n_blocks * 1024`` spectra whose chunks are hard links to a few distinct ones.

    Parameters
    ----------
    path : Path
        Where to write; replaced.
    n_blocks : int
        Chunk rows; each adds 38 MB of logical flux and uncertainty and two links.
    """
    shutil.rmtree(path, ignore_errors=True)
    rng = np.random.default_rng(seed)
    n_spec = n_blocks * ROWS
    root = zarr.open_group(str(path), mode="w", zarr_format=3)
    root.attrs.update(
        schema_version="2.0",
        ingest_pipeline="benchmark",
        created_at="2026-01-01T00:00:00Z",
        git_commit="0" * 40,
        n_accepted=n_spec,
    )
    for group in GROUPS:
        root.create_group(group)
    codec = zarr.codecs.BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=4)
    keys: Any = {"name": "default", "separator": "."}
    for array in (*CUBES, *EMPTY):
        made = root.create_array(
            array, shape=(n_spec, N_PIX), chunks=(ROWS, N_PIX), dtype="f4", compressors=codec, fill_value=np.nan,
            chunk_key_encoding=keys, attributes={"units": "adu"},
        )  # fmt: skip
        if array not in CUBES:
            continue
        for block in range(min(DISTINCT, n_blocks)):
            level = rng.uniform(10, 1000, (ROWS, 1)).astype("f4")
            values = level + rng.normal(0, 1, (ROWS, N_PIX)).astype("f4") * np.sqrt(level)
            made[block * ROWS : (block + 1) * ROWS] = values if array == schema.FLUX else np.abs(values) + 1
        for block in range(DISTINCT, n_blocks):
            os.link(path / array / f"c.{block % DISTINCT}.0", path / array / f"c.{block}.0")
    _columns(root, n_spec, codec, keys)
    table = {name: [f"spectrum-{i}" for i in range(n_spec)] if name == "spec_id" else [""] * n_spec for name in _TEXT}
    table["source_type"] = ["observed"] * n_spec
    numbers = {name: np.full(n_spec, np.nan) for name in ("teff", "logg", "feh", "snr")}
    pa.parquet.write_table(
        pa.table({**table, **numbers}), path / "index.parquet", compression="zstd", row_group_size=10**6
    )


_TEXT = ("spec_id", "source_type", "instrument", "simulator")


def _columns(root: zarr.Group, n_spec: int, codec: Any, keys: Any) -> None:
    chunk = min(schema.ARRAYS_1D_CHUNK, n_spec)
    grid = root.create_array(
        schema.WAVELENGTH, shape=(N_PIX,), chunks=(N_PIX,), dtype="f8", compressors=_wide(), chunk_key_encoding=keys,
        attributes={"units": "Angstrom"},
    )  # fmt: skip
    grid[:] = 10 ** (3.58 + 1e-4 * np.arange(N_PIX))
    texts = {
        schema.METHOD: "none",
        "metadata/source_type": "observed",
        "metadata/flux_type": "flux",
        **{f"metadata/{name}": "" for name in ("instrument", "date_obs", "gaia_id", "gaia_dr")},
    }
    for path, value in {**texts, "metadata/spec_id": None}.items():
        made = root.create_array(
            path, shape=(n_spec,), chunks=(chunk,), dtype=str, compressors=_text(), chunk_key_encoding=keys
        )
        made[:] = np.array([f"spectrum-{i}" if value is None else value for i in range(n_spec)], dtype=object)
    root.create_array(
        "metadata/snr", shape=(n_spec,), chunks=(chunk,), dtype="f8", compressors=_wide(), fill_value=np.nan,
        chunk_key_encoding=keys,
    )  # fmt: skip


def _wide() -> Any:
    return zarr.codecs.BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=8)


def _text() -> Any:
    return zarr.codecs.BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=1)


def decode(store: Path) -> int:
    """Read and decode every chunk, those of the cubes into one buffer; the bytes decoded of the cubes."""
    blosc.use_threads = False
    codec, buffer, nbytes = blosc.Blosc(), np.empty((ROWS, N_PIX), "f4"), 0
    for array in CUBES:
        for chunk in sorted((store / array).glob("c.*.0")):
            codec.decode(chunk.read_bytes(), buffer)
            nbytes += buffer.nbytes
    for chunk in [*store.glob("metadata/*/c.*"), *store.glob("continuum/method/c.*")]:
        values = codec.decode(chunk.read_bytes())
        if chunk.parent.name != "snr":
            VLenUTF8().decode(values)
    pa.parquet.read_table(store / "index.parquet")
    return nbytes


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=20.0, help="logical size of flux and uncertainty")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", type=Path, help="where the store is written; a temporary directory by default")
    parser.add_argument("--decode", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.decode:
        began = time.perf_counter()
        nbytes = decode(options.decode)
        print(json.dumps({"bytes": nbytes, "seconds": time.perf_counter() - began}))
        return 0
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        store = Path(work) / "large.zarr"
        per_block = len(CUBES) * ROWS * N_PIX * 4
        make_store(store, max(1, round(options.gigabytes * 1e9 / per_block)))
        report = [_round(store, options.workers) for _ in range(options.rounds)]
    summary = {
        key: statistics.median(one[key] for one in report) for key in report[0] if isinstance(report[0][key], float)
    }
    summary["ratio"] = summary["validate MB/s"] / summary["decode MB/s"]
    for key, value in summary.items():
        print(f"{key:28}{value:12.3f}")
    if options.json:
        options.json.write_text(json.dumps({"rounds": report, "summary": summary}, indent=2))
    return 0


def _round(store: Path, workers: int) -> dict[str, float]:
    plain = json.loads(subprocess.check_output([sys.executable, __file__, "--decode", str(store)]))
    result = Path(store.parent / "verdict.json")
    program = "import sys; sys.stdout = open(sys.argv.pop(1), 'w'); from spectral_zarr.cli import main; main()"
    arguments = ["validate", "--json", "--quiet", "--workers", str(workers), str(store)]
    usage = run([sys.executable, "-c", program, str(result), *arguments])
    (verdict,) = json.loads(result.read_text())
    if not verdict["valid"] or verdict["decoded_bytes"] != plain["bytes"]:
        raise SystemExit(f"the store should be valid, with {plain['bytes']} bytes decoded: {verdict}")
    megabytes = plain["bytes"] / 1e6
    return {
        "decode MB/s": megabytes / plain["seconds"],
        "validate MB/s": megabytes / verdict["seconds"],
        "validate MB per cpu second": megabytes / usage.cpu,
        "peak of one process MB": usage.peak_process / 1e6,
        "peak of all processes MB": usage.peak_tree / 1e6,
    }


if __name__ == "__main__":
    sys.exit(main())

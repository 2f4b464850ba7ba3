"""Memory: the process that decodes needs as much for a million rows as for an eighth of them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import zarr
from zarr.codecs import BloscCodec

from spectral_zarr import validate
from spectral_zarr.cluster import ThreadExecutor
from spectral_zarr.cluster.isolation import call_isolated
from spectral_zarr.tasks.scan import SCAN_BYTES

N_PIX, ROWS, LONG = 256, 1024, 131_072
TEXTS = {
    "continuum/method": "none",
    "metadata/spec_id": "spectrum",
    "metadata/source_type": "observed",
    "metadata/flux_type": "flux",
    "metadata/source_file": "directory/of/some/length/spectrum.fits",
}
CUBES = (
    *("signal/wavelength", "signal/flux_raw", "signal/uncertainty_raw"),
    *("continuum/continuum_model", "continuum/continuum_uncertainty"),
)


def peak_bytes(_: object) -> int:
    # ru_maxrss of a child begins at the size of its parent; the high-water mark of the address space is its own.
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def linked(path: Path, n_long: int) -> Path:
    """A store of ``n_long * 131,072`` spectra whose chunks are hard links to the first one, but for the identifiers."""
    n_spec = n_long * LONG
    root = zarr.open_group(str(path), mode="w", zarr_format=3)
    root.attrs.update(schema_version="2.0", ingest_pipeline="x", created_at="2026-01-01T00:00:00Z", git_commit="0" * 40)
    for group in ("signal", "continuum", "representations", "params", "metadata"):
        root.create_group(group)
    keys = {"name": "default", "separator": "."}
    rng = np.random.default_rng(2)
    for name in CUBES:
        codec = BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=4)
        cube = root.create_array(
            name, shape=(n_spec, N_PIX), chunks=(ROWS, N_PIX), dtype="f4", compressors=codec, fill_value=np.nan,
            chunk_key_encoding=keys, attributes={"units": "Angstrom" if "wave" in name else "adu"},
        )  # fmt: skip
        noise = rng.uniform(1, 2, (ROWS, N_PIX))
        cube[:ROWS] = 4000 + np.arange(N_PIX) + rng.uniform(0, 100, (ROWS, 1)) if "wave" in name else noise
        for block in range(1, n_spec // ROWS):
            os.link(path / name / "c.0.0", path / name / f"c.{block}.0")
    for name, value in TEXTS.items():
        codec = BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=1)
        column = root.create_array(
            name, shape=(n_spec,), chunks=(LONG,), dtype=str, compressors=codec, chunk_key_encoding=keys
        )
        if name == "metadata/spec_id":
            column[:] = np.array([f"spectrum-{i}" for i in range(n_spec)], dtype=object)
            continue
        column[:LONG] = np.array([value] * LONG, dtype=object)
        for block in range(1, n_long):
            os.link(path / name / "c.0", path / name / f"c.{block}")
    table = {name: [""] * n_spec for name in ("spec_id", "source_type", "instrument", "simulator")}
    numbers = {name: np.full(n_spec, np.nan) for name in ("teff", "logg", "feh", "snr")}
    pa.parquet.write_table(
        pa.table({**table, **numbers}), path / "index.parquet", compression="zstd", row_group_size=LONG
    )
    return path


@pytest.fixture(scope="module")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> dict[int, int]:
    """Peak of a fresh child, in bytes, by the number of long chunks."""
    found = {}
    for n_long in (1, 2, 8):
        store = linked(tmp_path_factory.mktemp("linked") / "linked.zarr", n_long)
        with ThreadExecutor(1) as executor:
            verdict = validate(store, executor=executor)
            (found[n_long],) = executor.map(partial(call_isolated, peak_bytes), [None])
        assert verdict.n_spec == n_long * LONG
        assert verdict.nbytes == len(CUBES) * verdict.n_spec * N_PIX * 4
        assert not {f.where for f in verdict.findings if f.rule == "Z-03"}
    return found


def test_the_peak_does_not_grow_with_the_rows(peaks: dict[int, int]) -> None:
    # Four times the rows: what a list of them would take is more than this.
    assert peaks[8] <= peaks[2] + SCAN_BYTES // 4
    assert peaks[8] <= peaks[1] + SCAN_BYTES // 2


def test_the_peak_is_a_few_blocks(peaks: dict[int, int]) -> None:
    assert peaks[8] <= 16 * SCAN_BYTES

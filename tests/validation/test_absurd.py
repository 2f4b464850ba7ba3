"""Numbers that no store can have: units, axes and chunks are refused or checked in moments, whatever they say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import zarr

from spectral_zarr import validate
from spectral_zarr.cluster import Executor, ThreadExecutor

from .faults import FLUX, edit, errors, grid, message, spoiled


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


UNITS = ["10**1000000000 m", "10^99999999999 erg", "m" * 10**6, "(" * 5000 + "m" + ")" * 5000, "km**999999999", "km999"]


@pytest.mark.parametrize("unit", UNITS, ids=range(len(UNITS)))
def test_a_unit_that_nobody_can_compute(store: Path, unit: str, executor: Executor) -> None:
    for array in ("signal/wavelength", FLUX):
        edit(store / array / "zarr.json", attributes={"units": unit})
    verdict = validate(store, executor=executor)
    assert ("U-03", FLUX) in {(finding.rule, finding.where) for finding in verdict.findings}
    assert ("U-02", "signal/wavelength") in errors(verdict)
    assert ("Q-02", FLUX) in errors(verdict)
    assert all(len(finding.message) < 1100 for finding in verdict.findings)


def shape(store: Path, rows: int, pixels: int, chunks: tuple[int, int], length: int) -> None:
    """Let every array say that it is larger than its chunks."""
    for path in store.glob("*/*/zarr.json"):
        axes = len(json.loads(path.read_text())["shape"])
        if path.parent.name == "wavelength":
            edit(path, shape=[pixels], chunk_grid=grid(pixels))
        else:
            edit(
                path,
                shape=[rows, pixels] if axes == 2 else [rows],
                chunk_grid=grid(*chunks) if axes == 2 else grid(length),
            )


class TestBillionsOfRows:
    @pytest.mark.parametrize("chunks", ["as they were", "one row", "the whole axis"])
    @pytest.mark.parametrize("kept", ["all files", "no chunks"])
    def test_are_checked_by_their_first_few(self, store: Path, chunks: str, kept: str, executor: Executor) -> None:
        rows = 10**9
        n_spec, n_pix = zarr.open_group(str(store), mode="r")[FLUX].shape
        length = {"as they were": n_spec, "one row": 1, "the whole axis": rows}[chunks]
        shape(store, rows, n_pix, (min(length, n_spec), n_pix), length)
        if kept == "no chunks":
            for path in store.glob("*/*/c.*"):
                path.unlink()
        verdict = validate(store, executor=executor)
        assert verdict.n_spec == rows
        found = {finding.rule: finding for finding in verdict.findings if finding.where == FLUX}
        assert found["Q-02"].count >= rows - n_spec
        if chunks == "the whole axis":
            assert "too large" in message(verdict, "Z-04", "metadata/source_type")
        else:
            # The text of a chunk that is there but of another length is not known.
            (types,) = [f for f in verdict.findings if (f.rule, f.where) == ("M-01", "metadata/source_type")]
            assert types.count >= rows - 131_072
        assert ("I-01", "index.parquet") in errors(verdict)
        assert "ended the process" not in " ".join(finding.message for finding in verdict.findings)

    @pytest.mark.parametrize("pixels", [10**9, 2**62])
    def test_pixels_beyond_measure_are_a_finding(self, store: Path, pixels: int, executor: Executor) -> None:
        shape(store, 12, pixels, (12, 4096), 12)
        verdict = validate(store, executor=executor)
        assert ("D-01", FLUX) in errors(verdict)

    def test_more_chunks_in_a_row_than_anybody_can_look_for(self, store: Path, executor: Executor) -> None:
        shape(store, 12, 10**8, (12, 1), 12)
        verdict = validate(store, executor=executor)
        assert "side by side" in message(verdict, "Z-04", FLUX)

    def test_axes_whose_product_overflows(self, store: Path, executor: Executor) -> None:
        shape(store, 2**62, 2**62, (2**62, 2**62), 2**62)
        verdict = validate(store, executor=executor)
        assert ("D-01", FLUX) in errors(verdict)
        assert "too large" in message(verdict, "Z-04", FLUX)

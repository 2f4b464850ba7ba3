"""A store scanned in tasks and chunks of any shape shows what its whole arrays show; damage hides only what it hit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spectral_zarr.contract.rows import Counted, Offences
from spectral_zarr.contract.schema import CONTINUUM, FLUX, UNCERTAINTY, WAVELENGTH
from spectral_zarr.tasks.scan import RowsScan, RowsTask, scan_rows, unpack

from .conftest import layout_of, written

N_SPEC, N_PIX = 24, 2500
NAN = np.nan


def arrays() -> dict[str, NDArray[Any]]:
    """Spectra on grids of their own, some of them broken, each in another way."""
    random = np.random.default_rng(7)
    flux = random.normal(100, 5, (N_SPEC, N_PIX)).astype("f4")
    wavelength = 4000 + np.arange(N_PIX) * 1.0 + np.arange(N_SPEC)[:, None] * 0.1
    sigma, continuum = np.sqrt(flux), np.full_like(flux, 120)
    length = N_PIX - 20 * (np.arange(N_SPEC) % 3)
    padding = np.arange(N_PIX) >= length[:, None]
    for values in (flux, wavelength, sigma, continuum):
        values[padding] = NAN
    flux[2] = NAN
    flux[3, :1000], flux[3, 1000:] = 0, NAN
    flux[5, 700] = np.inf
    flux[6, 1200:1800] = 3e30
    flux[7, :2400:3] = -1e12
    flux[8, 2400:2403] = -999
    flux[9, 100:102] = -999
    sigma[10, 2400] = 0.0
    sigma[11, N_PIX - 10] = 3.0
    continuum[12] = NAN
    continuum[13, 5] = -1
    wavelength[14, 1000] = NAN
    wavelength[15, 1000] = wavelength[15, 999]
    return {WAVELENGTH: wavelength, FLUX: flux, UNCERTAINTY: sigma, CONTINUUM: continuum}


EXPECTED = {
    ("Q-02/empty", FLUX): (2, 3),
    ("S-07/infinite", FLUX): (5,),
    ("S-10/sentinel", FLUX): (8,),
    ("S-06/not_positive", UNCERTAINTY): (10,),
    ("S-05/padding", UNCERTAINTY): (11,),
    ("C-05/not_positive", CONTINUUM): (13,),
    ("S-04/gap", WAVELENGTH): (14,),
    ("S-04/not_increasing", WAVELENGTH): (15,),
}
GARBAGE = [row in (6, 7) for row in range(N_SPEC)]


def scanned(store: Path, cut: int = N_SPEC) -> list[RowsScan]:
    cubes = tuple(layout_of(store, path) for path in (WAVELENGTH, FLUX, UNCERTAINTY, CONTINUUM))
    starts = range(0, N_SPEC, cut)
    return [scan_rows(RowsTask(str(store), start, min(start + cut, N_SPEC), cubes, 1.0)) for start in starts]


def together(scans: list[RowsScan]) -> Counted:
    total = Offences()
    for scan in scans:
        total.merge(scan.counted)
    return total.counted()


def bits(scans: list[RowsScan], name: str) -> list[bool]:
    return [bit for scan in scans for bit in unpack(getattr(scan, name), scan.stop - scan.start).tolist()]


@pytest.mark.parametrize("codec", ["bitshuffle", "zstd"])
@pytest.mark.parametrize("chunks", [(24, 2500), (8, 1000), (4, 600), (8, 2499)])
def test_chunks_of_every_shape_and_tasks_of_every_length(tmp_path: Path, chunks: tuple[int, int], codec: str) -> None:
    for path, values in arrays().items():
        written(tmp_path, path, values, chunks=chunks, codec=codec, fill_value=np.nan)
    for cut in {chunks[0], N_SPEC}:
        scans = scanned(tmp_path, cut)
        found = together(scans)
        assert {key: count.rows for key, count in found.items()} == EXPECTED
        assert all(count.number == len(EXPECTED[key]) for key, count in found.items())
        assert bits(scans, "garbage") == GARBAGE
        assert bits(scans, "continuum") == [row != 12 for row in range(N_SPEC)]
        assert bits(scans, "no_continuum") == [row == 12 for row in range(N_SPEC)]
        grid = arrays()[WAVELENGTH]
        for end, expected in (("shortest", np.nanmin(grid, axis=1)), ("longest", np.nanmax(grid, axis=1))):
            ours = np.concatenate([np.frombuffer(getattr(scan, end), "<f4") for scan in scans])
            np.testing.assert_array_equal(ours, expected.astype("f4"))
        assert {name for scan in scans for name in scan.finite} == {FLUX, UNCERTAINTY, CONTINUUM}
        assert not all(scan.one_grid for scan in scans)


def test_a_flux_whose_chunks_have_no_files_is_empty(tmp_path: Path) -> None:
    for path, values in arrays().items():
        written(tmp_path, path, values, chunks=(8, 1000), fill_value=np.nan)
    for file in (tmp_path / FLUX / "c/1").iterdir():
        file.unlink()
    found = together(scanned(tmp_path, 8))
    assert found["Q-02/empty", FLUX].rows == (2, 3, 8, 9, 10)
    assert found["Q-02/empty", FLUX].number == 10
    assert ("S-10/sentinel", FLUX) not in found


def test_zeros_in_place_of_missing_chunks_count_as_pixels(tmp_path: Path) -> None:
    flux = np.zeros((2, 2000), "f4")
    flux[:, 0], flux[1, 1] = 1, -999
    flux[1, 2:4] = -999
    for path in (WAVELENGTH, UNCERTAINTY, CONTINUUM):
        written(tmp_path, path, np.ones((2, 2000)), chunks=(2, 500))
    written(tmp_path, FLUX, flux, chunks=(2, 500), fill_value=0)
    assert not (tmp_path / FLUX / "c/0/1").exists()
    task = RowsTask(str(tmp_path), 0, 2, (layout_of(tmp_path, FLUX),), 1.0)
    assert scan_rows(task).counted["S-10/sentinel", FLUX].rows == (1,)
    flux[1, 3] = 1
    written(tmp_path, FLUX, flux, chunks=(2, 500), fill_value=0)
    assert scan_rows(task).counted == {}


class TestDamage:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        for path, values in arrays().items():
            written(tmp_path, path, values, chunks=(8, 1000), fill_value=np.nan)
        return tmp_path

    def test_a_damaged_chunk_of_wavelengths_leaves_its_rows_without_judgement_of_their_padding(
        self, store: Path
    ) -> None:
        (store / WAVELENGTH / "c/1/2").write_bytes(b"damage")
        found = {key: count.rows for key, count in together(scanned(store)).items()}
        hidden = {("S-05/padding", UNCERTAINTY), ("S-04/gap", WAVELENGTH), ("S-04/not_increasing", WAVELENGTH)}
        kept = {key: rows for key, rows in EXPECTED.items() if key not in hidden}
        assert found == {**kept, ("Z-03/damaged", f"{WAVELENGTH}/c/1/2"): (8,)}
        shortest = np.frombuffer(scanned(store)[0].shortest, "<f4")
        assert np.isnan(shortest).tolist() == [8 <= row < 16 for row in range(N_SPEC)]

    def test_rows_with_a_damaged_chunk_are_not_called_empty_or_without_continuum(self, store: Path) -> None:
        for path in (FLUX, CONTINUUM):
            (store / path / "c/0/1").write_bytes(b"damage")
        scans = scanned(store)
        found = together(scans)
        assert ("Q-02/empty", FLUX) not in found
        assert found["Z-03/damaged", f"{FLUX}/c/0/1"].rows == (0,)
        assert found["S-10/sentinel", FLUX].rows == (8,)
        assert bits(scans, "no_continuum") == [row == 12 for row in range(N_SPEC)]


def test_the_same_grid_in_every_row_is_one_grid_in_every_cut(tmp_path: Path) -> None:
    grid = np.broadcast_to(4000 + np.arange(N_PIX) * 0.5, (N_SPEC, N_PIX)).copy()
    grid[1:] += 4e-4 * 0.5
    for chunks in ((24, 2500), (8, 600)):
        written(tmp_path, WAVELENGTH, grid, chunks=chunks)
        task = RowsTask(str(tmp_path), 0, N_SPEC, (layout_of(tmp_path, WAVELENGTH),), 1.0)
        scan = scan_rows(task)
        assert scan.one_grid
        assert all(first.agrees(scan.grids[0]) for first in scan.grids)
        assert len(scan.grids) == -(-N_SPEC // chunks[0])
    grid[20:] += 0.1
    written(tmp_path, WAVELENGTH, grid, chunks=(4, 600))
    scan = scan_rows(RowsTask(str(tmp_path), 0, N_SPEC, (layout_of(tmp_path, WAVELENGTH),), 1.0))
    assert scan.one_grid
    assert [first.agrees(scan.grids[0]) for first in scan.grids] == [True] * 5 + [False]

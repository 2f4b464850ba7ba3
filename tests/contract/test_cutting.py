"""Cutting rows and columns into chunks in any way finds what the whole array shows, and what the definitions say."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from spectral_zarr.contract.cubes import FirstGrid, ValueRows, WavelengthRows, garbage_rows, sentinel_rows
from spectral_zarr.contract.rows import SENTINELS, Counted, Offences
from spectral_zarr.contract.schema import CONTINUUM, FLUX, UNCERTAINTY, WAVELENGTH

NAN, INF = math.nan, math.inf
Cuts = list[int]

SPECIAL = st.sampled_from([NAN, NAN, 0.0, INF, -INF, -999.0, -9999.0, 1e-30, 1e30, 1.0, -1.0])
ORDINARY = st.floats(-1e4, 1e4, width=32)
FLUXES = hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=SPECIAL | ORDINARY)
STEPS = st.sampled_from([0.5, 1.0, 1.0, 1.0, 2.0, 1e-4, 0.0, -1.0, NAN])


def spans(length: int, cuts: Cuts) -> Iterator[tuple[int, int]]:
    """Non-empty pieces of an axis, cut at any of the given places."""
    edges = sorted({0, length, *(cut % length for cut in cuts)})
    return itertools.pairwise(edges)


def scan_values(array: str, values: NDArray[Any], n_valid: NDArray[Any], rows: Cuts, columns: Cuts) -> Counted:
    total = Offences()
    for start, stop in spans(values.shape[0], rows):
        part, block = Offences(), ValueRows(array, start, stop - start, n_valid[start:stop])
        for left, right in spans(values.shape[1], columns):
            block.add(left, values[start:stop, left:right])
        block.report(part)
        total.merge(part.counted())
    return total.counted()


def scan_wavelengths(values: NDArray[Any], rows: Cuts, columns: Cuts) -> tuple[Counted, list[int], list[bool]]:
    total, n_valid, one_grid = Offences(), [], []
    for start, stop in spans(values.shape[0], rows):
        part, block = Offences(), WavelengthRows(WAVELENGTH, start, stop - start, 1.0)
        for left, right in spans(values.shape[1], columns):
            block.add(left, values[start:stop, left:right])
        block.report(part)
        total.merge(part.counted())
        n_valid += block.n_valid.tolist()
        one_grid.append(block.one_grid)
    return total.counted(), n_valid, one_grid


CUTS = st.lists(st.integers(0, 39), max_size=6)


@pytest.mark.parametrize("array", [FLUX, UNCERTAINTY, CONTINUUM])
@given(FLUXES, st.lists(st.integers(0, 40), min_size=5, max_size=5), CUTS, CUTS)
def test_values_do_not_depend_on_the_cut(array: str, flux: Any, valid: list[int], rows: Cuts, columns: Cuts) -> None:
    n_valid = np.minimum(valid[: len(flux)], flux.shape[1])
    found = scan_values(array, flux, n_valid, rows, columns)
    assert found == scan_values(array, flux, n_valid, [], [])
    expected = {i for i, row in enumerate(flux) if not np.isnan(row[n_valid[i] :]).all()}
    assert set(found[("S-05/padding", array)].rows if ("S-05/padding", array) in found else ()) == expected
    infinite = {i for i, row in enumerate(flux) if np.isinf(row).any()}
    symptom = ("S-06/infinite" if array == UNCERTAINTY else "S-07/infinite", array)
    assert set(found[symptom].rows if symptom in found else ()) == infinite


@st.composite
def ladders(draw: st.DrawFn, possible: st.SearchStrategy[float] = STEPS) -> NDArray[Any]:
    """Wavelengths that mostly increase, in either precision, with gaps and padding."""
    n_rows, n_pix = draw(st.integers(1, 4)), draw(st.integers(1, 25))
    start = draw(st.sampled_from([1.0, 100.0, 5000.0]))
    steps = draw(hnp.arrays(np.float64, (n_rows, n_pix), elements=possible))
    values = start + np.cumsum(np.nan_to_num(steps), axis=1)
    if draw(st.booleans()):
        values = np.broadcast_to(values[0], values.shape).copy()
        steps = np.broadcast_to(steps[0], steps.shape)
    values[np.isnan(steps)] = NAN
    values[:, draw(st.integers(1, n_pix)) :] = NAN
    return values.astype(draw(st.sampled_from(["f8", "f4"])))


@given(ladders(), CUTS, CUTS)
def test_wavelengths_do_not_depend_on_the_cut(values: Any, rows: Cuts, columns: Cuts) -> None:
    found, n_valid, _ = scan_wavelengths(values, rows, columns)
    whole, n_valid_whole, _ = scan_wavelengths(values, [], [])
    assert (found, n_valid) == (whole, n_valid_whole)


def not_increasing(row: list[float]) -> bool:
    return any(b <= a for a, b in itertools.pairwise(row))


def has_gap(row: list[float]) -> bool:
    known = [not math.isnan(value) for value in row]
    return not known[0] or any(later and not before for before, later in itertools.pairwise(known))


def is_rounded(row: list[float]) -> bool:
    return any(float(np.spacing(np.float32(b))) / 2 > 0.01 * abs(b - a) for a, b in itertools.pairwise(row))


@given(ladders(), CUTS)
def test_wavelengths_are_judged_as_the_definitions_say(values: Any, columns: Cuts) -> None:
    found, n_valid, _ = scan_wavelengths(values, [], columns)
    rows = values.astype(np.float64).tolist()
    definitions: dict[str, Callable[[list[float]], bool]] = {
        "S-04/not_increasing": not_increasing,
        "S-04/gap": has_gap,
    }
    if values.dtype == np.float32:
        definitions["S-03/rounded"] = is_rounded
    for symptom, broken in definitions.items():
        expected = tuple(i for i, row in enumerate(rows) if broken(row))
        assert (found[symptom, WAVELENGTH].rows if (symptom, WAVELENGTH) in found else ()) == expected
    assert n_valid == [max((i + 1 for i, value in enumerate(row) if not math.isnan(value)), default=0) for row in rows]


def is_one_grid(values: NDArray[np.float64]) -> bool:
    first = values[0]
    for row in values[1:]:
        for i, (value, wanted) in enumerate(zip(row.tolist(), first.tolist(), strict=True)):
            if math.isnan(value) != math.isnan(wanted):
                return False
            neighbour = first[i - 1] if i else first[1] if first.size > 1 else NAN
            pixel = abs(wanted - neighbour)
            if abs(value - wanted) > (0.0 if math.isnan(pixel) else 1e-3 * pixel):
                return False
    return True


OFFSETS = st.lists(st.sampled_from([0.0, 0.0, 4e-4, 9e-4, 2e-3]), min_size=4, max_size=4)


@given(ladders() | ladders(st.sampled_from([0.5, 1.0, 1.0, 2.0])), OFFSETS, CUTS)
def test_one_grid_is_every_row_within_a_thousandth_of_a_pixel(values: Any, offsets: list[float], cuts: Cuts) -> None:
    shifted = values.astype(np.float64) + np.array(offsets[: len(values)])[:, None]
    _, _, (found,) = scan_wavelengths(shifted, [], cuts)
    assert found is is_one_grid(shifted)


@given(st.integers(2, 300), st.floats(0.01, 10.0), st.floats(-1.0, 1.0), CUTS)
def test_first_rows_of_blocks_agree_when_they_are_one_grid(n_pix: int, step: float, share: float, cuts: Cuts) -> None:
    def first_of(offset: float) -> FirstGrid:
        block = WavelengthRows(WAVELENGTH, 0, 1, 1.0)
        row = 5000.0 + offset + step * np.arange(n_pix)[None, :]
        for left, right in spans(n_pix, cuts):
            block.add(left, row[:, left:right])
        return block.first

    assert first_of(0.0).agrees(first_of(share * 9e-4 * step * (n_pix - 1) / n_pix))
    assert not first_of(0.0).agrees(first_of(math.copysign(2e-3, share) * step))


ROWS = st.integers(1, 400).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float32, n, elements=st.sampled_from([1.0, -1.0, 0.9]))
        | hnp.arrays(np.float32, n, elements=st.sampled_from([1.0, 2.0, -1.0, 0.01, 30.0]) | ORDINARY | SPECIAL),
        st.sampled_from([0, 1, 2, 3, 7]),
        st.sampled_from([1.1e6, 3e6, 1e8, 1e12, -1e20, 3e38]),
    )
)


@given(ROWS, CUTS)
def test_no_row_that_is_garbage_or_full_of_sentinels_is_overlooked(drawn: tuple[Any, int, float], cuts: Cuts) -> None:
    row, every, size = drawn
    if every:
        # Damage that repeats along the row is what samples of it would miss.
        row[::every] = size
    flux = np.array([row, np.ones_like(row), np.sort(row), np.sort(row)[::-1]])
    block = ValueRows(FLUX, 0, len(flux))
    for left, right in spans(flux.shape[1], cuts):
        block.add(left, flux[:, left:right])
    flagged = garbage_rows(flux) | sentinel_rows(flux)
    assert set(np.flatnonzero(flagged)) <= set(block.suspicious.tolist())


@pytest.mark.parametrize("share", [0.011, 0.18, 0.33, 0.49])
@pytest.mark.parametrize("n_pix", [500, 4096, 9000])
def test_garbage_of_any_share_is_suspicious_in_every_order(share: float, n_pix: int) -> None:
    row = np.random.default_rng(3).normal(100.0, 10.0, n_pix).astype(np.float32)
    row[: int(share * n_pix) + 1] = 1e30
    rolled = np.array([np.roll(row, shift) for shift in range(0, n_pix, n_pix // 16)])
    spread = np.array([np.random.default_rng(seed).permutation(row) for seed in range(16)])
    for flux in (rolled, spread):
        block = ValueRows(FLUX, 0, len(flux))
        for left in range(0, n_pix, 1000):
            block.add(left, flux[:, left : left + 1000])
        assert garbage_rows(flux).all()
        assert block.suspicious.tolist() == list(range(len(flux)))


def test_ordinary_spectra_are_not_measured_twice() -> None:
    random = np.random.default_rng(5)
    noise = random.normal(0.0, 1.0, (8, 4096)).astype(np.float32)
    lines = 100 + noise
    lines[:, 1000:1010] *= 900
    padded = lines.copy()
    padded[:, 3000:] = NAN
    for flux in (noise, lines, padded):
        block = ValueRows(FLUX, 0, len(flux))
        block.add(0, flux)
        assert block.suspicious.size == 0


@given(hnp.arrays(np.float32, st.integers(1, 300), elements=st.sampled_from([-999.0, 1e20, 1.0, NAN, INF])))
def test_sentinels_are_a_share_of_the_finite_pixels(row: Any) -> None:
    finite = [value for value in row.tolist() if math.isfinite(value)]
    listed = [float(np.float32(sentinel)) for sentinel in SENTINELS]
    expected = any(finite.count(sentinel) > 0.001 * len(finite) for sentinel in listed)
    assert sentinel_rows(row[None, :]).tolist() == [expected]


@given(hnp.arrays(np.float32, st.integers(1, 120), elements=st.sampled_from([1.0, 3.0, -2e6, 5e6, 0.0, NAN, INF])))
def test_garbage_is_a_share_of_the_pixels_that_are_not_zero(row: Any) -> None:
    sizes = [abs(value) for value in row.tolist() if math.isfinite(value) and value != 0]
    expected = bool(sizes) and sum(s > 1e6 * float(np.median(sizes)) for s in sizes) > 0.01 * len(sizes)
    assert garbage_rows(row[None, :]).tolist() == [expected]

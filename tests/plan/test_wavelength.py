"""The wavelength decision: one shared grid, slices of one lattice, or a grid per spectrum, in any order of files."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.model import Grid, WavelengthPlan
from spectral_zarr.plan import WavelengthTally

from .conftest import Grids, lattice, linear

BASE = 5000 + 0.1 * np.arange(200)


def decide(grids: list[Grid], store: Grids | None = None) -> WavelengthPlan:
    tally = WavelengthTally((store or Grids()).load)
    for row, grid in enumerate(grids):
        tally.add(grid, 0, row)
    return tally.decide("vacuum")


class TestIdentical:
    def test_equal_grids_are_one(self) -> None:
        plan = decide([linear(5000, 0.1, 50)] * 5)
        assert (plan.kind, plan.medium, plan.grid) == ("identical", "vacuum", linear(5000, 0.1, 50))

    def test_one_spectrum_is_one_grid(self) -> None:
        assert decide([lattice(35500, 100)]).kind == "identical"

    @pytest.mark.parametrize(
        ("pixels", "kind"), [(0.0, "identical"), (0.9e-3, "identical"), (-0.9e-3, "identical"), (1.1e-3, "ragged")]
    )
    def test_explicit_grids_agree_to_a_thousandth_of_the_local_pixel(self, pixels: float, kind: str) -> None:
        store = Grids()
        irregular = 5000 + 0.1 * np.arange(200) + 1e-4 * np.arange(200) ** 2
        shifted = irregular + pixels * np.gradient(irregular)
        grids = [store.explicit(irregular, row=0), store.explicit(shifted, row=1)]
        assert decide(grids, store).kind == kind

    def test_one_pixel_that_differs_is_enough(self) -> None:
        store = Grids()
        other = BASE.copy()
        other[100] += 2e-3 * 0.1
        assert decide([store.explicit(BASE, row=0), store.explicit(other, row=1)], store).kind == "ragged"

    def test_an_explicit_and_a_computed_grid_may_be_identical(self) -> None:
        store = Grids()
        plan = decide([linear(5000, 0.1, 200), store.explicit(BASE, row=1)], store)
        assert plan.kind == "identical"

    def test_the_values_of_the_first_grid_are_kept(self) -> None:
        store = Grids()
        first = store.explicit(BASE, row=0)
        plan = decide([first, store.explicit(BASE + 5e-5, row=1)], store)
        assert (plan.grid, plan.batch) == (first, 0)

    @pytest.mark.parametrize("other", [linear(5000, 0.1, 51), linear(5000.1, 0.1, 50), linear(5000, 0.101, 50)])
    def test_other_grids_are_ragged(self, other: Grid) -> None:
        assert decide([linear(5000, 0.1, 50), other]).kind == "ragged"


class TestLattice:
    def test_slices_are_united_on_the_lattice(self) -> None:
        plan = decide([lattice(35500, 100), lattice(35490, 100), lattice(35510, 120)])
        assert plan.kind == "lattice"
        assert plan.grid is not None
        assert (plan.grid.first, plan.grid.n_pix, plan.grid.step) == (35490, 140, 1e-4)
        np.testing.assert_allclose(plan.grid.wavelength(), 10 ** (np.arange(35490, 35630) * 1e-4), rtol=1e-15)
        assert (plan.grid.wave_min, plan.grid.wave_max) == tuple(plan.grid.wavelength()[[0, -1]])

    @pytest.mark.parametrize(("gap", "kind"), [(50, "lattice"), (51, "ragged")])
    def test_a_union_longer_than_half_as_much_again_is_ragged(self, gap: int, kind: str) -> None:
        assert decide([lattice(35500, 100), lattice(35500 + gap, 100)]).kind == kind

    def test_slices_that_are_equal_are_identical(self) -> None:
        assert decide([lattice(35500, 100), lattice(35500, 100)]).kind == "identical"

    @pytest.mark.parametrize(
        "other", [linear(10**3.55, 0.8, 100), lattice(355000, 100, step=1e-5), lattice(500000, 100, 0.01, "linear")]
    )
    def test_a_lattice_and_anything_else_are_ragged(self, other: Grid) -> None:
        assert decide([lattice(35500, 100), other]).kind == "ragged"
        assert decide([other, lattice(35500, 100)]).kind == "ragged"

    def test_a_ragged_plan_has_no_common_grid(self) -> None:
        plan = decide([lattice(35500, 100), linear(4000, 0.1, 50)])
        assert (plan.kind, plan.grid) == ("ragged", None)


SLICES = st.lists(st.tuples(st.integers(35500, 35560), st.integers(90, 120)), min_size=1, max_size=6)


class TestOrder:
    @given(SLICES, st.randoms(use_true_random=False))
    def test_slices_decide_alike_in_any_order(self, slices: list[tuple[int, int]], rng: random.Random) -> None:
        grids = [lattice(first, n) for first, n in slices]
        shuffled = rng.sample(grids, len(grids))
        one, two = decide(grids), decide(shuffled)
        assert (one.kind, one.grid) == (two.kind, two.grid)
        first, stop = min(f for f, _ in slices), max(f + n for f, n in slices)
        longest = max(n for _, n in slices)
        expected = "identical" if len(set(slices)) == 1 else "lattice" if stop - first <= 1.5 * longest else "ragged"
        assert one.kind == expected

    @given(
        st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=6), st.randoms(use_true_random=False)
    )
    def test_mixtures_decide_alike_in_any_order(self, names: list[str], rng: random.Random) -> None:
        grids = {
            "a": lattice(35500, 100),
            "b": lattice(35510, 100),
            "c": linear(5000, 0.1, 100),
            "d": linear(5000, 0.1, 101),
            "e": lattice(355000, 100, step=1e-5),
        }
        chosen = [grids[name] for name in names]
        one, two = decide(chosen), decide(rng.sample(chosen, len(chosen)))
        assert (one.kind, one.grid) == (two.kind, two.grid)

    @given(SLICES)
    def test_every_slice_lies_within_the_union(self, slices: list[tuple[int, int]]) -> None:
        plan = decide([lattice(first, n) for first, n in slices])
        if plan.grid is not None:
            assert plan.grid.first is not None
            assert all(0 <= first - plan.grid.first <= plan.grid.n_pix - n for first, n in slices)

    def test_grids_within_the_tolerance_decide_alike_in_any_order(self) -> None:
        shifts = [0.0, 0.6e-3, 1.2e-3]
        kinds = set()
        for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1]):
            store = Grids()
            grids = [store.explicit(BASE + shifts[i] * 0.1, row=row) for row, i in enumerate(order)]
            kinds.add(decide(grids, store).kind)
        # The reference is the first file in sorted order, so only this one case depends on which file that is.
        assert kinds == {"identical", "ragged"}


def test_a_tally_without_grids_decides_nothing() -> None:
    with pytest.raises(ValueError, match="no grid"):
        decide([])

"""Candidate layouts, what trials need, and the recommendation, on trials whose times are made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.contract.chunks import HUGE_BYTES, is_tiny
from spectral_zarr.model.trial import ACCESSES, Access, Layout, Trial, TrialReceipt
from spectral_zarr.plan.trials import candidate_layouts, disk_bytes, fewest_rows, recommend, trial_rows


def trial(layout: Layout, *rounds: dict[str, float], nbytes: int = 1000, n_files: int = 10) -> Trial:
    """A layout with milliseconds per spectrum, 1 where they are not given."""
    receipts = []
    for times in rounds or ({},):
        accesses = [Access(name, 10, 4000, times.get(name, 1.0) / 100, 0.01, 8000) for name in ACCESSES]
        receipts.append(TrialReceipt(layout, tuple(accesses), 1500, nbytes, n_files, "cold"))
    return Trial(layout, tuple(receipts))


class TestCandidates:
    def test_short_spectra(self) -> None:
        assert candidate_layouts(100_000, 4000, 8192) == (
            Layout(1024, 4000),
            Layout(256, 4000),
            Layout(1024, 4000, clevel=6),
            Layout(1024, 4000, clevel=7),
            Layout(1024, 4000, zarr_format=2),
            Layout(128, 4000, 1024, 4000),
        )

    def test_long_spectra_have_chunks_of_whole_rows_and_shards_of_a_row_of_chunks(self) -> None:
        assert candidate_layouts(100_000, 313_133, 512) == (
            Layout(256, 4096),
            Layout(16, 313_133),
            Layout(256, 4096, clevel=6),
            Layout(256, 4096, clevel=7),
            Layout(256, 4096, zarr_format=2),
        ), "a shard of (256, 315392) would have 323 MB"
        assert Layout(256, 4096, 256, 53_248) in candidate_layouts(100_000, 50_000, 1024)
        assert Layout(1024, 50_000) in candidate_layouts(100_000, 50_000, 2048)

    @given(st.integers(1, 10**6), st.integers(1, 400_000))
    def test_no_chunk_is_tiny_or_huge_and_the_first_is_the_contracts(self, n_spec: int, n_pix: int) -> None:
        rows = trial_rows(n_spec, n_pix)
        assert fewest_rows(n_spec, n_pix) <= rows <= n_spec
        layouts = candidate_layouts(n_spec, n_pix, rows)
        assert len(set(layouts)) == len(layouts)
        assert len({layout.label for layout in layouts}) == len(layouts)
        for layout in layouts:
            assert not is_tiny((n_spec, n_pix), layout.outer, 4)
            assert 4 * layout.outer[0] * layout.outer[1] <= HUGE_BYTES
            assert all(
                outer % inner == 0 for outer, inner in zip(layout.outer, (layout.rows, layout.columns), strict=True)
            )

    @given(st.integers(1, 10**5), st.integers(1, 400_000))
    def test_disk_holds_the_source_and_any_layout_that_does_not_compress(self, n_spec: int, n_pix: int) -> None:
        rows = trial_rows(n_spec, n_pix)
        layouts = candidate_layouts(n_spec, n_pix, rows)
        needed = disk_bytes(rows, n_pix, layouts)
        for layout in layouts:
            chunks = -(-rows // layout.outer[0]) * -(-n_pix // layout.outer[1])
            assert needed >= 8 * rows * n_pix + 2 * chunks * (4 * layout.outer[0] * layout.outer[1] + 16)


class TestRecommendation:
    CONTRACT, SMALLER, SHARDS = Layout(1024, 4000), Layout(256, 4000), Layout(128, 4000, 1024, 4000)

    def test_a_faster_layout_is_taken_and_its_price_is_named(self) -> None:
        trials = (
            trial(self.CONTRACT, {"row": 4.0, "epoch": 1.0}, nbytes=1000, n_files=10),
            trial(self.SMALLER, {"row": 1.0, "epoch": 1.5}, nbytes=1100, n_files=40),
        )
        taken = recommend(trials, "row")
        assert taken.layout == self.SMALLER
        assert "fastest" in taken.reason
        costs = {cost.respect: (cost.factor, cost.best) for cost in taken.costs}
        assert costs["epoch"] == (pytest.approx(1.5), self.CONTRACT)
        assert costs["bytes on disk"] == (pytest.approx(1.1), self.CONTRACT)
        assert costs["files"] == (pytest.approx(4.0), self.CONTRACT)
        assert taken.config == "[store]\nchunk_rows = 256\nchunk_columns = 4000"

    def test_among_equals_the_contract_decides(self) -> None:
        trials = (trial(self.CONTRACT, {"epoch": 1.24}), trial(self.SMALLER, {"epoch": 1.0}))
        taken = recommend(trials, "epoch")
        assert taken.layout == self.CONTRACT
        assert "within the scatter or 25 %" in taken.reason
        assert taken.config == ""

    def test_shards_are_never_taken_because_ingest_does_not_write_them(self) -> None:
        trials = (trial(self.CONTRACT, {"row": 9.0}), trial(self.SHARDS, {"row": 1.0, "epoch": 0.5}))
        taken = recommend(trials, "row")
        assert taken.layout == self.CONTRACT
        assert {cost.respect: cost.best for cost in taken.costs}["epoch"] == self.SHARDS

    def test_one_disturbed_round_does_not_decide(self) -> None:
        disturbed = trial(self.CONTRACT, {"epoch": 1.0}, {"epoch": 30.0}, {"epoch": 30.0})
        taken = recommend((disturbed, trial(self.SMALLER, *[{"epoch": 2.0}] * 3)), "epoch")
        assert taken.layout == self.CONTRACT

    def test_layouts_within_the_scatter_of_the_fastest_are_equal(self) -> None:
        scattered = trial(self.SMALLER, {"epoch": 1.0}, {"epoch": 2.0}, {"epoch": 3.0})
        assert recommend((trial(self.CONTRACT, {"epoch": 1.9}), scattered), "epoch").layout == self.CONTRACT
        assert recommend((trial(self.CONTRACT, {"epoch": 2.1}), scattered), "epoch").layout == self.SMALLER

    def test_format_and_level_are_written_down(self) -> None:
        other = Layout(1024, 4000, zarr_format=2, clevel=6)
        taken = recommend((trial(self.CONTRACT, {"epoch": 2.0}), trial(other, {"epoch": 1.0})), "epoch")
        assert taken.config == "[store]\nclevel = 6\nzarr_format = 2"

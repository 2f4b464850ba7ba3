"""The build plan: exact rows, duplicates, agreement, arrays, chunks, files and memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.config import Config, DatasetOptions, StoreOptions
from spectral_zarr.contract.chunks import ChunkShape
from spectral_zarr.errors import ConfigError, MixedDataset
from spectral_zarr.plan import predict_files, promise_memory

from .conftest import Planning, lattice, linear


class TestRows:
    @given(st.lists(st.lists(st.sampled_from("abcdefghijkl"), max_size=6), min_size=1, max_size=6))
    def test_batches_are_contiguous_and_duplicates_leave_no_hole(self, batches: list[list[str]]) -> None:
        planning = Planning()
        for ids in batches:
            planning.add(ids)
        every = [name for ids in batches for name in ids]
        if not every:
            return
        plan = planning.finish()
        row = 0
        for number, (ids, batch) in enumerate(zip(batches, plan.batches, strict=True)):
            assert (batch.batch, batch.first_row, batch.n_staged) == (number, row, len(ids))
            row += batch.n_rows
        assert plan.n_spec == row == len(set(every))
        assert len(planning.planner.rejections) == len(every) - plan.n_spec

    @given(st.integers(1, 5000), st.just(0) | st.integers(30, 700))
    def test_row_blocks_partition_the_rows(self, n_spec: int, rows: int) -> None:
        planning = Planning(Config(store=StoreOptions(chunk_rows=rows)))
        planning.add([f"s{i}" for i in range(n_spec)], grids=[linear(4000, 0.1, 9000)] * n_spec)
        plan = planning.finish()
        covered = [row for block in range(plan.n_blocks) for row in plan.block_rows(block)]
        assert covered == list(range(n_spec))
        assert all(len(plan.block_rows(block)) == plan.chunk_rows for block in range(plan.n_blocks - 1))
        assert len(plan.block_rows(plan.n_blocks - 1)) >= 1

    @given(st.integers(30, 5000), st.integers(1, 29))
    def test_row_blocks_of_tiny_chunks_are_refused(self, n_spec: int, rows: int) -> None:
        planning = Planning(Config(store=StoreOptions(chunk_rows=rows)))
        planning.add([f"s{i}" for i in range(n_spec)], grids=[linear(4000, 0.1, 9000)] * n_spec)
        with pytest.raises(ConfigError, match="tiny"):
            planning.finish()


class TestDuplicates:
    def test_the_first_is_kept_and_both_paths_are_named(self, planning: Planning) -> None:
        planning.add(["x", "y"], files=["a/x.fits", "a/y.fits"])
        planning.add(["z", "x"], files=["b/z.fits", "b/x.fits"], source_hdu=[1, 3], source_row=[0, 5])
        plan = planning.finish()
        (rejection,) = planning.planner.rejections
        assert (rejection.code, rejection.name, rejection.hdu, rejection.row) == ("duplicate-spec-id", "b/x.fits", 3, 5)
        assert "a/x.fits" in rejection.reason
        assert "'x'" in rejection.reason
        assert plan.n_spec == 3
        assert [batch.excluded for batch in plan.batches] == [(), (1,)]

    def test_within_one_batch(self, planning: Planning) -> None:
        planning.add(["x", "x", "x"], files=["1.fits", "2.fits", "3.fits"])
        assert planning.finish().batches[0].excluded == (1, 2)
        assert [r.name for r in planning.planner.rejections] == ["2.fits", "3.fits"]

    def test_do_not_decide_anything(self, planning: Planning) -> None:
        planning.add(["x"])
        planning.add(["x"], flux_unit="ct", grids=[linear(4000, 0.1, 7)], has_continuum=True, reader="other@1")
        plan = planning.finish()
        assert (plan.flux_unit, plan.wavelength.kind, plan.readers) == ("adu", "identical", ("r@1",))
        assert "continuum/continuum_model" not in plan.arrays


class TestAgreement:
    @pytest.mark.parametrize("field", ["flux_unit", "wavelength_medium", "velocity_frame"])
    def test_spectra_that_disagree_are_refused_with_their_files(self, planning: Planning, field: str) -> None:
        planning.add(["x", "y", "z"], **{field: ["one", "one", "two"]})
        with pytest.raises(MixedDataset) as caught:
            planning.finish()
        message = caught.value.message
        assert "'one' in 2 (x.fits, y.fits)" in message
        assert "'two' in 1 (z.fits)" in message

    def test_no_more_than_three_files_are_named(self, planning: Planning) -> None:
        planning.add([f"s{i}" for i in range(9)], flux_unit=["adu"] * 8 + ["ct"])
        with pytest.raises(MixedDataset, match=r"'adu' in 8 \(s0.fits, s1.fits, s2.fits, ...\); 'ct' in 1 \(s8.fits\)"):
            planning.finish()

    def test_mixed_frames_are_allowed_on_request(self) -> None:
        planning = Planning(Config(dataset=DatasetOptions(allow_mixed_frame=True)))
        planning.add(["x", "y"], velocity_frame=["rest", "topocentric"])
        assert planning.finish().n_spec == 2

    def test_the_most_frequent_unit_text_is_recorded(self, planning: Planning) -> None:
        planning.add(["x", "y", "z"], flux_unit_original=["ADU", "adu", "adu"])
        assert planning.finish().flux_unit_original == "adu"


class TestContents:
    def test_arrays_are_those_with_data(self, planning: Planning) -> None:
        planning.add(["x", "y"], has_uncertainty=False, has_normalized=[False, True])
        assert planning.finish().arrays == (
            "signal/flux_raw",
            "representations/normalized_flux",
            "representations/normalized_uncertainty",
        )

    def test_a_ragged_wavelength_is_an_array_as_long_as_the_longest(self, planning: Planning) -> None:
        planning.add(["x", "y"], grids=[linear(4000, 0.1, 70), linear(4000, 0.1, 90)])
        plan = planning.finish()
        assert (plan.wavelength.kind, plan.n_pix) == ("ragged", 90)
        assert plan.arrays[-1] == "signal/wavelength"

    def test_a_lattice_is_as_long_as_its_union(self, planning: Planning) -> None:
        planning.add(["x", "y"], grids=[lattice(35500, 100), lattice(35520, 100)])
        assert planning.finish().n_pix == 120

    def test_header_and_params_are_united_over_batches(self, planning: Planning) -> None:
        planning.add(["x"], header=[(0, "OBJECT", 1)], params=["teff"])
        planning.add(["y"], header=[(0, "OBJECT", 1), (0, "AIRMASS", 1)], params=["feh"])
        plan = planning.finish()
        assert dict(plan.header) == {(0, "AIRMASS", 1): "h0_airmass", (0, "OBJECT", 1): "h0_object"}
        assert plan.params == ("feh", "teff")

    def test_chunks_of_the_configuration_are_clipped_to_the_array(self) -> None:
        planning = Planning(Config(store=StoreOptions(chunk_rows=7, chunk_columns=10**6)))
        planning.add(["x", "y"])
        plan = planning.finish()
        assert (plan.chunk_rows, plan.chunk_columns) == (2, 100)


SIZES = st.integers(1, 10**7)


class TestPromises:
    @given(st.integers(1, 1024), st.integers(1, 8192), st.integers(1, 10**6), st.booleans(), SIZES, SIZES, SIZES)
    def test_memory_grows_with_every_input(
        self,
        rows: int,
        columns: int,
        n_pix: int,
        ragged: bool,
        largest_file: int,
        largest_batch: int,
        column_bytes: int,
    ) -> None:
        chunk = ChunkShape(rows, min(columns, n_pix))
        sizes = {"largest_file": largest_file, "largest_batch": largest_batch, "column_bytes": column_bytes}
        promise = promise_memory(chunk, n_pix, ragged_wavelength=ragged, **sizes)
        assert promise.fill >= chunk.nbytes(8 if ragged else 4)
        assert promise.stage >= largest_file
        assert promise.finalise >= column_bytes
        assert promise.worker > max(promise.stage, promise.fill, promise.finalise)
        for name in sizes:
            more = promise_memory(chunk, n_pix, ragged_wavelength=ragged, **{**sizes, name: 2 * sizes[name]})
            assert (more.stage, more.fill, more.finalise) >= (promise.stage, promise.fill, promise.finalise)
            assert more.stage + more.finalise > promise.stage + promise.finalise
        assert promise_memory(chunk, n_pix, ragged_wavelength=True, **sizes).fill >= promise.fill

    @given(
        st.integers(1, 10**6), st.integers(1, 10**5), st.integers(1, 7), st.integers(0, 300), st.sampled_from([2, 3])
    )
    def test_files_grow_with_every_input(
        self, n_spec: int, n_pix: int, filled: int, columns: int, format_: int
    ) -> None:
        def files(spectra: int = n_spec, more: int = 0) -> int:
            return predict_files(
                ChunkShape(256, 4096),
                spectra,
                n_pix,
                cubes=7,
                filled=filled,
                columns=columns + more,
                grids=1,
                zarr_format=format_,
            )

        assert files(2 * n_spec) >= files()
        assert files(more=1) > files()
        assert files() >= filled * -(-n_spec // 256) * -(-n_pix // 4096) + columns + 1

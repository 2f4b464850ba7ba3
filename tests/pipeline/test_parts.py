"""The phases alone, in parts: the same bytes as a serial ingest, whatever the order, and what is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, load_config
from spectral_zarr.cluster import fill_part, finalise_parts, plan_parts
from spectral_zarr.cluster.provenance import package_version
from spectral_zarr.errors import (
    BadTarget,
    ContractViolation,
    PartsMissing,
    ResumeRefused,
    StagingBusy,
    TargetExists,
    TooManyRejections,
)
from spectral_zarr.model import Part
from spectral_zarr.store.abort import abort_build
from spectral_zarr.store.calls import hooked
from spectral_zarr.store.claim import current_claim, own_claim, record
from spectral_zarr.store.request import request_facts
from spectral_zarr.testing import store_digest
from spectral_zarr.testing.faults import Step

from .parts_scene import (
    N_BLOCKS,
    Parts,
    _epoch,
    parts,
    source,
)

__all__ = ["_epoch", "parts", "source"]


class TestBytes:
    @pytest.mark.parametrize("of", [1, 3, 16])
    def test_any_number_of_parts_gives_the_serial_store(self, parts: Parts, of: int) -> None:
        parts.run(of)
        parts.assert_published()

    def test_parts_may_run_in_any_order_and_twice_and_nothing_is_parsed_twice(self, parts: Parts) -> None:
        generator = random.Random(7)
        for phase, then in ((parts.stage, parts.plan), (parts.fill, parts.finalise)):
            twice = [1, 2, 3, 1, 2, 3]
            generator.shuffle(twice)
            known: dict[str, int] = {}
            for number in twice:
                phase(number)
                found = parts.proofs()
                assert {name: found[name] for name in known} == known
                known = found
            if then == parts.plan:
                then()
        parts.finalise()
        parts.assert_published()

    def test_another_number_of_parts_finds_what_is_staged(self, parts: Parts) -> None:
        parts.stage(1, 2)
        known = parts.proofs()
        for number in (1, 2, 3):
            parts.stage(number, 3)
        assert known.items() <= parts.proofs().items()
        parts.plan()
        parts.fill(1, 1)
        parts.finalise()
        parts.assert_published()

    def test_an_existing_store_is_replaced_when_both_ends_say_so(self, parts: Parts, tmp_path: Path) -> None:
        ingest(IngestRequest((str(parts.files),), str(parts.target), limit=3), SerialExecutor())
        old = store_digest(parts.target)
        with pytest.raises(TargetExists, match="--replace"):
            parts.stage(1, 1)
        parts.stage(1, 1, replace=True)
        parts.plan()
        parts.fill(1, 1)
        with pytest.raises(TargetExists, match="--replace"):
            parts.finalise()
        assert store_digest(parts.target) == old
        parts.finalise(replacing=True)
        parts.assert_published()

    def test_finalise_again_says_the_same_and_writes_nothing(self, parts: Parts) -> None:
        parts.run(1)
        before = parts.target.stat().st_ino
        parts.finalise()
        assert parts.target.stat().st_ino == before
        parts.assert_published()

    def test_a_store_that_fails_its_check_is_planned_and_filled_again(self, parts: Parts) -> None:
        parts.stage(1, 1)
        parts.plan()
        parts.fill(1, 1)
        next(parts.paths.tmp.glob("signal/flux_raw/c.*")).write_bytes(b"")
        with pytest.raises(ContractViolation):
            parts.finalise()
        for early in (parts.finalise, lambda: parts.fill(1, 1)):
            with pytest.raises(PartsMissing, match="run plan, then all parts of fill"):
                early()
        parts.plan()
        parts.fill(1, 1)
        parts.finalise()
        parts.assert_published()


class TestRefusals:
    def test_a_phase_waits_for_all_parts_of_the_one_before_and_names_those_that_are_missing(self, parts: Parts) -> None:
        for early in (parts.plan, lambda: parts.fill(1), parts.finalise):
            with pytest.raises(PartsMissing, match="begin with stage"):
                early()
        parts.stage(2)
        with pytest.raises(PartsMissing, match=r"run stage --part 1/3, 3/3$") as caught:
            parts.plan()
        assert caught.value.exit_code == 5
        for early in (lambda: parts.fill(1), parts.finalise):
            with pytest.raises(PartsMissing, match="run plan"):
                early()
        parts.stage(1)
        parts.stage(3)
        parts.plan()
        with pytest.raises(
            PartsMissing, match=f"{N_BLOCKS} of {N_BLOCKS} row blocks are not filled; run fill --part i/n"
        ):
            parts.finalise()
        parts.fill(2)
        with pytest.raises(PartsMissing, match=r"2 of 3 row blocks are not filled; run fill --part 1/3, 3/3$"):
            parts.finalise()
        parts.fill(1)
        parts.fill(3)
        parts.finalise()
        parts.assert_published()

    def test_a_part_with_another_request_is_told_what_differs(self, parts: Parts, tmp_path: Path) -> None:
        parts.stage(1)
        with pytest.raises(ResumeRefused, match=r"sources: 150 files of \d+ bytes before, 7 files"):
            parts.stage(2, limit=7)
        config = load_config(parts.config)
        with pytest.raises(ResumeRefused, match=r"build.min_valid_share 0.02 before, 0.5 now"):
            parts.stage(2, config=replace(config, build=replace(config.build, min_valid_share=0.5)))
        claim = current_claim(parts.paths)
        assert claim is not None
        record(parts.paths, replace(claim, request=replace(claim.request, version="0.0.1")))
        with pytest.raises(ResumeRefused, match=f"version 0.0.1 before, {package_version()} now"):
            parts.stage(2)
        with pytest.raises(ResumeRefused, match=r"version 0\.0\.1 before"):
            parts.plan()

    def test_an_ingest_is_refused_or_takes_all_over(self, parts: Parts) -> None:
        parts.stage(1)
        parts.stage(3)
        known = parts.proofs()
        with pytest.raises(StagingBusy, match="a build in 3 parts lies here; go on with stage"):
            ingest(parts.request, SerialExecutor())
        parts.stage(2)
        assert known.items() <= parts.proofs().items()
        parts.plan()
        parts.fill(2)
        known = parts.proofs()
        steps: list[Step] = []
        with hooked(steps.append):
            ingest(replace(parts.request, resume=True), SerialExecutor())
        assert steps.count(Step.FILLED) == N_BLOCKS
        found = parts.proofs()
        assert {name: found.get(name) for name in known if "block" in name} == {
            name: inode for name, inode in known.items() if "block" in name
        }
        assert store_digest(parts.target) == parts.serial

    def test_parts_do_not_join_an_ingest(self, parts: Parts) -> None:
        def stop(step: Step) -> None:
            if step is Step.STAGED:
                raise KeyboardInterrupt

        with hooked(stop), pytest.raises(Exception, match="--resume"):
            ingest(parts.request, SerialExecutor())
        with pytest.raises(StagingBusy, match="continue with ingest --resume"):
            parts.stage(1)
        with pytest.raises(StagingBusy, match="continue with ingest --resume"):
            parts.plan()

    def test_abort_gives_the_build_up(self, parts: Parts, tmp_path: Path) -> None:
        parts.stage(1)
        assert abort_build(parts.paths, own_claim(request_facts((), None, "")))
        assert list(tmp_path.iterdir()) == []
        parts.run(1)
        parts.assert_published()

    def test_rejections_are_counted_when_all_is_staged(self, parts: Parts, tmp_path: Path) -> None:
        files = tmp_path / "files"
        files.mkdir()
        for path in sorted(parts.files.iterdir())[:40]:
            (files / path.name).symlink_to(path)
        (files / "text.fits").write_text("no")
        parts.files = files
        for number in (1, 2):
            parts.stage(number, 2)
        with pytest.raises(TooManyRejections, match=r"text\.fits: not-fits .* adding --max-rejected 1$"):
            parts.plan()
        found = plan_parts(str(parts.target), Tolerance.parse("1"))
        assert [rejection.name for rejection in found.rejections] == ["text.fits"]
        parts.fill(1, 1)
        outcome = finalise_parts(str(parts.target), workers=1)
        assert (outcome.plan.n_spec, len(outcome.rejections)) == (40, 1)

    def test_a_target_that_is_no_store_name(self, parts: Parts) -> None:
        with pytest.raises(BadTarget):
            fill_part("x.zip", Part(1, 1))

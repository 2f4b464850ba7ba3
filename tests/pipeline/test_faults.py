"""A fault loses nothing: the target stays absent, the error is coded, and the same command finishes the work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import zarr

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.cluster import phases as driver
from spectral_zarr.errors import ContractViolation, DiskFull, Interrupted, StagingBusy
from spectral_zarr.model import ChunkReceipt
from spectral_zarr.store.abort import abort_build
from spectral_zarr.store.claim import own_claim
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.request import request_facts
from spectral_zarr.testing import differing_files, write_samples

from .conftest import Build


def abort(target: Path) -> bool:
    return abort_build(BuildPaths.of(target), own_claim(request_facts((), None, "")))


class TestDiskFull:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of its own that can be filled."""
        mount = tmp_path / "disk"
        mount.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mount)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small file system is not permitted here")
        yield mount
        subprocess.run(["umount", str(mount)], check=True)

    def test_a_full_disk_is_named_and_the_build_goes_on_when_there_is_space(
        self, small_disk: Path, tmp_path: Path, build: Build, fixed_clock: None
    ) -> None:
        files = tmp_path / "files"
        files.mkdir()
        write_samples(files, "sdss-spec", 80)
        with pytest.raises(DiskFull, match="--resume"):
            build(files, small_disk / "x.zarr")
        assert not (small_disk / "x.zarr").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        build(files, small_disk / "x.zarr", resume=True)
        build(files, tmp_path / "undisturbed.zarr")
        assert differing_files(small_disk / "x.zarr", tmp_path / "undisturbed.zarr") == []


class TestDamage:
    @pytest.mark.parametrize("array", ["signal/flux_raw", "signal/uncertainty_raw", "metadata/spec_id"])
    @pytest.mark.parametrize("damage", ["flipped", "truncated", "removed"])
    def test_a_damaged_chunk_is_found_before_publishing_and_the_store_is_deleted(
        self, array: str, damage: str, sdss_files: Path, tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = driver.write_columns

        def write_and_damage(target: str, plan_sha256: str, documents: tuple[ChunkReceipt, ...]) -> object:
            receipt = real(target, plan_sha256, documents)
            chunk = min(path for path in (BuildPaths.of(target).tmp / array).iterdir() if path.name.startswith("c."))
            payload = bytearray(chunk.read_bytes())
            if damage == "removed":
                chunk.unlink()
            else:
                payload[len(payload) // 2] ^= 1
                chunk.write_bytes(payload if damage == "flipped" else payload[:-9])
            return receipt

        monkeypatch.setattr(driver, "write_columns", write_and_damage)
        with pytest.raises(ContractViolation, match=r"Q-0[26]") as caught:
            build(sdss_files, tmp_path / "x.zarr")
        assert caught.value.exit_code == 4
        assert not (tmp_path / "x.zarr").exists()
        assert not (tmp_path / "x.zarr.tmp").exists()
        assert (tmp_path / "x.zarr.build" / "report.json").exists()
        monkeypatch.undo()
        assert build(sdss_files, tmp_path / "x.zarr", resume=True).plan.n_spec == 12


class TestOwners:
    def test_a_build_of_a_living_process_is_left_alone(self, sdss_files: Path, tmp_path: Path, build: Build) -> None:
        program = (
            "import sys, time; from spectral_zarr.store.claim import *; from spectral_zarr.store.paths import *;"
            "from spectral_zarr.store.request import *;"
            "take_claim(BuildPaths.of(sys.argv[1]), own_claim(request_facts((), None, 'v')), resume=False);"
            "print('claimed', flush=True); sys.stdin.read()"
        )
        owner = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "x.zarr")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"claimed\n"
            for resume in (False, True):
                with pytest.raises(StagingBusy, match=f"process {owner.pid}"):
                    build(sdss_files, tmp_path / "x.zarr", resume=resume)
            with pytest.raises(StagingBusy, match="stop it first"):
                abort(tmp_path / "x.zarr")
        finally:
            owner.communicate()
        assert not psutil.pid_exists(owner.pid)
        assert abort(tmp_path / "x.zarr")
        assert build(sdss_files, tmp_path / "x.zarr").plan.n_spec == 12

    def test_a_resumed_build_with_other_options_is_refused(
        self, sdss_files: Path, tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(driver, "write_columns", interrupt)
        with pytest.raises(Interrupted) as caught:
            build(sdss_files, tmp_path / "x.zarr")
        assert caught.value.exit_code == 75
        monkeypatch.undo()
        min(sdss_files.iterdir()).unlink()
        with pytest.raises(StagingBusy, match=r"sources: 12 files of .* before, 11 files of .* now"):
            build(sdss_files, tmp_path / "x.zarr", resume=True)


class TestForeignDamage:
    def test_validate_names_the_rule_that_a_blank_row_breaks(
        self, sdss_files: Path, tmp_path: Path, build: Build
    ) -> None:
        build(sdss_files, tmp_path / "x.zarr")
        flux = zarr.open_group(tmp_path / "x.zarr", mode="r+")["signal/flux_raw"]
        flux[3] = np.nan
        flux[5, :] = 0
        flux[5, 7] = np.nan
        found = {finding.rule: finding for finding in validate(tmp_path / "x.zarr").findings}
        assert found["Q-02"].rows == (3, 5)
        assert found["Q-02"].count == 2


def test_interrupting_any_phase_keeps_the_proof_of_what_was_done(sdss_files: Path, tmp_path: Path) -> None:
    class Stops(SerialExecutor):
        """Raises KeyboardInterrupt after a number of receipts."""

        left = 1

        def map(self, function, tasks):  # type: ignore[no-untyped-def]
            for task in tasks:
                yield function(task)
                self.left -= 1
                if self.left < 0:
                    raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="--resume"):
        ingest(IngestRequest((str(sdss_files),), str(tmp_path / "x.zarr")), Stops())
    request = IngestRequest((str(sdss_files),), str(tmp_path / "x.zarr"), resume=True)
    assert ingest(request, SerialExecutor()).plan.n_spec == 12

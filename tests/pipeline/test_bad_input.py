"""Bad input gets a coded error or rejection, and the good spectra keep their rows and labels."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from astropy.io import fits

from spectral_zarr.errors import (
    BadTarget,
    MixedDataset,
    NoSources,
    NothingAccepted,
    StagingBusy,
    TargetExists,
    TooManyRejections,
    UsageError,
)
from spectral_zarr.testing import differing_files, write_samples

from .conftest import Build


def blank_flux(path: Path, value: float) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus[1].data["flux"][:] = value


def rejected_codes(target: Path) -> dict[str, str]:
    table = pq.read_table(target.with_name(target.name + ".build") / "rejections.parquet").to_pydict()
    return dict(zip(table["source_file"], table["code"], strict=True))


class TestRejections:
    @pytest.fixture
    def damaged(self, sdss_files: Path) -> tuple[Path, dict[str, str]]:
        """Twelve files of which seven are bad, each in its own way."""
        paths = sorted(sdss_files.iterdir())
        paths[0].write_bytes(b"")
        paths[2].write_text("this is a log file, not a spectrum\n" * 200)
        paths[3].write_bytes(paths[3].read_bytes()[:-40_000])
        blank_flux(paths[5], np.nan)
        blank_flux(paths[6], 0.0)
        with fits.open(paths[8], mode="update") as hdus:
            hdus[1].data["flux"][::7] = 1e21
        shutil.copy(paths[9], sdss_files / "zz-copy.fits")
        expected = {
            paths[0].name: "empty-file",
            paths[2].name: "not-fits",
            paths[3].name: "truncated",
            paths[5].name: "all-nan",
            paths[6].name: "all-zero",
            paths[8].name: "finite-garbage",
            "zz-copy.fits": "duplicate-spec-id",
        }
        return sdss_files, expected

    def test_each_has_its_code_and_the_others_are_published_without_holes(
        self, damaged: tuple[Path, dict[str, str]], tmp_path: Path, build: Build
    ) -> None:
        files, expected = damaged
        outcome = build(files, tmp_path / "some.zarr", max_rejected="7")
        assert rejected_codes(tmp_path / "some.zarr") == expected
        store = zarr.open_group(tmp_path / "some.zarr", mode="r")
        good = sorted(path.name for path in files.iterdir() if path.name not in expected)
        assert store["metadata/source_file"][:].tolist() == good
        assert outcome.plan.n_spec + len(outcome.rejections) == 13
        for row, name in enumerate(good):
            flux = fits.getdata(files / name, 1)["flux"]
            offset = int(store["metadata/pix_offset"][row])
            np.testing.assert_array_equal(store["signal/flux_raw"][row, offset : offset + flux.size], flux)

    def test_the_published_bytes_do_not_depend_on_the_rejected_files(
        self, damaged: tuple[Path, dict[str, str]], tmp_path: Path, build: Build, fixed_clock: None
    ) -> None:
        files, expected = damaged
        build(files, tmp_path / "some.zarr", max_rejected="7")
        for name in expected:
            (files / name).unlink()
        build(files, tmp_path / "clean.zarr")
        # The root document counts the rejections and names the plan; everything else is the same.
        assert differing_files(tmp_path / "some.zarr", tmp_path / "clean.zarr") == ["zarr.json"]

    def test_by_default_one_rejection_stops_the_ingest_and_says_which(
        self, damaged: tuple[Path, dict[str, str]], tmp_path: Path, build: Build
    ) -> None:
        with pytest.raises(TooManyRejections, match=r"7 of 13.*empty-file") as caught:
            build(damaged[0], tmp_path / "some.zarr")
        assert caught.value.exit_code == 3
        assert not (tmp_path / "some.zarr").exists()
        assert len(rejected_codes(tmp_path / "some.zarr")) == 7

    def test_a_stopped_ingest_goes_on_with_a_larger_tolerance_and_parses_nothing_again(
        self, damaged: tuple[Path, dict[str, str]], tmp_path: Path, build: Build
    ) -> None:
        with pytest.raises(TooManyRejections):
            build(damaged[0], tmp_path / "some.zarr")
        staged = tmp_path / "some.zarr.build" / "staged" / "000000.pixels.arrow"
        identity = staged.stat().st_ino
        with pytest.raises(StagingBusy, match="--resume"):
            build(damaged[0], tmp_path / "some.zarr", max_rejected="60%")
        assert staged.stat().st_ino == identity
        outcome = build(damaged[0], tmp_path / "some.zarr", max_rejected="60%", resume=True)
        assert outcome.plan.n_spec == 6

    def test_after_a_stop_the_bad_files_may_be_left_out(
        self, damaged: tuple[Path, dict[str, str]], tmp_path: Path, build: Build
    ) -> None:
        files, expected = damaged
        with pytest.raises(TooManyRejections):
            build(files, tmp_path / "some.zarr")
        for name in expected:
            (files / name).unlink()
        assert build(files, tmp_path / "some.zarr", resume=True).plan.n_spec == 6

    def test_when_nothing_is_accepted_nothing_is_published(self, tmp_path: Path, build: Build) -> None:
        (tmp_path / "one.fits").write_bytes(b"")
        with pytest.raises(NothingAccepted, match="empty-file"):
            build(tmp_path / "one.fits", tmp_path / "none.zarr", max_rejected="100%")
        assert not (tmp_path / "none.zarr").exists()

    def test_a_fifo_and_an_unreadable_file_do_not_stop_the_others(
        self, sdss_files: Path, tmp_path: Path, build: Build
    ) -> None:
        os.mkfifo(sdss_files / "aa-fifo.fits")
        (sdss_files / "ab-dangling.fits").symlink_to(tmp_path / "nowhere")
        (sdss_files / "ac-directory.fits").mkdir()
        outcome = build(sdss_files, tmp_path / "some.zarr", max_rejected="2")
        assert outcome.plan.n_spec == 12
        assert set(rejected_codes(tmp_path / "some.zarr").values()) == {"unreadable"}


class TestSources:
    def test_no_files(self, tmp_path: Path, build: Build) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(NoSources, match="no spectra"):
            build(tmp_path / "empty", tmp_path / "x.zarr")

    def test_a_missing_directory(self, tmp_path: Path, build: Build) -> None:
        with pytest.raises(NoSources, match="no such file"):
            build(tmp_path / "missing", tmp_path / "x.zarr")

    def test_one_file_named_twice_by_a_hard_link(self, sdss_files: Path, tmp_path: Path, build: Build) -> None:
        first = min(sdss_files.iterdir())
        os.link(first, sdss_files / "zz-link.fits")
        with pytest.raises(UsageError, match=first.name):
            build(sdss_files, tmp_path / "x.zarr")

    def test_a_list_names_files_directories_and_patterns(self, sdss_files: Path, tmp_path: Path, build: Build) -> None:
        names = sorted(sdss_files.iterdir())
        listing = tmp_path / "list.txt"
        listing.write_text(f"# two files\n{names[0]}\n{sdss_files}/{names[1].name[:-5]}*\n\n")
        assert build(Path(f"@{listing}"), tmp_path / "x.zarr").plan.n_spec == 2

    def test_nothing_is_left_behind_by_a_usage_error(self, tmp_path: Path, build: Build) -> None:
        with pytest.raises(NoSources):
            build(tmp_path / "missing", tmp_path / "x.zarr")
        assert list(tmp_path.iterdir()) == []


class TestTargets:
    def test_a_name_without_zarr(self, sdss_files: Path, tmp_path: Path, build: Build) -> None:
        with pytest.raises(BadTarget, match=r"\.zarr"):
            build(sdss_files, tmp_path / "store")

    def test_a_missing_parent(self, sdss_files: Path, tmp_path: Path, build: Build) -> None:
        with pytest.raises(BadTarget, match="create it first"):
            build(sdss_files, tmp_path / "missing" / "x.zarr")

    @pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
    def test_an_existing_target_is_never_touched(
        self, kind: str, sdss_files: Path, tmp_path: Path, build: Build
    ) -> None:
        target = tmp_path / "x.zarr"
        if kind == "directory":
            target.mkdir()
        elif kind == "file":
            target.write_text("mine")
        else:
            target.symlink_to(tmp_path / "nowhere")
        with pytest.raises(TargetExists):
            build(sdss_files, target)
        assert target.is_symlink() or target.exists()
        assert not (tmp_path / "x.zarr.tmp").exists()

    def test_a_foreign_directory_with_the_name_of_the_claim_is_kept(
        self, sdss_files: Path, tmp_path: Path, build: Build
    ) -> None:
        (tmp_path / "x.zarr.tmp").mkdir()
        (tmp_path / "x.zarr.tmp" / "precious").write_text("mine")
        with pytest.raises(StagingBusy, match="not made by this tool"):
            build(sdss_files, tmp_path / "x.zarr")
        assert (tmp_path / "x.zarr.tmp" / "precious").read_text() == "mine"


class TestMixtures:
    def test_two_products_are_refused_with_their_files(self, sdss_files: Path, tmp_path: Path, build: Build) -> None:
        write_samples(sdss_files, "harps-adp", 1, n_pix=3000)
        with pytest.raises(MixedDataset, match=r"'vacuum' in 12 .*'air' in 1 \(ADP"):
            build(sdss_files, tmp_path / "x.zarr")
        assert not (tmp_path / "x.zarr").exists()


class TestNumbersThatStandForMissing:
    @pytest.mark.parametrize("value", ["999999.0", "-99999.0", "1E20", "-9999.99"])
    def test_they_are_nan_in_the_store_and_break_no_rule(self, tmp_path: Path, build: Build, value: str) -> None:
        (path,) = write_samples(tmp_path / "files", "sdss-spec", 1, n_pix=256)
        raw = path.read_bytes()
        for keyword in (b"EXPTIME", b"PLUG_DEC", b"PLUG_RA", b"AIRMASS"):
            at = next((i for i in range(0, len(raw), 80) if raw[i : i + 10] == keyword.ljust(8) + b"= "), None)
            if at is not None:
                raw = raw[: at + 10] + value.rjust(20).ljust(70).encode() + raw[at + 80 :]
        path.write_bytes(raw)
        build(tmp_path / "files", tmp_path / "out.zarr")
        store = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
        for name in ("exptime", "dec", "ra", "airmass"):
            assert np.isnan(store[f"metadata/{name}"][0]), name

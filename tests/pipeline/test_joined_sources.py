"""Files that are one spectrum together: complete, lacking an arm, with a damaged arm, and only alike by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, load_config, validate
from spectral_zarr.cli import run as run_command
from spectral_zarr.cluster.local import local_executor
from spectral_zarr.errors import TooManyRejections
from spectral_zarr.testing import differing_files
from tests.readers.galah_files import release_3

COMPLETE, SHORT, FIRST_BAD, LATER_BAD, ALIKE, ALIKE_BAD = (f"17041800370100{n}" for n in range(1, 7))


def single(path: Path, level: float) -> None:
    """A spectrum of another instrument, in the unit, medium and frame of GALAH, so that both fit one store."""
    hdu = fits.PrimaryHDU(np.linspace(level, level + 1, 50, dtype="f4"))
    cards = {"CTYPE1": "AWAV", "CUNIT1": "Angstrom", "CRVAL1": 6000.0, "CDELT1": 0.5, "CRPIX1": 1.0, "BUNIT": "counts"}
    hdu.header.update({**cards, "SPECSYS": "BARYCENT"})
    hdu.writeto(path)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Six groups of files that are alike by name, of which four are stars of GALAH."""
    directory = tmp_path / "night"
    directory.mkdir()
    for star, ccds in ((COMPLETE, (1, 2, 3, 4)), (SHORT, (1, 3, 4)), (FIRST_BAD, (1, 2, 3, 4)), (LATER_BAD, (1, 2, 4))):
        for ccd in ccds:
            release_3(directory, ccd, star=star, n_pix=60)
    for star in (ALIKE, ALIKE_BAD):
        for ccd in (1, 2, 4):
            single(directory / f"{star}{ccd}.fits", 100.0 * ccd)
    for name in (f"{FIRST_BAD}1", f"{LATER_BAD}2", f"{ALIKE_BAD}1"):
        path = directory / f"{name}.fits"
        path.write_bytes(path.read_bytes()[:2000])
    return directory


REJECTED = [f"{FIRST_BAD}{ccd}.fits" for ccd in (1, 2, 3, 4)] + [f"{LATER_BAD}{ccd}.fits" for ccd in (1, 2, 4)]
REJECTED += [f"{ALIKE_BAD}1.fits"]
SOURCES = [f"{COMPLETE}1", f"{SHORT}1", f"{ALIKE}1", f"{ALIKE}2", f"{ALIKE}4", f"{ALIKE_BAD}2", f"{ALIKE_BAD}4"]


def request(night: Path, target: Path, *, rejected: str = "8", files: int = 0, resume: bool = False) -> IngestRequest:
    toml = target.parent / f"{target.stem}.toml"
    toml.write_text(f"[build]\nbatch_files = {files or 2048}\n")
    return IngestRequest((str(night),), str(target), load_config(toml), Tolerance.parse(rejected), resume=resume)


class TestRows:
    @pytest.fixture
    def store(self, night: Path, tmp_path: Path) -> zarr.Group:
        ingest(request(night, tmp_path / "x.zarr"), SerialExecutor())
        assert validate(tmp_path / "x.zarr").valid
        return zarr.open_group(tmp_path / "x.zarr", mode="r")

    def test_a_star_is_one_row_and_files_that_are_only_alike_are_one_row_each(self, store: zarr.Group) -> None:
        assert store["metadata/source_file"][:].tolist() == [f"{name}.fits" for name in SOURCES]
        assert store["metadata/spec_id"][:].tolist() == [COMPLETE, SHORT, *SOURCES[2:]]
        companions = ["|".join(f"{COMPLETE}{ccd}.fits" for ccd in (2, 3, 4)), f"{SHORT}3.fits|{SHORT}4.fits"]
        assert store["metadata/source_companions"][:].tolist() == [*companions, *[""] * 5]
        assert store["metadata/arm_merge"][:].tolist() == ["concatenated"] * 2 + [""] * 5

    def test_every_arm_is_there_and_nothing_stands_in_for_a_missing_one(self, store: zarr.Group, night: Path) -> None:
        for row, (star, ccds) in enumerate(((COMPLETE, (1, 2, 3, 4)), (SHORT, (1, 3, 4)))):
            files = [night / f"{star}{ccd}.fits" for ccd in ccds]
            flux = np.concatenate([fits.getdata(path) for path in files])
            relative = np.concatenate([fits.getdata(path, 1) for path in files])
            axes = [(h["CRVAL1"] + h["CDELT1"] * np.arange(60)) for h in map(fits.getheader, files)]
            np.testing.assert_array_equal(store["signal/flux_raw"][row, : flux.size], flux)
            np.testing.assert_allclose(store["signal/wavelength"][row, : flux.size], np.concatenate(axes), rtol=1e-15)
            sigma = np.where(relative > 0, relative.astype("f8") * flux, np.nan).astype("f4")
            np.testing.assert_array_equal(store["signal/uncertainty_raw"][row, : flux.size], sigma)
            assert np.isnan(store["signal/flux_raw"][row, flux.size :]).all()

    def test_files_that_are_only_alike_keep_their_own_pixels(self, store: zarr.Group, night: Path) -> None:
        for row, name in enumerate(SOURCES[2:], start=2):
            np.testing.assert_array_equal(store["signal/flux_raw"][row, :50], fits.getdata(night / f"{name}.fits"))


class TestRejections:
    def test_a_damaged_arm_takes_its_star_along_and_is_the_one_that_is_blamed(
        self, night: Path, tmp_path: Path
    ) -> None:
        outcome = ingest(request(night, tmp_path / "x.zarr"), SerialExecutor())
        reasons = {rejection.name: rejection.reason for rejection in outcome.rejections}
        assert sorted(reasons) == sorted(REJECTED)
        assert {rejection.code for rejection in outcome.rejections} == {"truncated"}
        blamed = {f"{FIRST_BAD}1.fits": FIRST_BAD, f"{LATER_BAD}2.fits": LATER_BAD, f"{ALIKE_BAD}1.fits": ALIKE_BAD}
        for name, reason in reasons.items():
            if name in blamed:
                assert "one spectrum with" not in reason
            else:
                (damaged,) = (bad for bad, star in blamed.items() if name.startswith(star))
                assert f"one spectrum with {damaged}" in reason

    def test_files_that_are_only_alike_do_not_fall_with_a_damaged_one(self, night: Path, tmp_path: Path) -> None:
        for path in night.iterdir():
            if not path.name.startswith(ALIKE_BAD):
                path.unlink()
        outcome = ingest(request(night, tmp_path / "x.zarr", rejected="1"), SerialExecutor())
        assert (outcome.plan.n_spec, [one.name for one in outcome.rejections]) == (2, [f"{ALIKE_BAD}1.fits"])

    def test_a_star_without_any_readable_arm_is_rejected_file_by_file(self, night: Path, tmp_path: Path) -> None:
        for ccd in (1, 3, 4):
            (night / f"{SHORT}{ccd}.fits").write_bytes(b"")
        outcome = ingest(request(night, tmp_path / "x.zarr", rejected="11"), SerialExecutor())
        empty = [one.name for one in outcome.rejections if one.code == "empty-file"]
        assert sorted(empty) == [f"{SHORT}{ccd}.fits" for ccd in (1, 3, 4)]

    def test_a_star_whose_flux_is_zero_is_rejected_once_and_the_others_go_on(self, night: Path, tmp_path: Path) -> None:
        for ccd in (1, 3, 4):
            with fits.open(night / f"{SHORT}{ccd}.fits", mode="update") as hdus:
                hdus[0].data[:] = 0
        outcome = ingest(request(night, tmp_path / "x.zarr", rejected="9"), SerialExecutor())
        assert [one.name for one in outcome.rejections if one.code == "all-zero"] == [f"{SHORT}1.fits"]
        assert outcome.plan.n_spec == 6


class TestWholeBuilds:
    def test_two_workers_and_any_batches_give_the_same_bytes_and_rejections(
        self, night: Path, tmp_path: Path, fixed_clock: None
    ) -> None:
        serial = ingest(request(night, tmp_path / "serial.zarr", files=3), SerialExecutor())
        with local_executor(2) as executor:
            parallel = ingest(request(night, tmp_path / "two.zarr", files=3), executor)
        assert parallel.rejections == serial.rejections
        assert differing_files(tmp_path / "serial.zarr", tmp_path / "two.zarr") == []
        ingest(request(night, tmp_path / "whole.zarr"), SerialExecutor())
        # The root document names the plan, in which the batches are.
        assert differing_files(tmp_path / "serial.zarr", tmp_path / "whole.zarr") == ["zarr.json"]

    def test_a_stopped_build_resumes_without_parsing_again(self, night: Path, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        with pytest.raises(TooManyRejections, match="8 of 15"):
            ingest(request(night, target, rejected="7"), SerialExecutor())
        table = pq.read_table(tmp_path / "x.zarr.build" / "rejections.parquet").to_pydict()
        assert sorted(table["source_file"]) == sorted(REJECTED)
        staged = tmp_path / "x.zarr.build" / "staged" / "000000.pixels.arrow"
        identity = staged.stat().st_ino
        with pytest.raises(TooManyRejections):
            ingest(request(night, target, rejected="7", resume=True), SerialExecutor())
        assert staged.stat().st_ino == identity
        assert ingest(request(night, target, resume=True), SerialExecutor()).plan.n_spec == 7

    def test_a_repaired_arm_is_read_when_the_build_resumes(self, night: Path, tmp_path: Path) -> None:
        target = tmp_path / "x.zarr"
        with pytest.raises(TooManyRejections):
            ingest(request(night, target, rejected="4"), SerialExecutor())
        (night / f"{LATER_BAD}2.fits").unlink()
        release_3(night, 2, star=LATER_BAD, n_pix=60)
        assert ingest(request(night, target, rejected="5", resume=True), SerialExecutor()).plan.n_spec == 8

    def test_the_lists_of_an_inspection_name_every_arm_and_can_be_ingested(self, night: Path, tmp_path: Path) -> None:
        assert run_command(["inspect", str(night), "--cluster", "serial", "--lists", str(tmp_path / "lists")]) == 0
        (listing,) = (path for path in (tmp_path / "lists").iterdir() if "galah" in path.name)
        arms = [f"{COMPLETE}{ccd}.fits" for ccd in (1, 2, 3, 4)] + [f"{SHORT}{ccd}.fits" for ccd in (1, 3, 4)]
        named = [Path(line).name for line in listing.read_text().splitlines() if not line.startswith("#")]
        assert sorted(named) == sorted(arms)
        outcome = ingest(IngestRequest((f"@{listing}",), str(tmp_path / "x.zarr")), SerialExecutor())
        assert outcome.plan.n_spec == 2

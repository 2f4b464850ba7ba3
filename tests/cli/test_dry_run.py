"""``ingest --dry-run``: the plan agrees with the store that is built, and nothing is written."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


class TestDryRun:
    def test_nothing_is_written(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        result = run("ingest", spectra, "out.zarr", "--dry-run", "--cluster", "serial")
        assert result.code == 0
        assert "nothing was written" in result.out
        assert list(tmp_path.iterdir()) == []

    def test_the_plan_is_what_the_ingest_does(self, run: Run, spectra: Path) -> None:
        plan = run("ingest", spectra, "out.zarr", "--dry-run", "--cluster", "serial", "--json").json
        made = run("ingest", spectra, "out.zarr", "--cluster", "serial", "--json").json
        for name in ("rows", "n_pix", "wavelength", "medium", "flux_unit", "store_files", "source_bytes"):
            assert plan[name] == made[name]

    def test_bytes_are_those_of_the_arrays(self, run: Run, spectra: Path) -> None:
        plan = run("ingest", spectra, "out.zarr", "--dry-run", "--cluster", "serial", "--json").json
        arrays = {entry["array"]: entry for entry in plan["arrays"]}
        assert arrays["signal/flux_raw"]["bytes"] == 12 * 256 * 4
        assert arrays["signal/wavelength"]["bytes"] == 256 * 8
        assert not arrays["continuum/continuum_model"]["holds_data"]
        assert plan["memory_per_worker"] > 1 << 28
        assert plan["free_bytes"] > 0

    def test_every_fact_of_the_plan_is_in_the_text(self, run: Run, spectra: Path) -> None:
        out = run("ingest", spectra, "out.zarr", "--dry-run", "--cluster", "serial").out
        for words in ("12 from 12 files", "every spectrum has the same grid", "12 rows by 256 pixels", "1 to stage"):
            assert words in out
        for words in ("for each worker", "free", "signal/flux_raw", "12 x 256", "float32", "no data, no files"):
            assert words in out

    def test_too_many_rejections_are_shown_and_give_code_3(self, run: Run, files: Path) -> None:
        (files / "text.fits").write_text("no")
        result = run("ingest", files, "out.zarr", "--dry-run", "--cluster", "serial")
        assert result.code == 3
        assert "text.fits" in result.out
        assert "1 of 4 would be rejected" in result.error
        assert run("ingest", files, "out.zarr", "-n", "--cluster", "serial", "--max-rejected", 1).code == 0

    def test_a_target_that_exists_gives_code_5(self, run: Run, spectra: Path, published: Path) -> None:
        result = run("ingest", spectra, published, "--dry-run", "--cluster", "serial")
        assert result.code == 5
        assert "nothing was written" in result.out

    def test_a_plan_is_refused_exactly_where_the_ingest_is(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        assert run("ingest", spectra, "mine.zarr", "--cluster", "serial").code == 0
        stranger = tmp_path / "other.zarr.build" / "mydata.txt"
        stranger.parent.mkdir()
        stranger.write_text("precious")
        for target, options, code in (
            ("mine.zarr", (), 5),
            ("mine.zarr", ("--replace",), 0),
            ("other.zarr", (), 5),
            ("other.zarr", ("--replace", "--resume"), 5),
        ):
            answers = [run("ingest", spectra, target, "--cluster", "serial", *options, *how) for how in (["-n"], [])]
            assert [answer.code for answer in answers] == [code, code]
            if code:
                assert answers[0].error == answers[1].error
        assert stranger.read_text() == "precious"

    def test_a_refusal_comes_before_what_is_wrong_with_the_sources(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "text.fits").write_text("no")
        (tmp_path / "out.zarr").mkdir()
        answers = [run("ingest", "text.fits", "out.zarr", "--cluster", "serial", *how) for how in (["-n"], [])]
        assert [answer.code for answer in answers] == [5, 5]
        assert answers[0].error == answers[1].error

    def test_only_bad_files_give_code_3(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "text.fits").write_text("no")
        result = run("ingest", "text.fits", "out.zarr", "--dry-run", "--cluster", "serial")
        assert (result.code, result.error.split(":")[0]) == (3, "error nothing-accepted")

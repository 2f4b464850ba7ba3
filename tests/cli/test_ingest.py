"""``spectral-zarr ingest``: summary, options, refusals and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
import zarr

from tests.cli.conftest import Run


class TestPublishing:
    def test_the_summary_names_rows_sizes_and_path(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        result = run("ingest", spectra, "stars.zarr", "--cluster", "serial")
        assert result.code == 0
        assert (tmp_path / "stars.zarr" / "index.parquet").exists()
        for words in ("published  stars.zarr", "12, each 256 pixels", "one common grid", "in 12 files"):
            assert words in result.out
        assert str(tmp_path / "stars.zarr") in result.out

    def test_progress_goes_to_standard_error_as_plain_lines(self, run: Run, spectra: Path) -> None:
        result = run("ingest", spectra, "stars.zarr", "--cluster", "serial")
        assert "stage: 12 files" in result.err
        assert "validate: done in" in result.err
        assert "stage:" not in result.out

    def test_quiet_prints_nothing_where_nothing_is_wrong(self, run: Run, spectra: Path) -> None:
        result = run("ingest", spectra, "stars.zarr", "--cluster", "serial", "--quiet")
        assert (result.code, result.err, result.out) == (0, "", "")

    def test_quiet_tells_rejections_in_one_line(self, run: Run, files: Path) -> None:
        (files / "text.fits").write_text("no")
        options = ("--cluster", "serial", "--quiet", "--max-rejected", 1)
        result = run("ingest", files, "stars.zarr", *options)
        assert (result.code, result.out) == (0, "")
        (line,) = result.err.splitlines()
        assert line.startswith("rejected: 1 (1 not-fits), listed in ")
        assert line.endswith("stars.zarr.build/rejections.parquet")

    def test_json_is_one_document(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        found = run("ingest", spectra, "stars.zarr", "--cluster", "serial", "--json").json
        assert found["rows"] == 12
        assert found["path"] == str(tmp_path / "stars.zarr")
        assert found["rejected"] == 0
        assert found["store_bytes"] > 0

    def test_several_sources_patterns_and_lists(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        names = sorted(path.name for path in spectra.iterdir())
        (tmp_path / "list.txt").write_text(f"{spectra / names[3]}\n{spectra / names[4]}\n")
        sources = (spectra / names[0], spectra / f"{names[1][:-6]}*", "@list.txt")
        found = run("ingest", *sources, "some.zarr", "--cluster", "serial", "--json").json
        assert found["source_files"] >= 4

    def test_limit_takes_the_first_files(self, run: Run, spectra: Path) -> None:
        assert run("ingest", spectra, "few.zarr", "--limit", 5, "--cluster", "serial", "--json").json["rows"] == 5

    def test_the_format_option_wins_over_the_configuration(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        (tmp_path / "c.toml").write_text("[store]\nzarr_format = 3\n")
        arguments = ("--config", "c.toml", "--zarr-format", 2, "--cluster", "serial")
        assert run("ingest", spectra, "two.zarr", *arguments).code == 0
        assert zarr.open_group(tmp_path / "two.zarr", mode="r").metadata.zarr_format == 2

    def test_a_local_cluster_gives_the_same_rows(self, run: Run, spectra: Path) -> None:
        found = run("ingest", spectra, "stars.zarr", "--cluster", "local", "--workers", 1, "--json")
        assert found.json["rows"] == 12
        assert "starting workers" in found.err


class TestRejections:
    @pytest.fixture
    def damaged(self, files: Path) -> Path:
        (files / "text.fits").write_text("not FITS at all")
        (files / "empty.fits").write_bytes(b"")
        sound = next(files.glob("star*")).read_bytes()
        (files / "short.fits").write_bytes(sound[: len(sound) // 2])
        return files

    def test_one_bad_file_stops_the_ingest_with_code_3(self, run: Run, damaged: Path, tmp_path: Path) -> None:
        result = run("ingest", damaged, "out.zarr", "--cluster", "serial")
        assert result.code == 3
        assert result.error.startswith("error too-many-rejections: ")
        assert "3 of 6 rejected" in result.error
        assert "--max-rejected 3" in result.error
        assert not (tmp_path / "out.zarr").exists()

    @pytest.mark.parametrize("tolerance", ["3", "50%", "100%"])
    def test_accepted_rejections_are_listed_by_code(self, run: Run, damaged: Path, tolerance: str) -> None:
        result = run("ingest", damaged, "out.zarr", "--cluster", "serial", "--max-rejected", tolerance)
        assert result.code == 0
        for code in ("not-fits", "empty-file", "truncated"):
            assert f"1 {code}" in result.out
        assert "rejections.parquet" in result.out

    @pytest.mark.parametrize("tolerance", ["2", "49%"])
    def test_one_rejection_too_many(self, run: Run, damaged: Path, tolerance: str) -> None:
        assert run("ingest", damaged, "out.zarr", "--cluster", "serial", "--max-rejected", tolerance).code == 3

    @pytest.mark.parametrize("tolerance", ["-1", "many", "101%", "1.5", ""])
    def test_a_tolerance_that_is_no_number_is_a_usage_error(self, run: Run, spectra: Path, tolerance: str) -> None:
        result = run("ingest", spectra, "out.zarr", "--cluster", "serial", f"--max-rejected={tolerance}")
        assert result.code == 2
        assert "--max-rejected takes" in result.error

    def test_the_same_command_with_resume_and_tolerance_publishes(self, run: Run, damaged: Path) -> None:
        assert run("ingest", damaged, "out.zarr", "--cluster", "serial").code == 3
        again = ("ingest", damaged, "out.zarr", "--cluster", "serial", "--max-rejected", "3")
        assert run(*again).code == 5
        assert run(*again, "--resume").code == 0


class TestRefusals:
    def test_no_files(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "nothing").mkdir()
        result = run("ingest", "nothing", "out.zarr", "--cluster", "serial")
        assert (result.code, result.error.split(":")[0]) == (2, "error no-sources")

    @pytest.mark.parametrize("source", ["missing", "missing/*.fits", "@missing.txt"])
    def test_sources_that_do_not_exist(self, run: Run, source: str) -> None:
        result = run("ingest", source, "out.zarr")
        assert (result.code, result.error.split(":")[0]) == (2, "error no-sources")
        assert "starting workers" not in result.err

    @pytest.mark.parametrize("target", ["out", "out.zarr.tmp", ".zarr", "missing/out.zarr"])
    def test_names_that_cannot_be_a_store(self, run: Run, spectra: Path, target: str) -> None:
        result = run("ingest", spectra, target, "--cluster", "serial")
        assert (result.code, result.error.split(":")[0]) == (2, "error bad-target")

    def test_one_path_alone(self, run: Run, spectra: Path) -> None:
        result = run("ingest", spectra)
        assert result.code == 2
        assert "sources first" in result.error

    def test_a_target_that_exists(self, run: Run, spectra: Path, published: Path) -> None:
        result = run("ingest", spectra, published, "--cluster", "serial")
        assert (result.code, result.error.split(":")[0]) == (5, "error target-exists")

    def test_an_unknown_reader_in_the_configuration(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        (tmp_path / "c.toml").write_text('[readers]\nonly = ["sdss-spek"]\n')
        result = run("ingest", spectra, "out.zarr", "--config", "c.toml", "--cluster", "serial")
        assert (result.code, result.error.split(":")[0]) == (2, "error config")
        assert "sdss-spek" in result.error

    @pytest.mark.parametrize("text", ["[store]\nzarr_fromat = 2\n", "[store]\nzarr_format = 4\n", "[store\n"])
    def test_a_wrong_configuration_is_refused_with_its_path(
        self, run: Run, spectra: Path, tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "c.toml").write_text(text)
        result = run("ingest", spectra, "out.zarr", "--config", "c.toml", "--cluster", "serial")
        assert (result.code, result.error.split(":")[0]) == (2, "error config")
        assert "c.toml" in result.error
        assert not (tmp_path / "out.zarr.build").exists()

    def test_a_missing_configuration(self, run: Run, spectra: Path) -> None:
        assert run("ingest", spectra, "out.zarr", "--config", "missing.toml").code == 2

    def test_an_unknown_cluster_leaves_nothing_behind(self, run: Run, spectra: Path, tmp_path: Path) -> None:
        result = run("ingest", spectra, "out.zarr", "--cluster", "moon")
        assert result.code == 2
        assert "--cluster takes" in result.error
        assert list(tmp_path.glob("out.zarr*")) == []

    def test_a_mixture_of_products(self, run: Run, files: Path) -> None:
        from spectral_zarr.testing import write_samples

        write_samples(files / "other", "sdss-spec", 2, n_pix=256)
        result = run("ingest", files, "out.zarr", "--cluster", "serial")
        assert (result.code, result.error.split(":")[0]) == (4, "error mixed-dataset")

    @pytest.mark.parametrize("option", [("--zarr-format", "4"), ("--workers", "-1"), ("--limit", "x"), ("--nonsense",)])
    def test_options_that_typer_refuses_look_like_every_error(
        self, run: Run, spectra: Path, option: tuple[str, ...]
    ) -> None:
        result = run("ingest", spectra, "out.zarr", *option)
        assert result.code == 2
        assert result.error.startswith("error usage: ")
        assert "ingest --help" in result.error

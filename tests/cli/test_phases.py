"""``stage``, ``plan``, ``fill`` and ``finalise`` on the command line: options, output and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectral_zarr.errors import PartsMissing
from tests.cli.conftest import Run


def test_the_phases_publish_what_ingest_publishes(run: Run, files: Path) -> None:
    for part in ("1/2", "2/2"):
        assert run("stage", files, "out.zarr", "--part", part).code == 0
    planned = run("plan", "out.zarr", "--json").json
    assert (planned["rows"], planned["blocks"], planned["rejections"]) == (3, 1, {})
    assert "1 of 1, 3 rows" in run("fill", "out.zarr", "--part", "1/1").out
    result = run("finalise", "out.zarr", "--workers", "1")
    assert result.code == 0
    assert "published" in result.out
    assert "spectra per second" not in result.out, "the phases before are not counted"
    again = run("finalise", "out.zarr", "--json").json
    assert (again["rows"], again["source_files"]) == (3, 3)


def test_quiet_phases_print_nothing(run: Run, files: Path) -> None:
    for command in (("stage", files), ("plan",), ("fill",), ("finalise",)):
        part = ("--part", "1/1") if command[0] in ("stage", "fill") else ()
        result = run(*command, "out.zarr", *part, "--quiet")
        assert (result.code, result.out, result.err) == (0, "", "")


def test_the_json_of_the_parts(run: Run, files: Path) -> None:
    (files / "text.fits").write_text("no")
    staged = run("stage", files, "out.zarr", "--part", "1/1", "--quiet", "--json").json
    assert (staged["part"], staged["files"], staged["spectra"]) == ("1/1", 4, 3)
    assert list(staged["rejections"]) == ["not-fits"]
    refused = run("plan", "out.zarr")
    assert (refused.code, "--max-rejected 1" in refused.error) == (3, True)
    assert run("plan", "out.zarr", "--max-rejected", "1").code == 0
    filled = run("fill", "out.zarr", "--part", "2/2", "--json").json
    assert filled == {"part": "2/2", "blocks": 1, "of_blocks": 1, "rows": 3}


def test_all_options_of_the_plan_are_given_to_stage(run: Run, files: Path) -> None:
    assert run("stage", files, "out.zarr", "--part", "1/1", "--limit", "2", "--zarr-format", "2").code == 0
    assert run("plan", "out.zarr", "--json").json["rows"] == 2
    assert run("fill", "out.zarr", "--part", "1/1").code == 0
    assert run("finalise", "out.zarr", "--workers", "1").code == 0
    assert Path("out.zarr/.zgroup").exists()


@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_part_that_cannot_be(run: Run, files: Path, part: str) -> None:
    result = run("stage", files, "out.zarr", f"--part={part}")
    assert result.code == 2
    assert "such as 2/16" in result.error
    assert not Path("out.zarr.build").exists()


def test_a_part_must_be_named(run: Run, files: Path) -> None:
    assert run("stage", files, "out.zarr").code == 2
    assert run("fill", "out.zarr").code == 2


def test_missing_parts_have_an_exit_code(run: Run, files: Path) -> None:
    assert run("plan", "out.zarr").code == PartsMissing.exit_code == 5
    assert run("stage", files, "out.zarr", "--part", "1/1").code == 0
    result = run("finalise", "out.zarr")
    assert (result.code, "run plan" in result.error) == (5, True)
    assert run("abort", "out.zarr").code == 0


@pytest.mark.parametrize("command", ["stage", "plan", "fill", "finalise"])
def test_the_help_says_which_phase_it_is(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.code == 0
    assert "of 4)" in result.out

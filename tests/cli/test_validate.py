"""``spectral-zarr validate``: verdicts, findings, rules and exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.cli.conftest import Run


@pytest.fixture
def broken(published: Path, tmp_path: Path) -> Path:
    """A store with a row of zeros and one unit missing."""
    target = tmp_path / "broken.zarr"
    shutil.copytree(published, target)
    store = zarr.open_group(target, mode="r+", use_consolidated=False)
    store["signal/flux_raw"][3] = np.zeros(256, "f4")
    return target


class TestValidate:
    def test_a_published_store_is_valid(self, run: Run, published: Path) -> None:
        result = run("validate", published)
        assert result.code == 0
        assert result.out.strip().startswith("valid ")
        assert "12 spectra of 256 pixels" in result.out

    def test_a_broken_row_is_found_and_named(self, run: Run, broken: Path) -> None:
        result = run("validate", broken)
        assert result.code == 4
        assert "not valid" in result.out
        assert "Q-02" in result.out
        assert "signal/flux_raw" in result.out

    def test_json_gives_every_finding(self, run: Run, broken: Path, published: Path) -> None:
        result = run("validate", broken, published, "--json")
        assert result.code == 4
        first, second = result.json
        assert (first["valid"], second["valid"]) == (False, True)
        finding = next(finding for finding in first["findings"] if finding["rule"] == "Q-02")
        assert (finding["rows"], finding["count"], finding["severity"]) == ([3], 1, "error")

    def test_an_unexpected_number_of_spectra(self, run: Run, published: Path) -> None:
        assert run("validate", published, "--expected-nspec", 12).code == 0
        result = run("validate", published, "--expected-nspec", 13)
        assert result.code == 4
        assert "Q-01" in result.out

    def test_strict_fails_on_our_own_rules(self, run: Run, published: Path, tmp_path: Path) -> None:
        target = tmp_path / "odd.zarr"
        shutil.copytree(published, target)
        (target / "notes.txt").write_text("hello")
        assert run("validate", target).code == 0
        assert run("validate", target, "--strict").code == 4

    @pytest.mark.parametrize("name", ["missing.zarr", "file.zarr", "empty.zarr"])
    def test_what_is_no_store_gives_code_2(self, run: Run, tmp_path: Path, name: str) -> None:
        (tmp_path / "file.zarr").write_text("no")
        (tmp_path / "empty.zarr").mkdir()
        result = run("validate", name)
        assert result.code == 2
        assert name in result.error

    def test_the_others_are_checked_when_one_is_no_store(self, run: Run, published: Path, broken: Path) -> None:
        result = run("validate", "missing.zarr", published)
        assert result.code == 2
        assert "valid " in result.out
        assert run("validate", "missing.zarr", broken).code == 4

    def test_rules_are_listed_without_a_store(self, run: Run) -> None:
        from spectral_zarr.contract.rules import RULES

        result = run("validate", "--rules")
        assert result.code == 0
        assert all(name in result.out for name in RULES)
        listed = run("validate", "--rules", "--json").json
        assert {rule["id"] for rule in listed} == set(RULES)

    def test_nothing_to_validate(self, run: Run) -> None:
        assert run("validate").code == 2

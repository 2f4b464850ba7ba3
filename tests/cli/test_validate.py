"""``spectral-zarr validate``: verdicts, findings, rules and exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
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


@pytest.fixture
def changed(published: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the published store, without its receipts, with other attributes of the root or of an array."""

    def change(array: str = "", **attributes: object) -> Path:
        target = tmp_path / f"changed-{len(list(tmp_path.iterdir()))}.zarr"
        shutil.copytree(published, target)
        root = json.loads((target / "zarr.json").read_text())
        del root["consolidated_metadata"]
        (target / "zarr.json").write_text(json.dumps(root))
        path = target / array / "zarr.json"
        document = json.loads(path.read_text())
        document["attributes"].update(attributes)
        path.write_text(json.dumps(document))
        return target

    return change


class TestDeep:
    def test_a_store_is_what_its_receipts_say(self, run: Run, published: Path) -> None:
        result = run("validate", published, "--deep", "--strict")
        assert result.code == 0
        assert "Q-06" not in result.out

    def test_without_receipts_the_report_says_what_cannot_be_found(self, run: Run, published: Path) -> None:
        assert "damage that still decodes is not found without --deep" in run("validate", published).out

    def test_missing_receipts_give_code_2_and_the_others_are_checked(
        self, run: Run, published: Path, broken: Path
    ) -> None:
        result = run("validate", broken, published, "--deep")
        assert result.code == 2
        assert "there are no receipts in broken.zarr.build" in result.error
        assert result.out.strip().startswith("valid ")

    def test_damage_that_still_decodes_is_found(self, run: Run, published: Path, tmp_path: Path) -> None:
        target = tmp_path / published.name
        shutil.copytree(published, target)
        shutil.copytree(published.with_name("stars.zarr.build"), target.with_name("stars.zarr.build"))
        chunk = target / "signal" / "flux_raw" / "c.0.0"
        flux = zarr.open_group(target, mode="r+", use_consolidated=False)["signal/flux_raw"]
        flux[3, 5] = flux[3, 5] * 1.25
        assert run("validate", target).code == 0
        result = run("validate", target, "--deep")
        assert result.code == 4
        assert f"{chunk.relative_to(target)}: the file is not what was written" in result.out


class TestVersions:
    def test_a_newer_minor_version_is_accepted_for_reading_only(self, run: Run, changed: Callable[..., Path]) -> None:
        store = changed(schema_version="2.1")
        result = run("validate", store)
        assert result.code == 4
        assert "newer minor version" in result.out
        assert run("validate", store, "--reading").code == 0

    @pytest.mark.parametrize("options", [(), ("--reading",)])
    def test_another_major_version_is_refused_and_nothing_else_is_said(
        self, run: Run, changed: Callable[..., Path], options: tuple[str, ...]
    ) -> None:
        result = run("validate", changed(schema_version="3.0"), *options)
        assert result.code == 4
        assert "'3.0' is another layout; readers of 2.0 refuse it" in result.out
        assert "no row was checked" in result.out
        assert "1 error" in result.out

    def test_unknown_fields_are_information(self, run: Run, changed: Callable[..., Path]) -> None:
        store = changed(telescope="VLT", version_of_tomorrow={"a": 1})
        root = zarr.open_group(store, mode="r+")
        root.create_array("quality/mask", shape=(12, 256), chunks=(1, 7), dtype="u2")[:] = 1
        root.create_array("signal/sky", shape=(12, 256), chunks=(12, 256), dtype="f8")
        future = json.loads((store / "signal/sky/zarr.json").read_text())
        future["chunk_grid"] = {"name": "rectilinear", "configuration": {}}
        (store / "signal/sky/zarr.json").write_text(json.dumps(future))
        result = run("validate", store, "--json", "--strict")
        assert result.code == 0
        (verdict,) = result.json
        unknown = {f["where"]: f["severity"] for f in verdict["findings"] if f["rule"] == "E-01"}
        assert unknown == {"quality": "info", "signal/sky": "info", "root": "info"}


class TestReport:
    def test_what_a_store_says_reaches_the_terminal_as_escapes(self, run: Run, changed: Callable[..., Path]) -> None:
        escape = "\x1b]0;owned\x07\x1b[2J\u202e\r\n"
        store = changed(git_commit=escape, **{f"key{escape}": 1})
        (store / f"file{escape.strip()}").write_text("x")
        (store / "metadata" / f"group{escape.strip()}").mkdir()
        result = run("validate", store)
        assert not set("\x1b\x07\u202e\r") & set(result.out + result.err)
        assert "\\x1b]0;owned\\x07" in result.out
        where = {finding["where"] for finding in run("validate", store, "--json").json[0]["findings"]}
        assert f"file{escape.strip()}" in where

    def test_a_text_of_a_megabyte_does_not_fill_the_report(self, run: Run, changed: Callable[..., Path]) -> None:
        store = changed(schema_version="9" * 10**6)
        assert len(run("validate", store).out) < 20_000
        store = changed("signal/flux_raw", units="erg" * 10**6)
        assert len(run("validate", store).out) < 20_000

    def test_the_worst_comes_first_with_its_rows_and_remedy(self, run: Run, broken: Path) -> None:
        from spectral_zarr.contract.rules import RULES

        (broken / "notes.txt").write_text("x")
        out = run("validate", broken).out
        assert out.index("Q-02") < out.index("L-04") < out.index("Q-06")
        assert "signal/flux_raw: rows without a measurement (1 row: 3)" in out
        assert f"-> {RULES['Q-02'].remedy}" in out
        assert "1 error, 1 warning" in out

    def test_json_has_everything_of_a_verdict(self, run: Run, published: Path) -> None:
        (verdict,) = run("validate", published, "--json").json
        assert verdict.keys() == {
            *("store", "valid", "n_spec", "n_pix", "scanned", "decoded_bytes", "seconds", "findings"),
        }
        assert (verdict["n_spec"], verdict["n_pix"], verdict["scanned"]) == (12, 256, True)
        assert verdict["decoded_bytes"] == 12 * 256 * 4
        (finding,) = verdict["findings"]
        assert finding.keys() == {"rule", "severity", "where", "count", "rows", "message", "remedy"}

    def test_several_stores_give_one_code(self, run: Run, published: Path, broken: Path) -> None:
        result = run("validate", published, broken, published)
        assert result.code == 4
        assert result.out.count("12 spectra of 256 pixels") == 3
        assert run("validate", published, published).code == 0

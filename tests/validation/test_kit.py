"""The tests that other pipelines inherit: a good writer passes, a bad one is told the rule, the rows and the remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spectral_zarr.contract.rules import RULES
from spectral_zarr.testing import ContractTests
from spectral_zarr.testing.contract_tests import CHECKED

pytest_plugins = ["pytester"]

GOOD = """
import numpy as np
from spectral_zarr.testing import ContractTests
from tests.validation.good_stores import observed, write

class TestMyWriter(ContractTests):
    def write_store(self, directory):
        assert list(directory.iterdir()) == []
        return write(directory / "sample.zarr", observed(30))
"""

EXPECTED = """
    def expected(self):
        return {"metadata/source_type": np.array(["observed"] * 30, dtype=object), "params/teff": %s}
"""

BAD = """
import zarr
from spectral_zarr.testing import ContractTests
from tests.validation.good_stores import observed, write

class TestMyWriter(ContractTests):
    %s
    def write_store(self, directory):
        store = write(directory / "sample.zarr", observed(30))
        root = zarr.open_group(str(store), mode="r+", use_consolidated=False)
        %s
        return store
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Run a test module of another pipeline."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])

    def tests(module: str) -> pytest.RunResult:
        pytester.makepyfile(module)
        return pytester.runpytest_inprocess(
            "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "error::pytest.PytestWarning"
        )

    return tests


def test_a_good_writer_passes_every_rule(run) -> None:  # type: ignore[no-untyped-def]
    run(GOOD).assert_outcomes(passed=len(CHECKED) + 1)


def test_values_are_compared_with_those_of_the_source(run) -> None:  # type: ignore[no-untyped-def]
    run(GOOD + EXPECTED % "np.zeros(30)").assert_outcomes(passed=len(CHECKED), failed=1)


def test_a_bad_writer_fails_by_rule_with_rows_and_remedy(run) -> None:  # type: ignore[no-untyped-def]
    fault = 'root["signal/flux_raw"][4] = 0; root["signal/flux_raw"][17] = 0'
    result = run(BAD % ("", fault))
    result.assert_outcomes(passed=len(CHECKED), failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_rule_is_kept?Q-02?*",
            f"*Q-02 {RULES['Q-02'].clause}*",
            "*signal/flux_raw: rows without a measurement, rows (4, 17)*",
            f"*{RULES['Q-02'].remedy}*",
        ]
    )


@pytest.mark.parametrize(("strict", "failed"), [("", 1), ("strict = False", 0)])
def test_strictness_can_be_switched_off(run, strict: str, failed: int) -> None:  # type: ignore[no-untyped-def]
    fault = '(store / "notes.txt").write_text("x")'
    run(BAD % (strict, fault)).assert_outcomes(passed=len(CHECKED) + 1 - failed, failed=failed)


def test_a_writer_that_is_not_written_says_so(run) -> None:  # type: ignore[no-untyped-def]
    result = run("from spectral_zarr.testing import ContractTests\nclass TestMine(ContractTests): pass\n")
    result.assert_outcomes(errors=len(CHECKED) + 1)
    result.stdout.fnmatch_lines(["*NotImplementedError: say how your pipeline writes a store*"])


def test_every_rule_that_has_checks_is_a_test() -> None:
    assert {rule.id for rule in RULES.values() if not rule.same_as} == set(CHECKED)
    assert ContractTests.strict


def test_nothing_but_pytest_is_needed() -> None:
    program = """
import importlib.abc, sys
class Refuses(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("hypothesis", "mypy", "ruff", "importlinter", "polars"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuses())
from spectral_zarr.testing import ContractTests
import pytest
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_the_rest_of_the_kit_needs_no_pytest() -> None:
    program = """
import importlib.abc, sys
class Refuses(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("pytest", "_pytest"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuses())
from spectral_zarr.testing import PRODUCTS, differing_files, store_digest, write_samples
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)

"""Tests that another pipeline inherits to check that its own writer keeps the data contract."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr

from spectral_zarr.cluster import Verdict, validate
from spectral_zarr.contract import Finding, Severity
from spectral_zarr.contract.rules import RULES

CHECKED = tuple(sorted(rule.id for rule in RULES.values() if not rule.same_as))


class ContractTests:
    """Inherit from this class in a test module and say how a store is written.

    Examples
    --------
    >>> class TestMyWriter(ContractTests):
    ...     def write_store(self, directory):
    ...         return my_pipeline.convert("tests/data", directory / "sample.zarr")

    Attributes
    ----------
    strict : bool
        Whether rules where the contract is silent must be kept as well.
    """

    strict: ClassVar[bool] = True

    def write_store(self, directory: Path) -> Path:
        """Write a store below an empty directory and return its path."""
        raise NotImplementedError("say how your pipeline writes a store")

    def expected(self) -> Mapping[str, Any]:
        """Values that arrays of the store must have, by path such as ``signal/flux_raw``; NaN equals NaN."""
        return {}

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The store, written once."""
        return cls().write_store(tmp_path_factory.mktemp("store"))

    @pytest.fixture(scope="class")
    @classmethod
    def verdict(cls, store: Path) -> Verdict:
        """What the validator says of it."""
        return validate(store, strict=cls.strict)

    @pytest.mark.parametrize("rule", CHECKED)
    def test_rule_is_kept(self, verdict: Verdict, rule: str) -> None:
        """No finding of this rule is an error."""
        broken = [f for f in verdict.findings if f.rule == rule and f.severity is Severity.ERROR]
        assert not broken, _explained(rule, broken)

    def test_values_are_those_of_the_source(self, store: Path) -> None:
        """The arrays hold what `expected` says."""
        root = zarr.open_group(str(store), mode="r")
        for path, wanted in self.expected().items():
            found: Any = root[path]
            np.testing.assert_array_equal(np.asarray(found[...]), np.asarray(wanted), err_msg=path)


def _explained(rule: str, findings: list[Finding]) -> str:
    lines = [f"{rule} {RULES[rule].clause}"]
    lines += [f"  {f.where}: {f.message}{f', rows {f.rows}' if f.rows else ''}" for f in findings]
    return "\n".join([*lines, f"  {RULES[rule].remedy}"])

"""The table of faults names only tests that exist, and every file of fault tests is in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TABLE = (TESTS / "FAULTS.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TABLE)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_table_names_exists(file: str, name: str) -> None:
    tree = ast.parse((TESTS / file).read_text())
    found = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert name in found


def test_every_file_of_fault_tests_is_in_the_table() -> None:
    files = {path.relative_to(TESTS).as_posix() for path in TESTS.glob("pipeline/test_fault*.py")}
    assert files <= {file for file, _ in NAMED}


def test_every_row_of_the_table_has_a_test() -> None:
    rows = [line for line in TABLE.splitlines() if re.match(r"\| [A-Z]\d", line)]
    assert len(rows) > 20
    assert all(re.search(r"`[\w/]+\.py::\w+`", row) for row in rows)

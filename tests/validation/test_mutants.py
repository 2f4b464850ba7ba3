"""Every rule that a store can show has a mutant on disk, which is caught by exactly its rule."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from spectral_zarr import Config, IngestRequest, SerialExecutor, ingest
from spectral_zarr.contract.findings import Finding
from spectral_zarr.contract.rules import SYMPTOMS
from spectral_zarr.contract.rules.registry import GATHERED_CHECKS, STRUCTURE_CHECKS
from spectral_zarr.testing import write_samples

from . import mutants_columns, mutants_layout, mutants_storage, mutants_values
from .conftest import Judge
from .good_stores import write
from .mutants import BASES, Mutant

MUTANTS: list[Mutant] = [
    *(*mutants_layout.TREE, *mutants_layout.SHAPES, *mutants_layout.PROVENANCE, *mutants_layout.HEADERS),
    *(*mutants_values.FLUXES, *mutants_values.WAVELENGTHS, *mutants_values.CONTINUA, *mutants_values.UNITS),
    *(*mutants_columns.PARAMETERS, *mutants_columns.METADATA, *mutants_columns.INDICES),
    *(*mutants_storage.CHUNKS, *mutants_storage.CODECS, *mutants_storage.BYTES),
]
ALL = [*MUTANTS, *mutants_storage.RECEIPTS]

EXEMPT = {"Z-03/killed", "Q-06/unchecked"}
"""What no good store can be damaged to show reliably, and what is no fault."""


@dataclass(frozen=True)
class Base:
    """A good store, with what the validator says of it by default and when strict."""

    store: Path
    findings: tuple[tuple[Finding, ...], tuple[Finding, ...]]


@pytest.fixture(scope="session")
def bases() -> dict[str, Base]:
    """The good stores that have been written so far."""
    return {}


@pytest.fixture
def base(mutant: Mutant, bases: dict[str, Base], judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The good store of a mutant."""
    if mutant.base not in bases:
        store = write(tmp_path_factory.mktemp("base") / "good.zarr", BASES[mutant.base]())
        bases[mutant.base] = Base(store, (judge(store).findings, judge(store, strict=True).findings))
    return bases[mutant.base]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_caught_by_exactly_its_rule(mutant: Mutant, base: Base, judge: Judge, tmp_path: Path) -> None:
    store = tmp_path / mutant.name
    shutil.copytree(base.store, store)
    mutant.damage(store)
    for strict in (False, True):
        found = judge(store, strict=strict, **mutant.question).findings
        _compare(mutant, [one for one in found if one not in base.findings[strict]], strict=strict)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a store that this package has written, with its receipts beside it."""
    directory = tmp_path_factory.mktemp("build")
    sources = tmp_path_factory.mktemp("sources")
    write_samples(sources, "sdss-spec", 12)
    ingest(IngestRequest((str(sources),), str(directory / "mutant.zarr"), Config()), SerialExecutor())
    return directory


@pytest.mark.parametrize("mutant", mutants_storage.RECEIPTS, ids=lambda mutant: mutant.id)
def test_caught_by_its_receipt(mutant: Mutant, build: Path, judge: Judge, tmp_path: Path) -> None:
    store = tmp_path / "copy" / mutant.name
    shutil.copytree(build, store.parent)
    for strict in (False, True):
        before = judge(build / mutant.name, strict=strict, deep=True).findings
        assert "Q-06" not in {one.rule for one in before}
        if not strict:
            mutant.damage(store)
        found = judge(store, strict=strict, deep=True).findings
        _compare(mutant, [one for one in found if one not in before], strict=strict)


def _compare(mutant: Mutant, new: list[Finding], *, strict: bool) -> None:
    assert {one.rule for one in new} == {mutant.rule, *mutant.also}, _told(new)
    own = [one for one in new if one.rule == mutant.rule]
    wheres = mutant.where if isinstance(mutant.where, tuple) else (mutant.where,)
    assert sorted(one.where for one in own) == sorted(wheres), _told(own)
    for one in own:
        assert one.severity is mutant.severities[strict], _told(own)
        assert one.rows == mutant.rows, _told(own)
        assert one.count == (len(mutant.rows) if mutant.count is None else mutant.count), _told(own)
        assert mutant.says in one.message
        assert one.remedy


def test_every_rule_that_a_store_can_show_has_a_mutant() -> None:
    checked = {*STRUCTURE_CHECKS, *GATHERED_CHECKS, *(symptom.rule for symptom in SYMPTOMS.values())}
    assert checked == {mutant.rule for mutant in ALL}


@pytest.mark.parametrize("symptom", sorted(SYMPTOMS.keys() - EXEMPT))
def test_every_symptom_has_a_mutant(symptom: str) -> None:
    rule, message = SYMPTOMS[symptom].rule, SYMPTOMS[symptom].message
    alone = [one.rule for one in SYMPTOMS.values()].count(rule) == 1
    assert any(one.rule == rule and ((one.says and one.says in message) or (alone and one.rows)) for one in ALL)


def test_names_are_unique() -> None:
    names = [mutant.id for mutant in ALL]
    assert len(names) == len(set(names))


def _told(findings: list[Finding]) -> str:
    return "\n".join(f"{one.rule} {one.severity} {one.where} {one.rows} {one.count}: {one.message}" for one in findings)

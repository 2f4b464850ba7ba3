"""Every rule on the structure passes on a good store and is broken, alone, by its own mutants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import RowFacts, StoreFacts
from spectral_zarr.contract.findings import Severity
from spectral_zarr.contract.rules import RULES, SYMPTOMS, Level, check_rows, check_structure, checked_by, severity
from spectral_zarr.contract.rules.registry import GATHERED_CHECKS, STRUCTURE_CHECKS

from .conftest import CODEC, FLUX_UNIT, GOOD, N_SPEC, added, array, changed, column, cube, with_attributes, without
from .mutants import HIGH_RESOLUTION, MUTANTS, Mutant

SEVERITIES = {
    Level.MUST: (Severity.ERROR, Severity.ERROR),
    Level.SHOULD: (Severity.WARNING, Severity.WARNING),
    Level.HOUSE: (Severity.WARNING, Severity.ERROR),
    Level.INFO: (Severity.INFO, Severity.INFO),
}

EVERY_MUTANT = [
    pytest.param(rule, mutant, id=f"{rule}-{number}")
    for rule, mutants in MUTANTS.items()
    for number, mutant in enumerate(mutants)
]


@pytest.mark.parametrize("store", [GOOD, HIGH_RESOLUTION], ids=["500 pixels", "20,000 pixels"])
def test_a_good_store_has_no_finding_even_when_strict(store: StoreFacts) -> None:
    assert check_structure(store, strict=True) == []


def test_every_rule_on_the_structure_has_a_mutant() -> None:
    assert set(MUTANTS) == set(STRUCTURE_CHECKS)
    assert all(MUTANTS.values())


@pytest.mark.parametrize(("rule", "mutant"), EVERY_MUTANT)
def test_a_mutant_breaks_its_rule_and_no_other(rule: str, mutant: Mutant) -> None:
    findings = check_structure(mutant.facts)
    assert {finding.rule for finding in findings} - mutant.also == {rule}
    assert mutant.where in {finding.where for finding in findings if finding.rule == rule}
    assert all(finding.message and finding.remedy for finding in findings)


@pytest.mark.parametrize(("rule", "mutant"), EVERY_MUTANT)
def test_the_level_decides_the_severity(rule: str, mutant: Mutant) -> None:
    for strict, expected in zip((False, True), SEVERITIES[mutant.level], strict=True):
        findings = check_structure(mutant.facts, strict=strict)
        assert {f.severity for f in findings if (f.rule, f.where) == (rule, mutant.where)} == {expected}


@pytest.mark.parametrize("level", Level)
def test_only_must_is_an_error_and_house_when_strict(level: Level) -> None:
    assert (severity(level, strict=False), severity(level, strict=True)) == SEVERITIES[level]


def test_every_rule_says_what_it_demands_and_how_it_is_checked() -> None:
    for identifier, rule in RULES.items():
        assert rule.id == identifier
        assert rule.clause
        assert rule.remedy
        assert checked_by(rule)
    checked = STRUCTURE_CHECKS.keys() | GATHERED_CHECKS.keys() | {symptom.rule for symptom in SYMPTOMS.values()}
    kept = {rule.id for rule in RULES.values() if rule.same_as or "kept by the writer" in checked_by(rule)}
    assert checked.isdisjoint(kept)
    assert checked | kept == RULES.keys()


def test_a_rule_checked_by_another_names_one_that_is_checked() -> None:
    others = {rule.same_as for rule in RULES.values() if rule.same_as}
    assert others <= RULES.keys()
    assert {other for other in others if RULES[other].same_as} == set()
    assert "kept by the writer; a store cannot show it" not in {checked_by(RULES[o]) for o in others - {"W-01"}}


class TestGathered:
    def test_a_common_wavelength_stored_for_every_row_could_be_stored_once(self) -> None:
        (finding,) = check_rows(added(schema.WAVELENGTH, cube("float64")), good_rows(one_grid=True))
        assert (finding.rule, finding.severity, finding.where) == ("S-08", Severity.WARNING, schema.WAVELENGTH)

    def test_one_spectrum_is_not_more_than_its_grid(self) -> None:
        store = replace(GOOD, arrays={schema.FLUX: array((1, 500))})
        assert check_rows(store, RowFacts(one_grid=True)) == []

    def test_normalised_fluxes_without_a_value_are_an_error(self) -> None:
        (finding,) = check_rows(GOOD, replace(good_rows(), finite=frozenset({schema.NORMALIZED_UNCERTAINTY})))
        assert (finding.rule, finding.severity, finding.where) == ("R-01", Severity.ERROR, schema.NORMALIZED)

    def test_normalised_fluxes_that_cannot_be_read_are_not_called_empty(self) -> None:
        store = changed(schema.NORMALIZED, unreadable="the codec pickle is not decoded")
        assert check_rows(store, replace(good_rows(), finite=frozenset())) == []

    def test_sources_in_fits_have_header_fields(self) -> None:
        (finding,) = check_rows(without("metadata/h0_exptime"), good_rows(from_fits=True))
        assert (finding.rule, finding.severity, finding.where) == ("H-01", Severity.WARNING, "metadata")

    def test_rows_without_an_offence_have_no_finding(self) -> None:
        assert check_rows(GOOD, good_rows(from_fits=True), strict=True) == []
        assert check_rows(without("metadata/h0_exptime"), good_rows(), strict=True) == []


def good_rows(*, one_grid: bool = False, from_fits: bool = False) -> RowFacts:
    return RowFacts(finite=frozenset({schema.NORMALIZED}), one_grid=one_grid, from_fits=from_fits)


class TestWhatMustPass:
    def test_unknown_metadata_and_a_wavelength_grid_of_an_auxiliary_matrix(self) -> None:
        extra = {"metadata/other": column("text"), "auxiliary/lsf/wavelength": array((7, 9)), "quality/mask": cube()}
        store = replace(GOOD, arrays={**GOOD.arrays, **extra}, groups=(*GOOD.groups, "quality", "auxiliary/lsf"))
        findings = check_structure(store, strict=True)
        assert {(finding.rule, finding.severity) for finding in findings} == {("E-01", Severity.INFO)}

    def test_attributes_of_cf_that_change_no_number(self) -> None:
        harmless = {"scale_factor": 1.0, "add_offset": 0, "_FillValue": "AAAAAAAA+H8=", "missing_value": float("nan")}
        for path in (schema.FLUX, schema.WAVELENGTH):
            store = changed(path, attributes={**GOOD.arrays[path].attributes, **harmless})
            assert check_structure(store, strict=True) == []

    def test_packed_arrays_that_the_contract_does_not_name(self) -> None:
        store = replace(added("quality/snr", cube(scale_factor=0.1)), groups=(*GOOD.groups, "quality"))
        assert {finding.rule for finding in check_structure(store, strict=True)} == {"E-01"}

    def test_a_wavelength_for_every_spectrum_of_either_precision(self) -> None:
        for kind in ("float64", "float32"):
            assert check_structure(added(schema.WAVELENGTH, cube(kind, units="nm")), strict=True) == []

    def test_no_normalised_arrays_and_no_params(self) -> None:
        store = without(schema.NORMALIZED, schema.NORMALIZED_UNCERTAINTY, *(p for p in GOOD.arrays if "params/" in p))
        assert check_structure(store, strict=True) == []

    @pytest.mark.parametrize("clevel", [5, 6, 7])
    def test_levels_five_to_seven(self, clevel: int) -> None:
        assert check_structure(changed(schema.FLUX, codec=("zstd", clevel, CODEC[2])), strict=True) == []

    def test_shards_of_recommended_chunks_and_recommended_shards(self) -> None:
        for chunks, inner in (((4096, 500), (1024, 500)), ((1024, 500), (128, 500))):
            assert check_structure(changed(schema.FLUX, chunks=chunks, inner_chunks=inner), strict=True) == []

    def test_a_store_being_built(self) -> None:
        assert check_structure(replace(GOOD, name="x.zarr.tmp"), strict=True) == []

    def test_every_root_attribute_that_the_package_writes(self) -> None:
        written = dict.fromkeys(schema.ADDED_ROOT_ATTRIBUTES, ["a"] * N_SPEC)
        assert check_structure(with_attributes(**written), strict=True) == []

    @pytest.mark.parametrize("text", ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00+00:00"])
    def test_moments_in_utc(self, text: str) -> None:
        assert check_structure(with_attributes(created_at=text), strict=True) == []

    @pytest.mark.parametrize("units", ["dimensionless", "adu", "ct", "counts", "electron", "relative_flux", FLUX_UNIT])
    def test_units_that_are_no_units_of_astropy(self, units: str) -> None:
        cubes = {path: replace(GOOD.arrays[path], attributes={"units": units}) for path in schema.CUBES[:4]}
        assert check_structure(replace(GOOD, arrays={**GOOD.arrays, **cubes}), strict=True) == []

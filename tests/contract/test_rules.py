"""Every structural rule passes on a good store and is broken, alone, by its own mutant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import IndexFacts, RowFacts, StoreFacts
from spectral_zarr.contract.findings import Severity
from spectral_zarr.contract.rules import RULES, Level, check_rows, check_structure

from .conftest import CODEC, N_PIX, N_SPEC, added, array, attributes, changed, good_store, without

GOOD = good_store()
COLUMNS = GOOD.index.columns if GOOD.index else {}

MUTANTS: dict[str, list[tuple[StoreFacts, str]]] = {
    "L-01": [(replace(GOOD, groups=tuple(g for g in schema.GROUPS if g != group)), group) for group in schema.GROUPS],
    "L-02": [
        (without(schema.CONTINUUM_UNCERTAINTY), schema.CONTINUUM_UNCERTAINTY),
        (without(schema.METHOD), schema.METHOD),
        (without(schema.WAVELENGTH), schema.WAVELENGTH),
    ],
    "L-03": [(replace(GOOD, index=None), "index.parquet")],
    "L-04": [(replace(GOOD, foreign=("notes.txt",)), "notes.txt")],
    "L-05": [(replace(GOOD, name="store"), "store"), (replace(GOOD, name="a.zarr.old"), "a.zarr.old")],
    "D-01": [(changed(schema.FLUX, shape=(N_SPEC,), chunks=(N_SPEC,)), schema.FLUX)],
    "D-02": [
        (changed(schema.UNCERTAINTY, shape=(N_SPEC, N_PIX - 1)), schema.UNCERTAINTY),
        (changed(schema.NORMALIZED, shape=(N_SPEC + 1, N_PIX)), schema.NORMALIZED),
        (added("signal/extra", array((N_SPEC + 1, N_PIX))), "signal/extra"),
    ],
    "D-03": [(changed(schema.METHOD, shape=(N_SPEC - 1,), chunks=(N_SPEC,)), schema.METHOD)],
    "D-04": [
        (changed("params/teff", shape=(N_SPEC - 1,)), "params/teff"),
        (changed("metadata/snr", shape=(N_SPEC, 1), chunks=(N_SPEC, 1)), "metadata/snr"),
    ],
    "G-01": [
        (replace(GOOD, groups=(*schema.GROUPS, "signal/harps")), "signal/harps"),
        (replace(GOOD, groups=(*schema.GROUPS, "params/star1")), "params/star1"),
    ],
    "S-01": [(changed(schema.FLUX, kind=kind), schema.FLUX) for kind in ("float64", "int16", "float16")],
    "S-02": [(changed(schema.WAVELENGTH, shape=(N_PIX + 1,), chunks=(N_PIX + 1,)), schema.WAVELENGTH)],
    "S-03": [(changed(schema.WAVELENGTH, kind="float32"), schema.WAVELENGTH)],
    "C-02": [(changed(schema.METHOD, kind="int32"), schema.METHOD)],
    "R-02": [(without(schema.NORMALIZED), schema.NORMALIZED_UNCERTAINTY)],
    "P-01": [(changed("params/teff", kind=kind), "params/teff") for kind in ("int64", "text", "bool")],
    "P-02": [
        (changed("params/teff", attributes={"unit": "K"}), "params/teff"),
        (changed("params/teff", attributes={"_ARRAY_DIMENSIONS": ["n"]}), "params/teff"),
        (replace(GOOD, group_attributes={**GOOD.group_attributes, "params": {"source": "x"}}), "params"),
    ],
    "P-04": [
        (attributes(teff=5777.0), "root"),
        (attributes(vsini=5.0), "root"),
        (replace(GOOD, group_attributes={**GOOD.group_attributes, "signal": {"logg": 4.4}}), "signal"),
    ],
    "P-06": [
        (added(f"params/{name}", array((N_SPEC,), "float64")), f"params/{name}") for name in ("Teff", "1a", "a-b")
    ],
    "M-03": [(without("metadata/gaia_id"), "metadata/gaia_id"), (without("metadata/snr"), "metadata/snr")],
    "M-09": [(attributes(exptimes=[1.0] * N_SPEC), "root")],
    "H-02": [
        (added("metadata/h0_Exptime", array((N_SPEC,), "text")), "metadata/h0_Exptime"),
        (added("metadata/h0-x", array((N_SPEC,), "text")), "metadata/h0-x"),
        (added("metadata/h1_mjd", array((N_SPEC,), "float64")), "metadata/h1_mjd"),
    ],
    "U-01": [
        (changed(path, attributes=value), path)
        for path in schema.ARRAYS_WITH_UNITS
        for value in ({}, {"units": " "}, {"units": 1})
    ],
    "K-01": [(changed(schema.CONTINUUM, chunks=(1000, N_PIX)), schema.CONTINUUM)],
    "K-03": [
        (added("metadata/x", replace(array((10_000,), "float64"), chunks=(1000,), shape=(N_SPEC,))), "metadata/x"),
        (added("signal/extra", replace(array((N_SPEC, N_PIX)), chunks=(1, N_PIX))), "signal/extra"),
    ],
    "K-04": [
        (added("signal/extra", replace(array((N_SPEC, N_PIX)), chunks=(1 << 20, N_PIX))), "signal/extra"),
        (changed("metadata/spec_id", chunks=(1 << 31,)), "metadata/spec_id"),
    ],
    "Z-01": [
        (changed(schema.FLUX, codec=codec), schema.FLUX)
        for codec in (None, ("lz4", 5, "bitshuffle"), ("zstd", 4, "bitshuffle"), ("zstd", 8, "bitshuffle"))
    ]
    + [(changed(schema.FLUX, codec=("zstd", 5, "shuffle")), schema.FLUX)],
    "Z-02": [(changed("metadata/spec_id", codec=None), "metadata/spec_id")],
    "I-01": [
        (replace(GOOD, index=IndexFacts(N_SPEC - 1, COLUMNS)), "index.parquet"),
        (replace(GOOD, index=IndexFacts(N_SPEC, {k: v for k, v in COLUMNS.items() if k != "feh"})), "index.parquet"),
    ],
    "V-01": [
        (attributes(**{key: value}), "root")
        for key, value in (("ingest_pipeline", None), ("git_commit", ""), ("created_at", 5), ("schema_version", None))
    ],
    "V-02": [(attributes(schema_version=2.0), "root"), (attributes(schema_version="2.1"), "root")],
    "V-03": [(attributes(created_at=text), "root") for text in ("2026-01-31 12:00:00", "2026-01-31T12:00:00", "now")],
    "V-04": [(attributes(git_commit=text), "root") for text in ("unknown", "0123", "0123abc-broken")],
    "Q-01": [(replace(GOOD, n_spec_expected=N_SPEC + 1), schema.FLUX)],
}

COUNTED = ("Q-02", "Q-06", "S-04", "S-06", "S-07", "P-03", "M-01", "M-02", "M-04", "M-08", "I-02")


def test_the_good_store_has_no_finding() -> None:
    assert check_structure(GOOD, strict=True) == []


def test_every_rule_has_a_mutant_or_is_counted_in_rows() -> None:
    assert set(MUTANTS) == {rule.id for rule in RULES.values() if rule.check is not None}
    assert set(COUNTED) == {rule.id for rule in RULES.values() if rule.check is None}
    assert all(rule.id == key and rule.clause for key, rule in RULES.items())


@pytest.mark.parametrize(
    ("rule", "number"), [(rule, i) for rule, mutants in MUTANTS.items() for i in range(len(mutants))]
)
def test_a_mutant_breaks_its_rule_and_no_other(rule: str, number: int) -> None:
    mutant, where = MUTANTS[rule][number]
    findings = check_structure(mutant)
    # Without a flux of two dimensions nothing can be aligned to it.
    consequences = {"D-02", "D-03", "D-04", "I-01", "Q-01", "S-02"} if rule == "D-01" else set()
    assert {finding.rule for finding in findings} - consequences == {rule}
    assert where in {finding.where for finding in findings if finding.rule == rule}
    assert all(finding.message for finding in findings)


@pytest.mark.parametrize("rule", MUTANTS)
def test_the_level_of_a_rule_decides_its_severity(rule: str) -> None:
    mutant, _ = MUTANTS[rule][0]
    (lenient, *_), (strict, *_) = (
        [finding.severity for finding in check_structure(mutant, strict=strict) if finding.rule == rule]
        for strict in (False, True)
    )
    level = RULES[rule].level
    assert lenient == (Severity.ERROR if level is Level.MUST else Severity.WARNING)
    assert strict == (Severity.WARNING if level is Level.SHOULD else Severity.ERROR)


@pytest.mark.parametrize("rule", COUNTED)
def test_counted_rows_become_findings(rule: str) -> None:
    (finding,) = check_rows(RowFacts({(rule, "signal/flux_raw"): ((3, 9), 12)}))
    assert (finding.rule, finding.where, finding.rows, finding.count) == (rule, "signal/flux_raw", (3, 9), 12)
    assert finding.message == RULES[rule].clause
    assert check_rows(RowFacts()) == []


class TestWhatMustPass:
    def test_unknown_arrays_attributes_and_groups(self) -> None:
        good = replace(GOOD, groups=(*schema.GROUPS, "quality"), attributes={**GOOD.attributes, "licence": "CC"})
        extra = {"quality/mask": array((N_SPEC, N_PIX)), "metadata/other": array((N_SPEC,), "text")}
        assert check_structure(replace(good, arrays={**GOOD.arrays, **extra}), strict=True) == []

    def test_a_wavelength_per_spectrum(self) -> None:
        cube = replace(array((N_SPEC, N_PIX), "float64", units="Angstrom"), kind="float64")
        assert check_structure(added(schema.WAVELENGTH, cube), strict=True) == []

    def test_no_normalized_arrays_and_no_params(self) -> None:
        store = without(schema.NORMALIZED, schema.NORMALIZED_UNCERTAINTY, "params/teff")
        assert check_structure(store, strict=True) == []

    def test_dimension_names_of_xarray_in_format_2(self) -> None:
        store = replace(changed("params/teff", attributes={"_ARRAY_DIMENSIONS": ["n_spec"]}), zarr_format=2)
        assert check_structure(store, strict=True) == []

    @pytest.mark.parametrize("clevel", [5, 6, 7])
    def test_levels_five_to_seven(self, clevel: int) -> None:
        assert check_structure(changed(schema.FLUX, codec=("zstd", clevel, CODEC[2])), strict=True) == []

    def test_a_store_being_built_and_an_unknown_number_of_rows(self) -> None:
        assert check_structure(replace(GOOD, name="x.zarr.tmp", n_spec_expected=None), strict=True) == []

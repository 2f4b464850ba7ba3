"""Every symptom is shown by a block of values, absent from another one, and becomes a finding of its rule's level."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from spectral_zarr.contract import columns, schema
from spectral_zarr.contract.cubes import ValueRows, WavelengthRows
from spectral_zarr.contract.facts import Count, RowFacts
from spectral_zarr.contract.findings import Severity
from spectral_zarr.contract.rows import Offences
from spectral_zarr.contract.rules import RULES, SYMPTOMS, Level, check_rows

from .conftest import GOOD
from .test_rules import SEVERITIES

NAN, INF = math.nan, math.inf
MUST, SHOULD, HOUSE, INFO = Level.MUST, Level.SHOULD, Level.HOUSE, Level.INFO

LEVELS = {
    **dict.fromkeys(("P-03/sentinel", "P-03/repeated", "P-03/infinite", "P-03/error", "M-10/sentinel"), MUST),
    **dict.fromkeys(("M-01/unknown", "M-02/unknown", "M-06/undecodable", "S-02/not_finite", "U-05/mixed"), MUST),
    **dict.fromkeys(("Q-02/empty", "Q-06/damaged", "Z-03/damaged", "Z-03/killed"), MUST),
    **dict.fromkeys(("C-02/empty", "M-11/unnamed"), SHOULD),
    **dict.fromkeys(("P-07/implausible", "P-08/no_mu", "M-04/malformed", "M-04/repeated", "M-07/infinite"), HOUSE),
    **dict.fromkeys(("M-08/malformed", "M-10/text", "I-02/differs", "I-03/null", "S-03/rounded"), HOUSE),
    **dict.fromkeys(("S-04/not_increasing", "S-04/gap", "S-05/padding", "S-06/not_positive", "S-06/infinite"), HOUSE),
    **dict.fromkeys(("S-07/infinite", "S-09/garbage", "S-10/sentinel", "C-03/unknown", "C-04/unlabelled"), HOUSE),
    **dict.fromkeys(("C-04/absent", "C-05/not_positive", "U-05/implausible", "U-05/suspicious"), HOUSE),
    "Q-06/unchecked": INFO,
}

SHOWN_BY_FILES = frozenset(
    {
        *("M-04/repeated", "M-06/undecodable", "I-02/differs", "I-03/null", "S-02/not_finite", "S-09/garbage"),
        *("S-10/sentinel", "Z-03/damaged", "Z-03/killed", "Q-06/damaged", "Q-06/unchecked"),
    }
)
"""Symptoms that only a store on disk shows: the tests of validation have a mutant for each."""

Block = Callable[[Offences], Any]


def param(name: str, *values: float, **missing: list[bool]) -> Block:
    others = {other: np.array(flags) for other, flags in missing.items()}

    def check(offences: Offences) -> None:
        columns.check_param(offences, f"params/{name}", 0, np.array(values), others)
        columns.check_repeated(offences)

    return check


def number(name: str, *values: float) -> Block:
    return partial(columns.check_number, array=f"metadata/{name}", first_row=0, values=np.array(values))


def text(array: str, *values: str) -> Block:
    return partial(columns.check_text, array=array, first_row=0, values=values)


def values(array: str, *row: float, n_valid: int | None = None) -> Block:
    def check(offences: Offences) -> None:
        block = ValueRows(array, 0, 1, None if n_valid is None else np.array([n_valid]))
        block.add(0, np.array([row], np.float32))
        block.report(offences)

    return check


def wavelengths(*row: float, dtype: str = "f8") -> Block:
    def check(offences: Offences) -> None:
        block = WavelengthRows(schema.WAVELENGTH, 0, 1, 1.0)
        block.add(0, np.array([row], dtype))
        block.report(offences)

    return check


def centres(instruments: Sequence[str], *middles: float) -> Block:
    def check(offences: Offences) -> None:
        found = columns.bin_spans(0, instruments, np.array(middles), np.array(middles))
        columns.check_spans(offences, schema.WAVELENGTH, found)

    return check


def method(label: str, *, has: bool) -> Block:
    has_it, has_not = np.array([has]), np.array([not has])
    return partial(columns.check_method, first_row=0, methods=[label], has=has_it, has_not=has_not)


def simulator(kind: str, name: str) -> Block:
    return partial(
        columns.check_simulator, array="metadata/simulator", first_row=0, source_types=[kind], simulators=[name]
    )


def intensity(kind: str, mu: float) -> Block:
    return partial(columns.check_intensity, first_row=0, flux_types=[kind], mu=np.array([mu]))


SHOWN: dict[str, tuple[Block, Block]] = {
    "P-03/sentinel": (param("teff", -9999.0), param("teff", 5777.0, NAN)),
    "P-03/repeated": (param("teff", 9999.0, 9999.0, 9999.0), param("teff", 9999.0, 9999.0, 5777.0)),
    "P-03/infinite": (param("rv", INF), param("rv", NAN)),
    "P-03/error": (param("e_rv", 0.0, rv=[True]), param("e_rv", 0.0, rv=[False])),
    "P-07/implausible": (param("logg", 44.4), param("logg", 4.44)),
    "P-08/no_mu": (intensity("intensity", NAN), intensity("intensity", 0.5)),
    "M-01/unknown": (text("metadata/source_type", "spectrum"), text("metadata/source_type", "stacked")),
    "M-02/unknown": (text("metadata/flux_type", ""), text("metadata/flux_type", "intensity")),
    "M-04/malformed": (text("metadata/spec_id", "a b"), text("metadata/spec_id", "a-b")),
    "M-07/infinite": (number("snr", INF), number("snr", 10.0, NAN)),
    "M-08/malformed": (text("metadata/date_obs", "31/01/20"), text("metadata/date_obs", "2020-01-31", "")),
    "M-10/sentinel": (number("airmass", -999.0), number("airmass", 1.1, NAN)),
    "M-10/text": (text("metadata/h0_seeing", "NaN"), text("metadata/h0_seeing", "0.8", "")),
    "M-11/unnamed": (simulator("synthetic", ""), simulator("observed", "")),
    "S-03/rounded": (wavelengths(5000.0, 5000.001, dtype="f4"), wavelengths(5000.0, 5001.0, dtype="f4")),
    "S-04/not_increasing": (wavelengths(5001.0, 5000.0), wavelengths(5000.0, 5001.0)),
    "S-04/gap": (wavelengths(5000.0, NAN, 5001.0), wavelengths(5000.0, 5001.0, NAN)),
    "S-05/padding": (values(schema.FLUX, 1.0, 2.0, n_valid=1), values(schema.FLUX, 1.0, NAN, n_valid=1)),
    "S-06/not_positive": (values(schema.UNCERTAINTY, 0.0), values(schema.UNCERTAINTY, 1.0, NAN)),
    "S-06/infinite": (values(schema.UNCERTAINTY, INF), values(schema.UNCERTAINTY, 1.0, NAN)),
    "S-07/infinite": (values(schema.FLUX, 1.0, -INF), values(schema.FLUX, 1.0, NAN)),
    "C-02/empty": (text(schema.METHOD, ""), text(schema.METHOD, "none")),
    "C-03/unknown": (text(schema.METHOD, "spline"), text(schema.METHOD, "fit:spline")),
    "C-04/unlabelled": (method("none", has=True), method("none", has=False)),
    "C-04/absent": (method("fit:spline", has=False), method("fit:spline", has=True)),
    "C-05/not_positive": (values(schema.CONTINUUM, 0.0), values(schema.CONTINUUM, 1.0, NAN)),
    "U-05/implausible": (wavelengths(1.0, 2.0), wavelengths(5000.0, 5001.0)),
    "U-05/mixed": (centres("HH", 5000.0, 500.0), centres("HH", 5000.0, 3500.0)),
    "U-05/suspicious": (centres("GH", 5000.0, 500.0), centres("GH", 5000.0, 1500.0)),
    "Q-02/empty": (values(schema.FLUX, 0.0, NAN), values(schema.FLUX, 0.0, 1.0)),
}


def test_no_symptom_is_left_out() -> None:
    assert SHOWN.keys() | SHOWN_BY_FILES == SYMPTOMS.keys()
    assert SHOWN.keys().isdisjoint(SHOWN_BY_FILES)
    assert LEVELS.keys() == SYMPTOMS.keys()


@pytest.mark.parametrize("symptom", SHOWN)
def test_a_block_shows_the_symptom_alone_and_another_none(symptom: str) -> None:
    bad, good = SHOWN[symptom]
    shown, absent = Offences(), Offences()
    bad(shown)
    good(absent)
    assert {key for key, _ in shown.counted()} == {symptom}
    assert absent.counted() == {}


@pytest.mark.parametrize("symptom", LEVELS)
@pytest.mark.parametrize("strict", [False, True])
def test_counted_rows_become_a_finding(symptom: str, strict: bool) -> None:
    found = RowFacts({(symptom, "some/array"): Count((3, 9), 12, "because")}, frozenset({schema.NORMALIZED}))
    (finding,) = check_rows(GOOD, found, strict=strict)
    rule = RULES[symptom.partition("/")[0]]
    assert (finding.rule, finding.where, finding.rows, finding.count) == (rule.id, "some/array", (3, 9), 12)
    assert finding.severity == SEVERITIES[LEVELS[symptom]][strict]
    assert finding.message.endswith(": because")
    assert finding.remedy == rule.remedy


def test_findings_of_many_symptoms_come_in_the_order_of_rules_and_arrays() -> None:
    keys = [("S-07/infinite", "b"), ("Q-02/empty", "a"), ("S-07/infinite", "a")]
    found = RowFacts({key: Count((1,), 1) for key in keys}, frozenset({schema.NORMALIZED}))
    findings = check_rows(GOOD, found)
    assert [(finding.rule, finding.where) for finding in findings] == [("Q-02", "a"), ("S-07", "a"), ("S-07", "b")]
    assert {finding.severity for finding in findings} == {Severity.ERROR, Severity.WARNING}

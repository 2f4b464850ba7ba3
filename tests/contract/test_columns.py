"""The rules on (N_spec,) arrays: sentinels and their false positives, allowed values, forms, labels and centres."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.contract.columns import (
    Spans,
    bin_spans,
    check_intensity,
    check_method,
    check_number,
    check_param,
    check_repeated,
    check_simulator,
    check_spans,
    check_text,
    merge_spans,
)
from spectral_zarr.contract.facts import Count
from spectral_zarr.contract.rows import Counted, Offences
from spectral_zarr.contract.schema import METHOD, WAVELENGTH, FluxType, SourceType

NAN, INF = math.nan, math.inf


def param(name: str, values: Any, **missing: list[bool]) -> dict[str, tuple[int, ...]]:
    offences = Offences()
    others = {other: np.array(flags) for other, flags in missing.items()}
    check_param(offences, f"params/{name}", 0, np.asarray(values), others)
    check_repeated(offences)
    return rows_of(offences)


def number(name: str, values: Any) -> dict[str, tuple[int, ...]]:
    offences = Offences()
    check_number(offences, f"metadata/{name}", 0, np.asarray(values))
    return rows_of(offences)


def texts(array: str, values: list[str]) -> dict[str, tuple[int, ...]]:
    offences = Offences()
    check_text(offences, array, 0, values)
    return rows_of(offences)


def rows_of(offences: Offences) -> dict[str, tuple[int, ...]]:
    return {symptom: count.rows for (symptom, _), count in offences.counted().items()}


class TestParams:
    @pytest.mark.parametrize(
        "value",
        [
            *(-999.0, -9999.0, -99999.0, -9999.99, -9999.9, -999.9, -999.99, 1e20, 9.96921e36, 1e30),
            *(3.4028235e38, -3.4028235e38, -2147483648.0, 999999.0),
        ],
    )
    @pytest.mark.parametrize("name", ["teff", "rv", "vmic"])
    @pytest.mark.parametrize("dtype", ["f8", "f4"])
    def test_sentinels_are_found(self, name: str, value: float, dtype: str) -> None:
        assert param(name, np.array([5777.0, value, NAN], dtype)) == {"P-03/sentinel": (1,)}

    @pytest.mark.parametrize("value", [-99.0, -99.9, 99.0, 99.9, 999.0])
    @pytest.mark.parametrize(
        "name", ["teff", "logg", "feh", "m_h", "mh", "alpha", "alpha_m", "e_rv", "mg_fe", "fe_h", "alpha_fe"]
    )
    def test_short_sentinels_are_found_where_they_cannot_be_values(self, name: str, value: float) -> None:
        assert param(name, [1000.0 if name == "teff" else 1.0, value]) == {"P-03/sentinel": (1,)}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("rv", -99.0), ("rv", 99.9), ("rv", 999.0), ("vsini", 99.0), ("rv", 9999.0), ("rv", 0.0)),
            *(("teff", 9999.0), ("logg", 0.0), ("feh", -1.0), ("feh", 0.0), ("e_rv", 0.0), ("teff", 9998.0)),
        ],
    )
    def test_values_are_not_sentinels(self, name: str, value: float) -> None:
        assert param(name, [value, NAN]) == {}

    @pytest.mark.parametrize("value", [0.0, -5.0, -0.0])
    def test_a_temperature_is_positive(self, value: float) -> None:
        assert param("teff", [5000.0, value]) == {"P-03/sentinel": (1,)}

    def test_9999_is_a_gravity_that_is_missing(self) -> None:
        assert param("logg", [4.4, 9999.0]) == {"P-03/sentinel": (1,)}

    @pytest.mark.parametrize(("repeats", "found"), [(1, False), (2, False), (3, True), (7, True)])
    def test_9999_kelvin_stand_for_missing_when_they_repeat(self, repeats: int, found: bool) -> None:
        expected = {"P-03/repeated": tuple(range(1, min(repeats, 5) + 1))} if found else {}
        assert param("teff", [5000.0] + [9999.0] * repeats) == expected

    @pytest.mark.parametrize("other", ["logg", "feh"])
    def test_9999_kelvin_stand_for_missing_beside_something_missing(self, other: str) -> None:
        assert param("teff", [9999.0, 9999.0, 5e3], **{other: [False, True, True]}) == {"P-03/sentinel": (1,)}
        assert param("teff", [9999.0, 9999.0], vmic=[True, True]) == {}

    def test_repetitions_are_counted_over_all_blocks(self) -> None:
        total = Offences()
        for first_row in (0, 10, 20):
            part = Offences()
            check_param(part, "params/teff", first_row, np.array([5000.0, 9999.0]), {})
            total.merge(part.counted())
        check_repeated(total)
        assert total.counted() == {("P-03/repeated", "params/teff"): Count((1, 11, 21), 3)}

    def test_infinities_are_found(self) -> None:
        assert param("rv", [1.0, INF, -INF]) == {"P-03/infinite": (1, 2)}

    def test_errors_of_missing_values_are_missing(self) -> None:
        errors = [0.0, 0.0, -1.0, NAN, 0.1]
        assert param("e_teff", errors, teff=[False, True, True, True, True]) == {"P-03/error": (1, 2)}
        assert param("e_teff", errors) == {}
        assert param("e_teff", [-999.0], teff=[True]) == {"P-03/sentinel": (0,)}

    @pytest.mark.parametrize(
        ("name", "inside", "outside"),
        [
            ("teff", [500.0, 5777.0, 3e5], [499.0, 1.0, 300_001.0]),
            ("logg", [-2.0, 4.44, 10.0], [-2.1, 10.1]),
            ("feh", [-10.0, 0.0, 2.0], [-10.1, 2.1, 7.5]),
            ("mu", [0.0, 0.5, 1.0], [-0.1, 1.1]),
            ("rv", [-1e5, 1e5], []),
        ],
    )
    def test_values_that_no_star_has_are_implausible(
        self, name: str, inside: list[float], outside: list[float]
    ) -> None:
        expected = {"P-07/implausible": tuple(range(len(inside), len(inside + outside)))} if outside else {}
        assert param(name, [*inside, *outside, NAN]) == expected

    def test_huge_values_are_checked_without_warnings(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert param("rv", [1e300, -1e300, 1.0]) == {}


class TestNumbers:
    @pytest.mark.parametrize("value", [-999.0, -9999.0, 1e20, 9.96921e36, 999999.0, -2147483648.0])
    @pytest.mark.parametrize("name", ["airmass", "ra", "snr"])
    def test_sentinels_are_found(self, name: str, value: float) -> None:
        assert number(name, [1.0, value, NAN]) == {"M-10/sentinel": (1,)}

    @pytest.mark.parametrize("value", [-999, -9999, -99999, -2147483648])
    def test_integers_have_sentinels_too(self, value: int) -> None:
        assert number("plate", np.array([1, value], np.int32)) == {"M-10/sentinel": (1,)}

    @pytest.mark.parametrize("value", [-1, 0, 99, 999999])
    def test_other_integers_are_values(self, value: int) -> None:
        assert number("source_size", np.array([value], np.int64)) == {}

    @pytest.mark.parametrize("value", [-99.0, 99.0, 9999.0, 0.0, -1.0, INF])
    def test_other_numbers_are_values(self, value: float) -> None:
        assert number("airmass", [value]) == {}

    def test_ratios_of_signal_to_noise_are_finite_but_may_be_negative(self) -> None:
        assert number("snr", [10.0, INF, -INF, NAN, -0.3, 0.0]) == {"M-07/infinite": (1, 2)}


class TestTexts:
    @pytest.mark.parametrize(
        ("array", "symptom", "good", "bad"),
        [
            ("metadata/source_type", "M-01/unknown", [str(kind) for kind in SourceType], ["", "Observed", "observed "]),
            ("metadata/flux_type", "M-02/unknown", [str(kind) for kind in FluxType], ["", "FLUX", "counts"]),
            (
                "metadata/date_obs",
                "M-08/malformed",
                [
                    "",
                    "2020-01-31",
                    "2020-01-31T01:02:03",
                    "2020-01-31T01:02:03.5",
                    "2020-01-31T01:02:03Z",
                    "1970-01-01",
                    "2016-02-29",
                    "2016-12-31T23:59:59.999",
                ],
                [
                    *("2015-02-29", "2015-13-01", "2016-12-00", "2016-12-31T24:00:00", "2016-12-31T10:60:00"),
                    *("2016-12-31T23:59:60", "2015-02-30T10:00:00", "31/01/20", "2020-01-31T1", "NaN"),
                    *("2020-01-31 01:02:03", "1969-12-31", "2101-01-01", "58849.0"),
                ],
            ),
            (
                "metadata/spec_id",
                "M-04/malformed",
                ["a", "x:y/z", "ADP.2020-01-31T01:02:03.500", "~!"],
                ["", "a b", "\xe9", "a\t", "a\n", "\x7f", "\n", "a\nb"],
            ),
            (
                "metadata/h0_filter",
                "M-10/text",
                ["", "NONE", "0", "-999.5", "nano"],
                ["NaN", "INDEF", "N/A", "-999", "-9999.", "-999.00"],
            ),
            ("metadata/gaia_id", "M-10/text", ["", "1234567890123456789"], ["0", "-1", "NaN", "None", "-9999"]),
            (
                METHOD,
                "C-03/unknown",
                ["none", "column:CONTINUUM", "hdu:3", "fit:spline", "derived:flux_raw/normalized_flux"],
                ["None", "fit", "fit:", "spline", "none "],
            ),
            (METHOD, "C-02/empty", ["none", "fit:x"], [""]),
        ],
    )
    def test_forms_and_allowed_values(self, array: str, symptom: str, good: list[str], bad: list[str]) -> None:
        assert texts(array, good) == {}
        for value in bad:
            assert texts(array, [*good, value]) == {symptom: (len(good),)}

    @given(st.lists(st.text(max_size=4), max_size=8))
    def test_identifiers_are_judged_one_by_one(self, values: list[str]) -> None:
        expected = [i for i, v in enumerate(values) if not v or any(not "!" <= c <= "~" for c in v)]
        assert texts("metadata/spec_id", values) == ({"M-04/malformed": tuple(expected[:5])} if expected else {})

    @pytest.mark.parametrize("array", ["metadata/object", "metadata/simulator", "metadata/other"])
    def test_other_fields_are_free(self, array: str) -> None:
        assert texts(array, ["", "anything goes", "\xe9", "NaN"]) == {}

    def test_no_block_is_no_offence(self) -> None:
        for array in (METHOD, "metadata/spec_id", "metadata/source_type", "metadata/h0_x"):
            assert texts(array, []) == {}


class TestAcrossArrays:
    def test_the_method_is_none_exactly_where_there_is_no_continuum(self) -> None:
        offences = Offences()
        labels = ["none", "none", "fit:x", "fit:x", "", "none", "fit:x"]
        has = np.array([False, True, True, False, False, False, False])
        has_not = np.array([True, False, False, True, True, False, False])
        check_method(offences, 10, labels, has, has_not)
        assert rows_of(offences) == {"C-04/unlabelled": (11,), "C-04/absent": (13,)}

    def test_intensities_have_an_angle(self) -> None:
        offences = Offences()
        check_intensity(offences, 10, ["flux", "intensity", "intensity"], np.array([NAN, 0.5, NAN]))
        assert offences.counted() == {("P-08/no_mu", "params/mu"): Count((12,), 1)}
        check_intensity(offences, 20, ["flux", "intensity"], None)
        assert offences.counted() == {("P-08/no_mu", "params/mu"): Count((12, 21), 2)}

    def test_models_name_their_simulator_and_observations_need_not(self) -> None:
        offences = Offences()
        kinds = ["observed", "synthetic", "emulator", "forward_model", "stacked", "synthetic", ""]
        check_simulator(offences, "metadata/simulator", 10, kinds, ["", "", "", "", "", "MARCS", ""])
        assert offences.counted() == {("M-11/unnamed", "metadata/simulator"): Count((11, 12, 13), 3)}

    def test_fluxes_have_none(self) -> None:
        offences = Offences()
        check_intensity(offences, 0, ["flux", "flux"], None)
        assert offences.counted() == {}


def spans_of(instruments: list[str], shortest: list[float], longest: list[float]) -> Counted:
    offences = Offences()
    check_spans(offences, WAVELENGTH, bin_spans(0, instruments, np.array(shortest), np.array(longest)))
    return {(symptom, where): count for (symptom, where), count in offences.counted().items()}


def centres_of(instruments: list[str], centres: list[float]) -> Counted:
    """Of spectra that are so short that both ends are their centre."""
    return spans_of(instruments, centres, centres)


class TestSpans:
    def test_a_spectrum_that_reaches_the_infrared_is_in_the_unit_of_the_others(self) -> None:
        assert spans_of(["CALSPEC"] * 3, [1150.0, 1140.0, 1150.0], [10_200.0, 170_000.0, 10_200.0]) == {}

    def test_a_range_in_nm_among_such_in_angstrom_is_found_at_both_ends(self) -> None:
        found = spans_of(["X"] * 3, [3000.0, 300.0, 2900.0], [25_000.0, 2500.0, 25_000.0])
        assert found == {("U-05/mixed", WAVELENGTH): Count((1,), 1)}

    @pytest.mark.parametrize("ratio", [10.0, 1000.0, 1e4, 0.1, 1e-3, 1e-4])
    def test_a_ratio_of_units_within_one_instrument_is_a_mixture(self, ratio: float) -> None:
        centres = [5000.0] * 6 + [5000.0 * ratio, NAN, 5000.0 * ratio]
        assert centres_of(["HARPS"] * 9, centres) == {("U-05/mixed", WAVELENGTH): Count((6, 8), 2)}

    @pytest.mark.parametrize("ratio", [1.0, 2.0, 5.0, 30.0, 300.0])
    def test_other_ratios_are_the_arms_of_a_spectrograph(self, ratio: float) -> None:
        assert centres_of(["X"] * 4, [3500.0, 3500.0, 3500.0, 3500.0 * ratio]) == {}

    def test_between_instruments_and_for_models_it_is_only_suspicious(self) -> None:
        assert centres_of(["A", "A", "B"], [5000.0, 5000.0, 500.0]) == {("U-05/suspicious", WAVELENGTH): Count((2,), 1)}
        assert centres_of(["", "", ""], [5000.0, 5000.0, 5e4]) == {("U-05/suspicious", WAVELENGTH): Count((2,), 1)}

    def test_the_ultraviolet_alone_is_not_suspicious(self) -> None:
        assert centres_of(["FUSE", "COS"], [1050.0, 1400.0]) == {}

    @given(
        st.lists(
            st.tuples(st.sampled_from(["A", "B", ""]), st.sampled_from([500.0, 5000.0, 5050.0, 5e4, 5e6, NAN])),
            min_size=1,
            max_size=30,
        ),
        st.lists(st.integers(0, 30), max_size=4),
        st.randoms(),
    )
    def test_blocks_in_any_order_are_one_store(
        self, spectra: list[tuple[str, float]], cuts: list[int], random: Any
    ) -> None:
        instruments, centres = [list(column) for column in zip(*spectra, strict=True)]
        edges = sorted({0, len(spectra), *(cut % len(spectra) for cut in cuts)})
        blocks = list(itertools.pairwise(edges))
        random.shuffle(blocks)
        total: Spans = {}
        for start, stop in blocks:
            part = np.array(centres[start:stop])
            merge_spans(total, bin_spans(start, instruments[start:stop], part, 2 * part))
        assert total == bin_spans(0, instruments, np.array(centres), 2 * np.array(centres))
        offences = Offences()
        check_spans(offences, WAVELENGTH, total)
        assert offences.counted() == spans_of(instruments, centres, [2 * centre for centre in centres])

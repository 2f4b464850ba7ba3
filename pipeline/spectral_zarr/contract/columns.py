"""The rules on blocks of (N_spec,) arrays: parameters, metadata, projected header fields and labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.contract.dates import is_date_obs
from spectral_zarr.contract.facts import Count
from spectral_zarr.contract.naming import METHOD, SPEC_ID, SPEC_IDS
from spectral_zarr.contract.rows import (
    FIRST_ROWS,
    ID_SENTINELS,
    INTEGER_SENTINELS,
    NARROW_SENTINELS,
    SENTINELS,
    TEXT_SENTINELS,
    Offences,
    is_listed,
)
from spectral_zarr.contract.schema import METHOD as METHOD_ARRAY
from spectral_zarr.contract.schema import FluxType, SourceType

PLAUSIBLE = {"teff": (500.0, 3e5), "logg": (-2.0, 10.0), "feh": (-10.0, 2.0), "mu": (0.0, 1.0)}
HOT_SENTINEL = 9999.0
REPEATED_HOT = "P-03/repeated"
FEWEST_HOT_SENTINELS = 3
"""A hot star may have 9999 K exactly; three do not, nor does one without other parameters."""

_MODELS = frozenset({SourceType.SYNTHETIC, SourceType.EMULATOR, SourceType.FORWARD_MODEL})
_NARROW = frozenset({"teff", "logg", "feh", "mh", "alpha", "alpha_m"})

BINS_PER_DECADE = 100
UNIT_RATIOS = ((8.0, 12.0), (800.0, 1200.0), (8e3, 1.2e4))
"""Between Angstrom, nm and um, with room for different ranges of one instrument."""

Texts = Sequence[str]
Numbers = NDArray[Any]


def param_sentinels(name: str, numbers: Numbers, missing: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Where the values of a parameter stand for missing, shape (rows,).

    Parameters
    ----------
    name : str
        Name of the parameter.
    numbers : ndarray of float64, shape (rows,)
        Its values.
    missing : mapping
        Where the other parameters are NaN, by name.
    """
    narrow = name in _NARROW or name.startswith("e_") or name.endswith(("_fe", "_h"))
    listed = np.concatenate([SENTINELS, NARROW_SENTINELS]) if narrow else SENTINELS
    sentinel = is_listed(numbers, listed[listed != HOT_SENTINEL] if name == "teff" else listed)
    if name == "teff":
        hot = numbers == HOT_SENTINEL
        alone = np.logical_or.reduce([hot & missing[other] for other in ("logg", "feh") if other in missing] or [~hot])
        sentinel |= (numbers <= 0) | (hot & alone)
    return sentinel


def check_param(
    offences: Offences, array: str, first_row: int, values: Numbers, missing: Mapping[str, NDArray[np.bool_]]
) -> None:
    """Sentinels and implausible values of a block of a parameter, shape (rows,).

    Parameters
    ----------
    missing : mapping
        Where the other parameters of the block are NaN, by name.
    """
    name = array.removeprefix("params/")
    numbers = values.astype(np.float64)
    sentinel = param_sentinels(name, numbers, missing)
    if name == "teff":
        _report(offences, REPEATED_HOT, array, first_row, (numbers == HOT_SENTINEL) & ~sentinel)
    _report(offences, "P-03/sentinel", array, first_row, sentinel)
    _report(offences, "P-03/infinite", array, first_row, np.isinf(numbers))
    if name.startswith("e_") and name[2:] in missing:
        _report(offences, "P-03/error", array, first_row, (numbers <= 0) & missing[name[2:]] & ~sentinel)
    if name in PLAUSIBLE:
        low, high = PLAUSIBLE[name]
        outside = ((numbers < low) | (numbers > high)) & ~sentinel & np.isfinite(numbers)
        _report(offences, "P-07/implausible", array, first_row, outside)


def check_repeated(offences: Offences) -> None:
    """Leave out exact 9999 K that are too few to stand for missing; for the counts of all blocks together."""
    offences.drop(REPEATED_HOT, fewer_than=FEWEST_HOT_SENTINELS)


def check_number(offences: Offences, array: str, first_row: int, values: Numbers) -> None:
    """Sentinels of a block of a numeric metadata field, shape (rows,)."""
    if values.dtype.kind == "f":
        _report(offences, "M-10/sentinel", array, first_row, is_listed(values, SENTINELS))
        if array == "metadata/snr":
            _report(offences, "M-07/infinite", array, first_row, np.isinf(values))
    elif values.dtype.kind in "iu":
        _report(offences, "M-10/sentinel", array, first_row, np.isin(values, INTEGER_SENTINELS))


def check_text(offences: Offences, array: str, first_row: int, values: Texts) -> None:
    """Allowed values and forms of a block of a text array."""
    name = array.rpartition("/")[2]
    if array == METHOD_ARRAY:
        labels = frozenset(values)
        _unknown(offences, "C-02/empty", array, first_row, values, labels - {""})
        _unknown(
            offences, "C-03/unknown", array, first_row, values, frozenset(v for v in labels if not v or METHOD.match(v))
        )
    elif name == "source_type":
        _unknown(offences, "M-01/unknown", array, first_row, values, frozenset(map(str, SourceType)))
    elif name == "flux_type":
        _unknown(offences, "M-02/unknown", array, first_row, values, frozenset(map(str, FluxType)))
    elif name == "date_obs":
        good = frozenset(value for value in frozenset(values) if is_date_obs(value))
        _unknown(offences, "M-08/malformed", array, first_row, values, good)
    elif name == "spec_id":
        # One pass of the expression over all of them is much cheaper than one each.
        joined = "\n".join(values)
        if not SPEC_IDS.match(joined) or joined.count("\n") >= len(values):
            _found(offences, "M-04/malformed", array, first_row, (not SPEC_ID.match(value) for value in values))
    elif array.startswith("metadata/"):
        listed = ID_SENTINELS if name == "gaia_id" else TEXT_SENTINELS
        # Most columns hold none at all, and one pass over the set of values is cheaper than over the values.
        if (name == "gaia_id" or name.startswith("h")) and not listed.isdisjoint(values):
            _found(offences, "M-10/text", array, first_row, (value in listed for value in values))


def check_method(
    offences: Offences, first_row: int, methods: Texts, has: NDArray[np.bool_], has_not: NDArray[np.bool_]
) -> None:
    """Whether labels and continua agree, where it is known that a row has a continuum or has none."""
    unlabelled = [i for i, label in enumerate(methods) if label == "none" and has[i]]
    absent = [i for i, label in enumerate(methods) if label not in ("none", "") and has_not[i]]
    offences.add("C-04/unlabelled", METHOD_ARRAY, [first_row + i for i in unlabelled])
    offences.add("C-04/absent", METHOD_ARRAY, [first_row + i for i in absent])


def check_intensity(offences: Offences, first_row: int, flux_types: Texts, mu: Numbers | None) -> None:
    """Whether every intensity has its angle."""
    rows = [i for i, kind in enumerate(flux_types) if kind == FluxType.INTENSITY]
    if mu is not None:
        rows = [i for i in rows if not math.isfinite(mu[i])]
    offences.add("P-08/no_mu", "params/mu", [first_row + i for i in rows])


def check_simulator(offences: Offences, array: str, first_row: int, source_types: Texts, simulators: Texts) -> None:
    """Whether every model names the code that made it."""
    rows = [i for i, kind in enumerate(source_types) if kind in _MODELS and not simulators[i]]
    offences.add("M-11/unnamed", array, [first_row + i for i in rows])


Spans = dict[str, dict[tuple[int, int], tuple[tuple[int, ...], int]]]
"""Instrument to logarithmic bins of the shortest and longest wavelength to the first rows and the number of rows."""


def bin_spans(first_row: int, instruments: Texts, shortest: NDArray[np.float64], longest: NDArray[np.float64]) -> Spans:
    """Count the ranges of wavelengths (in Angstrom) of a block by instrument."""
    found: Spans = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        bins = np.round(np.log10(np.stack([shortest, longest], axis=1)) * BINS_PER_DECADE)
    known = np.flatnonzero(np.isfinite(bins).all(axis=1))
    for i, (low, high) in zip(known.tolist(), bins[known].astype(int).tolist(), strict=True):
        counts = found.setdefault(instruments[i], {})
        rows, count = counts.get((low, high), ((), 0))
        counts[low, high] = (rows if count >= FIRST_ROWS else (*rows, first_row + i), count + 1)
    return found


def merge_spans(total: Spans, part: Spans) -> None:
    """Add the counts of another block."""
    for instrument, counts in part.items():
        known = total.setdefault(instrument, {})
        for span, (rows, count) in counts.items():
            before, others = known.get(span, ((), 0))
            known[span] = (tuple(sorted((*before, *rows))[:FIRST_ROWS]), others + count)


def check_spans(offences: Offences, array: str, spans: Spans) -> None:
    """Ratios of units between the spectra of one instrument."""
    mixed = [(name, span) for name, counts in spans.items() if name for span in _minorities(counts)]
    # Models of different ranges have no instrument that would tell them apart.
    suspicious = {("", span) for span in _minorities(spans.get("", {}))}
    bins = [(name, span) for name, counts in spans.items() for span in counts]
    if not mixed and any(_centre(span) >= 3000.0 for _, span in bins):
        suspicious.update((name, span) for name, span in bins if 100.0 <= _centre(span) <= 1100.0)
    for symptom, found in (("U-05/mixed", mixed), ("U-05/suspicious", suspicious)):
        parts = [spans[name][span] for name, span in found]
        rows = tuple(sorted(row for first, _ in parts for row in first)[:FIRST_ROWS])
        if parts:
            offences.merge({(symptom, array): Count(rows, sum(count for _, count in parts))})


def _minorities(counts: Mapping[tuple[int, int], tuple[tuple[int, ...], int]]) -> set[tuple[int, int]]:
    """Spans both of whose ends lie a ratio of units away from those of others, on the side with fewer spectra.

    A spectrum that reaches from the ultraviolet to the infrared has another centre than one of the ultraviolet alone,
    but another unit would move its two ends.
    """
    found: set[tuple[int, int]] = set()
    spans = list(counts)
    bins = np.array(spans).reshape(-1, 2)
    for ratios in UNIT_RATIOS:
        least, most = np.log10(ratios) * BINS_PER_DECADE
        lows: set[tuple[int, int]] = set()
        highs: set[tuple[int, int]] = set()
        for span in spans:
            away = bins - span
            others = np.flatnonzero(((away >= least) & (away <= most)).all(axis=1)).tolist()
            if others:
                lows.add(span)
                highs.update(spans[other] for other in others)
        n_low, n_high = (sum(counts[span][1] for span in side) for side in (lows, highs))
        if n_low <= n_high:
            found |= lows
        if n_high <= n_low:
            found |= highs
    return found


def _centre(span: tuple[int, int]) -> float:
    low, high = span
    return float(10 ** (low / BINS_PER_DECADE) + 10 ** (high / BINS_PER_DECADE)) / 2


def _unknown(
    offences: Offences, symptom: str, array: str, first_row: int, values: Texts, allowed: frozenset[str]
) -> None:
    if not allowed.issuperset(values):
        _found(offences, symptom, array, first_row, (value not in allowed for value in values))


def _found(offences: Offences, symptom: str, array: str, first_row: int, flags: Iterator[bool]) -> None:
    offences.add(symptom, array, [first_row + i for i, flag in enumerate(flags) if flag])


def _report(offences: Offences, symptom: str, array: str, first_row: int, rows: NDArray[np.bool_]) -> None:
    offences.add(symptom, array, first_row + np.flatnonzero(rows))

"""Rules on wavelengths, fluxes, uncertainties, continua and normalised fluxes, and on their units."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import RowFacts, StoreFacts
from spectral_zarr.contract.rules.registry import Breach, Level, also, gathered, rows, same, structure
from spectral_zarr.contract.units import DIMENSIONLESS, same_dimension, unit_problem, wavelength_problem

MUST, SHOULD, HOUSE = Level.MUST, Level.SHOULD, Level.HOUSE


@structure("S-01", SHOULD, "flux_raw is float32", "write float32; move powers of ten into the unit")
def _flux_dtype(facts: StoreFacts) -> Iterator[Breach]:
    flux = facts.arrays.get(schema.FLUX)
    if flux is not None and flux.kind != "float32":
        wide = flux.kind == "float64"
        yield Breach(
            schema.FLUX, f"the dtype is {flux.kind}{'' if wide else ', too narrow for fluxes'}", None if wide else MUST
        )


rows(
    "S-02",
    MUST,
    "wavelength is (N_pix,) and finite, or (N_spec, N_pix)",
    "write one wavelength per pixel",
    not_finite="a common wavelength that is not finite",
)


@also("S-02")
def _wavelength_shape(facts: StoreFacts) -> Iterator[Breach]:
    wavelength = facts.arrays.get(schema.WAVELENGTH)
    if (
        wavelength is not None
        and facts.n_spec
        and wavelength.shape not in ((facts.n_pix,), (facts.n_spec, facts.n_pix))
    ):
        yield Breach(schema.WAVELENGTH, f"the shape is {wavelength.shape}")


rows(
    "S-03",
    HOUSE,
    "wavelength is float64, or rounded to less than 0.01 pixel",
    "write float64: 1-D it costs nothing, 2-D it compresses well",
    rounded="the spacing of float32 moves wavelengths by more than 0.01 pixel",
)


@also("S-03")
def _wavelength_dtype(facts: StoreFacts) -> Iterator[Breach]:
    wavelength = facts.arrays.get(schema.WAVELENGTH)
    if wavelength is not None and wavelength.kind not in ("float64", "float32"):
        level = None if re.match("u?int|float", wavelength.kind) else MUST
        yield Breach(schema.WAVELENGTH, f"the dtype is {wavelength.kind}", level)


rows(
    "S-04",
    HOUSE,
    "wavelengths increase strictly, with NaN only at the row end",
    "reverse or sort the spectrum with all its companions; pad at the end",
    not_increasing="wavelengths that do not increase strictly",
    gap="NaN in front of or between wavelengths",
)
rows(
    "S-05",
    HOUSE,
    "where the wavelength is NaN, flux and uncertainty are NaN",
    "set the padding of every array to NaN",
    padding="values where there is no wavelength",
)
rows(
    "S-06",
    HOUSE,
    "uncertainties are positive, or NaN where they are unknown",
    "write NaN for unknown uncertainties, never 0, 1 or infinity",
    not_positive="uncertainties of zero or below",
    infinite="infinite uncertainties",
)
rows("S-07", HOUSE, "values are finite or NaN", "write NaN instead of infinity", infinite="infinite values")


@also("S-07")
def _cube_dtypes(facts: StoreFacts) -> Iterator[Breach]:
    for path in schema.CUBES:
        array = facts.arrays.get(path)
        if array is not None and path != schema.FLUX and not array.kind.startswith("float"):
            level = None if re.match("u?int", array.kind) else MUST
            yield Breach(path, f"the dtype is {array.kind}, which cannot hold NaN", level)


@gathered(
    "S-08",
    HOUSE,
    "a wavelength that all spectra share is stored once",
    "write (N_pix,) instead of (N_spec, N_pix)",
)
def _one_grid(facts: StoreFacts, found: RowFacts) -> Iterator[Breach]:
    if found.one_grid and facts.n_spec > 1:
        yield Breach(schema.WAVELENGTH, "all rows are the same grid: it could be 1-D")


rows(
    "S-09",
    HOUSE,
    "an observed flux is not finite garbage: at most 1 % of its pixels exceed a million times the median",
    "look at the source files, they are probably damaged, and leave them out",
    garbage="more than 1 % of the pixels exceed a million times the median",
)
rows(
    "S-10",
    HOUSE,
    "no sentinel fills a flux: no listed value takes more than 0.1 % of its pixels",
    "convert the fill value of the product to NaN",
    sentinel="one sentinel value fills more than 0.1 % of the pixels",
)

same("C-01", MUST, "continuum_model and continuum_uncertainty have the shape of flux_raw", "D-02")
rows(
    "C-02",
    MUST,
    "continuum/method is text",
    "write none where there is no continuum",
    empty=("an empty label", SHOULD),
)


@also("C-02")
def _method_kind(facts: StoreFacts) -> Iterator[Breach]:
    method = facts.arrays.get(schema.METHOD)
    if method is not None and method.kind != "text":
        yield Breach(schema.METHOD, f"the dtype is {method.kind}")


rows(
    "C-03",
    HOUSE,
    "continuum/method is none, column:NAME, hdu:NAME, fit:ALGORITHM or derived:EXPRESSION",
    "name where the continuum comes from",
    unknown="labels of another form",
)
rows(
    "C-04",
    HOUSE,
    "the method is none exactly where the continuum is all-NaN",
    "write the label of the method that was used",
    unlabelled="a continuum although the method is none",
    absent="no continuum although a method is named",
)
rows(
    "C-05",
    HOUSE,
    "a continuum is positive where it is finite",
    "set pixels without a continuum to NaN",
    not_positive="continuum values of zero or below",
)


@gathered(
    "R-01",
    MUST,
    "normalized_flux exists only when some spectrum has it",
    "remove the array, with its uncertainty",
)
def _normalized_empty(facts: StoreFacts, found: RowFacts) -> Iterator[Breach]:
    array = facts.arrays.get(schema.NORMALIZED)
    scanned = array is not None and array.shape == (facts.n_spec, facts.n_pix) and not array.unreadable
    damaged = any(where.startswith(f"{schema.NORMALIZED}/") for _, where in found.offences)
    if scanned and not damaged and schema.NORMALIZED not in found.finite:
        yield Breach(schema.NORMALIZED, "no row holds a value")


@structure(
    "R-02",
    MUST,
    "normalized_uncertainty comes only together with normalized_flux",
    "write both or neither, all-NaN where the uncertainty is unknown",
)
def _normalized_pair(facts: StoreFacts) -> Iterator[Breach]:
    if schema.NORMALIZED_UNCERTAINTY in facts.arrays and schema.NORMALIZED not in facts.arrays:
        yield Breach(schema.NORMALIZED_UNCERTAINTY, "there is no normalized_flux")
    if schema.NORMALIZED in facts.arrays and schema.NORMALIZED_UNCERTAINTY not in facts.arrays:
        yield Breach(schema.NORMALIZED, "there is no normalized_uncertainty", SHOULD)


same("R-03", HOUSE, "normalised arrays sit on the pixels of flux_raw", "D-02")


@structure("U-01", MUST, "spectral arrays declare their units", "set the attribute units to a unit text")
def _units(facts: StoreFacts) -> Iterator[Breach]:
    for path in schema.ARRAYS_WITH_UNITS:
        array = facts.arrays.get(path)
        units = array.attributes.get("units") if array is not None else "absent"
        if not isinstance(units, str) or not units.strip():
            yield Breach(path, f"the attribute units is {units!r}" if units is not None else "there is no unit")


@structure(
    "U-02",
    HOUSE,
    "the unit of wavelength is Angstrom, nm, um or m",
    "convert the wavelengths once and name the unit",
)
def _wavelength_unit(facts: StoreFacts) -> Iterator[Breach]:
    if (unit := _unit(facts, schema.WAVELENGTH)) is not None and (problem := wavelength_problem(unit)) is not None:
        yield Breach(schema.WAVELENGTH, f"'{unit}' {problem[0]}", MUST if problem[1] else None)


@structure(
    "U-03",
    HOUSE,
    "units are understood by astropy, or one of the named exceptions",
    "write a unit that astropy.units.Unit parses",
)
def _flux_units(facts: StoreFacts) -> Iterator[Breach]:
    for path in schema.CUBES:
        if (unit := _unit(facts, path)) is not None and (problem := unit_problem(unit)) is not None:
            yield Breach(path, f"'{unit}' {problem}")


@structure(
    "U-04",
    HOUSE,
    "uncertainty and continuum have the unit of the flux",
    "convert the values and write the unit of flux_raw",
)
def _equal_units(facts: StoreFacts) -> Iterator[Breach]:
    flux = _unit(facts, schema.FLUX)
    for path in (schema.UNCERTAINTY, schema.CONTINUUM, schema.CONTINUUM_UNCERTAINTY):
        unit = _unit(facts, path)
        if flux is None or unit is None or unit == flux:
            continue
        if same_dimension(unit, flux):
            yield Breach(path, f"'{unit}' is not the text '{flux}' of the flux", SHOULD)
        else:
            yield Breach(path, f"'{unit}' cannot be converted to '{flux}' of the flux")


rows(
    "U-05",
    MUST,
    "one wavelength unit in the whole store",
    "convert every file from its own unit before writing",
    implausible=("wavelengths outside 90 Angstrom to 3 mm", HOUSE),
    mixed="wavelengths of one instrument that differ by a ratio of units",
    suspicious=("wavelengths between 100 and 1100 beside others above 3000", HOUSE),
)


@structure("U-06", HOUSE, "normalised arrays are dimensionless", f"write the unit {DIMENSIONLESS}")
def _normalized_units(facts: StoreFacts) -> Iterator[Breach]:
    for path in (schema.NORMALIZED, schema.NORMALIZED_UNCERTAINTY):
        unit = _unit(facts, path)
        if unit is not None and unit != DIMENSIONLESS:
            yield Breach(path, f"the unit is '{unit}'", SHOULD if unit == "1" else None)


@structure(
    "U-07",
    HOUSE,
    "no attribute makes xarray read other numbers than are stored (CF conventions 2.5.1 and 8.1)",
    "store the values themselves, with NaN for what is missing, and remove the attribute",
)
def _packing(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        # What the contract does not name may be packed, and parameters have no attributes at all (P-02).
        if not schema.is_named(path) or path.startswith("params/"):
            continue
        given = array.attributes
        found = [name for name, harmless in _PACKING.items() if name in given and not harmless(given[name])]
        if found:
            said = " and ".join(f"{name} = {given[name]!r}" for name in found)
            yield Breach(path, f"xarray applies the attribute {said} and reads other numbers")


def _is_nan(value: Any) -> bool:
    if isinstance(value, str):
        # xarray writes a float64 as text in base 64.
        try:
            value = struct.unpack("<d", base64.b64decode(value, validate=True))[0]
        except (binascii.Error, struct.error, ValueError):
            return False
    return isinstance(value, float) and math.isnan(value)


_PACKING: dict[str, Callable[[Any], bool]] = {
    "scale_factor": lambda value: value == 1,
    "add_offset": lambda value: value == 0,
    "_FillValue": _is_nan,
    "missing_value": _is_nan,
    "_Unsigned": lambda value: False,
}
"""Attributes that CF decoding applies, and whether a value of them leaves the numbers as they are."""


def _unit(facts: StoreFacts, path: str) -> str | None:
    array = facts.arrays.get(path)
    unit = array.attributes.get("units") if array is not None else None
    return unit if isinstance(unit, str) and unit.strip() else None

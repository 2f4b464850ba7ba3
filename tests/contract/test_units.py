"""Unit strings of survey files become canonical text that astropy parses, and A is never ampere."""

from __future__ import annotations

import warnings

import pytest
from astropy import units
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr.contract.units import UNPARSED_UNITS, canonical_unit, is_magnitude, wavelength_factor

FLAM = "erg / (Angstrom cm2 s)"
VECTORS = {
    "10**(-16)erg.cm**(-2).s**(-1).angstrom**(-1)": f"1e-16 {FLAM}",
    "erg.cm**(-2).s**(-1).angstrom**(-1)": FLAM,
    "10**(-19) erg s**(-1) cm**(-2) angstrom**(-1)": f"1e-19 {FLAM}",
    "erg s**(-1) cm**(-2) nm**(-1)": "erg / (cm2 nm s)",
    "10**-17 erg/(s cm2 Angstrom)": f"1e-17 {FLAM}",
    "erg/s/cm2/A": FLAM,
    "10**(-20)erg/s/cm2/A": f"1e-20 {FLAM}",
    "1E-17 erg/cm^2/s/Ang": f"1e-17 {FLAM}",
    "10^-17 erg/s/cm^2/Ang": f"1e-17 {FLAM}",
    "Flux (10^-17 erg/s/cm^2/Ang)": f"1e-17 {FLAM}",
    "1.0E-17 erg/cm/s/Ang": f"1e-17 {FLAM}",
    "10-17 erg/s/cm2/A": f"1e-17 {FLAM}",
    "ERG/CM2/S/A": FLAM,
    "FLAM": FLAM,
    "FNU": "erg / (Hz cm2 s)",
    "PHOTLAM": "ph / (Angstrom cm2 s)",
    "photnu": "ph / (Hz cm2 s)",
    "photons/s/cm2/A": "ph / (Angstrom cm2 s)",
    "dimensionless_unit": "dimensionless",
    "erg/s/cm^2/cm": "erg / (cm3 s)",
    "erg/s/cm2/angstrom": FLAM,
    "erg /s /cm**2 /angstrom": FLAM,
    "erg/(s*cm^2*Angstrom)": FLAM,
    "W.m**-2.nm**-1": "W / (m2 nm)",
    "Jy": "Jy",
    "uJy": "uJy",
    "jy": "Jy",
    "1.E-26 jy": "1e-26 Jy",
    "adu": "adu",
    "ADU": "adu",
    "DU/PIXEL": "adu",
    "counts": "ct",
    "COUNTS": "ct",
    "count": "ct",
    "electron": "electron",
    "e-": "electron",
    "FN": "ct",
    "Relative Flux": "dimensionless",
    "instrumental": "dimensionless",
    "none": "dimensionless",
    "NONE": "dimensionless",
    "unitless": "dimensionless",
    "Normalized": "dimensionless",
    "": None,
    "   ": None,
    "banana": None,
    "mA": None,
    "Ampere": None,
    **dict.fromkeys(["A", "Angstrom", "micron", "s", "km/s", "K", "V", "mag", "mag(AB)", "dex", "dex(cm/s2)"], None),
    "ergs/s/cm^2/A": FLAM,
    "10**(-16) ergs/s/cm2/Å": f"1e-16 {FLAM}",
    "Watts/m^2/micron": "W / (m2 um)",
    "W m-2 um-1": "W / (m2 um)",
    "e-/s": "electron / s",
    "Electrons": "electron",
    "10": None,
}

FACTORS = {
    **dict.fromkeys(["Angstrom", "angstrom", "Angstroms", "ANGSTROMS", "Ang", "A", "AA", "0.1 nm", "Angstroem"], 1.0),
    **dict.fromkeys(["Angstrom (Vacuum)", " angstrom ", "ANGSTROM"], 1.0),
    **dict.fromkeys(["Å", "Angstrom (Air)", "Vacuum Angstroms", "angstroms in vacuum"], 1.0),
    **dict.fromkeys(["µm", "Microns (vacuum)"], 1e4),
    **dict.fromkeys(["1 nm", "nm", "NM", "nanometers"], 10.0),
    **dict.fromkeys(["um", "micron", "MICRON", "microns"], 1e4),
    **dict.fromkeys(["m", "M", "metre"], 1e10),
    **dict.fromkeys(["", "Hz", "km/s", "eV", "adu", "pixel", "s", "air"], None),
}


def is_storable(text: str) -> bool:
    """Whether a store may carry the text: known to be unparsable, or parsed by astropy and not electrical."""
    if text in UNPARSED_UNITS:
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unit = units.Unit(text)
    return all(base.physical_type != "electrical current" for base in unit.decompose().bases)


@pytest.mark.parametrize("text", VECTORS)
def test_every_unit_of_the_table_has_its_canonical_text(text: str) -> None:
    assert canonical_unit(text) == VECTORS[text]


@pytest.mark.parametrize("text", FACTORS)
def test_every_wavelength_unit_of_the_table_has_its_factor(text: str) -> None:
    assert wavelength_factor(text) == FACTORS[text]


@pytest.mark.parametrize("text", [text for text in VECTORS if VECTORS[text]])
def test_canonical_text_is_parsed_by_astropy_and_is_not_electrical(text: str) -> None:
    canonical = canonical_unit(text)
    assert canonical is not None
    assert is_storable(canonical)
    assert canonical_unit(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "factor", "unit"),
    [
        ("10 Jy", 10, "Jy"),
        ("10.0 Jy", 10, "Jy"),
        ("100 Jy", 100, "Jy"),
        ("1000 ct", 1000, "ct"),
        ("105 Jy", 105, "Jy"),
        ("1e3 Jy", 1000, "Jy"),
        ("10^3 Jy", 1000, "Jy"),
        ("10+3 Jy", 1000, "Jy"),
        ("0.001 Jy", 0.001, "Jy"),
        ("1d-17 Jy", 1e-17, "Jy"),
    ],
)
def test_a_number_in_front_is_kept_or_the_unit_is_refused(text: str, factor: float, unit: str) -> None:
    canonical = canonical_unit(text)
    if canonical is not None:
        assert units.Unit(canonical).to(units.Unit(unit)) == pytest.approx(factor)


@pytest.mark.parametrize("text", ["1e400 Jy", "10**(999) Jy", "10**(-999) Jy", "0 Jy", "1e-3 relative flux"])
def test_a_scale_that_no_unit_can_have_is_refused(text: str) -> None:
    canonical = canonical_unit(text)
    assert canonical is None or is_storable(canonical)


SCALES = st.sampled_from(
    ["", "10**(-17) ", "10^-17 ", "1E-17 ", "1.0e-16", "10-17 ", "10**3 ", "1e5 ", "10 ", "2.5 ", "0.1 "]
)
PARTS = st.lists(
    st.sampled_from(
        ["erg", "s", "cm2", "A", "Angstrom", "angstrom", "nm", "Jy", "ct", "counts", "adu", "W", "m", "Hz", "e-"]
    ),
    min_size=1,
    max_size=4,
)


@given(SCALES, PARTS, st.sampled_from(["/", " ", ".", "*"]))
def test_any_composition_is_refused_or_storable_and_canonical_already(scale: str, parts: list[str], by: str) -> None:
    canonical = canonical_unit(scale + by.join(parts))
    if canonical is not None:
        assert is_storable(canonical)
        assert canonical_unit(canonical) == canonical


@given(st.text(max_size=20))
def test_any_text_is_refused_or_storable(text: str) -> None:
    canonical = canonical_unit(text)
    assert canonical is None or is_storable(canonical)


@pytest.mark.parametrize("text", ["STMAG", "ABmag", "mag", "mag(AB)", " VEGAMAG ", "OBMAG"])
def test_magnitudes_are_told_from_fluxes(text: str) -> None:
    assert is_magnitude(text)


@pytest.mark.parametrize("text", ["FLAM", "magnetic", "", "maggy", "Jy"])
def test_other_units_are_no_magnitudes(text: str) -> None:
    assert not is_magnitude(text)

"""Spellings of units in headers of surveys, in papers and in files of observers, each with its value."""

from __future__ import annotations

import pytest
from astropy import units as u

from spectral_zarr.contract.units import DIMENSIONLESS, canonical_unit, wavelength_factor

CGS = u.erg / (u.s * u.cm**2 * u.AA)

OF_SCALED_CGS = (
    "10(-17) erg s(-1) cm(-2) A(-1)",
    "1E-17 erg/cm^2/s/Ang",
    "10^-17 erg/cm^2/s/A",
    "10^-17 erg cm^-2 s^-1 A^-1",
    "10**-17 erg/s/cm2/Angstrom",
    "1.0E-17 erg/cm/s/Ang",
    "1e-17 erg/(s cm2 Angstrom)",
    "10**(-17) erg/cm**2/s/A",
    "1d-17 erg/s/cm^2/A",
    "x 10^-17 erg/s/cm^2/A",
    "10-17 erg cm-2 s-1 A-1",
    "10^{-17} erg s^{-1} cm^{-2} \\AA^{-1}",
    "10^{-17} erg\\ s^{-1}\\ cm^{-2}\\ \\AA^{-1}",
    "$10^{-17}$ erg s$^{-1}$ cm$^{-2}$ \\AA$^{-1}$",
    "[10^-17 erg/s/cm^2/A]",
    "(10^-17 erg/s/cm^2/A)",
    "1e-17 erg/s/cm2/AA",
    "1e-17erg/s/cm2/A",
    "1E-17*erg/s/cm**2/Angstrom",
    "1e-17 ergs/s/cm^2/A",
    "1e-17 ergs/cm2/sec/A",
    "1e-17 ergs/cm**2/s/ang",
    "10**(-17)*erg/s/cm**2/Angstrom",
)
"""All of them are 1e-17 erg / (s cm2 Angstrom)."""

OF_CGS = (
    "erg/s/cm2/A",
    "erg/s/cm^2/A",
    "erg/s/cm**2/A",
    "erg/s/cm**2/Angstrom",
    "ergs/sec/cm2/A",
    "ergs/s/cm2/A",
    "erg/sec/cm^2/A",
    "erg/sec/cm2/Ang",
    "ERG/S/CM2/A",
    "ERG/CM2/S/A",
    "ERG/CM**2/S/A",
    "Erg/s/cm^2/A",
    "erg s-1 cm-2 A-1",
    "erg s^-1 cm^-2 A^-1",
    "erg s^-1 cm^-2 Angstrom^-1",
    "erg s**-1 cm**-2 Angstrom**-1",
    "erg.s-1.cm-2.A-1",
    "erg.cm-2.s-1.A-1",
    "erg.cm**-2.s**-1.Angstrom**-1",
    "erg/cm2/s/Angstrom",
    "erg/(s cm2 Angstrom)",
    "erg / (Angstrom cm2 s)",
    "erg/(cm2 s A)",
    "erg/(cm^2*s*A)",
    "erg/(s*cm^2*Angstrom)",
    "erg/(s.cm2.A)",
    "erg cm(-2) s(-1) A(-1)",
    "erg s(-1) cm(-2) angstrom(-1)",
    "ergs cm-2 s-1 A-1",
    "erg/s/cm/cm/A",
    "erg/cm/cm/s/A",
    "erg/cm2/sec/A",
    "erg/cm2/sec/angstrom",
    "erg/cm^2/sec/Angstroms",
    "ERG/SEC/CM**2/ANGSTROM",
    "ergs/cm**2/s/angstrom",
    "erg cm^{-2} s^{-1} A^{-1}",
    "erg s$^{-1}$ cm$^{-2}$ \\AA$^{-1}$",
    "erg s^{-1} cm^{-2} {\\AA}^{-1}",
    "erg/s/cm²/Å",
    "erg s⁻¹ cm⁻² Å⁻¹",
    "erg·s-1·cm-2·Å-1",
    "FLAM",
    "flam",
    "erg/s/cm2/AA",
    "erg/s/cm2/angstroms",
    "erg / s / cm^2 / A",
    "erg /s /cm^2 /A",
    "(erg/s/cm2/A)",
    "[erg/s/cm2/A]",
    "erg/A/cm2/s",
    "erg/Ang/cm2/s",
    "erg/Angstrom/cm^2/s",
    "erg*s-1*cm-2*A-1",
    "erg_s-1_cm-2_A-1",
    "erg s-1 cm-2 ang-1",
    "erg s-1 cm-2 Ang-1",
    "erg/s/sqcm/A",
    "Flux (erg/s/cm2/A)",
    "F_lambda (erg/s/cm^2/A)",
)
"""All of them are erg / (s cm2 Angstrom)."""

OTHERS = {
    "10(-16) W m(-2) um(-1)": 1e-16 * u.W / (u.m**2 * u.um),
    "W/m^2/micron": u.W / (u.m**2 * u.um),
    "Watt/m2/micron": u.W / (u.m**2 * u.um),
    "W m^{-2} \\mu m^{-1}": u.W / (u.m**2 * u.um),
    "W.m**-2.nm**-1": u.W / (u.m**2 * u.nm),
    "W/(m2 um)": u.W / (u.m**2 * u.um),
    "erg/s/cm^2/micron": u.erg / (u.s * u.cm**2 * u.um),
    "erg/cm^2/s/cm": u.erg / (u.s * u.cm**3),
    "ERG/CM2/S/HZ": u.erg / (u.s * u.cm**2 * u.Hz),
    "ergs/s/cm2/hz": u.erg / (u.s * u.cm**2 * u.Hz),
    "erg cm-2 s-1 Hz-1": u.erg / (u.s * u.cm**2 * u.Hz),
    "JY": u.Jy,
    "jansky": u.Jy,
    "janskys": u.Jy,
    "mjy": u.mJy,
    "milliJansky": u.mJy,
    "microJy": u.uJy,
    "µJy": u.uJy,
    "MJy sr-1": u.MJy / u.sr,
    "COUNTS/S": u.ct / u.s,
    "cts/s": u.ct / u.s,
    "counts/sec": u.ct / u.s,
    "cts": u.ct,
    "ELECTRONS/S": u.electron / u.s,
    "e-/s": u.electron / u.s,
    "e-": u.electron,
    "photons/cm2/sec/A": u.photon / (u.cm**2 * u.s * u.AA),
    "erg/s/A": u.erg / (u.s * u.AA),
    "Lsun/A": u.solLum / u.AA,
}

WAVELENGTHS = {
    1.0: (
        "angs",
        "Angs",
        "Ang.",
        "\\AA",
        "Å",
        "Ångström",
        "(A)",
        "[Angstrom]",
        "1e-10 m",
        "10^-10 m",
        "Angstrom, air",
        "0.1 nanometer",
    ),
    10.0: ("nm (air)", "NM", "Wavelength (nm)", "1e-9 m"),
    1e4: ("MICRON", "$\\mu$m", "micro-meter", "10**(-6) m", "μm"),
    1e10: ("meters", "metres"),
}


@pytest.mark.parametrize(
    ("text", "unit"),
    [*((text, 1e-17 * CGS) for text in OF_SCALED_CGS), *((text, CGS) for text in OF_CGS), *OTHERS.items()],
)
def test_a_spelling_of_a_flux_has_its_value(text: str, unit: u.UnitBase) -> None:
    canonical = canonical_unit(text)
    assert canonical is not None
    assert u.Unit(canonical).to(unit) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("text", ["relative", "Arbitrary units", "normalized flux", "NORMALIZED"])
def test_a_flux_without_a_unit_is_dimensionless(text: str) -> None:
    assert canonical_unit(text) == DIMENSIONLESS


@pytest.mark.parametrize("text", ["MJY", "no unit", "e/s", "wavelength (nm)", "(km/s)", "$", "{", "[", "()"])
def test_what_means_several_things_or_none_is_no_flux(text: str) -> None:
    assert canonical_unit(text) is None


@pytest.mark.parametrize(
    ("factor", "text"), [(factor, text) for factor, texts in WAVELENGTHS.items() for text in texts]
)
def test_a_spelling_of_a_wavelength_has_its_factor(factor: float, text: str) -> None:
    assert wavelength_factor(text) == factor


@pytest.mark.parametrize("text", ["pixel", "log(Angstrom)", "log10(A)", "keV", "Hz", "cm-1", "1/cm", "", "x" * 500])
def test_what_is_no_length_is_no_wavelength(text: str) -> None:
    assert wavelength_factor(text) is None


def test_there_are_a_hundred_spellings() -> None:
    assert len({*OF_SCALED_CGS, *OF_CGS, *OTHERS}) >= 100

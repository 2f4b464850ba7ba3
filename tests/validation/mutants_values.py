"""Mutants of the pixels and of the labels and units that belong to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .good_stores import CUBES, N_PIX, N_SPEC
from .mutants import HOUSE, WARNING, Damage, Mutant, attributes, put, remove, rewrite, root_of, together

FLUX, SIGMA, WAVELENGTH = "signal/flux_raw", "signal/uncertainty_raw", "signal/wavelength"
MODEL, METHOD = "continuum/continuum_model", "continuum/method"
NORMALIZED = "representations/normalized_flux"
FLUX_UNIT = "erg / (Angstrom cm2 s)"
PADDED = np.s_[1028, N_PIX - 1]
"""A pixel of the ragged store without a wavelength."""

SECOND_CHUNK = (1024, 1025, 1026, 1027, 1028)


def flux_unit(unit: str) -> Damage:
    """The same unit at all cubes that have that of the flux."""
    return together(*(attributes(path, units=unit) for path in CUBES[:4]))


def pixels(change: Callable[[Any], Any], path: str = WAVELENGTH) -> Damage:
    """Change the values of an array in place."""

    def damage(store: Path) -> None:
        array = root_of(store)[path]
        values = array[...]
        change(values)
        array[...] = values

    return damage


def _scaled(rows: Any, factor: float) -> Damage:
    def change(values: Any) -> None:
        values[rows] *= factor

    return pixels(change)


def _swap(row: int, one: int, other: int) -> Damage:
    def change(values: Any) -> None:
        values[row, [one, other]] = values[row, [other, one]]

    return pixels(change)


NO_PIXEL = together(*(put(path, np.s_[[3, 1027], 5], np.nan) for path in (WAVELENGTH, *CUBES)))
NO_START = together(*(put(path, np.s_[1029, :2], np.nan) for path in (WAVELENGTH, *CUBES)))


FLUXES = [
    Mutant("S-01", "double precision", rewrite(FLUX, lambda f: f.astype("f8")), FLUX, WARNING),
    Mutant("S-01", "integers", rewrite(FLUX, lambda f: f.astype("i2")), FLUX, says="too narrow"),
    Mutant("S-01", "half precision", rewrite(FLUX, lambda f: f.astype("f2")), FLUX, says="too narrow"),
    Mutant(
        "S-06",
        "an uncertainty of zero",
        put(SIGMA, np.s_[[7, 1029], 3], 0),
        SIGMA,
        HOUSE,
        (7, 1029),
        says="zero or below",
    ),
    Mutant(
        "S-06",
        "negative uncertainties",
        put(SIGMA, np.s_[1020:, 0], -1),
        SIGMA,
        HOUSE,
        (1020, 1021, 1022, 1023, 1024),
        10,
    ),
    Mutant(
        "S-06", "an infinite uncertainty", put(SIGMA, np.s_[1024, 39], np.inf), SIGMA, HOUSE, (1024,), says="infinite"
    ),
    Mutant("S-07", "an infinite flux", put(FLUX, np.s_[5, 0], np.inf), FLUX, HOUSE, (5,)),
    Mutant("S-07", "a flux of minus infinity", put(FLUX, np.s_[1026, 20], -np.inf), FLUX, HOUSE, (1026,)),
    Mutant("S-07", "an infinite normalised flux", put(NORMALIZED, np.s_[4, 20], np.inf), NORMALIZED, HOUSE, (4,)),
    Mutant("S-07", "uncertainties of integers", rewrite(SIGMA, lambda v: v.astype("i4")), SIGMA, HOUSE, says="int32"),
    Mutant("S-07", "a continuum of text", rewrite(MODEL, lambda v: v.astype(str).astype(object)), MODEL, says="text"),
    Mutant("S-09", "garbage", put(FLUX, np.s_[[2, 1025], 10:12], 3e12), FLUX, HOUSE, (2, 1025)),
    Mutant("S-10", "a fill value of -999", put(FLUX, np.s_[1028, 30:], -999), FLUX, HOUSE, (1028,)),
    Mutant("S-10", "a fill value of 999999 in one pixel", put(FLUX, np.s_[3, 17], 999999), FLUX, HOUSE, (3,)),
    Mutant("Q-02", "rows of zeros", put(FLUX, np.s_[[0, 1023, 1024]], 0), FLUX, rows=(0, 1023, 1024)),
    Mutant("Q-02", "a row of negative zeros", put(FLUX, 9, -0.0), FLUX, rows=(9,)),
    Mutant("Q-02", "a row of NaN", put(FLUX, 1029, np.nan), FLUX, rows=(1029,)),
    Mutant(
        "Q-02",
        "a row of NaN and zeros",
        together(put(FLUX, np.s_[5, ::2], np.nan), put(FLUX, np.s_[5, 1::2], 0)),
        FLUX,
        rows=(5,),
    ),
    Mutant("Q-02", "a final path that was written in part", remove(f"{FLUX}/c/1/0"), FLUX, rows=SECOND_CHUNK, count=6),
    Mutant(
        "Q-02",
        "a row of zeros in several columns of chunks",
        put(FLUX, 259, 0),
        FLUX,
        rows=(259,),
        base="high resolution",
    ),
]

WAVELENGTHS = [
    Mutant("S-02", "a common wavelength with NaN", put(WAVELENGTH, 39, np.nan), WAVELENGTH, says="not finite"),
    Mutant("S-02", "a common wavelength with infinity", put(WAVELENGTH, 0, np.inf), WAVELENGTH, says="not finite"),
    Mutant(
        "S-03",
        "fine pixels in single precision",
        rewrite(WAVELENGTH, lambda w: (5000 + (w - 5000) / 100).astype("f4")),
        WAVELENGTH,
        HOUSE,
        says="0.01 pixel",
    ),
    Mutant("S-03", "integers", rewrite(WAVELENGTH, lambda w: w.astype("i4")), WAVELENGTH, HOUSE, says="int32"),
    Mutant("S-03", "text", rewrite(WAVELENGTH, lambda w: w.astype(str).astype(object)), WAVELENGTH, says="text"),
    Mutant("S-04", "a descending grid", rewrite(WAVELENGTH, lambda w: w[::-1]), WAVELENGTH, HOUSE, says="increase"),
    Mutant("S-04", "a repeated wavelength", put(WAVELENGTH, 7, 5006.0), WAVELENGTH, HOUSE, says="increase"),
    Mutant(
        "S-04", "two pixels exchanged", _swap(1027, 11, 12), WAVELENGTH, HOUSE, (1027,), says="increase", base="ragged"
    ),
    Mutant("S-04", "NaN between wavelengths", NO_PIXEL, WAVELENGTH, HOUSE, (3, 1027), says="NaN", base="ragged"),
    Mutant("S-04", "NaN in front", NO_START, WAVELENGTH, HOUSE, (1029,), says="NaN", base="ragged"),
    Mutant("S-05", "a flux without a wavelength", put(FLUX, PADDED, 1), FLUX, HOUSE, (1028,), base="ragged"),
    Mutant("S-05", "an uncertainty without a wavelength", put(SIGMA, PADDED, 1), SIGMA, HOUSE, (1028,), base="ragged"),
    Mutant("S-05", "a continuum without a wavelength", put(MODEL, PADDED, 160), MODEL, HOUSE, (1028,), base="ragged"),
    Mutant(
        "S-08",
        "one grid stored a thousand times",
        rewrite(WAVELENGTH, lambda w: np.tile(w, (N_SPEC, 1))),
        WAVELENGTH,
        HOUSE,
    ),
    Mutant(
        "U-05", "rows in nm", _scaled([5, 7, 1029], 0.1), WAVELENGTH, rows=(5, 7, 1029), base="ragged", says="ratio"
    ),
    Mutant("U-05", "a row in Angstrom in a store of nm", _scaled([1028], 10), WAVELENGTH, rows=(1028,), base="nm"),
    Mutant(
        "U-05",
        "an instrument in nm",
        _scaled(np.s_[1::2], 0.1),
        WAVELENGTH,
        HOUSE,
        rows=(1, 3, 5, 7, 9),
        count=515,
        base="ragged",
        says="100 and 1100",
    ),
    Mutant("U-05", "um in a store of Angstrom", _scaled(np.s_[:], 1e-4), WAVELENGTH, HOUSE, says="90 Angstrom"),
]

CONTINUA = [
    Mutant("C-02", "numbers as labels", rewrite(METHOD, lambda m: np.zeros(len(m), "i4")), METHOD),
    Mutant("C-02", "an empty label", put(METHOD, 1024, ""), METHOD, WARNING, (1024,)),
    Mutant("C-03", "a label without its kind", put(METHOD, [0, 1026], "polynomial"), METHOD, HOUSE, (0, 1026)),
    Mutant("C-03", "a label without a name", put(METHOD, 2, "fit:"), METHOD, HOUSE, (2,)),
    Mutant("C-04", "a continuum called none", put(METHOD, 1024, "none"), METHOD, HOUSE, (1024,), says="although"),
    Mutant(
        "C-04", "a method without a continuum", put(METHOD, 1, "fit:poly3"), METHOD, HOUSE, (1,), says="no continuum"
    ),
    Mutant("C-05", "a continuum of zero", put(MODEL, np.s_[1028, 3], 0), MODEL, HOUSE, (1028,)),
    Mutant(
        "R-01",
        "no normalised flux at all",
        put(NORMALIZED, np.s_[:], np.nan),
        NORMALIZED,
    ),
    Mutant("R-02", "an uncertainty alone", remove(NORMALIZED), "representations/normalized_uncertainty"),
    Mutant("R-02", "a flux alone", remove("representations/normalized_uncertainty"), NORMALIZED, WARNING),
]

UNITS = [
    *(Mutant("U-01", f"no unit at {path}", attributes(path, units=None), path) for path in (WAVELENGTH, *CUBES)),
    Mutant("U-01", "a blank unit", attributes(FLUX, units=" "), FLUX),
    Mutant("U-01", "a number as unit", attributes(WAVELENGTH, units=1e-10), WAVELENGTH),
    Mutant("U-02", "ampere", attributes(WAVELENGTH, units="A"), WAVELENGTH, says="'A'"),
    Mutant("U-02", "pixels", attributes(WAVELENGTH, units="pixel"), WAVELENGTH),
    Mutant("U-02", "another spelling", attributes(WAVELENGTH, units="angstrom"), WAVELENGTH, HOUSE),
    Mutant("U-03", "a text that is no unit", flux_unit("flux units"), CUBES[:4], HOUSE),
    Mutant("U-03", "ampere in a flux", flux_unit("erg / (A cm2 s)"), CUBES[:4], HOUSE, says="ampere"),
    Mutant("U-04", "the uncertainty in Jy", attributes(SIGMA, units="Jy"), SIGMA, HOUSE, says="converted"),
    Mutant("U-04", "a continuum in counts", attributes(MODEL, units="adu"), MODEL, HOUSE, says="converted"),
    Mutant("U-04", "another text", attributes(SIGMA, units="erg / (cm2 s Angstrom)"), SIGMA, WARNING, says="text"),
    Mutant("U-06", "the unit 1", attributes(NORMALIZED, units="1"), NORMALIZED, WARNING),
    Mutant("U-06", "a normalised flux in counts", attributes(NORMALIZED, units="adu"), NORMALIZED, HOUSE),
    Mutant("U-07", "a scale", attributes(FLUX, scale_factor=0.01, add_offset=5.0), FLUX, HOUSE, says="scale_factor"),
    Mutant("U-07", "a zero that is missing", attributes(SIGMA, _FillValue="AAAAAAAAAAA="), SIGMA, HOUSE),
]

"""The wavelength axis of a one-dimensional image, from its world coordinate cards."""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import Any

from spectral_zarr.config import ImageOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import BadWavelength, MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import Sampling
from spectral_zarr.readers.fits import Header

_SKY = ("RA--", "DEC-", "GLON", "GLAT", "ELON", "ELAT", "HPLN", "HPLT")
_OTHER_AXES = ("VELO", "VRAD", "VOPT", "ZOPT", "BETA", "FELO", "FREQ", "ENER", "WAVN", "TIME", "UTC", "PHASE")
_OTHER_UNITS = re.compile(r"^(k?m/s|k?m s-1|k?m\.s-1|[kMGT]?Hz|[kM]?eV|(1/|/)?cm\*{0,2}\^?-1|1/cm|s|d)$", re.IGNORECASE)
_SPECTRAL = re.compile(r"^(WAVE|AWAV|LAMBDA|LINEAR|ANGSTROM|MULTISPE|LOG|LN)")
_ALGORITHM = re.compile(r"^(?:WAVE|AWAV)-(?!LOG)([A-Z0-9]{3})$")
_UNIT_IN_AXIS = re.compile(r"[\[(]\s*([^\])]+?)\s*[\])]")
_UNIT_IN_WAT = re.compile(r"units\s*=\s*\"?([^\"\s]+)", re.IGNORECASE)
_MEDIA = MappingProxyType({"AIR": "air", "VAC": "vacuum", "VACUUM": "vacuum"})
_FLAGS = MappingProxyType(
    {
        **dict.fromkeys(("T", "TRUE", "YES", "Y", "1", "1.0"), "vacuum"),
        **dict.fromkeys(("F", "FALSE", "NO", "N", "0", "0.0"), "air"),
    }
)
_ANGSTROM_LIBRARIES = ("MILES",)

SHORTEST, LONGEST = 500.0, 3e5
"""Angstrom; the start of a spectrum for which the meaning of a logarithmic CRVAL1 is decided by its magnitude."""


def increment(header: Header) -> float:
    """Step per pixel: CD1_1 where it exists, because FITS then ignores CDELT1; else CDELT1 times PC1_1."""
    step = header.number("CD1_1")
    if math.isfinite(step) and step != 0:
        return step
    rotation = header.number("PC1_1")
    return header.number("CDELT1") * (rotation if math.isfinite(rotation) else 1.0)


def reference_pixel(header: Header) -> float:
    """CRPIX1, one-based and perhaps outside the array; 1 when absent, as every spectral file without it means."""
    pixel = header.number("CRPIX1")
    return pixel if math.isfinite(pixel) else 1.0


def affine_sampling(header: Header, n_pix: int, *, path: str, hdu: int = 0, **known: Any) -> Sampling:
    """Sampling of CRVAL1, CRPIX1 and the increment, taken as they stand on the scale that `known` names.

    Parameters
    ----------
    header : Header
        Header of the image.
    n_pix : int
        Pixels of the spectrum.
    path : str
        File, for the message.
    hdu : int
        HDU, for the message.
    **known
        Other fields of `Sampling`.

    Raises
    ------
    MissingField
        When CRVAL1 or the increment is missing.
    """
    value, step = header.number("CRVAL1"), increment(header)
    if not (math.isfinite(value) and math.isfinite(step)):
        message = "CRVAL1 or CDELT1 is missing, so the pixels have no wavelength; fetch the file again or leave it out"
        raise MissingField(message, path=path, hdu=hdu)
    return Sampling(start=value + (1.0 - reference_pixel(header)) * step, step=step, n_pix=n_pix, **known)


def has_axis(header: Header) -> bool:
    """Whether the cards place pixels on a first axis that is not on the sky."""
    placed = "CRVAL1" in header and ("CDELT1" in header or "CD1_1" in header)
    return (placed or _has_coefficients(header)) and not header.text("CTYPE1").upper().startswith(_SKY)


def names_wavelength(header: Header) -> bool:
    """Whether any axis of an image of several axes is spectral by its CTYPE."""
    axes = (header.text(f"CTYPE{axis}").upper() for axis in (1, 2, 3))
    return any(_SPECTRAL.match(axis) or axis.startswith(_OTHER_AXES[:9]) for axis in axes)


def image_sampling(header: Header, options: ImageOptions, *, path: str, hdu: int, n_pix: int) -> Sampling:
    """Wavelength axis of an image of unknown origin.

    Linear axes, and logarithmic ones by DC-FLAG, WFITTYPE, LOGLAM, COEFF0 and COEFF1 (base 10) or by CTYPE1. Files
    with a logarithmic CTYPE1 store the natural or the decimal logarithm in CRVAL1, or follow FITS Paper III (Greisen
    et al. 2006, eq. 5) with CRVAL1 in units of wavelength: the magnitude of CRVAL1 tells which.

    Parameters
    ----------
    header : Header
        Header of the image.
    options : ImageOptions
        What the user says of the unit and the medium.
    path, hdu
        Place, for messages.
    n_pix : int
        Pixels of the spectrum.

    Raises
    ------
    RefusedProduct
        When the axis is not a wavelength or is neither linear nor logarithmic.
    UnknownUnit
        When neither the header nor the configuration gives its unit.
    BadWavelength
        When a logarithmic CRVAL1 makes no sense.
    """
    axis = header.text("CTYPE1").upper()
    _refuse_other_axes(header, axis, path, hdu)
    unit = _unit(header, options, path, hdu)
    medium = _medium(header, axis, options)
    if not ("CRVAL1" in header and math.isfinite(increment(header))) and _has_coefficients(header):
        start, step = header.number("COEFF0"), header.number("COEFF1")
        return Sampling(unit=unit, medium=medium, scale="log10", start=start, step=step, n_pix=n_pix)
    sampling = affine_sampling(header, n_pix, path=path, hdu=hdu, unit=unit, medium=medium)
    factor = wavelength_factor(unit) or 1.0
    value, step = header.number("CRVAL1"), sampling.step
    scale = _scale(header, axis, value, step, factor)
    if scale == "paper-iii":
        step /= value
        start = math.log(value) + (1.0 - reference_pixel(header)) * step
        return Sampling(unit=unit, medium=medium, scale="ln", start=start, step=step, n_pix=n_pix)
    if scale == "":
        message = (
            f"the axis is logarithmic and CRVAL1 = {value:g} {unit} fits no or several conventions; resample the file"
        )
        raise BadWavelength(message, path=path, hdu=hdu)
    return affine_sampling(header, n_pix, path=path, hdu=hdu, unit=unit, medium=medium, scale=scale)


def stated_medium(header: Header, default: str) -> str:
    """Medium by the cards AIRORVAC and VACUUM: `default` without them, ``unknown`` where they exclude one another.

    A VACUUM that is no logical value, such as the pressure in a dewar, says nothing of the wavelengths.
    """
    medium = _MEDIA.get(header.text("AIRORVAC").upper(), "")
    flag = _FLAGS.get(header.text("VACUUM").upper(), "")
    if medium and flag and medium != flag:
        return "unknown"
    return medium or flag or default


def _has_coefficients(header: Header) -> bool:
    return math.isfinite(header.number("COEFF0")) and math.isfinite(header.number("COEFF1"))


def _refuse_other_axes(header: Header, axis: str, path: str, hdu: int) -> None:
    unit = header.text("CUNIT1")
    if axis.startswith(_OTHER_AXES) or _OTHER_UNITS.match(unit) or _OTHER_UNITS.match(axis):
        message = f"the axis is '{axis}' in '{unit}', not a wavelength; convert the file or leave it out"
        raise RefusedProduct(message, path=path, hdu=hdu)
    if axis.startswith("PIXEL"):
        raise RefusedProduct("the axis counts pixels: the spectrum has no wavelength calibration", path=path, hdu=hdu)
    if algorithm := _ALGORITHM.match(axis):
        message = f"the axis is {axis}: algorithm {algorithm[1]} is neither linear nor logarithmic; resample the file"
        raise RefusedProduct(message, path=path, hdu=hdu)


def _unit(header: Header, options: ImageOptions, path: str, hdu: int) -> str:
    # IRAF cuts the attribute text into cards of 68 characters, blanks at the cut included.
    attributes = "".join(header.text(f"WAT1_{i:03d}").ljust(68) for i in range(1, 10) if f"WAT1_{i:03d}" in header)
    in_attributes = _UNIT_IN_WAT.search(attributes)
    axis = header.text("CTYPE1")
    in_axis = _UNIT_IN_AXIS.search(axis)
    implied = "Angstrom" if _has_coefficients(header) or header.text("TPLLIB") in _ANGSTROM_LIBRARIES else ""
    in_card = _UNIT_IN_AXIS.search(header.text("CUNIT1"))
    candidates = (
        options.wavelength_unit,
        header.text("CUNIT1"),
        in_card[1] if in_card else "",
        in_attributes[1] if in_attributes else "",
        in_axis[1] if in_axis else axis,
        implied,
    )
    for candidate in candidates:
        if candidate and wavelength_factor(candidate) is not None:
            return candidate
    said = f"CUNIT1 = '{header.text('CUNIT1')}'" if header.text("CUNIT1") else "no CUNIT1"
    message = f"the header has {said}, so the unit of the wavelength is unknown; set wavelength_unit in [readers.image]"
    raise UnknownUnit(message, path=path, hdu=hdu)


def chosen_medium(header: Header, options: ImageOptions) -> str:
    """Medium that the user names, else that of the cards."""
    return options.medium if options.medium != "unknown" else stated_medium(header, "unknown")


def _medium(header: Header, axis: str, options: ImageOptions) -> str:
    if options.medium != "unknown":
        return options.medium
    word = axis.split("-")[0]
    if word in ("AWAV", "WAVE"):
        return "air" if word == "AWAV" else "vacuum"
    return "air" if header.text("TPLLIB") in _ANGSTROM_LIBRARIES else stated_medium(header, "unknown")


def _scale(header: Header, axis: str, value: float, step: float, factor: float) -> str:
    """``linear``, ``log10``, ``ln`` or ``paper-iii``; '' when the cards contradict one another."""
    decimal = value < 10 and SHORTEST <= 10.0**value * factor <= LONGEST
    declared = (
        header.flag("DC-FLAG")
        or header.flag("LOGLAM")
        or "LOG" in header.text("WFITTYPE").upper()
        or header.number("COEFF0") == value
    )
    if declared:
        return "log10" if decimal else ""
    in_unit_of_log = header.text("CUNIT1").upper().startswith("LOG")
    if axis.endswith("-LOG") or axis.startswith(("LOG", "LN")) or in_unit_of_log:
        natural = value < 15 and SHORTEST <= math.exp(value) * factor <= LONGEST
        if axis.endswith("-LOG") and SHORTEST <= value * factor <= LONGEST:
            return "paper-iii"
        if decimal != natural:
            return "log10" if decimal else "ln"
        return ""
    # A linear axis cannot begin at 3.5 Angstrom: such files forgot to say that CRVAL1 is a logarithm.
    undeclared = "DC-FLAG" not in header and value * factor < 10.0 and 2.5 <= value <= 5.5 and abs(step) < 1e-2
    return "log10" if undeclared and decimal else "linear"

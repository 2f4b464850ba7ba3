"""The world coordinates of IRAF spectra: attributes in WAT cards, and the dispersion function of every line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import BadWavelength, MissingField, RefusedProduct
from spectral_zarr.model import Sampling
from spectral_zarr.readers.fits import Header

PIECE = 68
"""Characters of one WAT card; blanks at the cut are lost in the header and belong to the text."""

_SPECTRUM = re.compile(r"\bspec(\d+)\s*=\s*\"([^\"]*)\"?", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*(?:\"([^\"]*)\"|(\S+))")
_NUMBER = re.compile(r"\s*(INDEF|[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?)")
_SHARED_FIELDS = 9

LINEAR, LOG_LINEAR, NONLINEAR = 0, 1, 2

Numbers = NDArray[np.float64]
Evaluate = Callable[[Numbers, Numbers, Numbers], Numbers]


_CALIBRATIONS = frozenset(
    {"arc", "bias", "comp", "comparison", "dark", "flat", "flat field", "flatfield", "lamp", "zero"}
)
"""Values of IMAGETYP that are no exposure of the sky."""
_LAMP = re.compile(
    r"^\s*(comp(arison)?|arc|lamp|flat|quartz|bias|zero|dark)\b|(Th|Fe|Cu|He|Ne|Hg|Cd|Zn|U)[-/ ]?(Ne[-/ ]?)?(Ar|Ne)",
    re.IGNORECASE,
)
"""What OBJECT says of a lamp or another calibration."""


def refuse_calibration(header: Header, *, path: str, hdu: int) -> None:
    """Refuse the spectrum of a lamp or another calibration where both IMAGETYP and OBJECT say so.

    Raises
    ------
    RefusedProduct
    """
    kind, target = header.text("IMAGETYP"), header.text("OBJECT")
    # Spectra of stars are in use whose IMAGETYP says comp, so that it is not believed alone.
    if kind.lower() in _CALIBRATIONS and _LAMP.search(target):
        message = f"IMAGETYP = '{kind}' and OBJECT = '{target}': a calibration and no star; leave it out"
        raise RefusedProduct(message, path=path, hdu=hdu)


def attribute_text(header: Header, axis: int) -> str:
    """Text of the WAT cards of an axis (0 for the whole image), pasted together as IRAF cut it."""
    pieces = []
    for number in range(1, 1000):
        keyword = f"WAT{axis}_{number:03d}"
        if keyword not in header:
            break
        value = header.get(keyword)
        pieces.append((value if isinstance(value, str) else header.text(keyword)).ljust(PIECE))
    return "".join(pieces)


def attribute(header: Header, axis: int, name: str) -> str:
    """One attribute of an axis, such as ``system`` of axis 0 or ``units`` of axis 1, '' when it is absent."""
    for match in _ATTRIBUTE.finditer(attribute_text(header, axis)):
        if match[1].lower() == name:
            return match[2] if match[2] is not None else match[3]
    return ""


def system(header: Header) -> str:
    """Name of the coordinate system, ``multispec``, ``equispec`` or another, in lower case; '' outside IRAF."""
    if header.text("CTYPE1").upper().startswith("MULTISPE"):
        return "multispec"
    return attribute(header, 0, "system").lower()


@dataclass(frozen=True, slots=True)
class Dispersion:
    """What a ``specN`` attribute says of one line.

    Attributes
    ----------
    aperture, beam : int
        Number of the aperture, and of the echelle order or the kind of fibre.
    kind : int
        0 linear, 1 linear in log10, 2 a sum of functions, -1 not calibrated.
    first, step : float
        Coordinate of the first physical pixel and its increment.
    n_pix : int
        Physical pixels that have a wavelength.
    redshift : float
        z; wavelengths are divided by 1 + z.
    functions : tuple of float
        Fields after the ninth.
    """

    aperture: int
    beam: int
    kind: int
    first: float
    step: float
    n_pix: int
    redshift: float
    functions: tuple[float, ...]


def dispersions(header: Header) -> dict[int, str]:
    """Text of every ``specN`` attribute by N, the one-based physical line."""
    return {int(match[1]): match[2] for match in _SPECTRUM.finditer(attribute_text(header, 2))}


def parse_dispersion(text: str) -> Dispersion:
    """Fields of a ``specN`` attribute.

    Raises
    ------
    MissingField
        When fields are missing or are not numbers.
    """
    numbers: list[float] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _NUMBER.match(text, position)
        if match is None:
            raise MissingField(f"the IRAF attribute has '{text[position : position + 20]}' in place of a number")
        numbers.append(math.nan if match[1] == "INDEF" else float(match[1].upper().replace("D", "E")))
        position = match.end()
    whole = [numbers[i] for i in (0, 1, 2, 5)] if len(numbers) >= _SHARED_FIELDS else []
    if not whole or not all(math.isfinite(number) for number in numbers[:7]) or any(n % 1 for n in whole):
        message = f"the IRAF attribute '{text[:60]}' lacks the nine fields of a dispersion; fetch the file again"
        raise MissingField(message)
    return Dispersion(
        aperture=int(numbers[0]),
        beam=int(numbers[1]),
        kind=int(numbers[2]),
        first=numbers[3],
        step=numbers[4],
        n_pix=int(numbers[5]),
        redshift=numbers[6],
        functions=tuple(numbers[_SHARED_FIELDS:]),
    )


def multispec_sampling(
    dispersion: Dispersion, header: Header, n_pix: int, *, unit: str, medium: str
) -> tuple[Sampling, slice]:
    """Wavelength axis of one line of a multispec image.

    IRAF ``specwcs`` (Valdes 1993): functions of the physical pixel p = (l - LTV1) / LTM1_1, l counting from 1, and
    w = sum(weight * (offset + W(p))) / sum(weight) / (1 + z).

    Parameters
    ----------
    dispersion : Dispersion
        The attribute of the line.
    header : Header
        Header with the LTV1 and LTM1_1 cards.
    n_pix : int
        Pixels of the image line.
    unit, medium : str
        What the wavelengths are measured in.

    Returns
    -------
    sampling : Sampling
        Axis of the pixels that the dispersion covers.
    covered : slice
        Those pixels.

    Raises
    ------
    RefusedProduct
        When the line has no wavelength calibration.
    BadWavelength, MissingField
        When the dispersion is impossible or incomplete.
    """
    if dispersion.kind not in (LINEAR, LOG_LINEAR, NONLINEAR) or dispersion.n_pix < 1:
        message = f"aperture {dispersion.aperture} has no wavelength calibration; run dispcor on the file"
        raise RefusedProduct(message)
    scale, offset = physical_mapping(header, 1)
    physical: Numbers = (np.arange(1.0, n_pix + 1) - offset) / scale
    inside = np.flatnonzero((physical >= 0.5) & (physical <= dispersion.n_pix + 0.5))
    factor = 1.0 + dispersion.redshift
    if inside.size < 2 or not factor > 0:
        message = f"aperture {dispersion.aperture} covers {inside.size} pixels with a redshift of {dispersion.redshift}"
        raise BadWavelength(f"{message}; leave it out")
    covered = slice(int(inside[0]), int(inside[-1]) + 1)
    pixels = physical[covered]
    if dispersion.kind == NONLINEAR:
        values = evaluate_functions(dispersion.functions, pixels) / factor
        return Sampling(unit=unit, medium=medium, values=values), covered
    start, step = dispersion.first + dispersion.step * (float(pixels[0]) - 1.0), dispersion.step / scale
    if dispersion.kind == LINEAR:
        sampling = Sampling(unit=unit, medium=medium, start=start / factor, step=step / factor, n_pix=pixels.size)
    else:
        start -= math.log10(factor)
        sampling = Sampling(unit=unit, medium=medium, scale="log10", start=start, step=step, n_pix=pixels.size)
    return sampling, covered


def physical_mapping(header: Header, axis: int) -> tuple[float, float]:
    """Scale and offset of logical = scale * physical + offset along an axis, from LTMi_i and LTVi."""
    scale, offset = header.number(f"LTM{axis}_{axis}"), header.number(f"LTV{axis}")
    return (scale if math.isfinite(scale) and scale != 0 else 1.0), (offset if math.isfinite(offset) else 0.0)


def evaluate_functions(fields: tuple[float, ...], pixels: Numbers) -> Numbers:
    """Weighted mean of the dispersion functions that the fields after the ninth describe, shape (n_pix,), float64.

    Raises
    ------
    MissingField
        When the fields end within a function or name one that IRAF does not have.
    """
    total, weights = np.zeros_like(pixels), 0.0
    position = 0
    while position < len(fields):
        weight, offset, kind = _take(fields, position, 3)
        function = _FUNCTIONS.get(int(kind)) if kind % 1 == 0 else None
        if function is None:
            message = f"the IRAF dispersion function {kind:g} is none of {', '.join(map(str, _FUNCTIONS))}"
            raise MissingField(f"{message}; linearise the file with dispcor")
        count = _take(fields, position + 3, 1)[0]
        if count % 1 or not 1 <= count <= len(fields):
            raise MissingField(f"an IRAF dispersion function of order {count:g}; fetch the file again")
        n_parameters, evaluate = function[0], function[2]
        n_coefficients = function[1](int(count), len(fields) - position - 3 - n_parameters)
        parameters = np.array(_take(fields, position + 3, n_parameters))
        coefficients = np.array(_take(fields, position + 3 + n_parameters, n_coefficients))
        total += weight * (offset + evaluate(parameters, coefficients, pixels))
        weights += weight
        position += 3 + n_parameters + n_coefficients
    if not weights:
        raise MissingField("the IRAF attribute is nonlinear and has no dispersion function; fetch the file again")
    return np.asarray(total / weights)


def _take(fields: tuple[float, ...], start: int, count: int) -> tuple[float, ...]:
    taken = fields[start : start + count]
    if len(taken) < count or not all(math.isfinite(value) for value in taken):
        raise MissingField("the IRAF attribute ends within a dispersion function; fetch the file again")
    return taken


def _normalised(parameters: Numbers, pixels: Numbers) -> Numbers:
    low, high = parameters[1], parameters[2]
    if low == high:
        raise MissingField("an IRAF dispersion function has an empty range of pixels; fetch the file again")
    return np.asarray((pixels - (low + high) / 2) / ((high - low) / 2))


def _chebyshev(parameters: Numbers, coefficients: Numbers, pixels: Numbers) -> Numbers:
    return np.asarray(np.polynomial.chebyshev.chebval(_normalised(parameters, pixels), coefficients), np.float64)


def _legendre(parameters: Numbers, coefficients: Numbers, pixels: Numbers) -> Numbers:
    return np.asarray(np.polynomial.legendre.legval(_normalised(parameters, pixels), coefficients), np.float64)


def _pieces(parameters: Numbers, pixels: Numbers) -> tuple[NDArray[np.intp], Numbers, Numbers]:
    """Index of the spline piece of each pixel, and the distances to the knots after and before it."""
    position = (_normalised(parameters, pixels) + 1) / 2 * parameters[0]
    piece = np.clip(np.floor(position), 0, parameters[0] - 1).astype(np.intp)
    before = position - piece
    return piece, 1 - before, before


def _cubic_spline(parameters: Numbers, coefficients: Numbers, pixels: Numbers) -> Numbers:
    piece, a, b = _pieces(parameters, pixels)
    basis = (a**3, 1 + 3 * a * (1 + a * b), 1 + 3 * b * (1 + a * b), b**3)
    result = np.zeros_like(pixels)
    for i in range(4):
        result += coefficients[piece + i] * basis[i]
    return result


def _linear_spline(parameters: Numbers, coefficients: Numbers, pixels: Numbers) -> Numbers:
    piece, a, b = _pieces(parameters, pixels)
    return np.asarray(coefficients[piece] * a + coefficients[piece + 1] * b)


def _pixel_array(_: Numbers, coefficients: Numbers, pixels: Numbers) -> Numbers:
    return _interpolated(np.arange(1.0, coefficients.size + 1), coefficients, pixels)


def _sampled_array(_: Numbers, coefficients: Numbers, pixels: Numbers) -> Numbers:
    return _interpolated(coefficients[0::2], coefficients[1::2], pixels)


def _interpolated(positions: Numbers, values: Numbers, pixels: Numbers) -> Numbers:
    # Beyond the table IRAF continues its first and last segment.
    if positions.size < 2 or not (np.diff(positions) > 0).all():
        raise MissingField("the table of an IRAF dispersion has no rising positions; fetch the file again")
    i = np.clip(np.searchsorted(positions, pixels, side="right") - 1, 0, positions.size - 2)
    share = (pixels - positions[i]) / (positions[i + 1] - positions[i])
    return np.asarray((1 - share) * values[i] + share * values[i + 1])


def _sampled_length(count: int, left: int) -> int:
    # The description of the format counts pairs and the program that reads it counts numbers.
    return count if left == count and count % 2 == 0 else 2 * count


_FUNCTIONS: dict[int, tuple[int, Callable[[int, int], int], Evaluate]]
_FUNCTIONS = {
    1: (3, lambda order, _: order, _chebyshev),
    2: (3, lambda order, _: order, _legendre),
    3: (3, lambda pieces, _: pieces + 3, _cubic_spline),
    4: (3, lambda pieces, _: pieces + 1, _linear_spline),
    5: (1, lambda count, _: count, _pixel_array),
    6: (2, _sampled_length, _sampled_array),
}
"""Function number to the fields before its coefficients, the number of those, and what evaluates them."""

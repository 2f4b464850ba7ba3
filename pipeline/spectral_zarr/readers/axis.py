"""The wavelength axis of a one-dimensional image, from its world coordinate cards."""

from __future__ import annotations

import math
from typing import Any

from spectral_zarr.errors import MissingField
from spectral_zarr.model import Sampling
from spectral_zarr.readers.fits import Header


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

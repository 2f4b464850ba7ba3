"""A loop over the loaders of specutils into Zarr; what a loader does not give is read with astropy beside it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from astropy.io import fits
from specutils import Spectrum

from astropy_loop import Row, read_all, run
from layout import FLUX, UNCERTAINTY, Wanted, arguments

LOADERS = {"sdss-spec": "SDSS-III/IV spec"}
"""The loader of apStar fails on stars with one visit, and those of ESO products do not exist."""


def read_loaded(product: str, paths: list[str], wanted: Wanted) -> list[Row]:
    """Every file: pixels by the loader, cards and the catalogue row by astropy."""
    return read_all(product, paths, wanted, reader=read_sdss)


def read_sdss(hdus: fits.HDUList, wanted: Wanted, data: bytes) -> Row:
    """The pixels of the loader, in place of those of the table."""
    import astropy_loop

    # The name of the format spares the loader the question to every other one.
    spectrum = Spectrum.read(io.BytesIO(data), format=LOADERS["sdss-spec"])
    ivar = np.asarray(spectrum.uncertainty.array, np.float64)
    with np.errstate(divide="ignore"):
        sigma = (1.0 / np.sqrt(ivar)).astype(np.float32)
    sigma[ivar <= 0] = np.nan
    first = round(float(np.log10(spectrum.spectral_axis.value[0])) / 1e-4)
    pixels: dict[str, Any] = {FLUX: np.asarray(spectrum.flux.value, np.float32), UNCERTAINTY: sigma}
    return astropy_loop.sdss_row(hdus, wanted, data, first, pixels)


if __name__ == "__main__":
    run(arguments(__doc__, tuple(LOADERS)), read_loaded)

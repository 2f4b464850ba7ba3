"""Echelle orders that nobody merged: refused by default, or one spectrum per order on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Pixels, Spectrum
from spectral_zarr.readers.fits.hdu import Hdu

Rows = Sequence[Pixels] | Pixels
"""One line per order: a list, or an image of shape (n_orders, n_pix)."""


def require_rows(options: ReaderOptions, what: str, *, path: str, hdu: int, instead: str = "merge them first") -> None:
    """Refuse unmerged orders unless the user asked for rows.

    Parameters
    ----------
    options : ReaderOptions
        The user's options.
    what : str
        What was seen, for the message.
    path, hdu
        Place, for the message.
    instead : str
        What else the user can do.

    Raises
    ------
    RefusedProduct
        When ``[readers] echelle`` is not ``rows``.
    """
    if options.echelle != "rows":
        message = f'{what}, not one merged spectrum; set [readers] echelle = "rows" to store one row each, or {instead}'
        raise RefusedProduct(message, path=path, hdu=hdu)


def are_orders(*images: Hdu) -> bool:
    """Whether HDUs are images of one shape with at least one order and two pixels."""
    shape = images[0].shape
    alike = all(image.kind == "image" and image.shape == shape for image in images)
    return alike and len(shape) == 2 and shape[0] > 0 and shape[1] > 1


def order_rows(
    whole: Spectrum,
    flux: Rows,
    wavelength: Rows,
    noise: Rows | None = None,
    names: Sequence[str] = (),
    bad: NDArray[np.bool_] | None = None,
) -> Iterator[Spectrum]:
    """One spectrum per order.

    Parameters
    ----------
    whole : Spectrum
        What the orders share; its pixels are not used.
    flux, wavelength : sequence of ndarray, each of shape (n_pix,)
        Orders in the order of the file.
    noise : sequence of ndarray, optional
        Their noise, of the kind of `whole`.
    names : sequence of str
        Order numbers; counted from 1 when there are none.
    bad : ndarray of bool, shape (n_orders, n_pix), optional
        Their bad pixels.
    """
    for row, (pixels, axis) in enumerate(zip(flux, wavelength, strict=True)):
        yield replace(
            whole,
            flux=pixels,
            noise=None if noise is None else noise[row],
            bad=None if bad is None else bad[row],
            sampling=replace(whole.sampling, values=axis),
            observation=replace(whole.observation, order=names[row] if row < len(names) else str(row + 1)),
            row=row,
        )

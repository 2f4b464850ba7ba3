"""Text tables of Libre-ESpRIT: the ``.s`` files of PolarBase, NARVAL and ESPaDOnS."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, Truncated
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import HeaderPolicy
from spectral_zarr.readers.orders import order_rows
from spectral_zarr.readers.text import TextFile

_COUNTS = re.compile(r"^\s*(\d+)\s+(\d+)\s*$")
_OBJECT = re.compile(r"'([^']*)'")
_COLUMNS = (2, 3, 6)
NORMALISED = (0.3, 2.0)
"""Medians of a flux that was divided by its continuum; an unnormalised one counts thousands of electrons."""


class LibreEsprit:
    """Intensity spectrum of one exposure or polarisation sequence.

    Donati et al. 1997, MNRAS 291, 658: a title, a line with the numbers of pixels and of columns after the first, and
    the columns wavelength (nm, air, heliocentric), I and its error, or wavelength, I, V, two nulls and the error.
    Echelle orders overlap, so the wavelengths step back; ``[readers] echelle = "rows"`` makes each order a row.
    """

    name = "libre-esprit"
    version = "1"
    title = "Libre-ESpRIT text tables (.s) of PolarBase, NARVAL and ESPaDOnS"
    priority = 0
    policy = HeaderPolicy()
    reads = TextFile

    def claims(self, file: TextFile, options: ReaderOptions) -> bool:
        head = file.head
        return len(head) > 2 and head[0].lstrip().startswith("***") and _COUNTS.match(head[1]) is not None

    def read(self, file: TextFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        counts = _COUNTS.match(file.head[1])
        n_pix, n_counted = (int(counts[1]), int(counts[2])) if counts else (0, 0)
        table = file.numbers(skip=2, columns=2)
        n_columns = table.shape[1]
        # The wavelength is counted by some versions of the program and not by others.
        if n_columns not in _COLUMNS or n_counted not in (n_columns, n_columns - 1):
            message = f"{n_columns} columns where the second line says {n_counted}, and 2, 3 or 6 are known"
            raise MissingField(f"{message}; fetch the file again", path=file.name)
        if table.shape[0] < n_pix:
            message = f"{table.shape[0]} lines where the second line says {n_pix}; fetch the file again"
            raise Truncated(message, path=file.name)
        wavelength, flux = table[:, 0], table[:, 1]
        error = table[:, -1] if n_columns > 2 else None
        measured = flux[np.isfinite(flux) & (flux != 0)]
        normalised = measured.size > 0 and NORMALISED[0] <= float(np.median(measured)) <= NORMALISED[1]
        title = _OBJECT.search(file.head[0])
        whole = Spectrum(
            spec_id="",
            flux=flux,
            flux_unit="dimensionless" if normalised else "Relative Flux",
            sampling=Sampling(unit="nm", medium="air", values=wavelength),
            observation=Observation(
                object=" ".join(title[1].split()) if title else "",
                velocity_frame="heliocentric",
                flux_calibration="normalized" if normalised else "relative",
            ),
            noise=error,
            zero_padded=True,
            normalized_product=normalised,
        )
        starts = np.flatnonzero(np.diff(wavelength) <= 0) + 1
        if options.echelle != "rows" or starts.size == 0:
            yield whole
            return
        errors = None if error is None else np.split(error, starts)
        yield from order_rows(whole, np.split(flux, starts), np.split(wavelength, starts), errors)


READERS = (LibreEsprit(),)

"""Combined quasar and stellar spectra of UVES_popler: rows of one image on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Spectrum
from spectral_zarr.readers.axis import affine_sampling
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.observing import first_text, observe, positive

_SIGNATURE = "UVES POST PIPELINE ECHELLE REDUCTION"
VALID = 1
"""Status of a pixel that was neither clipped nor missing."""


class UvesPopler:
    """Combination of the exposures of one object.

    Murphy et al. 2019, MNRAS 482, 3458 and the program's own header (UP_ARR01 to UP_ARR09): rows are the normalised
    flux, its error (negative without data), the expected fluctuation, the continuum in arbitrary units, the status (1
    is valid) and statistics. DC-FLAG = 1: log10 of Angstrom, vacuum and heliocentric. The continuum is not in the
    units of the normalised flux and is left out.
    """

    name = "uves-popler"
    version = "1"
    title = "UVES_popler images (normalised flux, error, ..., status)"
    priority = 0
    policy = HeaderPolicy(allow=(r"UP_(WLSRT|WLEND|ZEM|DISP|NEXP|TEXP|ARR0[1-5])",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        image = file.hdus[0]
        if image.kind != "image" or len(image.shape) != 2 or image.shape[0] < 2:
            return False
        return "UP_ARR01" in file.primary or _SIGNATURE in file.primary.commentary().upper()

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, image = file.primary, file.hdus[0]
        first = header.text("UP_ARR01").lower()
        if first and "normalized flux" not in first:
            message = f"a UVES_popler file whose first row is '{first}', not the combined spectrum; ingest that one"
            raise RefusedProduct(message, path=file.name, hdu=0)
        rows = image.image()
        error = rows[_row(header, "normalized error", 1)]
        status_row = _row(header, "status", 4)
        logarithmic = header.flag("DC-FLAG") or "LOG" in header.text("CTYPE1").upper()
        n_exposures = header.integer("UP_NEXP")
        yield Spectrum(
            spec_id="",
            flux=rows[0],
            flux_unit="dimensionless",
            sampling=affine_sampling(
                header,
                image.shape[1],
                path=file.name,
                unit="Angstrom",
                medium="vacuum",
                scale="log10" if logarithmic else "linear",
            ),
            observation=observe(
                header,
                source_type="observed" if n_exposures == 1 else "stacked",
                instrument=first_text(header, "INSTRUME"),
                velocity_frame="heliocentric",
                flux_calibration="normalized",
                exptime=positive(header.number("UP_TEXP")),
            ),
            noise=error,
            bad=rows[status_row] != VALID if status_row < len(rows) else None,
            missing=~(error > 0) | ~np.isfinite(rows[0]),
            normalized_product=True,
            header=project([(0, header)], policy),
        )


def _row(header: Header, what: str, default: int) -> int:
    labels = ((i, header.text(f"UP_ARR{i:02d}").lower()) for i in range(1, 10))
    return next((i - 1 for i, label in labels if label.startswith(what)), default)


READERS = (UvesPopler(),)

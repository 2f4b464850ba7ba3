"""Spectra reduced by Libre-ESpRIT: the matrices of CFHT ESPaDOnS and the tables of PolarBase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.observing import date_obs, first_moment, first_text, moment, observe, positive, start_mjd
from spectral_zarr.readers.several import only_table

_ROWS_PER_GROUP = {3: 3, 6: 3, 12: 3, 24: 6}
"""Rows of the matrix to rows of one group: wavelength, I, error; or wavelength, I, V, two nulls, error."""

_LEAST_PIXELS = 32
_POLICY = HeaderPolicy(
    allow=(r"RUNID|OBSID|INSTMODE|EREADSPD|EXPNUM|RA_DEG|DEC_DEG|MJDATE|UTC-OBS|DATE-OB1|UTIME1|FILENAME|HJD|PI_NAME",),
    deny=(r"CMMTSEQ|.*(CCD|BIN|SEC)\d*",),
)


class EspadonsMatrix:
    """Intensity of one CFHT ESPaDOnS spectrum (``i.fits``) or polarisation sequence (``p.fits``).

    CFHT documentation of Libre-ESpRIT/Upena (Donati et al. 1997, MNRAS 291, 658): a float32 matrix in four groups of
    rows: normalised and unnormalised with wavelengths corrected by telluric lines, then normalised and unnormalised
    without that correction. The correction found on unnormalised spectra is unreliable, so the flux is the last
    group, and the normalised flux that of the group with the same wavelengths. Wavelengths are in nm, in air and
    heliocentric; zeros fill the ends.
    """

    name = "espadons-cfht"
    version = "1"
    title = "CFHT ESPaDOnS i.fits and p.fits matrices (Upena, Libre-ESpRIT)"
    priority = 0
    policy = _POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        image = file.hdus[0]
        if image.kind != "image" or len(image.shape) != 2:
            return False
        if "ESPADONS" in file.primary.text("INSTRUME").upper():
            return True
        if image.shape[0] not in _ROWS_PER_GROUP or image.shape[1] < _LEAST_PIXELS:
            return False
        text = file.primary.commentary().lower()
        return "upena" in text or "libre-esprit" in text

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, image = file.primary, file.hdus[0]
        height = _ROWS_PER_GROUP.get(image.shape[0])
        if height is None or image.shape[1] < _LEAST_PIXELS:
            message = (
                f"an ESPaDOnS image of {image.shape[0]} x {image.shape[1]} is not a reduced spectrum;"
                " ingest the i.fits or p.fits file of the exposure"
            )
            raise RefusedProduct(message, path=file.name, hdu=0)
        rows = image.image()
        only_normalized = len(rows) == height
        first = len(rows) - height
        wavelength, flux, error = rows[first], rows[first + 1], rows[first + height - 1]
        normalized = normalized_error = None
        if not only_normalized:
            normalized, normalized_error = _on_axis(wavelength, rows[first - height : first])
        yield Spectrum(
            spec_id="",
            flux=flux,
            flux_unit="dimensionless" if only_normalized else header.text("BUNIT") or "Relative Flux",
            sampling=Sampling(unit="nm", medium="air", values=wavelength),
            observation=_observation(header, "normalized" if only_normalized else "relative"),
            noise=error,
            zero_padded=True,
            normalized_product=only_normalized,
            normalized=normalized,
            normalized_sigma=normalized_error,
            header=project([(0, header)], policy),
            row=first + 1,
        )


def _on_axis(wavelength: Pixels, group: NDArray[Any]) -> tuple[Pixels | None, Pixels | None]:
    """Intensity and error of a group whose wavelengths agree wherever neither group is filled with zeros."""
    axis, intensity, error = group[0], group[1], group[-1]
    if np.array_equal(axis, wavelength):
        return intensity, error
    measured = axis > 0
    common = measured & (wavelength > 0)
    if not common.any() or not np.array_equal(axis[common], wavelength[common]):
        return None, None
    return np.where(measured, intensity, np.nan), np.where(measured, error, np.nan)


class PolarBase:
    """Intensity spectrum of PolarBase (NARVAL, Neo-Narval, ESPaDOnS).

    Petit et al. 2014, PASP 126, 469: a table with one row per pixel and the columns ``AWAV`` (nm, air), ``FLUX_NOR``
    (normalised) or ``FLUX``, and ``FLUX_ERR``; heliocentric. The unit text '1.E-26 jy' of the flux is not meant: the
    values are normalised or relative. Echelle orders overlap.
    """

    name = "polarbase"
    version = "1"
    title = "PolarBase tables of NARVAL and ESPaDOnS (AWAV, FLUX_NOR or FLUX, FLUX_ERR)"
    priority = 0
    policy = _POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus) < 2 or file.hdus[1].kind != "table":
            return False
        table = file.hdus[1]
        flux, error = table.find("FLUX_NOR", "FLUX"), table.find("FLUX_ERR")
        if table.find("AWAV") is None or flux is None or error is None:
            return False
        # Anybody may call columns AWAV, FLUX and FLUX_ERR; only PolarBase gives them these units.
        instrument = first_text(table.header, "INSTRUME") or file.primary.text("INSTRUME")
        polarbase = "E-26" in flux.unit.upper() or error.unit == "c" or flux.name.upper() == "FLUX_NOR"
        return polarbase or any(name in instrument.upper() for name in ("NARVAL", "ESPADONS"))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table = only_table(file, file.hdus[1], options)
        if table.n_rows < 2:
            message = f"a PolarBase table has one row per pixel and this one has {table.n_rows}; fetch the file again"
            raise RefusedProduct(message, path=file.name, hdu=table.index)
        normalized = table.find("FLUX_NOR") is not None
        columns = [table.find(*names) for names in (("AWAV",), ("FLUX_NOR", "FLUX"), ("FLUX_ERR",))]
        unit = table.header.text(f"TUNIT{columns[0].number}") if columns[0] else ""
        header = table.header if "OBJECT" in table.header else file.primary
        yield Spectrum(
            spec_id="",
            flux=table.column("FLUX_NOR", "FLUX"),
            flux_unit="dimensionless" if normalized else "Relative Flux",
            sampling=Sampling(unit=unit or "nm", medium="air", values=table.column("AWAV")),
            observation=_observation(header, "normalized" if normalized else "relative"),
            noise=table.column("FLUX_ERR"),
            zero_padded=True,
            normalized_product=normalized,
            header=project(
                [(0, file.primary), (1, table.header)], policy, {1: [column.number for column in columns if column]}
            ),
            hdu=table.index,
        )


def _observation(header: Header, calibration: str) -> Observation:
    date = date_obs(header, mjd_keywords=("MJDATE", "MJD-OBS"))
    date = first_moment(date, moment(header.text("DATE-OB1"), header.text("UTIME1")))
    known: dict[str, Any] = {"instrument": "ESPaDOnS"} if not header.text("INSTRUME") else {}
    return observe(
        header,
        date_obs=date,
        mjd=start_mjd(header, ("MJDATE", "MJD-OBS")),
        program_id=first_text(header, "RUNID", "PROG_ID"),
        velocity_frame="heliocentric",
        flux_calibration=calibration,
        airmass=positive(header.number("AIRMASS")),
        **known,
    )


READERS = (EspadonsMatrix(), PolarBase())

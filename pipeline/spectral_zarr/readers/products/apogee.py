"""APOGEE combined spectra of a star: apStar and asStar, and their normalised counterpart aspcapStar."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.apogee import (
    APOGEE_POLICY,
    BAD_ERROR,
    FLUX_UNIT,
    gaia_id,
    heliocentric_velocity,
    joined_id,
    telescope_of_file,
    velocity_params,
)
from spectral_zarr.readers.axis import affine_sampling
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import APOGEE_BITS, bad_pixels
from spectral_zarr.readers.observing import dated, first_text, header_snr, iso_moment, mjd_of_julian, observe, positive
from spectral_zarr.readers.reader import MANY_FILES

N_PIX = 8575

_NAMED_PARAMETERS = (
    ("teff", "TEFF", "TEFF_ERR"),
    ("logg", "LOGG", "LOGG_ERR"),
    ("m_h", "M_H", "M_H_ERR"),
    ("alpha_m", "ALPHA_M", "ALPHA_M_ERR"),
    ("feh", "FE_H", "FE_H_ERR"),
    ("vmic", "VMICRO", ""),
    ("vsini", "VSINI", ""),
)
_PARAM_POSITIONS = (("teff", 0), ("logg", 1), ("m_h", 3), ("c_m", 4), ("n_m", 5), ("alpha_m", 6))
_LOG_VMIC_POSITION = 2


class ApStar:
    """Combined spectrum of all visits to one star.

    SDSS data model ``apStar`` (DR10 to DR17, APOGEE reduction pipeline; Nidever et al. 2015, AJ 150, 173): HDU1 flux
    in 1e-17 erg s-1 cm-2 Angstrom-1, HDU2 its error, HDU3 the pixel mask, whose `APOGEE_BITS` mark
    bad pixels. With several visits the images have the
    rows: combination weighted by pixel, combination with global weights, visits; the first row is read. Vacuum,
    shifted to the rest frame of the star, on log10(wavelength) = 4.179 + 6e-6 * i for every star.
    """

    name = "apogee-apstar"
    version = "1"
    title = "APOGEE apStar and asStar, the combination of all visits"
    priority = MANY_FILES
    policy = APOGEE_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus) < 4 or "NVISITS" not in file.primary or not _images_agree(file.hdus[1:4]):
            return False
        return (file.hdus[3].header.integer("BITPIX") or 0) > 0

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header = file.primary
        flux, error = _first_row(file.hdus[1]), _first_row(file.hdus[2])
        sentinel = error >= BAD_ERROR
        star = first_text(header, "OBJID", "ID", "OBJ")
        unit = file.hdus[1].header.text("BUNIT")
        yield Spectrum(
            spec_id=joined_id("apogee", _telescope(header), first_text(header, "FIELD", "LOCID"), star) if star else "",
            flux=flux,
            flux_unit=unit if canonical_unit(unit) else FLUX_UNIT,
            sampling=_sampling(file),
            observation=_observation(
                header,
                star,
                header.integer("NVISITS") or 1,
                snr=header_snr(header, "SNR"),
                instrument="APOGEE",
                flux_calibration="absolute",
                gaia_id=gaia_id(header.text("GSRCID")),
                gaia_dr=header.text("GRELEASE") if gaia_id(header.text("GSRCID")) else "",
            ),
            noise=error,
            bad=sentinel | bad_pixels(_first_row(file.hdus[3]), options, APOGEE_BITS),
            missing=sentinel & (flux == 0),
            zero_padded=True,
            params=velocity_params(header),
            header=project([(0, header), (1, file.hdus[1].header)], policy),
            hdu=1,
        )


class AspcapStar:
    """Continuum-normalised combined spectrum of one star, with its parameters.

    SDSS data model ``aspcapStar`` (Garcia Perez et al. 2016, AJ 151, 144): HDU1 normalised flux, HDU2 its error, HDU4
    one row with the calibrated parameters. ``PARAM`` holds Teff, log g, log10 of the microturbulence, [M/H], [C/M],
    [N/M] and [alpha/M]; later releases name them in columns of their own and add [Fe/H]. Values of -9999 are missing.
    The flux is zero outside the fitted windows.
    """

    name = "apogee-aspcapstar"
    version = "1"
    title = "APOGEE aspcapStar, normalised, with ASPCAP parameters"
    priority = MANY_FILES
    policy = APOGEE_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus) < 5 or not _images_agree(file.hdus[1:4]) or file.hdus[4].kind != "table":
            return False
        return file.hdus[4].find("PARAM", "FPARAM") is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, table = file.primary, file.hdus[4]
        flux, error = _first_row(file.hdus[1]), _first_row(file.hdus[2])
        star = first_text(header, "OBJ", "OBJID") or table.cell_text("APOGEE_ID")
        field = header.text("FIELD") or table.cell_text("FIELD") or header.text("LOCID")
        telescope = _telescope(header) or table.cell_text("TELESCOPE") or telescope_of_file(table.cell_text("FILE"))
        visits = header.integer("NVISITS") or round(_number(table, "NVISITS", missing=1.0))
        snr, snr_method = header_snr(header, "SNR")
        if not snr_method and math.isfinite(listed := positive(_number(table, "SNR"))):
            snr, snr_method = listed, "header:SNR"
        source, release = _gaia_of_table(table)
        yield Spectrum(
            spec_id=joined_id("aspcap", telescope, field, star) if star else "",
            flux=flux,
            flux_unit="dimensionless",
            sampling=_sampling(file),
            observation=_observation(
                header,
                star,
                visits,
                snr=(snr, snr_method),
                instrument="APOGEE",
                flux_calibration="normalized",
                params_source="aspcapStar",
                gaia_id=source,
                gaia_dr=release,
            ),
            noise=error,
            bad=error >= BAD_ERROR,
            missing=flux == 0,
            normalized_product=True,
            params={**velocity_params(header), **_aspcap_params(table)},
            header=project([(0, header), (1, file.hdus[1].header)], policy),
            hdu=1,
        )


def _images_agree(hdus: tuple[Hdu, ...]) -> bool:
    first = hdus[0].shape
    return bool(first) and first[-1] == N_PIX and all(hdu.kind == "image" and hdu.shape == first for hdu in hdus)


def _first_row(hdu: Hdu) -> NDArray[Any]:
    image = hdu.image()
    return image[0] if image.ndim == 2 else image


def _sampling(file: FitsFile) -> Sampling:
    header = file.hdus[1].header if "CRVAL1" in file.hdus[1].header else file.primary
    return affine_sampling(header, N_PIX, path=file.name, hdu=1, unit="Angstrom", medium="vacuum", scale="log10")


def _telescope(header: Header) -> str:
    return header.text("TELESCOP") or telescope_of_file(header.text("SFILE1"))


def _observation(header: Header, star: str, visits: int, *, snr: tuple[float, str], **known: Any) -> Observation:
    single = visits == 1
    return observe(
        header,
        source_type="observed" if single else "stacked",
        object=star,
        object_id=star,
        date_obs=iso_moment(header.text("DATE1")) if single else "",
        mjd=dated(mjd_of_julian(header.number("JD1"))) if single else float("nan"),
        velocity_frame="rest",
        rv_applied=heliocentric_velocity(header),
        snr=snr[0],
        snr_method=snr[1],
        **known,
    )


def _gaia_of_table(table: Hdu) -> tuple[str, str]:
    for column, release in (("GAIAEDR3_SOURCE_ID", "EDR3"), ("GAIA_SOURCE_ID", "DR2")):
        # Text of the integer: the identifiers exceed what a float holds.
        if identifier := gaia_id(table.cell_text(column)):
            return identifier, release
    return "", ""


def _number(table: Hdu, column: str, *, missing: float = float("nan")) -> float:
    value = table.cell_number(column)
    return value if math.isfinite(value) and value > -999 else missing


def _aspcap_params(table: Hdu) -> Mapping[str, float]:
    params: dict[str, float] = {}
    values = table.flat_cell("PARAM").astype(np.float64)
    covariance = table.flat_cell("PARAM_COV").astype(np.float64)
    size = values.size
    for name, position in _PARAM_POSITIONS:
        if position < size:
            params[name] = _valid(name, float(values[position]))
            if covariance.size == size * size:
                variance = positive(float(covariance[position * (size + 1)]))
                params[f"e_{name}"] = _error(params[name], math.sqrt(variance))
    if size > _LOG_VMIC_POSITION:
        exponent = float(values[_LOG_VMIC_POSITION])
        params["vmic"] = 10.0**exponent if abs(exponent) < 3 else float("nan")
    for name, column, error in _NAMED_PARAMETERS:
        if table.find(column) is not None:
            params[name] = _valid(name, table.cell_number(column))
            if error and table.find(error) is not None:
                params[f"e_{name}"] = _error(params[name], table.cell_number(error))
    return params


def _valid(name: str, value: float) -> float:
    within = 3e2 < value < 3e5 if name == "teff" else -999 < value < 999
    return value if within else float("nan")


def _error(value: float, error: float) -> float:
    return error if math.isfinite(value) and 0 < error < BAD_ERROR else float("nan")


READERS = (ApStar(), AspcapStar())

"""LAMOST low- and medium-resolution spectra of all data releases, as images of rows or as tables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import BadWavelength, LeftOut, MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.readers.arms import CONCATENATED, Arm, combine_arms, join_arms
from spectral_zarr.readers.axis import stated_medium
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import LAMOST_BITS, bad_where_asked
from spectral_zarr.readers.observing import date_obs, header_snr, mjd_from_date, observe, positive
from spectral_zarr.readers.reader import MANY_FILES

LRS_STEP, MRS_STEP = 1e-4, 1e-5
"""Steps of the lattices k * step of log10(wavelength) that all files of the low and the medium resolution sample."""

LRS_TOLERANCE, MRS_TOLERANCE = 0.01, 0.05
"""Pixels; float32 logarithms of wavelength blur the finer lattice by up to 0.03 pixel."""

_SHORTEST, _LONGEST = 3000.0, 11000.0
_CAPPED_SNR = 99.0
_COADDS = ("COADD_B", "COADD_R")
_EXPOSURE = re.compile(r"[BR]-\d+")
_WAVELENGTHS = ("LOGLAM", "WAVELENGTH", "WAVE")

_POLICY = HeaderPolicy(
    allow=(
        r"OBSID|DESIG|PLANID|SPID|FIBERID|FIBERTYP|LMJD|LMJM.*|Z|Z_ERR|CLASS|SUBCLASS|OBJTYPE|SNR[UGRIZ]|SN_[UGRIZ]",
        r"MAG[1-7]|MAGTYPE|HELIO|HELIO_RV|SPECFLAG|DATA_V|TSOURCE|TCOMMENT|GL|GB|COEFF0|COEFF1|NEXP|EXPT_[BR]|RA_OBS",
        r"DEC_OBS|OFFSET|OFFSET_V",
    ),
    deny=(
        r"EXPID\d+|NEXP_[BR]|SCHI2.*|LAMPLIST|FLATNAME.*|CALIB.*|DARK.*|SKYCHI2.*|SKYLEVEL.*|SEEING_(SIGMA|RMS)\d*",
        r"CAMPRO|EXTEN\d",
    ),
)


class LamostLrs:
    """Coadded low-resolution spectrum of one fibre.

    LAMOST data release documents (Luo et al. 2015, RAA 15, 1095). Until DR7 the primary image has the rows flux,
    inverse variance, wavelength, and-mask and or-mask; the first pipelines wrote the continuum-subtracted flux in place
    of the wavelength, which then follows from COEFF0 and COEFF1. From DR8 on a table of one row holds vectors, with
    a pseudo-continuum-normalised flux in NORMALIZATION. Vacuum, heliocentric, relative flux, bad where the inverse
    variance is zero, on the lattice log10(wavelength) = k * 1e-4. Sky fibres are left out.
    """

    name = "lamost-lrs"
    version = "1"
    title = "LAMOST low-resolution spectra, DR1 and later"
    priority = MANY_FILES
    policy = _POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _is_lamost(file.primary) and not _is_medium(file) and (_has_rows(file) or _low_table(file) is not None)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        header, table = file.primary, _low_table(file)
        if _is_sky(header):
            yield LeftOut("FIBERTYP = SKY", path=file.name, hdu=0)
            return
        normalized: Pixels | None = None
        if table is None:
            hdu, rows = file.hdus[0], file.hdus[0].image()
            flux, ivar = rows[0], rows[1]
            bad = bad_where_asked(lambda: rows[3] if len(rows) > 3 else rows[:0], options, LAMOST_BITS)
            sampling = _row_sampling(header, rows, file.name)
        else:
            hdu = table
            flux, ivar = _vector(table, "FLUX"), _vector(table, "IVAR")
            bad = bad_where_asked(partial(_mask, table), options, LAMOST_BITS)
            sampling = _sampling(header, _log_wavelength(table), LRS_STEP, LRS_TOLERANCE)
            if table.find("NORMALIZATION") is not None and (values := _vector(table, "NORMALIZATION")).any():
                normalized = values
        snr, snr_method = header_snr(header, "SNRG", "SN_G")
        if snr == _CAPPED_SNR:
            snr, snr_method = float("nan"), ""
        yield Spectrum(
            spec_id=_spec_id("lamost", header),
            flux=flux,
            flux_unit="dimensionless",
            sampling=sampling,
            observation=_observation(header, instrument="LAMOST-LRS", snr=snr, snr_method=snr_method),
            noise=ivar,
            noise_kind="ivar",
            bad=bad,
            zero_padded=True,
            normalized=normalized,
            header=_header(file, hdu, policy),
            hdu=hdu.index,
        )


class LamostMrs:
    """Coadded medium-resolution spectrum of one fibre, blue and red arm in one row.

    LAMOST-MRS (Liu et al. 2020, arXiv:2005.07210): HDU0 ``Information``, COADD_B and COADD_R, then the exposures.
    Tables have one value per row or one row of vectors, and LOGLAM or WAVELENGTH. Both arms sample the lattice
    log10(wavelength) = k * 1e-5, on which they are laid, so that spectra with one arm or two share one grid; the gap
    between them is NaN. Without any coadd, an arm that was exposed once is that exposure. Vacuum, heliocentric,
    relative flux, bad where the inverse variance is zero. Sky fibres are left out.
    """

    name = "lamost-mrs"
    version = "1"
    title = "LAMOST medium-resolution spectra (COADD_B and COADD_R)"
    priority = MANY_FILES
    policy = _POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _is_lamost(file.primary) and _is_medium(file)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        header = file.primary
        if _is_sky(header):
            yield LeftOut("FIBERTYP = SKY", path=file.name, hdu=0)
            return
        hdus = _medium_tables(file)
        joined, method = _join([_arm(hdu, options) for hdu in hdus])
        ratios = [snr for hdu in hdus if math.isfinite(snr := positive(hdu.header.number("SNR")))]
        yield Spectrum(
            spec_id=_spec_id("lamost-med", header),
            flux=joined.flux,
            flux_unit="dimensionless",
            sampling=_sampling(header, joined.wavelength, MRS_STEP, MRS_TOLERANCE),
            observation=_observation(
                header,
                instrument="LAMOST-MRS",
                arm_merge=method,
                snr=float(np.median(ratios)) if ratios else float("nan"),
                snr_method="header:SNR" if ratios else "",
                exptime=_exposure_time(file),
            ),
            noise=joined.noise,
            noise_kind="ivar",
            bad=joined.bad,
            missing=joined.missing,
            zero_padded=True,
            header=_header(file, hdus[0], policy),
            hdu=hdus[0].index,
        )


def _is_lamost(header: Header) -> bool:
    return header.text("TELESCOP").upper() == "LAMOST" or header.text("ORIGIN").upper().startswith("NAOC-LAMOST")


def _is_medium(file: FitsFile) -> bool:
    names = [hdu.name for hdu in file.hdus]
    if "COADD" in names or _has_rows(file):
        return False
    return names[0] == "INFORMATION" or any(name in _COADDS or _EXPOSURE.fullmatch(name) for name in names)


def _has_rows(file: FitsFile) -> bool:
    shape = file.hdus[0].shape
    return len(shape) == 2 and 2 <= shape[0] <= 9 and shape[1] > 1


def _low_table(file: FitsFile) -> Hdu | None:
    tables = [hdu for hdu in file.hdus[1:] if hdu.n_rows > 0 and hdu.find("FLUX") is not None]
    return next((hdu for hdu in tables if hdu.name.startswith("COADD")), tables[0] if tables else None)


def _is_sky(header: Header) -> bool:
    return header.text("FIBERTYP").upper() == "SKY"


def _vector(table: Hdu, *names: str) -> NDArray[Any]:
    """Column of one value per row, or the only cell of a column of vectors."""
    column = table.find(*names)
    if column is None or column.repeat == 1:
        return table.column(*names)
    if table.n_rows != 1:
        message = f"{table.n_rows} rows of vectors in {column.name}, and one spectrum per file is expected"
        raise RefusedProduct(f"{message}; leave the file out", hdu=table.index)
    return table.flat_cell(column.name)


def _log_wavelength(table: Hdu) -> NDArray[Any]:
    if table.find("LOGLAM") is not None:
        return _vector(table, "LOGLAM")
    with np.errstate(all="ignore"):
        logarithm: NDArray[Any] = np.log10(_vector(table, *_WAVELENGTHS).astype(np.float64))
    return np.where(np.isfinite(logarithm), logarithm, np.nan)


def _sampling(header: Header, values: NDArray[Any], step: float, tolerance: float) -> Sampling:
    return Sampling(
        unit="Angstrom",
        medium=stated_medium(header, "vacuum"),
        scale="log10",
        values=values,
        lattice_step=step,
        lattice_tolerance=tolerance,
    )


def _row_sampling(header: Header, rows: NDArray[Any], path: str) -> Sampling:
    if len(rows) > 2:
        # Only a row that ascends within the range of the instrument is a wavelength.
        wavelength = rows[2].astype(np.float64)
        if _SHORTEST < wavelength[0] < wavelength[-1] < _LONGEST and (np.diff(wavelength) > 0).all():
            return _sampling(header, np.log10(wavelength), LRS_STEP, LRS_TOLERANCE)
    start, step = header.number("COEFF0"), header.number("COEFF1")
    if not (math.isfinite(start) and math.isfinite(step)):
        start, step = header.number("CRVAL1"), header.number("CD1_1")
    if not (3.0 < start < 4.5 and 0 < step < 0.01):
        message = "the third row is no wavelength and COEFF0 and COEFF1 give none; fetch the file again"
        raise BadWavelength(message, path=path, hdu=0)
    return Sampling(
        unit="Angstrom",
        medium=stated_medium(header, "vacuum"),
        scale="log10",
        start=start,
        step=step,
        n_pix=rows.shape[1],
        lattice_step=LRS_STEP,
        lattice_tolerance=LRS_TOLERANCE,
    )


def _medium_tables(file: FitsFile) -> list[Hdu]:
    filled = [hdu for hdu in file.hdus[1:] if hdu.n_rows > 0]
    coadds = [hdu for hdu in filled if hdu.name in _COADDS]
    if coadds:
        return coadds
    found = []
    for arm in "BR":
        exposures = [hdu for hdu in filled if _EXPOSURE.fullmatch(hdu.name) and hdu.name.startswith(arm)]
        if len(exposures) > 1:
            message = f"no COADD_{arm} and {len(exposures)} exposures that nobody combined; leave the file out"
            raise MissingField(message, path=file.name)
        found += exposures
    if not found:
        message = f"neither COADD_B nor COADD_R holds a spectrum: {file.describe()}; leave the file out"
        raise MissingField(message, path=file.name)
    return found


def _arm(table: Hdu, options: ReaderOptions) -> Arm:
    flux = _vector(table, "FLUX")
    # Zeros at the inner end of an arm are fill as well, and no longer at an end once the arms are joined.
    measured = np.flatnonzero(flux)
    missing = np.ones(flux.shape, np.bool_)
    if measured.size:
        missing[measured[0] : measured[-1] + 1] = False
    bad = bad_where_asked(partial(_mask, table), options, LAMOST_BITS)
    return Arm(wavelength=_log_wavelength(table), flux=flux, noise=_vector(table, "IVAR"), bad=bad, missing=missing)


def _mask(table: Hdu) -> Pixels:
    column = table.find("ANDMASK", "PIXMASK")
    return _vector(table, column.name) if column is not None else np.empty(0)


def _join(arms: list[Arm]) -> tuple[Arm, str]:
    try:
        joined, _ = combine_arms(arms, MRS_STEP, tolerance=MRS_TOLERANCE)
    except BadWavelength:
        # Single exposures keep the pixels of the detector.
        return join_arms(arms)
    overlap = joined.flux.size < sum(arm.flux.size for arm in arms)
    return join_arms(arms) if overlap else (joined, CONCATENATED if len(arms) > 1 else "")


def _exposure_time(file: FitsFile) -> float:
    known = positive(file.primary.number("EXPTIME"))
    if math.isfinite(known):
        return known
    # An exposure of an arm may be lost, so that the arm that was exposed longer tells the time on the star.
    totals = [
        sum(positive(hdu.header.number("EXPTIME")) for hdu in file.hdus if hdu.name.startswith(f"{arm}-"))
        for arm in "BR"
    ]
    return positive(float(np.fmax.reduce(totals)))


def _spec_id(product: str, header: Header) -> str:
    observation = header.integer("OBSID")
    if observation is not None and observation > 0:
        return f"{product}-{observation}"
    parts = [header.text(keyword) for keyword in ("LMJD", "PLANID", "SPID", "FIBERID")]
    return "-".join([product, *("_".join(part.split()) for part in parts)]) if all(parts) else ""


def _observation(header: Header, **known: Any) -> Observation:
    # DATE-BEG is in local time.
    date = date_obs(header, mjd_keywords=(), cards=("DATE-OBS",))
    uncorrected = header.text("HELIO") != "" and not header.flag("HELIO")
    facts: dict[str, Any] = {
        "object_id": header.text("DESIG"),
        "program_id": header.text("PLANID"),
        "date_obs": date,
        "mjd": mjd_from_date(date),
        "velocity_frame": "topocentric" if uncorrected else "heliocentric",
        "rv_applied": float("nan") if uncorrected else header.number("HELIO_RV"),
        "flux_calibration": "relative",
    }
    return observe(header, **{**facts, **known})


def _header(file: FitsFile, hdu: Hdu, policy: HeaderPolicy) -> Any:
    headers = [(0, file.primary)] if hdu.index == 0 else [(0, file.primary), (hdu.index, hdu.header)]
    used = [column.number for name in ("FLUX", "IVAR", *_WAVELENGTHS) if (column := hdu.find(name))]
    return project(headers, policy, {hdu.index: used})


READERS = (LamostLrs(), LamostMrs())

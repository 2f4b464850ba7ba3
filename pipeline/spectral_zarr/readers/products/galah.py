"""GALAH spectra of the HERMES spectrograph: one file per CCD, four files per star, one row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.readers.arms import Arm, join_arms
from spectral_zarr.readers.axis import increment, reference_pixel
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, open_fits, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import (
    date_from_mjd,
    exposure,
    first_moment,
    first_number,
    first_text,
    header_snr,
    iso_moment,
    observe,
    positive,
    sky,
    start_mjd,
)
from spectral_zarr.readers.reader import MANY_FILES

_NAME = re.compile(r"(?P<key>\d{15})(?P<ccd>[1-4])\.fits?(?:\.gz)?", re.IGNORECASE)
_GAIA_RELEASE = re.compile(rb"Gaia (E?DR\d)")

FEWEST_HDUS_DR4 = 6
"""Reduction 6 writes eight HDUs, earlier reductions five, or four where the normalisation failed."""

RESOLVING_POWER = 28_000.0
"""Without the slit mask (De Silva et al. 2015, MNRAS 449, 2604)."""

_NOT_DONE = re.compile(r"\bnot\b.*\b(done|applied|corrected|made)\b", re.IGNORECASE)

_USUAL_CCD = 2
"""The CCD whose signal-to-noise ratio the survey quotes for a star."""


class Galah:
    """Spectrum of one star in up to four CCDs.

    GALAH data releases 2 and 3 (Buder et al. 2021, MNRAS 506, 150) and 4 (Buder et al. 2025, PASA 42, e051); reduced
    by the pipeline of Kos et al. (2017, MNRAS 464, 1259). Files are named ``<sobject_id><CCD>.fits``. The HDUs are
    told by their order, because their names vary: up to release 3 flux, relative error, and, without sky
    subtraction, again flux and error, then the normalised flux on the wavelengths of the star's rest frame, which is
    left out; in release 4 flux, normalised flux, relative error and five more, all on one grid. Counts, wavelengths
    in air, barycentric. The arms do not overlap; the CRVAL1 is that of the first pixel, although CRPIX1 may be 0.

    Where BARYEFF is no number or its comment says so, the correction was not done and the wavelengths are topocentric.

    The parameters in the header (TEFF_R and so on) are the first guess of the reduction and stay header text.
    """

    name = "galah"
    version = "1"
    title = "GALAH DR2 to DR4, the four CCDs of a star joined"
    priority = MANY_FILES
    joins = r"(?P<key>\d{15})[1-4]\.(?i:fits?(?:\.gz)?)"
    policy = HeaderPolicy(
        allow=(
            r"SNR|SNR_AA|RES|RV|E_RV|RV_OK|RVCOM|E_RVCOM|RVCOM_OK|BARYEFF|GAIA_ID|2MASS_ID|GALAH_ID|OBJ_NAME|MAG|E_B-V",
            r"UTMJD|UTMJD_S|UTMJD_E|UTDATE|UTDATE_S|UTDATE_E|EPOCH|MEAN_AIR|MEANRA|MEANDEC|RA_ICRS|DEC_ICRS|RA_OBS|DEC_OBS",
            r"FIBRE|PIVOT|PLATE|CCD|RUN|SPECTID|EXPOSED|PIPE_VER",
            r"TEFF_R|LOGG_R|FE_H_R|A_FE_R|VMIC_R|VBROAD_R|PAR_OK|WAV_OK|CROSS_OK",
        ),
        deny=(r"BRD.*|.*TEMP.*|WINDO.*|CAM.*|GRAT.*|LAMBD.*|DETEC.*|SLITMASK.*|TEL_O2|CR_.*|COMB.*|REFID.*",),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        header = file.primary
        if header.text("ORIGIN").upper().startswith("GALAH") or "GALAH_ID" in header:
            return True
        if "BARYEFF" in header and "CCD" in header:
            return True
        return header.text("INSTRUME").upper().startswith("HERMES-2DF") and _name_of(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        files = [file, *(open_fits(one.path, one.name, check_damage=options.check_damage) for one in file.companions)]
        for one in files[1:]:
            if not self.claims(one, options):
                message = f"its name makes it an arm of {file.name} and its header is not that of GALAH; rename it"
                raise RefusedProduct(message, path=one.name, hdu=0)
        _refuse_repeated(files)
        joined, method = join_arms([_arm(one) for one in files])
        names = [match for one in files if (match := _name_of(one)) is not None]
        yield Spectrum(
            spec_id=names[0]["key"] if names else "",
            flux=joined.flux,
            flux_unit=file.primary.text("BUNIT") or "counts",
            sampling=Sampling(unit="Angstrom", medium="air", values=joined.wavelength),
            observation=_observation(files, method),
            noise=joined.noise,
            noise_kind="relative",
            zero_padded=True,
            normalized=joined.normalized,
            normalized_sigma=joined.normalized_sigma,
            header=project([(0, file.primary)], policy),
        )


def _name_of(file: FitsFile) -> re.Match[str] | None:
    return _NAME.fullmatch(file.name.rpartition("/")[2])


def _refuse_repeated(files: list[FitsFile]) -> None:
    seen: dict[str, str] = {}
    for file in files:
        match = _name_of(file)
        if match is None:
            continue
        if match["ccd"] in seen:
            message = f"it is CCD {match['ccd']} of the same star as {seen[match['ccd']]}; leave one of them out"
            raise RefusedProduct(message, path=file.name)
        seen[match["ccd"]] = file.name


def _arm(file: FitsFile) -> Arm:
    hdus = file.hdus
    if len(hdus) < 4 or any(hdu.kind != "image" for hdu in hdus[:3]) or len(hdus[0].shape) != 1:
        message = f"a GALAH file has a flux and at least three more images: {file.describe()}; fetch the file again"
        raise MissingField(message, path=file.name, hdu=0)
    header = hdus[0].header
    flux = hdus[0].image()
    normalized = None
    release_4 = len(hdus) >= FEWEST_HDUS_DR4 or hdus[1].name.startswith("NORMALI")
    if not release_4:
        relative = _companion(hdus[1], flux, file)
    elif "SIGMA" in hdus[1].name or (hdus[2].name and "ERR" not in hdus[2].name):
        message = f"no reader knows this order of the HDUs of GALAH: {file.describe()}; leave it out"
        raise RefusedProduct(message, path=file.name, hdu=1)
    else:
        relative = _companion(hdus[2], flux, file)
        if _start_and_step(hdus[1].header) == _start_and_step(header):
            normalized = _companion(hdus[1], flux, file)
    start, step = _start_and_step(header)
    if not (math.isfinite(start) and math.isfinite(step)):
        message = "CRVAL1 or CDELT1 is missing, so the pixels have no wavelength; fetch the file again"
        raise MissingField(message, path=file.name, hdu=0)
    return Arm(
        wavelength=start + step * np.arange(flux.size),
        flux=flux,
        noise=relative,
        normalized=normalized,
        normalized_sigma=None if normalized is None else _absolute(normalized, relative),
    )


def _companion(hdu: Hdu, flux: Pixels, file: FitsFile) -> Pixels:
    if hdu.shape != flux.shape:
        message = f"HDU {hdu.index} has shape {hdu.shape} beside a flux of {flux.shape}; fetch the file again"
        raise MissingField(message, path=file.name, hdu=hdu.index)
    return hdu.image()


def _start_and_step(header: Header) -> tuple[float, float]:
    step = increment(header)
    # Release 3 counts pixels from 0 or from 1, and the first one has the wavelength CRVAL1 in both cases.
    pixel = reference_pixel(header) or 1.0
    return header.number("CRVAL1") + (1.0 - pixel) * step, step


def _absolute(flux: Pixels, relative: Pixels) -> NDArray[np.float64]:
    values = np.abs(flux.astype(np.float64)) * relative
    return np.where(values > 0, values, np.nan)


def _observation(files: list[FitsFile], method: str) -> Observation:
    header = files[0].primary
    snr, snr_method = _snr(files)
    gaia_id = header.text("GAIA_ID")
    gaia_id = gaia_id if gaia_id.isdigit() and int(gaia_id) > 0 else ""
    velocity = header.number("BARYEFF")
    # The pipeline writes the card with 'None' and replaces it when it corrects the wavelengths.
    uncorrected = "BARYEFF" in header and (math.isnan(velocity) or bool(_NOT_DONE.search(header.comment("BARYEFF"))))
    return observe(
        header,
        instrument="HERMES",
        object=first_text(header, "OBJ_NAME", "OBJECT"),
        object_id=first_text(header, "2MASS_ID", "GALAH_ID"),
        gaia_id=gaia_id,
        gaia_dr=_gaia_release(header) if gaia_id else "",
        date_obs=first_moment(
            iso_moment(header.text("UTDATE_S")),
            date_from_mjd(header.number("UTMJD_S")),
            iso_moment(header.text("UTDATE")),
            date_from_mjd(header.number("UTMJD")),
        ),
        mjd=start_mjd(header, ("UTMJD_S", "UTMJD")),
        velocity_frame="topocentric" if uncorrected else "barycentric",
        flux_calibration="counts",
        arm_merge=method,
        snr=snr,
        snr_method=snr_method,
        **sky(header, ("RA_ICRS", "DEC_ICRS"), ("RA_OBS", "DEC_OBS"), ("RA", "DEC"))._asdict(),
        exptime=exposure(header, "TOTALEXP", "EXPOSED"),
        airmass=positive(first_number(header, "AIRMASS", "MEAN_AIR")),
        berv=velocity,
        rv_applied=math.nan if uncorrected else velocity,
        resolving_power=math.nan if header.text("SLITMASK").upper().startswith("IN") else RESOLVING_POWER,
    )


def _snr(files: list[FitsFile]) -> tuple[float, str]:
    found = {}
    for i, file in enumerate(files):
        value, method = header_snr(file.primary, "SNR")
        match = _name_of(file)
        if method:
            found[int(match["ccd"]) if match else -i] = value
    if not found:
        return math.nan, ""
    return found.get(_USUAL_CCD, float(np.median(list(found.values())))), "header:SNR"


def _gaia_release(header: Header) -> str:
    # Only the comment of the card says which release its identifier is from.
    offset = header.index["GAIA_ID"][0]
    match = _GAIA_RELEASE.search(header.raw[offset : offset + 80])
    return match[1].decode() if match else ""


READERS = (Galah(),)

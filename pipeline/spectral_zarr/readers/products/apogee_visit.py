"""APOGEE spectrum of one visit to a star, apVisit and asVisit: three detectors joined into one spectrum."""

from __future__ import annotations

import math
from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.apogee import (
    APOGEE_POLICY,
    BAD_ERROR,
    FLUX_UNIT,
    gaia_id,
    joined_id,
    telescope_of_file,
    velocity_params,
)
from spectral_zarr.readers.arms import Arm, join_arms
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.masks import APOGEE_BITS, bad_pixels
from spectral_zarr.readers.observing import date_obs, first_text, mjd_from_date, observe
from spectral_zarr.readers.reader import MANY_FILES

_N_CHIPS = 3
_LEAST_PIXELS = 512


class ApVisit:
    """Spectrum of one visit.

    SDSS data model ``apVisit`` (DR10 to DR19; Nidever et al. 2015, AJ 150, 173): images of three rows, the red, green
    and blue detector, with 4096 pixels of a dithered pair or the 2048 of the detector; HDU1 flux in
    1e-17 erg s-1 cm-2 Angstrom-1, HDU2 its error, HDU3 the pixel mask, HDU4 the wavelength in Angstrom, descending.
    Vacuum, topocentric. Bad where the mask has a bit of `APOGEE_BITS` or the error is a sentinel.
    """

    name = "apogee-apvisit"
    version = "1"
    title = "APOGEE apVisit and asVisit, the three detectors in one row"
    priority = MANY_FILES
    policy = APOGEE_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if (
            len(file.hdus) < 5
            or "NVISITS" in file.primary
            or not {"FIBERID", "MJD5", "OBJID"} & set(file.primary.index)
        ):
            return False
        images = file.hdus[1:5]
        shape = images[0].shape
        chips = len(shape) == 2 and shape[0] == _N_CHIPS and shape[1] >= _LEAST_PIXELS
        return chips and all(hdu.kind == "image" and hdu.shape == shape for hdu in images)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header = file.primary
        flux, error, mask, wavelength = (hdu.image() for hdu in file.hdus[1:5])
        sentinel = error >= BAD_ERROR
        bad = bad_pixels(mask, options, APOGEE_BITS) | sentinel
        missing = sentinel & (flux == 0)
        joined, method = join_arms(
            [
                Arm(wavelength=wavelength[i], flux=flux[i], noise=error[i], bad=bad[i], missing=missing[i])
                for i in range(_N_CHIPS)
            ]
        )
        unit = file.hdus[1].header.text("BUNIT")
        yield Spectrum(
            spec_id=_spec_id(header, file.name),
            flux=joined.flux,
            flux_unit=unit if canonical_unit(unit) else FLUX_UNIT,
            sampling=Sampling(unit="Angstrom", medium="vacuum", values=joined.wavelength),
            observation=_observation(header, method),
            noise=joined.noise,
            bad=joined.bad,
            missing=joined.missing,
            zero_padded=True,
            params=velocity_params(header),
            header=project([(0, header), (1, file.hdus[1].header)], policy),
            hdu=1,
        )


def _telescope(header: Header, name: str) -> str:
    return header.text("TELESCOP") or telescope_of_file(name.rpartition("/")[2])


def _spec_id(header: Header, name: str) -> str:
    telescope = _telescope(header, name)
    plate, mjd = first_text(header, "PLATE", "FIELD", "LOCID"), first_text(header, "MJD5", "MJD")
    fiber, star = header.integer("FIBERID"), first_text(header, "OBJID", "OBJ")
    # The 1-metre telescope has no plates: it points at one star after the other.
    which = star if telescope.startswith("apo1m") or fiber is None else f"{fiber:03d}"
    return joined_id("apogee", telescope, plate, mjd, which) if mjd and which else ""


def _observation(header: Header, method: str) -> Observation:
    date = date_obs(header)
    star = first_text(header, "OBJID", "OBJ")
    source = gaia_id(header.text("GSRCID"))
    barycentric = header.number("BC")
    return observe(
        header,
        instrument="APOGEE",
        object=star,
        object_id=star,
        date_obs=date,
        mjd=mjd_from_date(date),
        velocity_frame="topocentric",
        flux_calibration="absolute",
        arm_merge=method,
        berv=barycentric if abs(barycentric) < 100 else math.nan,
        gaia_id=source,
        gaia_dr=header.text("GRELEASE") if source else "",
    )


READERS = (ApVisit(),)

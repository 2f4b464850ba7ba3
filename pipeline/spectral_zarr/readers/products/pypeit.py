"""PypeIt: extracted objects of one exposure (spec1d), and their coadds."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.errors import MissingField, RefusedProduct, SourceError
from spectral_zarr.model import NoiseKind, Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import date_obs, first_sky, first_text, observe, sky, start_mjd
from spectral_zarr.readers.orders import require_rows
from spectral_zarr.readers.space import placed

FLUX_UNIT = "1e-17 erg/s/cm2/Angstrom"
LIGHT = 299_792.458
"""Speed of light in km/s."""

_ORDER = re.compile(r"-?ORDER(\d+)")
_FRAMES = ("heliocentric", "barycentric")
_POLICY = HeaderPolicy(
    allow=(r"PYP_SPEC|PYPELINE|TARGET|DECKER|DISPNAME|BINNING|DATE_RDX|VERSPYP|DMODCLS|DMODVER|FLUXED|EXT_MODE",)
)


@dataclass(frozen=True, slots=True)
class _Extraction:
    """Columns of one extraction of an object."""

    wavelength: str
    flux: str
    noise: str
    noise_kind: NoiseKind
    mask: str
    fluxed: bool


class PypeItSpec1d:
    """Objects of one exposure, a table each with a pixel per row.

    PypeIt data model ``SpecObj`` (Prochaska et al. 2020, JOSS 5, 2308): wavelengths in Angstrom in vacuum, optimal
    (OPT) or else boxcar (BOX) extractions, with the flux in 1e-17 erg s-1 cm-2 Angstrom-1 (FLAM) where it was
    calibrated and counts otherwise, an inverse variance (IVAR, or SIG) and a mask that is true for good pixels. Early
    versions have lower-case names and variances. VEL_TYPE is the frame into which the wavelengths were brought and
    VEL_CORR the factor that did it. Pixels outside of the detector have the wavelength zero and are left out. Orders of
    echelle spectrographs become rows on request.
    """

    name = "pypeit-spec1d"
    version = "1"
    title = "PypeIt spec1d, one spectrum per object (echelle orders on request)"
    priority = 0
    policy = _POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return any(_extraction(hdu) is not None for hdu in file.hdus[1:4])

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        tables = [(hdu, found) for hdu in file.hdus[1:] if (found := _extraction(hdu)) is not None]
        # Orders have the name of their object and their number.
        objects = Counter(_ORDER.sub("", hdu.name) for hdu, _ in tables if _order(hdu))
        if objects and max(objects.values()) > 1:
            what, first = f"PypeIt: {objects.total()} echelle orders", tables[0][0].index
            require_rows(options, what, path=file.name, hdu=first, instead="coadd them with pypeit_coadd_1dspec")
        header = project([(0, file.primary)], policy)
        for hdu, found in tables:
            build = partial(_object, file, hdu, found, header)
            yield placed(build, path=file.name, hdu=hdu.index, row=0)


class PypeItCoadd:
    """Coadded spectrum of one object.

    PypeIt data model ``OneSpec``: HDU SPECTRUM with wave (Angstrom, vacuum), flux in 1e-17 erg s-1 cm-2 Angstrom-1 if
    FLUXED is true and in counts per second otherwise, ivar, and mask, 1 for good pixels. Pixels without data have the
    wavelength zero and are left out. The frame of the exposures is not recorded.
    """

    name = "pypeit-coadd1d"
    version = "1"
    title = "PypeIt coadd1d (OneSpec)"
    priority = 0
    policy = _POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _coadd(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table, primary = _coadd(file), file.primary
        if table is None:
            raise MissingField(f"no table of wave, flux, ivar and mask: {file.describe()}", path=file.name)
        if "FLUXED" not in table.header:
            message = "FLUXED is missing, so the unit of the flux is unknown; coadd the exposures again"
            raise MissingField(message, path=file.name, hdu=table.index)
        found = _Extraction("wave", "flux", "ivar", "ivar", "mask", table.header.flag("FLUXED"))
        yield _pixels(
            table,
            found,
            spec_id="",
            flux_unit=FLUX_UNIT if found.fluxed else "ct/s",
            observation=_observation(primary, table.header, found, source_type="stacked", date_obs="", mjd=math.nan),
            header=project([(0, primary), (table.index, table.header)], policy),
        )


def _coadd(file: FitsFile) -> Hdu | None:
    for hdu in file.hdus[1:3]:
        if hdu.find("wave") is None or any(hdu.find(name) is None for name in ("flux", "ivar", "mask")):
            continue
        if "PYP_SPEC" in hdu.header or hdu.header.text("DMODCLS") == "OneSpec":
            return hdu
    return None


def _extraction(hdu: Hdu) -> _Extraction | None:
    """The best extraction that a table has: optimal before boxcar, calibrated before counts."""
    if hdu.n_rows < 2 or hdu.find("OPT_WAVE", "BOX_WAVE") is None:
        return None
    for kind in ("OPT", "BOX"):
        flux = hdu.find(f"{kind}_FLAM", f"{kind}_COUNTS")
        wavelength = hdu.find(f"{kind}_WAVE")
        if flux is None or wavelength is None:
            continue
        fluxed = flux.name.upper().endswith("FLAM")
        noise, noise_kind = _noise(hdu, kind, fluxed)
        mask = hdu.find(f"{kind}_MASK")
        return _Extraction(wavelength.name, flux.name, noise, noise_kind, mask.name if mask else "", fluxed)
    return None


def _noise(hdu: Hdu, kind: str, fluxed: bool) -> tuple[str, NoiseKind]:
    stem = f"{kind}_FLAM" if fluxed else f"{kind}_COUNTS"
    # Early versions call the variance of the counts VAR and that of the flux FLAM_VAR.
    early = f"{kind}_FLAM_VAR" if fluxed else f"{kind}_VAR"
    candidates: tuple[tuple[str, NoiseKind], ...] = (
        (f"{stem}_IVAR", "ivar"),
        (f"{stem}_SIG", "sigma"),
        (early, "variance"),
    )
    return next(((name, known) for name, known in candidates if hdu.find(name) is not None), ("", "sigma"))


def _object(file: FitsFile, hdu: Hdu, found: _Extraction, header: Mapping[HeaderKey, str]) -> Spectrum:
    stem, own = file.name.removesuffix(".gz").removesuffix(".fits"), hdu.header
    said = own.text("VEL_TYPE").lower()
    # Versions without the card brought the wavelengths to a frame or did not, which nothing tells.
    frame = said if said in _FRAMES else "topocentric" if said else "unknown"
    return _pixels(
        hdu,
        found,
        spec_id=f"{stem}-{hdu.name or hdu.index}",
        flux_unit=FLUX_UNIT if found.fluxed else "ct",
        observation=_observation(
            file.primary, own, found, order=_order(hdu), velocity_frame=frame, berv=_velocity(own)
        ),
        header=header,
    )


def _pixels(hdu: Hdu, found: _Extraction, **known: Any) -> Spectrum:
    wavelength = hdu.column(found.wavelength)
    keep = np.isfinite(wavelength) & (wavelength > 1)
    if np.count_nonzero(keep) < 2:
        message = f"{found.wavelength} has no wavelengths: the object was not calibrated; leave it out"
        raise RefusedProduct(message, hdu=hdu.index, row=0)
    return Spectrum(
        flux=hdu.column(found.flux)[keep],
        sampling=Sampling(unit="Angstrom", medium="vacuum", values=wavelength[keep]),
        noise=hdu.column(found.noise)[keep] if found.noise else None,
        noise_kind=found.noise_kind,
        bad=~hdu.column(found.mask)[keep].astype(bool) if found.mask else None,
        zero_padded=True,
        hdu=hdu.index,
        **known,
    )


def _order(hdu: Hdu) -> str:
    match = _ORDER.search(hdu.name)
    return first_text(hdu.header, "ECH_ORDER", "ECHORDER") or (str(int(match[1])) if match else "")


def _velocity(header: Header) -> float:
    """Velocity of the relativistic Doppler factor VEL_CORR in km/s, NaN without it."""
    square = header.number("VEL_CORR") ** 2
    return LIGHT * (square - 1) / (square + 1) if math.isfinite(square) else math.nan


def _observation(primary: Header, own: Header, found: _Extraction, **known: Any) -> Observation:
    facts: dict[str, Any] = {
        "instrument": first_text(own, "PYP_SPEC") or first_text(primary, "PYP_SPEC", "INSTRUME"),
        "object": first_text(own, "MASKDEF_OBJNAME") or first_text(primary, "TARGET", "OBJECT"),
        "date_obs": date_obs(primary, mjd_keywords=("MJD-OBS", "MJD")),
        "flux_calibration": "absolute" if found.fluxed else "counts",
        "mjd": start_mjd(primary, ("MJD-OBS", "MJD")),
        **first_sky((sky(own, ("RA", "DEC"), beside=primary), sky(primary, ("RA", "DEC"))))._asdict(),
    }
    return observe(primary, **{**facts, **known})


READERS = (PypeItSpec1d(), PypeItCoadd())

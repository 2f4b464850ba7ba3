"""Infrared spectra of Spextool: IRTF SpeX and its libraries, merged or with one row per order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import UnknownUnit
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.masks import bad_pixels
from spectral_zarr.readers.observing import (
    date_obs,
    exposure,
    first_moment,
    first_number,
    first_text,
    moment,
    observe,
    positive,
    sky,
)
from spectral_zarr.readers.orders import order_rows, require_rows

_UNITS = MappingProxyType(
    {
        "wm-2um-1": "W m-2 um-1",
        "w/m2/um": "W m-2 um-1",
        "wm-2hz-1": "W m-2 Hz-1",
        "ergss-1cm-2a-1": "erg s-1 cm-2 Angstrom-1",
        "ergs-1cm-2a-1": "erg s-1 cm-2 Angstrom-1",
        "ergss-1cm-2hz-1": "erg s-1 cm-2 Hz-1",
        "dn": "adu",
        "dns-1": "adu / s",
        "dn/s": "adu / s",
    }
)
"""Texts of YUNITS, in lower case and without blanks, and what they mean."""

_MEDIA = MappingProxyType({"air": "air", "vacuum": "vacuum"})
_PLANES = (3, 4)
_LEAST_PIXELS = 32


class Spextool:
    """Spectra in the image layout of Spextool and pySpextool.

    Cushing et al. 2004, PASP 116, 362; Rayner et al. 2009, ApJS 185, 289 (the IRTF library): images of n_pix x 3
    (wavelength, flux, error) or x 4 (with flags, 0 for good), one plane per order and aperture, with XUNITS
    and YUNITS. Merged spectra have one plane; several planes become rows on request. Wavelengths are in vacuum unless
    WAVETYPE says air. NaN marks what was not measured.
    """

    name = "spextool"
    version = "1"
    title = "IRTF SpeX and other Spextool spectra (rows: wavelength, flux, error)"
    priority = 0
    policy = HeaderPolicy(
        allow=(r"XUNITS|YUNITS|WAVETYPE|OBSMODE|MODENAME|ORDERS|NAPS|SPTYPE|SXD_R|LXD_R|RP|SLTW_ARC|AVE_AM|ITOT",)
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        image, header = file.hdus[0], file.primary
        if image.kind != "image" or len(image.shape) not in (2, 3) or image.shape[-2] not in _PLANES:
            return False
        if image.shape[-1] < _LEAST_PIXELS or 0 in image.shape:
            return False
        labelled = wavelength_factor(header.text("XUNITS")) is not None
        return labelled or ("SPEX" in first_text(header, "INSTRUME", "INSTR").upper() and "CRVAL1" not in header)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, image = file.primary, file.hdus[0]
        planes = image.image().reshape(-1, image.shape[-2], image.shape[-1])
        if len(planes) > 1:
            what = f"Spextool: {len(planes)} orders or apertures"
            require_rows(options, what, path=file.name, hdu=0, instead="merge the orders with xmergeorders")
        written = header.text("YUNITS")
        unit = options.image.flux_unit or _UNITS.get("".join(written.split()).lower(), written) or "Relative Flux"
        wavelength_unit = header.text("XUNITS") or "um"
        if wavelength_factor(wavelength_unit) is None:
            message = f"XUNITS = '{wavelength_unit}' is no unit of wavelength; run the wavelength calibration"
            raise UnknownUnit(message, path=file.name, hdu=0)
        bad = bad_pixels(planes[:, 3], options) if planes.shape[1] > 3 else None
        whole = Spectrum(
            spec_id="",
            flux=planes[0, 1],
            flux_unit=unit,
            sampling=Sampling(
                unit=wavelength_unit,
                medium=_MEDIA.get(header.text("WAVETYPE").lower(), "vacuum"),
                values=planes[0, 0],
            ),
            observation=_observation(header, written),
            noise=planes[0, 2],
            bad=None if bad is None else bad[0],
            zero_padded=True,
            header=project([(0, header)], policy),
        )
        if len(planes) == 1:
            yield whole
        else:
            yield from order_rows(whole, planes[:, 1], planes[:, 0], planes[:, 2], _orders(header, len(planes)), bad)


def _orders(header: Header, n_planes: int) -> list[str]:
    orders = re.findall(r"\d+", header.text("ORDERS"))
    n_apertures = max(header.integer("NAPS") or 1, 1)
    if len(orders) * n_apertures != n_planes:
        return []
    if n_apertures == 1:
        return orders
    return [f"{order}/{aperture}" for order in orders for aperture in range(1, n_apertures + 1)]


def _frame(header: Header) -> str:
    # Spectra of a library are shifted to rest or not, which a comment may say; those of the pipeline never are.
    if not header.text("SPTYPE"):
        return "topocentric" if "NAPS" in header else "unknown"
    said = " ".join(header.commentary().lower().split())
    return "rest" if "shifted to zero radial velocity" in said else "unknown"


def _observation(header: Header, unit: str) -> Observation:
    known: dict[str, Any] = {"instrument": "SpeX"} if not header.text("INSTRUME") else {}
    return observe(
        header,
        date_obs=first_moment(moment(header.text("DATE_OBS"), header.text("TIME_OBS")), date_obs(header)),
        **sky(header, ("RA", "DEC"), ("RA", "DECL"), ("TCS_RA", "TCS_DEC"))._asdict(),
        exptime=exposure(header),
        airmass=positive(first_number(header, "AIRMASS", "AVE_AM", "AM")),
        velocity_frame=_frame(header),
        flux_calibration="counts" if unit.upper().startswith("DN") else "absolute" if unit else "relative",
        **known,
    )


READERS = (Spextool(),)

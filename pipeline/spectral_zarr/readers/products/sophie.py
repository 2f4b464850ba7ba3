"""Spectra of the SOPHIE pipeline: ``*_s1d_A.fits``, one-dimensional images."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Observation, Spectrum
from spectral_zarr.readers.axis import affine_sampling
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import (
    Angle,
    Sky,
    date_obs,
    exposure,
    first_moment,
    first_number,
    first_text,
    iso_moment,
    observe,
    sky_of,
)

_CARDS = frozenset(
    {"OHP DRS BERV", "OHP DRS BJD", "OHP DRS VERSION", "OHP TARG NAME", "OHP INS FIBER", "OHP DRS CCF RV"}
)
_PACKED = re.compile(r"^([+-]?)(\d{1,2})(\d\d)(\d\d(?:\.\d*)?)$")
_ADVICE = "ingest the s1d file of the same exposure"


class SophieS1d:
    """Merged, rebinned spectrum of the SOPHIE data reduction software (Observatoire de Haute-Provence).

    SOPHIE archive, description of its FITS files (Perruchot et al. 2008, SPIE 7014): the layout of a HARPS s1d file
    with cards of the hierarchy ``OHP``. Wavelengths are in air, shifted by the barycentric velocity ``OHP DRS BERV``,
    in steps of 0.01 Angstrom. There is no error; the ends are exact zeros. Angles are packed as HHMMSS.ss.
    """

    name = "sophie-s1d"
    version = "1"
    title = "SOPHIE pipeline s1d images"
    priority = 0
    policy = HeaderPolicy(
        allow=(
            r"OHP (TARG (NAME|ALPHA|DELTA|EQUINOX)|OBS (DATE START|DATE END|PROG ID|MODE)|INS FIBER|CCD (DKTM|UIT))",
            r"OHP DRS (BERV|BERVMX|BJD|VERSION)|OHP TEL (ALT|AZ|GEOLAT|GEOLON|GEOELEV)|OHP DPR (CATG|TYPE)",
        ),
        deny=(r"OHP DRS (CAL|SPE|CCF|BLAZE|FLAT|DRIFT).*",),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _image(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        image = _image(file)
        if image is None:
            raise RefusedProduct(f"no image of SOPHIE: {file.describe()}; {_ADVICE}", path=file.name)
        header, shape = image.header, image.shape
        axis = f"{header.text('CTYPE1')} {header.text('CUNIT1')}"
        if "km/s" in axis.lower() or "CCF" in header.text("OHP DRS TYPE").upper():
            message = f"a SOPHIE cross-correlation function, its axis is in km/s; {_ADVICE}"
            raise RefusedProduct(message, path=file.name, hdu=image.index)
        if len(shape) > 1:
            message = f"{shape[0]} unmerged echelle orders of {shape[-1]} pixels (SOPHIE e2ds or wave file); {_ADVICE}"
            raise RefusedProduct(message, path=file.name, hdu=image.index)
        headers = [(0, file.primary)] if image.index == 0 else [(0, file.primary), (image.index, header)]
        yield Spectrum(
            spec_id="",
            flux=image.image(),
            flux_unit=header.text("BUNIT") or "Relative Flux",
            sampling=affine_sampling(
                header,
                shape[0],
                path=file.name,
                hdu=image.index,
                unit="Angstrom",
                medium="air",
                lattice_step=0.01,
                lattice_tolerance=0.02,
            ),
            observation=_observation(header if any(card in header for card in _CARDS) else file.primary),
            zero_padded=True,
            header=project(headers, policy),
            hdu=image.index,
        )


def _image(file: FitsFile) -> Hdu | None:
    if all(hdu.header.index.keys().isdisjoint(_CARDS) for hdu in file.hdus[:2]):
        return None
    return next((hdu for hdu in file.hdus[:2] if hdu.kind == "image" and hdu.shape), None)


def _packed(text: str) -> float:
    match = _PACKED.match(text)
    if match is None:
        return float("nan")
    angle = int(match[2]) + int(match[3]) / 60 + float(match[4]) / 3600
    return -angle if match[1] == "-" else angle


def _packed_angle(header: Header, keyword: str) -> float:
    value = header.number(keyword)
    # A number has lost its leading zeros: 12345.6 is 01:23:45.6.
    return _packed(f"{'-' if value < 0 else ''}{abs(value):09.2f}" if math.isfinite(value) else header.text(keyword))


def _position(header: Header) -> Sky:
    ra, dec = _packed_angle(header, "OHP TARG ALPHA"), _packed_angle(header, "OHP TARG DELTA")
    pair, equinox = ("OHP TARG ALPHA", "OHP TARG DELTA"), ("OHP TARG EQUINOX", "EQUINOX")
    return sky_of(Angle(ra, "hour"), Angle(dec, "deg"), pair, header, equinox)


def _observation(header: Header) -> Observation:
    berv = first_number(header, "OHP DRS BERV")
    return observe(
        header,
        instrument="SOPHIE",
        object=first_text(header, "OHP TARG NAME", "OBJECT"),
        program_id=first_text(header, "OHP OBS PROG ID", "PROG_ID"),
        date_obs=first_moment(iso_moment(header.text("OHP OBS DATE START")), date_obs(header)),
        velocity_frame="barycentric",
        flux_calibration="relative",
        **_position(header)._asdict(),
        exptime=exposure(header, "OHP CCD DKTM"),
        berv=berv,
        rv_applied=berv,
    )


READERS = (SophieS1d(),)

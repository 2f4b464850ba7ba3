"""Spectra that IRAF extracted: multispec and equispec images of one or several apertures, with their sigma band."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from spectral_zarr.config import ImageOptions, ReaderOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import DamagedData, MissingField, RefusedProduct, SourceError, UnknownUnit
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.axis import chosen_medium, image_sampling
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.iraf import (
    attribute,
    dispersions,
    multispec_sampling,
    parse_dispersion,
    physical_mapping,
    refuse_calibration,
    system,
)
from spectral_zarr.readers.observing import first_number, first_text, observe, velocity_frame
from spectral_zarr.readers.several import asked_hdus, beside_a_spectrum, require_one

_SYSTEMS = ("multispec", "equispec")
_BANDS = (
    ("spectrum", re.compile(r"^(spectrum\b(?!\s*:(?!\s*background\b))|object spectrum)", re.IGNORECASE)),
    ("sigma", re.compile(r"^(sigma\b|noise spectrum)", re.IGNORECASE)),
    ("raw", re.compile(r"^raw\b", re.IGNORECASE)),
    ("other", re.compile(r"\S")),
)
"""What a BANDIDn card says of its band: the words of `apextract`, and those of the MIKE pipeline CarPy."""
_MOST_AXES = 3


class GenericIraf:
    """Spectra in the formats of the IRAF ``onedspec`` package.

    Valdes 1993, "The IRAF/NOAO Spectral World Coordinate Systems": every line of an image is the spectrum of one
    aperture, planes are what ``apextract`` calls bands (``spectrum``, ``raw``, ``background``, ``sigma`` by the cards
    BANDIDn). *equispec* images share one linear or logarithmic axis; *multispec* images have a dispersion function
    per line. FIES, CAFE, TRES and the echelle spectrographs of many observatories deliver this form. Several
    apertures are echelle orders or fibres: they become rows only on request. IRAF writes no BUNIT before the flux
    calibration: such fluxes are relative.
    """

    name = "generic-iraf"
    version = "1"
    title = "IRAF multispec and equispec images (FIES, CAFE, TRES, AAO, ...)"
    priority = 90
    policy = HeaderPolicy(
        allow=(r"APNUM1|APID1|BANDID\d|VHELIO|VOBS|HJD|REFSPEC1|DCLOG1|CA-FLAG|EX-FLAG|OBJNAME|UTC-OBS|AIRORVAC",)
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        hdu = _image(file, options)
        return hdu is not None and len(hdu.shape) <= _MOST_AXES and system(hdu.header) in _SYSTEMS

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        hdu = _image(file, options)
        if hdu is None:
            raise MissingField("no HDU holds an image; set hdu in [readers]", path=file.name)
        refuse_calibration(file.primary, path=file.name, hdu=hdu.index)
        if not asked_hdus(file, options, options.image.hdu):
            dispersed = (one for one in file.hdus[1:] if one.kind == "image" and system(one.header) in _SYSTEMS)
            require_one(file, [hdu], [one for one in dispersed if not beside_a_spectrum(one)], lists=False)
        layout = _layout(hdu, file.name)
        if layout.n_apertures > 1 and options.echelle != "rows":
            what = f"IRAF {system(hdu.header)} image of {layout.n_apertures} apertures (echelle orders or fibres)"
            message = f'{what}; set [readers] echelle = "rows" to store one row each, or merge them first'
            raise RefusedProduct(message, path=file.name, hdu=hdu.index)
        for line in range(layout.n_apertures):
            try:
                yield _spectrum(file, hdu, layout, line, options, policy)
            except DamagedData:
                raise
            except SourceError as error:
                if layout.n_apertures == 1:
                    raise
                yield type(error)(error.message, path=file.name, hdu=hdu.index, row=line)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the axes of an image are apertures and bands.

    `first_line` is the physical line, from one, of an image that is itself one line of a larger one.
    """

    n_apertures: int
    n_pix: int
    bands: tuple[str, ...]
    bands_are_rows: bool
    first_line: int | None

    def values(self, hdu: Hdu, aperture: int, band: int) -> NDArray[Any]:
        """Pixels of one aperture in one band."""
        image = hdu.image()
        if self.bands_are_rows:
            image = image[:, None, :]
        values: NDArray[Any] = image.reshape(-1, self.n_apertures, self.n_pix)[band, aperture]
        return values


def _image(file: FitsFile, options: ReaderOptions) -> Hdu | None:
    asked = asked_hdus(file, options, options.image.hdu)
    hdu = (asked or file.hdus)[0]
    alone = len(asked) < 2 and hdu.kind == "image" and bool(hdu.shape) and hdu.shape[-1] > 1
    return hdu if alone else None


def _layout(hdu: Hdu, path: str) -> _Layout:
    header, shape = hdu.header, hdu.shape
    rows, planes = (1, 1, *shape)[-2], (1, 1, 1, *shape)[-3]
    if not rows * planes:
        message = f"the image has {' x '.join(map(str, shape))} pixels, so no spectrum; fetch the file again"
        raise MissingField(message, path=path, hdu=hdu.index)
    # WAXMAP01 tells, for every axis of the original image, where it went and which element was taken of a lost one.
    mapping = [int(word) for word in header.text("WAXMAP01").split() if word.lstrip("-").isdigit()]
    lost = len(mapping) >= 4 and mapping[2] == 0
    moved = lost and len(mapping) >= 6 and mapping[4] == len(shape) == 2
    unsaid = not mapping and len(shape) == 2 and rows > 1 and f"BANDID{rows}" in header and "APNUM2" not in header
    bands_are_rows = moved or unsaid
    n_bands = rows if bands_are_rows else planes
    bands = _bands(header, n_bands)
    if n_bands > 1 and not any(bands):
        message = (
            f"{n_bands} bands without a BANDID card, so what they hold is unknown; extract the spectrum with scopy"
        )
        raise RefusedProduct(message, path=path, hdu=hdu.index)
    return _Layout(1 if bands_are_rows else rows, shape[-1], bands, bands_are_rows, mapping[3] + 1 if lost else None)


def _bands(header: Header, number: int) -> tuple[str, ...]:
    found = tuple(_band(header, one) for one in range(1, number + 1))
    if found.count("spectrum") < 2:
        return found
    # Of several extractions, apextract calls the one without weights raw.
    plain = ["weights none" in header.text(f"BANDID{one}").lower() for one in range(1, number + 1)]
    return tuple("raw" if role == "spectrum" and one else role for role, one in zip(found, plain, strict=True))


def _band(header: Header, number: int) -> str:
    text = header.text(f"BANDID{number}")
    return next((role for role, pattern in _BANDS if pattern.match(text)), "")


def _flux_band(bands: tuple[str, ...]) -> int | None:
    if bands.count("spectrum") == 1:
        return bands.index("spectrum")
    if "spectrum" in bands:
        return None
    return 0 if bands in (("",), ("raw",)) else None


def _spectrum(
    file: FitsFile, hdu: Hdu, layout: _Layout, line: int, options: ReaderOptions, policy: HeaderPolicy
) -> Spectrum:
    header = hdu.header
    flux_band = _flux_band(layout.bands)
    if flux_band is None:
        seen = ", ".join(f"'{header.text(f'BANDID{number}')}'" for number in range(1, len(layout.bands) + 1))
        what = "several bands are" if "spectrum" in layout.bands else "no band is"
        message = f"{what} the spectrum among {seen}; ingest the file that has it, or extract it with scopy"
        raise RefusedProduct(message, path=file.name, hdu=hdu.index)
    noise_band = layout.bands.index("sigma") if "sigma" in layout.bands else None
    sampling, covered, order = _axis(file.name, hdu, layout, line, options.image)
    unit = options.image.flux_unit or header.text("BUNIT") or "Relative Flux"
    frame = header.text("SPECSYS") or file.primary.text("SPECSYS")
    headers = [(0, file.primary)] if hdu.index == 0 else [(0, file.primary), (hdu.index, header)]
    several = layout.n_apertures > 1
    return Spectrum(
        spec_id="",
        flux=layout.values(hdu, line, flux_band)[covered],
        flux_unit=unit,
        sampling=sampling,
        observation=observe(
            file.primary,
            object=(header.text(f"APID{line + 1}") if several else "")
            or first_text(file.primary, "OBJECT", "OBJNAME", "TARGNAME"),
            order=order if several else "",
            velocity_frame=velocity_frame(frame, options.image.velocity_frame),
            flux_calibration="relative" if "BUNIT" not in header else "",
            berv=first_number(file.primary, "BERV"),
        ),
        noise=None if noise_band is None else layout.values(hdu, line, noise_band)[covered],
        zero_padded=True,
        header=project(headers, policy),
        hdu=hdu.index,
        row=line,
    )


def _axis(path: str, hdu: Hdu, layout: _Layout, line: int, options: ImageOptions) -> tuple[Sampling, slice, str]:
    header = hdu.header
    if system(header) == "equispec":
        flag = header.integer("DC-FLAG")
        if flag == -1 or attribute(header, 1, "label").lower() == "pixel":
            message = (
                "the spectrum has no wavelength calibration (DC-FLAG = -1 or an axis of pixels); run dispcor on it"
            )
            raise RefusedProduct(message, path=path, hdu=hdu.index)
        sampling = image_sampling(header, options, path=path, hdu=hdu.index, n_pix=layout.n_pix)
        numbers = header.text(f"APNUM{line + 1}").split()
        return sampling, slice(None), _order(numbers[0], numbers[1]) if len(numbers) > 1 else str(line + 1)
    scale, offset = physical_mapping(header, 2)
    physical_line = layout.first_line or round((line + 1 - offset) / scale)
    texts = dispersions(header)
    if layout.first_line is None and len(hdu.shape) == 1 and len(texts) == 1:
        physical_line = next(iter(texts))
    text = texts.get(physical_line)
    if text is None:
        message = f"no IRAF attribute spec{physical_line} for line {line + 1}; fetch the file again"
        raise MissingField(message, path=path, hdu=hdu.index, row=line)
    dispersion = parse_dispersion(text)
    unit = options.wavelength_unit or attribute(header, 1, "units") or header.text("CUNIT1")
    if wavelength_factor(unit) is None:
        message = f"the IRAF attributes give '{unit}' as unit of the axis; set wavelength_unit in [readers.image]"
        raise UnknownUnit(message, path=path, hdu=hdu.index)
    medium = chosen_medium(header, options)
    sampling, covered = multispec_sampling(dispersion, header, layout.n_pix, unit=unit, medium=medium)
    return sampling, covered, _order(str(dispersion.aperture), str(dispersion.beam))


def _order(aperture: str, beam: str) -> str:
    # Beams are echelle orders, or 0 and 1 for the sky and object fibres of one spectrograph.
    return beam if beam.isdigit() and int(beam) > 1 else aperture


READERS = (GenericIraf(),)

"""Any one-dimensional image with a wavelength axis in its world coordinate cards, or with images named after roles."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from types import MappingProxyType

from spectral_zarr.config import ImageOptions, ReaderOptions
from spectral_zarr.contract.companions import Kind
from spectral_zarr.contract.units import canonical_unit, wavelength_factor
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import NoiseKind, Pixels, Sampling, Spectrum
from spectral_zarr.readers.axis import has_axis, image_sampling, names_wavelength, stated_medium
from spectral_zarr.readers.companion_units import companion_unit
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.iraf import refuse_calibration
from spectral_zarr.readers.masks import Bad, bad_by_masks, mask_meaning, named_mask_bits
from spectral_zarr.readers.observing import first_number, observe, velocity_frame
from spectral_zarr.readers.several import (
    asked_hdus,
    is_line,
    named_by_hdu,
    require_one,
    spectrum_images,
    spectrum_tables,
)
from spectral_zarr.readers.table_columns import same_unit

_FLUX_HDUS = ("FLUX", "SPECTRUM", "SCI", "DATA")
_WAVELENGTH_HDUS = ("WAVELENGTH", "WAVE", "LAMBDA")
_CONTINUUM_HDUS = ("CONTINUUM", "CO")
_NOISE_HDUS: MappingProxyType[str, NoiseKind] = MappingProxyType(
    {
        "ERROR": "sigma",
        "ERR": "sigma",
        "ERRS": "sigma",
        "SIG": "sigma",
        "SIGMA": "sigma",
        "NOISE": "sigma",
        "UNCERTAINTY": "sigma",
        "IVAR": "ivar",
        "VARIANCE": "variance",
        "VAR": "variance",
        "STAT": "variance",
    }
)
_SQUARE = re.compile(r"\(\s*(.+?)\s*\)\s*(?:\*\*|\^)?\s*2")
_NOISE_CLASSES: MappingProxyType[str, NoiseKind] = MappingProxyType(
    {"RMSE": "sigma", "MSE": "variance", "INVMSE": "ivar"}
)
"""HDUCLAS3 of an error HDU in the convention of ESO pipelines."""


class GenericImage:
    """Spectrum in a one-dimensional image, without knowledge of who made it.

    FITS standard 4.0, sections 8.2 and 8.4 (Greisen et al. 2006, A&A 446, 747), and the conventions of IRAF onedspec:
    CRVAL1, CRPIX1 and CD1_1 or CDELT1 on a linear or logarithmic axis, COEFF0 and COEFF1, units from CUNIT1 or WAT1.
    Further axes may have the length 1. Images of the same length that are named WAVELENGTH, ERROR (SIG), IVAR,
    VARIANCE or CONTINUUM belong to the spectrum, as in files of linetools (``XSpectrum1D``, whose cards UNITS and
    METADATA hold units and medium as JSON); images DATA, STAT (a variance, or what HDUCLAS3 says) and DQ are a spectrum
    of MPDAF, whose variance is the image behind DATA where it has no name and no other unit. An image called MASK, DQ,
    QUALITY or as `masks` lists tells the bad pixels. Further images with an axis, unless named after what describes a
    spectrum, are spectra of their own: ``hdu`` in ``[readers]`` chooses. What the header does not say must stand in the
    table ``[readers.image]`` of the configuration.
    """

    name = "generic-image"
    version = "1"
    title = "any one-dimensional image with a wavelength axis (WCS, IRAF, linetools, MPDAF)"
    priority = 100
    policy = HeaderPolicy(allow=(r"TPLLIB|COEFF[01]|WFITTYPE|AIRORVAC|FSCALE",), deny=("UNITS|METADATA",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        hdus = _flux_hdus(file, options)
        if not hdus:
            return False
        hdu = hdus[0]
        if not is_line(hdu):
            return names_wavelength(hdu.header) or (hdu.name in _FLUX_HDUS and _wavelengths(file, hdu) is not None)
        return has_axis(hdu.header) or _wavelengths(file, hdu) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        hdus = _flux_hdus(file, options)
        if not hdus:
            raise MissingField("no HDU holds an image; set hdu in [readers]", path=file.name)
        if not asked_hdus(file, options, options.image.hdu):
            _refuse_others(file, hdus, options)
        for hdu in hdus:
            yield named_by_hdu(self._spectrum(file, hdu, options, policy), file, several=len(hdus) > 1)

    def _spectrum(self, file: FitsFile, hdu: Hdu, options: ReaderOptions, policy: HeaderPolicy) -> Spectrum:
        _refuse_several(hdu, file.name)
        refuse_calibration(file.primary, path=file.name, hdu=hdu.index)
        header = hdu.header
        unit, sampling = _flux_unit(hdu, options.image), _sampling_or_error(file, hdu, options.image)
        if not unit:
            message = "the header has no BUNIT, so the unit of the flux is unknown; set flux_unit in [readers.image]"
            also = f". Also, {sampling.message}" if isinstance(sampling, UnknownUnit) else ""
            raise UnknownUnit(message + also, path=file.name, hdu=hdu.index)
        if isinstance(sampling, UnknownUnit):
            raise sampling
        noise, noise_kind = _noise(file, hdu)
        continuum = _companion(file, hdu, _CONTINUUM_HDUS)
        noise_values = noise.image().reshape(-1) if noise else None
        bad = _bad(file, hdu, noise_values, options)
        frame = header.text("SPECSYS") or file.primary.text("SPECSYS")
        headers = [(0, file.primary)] if hdu.index == 0 else [(0, file.primary), (hdu.index, header)]
        return Spectrum(
            spec_id="",
            flux=hdu.image().reshape(-1),
            flux_unit=unit,
            unit_written=unit == _facts(header, "UNITS").get("flux"),
            sampling=sampling,
            observation=observe(
                header if "OBJECT" in header and "OBJECT" not in file.primary else file.primary,
                velocity_frame=velocity_frame(frame, options.image.velocity_frame),
                berv=first_number(file.primary, "BERV"),
            ),
            noise=noise_values,
            noise_kind=noise_kind,
            noise_unit=_companion_unit(hdu, noise, noise_kind, unit, file.name),
            bad=bad,
            zero_padded=True,
            continuum=continuum.image().reshape(-1) if continuum else None,
            continuum_unit=_companion_unit(hdu, continuum, "continuum", unit, file.name),
            continuum_method=f"hdu:{continuum.name}" if continuum else "none",
            header=project(headers, policy),
            hdu=hdu.index,
        )


def _flux_hdus(file: FitsFile, options: ReaderOptions) -> list[Hdu]:
    asked = asked_hdus(file, options, options.image.hdu)
    if asked:
        return list(asked) if all(hdu.kind == "image" and hdu.shape for hdu in asked) else []
    if file.hdus[0].shape:
        return [file.hdus[0]]
    # An empty primary HDU is usual; the spectra behind it, or the one called flux, are meant.
    images = [hdu for hdu in file.hdus[1:] if hdu.kind == "image" and hdu.shape and hdu.shape[-1] > 1]
    lines = spectrum_images(file)
    named = [hdu for hdu in lines if hdu.name in _FLUX_HDUS]
    beside = [hdu for hdu in images if hdu.name in _FLUX_HDUS and _wavelengths(file, hdu) is not None]
    return named or beside or lines


def _refuse_others(file: FitsFile, hdus: list[Hdu], options: ReaderOptions) -> None:
    """Refuse a file in which further images or tables hold a spectrum that belongs to none of `hdus`."""
    if not is_line(hdus[0]):
        return
    own = {_noise(file, hdu)[0] for hdu in hdus}
    others = [*spectrum_images(file), *spectrum_tables(file, options.table)]
    require_one(file, hdus, [hdu for hdu in others if hdu not in own])


def _refuse_several(hdu: Hdu, path: str) -> None:
    if not is_line(hdu):
        shape = " x ".join(map(str, hdu.shape))
        message = (
            f"an image of {shape} pixels is not one spectrum; extract its spectra to one-dimensional files,"
            " or tell what its rows are with rows in [readers.image]"
        )
        raise RefusedProduct(message, path=path, hdu=hdu.index)


def _flux_unit(hdu: Hdu, options: ImageOptions) -> str:
    header = hdu.header
    if options.flux_unit:
        return options.flux_unit
    if header.text("TPLLIB") == "MILES":
        return header.text("BUNIT") or "Relative Flux"
    unit = header.text("BUNIT") or _facts(header, "UNITS").get("flux", "")
    scale = header.number("FSCALE") if hdu.name == "DATA" else math.nan
    # MPDAF kept the scale of the unit in a card of its own before version 1.2; elsewhere the card means other things.
    if unit and math.isfinite(scale) and scale > 0 and scale != 1 and not (canonical_unit(unit) or "")[:1].isdigit():
        unit = f"{scale!r} {unit}"
    return unit


def _facts(header: Header, card: str) -> dict[str, str]:
    """Texts of a card of linetools that holds an object of JSON; empty when it holds anything else."""
    try:
        found = json.loads(header.text(card))
    except (ValueError, RecursionError):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _companion(file: FitsFile, flux: Hdu, names: tuple[str, ...]) -> Hdu | None:
    for name in names:
        hdu = file.named(name)
        if hdu is None or hdu.kind != "image" or hdu.index == flux.index:
            continue
        if is_line(hdu) and hdu.shape[-1] == flux.shape[-1]:
            return hdu
    return None


def _wavelengths(file: FitsFile, flux: Hdu) -> Hdu | None:
    return _companion(file, flux, _WAVELENGTH_HDUS)


def _noise(file: FitsFile, flux: Hdu) -> tuple[Hdu | None, NoiseKind]:
    hdu = _companion(file, flux, tuple(_NOISE_HDUS))
    if hdu is None:
        unnamed = _unnamed_variance(file, flux)
        return unnamed, "variance" if unnamed else "sigma"
    return hdu, _NOISE_CLASSES.get(hdu.header.text("HDUCLAS3").upper(), _NOISE_HDUS[hdu.name])


def _unnamed_variance(file: FitsFile, flux: Hdu) -> Hdu | None:
    """The image behind DATA that MPDAF reads as variance by its place, where its name was lost."""
    following = file.hdus[flux.index + 1] if flux.index + 1 < len(file.hdus) else None
    if flux.name != "DATA" or following is None or following.name or not is_line(following):
        return None
    unit = following.header.text("BUNIT")
    square = _SQUARE.fullmatch(unit)
    is_variance = not unit or (square is not None and same_unit(square[1], flux.header.text("BUNIT")))
    return following if is_variance and following.shape[-1] == flux.shape[-1] else None


def _bad(file: FitsFile, flux: Hdu, noise: Pixels | None, options: ReaderOptions) -> Bad | None:
    masks = [
        hdu
        for hdu in file.hdus
        if mask_meaning(hdu.name) and hdu.index != flux.index and is_line(hdu) and hdu.shape[-1] == flux.shape[-1]
    ]
    return bad_by_masks(
        [(hdu.name, hdu.image().reshape(-1)) for hdu in masks],
        noise,
        options,
        path=file.name,
        hdu=flux.index,
        bits=named_mask_bits(file.primary, *(hdu.header for hdu in masks)),
    )


def _companion_unit(flux: Hdu, companion: Hdu | None, kind: Kind, unit: str, path: str) -> str:
    if companion is None:
        return ""
    return companion_unit(
        companion.header.text("BUNIT"),
        kind,
        unit,
        beside=flux.header.text("BUNIT"),
        name=companion.name or f"HDU {companion.index}",
        flux_name="the flux",
        path=path,
        hdu=companion.index,
    )


def _sampling_or_error(file: FitsFile, hdu: Hdu, options: ImageOptions) -> Sampling | UnknownUnit:
    # All units that are missing are named at once.
    try:
        return _sampling(file, hdu, options)
    except UnknownUnit as error:
        return error


def _sampling(file: FitsFile, hdu: Hdu, options: ImageOptions) -> Sampling:
    wavelengths = _wavelengths(file, hdu)
    if wavelengths is None:
        return image_sampling(hdu.header, options, path=file.name, hdu=hdu.index, n_pix=hdu.shape[-1])
    header = wavelengths.header
    unit = (
        options.wavelength_unit
        or header.text("BUNIT")
        or header.text("CUNIT1")
        or _facts(hdu.header, "UNITS").get("wave", "")
    )
    if wavelength_factor(unit) is None:
        message = f"the HDU {wavelengths.name} has no unit of wavelength; set wavelength_unit in [readers.image]"
        raise UnknownUnit(message, path=file.name, hdu=wavelengths.index)
    said = {"vac": "vacuum", "vacuum": "vacuum", "air": "air"}.get(_facts(hdu.header, "METADATA").get("airvac", ""), "")
    medium: str = options.medium
    if medium == "unknown":
        medium = stated_medium(header, stated_medium(hdu.header, said or medium))
    return Sampling(unit=unit, medium=medium, values=wavelengths.image().reshape(-1))


READERS = (GenericImage(),)

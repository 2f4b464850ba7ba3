"""Any one-dimensional image with a wavelength axis in its world coordinate cards."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from spectral_zarr.config import ImageOptions, ReaderOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import NoiseKind, Sampling, Spectrum
from spectral_zarr.readers.axis import has_axis, image_sampling, names_wavelength
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.file import Hdu
from spectral_zarr.readers.observing import first_number, observe, velocity_frame

_WAVELENGTH_HDUS = ("WAVELENGTH", "WAVE", "LAMBDA")
_NOISE_HDUS: MappingProxyType[str, NoiseKind] = MappingProxyType(
    {
        "ERROR": "sigma",
        "ERR": "sigma",
        "ERRS": "sigma",
        "SIGMA": "sigma",
        "NOISE": "sigma",
        "UNCERTAINTY": "sigma",
        "IVAR": "ivar",
        "VARIANCE": "variance",
        "VAR": "variance",
    }
)


class GenericImage:
    """Spectrum in a one-dimensional image, without knowledge of who made it.

    FITS standard 4.0, sections 8.2 and 8.4 (Greisen et al. 2006, A&A 446, 747), and the conventions of IRAF onedspec:
    CRVAL1, CRPIX1 and CD1_1 or CDELT1 on a linear or logarithmic axis, COEFF0 and COEFF1, units from CUNIT1 or WAT1.
    Further axes may have the length 1. HDUs of the same length named WAVELENGTH, ERROR, IVAR,
    VARIANCE or CONTINUUM belong to the spectrum. What the
    header does not say must stand in the table ``[readers.image]`` of the configuration.
    """

    name = "generic-image"
    version = "1"
    title = "any one-dimensional image with a wavelength axis (WCS, IRAF)"
    priority = 100
    policy = HeaderPolicy(allow=(r"TPLLIB|COEFF[01]|WFITTYPE|AIRORVAC",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        hdu = _flux_hdu(file, options.image)
        if hdu is None:
            return False
        if not _is_line(hdu):
            return names_wavelength(hdu.header)
        return has_axis(hdu.header) or _companion(file, hdu, _WAVELENGTH_HDUS) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        hdu = _flux_hdu(file, options.image)
        if hdu is None:
            raise MissingField("no HDU holds an image; set hdu in [readers.image]", path=file.name)
        _refuse_several(hdu, file.name)
        header = hdu.header
        unit = header.text("BUNIT") or _implied_unit(header) or options.image.flux_unit
        if not unit:
            message = "the header has no BUNIT, so the unit of the flux is unknown; set flux_unit in [readers.image]"
            raise UnknownUnit(message, path=file.name, hdu=hdu.index)
        noise = _companion(file, hdu, tuple(_NOISE_HDUS))
        continuum = _companion(file, hdu, ("CONTINUUM",))
        frame = header.text("SPECSYS") or file.primary.text("SPECSYS")
        headers = [(0, file.primary)] if hdu.index == 0 else [(0, file.primary), (hdu.index, header)]
        yield Spectrum(
            spec_id="",
            flux=hdu.image().reshape(-1),
            flux_unit=unit,
            sampling=_sampling(file, hdu, options.image),
            observation=observe(
                file.primary,
                velocity_frame=velocity_frame(frame, options.image.velocity_frame),
                berv=first_number(file.primary, "BERV"),
            ),
            noise=noise.image().reshape(-1) if noise else None,
            noise_kind=_NOISE_HDUS[noise.name] if noise else "sigma",
            zero_padded=True,
            continuum=continuum.image().reshape(-1) if continuum else None,
            continuum_method=f"hdu:{continuum.name}" if continuum else "none",
            header=project(headers, policy),
            hdu=hdu.index,
        )


def _flux_hdu(file: FitsFile, options: ImageOptions) -> Hdu | None:
    if not 0 <= options.hdu < len(file.hdus):
        return None
    hdu = file.hdus[options.hdu]
    if hdu.shape or options.hdu != 0:
        return hdu if hdu.kind == "image" and hdu.shape else None
    # An empty primary HDU is usual; the only spectrum behind it, or the one called flux, is meant.
    lines = [hdu for hdu in file.hdus[1:] if hdu.kind == "image" and _is_line(hdu) and has_axis(hdu.header)]
    named = [hdu for hdu in lines if hdu.name in ("FLUX", "SPECTRUM", "SCI")]
    chosen = named or lines
    return chosen[0] if len(chosen) == 1 else None


def _refuse_several(hdu: Hdu, path: str) -> None:
    if not _is_line(hdu):
        shape = " x ".join(map(str, hdu.shape))
        message = f"an image of {shape} pixels is not one spectrum; extract its spectra to one-dimensional files"
        raise RefusedProduct(message, path=path, hdu=hdu.index)


def _is_line(hdu: Hdu) -> bool:
    return bool(hdu.shape) and hdu.shape[-1] > 1 and all(length == 1 for length in hdu.shape[:-1])


def _implied_unit(header: Header) -> str:
    return "Relative Flux" if header.text("TPLLIB") == "MILES" else ""


def _companion(file: FitsFile, flux: Hdu, names: tuple[str, ...]) -> Hdu | None:
    alike = (hdu for hdu in file.hdus if hdu.kind == "image" and hdu.shape == flux.shape and hdu.index != flux.index)
    return next((hdu for hdu in alike if hdu.name in names), None)


def _sampling(file: FitsFile, hdu: Hdu, options: ImageOptions) -> Sampling:
    wavelengths = _companion(file, hdu, _WAVELENGTH_HDUS)
    if wavelengths is None:
        return image_sampling(hdu.header, options, path=file.name, hdu=hdu.index, n_pix=hdu.shape[-1])
    header = wavelengths.header
    unit = header.text("BUNIT") or header.text("CUNIT1") or options.wavelength_unit
    if wavelength_factor(unit) is None:
        message = f"the HDU {wavelengths.name} has no unit of wavelength; set wavelength_unit in [readers.image]"
        raise UnknownUnit(message, path=file.name, hdu=wavelengths.index)
    return Sampling(unit=unit, medium=options.medium, values=wavelengths.image().reshape(-1))


READERS = (GenericImage(),)

"""One spectrum in the rows of an image, wavelength, flux and uncertainty for example, where the user names them."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import RefusedProduct, UnknownUnit
from spectral_zarr.model import NoiseKind, Pixels, Sampling, Spectrum
from spectral_zarr.readers.axis import chosen_medium, image_sampling
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import bad_by_masks
from spectral_zarr.readers.observing import first_number, observe, velocity_frame
from spectral_zarr.readers.several import asked_hdus, named_by_hdu, require_one

_NOISE: MappingProxyType[str, NoiseKind] = MappingProxyType(
    {"uncertainty": "sigma", "ivar": "ivar", "variance": "variance"}
)


class GenericRows:
    """Spectrum in the rows of an image of shape (rows, n_pix), without knowledge of who made it.

    Nothing in such a file tells the rows apart, so it is read only when ``rows`` in ``[readers.image]`` names them; an
    image of shape (n_pix, rows) is read by its columns. Without a row of wavelengths, the world coordinate cards give
    them. Images whose rows a product defines go to the reader of the product.
    """

    name = "generic-rows"
    version = "1"
    title = "an image whose rows are wavelength, flux, uncertainty, ..., as [readers.image] rows tells"
    priority = 85
    policy = HeaderPolicy(allow=("AIRORVAC",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return bool(options.image.rows) and bool(_images(file, options))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        hdus = _images(file, options)
        if not asked_hdus(file, options, options.image.hdu):
            require_one(file, hdus)
        for hdu in hdus:
            yield named_by_hdu(self._spectrum(file, hdu, options, policy), file, several=len(hdus) > 1)

    def _spectrum(self, file: FitsFile, hdu: Hdu, options: ReaderOptions, policy: HeaderPolicy) -> Spectrum:
        image_options = options.image
        names = [name for name in image_options.rows if name]
        if "flux" not in names or len(set(names)) < len(names) or sum(name in _NOISE for name in names) > 1:
            message = (
                f"rows = {list(image_options.rows)} in [readers.image] must name the flux, and each role and the noise"
                " once at most"
            )
            raise RefusedProduct(message, path=file.name)
        rows = _rows(hdu, image_options.rows, file.name)
        header = hdu.header
        unit = image_options.flux_unit or header.text("BUNIT")
        if not unit:
            message = "the header has no BUNIT, so the unit of the flux is unknown; set flux_unit in [readers.image]"
            raise UnknownUnit(message, path=file.name, hdu=hdu.index)
        noise = next((name for name in names if name in _NOISE), "")
        frame = header.text("SPECSYS") or file.primary.text("SPECSYS")
        headers = [(0, file.primary)] if hdu.index == 0 else [(0, file.primary), (hdu.index, header)]
        return Spectrum(
            spec_id="",
            flux=rows["flux"],
            flux_unit=unit,
            sampling=_sampling(hdu, rows, options, file.name),
            observation=observe(
                file.primary,
                velocity_frame=velocity_frame(frame, image_options.velocity_frame),
                berv=first_number(file.primary, "BERV"),
            ),
            noise=rows.get(noise),
            noise_kind=_NOISE.get(noise, "sigma"),
            bad=bad_by_masks(
                [("mask", rows["mask"])] if "mask" in rows else [],
                rows.get(noise),
                options,
                path=file.name,
                hdu=hdu.index,
            ),
            zero_padded=True,
            continuum=rows.get("continuum"),
            continuum_method="column:continuum" if "continuum" in rows else "none",
            header=project(headers, policy),
            hdu=hdu.index,
        )


def _images(file: FitsFile, options: ReaderOptions) -> list[Hdu]:
    asked = asked_hdus(file, options, options.image.hdu)
    several = [hdu for hdu in asked or file.hdus if hdu.kind == "image" and sum(one > 1 for one in hdu.shape) == 2]
    return several if len(several) == len(asked) or not asked else []


def _rows(hdu: Hdu, names: tuple[str, ...], path: str) -> dict[str, Pixels]:
    first, second = (length for length in hdu.shape if length > 1)
    image = hdu.image().reshape(first, second)
    if first != len(names) and second == len(names):
        image = image.T
    if len(image) != len(names):
        message = f"rows in [readers.image] names {len(names)} rows and the image has {first} x {second} pixels"
        raise RefusedProduct(f"{message}; name every row, '' for one that is not read", path=path, hdu=hdu.index)
    return {name: row for name, row in zip(names, image, strict=True) if name}


def _sampling(hdu: Hdu, rows: dict[str, Pixels], options: ReaderOptions, path: str) -> Sampling:
    image_options, header = options.image, hdu.header
    if "wavelength" not in rows:
        n_pix = len(rows["flux"])
        return image_sampling(header, image_options, path=path, hdu=hdu.index, n_pix=n_pix)
    if wavelength_factor(image_options.wavelength_unit) is None:
        message = "no card tells the unit of a row of wavelengths; set wavelength_unit in [readers.image]"
        raise UnknownUnit(message, path=path, hdu=hdu.index)
    return Sampling(
        unit=image_options.wavelength_unit,
        medium=chosen_medium(header, image_options),
        values=rows["wavelength"],
    )


READERS = (GenericRows(),)

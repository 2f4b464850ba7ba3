"""Subaru PFS pfsObject and pfsSingle: the spectrum of one target with its mask and the variance of its covariance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.axis import image_sampling
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import Bad, bad_pixels, flagged, named_mask_bits
from spectral_zarr.readers.observing import first_text, observe
from spectral_zarr.readers.several import is_line


class PfsObject:
    """Coadded, flux-calibrated spectrum of a target.

    PFS data model (Subaru-PFS/datamodel, ``PfsFiberArray``): images FLUX in nJy, MASK, SKY and COVAR of shape (3,
    n_pix), whose first row is the variance, with WAVELENGTH in nm or an axis in the cards of FLUX; wavelengths are in
    vacuum and barycentric. The cards ``MP_<plane>`` of MASK number its bits: every plane but those that only inform
    (`named_mask_bits`), and every bit without a card, marks a bad pixel, and NO_DATA a missing one. COVAR2 and the
    table of fluxes at the sampling of the exposures (FLUX_TABLE) are not read.
    """

    name = "pfs-object"
    version = "1"
    title = "Subaru PFS pfsObject, pfsSingle and pfsStar (FLUX, MASK, COVAR)"
    priority = 0
    policy = HeaderPolicy(allow=(r"CATID|TRACT|PATCH|OBJID|PFSVHASH|DAMD_VER|W_.*",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return {"FLUX", "MASK", "COVAR"} <= file.names

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        flux, mask, covar = (_image(file, name) for name in ("FLUX", "MASK", "COVAR"))
        n_pix = flux.shape[-1]
        if not is_line(flux) or mask.shape != flux.shape or len(covar.shape) != 2 or covar.shape[1] != n_pix:
            message = f"FLUX, MASK and COVAR do not fit: {file.describe()}; fetch the file again"
            raise MissingField(message, path=file.name, hdu=flux.index)
        bad, missing = _flagged(mask, options)
        yield Spectrum(
            spec_id="",
            flux=flux.image().reshape(-1),
            flux_unit=flux.header.text("BUNIT") or "nJy",
            sampling=_sampling(file, flux, options),
            observation=observe(
                file.primary,
                instrument=first_text(file.primary, "INSTRUME") or "PFS",
                object_id=first_text(file.primary, "OBJID") or first_text(flux.header, "OBJID"),
                velocity_frame="barycentric",
                flux_calibration="absolute",
            ),
            noise=covar.image()[0],
            noise_kind="variance",
            noise_unit=covar.header.text("BUNIT"),
            bad=bad,
            missing=missing,
            header=project([(0, file.primary), (flux.index, flux.header)], policy),
            hdu=flux.index,
        )


def _image(file: FitsFile, name: str) -> Hdu:
    hdu = file.named(name)
    if hdu is None or hdu.kind != "image" or not hdu.shape:
        raise MissingField(f"{name} has no pixels: {file.describe()}; fetch the file again", path=file.name)
    return hdu


def _flagged(mask: Hdu, options: ReaderOptions) -> tuple[Bad, Bad]:
    values = mask.image().reshape(-1)
    no_data = _bit(mask, "NO_DATA")
    missing = np.zeros(values.size, np.bool_) if no_data is None else flagged(values, 1 << no_data)
    return bad_pixels(values, options, named_mask_bits(mask.header)), missing


def _bit(mask: Hdu, plane: str) -> int | None:
    bit = mask.header.integer(f"MP_{plane}")
    return bit if bit is not None and 0 <= bit < 63 else None


def _sampling(file: FitsFile, flux: Hdu, options: ReaderOptions) -> Sampling:
    wave = file.named("WAVELENGTH")
    if wave is None:
        return image_sampling(flux.header, options.image, path=file.name, hdu=flux.index, n_pix=flux.shape[-1])
    if wave.shape != flux.shape:
        message = "WAVELENGTH has another shape than FLUX; fetch the file again"
        raise MissingField(message, path=file.name, hdu=wave.index)
    return Sampling(unit=wave.header.text("BUNIT") or "nm", medium="vacuum", values=wave.image().reshape(-1))


READERS = (PfsObject(),)

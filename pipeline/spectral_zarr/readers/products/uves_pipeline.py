"""Merged spectra of the native UVES pipeline: ``RED_SCI_POINT`` and ``FLUXCAL_SCI_POINT`` images."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Observation, Spectrum
from spectral_zarr.readers.axis import affine_sampling
from spectral_zarr.readers.eso import ESO_POLICY, observe_eso
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.observing import first_text, velocity_frame

_MERGED_SCIENCE = re.compile(r"(RED|FLUXCAL)_SCI(ENCE)?_(?!.*(ERR|SKY|2D))")
_UNIT_OF_AXIS = re.compile(r"[\[(]\s*([A-Za-z]+)\s*[\])]")


class UvesPipeline:
    """Merged spectrum of one UVES arm or detector, as ``uves_obs_scired`` writes it.

    UVES pipeline manual (VLT-MAN-ESO-19500-2965): a one-dimensional image with CTYPE1 = 'WAVELENGTH [Ang]',
    wavelengths in air. OBJECT holds the product category and the target stands in ``ESO OBS TARG NAME``. The
    wavelengths are topocentric; ``ESO QC VRAD BARYCOR`` gives the correction that was not applied. There is no
    error, and exact zeros fill the ends.
    """

    name = "uves-pipeline"
    version = "1"
    title = "UVES pipeline images (RED_SCI_POINT, FLUXCAL_SCI_POINT)"
    priority = 0
    policy = ESO_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        header = file.primary
        if file.hdus[0].kind != "image" or not file.hdus[0].shape or "PRODCATG" in header:
            return False
        return header.text("INSTRUME").upper() == "UVES" and "_SCI" in _category(header)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, image = file.primary, file.hdus[0]
        category = _category(header)
        if len(image.shape) != 1 or not _MERGED_SCIENCE.match(category):
            shape = "x".join(map(str, image.shape))
            message = f"the UVES product {category} ({shape}) is not a merged science spectrum; leave it out"
            raise RefusedProduct(message, path=file.name, hdu=0)
        axis = _UNIT_OF_AXIS.search(header.text("CTYPE1"))
        counts = category.startswith("RED_")
        yield Spectrum(
            spec_id="",
            flux=image.image(),
            flux_unit=header.text("BUNIT") or ("ADU" if counts else options.image.flux_unit),
            sampling=affine_sampling(
                header,
                image.shape[0],
                path=file.name,
                unit=header.text("CUNIT1") or (axis[1] if axis else "Angstrom"),
                medium="air",
            ),
            observation=_observation(header, "counts" if counts else "absolute"),
            zero_padded=True,
            header=project([(0, header)], policy),
        )


def _category(header: Header) -> str:
    return first_text(header, "ESO PRO CATG", "OBJECT")


def _observation(header: Header, calibration: str) -> Observation:
    return observe_eso(
        header,
        object=first_text(header, "ESO OBS TARG NAME"),
        program_id=first_text(header, "ESO OBS PROG ID"),
        velocity_frame=velocity_frame(header.text("SPECSYS"), "topocentric"),
        flux_calibration=calibration,
    )


READERS = (UvesPipeline(),)

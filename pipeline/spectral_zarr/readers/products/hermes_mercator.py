"""Spectra of HERMES on the Mercator telescope: merged images in the logarithm of wavelength."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import BadWavelength, RefusedProduct
from spectral_zarr.model import Spectrum
from spectral_zarr.readers.axis import affine_sampling
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.observing import first_number, observe


class HermesMercator:
    """Merged spectrum of one exposure.

    Raskin et al. 2011, A&A 526, A69: ``*_log_merged_c.fits`` has CTYPE1 = 'log(wavelength)', the natural logarithm of
    Angstrom, and is corrected for the barycentric velocity BVCOR; ``*_wavelength_merged_c.fits`` is linear and is
    not. Wavelengths are in air. There is no error.
    """

    name = "hermes-mercator"
    version = "1"
    title = "HERMES (Mercator) merged spectra"
    priority = 0
    policy = HeaderPolicy(allow=(r"UNSEQ|BVCOR|OBSMODE|OBSTYPE|DATE-AVG|PM_.*",), deny=(r"(TEMP|PRES)_.*|DET.*",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        header = file.primary
        if file.hdus[0].kind != "image" or not file.hdus[0].shape:
            return False
        mercator = "MERCATOR" in header.text("TELESCOP").upper() or "BVCOR" in header or "UNSEQ" in header
        return mercator and header.text("INSTRUME").upper().startswith("HERMES")

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, image = file.primary, file.hdus[0]
        if len(image.shape) != 1:
            shape = "x".join(map(str, image.shape))
            message = f"a HERMES image of {shape} pixels, not a merged spectrum; ingest the log_merged_c file"
            raise RefusedProduct(message, path=file.name, hdu=0)
        start = header.number("CRVAL1")
        logarithmic = "LOG" in header.text("CTYPE1").upper() or start < 15
        if logarithmic and not 7 < start < 11:
            message = f"CRVAL1 = {start:g} is not the natural logarithm of an optical wavelength; fetch the file again"
            raise BadWavelength(message, path=file.name, hdu=0)
        berv = first_number(header, "BVCOR")
        yield Spectrum(
            spec_id="",
            flux=image.image(),
            flux_unit=header.text("BUNIT") or "Relative Flux",
            sampling=affine_sampling(
                header,
                image.shape[0],
                path=file.name,
                unit="Angstrom",
                medium="air",
                scale="ln" if logarithmic else "linear",
            ),
            observation=observe(
                header,
                instrument="HERMES",
                velocity_frame="barycentric" if logarithmic else "topocentric",
                flux_calibration="relative",
                berv=berv,
                rv_applied=berv if logarithmic else float("nan"),
            ),
            zero_padded=True,
            header=project([(0, header)], policy),
        )


READERS = (HermesMercator(),)

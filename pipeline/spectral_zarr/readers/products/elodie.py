"""ELODIE archive spectra: ``s1d`` images with their instrumental factor and noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Observation, Spectrum
from spectral_zarr.readers.axis import affine_sampling
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.observing import first_number, header_snr, observe, sky, velocity_frame


class ElodieS1d:
    """Merged, resampled spectrum of the ELODIE archive (Observatoire de Haute-Provence).

    Moultaka et al. 2004, PASP 116, 693: the primary image is the intensity, the HDU ``FCANOR`` the factor that
    normalised it and ``NOISE`` its standard deviation. Wavelengths are in air, in units of 0.1 nm, and topocentric;
    NaN marks telluric lines.
    """

    name = "elodie-s1d"
    version = "1"
    title = "ELODIE archive s1d images (INTENSITY, FCANOR, NOISE)"
    priority = 0
    policy = HeaderPolicy(
        allow=(r"ALPHA|DELTA|IMANUM|DATASET|IMATYP|JDB[12]|SN|H_WRESOL|NOPROG|SPTYPE|BMV|MV|FILENAME",),
        deny=(r"H_(?!WRESOL).*",),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if file.hdus[0].kind != "image" or not file.hdus[0].shape:
            return False
        instrument = file.primary.text("INSTRUME") or file.primary.text("INSTRUM")
        return "ELODIE" in instrument.upper() or (file.named("FCANOR") is not None and file.named("NOISE") is not None)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, image = file.primary, file.hdus[0]
        unit = header.text("CUNIT1") or "0.1 nm"
        correlation = header.text("IMATYP").upper() == "COR" or "km/s" in header.text("CUNIT").lower()
        if len(image.shape) != 1 or correlation or wavelength_factor(unit) is None:
            kind = "a cross-correlation function" if correlation else f"an image of {image.shape} in '{unit}'"
            raise RefusedProduct(f"ELODIE {kind}, not an s1d spectrum; leave it out", path=file.name, hdu=0)
        yield Spectrum(
            spec_id="",
            flux=image.image(),
            flux_unit=header.text("BUNIT") or "instrumental",
            sampling=affine_sampling(header, image.shape[0], path=file.name, unit=unit, medium="air"),
            observation=_observation(header),
            noise=_noise(file, image.shape),
            noise_unit=hdu.header.text("BUNIT") if (hdu := file.named("NOISE")) else "",
            zero_padded=True,
            header=project([(0, header)], policy),
        )


def _noise(file: FitsFile, shape: tuple[int, ...]) -> NDArray[Any] | None:
    hdu = file.named("NOISE")
    return hdu.image() if hdu is not None and hdu.kind == "image" and hdu.shape == shape else None


def _observation(header: Header) -> Observation:
    snr, snr_method = header_snr(header, "SN", "SNR")
    # A bare number in ALPHA may be hours or degrees; only the sexagesimal text is certain to be hours.
    alpha = () if math.isfinite(header.number("ALPHA")) and "RA" not in header else ("ALPHA",)
    pairs = [(ra, dec) for ra in ("RA", *alpha) for dec in ("DEC", "DELTA")]
    return observe(
        header,
        instrument="ELODIE",
        velocity_frame=velocity_frame(header.text("SPECSYS"), "topocentric"),
        flux_calibration="relative",
        snr=snr,
        snr_method=snr_method,
        **sky(header, *pairs)._asdict(),
        berv=first_number(header, "BERV"),
    )


READERS = (ElodieS1d(),)

"""Spectra of the native HARPS and HARPS-N pipelines: ``*_s1d_A.fits``, one-dimensional images."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Observation, Spectrum
from spectral_zarr.readers.axis import affine_sampling
from spectral_zarr.readers.eso import ESO_POLICY
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.observing import first_number, first_text, observe, positive
from spectral_zarr.readers.reader import MANY_FILES

_OBSERVATORIES = ("ESO", "TNG")


class HarpsS1d:
    """Merged, rebinned spectrum of the HARPS (La Silla) or HARPS-N (TNG) data reduction software.

    HARPS DRS manual, section 4: a float32 image with CTYPE1 = 'Angstrom' and BUNIT = 'Relative Flux'. Wavelengths
    are in air, shifted by the barycentric velocity of the card ``DRS BERV``, and multiples of 0.01 Angstrom.
    There is no error; the gap between the detectors and the ends are exact zeros.
    """

    name = "harps-s1d"
    version = "1"
    title = "HARPS and HARPS-N pipeline s1d images"
    priority = MANY_FILES
    policy = HeaderPolicy(
        allow=(*ESO_POLICY.allow, *(pattern.replace("ESO ", "TNG ") for pattern in ESO_POLICY.allow)),
        deny=(*ESO_POLICY.deny, *(pattern.replace("ESO ", "TNG ") for pattern in ESO_POLICY.deny)),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if file.hdus[0].kind != "image" or not file.hdus[0].shape or "PRODCATG" in file.primary:
            return False
        return file.primary.text("INSTRUME").upper().startswith("HARP") and bool(_observatory(file.primary))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, image = file.primary, file.hdus[0]
        _refuse_other_products(header, image.shape, file.name)
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
                lattice_step=0.01,
                # Headers in which CDELT1 went through float32 are off by 0.007 pixel at the last pixel.
                lattice_tolerance=0.02,
            ),
            observation=_observation(header),
            zero_padded=True,
            header=project([(0, header)], policy),
        )


def _observatory(header: Header) -> str:
    cards = ("DRS VERSION", "DRS BERV", "DRS CCF RVC", "DRS CAL TH FILE", "DRS CAL LOC NBO")
    return next((name for name in _OBSERVATORIES if any(f"{name} {card}" in header for card in cards)), "")


def _refuse_other_products(header: Header, shape: tuple[int, ...], path: str) -> None:
    axes = [text for _, text in header.texts("CTYPE1")]
    advice = "ingest the s1d file of the same exposure, or its ESO Phase 3 product"
    if any("km/s" in axis.lower() for axis in axes):
        raise RefusedProduct(f"a HARPS cross-correlation function, its axis is in km/s; {advice}", path=path, hdu=0)
    if len(shape) > 1:
        what = f"{shape[0]} echelle orders of {shape[-1]} pixels (HARPS e2ds or wave file), not one merged spectrum"
        raise RefusedProduct(f"{what}; {advice}", path=path, hdu=0)
    if not any(wavelength_factor(axis) == 1.0 or axis.upper().startswith("AWAV") for axis in axes):
        raise RefusedProduct(
            f"CTYPE1 is '{', '.join(axes)}', not 'Angstrom' as in a HARPS s1d file; {advice}", path=path
        )


def _observation(header: Header) -> Observation:
    observatory = _observatory(header)
    berv = first_number(header, f"{observatory} DRS BERV")
    return observe(
        header,
        object=first_text(header, "OBJECT", f"{observatory} OBS TARG NAME"),
        program_id=first_text(header, f"{observatory} OBS PROG ID", "PROG_ID", "PROGRAM"),
        velocity_frame="barycentric",
        flux_calibration="relative",
        berv=berv,
        rv_applied=berv,
        airmass=positive(first_number(header, "AIRMASS", f"{observatory} TEL AIRM START")),
    )


READERS = (HarpsS1d(),)

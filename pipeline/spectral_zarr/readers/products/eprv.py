"""Stitched spectra of the EPRV data standard, level 3: ESPRESSO, EXPRES, HARPS, KPF, MAROON-X, NEID and NIRPS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit, wavelength_factor
from spectral_zarr.errors import MissingField, SourceError, UnknownUnit
from spectral_zarr.model import Pixels, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import observe
from spectral_zarr.readers.several import asked_hdus, is_line, named_by_hdu
from spectral_zarr.readers.space import placed

_FLUX = re.compile(r"(?P<stem>(?:COADD_)?STITCHED_(?:(?P<corr>\w+?)_)?(?P<trace>SCI|TRACE\d+|CORR))_FLUX")


class EprvLevel3:
    """One-dimensional spectra of an exposure for extreme precision radial velocities.

    EPRV-RCN data standard, level 3 (RVData, ``L3-extensions`` and the table of units): images ``STITCHED_*_FLUX``
    with ``_WAVE`` and ``_VAR`` of the same shape, orders stitched and blaze-corrected. Wavelengths are in vacuum and in
    the rest frame of the barycentre, in Angstrom or micrometres, told by their size where BUNIT is missing; fluxes are
    photoelectrons. ``STITCHED_CORR_SCI`` (``COADD_STITCHED_CORR`` before) is the sum of the science traces and is the
    spectrum; a file without it has a row for each trace. ``hdu`` in ``[readers]`` chooses others, such as those with
    custom corrections.
    """

    name = "eprv-l3"
    version = "1"
    title = "EPRV data standard level 3, stitched orders (STITCHED_*_FLUX, _WAVE, _VAR)"
    priority = 0
    policy = HeaderPolicy(allow=(r"INSTRUME|NUMTRACE|DATALVL|BLZCORR|LMPCORR|SEDCORR|DISPCORR|INTERPMD|BERV|BJD.*",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return len(file.hdus) > 2 and any("STITCHED_" in name and name.endswith("_FLUX") for name in file.names)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        fluxes = _fluxes(file, options)
        if not fluxes:
            message = f"no STITCHED flux has pixels: {file.describe()}; fetch the file again"
            raise MissingField(message, path=file.name)
        for flux in fluxes:
            found = placed(partial(_spectrum, file, flux, policy), path=file.name, hdu=flux.index, row=0)
            if isinstance(found, Spectrum):
                found = named_by_hdu(found, file, several=len(fluxes) > 1)
            yield found


def _fluxes(file: FitsFile, options: ReaderOptions) -> list[Hdu]:
    filled = [hdu for hdu in file.hdus if _FLUX.fullmatch(hdu.name) and is_line(hdu)]
    if asked := asked_hdus(file, options, None):
        return [hdu for hdu in asked if hdu in filled]
    summed = [hdu for hdu in filled if hdu.name in ("STITCHED_CORR_SCI_FLUX", "COADD_STITCHED_CORR_FLUX")]
    return summed[:1] or [hdu for hdu in filled if "CUSTOM" not in hdu.name] or filled


def _spectrum(file: FitsFile, flux: Hdu, policy: HeaderPolicy) -> Spectrum:
    match = _FLUX.fullmatch(flux.name)
    stem, trace = (match["stem"], match["trace"]) if match else ("", "")
    wave, variance = file.named(f"{stem}_WAVE"), file.named(f"{stem}_VAR")
    if wave is None or wave.shape != flux.shape:
        message = f"{stem}_WAVE is missing or has another shape than {flux.name}; fetch the file again"
        raise MissingField(message, path=file.name, hdu=flux.index)
    noise = variance if variance is not None and variance.shape else None
    if noise is not None and noise.shape != flux.shape:
        message = f"{noise.name} has another shape than {flux.name}; fetch the file again"
        raise MissingField(message, path=file.name, hdu=noise.index)
    axis, unit = wave.image().reshape(-1), flux.header.text("BUNIT")
    return Spectrum(
        spec_id="",
        flux=flux.image().reshape(-1),
        flux_unit=unit if canonical_unit(unit) else "electron",
        sampling=Sampling(unit=_wavelength_unit(wave, axis, file.name), medium="vacuum", values=axis),
        observation=observe(
            file.primary, velocity_frame="barycentric", order=trace if trace.startswith("TRACE") else ""
        ),
        noise=None if noise is None else noise.image().reshape(-1),
        noise_kind="variance",
        noise_unit=noise.header.text("BUNIT") if noise is not None and canonical_unit(unit) else "",
        zero_padded=True,
        header=project([(0, file.primary)], policy),
        hdu=flux.index,
    )


def _wavelength_unit(wave: Hdu, values: Pixels, path: str) -> str:
    written = wave.header.text("BUNIT") or wave.header.text("CUNIT1")
    if wavelength_factor(written) is not None:
        return written
    middle = float(np.nanmedian(values)) if values.size else 0.0
    for unit, low, high in (("um", 0.2, 6.0), ("Angstrom", 2000.0, 60_000.0)):
        if low <= middle <= high:
            return unit
    message = f"{wave.name} is about {middle:g} without a unit, neither Angstrom nor micrometres; correct BUNIT"
    raise UnknownUnit(message, path=path, hdu=wave.index)


READERS = (EprvLevel3(),)

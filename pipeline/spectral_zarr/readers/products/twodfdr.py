"""Fibre spectra that 2dFdr reduced: AAOmega, HERMES, 2dF and 6dF of the Anglo-Australian Observatory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import BadWavelength, MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.model.grid import Scale
from spectral_zarr.readers.axis import LONGEST, SHORTEST, has_axis, image_sampling, stated_medium
from spectral_zarr.readers.companion_units import companion_unit
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.left_out import LeftOutRows
from spectral_zarr.readers.observing import (
    date_from_mjd,
    exposure,
    first_moment,
    moment,
    observe,
    sky_cells,
    start_mjd,
    velocity_frame,
)

_SCIENCE_COMMAND = "RUN"
_COUNTS = frozenset({"adu", "ct", "count", "electron"})


class TwoDfdr:
    """All programme fibres of one exposure, or of a combination.

    Layout of 2dFdr (Croom et al. 2004, AAO Newsletter 106; AAO Software Team 2015, ascl:1505.015): the rows of the
    primary image (of one dimension for one object) are fibres,
    VARIANCE has the same shape, and the table FIBRES says what each fibre was on: only TYPE
    ``P`` is a target. The axis of the image is linear, with CRPIX1 in the middle of the array, or logarithmic; a HDU
    WAVELENGTH holds the axis, or its decimal logarithm, where the cards do not. A variance that is not positive marks
    a bad pixel. The medium is that of the card VACUUM; without it and without a medium in ``[readers.image]`` it is
    unknown.
    """

    name = "2dfdr"
    version = "1"
    title = "2dFdr fibre spectra (AAOmega, HERMES, 2dF, 6dF), one row per programme fibre"
    priority = 0
    policy = HeaderPolicy(
        allow=(
            r"UTDATE|UTSTART|UTEND|UTMJD|MEANRA|MEANDEC|EXPOSED|TOTALEXP|SPECTID|GRATID|PLATE|SOURCE|CFG_FILE|RUN",
            r"OBSNUM|GRPNUM|GRPMEM|GRPMAX|NDFCLASS|RUNCMD|LAMBDAC|DISPERS",
        ),
        deny=(r"BRD.*|WINDO.*",),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus[0].shape) not in (1, 2):
            return False
        fibres = file.named("FIBRES")
        if fibres is None or fibres.kind != "table":
            return False
        return file.named("VARIANCE") is not None or file.named("REDUCTION_ARGS") is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        header, fibres = file.primary, file.named("FIBRES")
        command = header.text("RUNCMD").upper()
        if command and command != _SCIENCE_COMMAND:
            raise RefusedProduct(f"RUNCMD = '{command}': a calibration exposure; leave it out", path=file.name, hdu=0)
        flux = np.atleast_2d(file.hdus[0].image())
        if fibres is None or fibres.find("TYPE") is None:
            raise MissingField("FIBRES has no column TYPE, so that sky and targets look alike", path=file.name)
        if fibres.n_rows != flux.shape[0]:
            message = f"the image has {flux.shape[0]} rows for {fibres.n_rows} fibres: spectra that were not extracted?"
            raise MissingField(f"{message} Reduce the file first", path=file.name, hdu=0)
        variance = _variance(file, flux)
        samplings = _samplings(file, flux.shape, options)
        unit = options.image.flux_unit or header.text("BUNIT") or "counts"
        variance_unit = companion_unit(
            hdu.header.text("BUNIT") if (hdu := file.named("VARIANCE")) else "",
            "variance",
            unit,
            beside=header.text("BUNIT"),
            name="VARIANCE",
            flux_name="the flux",
            path=file.name,
        )
        projected = project([(0, header)], policy)
        common = _observation(header, unit, options)
        in_radians = _in_radians(fibres)
        left_out = LeftOutRows(file.name, fibres.index)
        for row in range(flux.shape[0]):
            kind = fibres.cell_text("TYPE", row).upper()
            if kind != "P":
                left_out.add(f"TYPE = {kind or 'blank'}", row)
                continue
            yield Spectrum(
                spec_id="",
                flux=flux[row],
                flux_unit=unit,
                sampling=samplings[row % len(samplings)],
                observation=_of_fibre(common, fibres, row, in_radians=in_radians),
                noise=None if variance is None else variance[row],
                noise_kind="variance",
                noise_unit=variance_unit,
                zero_padded=True,
                header=projected,
                row=row,
            )
        yield from left_out.errors()


def _variance(file: FitsFile, flux: Pixels) -> Pixels | None:
    hdu = file.named("VARIANCE")
    if hdu is None:
        return None
    variance = np.atleast_2d(hdu.image())
    if variance.shape != flux.shape:
        message = f"VARIANCE has shape {variance.shape} beside a flux of {flux.shape}; reduce the file again"
        raise MissingField(message, path=file.name, hdu=hdu.index)
    return variance


def _samplings(file: FitsFile, shape: tuple[int, ...], options: ReaderOptions) -> list[Sampling]:
    """One axis for all fibres, or one per fibre."""
    header, hdu = file.primary, file.named("WAVELENGTH")
    if hdu is None:
        if not has_axis(header):
            message = "CRVAL1 or CDELT1 is missing: spectra that were not put on wavelengths? Reduce the file first"
            raise MissingField(message, path=file.name, hdu=0)
        image = replace(options.image, wavelength_unit=options.image.wavelength_unit or "Angstrom")
        return [image_sampling(header, image, path=file.name, hdu=0, n_pix=shape[1])]
    values = np.atleast_2d(hdu.image())
    if values.shape not in (shape, (1, shape[1])):
        message = f"WAVELENGTH has shape {values.shape} beside a flux of {shape}; reduce the file again"
        raise MissingField(message, path=file.name, hdu=hdu.index)
    middle = float(np.nanmedian(values))
    scale: Scale = "log10" if math.log10(SHORTEST) <= middle <= math.log10(LONGEST) else "linear"
    if scale == "linear" and not SHORTEST <= middle <= LONGEST:
        message = f"WAVELENGTH is about {middle:g}, neither Angstrom nor their decimal logarithm"
        raise BadWavelength(message, path=file.name, hdu=hdu.index)
    medium = stated_medium(header, options.image.medium)
    return [Sampling(unit="Angstrom", medium=medium, scale=scale, values=row) for row in values]


def _observation(header: Header, unit: str, options: ReaderOptions) -> Observation:
    start = moment(header.text("UTDATE"), header.text("UTSTART"))
    mjd = start_mjd(header, ("UTMJD",))
    return observe(
        header,
        object="",
        date_obs=first_moment(start, date_from_mjd(mjd)),
        mjd=mjd,
        velocity_frame=velocity_frame(header.text("SPECSYS"), options.image.velocity_frame),
        flux_calibration="counts" if canonical_unit(unit) in _COUNTS else "absolute",
        exptime=exposure(header, "TOTALEXP", "EXPOSED"),
    )


def _of_fibre(common: Observation, fibres: Hdu, row: int, *, in_radians: bool) -> Observation:
    return replace(
        common,
        object=fibres.cell_text("NAME", row),
        **sky_cells(fibres, row, ("RA", "DEC"), unit="rad" if in_radians else "")._asdict(),
    )


def _in_radians(fibres: Hdu) -> bool:
    column = fibres.find("RA")
    if column is None or column.dtype.startswith("S") or column.unit:
        return False
    # 2dFdr writes radians without saying so; values beyond a full turn can only be degrees.
    return bool(np.nanmax(fibres.column_data(column), initial=0.0) <= 2 * math.pi)


READERS = (TwoDfdr(),)

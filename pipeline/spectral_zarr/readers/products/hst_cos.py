"""HST COS extracted spectra, whose segments are one spectrum, and coadded HST spectra of the HASP and HULLYSES kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, SourceError
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.arms import Arm, join_arms
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import COS_BITS, bad_pixels
from spectral_zarr.readers.observing import first_text
from spectral_zarr.readers.space import (
    FLAM,
    SPACE_POLICY,
    cell,
    helcorr_frame,
    length,
    observe_hst,
    placed,
    root_name,
    tables_with,
    unit_of,
    used_columns,
)

_FP_POSITION = re.compile(r"_x1dsum([1-4])")


class CosX1d:
    """Spectrum of an x1d or x1dsum file of the COS pipeline, its segments or stripes joined.

    COS Data Handbook, chapter 2: the rows are the detector segments (FUVA, the red one, before FUVB) or the stripes
    NUVA to NUVC, with NELEM and the vectors WAVELENGTH (Angstrom, vacuum, heliocentric where HELCORR is complete),
    FLUX, ERROR, DQ and DQ_WGT. A pixel is good where it has no bit of SDQFLAGS or a weight above zero. The ends of the
    segments, where flux and error are zero, were not measured.
    """

    name = "hst-cos-x1d"
    version = "1"
    title = "HST COS x1d and x1dsum, segments joined in ascending wavelength"
    priority = 0
    policy = SPACE_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return file.primary.text("INSTRUME") == "COS" and bool(_segments(file))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        tables = _segments(file)
        for number, table in enumerate(tables, start=1):
            extension = str(table.header.integer("EXTVER") or number) if len(tables) > 1 else ""
            build = partial(_joined, file, policy, options, table, extension)
            yield placed(build, path=file.name, hdu=table.index, row=0)


def _segments(file: FitsFile) -> list[Hdu]:
    return tables_with(file.hdus, "SEGMENT", "WAVELENGTH", "FLUX")


def _joined(file: FitsFile, policy: HeaderPolicy, options: ReaderOptions, table: Hdu, extension: str) -> Spectrum:
    primary, path = file.primary, file.name
    arms = [arm for row in range(table.n_rows) if (arm := _arm(table, row, path, options)) is not None]
    if not arms:
        message = "no segment has wavelengths and pixels; the exposure failed, leave it out"
        raise MissingField(message, path=path, hdu=table.index)
    arm, method = join_arms(arms)
    summed = _FP_POSITION.search(primary.text("FILENAME"))
    parts = (root_name(primary), f"fp{summed[1]}" if summed else "", extension)
    return Spectrum(
        spec_id="-".join(part for part in parts if part),
        flux=arm.flux,
        flux_unit=unit_of(table, "FLUX", FLAM),
        sampling=Sampling(unit=unit_of(table, "WAVELENGTH", "Angstrom"), medium="vacuum", values=arm.wavelength),
        observation=observe_hst(primary, table.header, velocity_frame=helcorr_frame(primary), arm_merge=method),
        noise=arm.noise,
        noise_unit=unit_of(table, "ERROR", ""),
        bad=arm.bad,
        missing=arm.missing,
        zero_padded=True,
        header=project(
            [(0, primary), (1, table.header)],
            policy,
            {1: used_columns(table, "SEGMENT", "WAVELENGTH", "FLUX", "ERROR", "DQ", "DQ_WGT")},
        ),
        hdu=table.index,
    )


def _arm(table: Hdu, row: int, path: str, options: ReaderOptions) -> Arm | None:
    n_pix = length(table, row, "NELEM")
    wavelength = cell(table, row, "WAVELENGTH", n_pix=n_pix, path=path)
    if not (wavelength > 0).any():
        # A segment that was switched off may keep its row.
        return None
    flux = cell(table, row, "FLUX", n_pix=n_pix, path=path)
    error = cell(table, row, "ERROR", n_pix=n_pix, path=path)
    bits = table.header.integer("SDQFLAGS")
    bad = bad_pixels(cell(table, row, "DQ", n_pix=n_pix, path=path), options, COS_BITS if bits is None else bits)
    if table.find("DQ_WGT") is not None and not options.mask_bits:
        bad &= ~(cell(table, row, "DQ_WGT", n_pix=n_pix, path=path) > 0)
    return Arm(wavelength=wavelength, flux=flux, noise=error, bad=bad, missing=(flux == 0) & (error == 0) & bad)


class HstCoadd:
    """Coadded spectrum of the Hubble Advanced Spectral Products (cspec) and of HULLYSES.

    One row of vectors WAVELENGTH (Angstrom, vacuum, heliocentric), FLUX, ERROR, SNR and EFF_EXPTIME (Debes et al. 2024,
    HASP Instrument Science Report; Roman-Duval et al. 2020, RNAAS 4, 205). Pixels without exposure time were not
    measured. The spectra combine visits, so they are ``stacked`` and have no date.
    """

    name = "hst-cspec"
    version = "1"
    title = "HST coadds of HASP and HULLYSES (cspec)"
    priority = 0
    policy = SPACE_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        known = any(one in file.primary.text("TELESCOP").upper() for one in ("HST", "FUSE"))
        return known and bool(_coadds(file))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        table, primary, path = _coadds(file)[0], file.primary, file.name
        flux = cell(table, 0, "FLUX", path=path)
        measured = cell(table, 0, "EFF_EXPTIME", path=path) > 0
        yield Spectrum(
            spec_id=first_text(primary, "FILENAME").removesuffix(".gz").removesuffix(".fits"),
            flux=flux,
            flux_unit=unit_of(table, "FLUX", FLAM),
            sampling=Sampling(
                unit=unit_of(table, "WAVELENGTH", "Angstrom"),
                medium="vacuum",
                values=cell(table, 0, "WAVELENGTH", path=path),
            ),
            observation=observe_hst(
                primary, table.header, source_type="stacked", date_obs="", velocity_frame="heliocentric"
            ),
            noise=cell(table, 0, "ERROR", path=path),
            noise_unit=unit_of(table, "ERROR", ""),
            missing=~measured,
            zero_padded=True,
            header=project(
                [(0, primary), (table.index, table.header)],
                policy,
                {table.index: used_columns(table, "WAVELENGTH", "FLUX", "ERROR", "EFF_EXPTIME")},
            ),
            hdu=table.index,
        )


def _coadds(file: FitsFile) -> list[Hdu]:
    tables = tables_with(file.hdus[:3], "WAVELENGTH", "FLUX", "ERROR", "SNR", "EFF_EXPTIME")
    return [table for table in tables if table.n_rows == 1]


READERS = (CosX1d(), HstCoadd())

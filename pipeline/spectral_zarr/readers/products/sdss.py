"""SDSS, BOSS and eBOSS optical spectra, ``spec-PPPP-MMMMM-FFFF.fits`` and spec-lite, and those of SDSS-V."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.model import Pixels, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import SDSS_BITS, bad_where_asked
from spectral_zarr.readers.observing import first_text, positive
from spectral_zarr.readers.reader import MANY_FILES
from spectral_zarr.readers.sdss import (
    LOG_STEP,
    LOG_TOLERANCE,
    SDSS_POLICY,
    fibre_id,
    flux_unit,
    is_sdss,
    medium,
    observe_sdss,
    plate_number,
)

_SUMMARIES = ("SPECOBJ", "SPALL", "ZALL")


class SdssSpec:
    """SDSS/BOSS/eBOSS coadded spectrum of one fibre, or of one target of SDSS-V.

    Data model ``spec`` of SDSS DR8 to DR19: HDU1 COADD with ``flux``, ``loglam``, ``ivar``; vacuum, heliocentric;
    flux in 1e-17 erg s-1 cm-2 Angstrom-1. All files sample one lattice, log10(wavelength) = k * 1e-4, which
    float32 ``loglam`` blurs by at most 0.0024 pixel in real files. Pixels with ``ivar`` = 0 are bad. Spectra of
    SDSS-V (BOSS reductions v6) are told by field, MJD and catalogue identifier instead of plate, MJD and fibre.
    """

    name = "sdss-spec"
    version = "1"
    title = "SDSS/BOSS/eBOSS/SDSS-V spec and spec-lite (HDU1 COADD: flux, loglam, ivar)"
    priority = MANY_FILES
    policy = SDSS_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus) < 2 or file.hdus[1].kind != "table" or not is_sdss(file.primary):
            return False
        coadd = file.hdus[1]
        return coadd.n_rows > 1 and all(coadd.find(name) for name in ("flux", "loglam", "ivar"))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, coadd = file.primary, file.hdus[1]
        summary = next((hdu for hdu in file.hdus[2:5] if hdu.name in _SUMMARIES), None)
        used = tuple(column.number for name in ("flux", "loglam", "ivar") if (column := coadd.find(name)))
        snr = positive(summary.cell_number("SN_MEDIAN_ALL")) if summary is not None else float("nan")
        known = {"instrument": instrument} if (instrument := _instrument(header, summary)) else {}
        yield Spectrum(
            spec_id=_spec_id(header, summary, file.name),
            flux=coadd.column("flux"),
            flux_unit=flux_unit(header),
            sampling=Sampling(
                unit="Angstrom",
                medium=medium(header),
                scale="log10",
                values=coadd.column("loglam"),
                lattice_step=LOG_STEP,
                lattice_tolerance=LOG_TOLERANCE,
            ),
            observation=observe_sdss(
                header,
                object_id=_object_id(header, summary),
                snr=snr,
                snr_method="header:SN_MEDIAN_ALL" if math.isfinite(snr) else "",
                **known,
            ),
            noise=coadd.column("ivar"),
            noise_kind="ivar",
            bad=bad_where_asked(partial(_and_mask, coadd), options, SDSS_BITS),
            header=project([(0, header), (1, coadd.header)], policy, {1: used}),
            hdu=1,
        )


def _and_mask(coadd: Hdu) -> Pixels:
    return coadd.column("and_mask") if coadd.find("and_mask") is not None else np.empty(0)


def _spec_id(header: Header, summary: Hdu | None, name: str) -> str:
    mjd = header.integer("MJD")
    mjd = mjd if mjd is not None else _cell_integer(summary, "MJD")
    field = first_text(header, "FIELD", "FIELDID") or _cell_identifier(summary, "FIELD")
    catalog = _catalog_id(header, summary)
    if field and catalog and mjd is not None:
        return f"sdss-{field}-{mjd}-{catalog}"
    plate, fiber = plate_number(header), header.integer("FIBERID")
    plate = plate if plate is not None else _cell_integer(summary, "PLATE")
    fiber = fiber if fiber is not None else _cell_integer(summary, "FIBERID")
    return fibre_id(plate, mjd, fiber, name)


def _catalog_id(header: Header, summary: Hdu | None) -> str:
    return first_text(header, "CATALOGID", "CATID") or _cell_identifier(summary, "CATALOGID")


def _cell_identifier(hdu: Hdu | None, column: str) -> str:
    # As text: catalogue identifiers exceed what a float holds.
    text = hdu.cell_text(column) if hdu is not None else ""
    return "" if text in ("0", "-1", "-999", "-9999") else text


def _cell_integer(hdu: Hdu | None, column: str) -> int | None:
    value = hdu.cell_number(column) if hdu is not None else float("nan")
    return int(value) if math.isfinite(value) and value >= 0 else None


def _instrument(header: Header, summary: Hdu | None) -> str:
    return first_text(header, "INSTRUME") or (summary.cell_text("INSTRUMENT") if summary is not None else "")


def _object_id(header: Header, summary: Hdu | None) -> str:
    if thing := _cell_integer(summary, "THING_ID"):
        return f"thing-{thing}"
    if sdss := header.text("SDSS_ID") or _cell_identifier(summary, "SDSS_ID"):
        return f"sdssid-{sdss}"
    catalog = _catalog_id(header, summary)
    return f"catalogid-{catalog}" if catalog else ""


READERS = (SdssSpec(),)

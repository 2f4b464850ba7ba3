"""MaStar, the stellar library of MaNGA: many spectra in one table, a row for each visit or each star."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import MASTAR_BITS, bad_where_asked
from spectral_zarr.readers.observing import date_from_mjd, positive, sky_cells
from spectral_zarr.readers.sdss import FLUX_UNIT, LOG_STEP, LOG_TOLERANCE

_USED = ("WAVE", "FLUX", "IVAR")
_FASTEST_STAR = 1e4
_NOT_MEASURED = -998.0


class MaStar:
    """Spectra of the MaNGA stellar library.

    Data models ``mastar-goodspec`` and ``mastar-combspec`` (Yan et al. 2019, ApJ 883, 175): the columns WAVE, FLUX and
    IVAR hold one spectrum per row, of a visit where there is a column MJD and of all visits to a star otherwise.
    Vacuum, heliocentric, flux in 1e-17 erg s-1 cm-2 Angstrom-1, log10(wavelength) in steps of 1e-4, bad where IVAR is
    zero.
    """

    name = "mastar"
    version = "1"
    title = "MaStar goodspec and combspec, one row per table row"
    priority = 0
    policy = HeaderPolicy(allow=(r"VERS(MAST|PROC|DRP3|PRIM)|MPROCVER|DRPVER",))
    parts = True

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table = _table(file)
        if table is None or table.n_rows == 0:
            raise MissingField("the table of spectra is empty; fetch the file again", path=file.name)
        used = [column.number for name in _USED if (column := table.find(name))]
        projected = project([(0, file.primary), (table.index, table.header)], policy, {table.index: used})
        column = table.find("FLUX")
        unit = column.unit if column is not None and canonical_unit(column.unit) else FLUX_UNIT
        if table.find("IVAR") is None:
            seen = ", ".join(one.name for one in table.layout.columns[:40])
            raise MissingField(f"no column IVAR among {seen}; fetch the file again", path=file.name, hdu=table.index)
        for row in file.part.of_range(table.n_rows):
            yield Spectrum(
                spec_id=_spec_id(table, row),
                flux=table.flat_cell("FLUX", row),
                flux_unit=unit,
                sampling=_sampling(table, row),
                observation=_observation(table, row),
                noise=table.flat_cell("IVAR", row),
                noise_kind="ivar",
                bad=bad_where_asked(partial(table.flat_cell, "MASK", row), options, MASTAR_BITS),
                zero_padded=True,
                params=_velocity(table, row),
                header=projected,
                hdu=table.index,
                row=row,
            )


def _table(file: FitsFile) -> Hdu | None:
    for hdu in file.hdus[1:3]:
        flux = hdu.find("FLUX")
        if flux is not None and flux.repeat > 1 and hdu.find("MANGAID") is not None and hdu.find("WAVE") is not None:
            return hdu
    return None


def _sampling(table: Hdu, row: int) -> Sampling:
    with np.errstate(all="ignore"):
        values = np.log10(table.flat_cell("WAVE", row).astype(np.float64))
    return Sampling(
        unit="Angstrom",
        medium="vacuum",
        scale="log10",
        values=np.where(np.isfinite(values), values, np.nan),
        lattice_step=LOG_STEP,
        lattice_tolerance=LOG_TOLERANCE,
    )


def _spec_id(table: Hdu, row: int) -> str:
    parts = [table.cell_text(name, row) for name in ("MANGAID", "PLATE", "MJD", "IFUDESIGN")]
    return "-".join(["mastar", *("_".join(part.split()) for part in parts if part)]) if parts[0] else ""


def _observation(table: Hdu, row: int) -> Observation:
    visit = table.find("MJD") is not None
    snr = positive(_first(table, row, "S2N", "SNR", "SN"))
    star = table.cell_text("MANGAID", row)
    return Observation(
        source_type="observed" if visit else "stacked",
        instrument="MaNGA",
        object=star,
        object_id=f"mangaid-{star}" if star else "",
        # The table gives the night alone.
        date_obs=date_from_mjd(table.cell_number("MJD", row) // 1)[:10] if visit else "",
        velocity_frame="heliocentric",
        flux_calibration="absolute",
        snr=snr,
        snr_method="header:S2N" if math.isfinite(snr) else "",
        **sky_cells(table, row, ("OBJRA", "OBJDEC"), ("RA", "DEC"), ("IFURA", "IFUDEC"))._asdict(),
        exptime=positive(_first(table, row, "EXPTIME")),
    )


def _first(table: Hdu, row: int, *names: str) -> float:
    for name in names:
        value = table.cell_number(name, row)
        if math.isfinite(value) and value > _NOT_MEASURED:
            return value
    return float("nan")


def _velocity(table: Hdu, row: int) -> dict[str, Any]:
    suffix = "_VISIT" if table.find("HELIOV_VISIT") is not None else ""
    value, error = (table.cell_number(f"{name}{suffix}", row) for name in ("HELIOV", "VERR"))
    flag = table.cell_number(f"V_ERRCODE{suffix}", row)
    if not (math.isfinite(value) and _NOT_MEASURED < value < _FASTEST_STAR) or flag > 0:
        return {}
    return {"rv": value, "e_rv": error if 0 < error < _FASTEST_STAR else float("nan")}


READERS = (MaStar(),)

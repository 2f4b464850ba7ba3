"""Milky Way Mapper spectra of SDSS-V: mwmStar and mwmVisit, BOSS and APOGEE of both observatories in one file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import DamagedData, LeftOut, MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.left_out import LeftOutRows
from spectral_zarr.readers.masks import APOGEE_BITS, SDSS_BITS, bad_where_asked
from spectral_zarr.readers.observing import first_text, iso_moment, mjd_from_date, observe, positive
from spectral_zarr.readers.sdss import FLUX_UNIT

_LOG_STEPS = MappingProxyType({"BOSS": 1e-4, "APOGEE": 6e-6})
"""Steps of the lattices k * step of log10(wavelength): 3.5523 is 35523 steps and 4.179 is 696500."""

_TOLERANCE = 0.01
_HDUS = frozenset({"BOSS/APO", "BOSS/LCO", "APOGEE/APO", "APOGEE/LCO"})
_USED = ("wavelength", "flux", "ivar", "continuum")
_FASTEST_STAR = 1e4


class MilkyWayMapper:
    """Combined spectra of a star (mwmStar) or its visits (mwmVisit).

    Data models ``mwmStar`` and ``mwmVisit`` of Astra (SDSS DR19): four tables, BOSS and APOGEE from Apache Point and
    Las Campanas, of one row per spectrum and any of them empty. The wavelength is a column, or the cards CRVAL, CDELT
    and NPIXELS of log10(wavelength) give it. Vacuum, rest frame of the star, flux in 1e-17 erg s-1 cm-2 Angstrom-1,
    bad where ``ivar`` is zero or ``pixel_flags`` of APOGEE has one of `APOGEE_BITS`. Visits that are not in the stack
    were resampled without the shift to the rest frame and are rejected one by one.
    """

    name = "sdss-mwm"
    version = "1"
    title = "SDSS-V mwmStar and mwmVisit, one row per spectrum of BOSS and APOGEE"
    priority = 0
    policy = HeaderPolicy(
        allow=(
            r"SDSS_ID|V_ASTRA|APOGEEID|GAIA[23]_ID|GAIA_DR[23]|TIC_ID|HEALPIX|CARTON_0|CAT_ID(21|25|31)?|VER_ID|PLX|E_PLX",
            r"PMRA|E_PMRA|PMDE|E_PMDE|V_RAD|E_V_RAD|[GJHK]_MAG|BP_MAG|RP_MAG|N_BOSS|N_APOGEE|OBSRVTRY|INSTRMNT",
        )
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        tables = [hdu for hdu in file.hdus[1:] if hdu.kind == "table" and hdu.name in _HDUS]
        return any(hdu.find("flux", "model_flux") is not None for hdu in tables)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        tables = [hdu for hdu in file.hdus[1:] if hdu.kind == "table" and hdu.name in _HDUS]
        for table in tables:
            if table.find("model_flux") is not None:
                message = "an Astra pipeline product with models of spectra; ingest the mwmStar or mwmVisit file"
                raise RefusedProduct(message, path=file.name, hdu=table.index)
        if not any(table.n_rows for table in tables):
            raise LeftOut("all tables are empty: no spectrum was taken of this star", path=file.name)
        for table in tables:
            if table.n_rows == 0:
                continue
            used = [column.number for name in _USED if (column := table.find(name))]
            projected = project([(0, file.primary), (table.index, table.header)], policy, {table.index: used})
            left_out = LeftOutRows(file.name, table.index)
            for row in range(table.n_rows):
                if _is_unshifted(table, row):
                    left_out.add("the visit is not in the stack and so not in the rest frame of the star", row)
                    continue
                try:
                    yield _spectrum(file, table, row, projected, options)
                except DamagedData:
                    raise
                except SourceError as error:
                    yield type(error)(error.message, path=file.name, hdu=table.index, row=row)
            yield from left_out.errors()


def _spectrum(file: FitsFile, table: Hdu, row: int, projected: Any, options: ReaderOptions) -> Spectrum:
    column = table.find("flux")
    if column is None or table.find("ivar") is None:
        seen = ", ".join(one.name for one in table.layout.columns[:12])
        raise MissingField(f"no columns flux and ivar among {seen}; the file is damaged or of another product")
    continuum = table.flat_cell("continuum", row) if table.find("continuum") is not None else None
    return Spectrum(
        spec_id=_spec_id(file.primary, table, row),
        flux=table.flat_cell("flux", row),
        flux_unit=column.unit or FLUX_UNIT,
        sampling=_sampling(table, row),
        observation=_observation(file.primary, table, row),
        noise=table.flat_cell("ivar", row),
        noise_kind="ivar",
        bad=bad_where_asked(
            lambda: table.flat_cell("pixel_flags", row),
            options,
            APOGEE_BITS if _instrument(table) == "APOGEE" else SDSS_BITS,
        ),
        zero_padded=True,
        continuum=continuum if continuum is not None and continuum.any() else None,
        continuum_method="none" if continuum is None or not continuum.any() else "column:continuum",
        params=_velocity(table, row),
        header=projected,
        hdu=table.index,
        row=row,
    )


def _sampling(table: Hdu, row: int) -> Sampling:
    known: dict[str, Any] = {
        "unit": "Angstrom",
        "medium": "vacuum",
        "scale": "log10",
        "lattice_step": _LOG_STEPS[_instrument(table)],
        "lattice_tolerance": _TOLERANCE,
    }
    if table.find("wavelength") is not None:
        with np.errstate(all="ignore"):
            values = np.log10(table.flat_cell("wavelength", row).astype(np.float64))
        return Sampling(values=np.where(np.isfinite(values), values, np.nan), **known)
    header = table.header
    start, step = (_card(header, stem) for stem in ("CRVAL", "CDELT"))
    n_pix = header.integer("NPIXELS") or table.flat_cell("flux", row).size
    if not (math.isfinite(start) and math.isfinite(step)):
        raise MissingField("no column wavelength and no cards CRVAL and CDELT; fetch the file again")
    reference = _card(header, "CRPIX")
    first = start + (1.0 - (reference if math.isfinite(reference) else 1.0)) * step
    return Sampling(start=first, step=step, n_pix=n_pix, **known)


def _card(header: Header, stem: str) -> float:
    value = header.number(stem)
    return value if math.isfinite(value) else header.number(f"{stem}1")


def _instrument(table: Hdu) -> str:
    return table.name.partition("/")[0]


def _is_visit(table: Hdu) -> bool:
    return table.find("min_mjd", "n_visits", "n_good_visits") is None


def _is_unshifted(table: Hdu, row: int) -> bool:
    return table.find("in_stack") is not None and table.cell_text("in_stack", row) in ("False", "F", "0")


def _spec_id(header: Header, table: Hdu, row: int) -> str:
    star = header.text("SDSS_ID") or table.cell_text("sdss_id", row)
    if not star:
        return ""
    product = "mwmvisit" if _is_visit(table) else "mwmstar"
    parts = [product, star, *table.name.lower().split("/")]
    if product == "mwmvisit":
        # A star can be visited twice in a night; the key of the spectrum tells the visits apart.
        key = table.cell_text("spectrum_pk", row) or table.cell_text("spectrum_pk_id", row)
        parts += [table.cell_text("mjd", row) or "visit", key if key.strip("-0") else f"r{row}"]
    elif row:
        parts.append(f"r{row}")
    return "-".join(parts)


def _observation(header: Header, table: Hdu, row: int) -> Observation:
    visit = _is_visit(table)
    gaia = first_text(header, "GAIA3_ID", "GAIA_DR3", "GAIADR3")
    gaia = gaia if gaia.isdigit() and int(gaia) > 0 else ""
    snr = positive(table.cell_number("snr", row))
    date = iso_moment(table.cell_text("date_obs", row)) if visit else ""
    velocity = _velocity(table, row)
    star = header.text("SDSS_ID") or table.cell_text("sdss_id", row)
    return observe(
        header,
        instrument=_instrument(table),
        source_type="observed" if visit else "stacked",
        object=header.text("APOGEEID") or table.cell_text("obj", row),
        object_id=f"sdssid-{star}" if star else "",
        gaia_id=gaia,
        gaia_dr="DR3" if gaia else "",
        program_id=header.text("CARTON_0"),
        date_obs=date,
        mjd=mjd_from_date(date),
        exptime=positive(table.cell_number("exptime", row)) if visit else float("nan"),
        velocity_frame="rest",
        rv_applied=velocity.get("rv", float("nan")),
        flux_calibration="absolute",
        snr=snr,
        snr_method="header:SNR" if math.isfinite(snr) else "",
    )


def _velocity(table: Hdu, row: int) -> dict[str, float]:
    for name in ("v_rad", "xcsao_v_rad"):
        value = table.cell_number(name, row)
        if math.isfinite(value) and abs(value) < _FASTEST_STAR:
            error = positive(table.cell_number(name.replace("v_rad", "e_v_rad"), row))
            return {"rv": value, "e_rv": error if error < _FASTEST_STAR else float("nan")}
    return {}


READERS = (MilkyWayMapper(),)

"""ESO Phase 3 science data products: one spectrum in a one-row table of vectors, for every ESO spectrograph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.companions import Kind
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.companion_units import companion_unit
from spectral_zarr.readers.eso import ESO_POLICY, observe_eso
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.masks import bad_pixels
from spectral_zarr.readers.observing import first_number, positive, velocity_frame
from spectral_zarr.readers.reader import MANY_FILES
from spectral_zarr.readers.sdp_columns import SpectrumColumns, spectrum_columns
from spectral_zarr.readers.several import only_table

_COUNTS = frozenset({"adu", "ct", "count", "electron"})
_CNAME = re.compile(r"\d{8}[+-]\d{7}")
"""Target names of the Gaia-ESO survey, the keys of its catalogue."""


@dataclass(frozen=True, slots=True)
class InstrumentRule:
    """What the standard does not say and the pipeline of one instrument guarantees.

    Attributes
    ----------
    lattice_step : float, optional
        Step in Angstrom of the lattice that every file samples.
    lattice_card : str
        Card that must be present, because only the pipeline that writes it uses the lattice.
    lattice_tolerance : float
        Largest distance from the lattice in pixels.
    fill_error : float, optional
        Error that the pipeline writes beside a flux of zero where it merged no order.
    """

    lattice_step: float | None = None
    lattice_card: str = ""
    lattice_tolerance: float = 1e-3
    fill_error: float | None = None


_RULES = MappingProxyType(
    {
        "HARPS": InstrumentRule(
            lattice_step=0.01,
            lattice_card="ESO DRS VERSION",
            # A step that went through float32 is off by 0.007 pixel at the end of 313,000 pixels.
            lattice_tolerance=0.02,
        ),
        "FEROS": InstrumentRule(lattice_step=0.03),
        "UVES": InstrumentRule(fill_error=1.0),
    }
)
_NO_RULE = InstrumentRule()


class EsoSdp:
    """Spectrum of the ESO science archive, from an ESO pipeline or from a survey team.

    ESO Science Data Products Standard (ESO-044286): a primary header with ``PRODCATG = SCIENCE.SPECTRUM`` and one
    binary table of one row, whose columns are told by UTYPE and UCD. The medium stands in the UCD of the spectral
    column alone (``em.wl;obs.atmos`` is air, ``em.wl`` is vacuum), the frame in SPECSYS. QUAL is zero for good
    pixels; a column of that name without any zero follows another convention and is ignored.
    """

    name = "eso-sdp"
    version = "1"
    title = "ESO Phase 3 spectra (HARPS, UVES, X-shooter, ESPRESSO, FEROS, NIRPS, GIRAFFE, VIMOS, Gaia-ESO, ...)"
    priority = MANY_FILES
    policy = ESO_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if file.primary.text("PRODCATG").upper().startswith("SCIENCE.SPECTRUM"):
            return True
        if len(file.hdus) < 2 or file.hdus[1].kind != "table" or file.hdus[1].n_rows != 1:
            return False
        declared = file.hdus[1].header.text("VOCLASS").upper().startswith("SPECTRUM")
        return declared and spectrum_columns(file.hdus[1].layout, normalized=False).flux is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table = only_table(file, _table(file), options)
        contnorm = file.primary.flag("CONTNORM") or table.header.flag("CONTNORM")
        columns = spectrum_columns(table.layout, normalized=contnorm)
        wavelength, flux = _required(columns, table, file.name)
        normalized_product = contnorm and columns.normalized is None
        unit = "dimensionless" if normalized_product else options.table.flux_unit or flux.unit
        if not unit and file.primary.text("FLUXCAL").upper() == "UNCALIBRATED":
            unit = "Relative Flux"
        values = _cell(table, flux, file.name)
        error = _cell(table, columns.error, file.name) if columns.error else None
        instrument = file.primary.text("INSTRUME") or table.header.text("INSTRUME")
        rule = _RULES.get(instrument.upper(), _NO_RULE)
        yield Spectrum(
            spec_id=_archive_id(file.primary),
            flux=values,
            flux_unit=unit,
            sampling=_sampling(table, wavelength, rule, file, options),
            observation=_observation(file.primary, table, instrument, unit, normalized_product),
            noise=error,
            noise_unit=_companion_unit(table, columns, columns.error, "sigma", unit, file.name),
            bad=_bad(table, columns.quality, values, error, rule, file.name, options),
            zero_padded=True,
            normalized_product=normalized_product,
            continuum=None if normalized_product else _optional(table, columns.continuum, file.name),
            continuum_unit=""
            if normalized_product
            else _companion_unit(table, columns, columns.continuum, "continuum", unit, file.name),
            continuum_method="column:CONTINUUM" if columns.continuum and not normalized_product else "none",
            normalized=_optional(table, columns.normalized, file.name),
            normalized_sigma=_optional(table, columns.normalized_error, file.name),
            header=project([(0, file.primary), (table.index, table.header)], policy, {table.index: columns.numbers()}),
            hdu=table.index,
        )


def _table(file: FitsFile) -> Hdu:
    tables = [hdu for hdu in file.hdus if hdu.kind == "table"]
    if not tables:
        message = f"PRODCATG says spectrum and there is no binary table: {file.describe()}; fetch the file again"
        raise MissingField(message, path=file.name)
    table = tables[0]
    if table.header.flag("ZTABLE"):
        raise RefusedProduct("the table is compressed; unpack it with funpack", path=file.name, hdu=table.index)
    if table.n_rows != 1:
        message = (
            f"an ESO science data product has one row of vectors and this table has {table.n_rows} rows of"
            f" {', '.join(column.name for column in table.layout.columns[:8])}; no reader knows that layout"
        )
        raise RefusedProduct(message, path=file.name, hdu=table.index)
    return table


def _required(columns: SpectrumColumns, table: Hdu, path: str) -> tuple[TableColumn, TableColumn]:
    if columns.wavelength is None or columns.flux is None:
        absent = "spectral" if columns.wavelength is None else "flux"
        seen = ", ".join(f"{column.name} ({column.utype or 'no UTYPE'})" for column in table.layout.columns[:12])
        raise MissingField(f"no {absent} axis is declared among {seen}; leave it out", path=path, hdu=table.index)
    return columns.wavelength, columns.flux


def _cell(table: Hdu, column: TableColumn, path: str) -> NDArray[Any]:
    values = np.ravel(table.column_data(column)[0])
    if values.size < 2:
        message = (
            f"column {column.name} holds {values.size} value in its only row; the file is no spectrum, leave it out"
        )
        raise RefusedProduct(message, path=path, hdu=table.index)
    return values


def _optional(table: Hdu, column: TableColumn | None, path: str) -> NDArray[Any] | None:
    return None if column is None else _cell(table, column, path)


def _sampling(
    table: Hdu, column: TableColumn, rule: InstrumentRule, file: FitsFile, options: ReaderOptions
) -> Sampling:
    ucd = column.ucd.lower()
    if ucd and "em.wl" not in ucd:
        message = f"the spectral column {column.name} is '{column.ucd}', not a wavelength; convert the file first"
        raise RefusedProduct(message, path=file.name, hdu=table.index)
    unit = options.table.wavelength_unit or column.unit
    if not unit:
        message = f"the card TUNIT{column.number} of {column.name} is missing; set wavelength_unit in [readers.table]"
        raise UnknownUnit(message, path=file.name, hdu=table.index)
    on_lattice = rule.lattice_step is not None and (not rule.lattice_card or rule.lattice_card in file.primary)
    return Sampling(
        unit=unit,
        medium="unknown" if not ucd else "air" if "obs.atmos" in ucd else "vacuum",
        values=_cell(table, column, file.name),
        lattice_step=rule.lattice_step if on_lattice else None,
        lattice_tolerance=rule.lattice_tolerance,
    )


def _bad(
    table: Hdu,
    quality: TableColumn | None,
    flux: NDArray[Any],
    error: NDArray[Any] | None,
    rule: InstrumentRule,
    path: str,
    options: ReaderOptions,
) -> NDArray[np.bool_] | None:
    bad = None
    if quality is not None:
        flagged = bad_pixels(_cell(table, quality, path), options)
        bad = flagged if flagged.any() and not flagged.all() else None
    if rule.fill_error is not None and error is not None and error.shape == flux.shape:
        fill = (error == rule.fill_error) & (flux == 0)
        if fill.any():
            bad = fill if bad is None else bad | fill
    return bad


def _companion_unit(
    table: Hdu, columns: SpectrumColumns, companion: TableColumn | None, kind: Kind, unit: str, path: str
) -> str:
    flux = columns.flux
    if companion is None or flux is None:
        return ""
    place = {"name": companion.name, "flux_name": flux.name, "path": path}
    return companion_unit(companion.unit, kind, unit, beside=flux.unit, hdu=table.index, **place)


def _archive_id(header: Header) -> str:
    name = header.text("ARCFILE").removesuffix(".gz").removesuffix(".fz").removesuffix(".fits")
    return "_".join(name.split())


def _observation(primary: Header, table: Hdu, instrument: str, unit: str, normalized: bool) -> Observation:
    stacked = primary.flag("M_EPOCH")
    frame = velocity_frame(primary.text("SPECSYS") or table.header.text("SPECSYS"))
    if normalized:
        calibration = "normalized"
    elif canonical_unit(unit) in _COUNTS:
        calibration = "counts"
    else:
        calibration = "absolute" if primary.text("FLUXCAL").upper() == "ABSOLUTE" else "relative"
    known: dict[str, Any] = {"date_obs": ""} if stacked else {}
    return observe_eso(
        primary,
        instrument=instrument,
        object_id=primary.text("OBJECT") if _CNAME.fullmatch(primary.text("OBJECT")) else "",
        source_type="stacked" if stacked else "observed",
        velocity_frame=frame,
        flux_calibration=calibration,
        resolving_power=positive(first_number(primary, "SPEC_RES")),
        **known,
    )


READERS = (EsoSdp(),)

"""The X-shooter Spectral Library: merged spectra of DR3 and the separate arms of DR1 and DR2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit, wavelength_factor
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.eso import ESO_POLICY
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.observing import first_number, first_text, observe
from spectral_zarr.readers.several import only_table

_MERGED_COLUMNS = ("FLUX_DR", "FLUX_SC")
_MARKS = frozenset({"XSL_ID", "XSL_NAME", "REST_VAL"})
_FLUX_UNIT = "erg s-1 cm-2 Angstrom-1"


class Xsl:
    """One spectrum of the library.

    Verro et al. 2022, A&A 660, A34 (DR3) and Gonneau et al. 2020, A&A 634, A133 (DR2): a table of ``WAVE`` in nm,
    ``FLUX`` and ``ERR``; DR3 adds ``FLUX_DR`` (dereddened) or ``FLUX_SC``, which ``[readers.table] flux`` can choose.
    REST_VAL is the velocity cz that was removed. DR3 is in vacuum and the arms of the earlier releases are in air,
    unless the UCD of the column or ``[readers.table] medium`` says otherwise.
    """

    name = "xsl"
    version = "1"
    title = "X-shooter Spectral Library DR1 to DR3 (WAVE, FLUX, ERR)"
    priority = 0
    policy = HeaderPolicy(
        allow=(
            *ESO_POLICY.allow,
            r"HNAME|XSL_(ID|NAME)|REST_(VAL|COR)|BARY_COR|(LOSS|FLUX)_COR|EXT_AVG|(WAVY|HAIR)_.*",
        ),
        deny=(*ESO_POLICY.deny, r"(CAL|STA)_RAW\d+"),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        named = file.name.rpartition("/")[2].lower().startswith("xsl_spectrum")
        if not named and file.primary.index.keys().isdisjoint(_MARKS):
            return False
        return "PRODCATG" not in file.primary and _table(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table, header = _table(file), file.primary
        if table is None:
            raise MissingField(f"no table of WAVE and FLUX: {file.describe()}", path=file.name)
        table = only_table(file, table, options)
        flux_name = options.table.flux or "FLUX"
        wavelength, flux = table.find("WAVE", "WAVELENGTH"), table.find(flux_name)
        error = table.find(f"ERR{flux_name.upper().removeprefix('FLUX')}", "ERR", "ERROR")
        if wavelength is None or flux is None:
            seen = ", ".join(column.name for column in table.layout.columns)
            raise MissingField(f"no column {flux_name} among {seen}", path=file.name, hdu=table.index)
        columns = [column for column in (wavelength, flux, error) if column is not None]
        yield Spectrum(
            spec_id="",
            flux=_values(table, flux),
            flux_unit=flux.unit if canonical_unit(flux.unit) else _FLUX_UNIT,
            sampling=Sampling(
                unit=wavelength.unit if wavelength_factor(wavelength.unit) else "nm",
                medium=_medium(table, wavelength, options),
                values=_values(table, wavelength),
            ),
            observation=_observation(file),
            noise=None if error is None else _values(table, error),
            noise_unit=error.unit if error is not None and canonical_unit(flux.unit) else "",
            zero_padded=True,
            params=_velocity(file),
            header=project(
                [(0, header), (table.index, table.header)], policy, {table.index: [one.number for one in columns]}
            ),
            hdu=table.index,
        )


def _table(file: FitsFile) -> Hdu | None:
    tables = (hdu for hdu in file.hdus[1:3] if hdu.kind == "table")
    return next((one for one in tables if one.n_rows and one.find("WAVE", "WAVELENGTH") and one.find("FLUX")), None)


def _values(table: Hdu, column: TableColumn) -> NDArray[Any]:
    values = table.column_data(column)
    return np.ravel(values[0]) if table.n_rows == 1 else values


def _medium(table: Hdu, wavelength: TableColumn, options: ReaderOptions) -> str:
    if options.table.medium != "unknown":
        return options.table.medium
    if "em.wl" in wavelength.ucd.lower():
        return "air" if "obs.atmos" in wavelength.ucd.lower() else "vacuum"
    values = _values(table, wavelength)
    # Only the merged spectra of DR3 cover more than one arm of X-shooter.
    merged = any(table.find(name) for name in _MERGED_COLUMNS) and float(values[-1]) > 2 * float(values[0])
    return "vacuum" if merged or float(values[-1]) > 4 * float(values[0]) else "air"


def _velocity(file: FitsFile) -> dict[str, float]:
    value = first_number(file.primary, "REST_VAL")
    return {"rv": value} if math.isfinite(value) else {}


def _observation(file: FitsFile) -> Observation:
    header = file.primary
    at_rest = header.flag("REST_COR") or "REST_COR" not in header
    return observe(
        header,
        instrument="XSHOOTER",
        object=first_text(header, "HNAME", "OBJECT"),
        object_id="_".join(first_text(header, "XSL_ID").split()),
        velocity_frame="rest" if at_rest else "barycentric",
        flux_calibration="absolute",
        berv=first_number(header, "BARY_COR"),
        rv_applied=first_number(header, "REST_VAL") if at_rest else float("nan"),
    )


READERS = (Xsl(),)

"""Model grids in the form of the STScI archive: a table of one temperature and metallicity, a column per gravity."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.synthetic import MODEL_POLICY, finite, model_observation, model_stem, scaled_metals

_GRAVITY = re.compile(r"g(\d)(\d)\Z", re.IGNORECASE)
_NAME = re.compile(r"(?P<grid>c?k|phoenix)(?P<sign>[mp])(?P<metals>\d\d)_(?P<teff>\d{4,5})\Z", re.IGNORECASE)
_GRIDS = {"ck": "ATLAS9-CK04", "k": "ATLAS9-K93", "phoenix": "PHOENIX-STScI"}


class StsciGrid:
    """Surface fluxes of ATLAS9 and other grids of the STScI archive.

    Tables of Castelli & Kurucz (2004), ``ckp00_5750.fits``, and of Kurucz (1993), ``kp00_5750.fits`` (Synphot Data
    User's Guide, appendix A): WAVELENGTH in Angstrom and columns ``g00`` to ``g50``, ten times log g, in FLAM
    (erg s-1 cm-2 Angstrom-1). The header has TEFF and LOG_Z. A column that is zero throughout is a model that the grid
    does not have, and is no spectrum. The medium of the wavelengths is not documented.
    """

    name = "stsci-grid"
    version = "1"
    title = "ATLAS9 grids of the STScI archive (Castelli-Kurucz 2004, Kurucz 1993), one spectrum per gravity"
    priority = 0
    policy = MODEL_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table = _table(file)
        if table is None:
            raise MissingField("no table has a wavelength and fluxes by gravity", path=file.name)
        stem = model_stem(file.name)
        # Files of the calibration archive repeat the name of their directory, ckp00ckp00_5750.
        named = _NAME.search(stem)
        shared = _params(file, named)
        wavelength = table.find("WAVELENGTH")
        unit = wavelength.unit if wavelength and wavelength_factor(wavelength.unit) else "Angstrom"
        sampling = Sampling(unit=unit, values=table.column("WAVELENGTH"))
        projected = project([(0, file.primary), (table.index, table.header)], policy)
        observation = model_observation(_simulator(file, named), "header and column name")
        for row, (column, logg) in enumerate(_gravities(table)):
            flux = table.column_data(column)
            if not np.any(flux):
                continue
            yield Spectrum(
                spec_id=f"{stem}_{column.name.lower()}",
                flux=flux,
                flux_unit=column.unit or "FLAM",
                unit_written=bool(column.unit),
                sampling=sampling,
                observation=observation,
                params={**shared, "logg": logg},
                header=projected,
                hdu=table.index,
                row=row,
            )


def _table(file: FitsFile) -> Hdu | None:
    for hdu in file.hdus[1:2]:
        if hdu.kind == "table" and hdu.n_rows > 1 and hdu.find("WAVELENGTH") is not None:
            others = [column for column in hdu.layout.columns if column.name.upper() != "WAVELENGTH"]
            if others and all(_GRAVITY.match(column.name) and column.repeat == 1 for column in others):
                return hdu
    return None


def _gravities(table: Hdu) -> list[tuple[TableColumn, float]]:
    matches = ((column, _GRAVITY.match(column.name)) for column in table.layout.columns)
    return [(column, int(match[1] + match[2]) / 10) for column, match in matches if match]


def _params(file: FitsFile, named: re.Match[str] | None) -> dict[str, float]:
    header = file.primary
    values = {"teff": header.number("TEFF"), "m_h": header.number("LOG_Z")}
    if named is not None:
        sign = -1 if named["sign"].lower() == "m" else 1
        from_name = {"teff": float(named["teff"]), "m_h": sign * int(named["metals"]) / 10 + 0.0}
        values = {key: value if math.isfinite(value) else from_name[key] for key, value in values.items()}
    params = finite(values)
    if set(params) != {"teff", "m_h"}:
        raise MissingField("neither header nor name give TEFF and LOG_Z; keep the original name", path=file.name, hdu=0)
    return {**params, **scaled_metals(params["m_h"])}


def _simulator(file: FitsFile, named: re.Match[str] | None) -> str:
    if named is not None:
        return _GRIDS[named["grid"].lower()]
    return "ATLAS9-CK04" if "Castelli and Kurucz" in file.primary.commentary() else "ATLAS9"


READERS = (StsciGrid(),)

"""CALSPEC flux standards: HST observations spliced to models, and the models themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, SourceError
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import first_text, observe
from spectral_zarr.readers.several import only_table
from spectral_zarr.readers.space import indefinite, tables_with, unit_of, used_columns

_MODEL_NAME = re.compile(r"_mod(el)?(_|\d|\.|$)")
_MODEL = re.compile(r"\s*(\d+(?:\.\d*)?)\s*/\s*(\d+(?:\.\d*)?)\s*")
"""TEFFGRAV of a model: effective temperature and gravity."""


class Calspec:
    """One flux standard, a pixel per row of the table.

    CALSPEC (Bohlin, Gordon & Tremblay 2014, PASP 126, 711): WAVELENGTH in Angstrom, vacuum; FLUX in FLAM, that is
    erg s-1 cm-2 Angstrom-1; observations have STATERROR, which is zero where a model continues the observation, so
    the uncertainty is unknown there, and DATAQUAL, 0 for bad. SYSERROR is the uncertainty of the flux scale and is
    not part of the uncertainty of a pixel. Model files (``_mod_``) have no errors, may have a CONTINUUM and give
    the effective temperature and the gravity in TEFFGRAV; measurements without errors have neither the name nor the
    card. Airglow is replaced by zeros that keep an error, so zeros are bad and runs of them missing; so are numbers
    of 1.6e38, the INDEF of STSDAS.
    """

    name = "hst-calspec"
    version = "1"
    title = "CALSPEC flux standards, observed and modelled"
    priority = 0
    policy = HeaderPolicy(
        allow=(r"TARGETID|DBTABLE|MAPKEY|DESCRIP|TEFFGRAV|SOURCE\d?|USEAFTER|PEDIGREE|FILENAME|WMIN|WMAX",)
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        table, primary = _table(file), file.primary
        if table is None:
            raise MissingField("no table has WAVELENGTH, FLUX and STATERROR; leave the file out", path=file.name)
        table = only_table(file, table, options)
        stem = first_text(primary, "FILENAME").rpartition("/")[2].lower().removesuffix(".gz").removesuffix(".fits")
        measured = table.find("STATERROR") is not None
        observed = measured or not _is_model(primary, stem or file.name.rpartition("/")[2].lower())
        params = {} if observed else _params(primary)
        continuum = None if observed or table.find("CONTINUUM") is None else table.column("CONTINUUM")
        yield Spectrum(
            spec_id=f"calspec-{'_'.join(stem.split())}" if stem else "",
            flux=table.column("FLUX"),
            flux_unit=unit_of(table, "FLUX", "FLAM"),
            sampling=Sampling(
                unit=unit_of(table, "WAVELENGTH", "Angstrom"), medium="vacuum", values=table.column("WAVELENGTH")
            ),
            observation=observe(
                primary,
                source_type="stacked" if observed else "synthetic",
                simulator="" if observed else "CALSPEC-model",
                object=first_text(primary, "TARGETID", "TARGNAME", "OBJECT"),
                instrument=_instrument(primary, observed),
                params_source="header" if params else "",
                date_obs="",
                flux_calibration="absolute",
                airmass=float("nan"),
            ),
            noise=table.column("STATERROR") if measured else None,
            noise_unit=unit_of(table, "STATERROR", ""),
            bad=_bad(table) if measured else None,
            missing=indefinite(table.column("FLUX")),
            zero_padded=True,
            params=params,
            continuum=continuum,
            continuum_unit=unit_of(table, "CONTINUUM", ""),
            continuum_method="none" if continuum is None else "column:CONTINUUM",
            header=project(
                [(0, primary), (table.index, table.header)],
                policy,
                {table.index: used_columns(table, "WAVELENGTH", "FLUX", "STATERROR", "SYSERROR", "DATAQUAL")},
            ),
            hdu=table.index,
        )


def _table(file: FitsFile) -> Hdu | None:
    standard = file.primary.text("DBTABLE").upper() == "CRSPECTRUM"
    for table in tables_with(file.hdus[1:2], "WAVELENGTH", "FLUX"):
        # Tables of other standards have the same columns, without units and with wavelengths in air.
        alike = table.find("STATERROR") is not None and table.find("SYSERROR") is not None
        flux = table.find("FLUX")
        if table.n_rows > 1 and (standard or (alike and flux is not None and flux.unit.upper() == "FLAM")):
            return table
    return None


def _is_model(primary: Header, stem: str) -> bool:
    return "TEFFGRAV" in primary or "CRGRID" in primary.text("DBTABLE") or _MODEL_NAME.search(stem) is not None


def _instrument(primary: Header, observed: bool) -> str:
    # The reference spectrum of the Sun has a name like the others, and HST never pointed there.
    by_hst = observed and not primary.text("TARGETID").upper().startswith("SUN")
    return first_text(primary, "INSTRUME") or ("HST" if by_hst else "")


def _params(primary: Header) -> dict[str, float]:
    match = _MODEL.fullmatch(primary.text("TEFFGRAV"))
    return {"teff": float(match[1]), "logg": float(match[2])} if match else {}


def _bad(table: Hdu) -> NDArray[np.bool_]:
    replaced: NDArray[np.bool_] = (table.column("FLUX") == 0) | indefinite(table.column("STATERROR"))
    if table.find("DATAQUAL") is None:
        return replaced
    bad = table.column("DATAQUAL") == 0
    # A column that never says 1 was not filled in.
    return replaced if bad.all() else replaced | bad


READERS = (Calspec(),)

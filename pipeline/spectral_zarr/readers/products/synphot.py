"""Tables of the synthetic photometry of STScI: what synphot computed, its Kurucz models and its templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import is_magnitude, wavelength_factor
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import first_text
from spectral_zarr.readers.several import only_table
from spectral_zarr.readers.space import indefinite, tables_with, used_columns
from spectral_zarr.readers.synthetic import finite, model_observation, scaled_metals

_PROGRAMS = frozenset({"synphot", "pysynphot", "stsynphot"})
_MODEL_CARDS = ("TEFF", "LOG_G", "LOG_Z")
_NAMES = ("teff", "logg", "m_h")
"""Parameters of `_MODEL_CARDS`."""


class SynphotTable:
    """One spectrum, a pixel per row of the table, that is not an observation.

    Synphot User's Guide (Laidler et al. 2008) and the readme files of the Calibration Database System: WAVELENGTH and
    FLUX in FLAM, FNU, PHOTLAM, PHOTNU, Jy or counts, without errors. EXPR is the expression that synphot evaluated;
    TEFF, LOG_G and LOG_Z are the parameters of a Kurucz model; DBTABLE is CRGRID in libraries of templates, which
    combine observations unless their description calls them models. The medium of the wavelengths is not documented.
    Magnitudes (STMAG, ABMAG) are refused.
    """

    name = "stsci-synphot"
    version = "1"
    title = "synphot spectra, Kurucz models and templates of STScI (table with WAVELENGTH and FLUX)"
    priority = 0
    policy = HeaderPolicy(
        allow=(r"EXPR|TEFF|LOG_G|LOG_Z|DBTABLE|TARGETID|DESCRIP|SOURCE\d?|PEDIGREE|FILENAME|GRFTABLE|CMPTABLE",)
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus) < 2 or file.hdus[0].shape or file.hdus[1].find("WAVELENGTH") is None:
            return False
        return bool(tables_with(file.hdus[1:2], "WAVELENGTH", "FLUX")) and _facts(file, file.hdus[1]) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table, primary = only_table(file, file.hdus[1], options), file.primary
        wavelength, flux, facts = table.find("WAVELENGTH"), table.find("FLUX"), _facts(file, table)
        if wavelength is None or flux is None or facts is None or table.n_rows < 2:
            raise MissingField(
                f"no spectrum of synphot: {file.describe()}; leave it out", path=file.name, hdu=table.index
            )
        if is_magnitude(flux.unit):
            message = f"the fluxes are magnitudes ({flux.unit}); convert them to a flux first"
            raise RefusedProduct(message, path=file.name, hdu=table.index)
        if wavelength_factor(wavelength.unit) is None:
            message = f"WAVELENGTH has the unit '{wavelength.unit}', which is no unit of wavelength; convert it"
            raise UnknownUnit(message, path=file.name, hdu=table.index)
        values = table.column_data(flux)
        params = finite({name: primary.number(card) for card, name in zip(_MODEL_CARDS, _NAMES, strict=True)})
        if "m_h" in params:
            params |= scaled_metals(params["m_h"])
        yield Spectrum(
            spec_id="",
            flux=values,
            flux_unit=options.table.flux_unit or flux.unit or "FLAM",
            sampling=Sampling(unit=wavelength.unit, medium=options.table.medium, values=table.column_data(wavelength)),
            observation=facts,
            missing=indefinite(values),
            params=params if "teff" in params else {},
            header=project([(0, primary), (1, table.header)], policy, {1: used_columns(table, "WAVELENGTH", "FLUX")}),
            hdu=table.index,
        )


def _facts(file: FitsFile, table: Hdu) -> Observation | None:
    """What kind of spectrum it is, None when the header does not say that it is one of these."""
    primary, header = file.primary, table.header
    described = " ".join(
        one.text(card) for one in (primary, header) for card in ("TARGETID", "DESCRIP", "PEDIGREE")
    ).upper()
    known: dict[str, Any] = {
        "object": first_text(primary, "TARGETID") or header.text("TARGETID"),
        "velocity_frame": "unknown",
        "flux_calibration": "",
    }
    if all(card in primary for card in _MODEL_CARDS):
        return model_observation("ATLAS9-K93", "header", **{**known, "velocity_frame": "rest"})
    if "EXPR" in header or "EXPR" in primary or primary.text("ORIGIN").lower() in _PROGRAMS:
        return model_observation("synphot", "", **known)
    table_kind = (primary.text("DBTABLE") or header.text("DBTABLE")).upper()
    if "CRGRID" in table_kind:
        if "MODEL" in described:
            return model_observation(primary.text("SOURCE") or header.text("SOURCE") or "STScI-template", "", **known)
        return Observation(source_type="stacked", **known)
    return None


READERS = (SynphotTable(),)

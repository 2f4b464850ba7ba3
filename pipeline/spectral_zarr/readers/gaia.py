"""What the mean spectra of Gaia are, whatever format they come in: grids, units, frames and identifiers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.readers.observing import NOWHERE, Sky

XP_UNIT = "W.m**-2.nm**-1"
COEFFICIENTS = (
    "XP spectra as coefficients of basis functions are no fluxes; sample them with GaiaXPy"
    " (calibrate) and write a column of wavelengths, or fetch the product XP_SAMPLED"
)
TIME_SERIES = frozenset({"mag", "time", "transit_id", "g_transit_time", "g_transit_flux"})
"""Columns of epoch photometry, which has fluxes and sources as well."""

_NAME = re.compile(r"(E?DR\d+)[ _-]+(\d{5,19})(?!\d)", re.IGNORECASE)
_SOURCE_ID = re.compile(r"^[1-9]\d{0,18}$")


@dataclass(frozen=True, slots=True)
class GaiaProduct:
    """A sampled mean spectrum of the data model of Gaia DR3.

    Attributes
    ----------
    label : str
        Part of the identifier.
    n_pix : int
        Samples of the fixed grid of the product.
    start, step : float
        The grid in nm, vacuum.
    """

    label: str
    instrument: str
    n_pix: int
    start: float
    step: float
    frame: str
    normalized: bool
    resolving_power: float


RVS = GaiaProduct("rvs", "Gaia RVS", 2401, 846.0, 0.01, "rest", True, 11500.0)
"""``rvs_mean_spectrum``: 846 to 870 nm, rest frame, normalised (Seabroke et al., Gaia DR3 documentation, 6.5)."""
XP = GaiaProduct("xp", "Gaia XP", 343, 336.0, 2.0, "unknown", False, float("nan"))
"""``xp_sampled_mean_spectrum``: 336 to 1020 nm, W m-2 nm-1 (Montegriffo et al. 2023, A&A 674, A3)."""


@dataclass(frozen=True, slots=True, eq=False)
class GaiaRow:
    """One spectrum as a file holds it; a wavelength of None means the fixed grid of the product."""

    source_id: str
    flux: Pixels
    error: Pixels
    wavelength: Pixels | None = None
    wavelength_unit: str = "nm"
    flux_unit: str = ""
    sky: Sky = NOWHERE
    header: Mapping[HeaderKey, str] = field(default_factory=lambda: MappingProxyType({}))


def release_and_source(name: str) -> tuple[str, str]:
    """Data release and source_id in a file name such as ``XP_SAMPLED-Gaia DR3 5937083312263887616.fits``.

    >>> release_and_source("XP_SAMPLED-Gaia DR3 5937083312263887616.fits")
    ('DR3', '5937083312263887616')
    """
    match = _NAME.search(name.rpartition("/")[2])
    return (match[1].upper(), match[2]) if match else ("", "")


def is_named_gaia(name: str) -> bool:
    """Whether a file has the name that the archive gives to a spectrum of one source."""
    stem = name.rpartition("/")[2].upper()
    return "GAIA" in stem and stem.startswith(("RVS", "XP")) and release_and_source(stem)[1] != ""


def is_table_of_sources(columns: Iterable[str]) -> bool:
    """Whether columns are those of a table of mean spectra of many sources, with fluxes or as GaiaXPy writes them.

    A source_id alone is no sign of Gaia: tables of other telescopes have one as well.
    """
    names = set(columns)
    if names & TIME_SERIES or not names >= {"source_id", "flux", "flux_error"}:
        return False
    return "solution_id" in names or names == {"source_id", "flux", "flux_error"}


def gaia_spectrum(found: GaiaRow, *, name: str, hdu: int = 0, row: int = 0) -> Spectrum:
    """One spectrum of one source.

    Parameters
    ----------
    found : GaiaRow
        What the file holds.
    name : str
        Name of the file, which may tell the release.
    hdu, row : int
        Place of the flux in the file.

    Raises
    ------
    MissingField
        When the source_id is missing or was written as a floating-point number, or there is neither a wavelength nor
        a known grid.
    RefusedProduct
        When the wavelengths are those of no sampled product.
    """
    if not _SOURCE_ID.match(found.source_id):
        message = (
            f"the source_id is '{found.source_id}', not a whole number; 64-bit identifiers must not pass through"
            " floating-point numbers, and a file of one source must carry its own in its name"
        )
        raise MissingField(message)
    product = _product(found)
    release = release_and_source(name)[0] or "DR3"
    return Spectrum(
        spec_id=f"gaia{release.lower()}-{product.label}-{found.source_id}",
        flux=found.flux,
        flux_unit="dimensionless" if product.normalized else found.flux_unit or XP_UNIT,
        unit_written=bool(found.flux_unit) and not product.normalized,
        sampling=_sampling(found, product),
        observation=Observation(
            source_type="stacked",
            instrument=product.instrument,
            object=f"Gaia {release} {found.source_id}",
            object_id=f"gaia-{found.source_id}",
            gaia_id=found.source_id,
            gaia_dr=release,
            velocity_frame=product.frame,
            flux_calibration="normalized" if product.normalized else "absolute",
            **found.sky._asdict(),
            resolving_power=product.resolving_power,
        ),
        noise=found.error,
        normalized_product=product.normalized,
        header=found.header,
        hdu=hdu,
        row=row,
    )


def _product(found: GaiaRow) -> GaiaProduct:
    if found.wavelength is None:
        product = next((one for one in (RVS, XP) if one.n_pix == found.flux.size), None)
        if product is None:
            message = f"{found.flux.size} samples without a wavelength; RVS spectra have {RVS.n_pix} and XP {XP.n_pix}"
            raise MissingField(f"{message}: add a column of wavelengths")
        return product
    factor = wavelength_factor(found.wavelength_unit)
    if factor is None:
        raise UnknownUnit(f"the unit of the wavelength is '{found.wavelength_unit}', not a length")
    finite = found.wavelength[np.isfinite(found.wavelength)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (float("nan"), float("nan"))
    low, high = low * factor / 10, high * factor / 10
    for product in (RVS, XP):
        end = product.start + product.step * (product.n_pix - 1)
        if product.start - 20 < low < high < end + 20 and (high - low) > 0.5 * (end - product.start):
            return product
    message = f"wavelengths from {low:g} to {high:g} nm are those of no sampled mean spectrum of Gaia; leave it out"
    raise RefusedProduct(message)


def _sampling(found: GaiaRow, product: GaiaProduct) -> Sampling:
    if found.wavelength is None:
        return Sampling(unit="nm", medium="vacuum", start=product.start, step=product.step, n_pix=product.n_pix)
    return Sampling(unit=found.wavelength_unit, medium="vacuum", values=found.wavelength)

"""Which columns of a table of unknown origin are wavelength, flux, noise and continuum, by their customary names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from spectral_zarr.config import TableOptions
from spectral_zarr.contract.units import canonical_unit, wavelength_factor
from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.model import NoiseKind
from spectral_zarr.model.grid import Scale
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.masks import mask_meaning

_WAVELENGTH = frozenset({"wave", "wavelength", "wavelengths", "lambda", "lam", "awav", "waveobs", "wav", "wl", "wvl"})
_LOG_WAVELENGTH: MappingProxyType[str, Scale] = MappingProxyType(
    {
        "loglam": "log10",
        "loglambda": "log10",
        "log_lambda": "log10",
        "log_lam": "log10",
        "logwave": "log10",
        "log_wave": "log10",
        "log10lam": "log10",
        "log10_lambda": "log10",
        "log10wave": "log10",
        "lnlam": "ln",
        "lnlambda": "ln",
        "ln_lambda": "ln",
        "lnwave": "ln",
        "ln_wave": "ln",
    }
)
_FLUX = frozenset({"flux", "flam", "spec", "fluxn", "intensity", "signal", "s"})
_SIGMA = frozenset(
    {"err", "error", "errors", "sigma", "e_flux", "flux_err", "flux_error", "fluxerr", "fluxerror", "eflux", "noise"}
    | {"std", "serr", "err_flux", "sigma_flux", "flux_sigma", "flux_std", "flux_unc", "flux_uncertainty"}
    | {"staterror", "stat_error", "stat_err"}
)
_SIGMA_PREFIX = "unc"
_IVAR = frozenset({"ivar", "invvar", "flux_ivar"})
_VARIANCE = frozenset({"var", "variance", "flux_var"})
_CONTINUUM = frozenset({"continuum", "cont", "co"})

_UNIT_SUFFIX = re.compile(r"\s*[\[(]\s*([^\])]*?)\s*[\])]\s*$")


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The columns of one spectrum and what they hold."""

    wavelength: TableColumn
    scale: Scale
    flux: TableColumn
    noise: TableColumn | None
    noise_kind: NoiseKind
    continuum: TableColumn | None
    masks: tuple[TableColumn, ...] = ()

    def numbers(self) -> tuple[int, ...]:
        """One-based column numbers, for the header projection."""
        used = (self.wavelength, self.flux, self.noise, self.continuum, *self.masks)
        return tuple(column.number for column in used if column is not None)


def bare_name(name: str) -> str:
    """Column name in lower case without its unit, ``Wave (nm)`` to ``wave``."""
    return _UNIT_SUFFIX.sub("", name).strip().lower()


def unit_text(column: TableColumn) -> str:
    """Unit of a column: its TUNIT card, or the suffix of its name."""
    suffix = _UNIT_SUFFIX.search(column.name)
    return column.unit or (suffix[1] if suffix else "")


def wavelength_unit(column: TableColumn) -> str:
    """Unit of a wavelength column or of the argument of its logarithm, '' when it gives none."""
    text = unit_text(column)
    inner = re.fullmatch(r"(?:log(?:10)?|ln|dex)\s*[\[(]\s*(.+?)\s*[\])]", text, re.IGNORECASE)
    unit = inner[1] if inner else text
    return unit if wavelength_factor(unit) is not None else ""


def same_unit(one: str, other: str) -> bool:
    """Whether two unit texts mean the same unit."""
    if one.split() == other.split():
        return True
    known = canonical_unit(one)
    return known is not None and known == canonical_unit(other)


def is_spectrum(columns: Iterable[TableColumn], options: TableOptions) -> bool:
    """Whether columns for wavelength and flux are there, by the configured or the customary names."""
    names = {bare_name(column.name) for column in columns} | {column.name.strip().lower() for column in columns}
    wavelengths = {options.wavelength.lower()} if options.wavelength else _WAVELENGTH | set(_LOG_WAVELENGTH)
    fluxes = {options.flux.lower()} if options.flux else _FLUX
    return bool(names & wavelengths) and bool(names & fluxes)


def flux_columns(columns: Iterable[TableColumn], options: TableOptions) -> list[TableColumn]:
    """Columns that may be the flux, by the configured or the customary names."""
    names = {options.flux.lower()} if options.flux else _FLUX
    return [column for column in columns if names & {bare_name(column.name), column.name.strip().lower()}]


def table_columns(columns: tuple[TableColumn, ...], options: TableOptions, *, path: str, hdu: int) -> TableColumns:
    """Choose the columns; configured names win and nothing is guessed.

    Parameters
    ----------
    columns : tuple of TableColumn
        Columns of the table.
    options : TableOptions
        Names that the user gives.
    path, hdu
        Place, for messages.

    Raises
    ------
    MissingField
        When a configured column does not exist, or none is a wavelength or a flux.
    RefusedProduct
        When several columns could be meant.
    """
    choice = _Choice(columns, path, hdu)
    wavelength = choice.of("wavelength", options.wavelength, _WAVELENGTH | set(_LOG_WAVELENGTH))
    flux = choice.of("flux", options.flux, _FLUX)
    if wavelength is None or flux is None:
        absent = "wavelength" if wavelength is None else "flux"
        message = f"no column is the {absent} among {choice.seen()}; set {absent} in [readers.table]"
        raise MissingField(message, path=path, hdu=hdu)
    scale = options.wavelength_scale
    if scale == "linear":
        scale = _LOG_WAVELENGTH.get(bare_name(wavelength.name), "linear")
    if options.uncertainty and options.ivar:
        raise RefusedProduct("uncertainty and ivar are both set in [readers.table]; keep one", path=path, hdu=hdu)
    noise, kind = _noise(choice, options)
    continuum = choice.of("continuum", options.continuum, _CONTINUUM)
    return TableColumns(wavelength, scale, flux, noise, kind, continuum, _masks(choice, options, flux))


class _Choice:
    def __init__(self, columns: tuple[TableColumn, ...], path: str, hdu: int) -> None:
        self.columns = columns
        self.path = path
        self.hdu = hdu

    def seen(self) -> str:
        return ", ".join(column.name for column in self.columns[:20])

    def of(self, role: str, configured: str, names: frozenset[str] | set[str], prefix: str = "") -> TableColumn | None:
        if configured:
            for column in self.columns:
                if configured.lower() in (column.name.strip().lower(), bare_name(column.name)):
                    return column
            message = f"no column {configured} (the {role} of [readers.table]) among {self.seen()}; correct the name"
            raise MissingField(message, path=self.path, hdu=self.hdu)
        found = [
            column
            for column in self.columns
            if (name := bare_name(column.name)) in names or (prefix and name.startswith(prefix))
        ]
        if len(found) > 1:
            meant = ", ".join(column.name for column in found)
            message = f"several columns could be the {role}: {meant}; set {role} in [readers.table]"
            raise RefusedProduct(message, path=self.path, hdu=self.hdu)
        return found[0] if found else None


def _masks(choice: _Choice, options: TableOptions, flux: TableColumn) -> tuple[TableColumn, ...]:
    if options.mask:
        named = choice.of("mask", options.mask, frozenset())
        return (named,) if named is not None else ()
    # One number beside a vector of fluxes is a flag of the spectrum, and text is a remark.
    return tuple(
        column
        for column in choice.columns
        if mask_meaning(bare_name(column.name))
        and not column.dtype.startswith("S")
        and (column.repeat > 1 or flux.repeat == 1)
    )


def _noise(choice: _Choice, options: TableOptions) -> tuple[TableColumn | None, NoiseKind]:
    if options.uncertainty:
        return choice.of("uncertainty", options.uncertainty, _SIGMA), "sigma"
    if options.ivar:
        return choice.of("ivar", options.ivar, _IVAR), "ivar"
    sigma = choice.of("uncertainty", "", _SIGMA, _SIGMA_PREFIX)
    ivar = choice.of("ivar", "", _IVAR)
    variance = choice.of("variance", "", _VARIANCE)
    found = [column for column in (sigma, ivar, variance) if column is not None]
    if len(found) > 1:
        meant = ", ".join(column.name for column in found)
        message = f"several columns could be the noise: {meant}; set uncertainty or ivar in [readers.table]"
        raise RefusedProduct(message, path=choice.path, hdu=choice.hdu)
    if ivar is not None:
        return ivar, "ivar"
    return (variance, "variance") if variance is not None else (sigma, "sigma")

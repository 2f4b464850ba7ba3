"""Which columns of an ESO science data product hold wavelength, flux, error, quality and continuum."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spectral_zarr.readers.fits.table import TableColumn, TableLayout
from spectral_zarr.readers.table_columns import same_unit

_WAVELENGTH_NAMES = ("WAVE", "WAVELENGTH", "LAMBDA", "AWAV")
_FLUX_NAMES = ("FLUX", "FLUX_CAL", "FLUX_REDUCED", "FLUX_EL")
_ERROR_NAME = re.compile(r"ERR|SIGMA|NOISE|^(E|SIG)(_|$)")
_QUALITY_NAME = re.compile(r"^QUAL(ITY)?(_|$)")
_WORDS_OF_A_ROLE = frozenset({"FLUX", "E", "ERR", "ERROR", "SIGMA", "SIG", "NOISE", "QUAL", "QUALITY"})


@dataclass(frozen=True, slots=True)
class SpectrumColumns:
    """Columns of one spectrum; None where the table has none that fits.

    Attributes
    ----------
    normalized, normalized_error : TableColumn or None
        Continuum-normalised companions of `flux`, set only when the table has both kinds of flux.
    """

    wavelength: TableColumn | None
    flux: TableColumn | None
    error: TableColumn | None
    quality: TableColumn | None
    continuum: TableColumn | None
    normalized: TableColumn | None = None
    normalized_error: TableColumn | None = None

    def numbers(self) -> tuple[int, ...]:
        """One-based column numbers, for the header projection."""
        used = (self.wavelength, self.flux, self.error, self.quality, self.continuum)
        return tuple(column.number for column in (*used, self.normalized, self.normalized_error) if column is not None)


def spectrum_columns(layout: TableLayout, *, normalized: bool) -> SpectrumColumns:
    """Choose the columns by the rules of the ESO Science Data Products Standard (ESO-044286, section 5).

    The UTYPE after its last ``Data.`` names the role; among several columns of a role, the one whose UCD has
    ``meta.main`` counts, then a calibrated one before an uncalibrated one, then one in the namespace of the
    standard. Error and quality must belong to the flux by the stem of their name; an error of its unit comes first.
    Tables without any UTYPE are read by the customary column names.

    Parameters
    ----------
    layout : TableLayout
        The table.
    normalized : bool
        Whether CONTNORM declares a continuum-normalised spectrum. The normalised flux is then a companion, if
        the table has the original flux as well, and else the flux itself.

    Returns
    -------
    SpectrumColumns
    """
    columns = layout.columns
    fluxes = _of_role(columns, "fluxaxis.value", _is_flux_name)
    wavelength = _best(_of_role(columns, "spectralaxis.value", _WAVELENGTH_NAMES.__contains__), _WAVELENGTH_NAMES)
    normalized_fluxes = [column for column in fluxes if "NORM" in _words(column.name)] if normalized else []
    original_fluxes = [column for column in fluxes if column not in normalized_fluxes and column.unit]
    if not (normalized_fluxes and original_fluxes):
        flux = _best(normalized_fluxes or fluxes, _FLUX_NAMES)
        return SpectrumColumns(
            wavelength,
            flux,
            _error_of(flux, columns, converted=True),
            _quality_of(flux, columns),
            _continuum_of(columns),
        )
    flux, companion = _best(original_fluxes, _FLUX_NAMES), _best(normalized_fluxes, _FLUX_NAMES)
    return SpectrumColumns(
        wavelength,
        flux,
        _error_of(flux, columns, converted=True),
        _quality_of(flux, columns) or _quality_of(companion, columns),
        _continuum_of(columns),
        companion,
        _error_of(companion, columns),
    )


def _role(column: TableColumn) -> str:
    return column.utype.lower().rpartition("data.")[2].replace("accurancy", "accuracy")


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.split(r"[_\s]+", name.upper()))


def _stem(name: str) -> tuple[str, ...]:
    return tuple(word for word in _words(name) if word not in _WORDS_OF_A_ROLE)


def _is_error_name(name: str) -> bool:
    return _ERROR_NAME.search(name.upper()) is not None


def _is_flux_name(name: str) -> bool:
    return "FLUX" in _words(name) and not _is_error_name(name) and not _QUALITY_NAME.search(name)


def _of_role(columns: Iterable[TableColumn], role: str, customary: Callable[[str], bool]) -> list[TableColumn]:
    declared = [column for column in columns if _role(column) == role]
    return declared or [column for column in columns if not column.utype and customary(column.name.upper())]


def _best(candidates: Iterable[TableColumn], names: tuple[str, ...]) -> TableColumn | None:
    def rank(column: TableColumn) -> tuple[bool, bool, bool, int, int]:
        name = column.name.upper()
        return (
            "meta.main" not in column.ucd.lower(),
            "stat.uncalib" in column.ucd.lower(),
            not column.utype.lower().startswith(("spec", "data.")),
            names.index(name) if name in names else len(names),
            column.number,
        )

    return min(candidates, key=rank, default=None)


def _error_of(
    flux: TableColumn | None, columns: Iterable[TableColumn], *, converted: bool = False
) -> TableColumn | None:
    """The error of a flux; with `converted`, one of another unit where none has the same, for its reader to convert."""
    errors = _belonging(flux, columns, "fluxaxis.accuracy.staterror", _ERROR_NAME)
    # Without a unit only the name says that a column is a standard deviation and not, say, an inverse variance.
    alike = (
        column
        for column in errors
        if flux is not None and (same_unit(column.unit, flux.unit) if column.unit else _is_error_name(column.name))
    )
    others = (column for column in errors if converted and _is_error_name(column.name))
    return next(alike, None) or next(others, None)


def _quality_of(flux: TableColumn | None, columns: Iterable[TableColumn]) -> TableColumn | None:
    return next(iter(_belonging(flux, columns, "fluxaxis.accuracy.qualitystatus", _QUALITY_NAME)), None)


def _belonging(
    flux: TableColumn | None, columns: Iterable[TableColumn], role: str, customary: re.Pattern[str]
) -> list[TableColumn]:
    if flux is None:
        return []
    companions = _of_role(columns, role, lambda name: customary.search(name) is not None)
    mine = [column for column in companions if _stem(column.name) == _stem(flux.name)]
    alone = len(companions) == 1 and len(_of_role(columns, "fluxaxis.value", _is_flux_name)) == 1
    return mine or (companions if alone else [])


def _continuum_of(columns: Iterable[TableColumn]) -> TableColumn | None:
    return next((column for column in columns if column.name.upper() == "CONTINUUM"), None)

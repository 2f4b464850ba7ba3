"""Which arrays of a file are wavelength, flux, noise and parameters, by their customary names or the user's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from spectral_zarr.config import ArrayOptions
from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.model import NoiseKind
from spectral_zarr.model.grid import Scale
from spectral_zarr.readers.arrays import ArrayColumn
from spectral_zarr.readers.masks import mask_meaning

_WAVELENGTH = {
    "wave",
    "waves",
    "wavelength",
    "wavelengths",
    "lambda",
    "lam",
    "wl",
    "wls",
    "wav",
    "wvl",
    "waveobs",
    "awav",
}
_LOG_WAVELENGTH: dict[str, Scale] = {
    **dict.fromkeys(("loglam", "log_lam", "loglambda", "log_lambda", "logwave", "log_wave", "log10_wave"), "log10"),
    **dict.fromkeys(("lnlam", "ln_lam", "lnwave", "ln_wave"), "ln"),
}
_NAMES: dict[str, frozenset[str]] = {
    "wavelength": frozenset(_WAVELENGTH | set(_LOG_WAVELENGTH)),
    "flux": frozenset(
        {"flux", "fluxes", "flux_raw", "flam", "spec", "spectra", "spectrum", "intensity", "intensities"}
    ),
    "normalized": frozenset(
        {"normalized_flux", "normalised_flux", "norm_flux", "flux_norm", "normalized", "normalised", "flux_normalized"}
    ),
    "uncertainty": frozenset(
        {"err", "error", "errors", "sigma", "sigmas", "uncertainty", "uncertainties", "uncertainty_raw", "noise", "std"}
        | {"flux_err", "flux_error", "flux_errors", "e_flux", "eflux", "fluxerr", "flux_sigma", "flux_uncertainty"}
    ),
    "ivar": frozenset({"ivar", "ivars", "invvar", "flux_ivar"}),
    "continuum": frozenset({"continuum", "continua", "cont", "cntm", "continuum_model"}),
    "spec_id": frozenset({"spec_id", "spectrum_id", "model_name", "model_id"}),
}
SPEC_ID_NAMES = _NAMES["spec_id"]
_TABLES = frozenset(
    {"params", "parameters", "param", "labels", "label", "stellar_params", "stellar_parameters", "theta"}
)
_PARAMETERS = {
    **dict.fromkeys(("teff", "t_eff", "effective_temperature"), "teff"),
    **dict.fromkeys(("logg", "log_g", "surface_gravity"), "logg"),
    **dict.fromkeys(("feh", "fe_h"), "feh"),
    **dict.fromkeys(("m_h", "mh", "metallicity"), "m_h"),
    **dict.fromkeys(("alpha_m", "a_m", "alpha"), "alpha_m"),
    **dict.fromkeys(("vmic", "vmicro", "v_micro", "microturbulence"), "vmic"),
    **dict.fromkeys(("vsini", "v_sini"), "vsini"),
    **{name: name for name in ("mu", "rv", "alpha_fe", "c_m", "n_m", "c_fe", "n_fe", "o_fe")},
}
FACT_COLUMNS = {
    "object": "object",
    "object_id": "object_id",
    "gaia_id": "gaia_id",
    "gaia_source_id": "gaia_id",
    "ra": "ra",
    "dec": "dec",
    "snr": "snr",
    "instrument": "instrument",
    "simulator": "simulator",
}
"""Customary name of an array or column to the field of `Observation` that it holds."""


@dataclass(frozen=True, slots=True)
class ArrayRoles:
    """The arrays of the spectra in a file.

    Attributes
    ----------
    wavelength : ArrayColumn or None
        None where the wavelengths are in a file of their own.
    params : mapping
        Parameter name to array of shape (spectra,).
    table : ArrayColumn or None
        Array of shape (spectra, parameters).
    table_names : tuple of str
        Parameters of its columns.
    facts : mapping
        Field of `Observation` to array of shape (spectra,).
    """

    flux: ArrayColumn
    wavelength: ArrayColumn | None
    scale: Scale
    noise: ArrayColumn | None
    noise_kind: NoiseKind
    continuum: ArrayColumn | None
    normalized: ArrayColumn | None
    masks: tuple[ArrayColumn, ...]
    is_normalized: bool
    spec_id: ArrayColumn | None
    params: Mapping[str, ArrayColumn] = field(default_factory=dict)
    table: ArrayColumn | None = None
    table_names: tuple[str, ...] = ()
    facts: Mapping[str, ArrayColumn] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Spectra in the file."""
        return self.flux.shape[0] if len(self.flux.shape) == 2 else 1

    def pixel_arrays(self) -> tuple[ArrayColumn, ...]:
        """Arrays of the shape of the flux."""
        own_masks = (mask for mask in self.masks if len(mask.shape) == len(self.flux.shape))
        arrays = (self.flux, self.noise, self.continuum, self.normalized, *own_masks)
        own = self.wavelength is not None and len(self.wavelength.shape) == 2 and self.wavelength.shape[0] != 1
        return tuple(array for array in (*arrays, self.wavelength if own else None) if array is not None)

    def row_arrays(self) -> tuple[ArrayColumn, ...]:
        """All arrays with a value for each spectrum."""
        others = (self.spec_id, self.table, *self.params.values(), *self.facts.values())
        found = (*self.pixel_arrays(), *(array for array in others if array is not None))
        return tuple({array.name: array for array in found}.values())


def has_spectra(columns: Iterable[ArrayColumn], options: ArrayOptions) -> bool:
    """Whether there is an array of fluxes by the configured or the customary names."""
    wanted = {options.flux.lower()} if options.flux else _NAMES["flux"] | _NAMES["normalized"]
    for column in columns:
        named = _last(column) in wanted or column.name.lower() in wanted
        if named and len(column.shape) in (1, 2) and (column.numeric or column.kind in "Ob"):
            return True
    return False


def array_roles(
    columns: Mapping[str, ArrayColumn],
    options: ArrayOptions,
    *,
    path: str,
    lists: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> ArrayRoles:
    """Choose the arrays; configured names win and nothing is guessed.

    Parameters
    ----------
    columns : mapping of str to ArrayColumn
        The arrays of the file.
    options : ArrayOptions
        Names that the user gives.
    path : str
        File, for messages.
    lists : mapping of str to tuple of str
        Lists of names in the file, by their own names in lower case.

    Raises
    ------
    MissingField
        When a configured array does not exist, or the shapes do not agree.
    RefusedProduct
        When several arrays could be meant, or one holds Python objects.
    """
    choice = _Choice(columns, path)
    flux, normalized = choice.of("flux", options.flux), choice.of("normalized", options.normalized)
    is_normalized = flux is None and normalized is not None
    chosen = normalized if flux is None else flux
    if chosen is None:
        raise MissingField(f"no array is the flux among {choice.seen()}; set flux in [readers.arrays]", path=path)
    sigma, ivar = choice.of("uncertainty", options.uncertainty), choice.of("ivar", options.ivar)
    if sigma is not None and ivar is not None:
        message = f"{sigma.name} and {ivar.name} could both be the noise; set uncertainty or ivar in [readers.arrays]"
        if bool(options.uncertainty) == bool(options.ivar):
            raise RefusedProduct(message, path=path)
        sigma, ivar = (sigma, None) if options.uncertainty else (None, ivar)
    wavelength = choice.of("wavelength", options.wavelength)
    scale = options.wavelength_scale
    if wavelength is not None and scale == "linear":
        scale = _LOG_WAVELENGTH.get(_last(wavelength), "linear")
    n_rows = chosen.shape[0] if len(chosen.shape) == 2 else 1
    table, names = _table(choice, options, lists, n_rows)
    roles = ArrayRoles(
        flux=chosen,
        wavelength=wavelength,
        scale=scale,
        noise=sigma or ivar,
        noise_kind="sigma" if sigma or not ivar else "ivar",
        continuum=choice.of("continuum", options.continuum),
        normalized=None if is_normalized else normalized,
        masks=choice.masks(options.mask, chosen),
        is_normalized=is_normalized,
        spec_id=choice.row_of("spec_id", options.spec_id, n_rows),
        params=_params(choice, options, n_rows),
        table=table,
        table_names=names,
        facts={
            fact: column
            for name, fact in FACT_COLUMNS.items()
            if (column := choice.named_row(name, n_rows)) is not None
        },
    )
    _check_shapes(roles, path)
    return roles


class _Choice:
    def __init__(self, columns: Mapping[str, ArrayColumn], path: str) -> None:
        self.columns = columns
        self.path = path

    def seen(self) -> str:
        return ", ".join(list(self.columns)[:20])

    def of(self, role: str, configured: str) -> ArrayColumn | None:
        column = self.configured(role, configured) if configured else self.customary(role)
        if column is not None and column.kind == "O":
            message = f"{column.name} holds objects or values of unequal length; save it as a plain array of numbers"
            raise RefusedProduct(message, path=self.path)
        if column is not None and column.kind == "b":
            message = f"{column.name} holds true and false, no {role}; set {role} in [readers.arrays]"
            raise RefusedProduct(message, path=self.path)
        return column

    def masks(self, configured: str, flux: ArrayColumn) -> tuple[ArrayColumn, ...]:
        """Masks of the pixels of the flux, or of the pixels that all spectra share."""
        if configured:
            return (self.configured("mask", configured),)
        return tuple(
            column
            for column in self.columns.values()
            if mask_meaning(_last(column))
            and column.kind in "biuf"
            and column.shape in (flux.shape, flux.shape[-1:])
            and (column.shape == flux.shape or flux.shape[0] != flux.shape[-1])
        )

    def configured(self, role: str, name: str) -> ArrayColumn:
        for column in self.columns.values():
            if column.name.lower() == name.lower():
                return column
        message = f"no array {name} (the {role} of [readers.arrays]) among {self.seen()}; correct the name"
        raise MissingField(message, path=self.path)

    def customary(self, role: str) -> ArrayColumn | None:
        text = role == "spec_id"
        found = [
            column
            for column in self.columns.values()
            if _last(column) in _NAMES[role] and (text or (column.kind in "fiuOb" and len(column.shape) in (1, 2)))
        ]
        if len(found) > 1:
            meant = ", ".join(column.name for column in found)
            message = f"several arrays could be the {role}: {meant}; set {role} in [readers.arrays]"
            raise RefusedProduct(message, path=self.path)
        return found[0] if found else None

    def row_of(self, role: str, configured: str, n_rows: int) -> ArrayColumn | None:
        column = self.of(role, configured)
        return column if column is not None and column.shape == (n_rows,) else None

    def named_row(self, name: str, n_rows: int) -> ArrayColumn | None:
        found = (column for column in self.columns.values() if column.name.lower() == name)
        return next((column for column in found if column.shape == (n_rows,) and column.kind != "O"), None)


def _table(
    choice: _Choice, options: ArrayOptions, lists: Mapping[str, tuple[str, ...]], n_rows: int
) -> tuple[ArrayColumn | None, tuple[str, ...]]:
    if options.param_table:
        table = choice.configured("param_table", options.param_table)
    elif options.params:
        return None, ()
    else:
        alike = [
            column
            for column in choice.columns.values()
            if _last(column) in _TABLES and column.numeric and len(column.shape) == 2 and column.shape[0] == n_rows
        ]
        if not alike:
            return None, ()
        table = alike[0]
    if len(table.shape) != 2 or table.shape[0] != n_rows or not table.numeric:
        message = f"{table.name} has shape {table.shape}, expected a row of parameters for each of {n_rows} spectra"
        raise MissingField(message, path=choice.path)
    own = table.name.lower()
    lists_of_names = (f"{own}_names", f"{own.rstrip('s')}_names", "param_names", "parameter_names", "label_names")
    beside = next((lists[key] for key in lists_of_names if key in lists), ())
    names = options.param_names or table.names or beside
    if len(names) != table.shape[1]:
        message = (
            f"{table.name} has {table.shape[1]} parameters and {len(names)} names; set param_names in [readers.arrays]"
        )
        raise MissingField(message, path=choice.path)
    return table, tuple(parameter_name(name) for name in names)


def _params(choice: _Choice, options: ArrayOptions, n_rows: int) -> dict[str, ArrayColumn]:
    if options.params:
        found = {name: choice.configured(name, array) for name, array in options.params.items()}
    else:
        found = {}
        for column in choice.columns.values():
            group = _group(column)
            known = is_parameter(_last(column))
            if column.numeric and column.shape == (n_rows,) and (group in _TABLES or known):
                found.setdefault(parameter_name(_last(column)), column)
    for name, column in found.items():
        if column.shape != (n_rows,) or not column.numeric:
            message = f"{column.name} ({name}) has shape {column.shape}, expected a number for each of {n_rows} spectra"
            raise MissingField(message, path=choice.path)
    return found


def _check_shapes(roles: ArrayRoles, path: str) -> None:
    flux, wavelength = roles.flux, roles.wavelength
    for array in roles.pixel_arrays():
        if array.shape != flux.shape:
            message = f"{array.name} has shape {array.shape} beside {flux.name} of {flux.shape}; they must agree"
            raise MissingField(message, path=path)
    if wavelength is not None and wavelength.shape != flux.shape:
        n_pix = wavelength.shape[-1]
        if len(flux.shape) == 2 and n_pix == flux.shape[0] != flux.shape[1]:
            message = f"{flux.name} of shape {flux.shape} has the pixels first; save it transposed"
            raise MissingField(message, path=path)
        if n_pix != flux.shape[-1]:
            message = f"{wavelength.name} of {n_pix} pixels does not fit {flux.name} of shape {flux.shape}"
            raise MissingField(message, path=path)


def parameter_name(text: str) -> str:
    """Name of a parameter in the store: ``T_eff`` is ``teff``, ``[Fe/H]`` is ``feh``."""
    bare = _bare(text)
    known = _PARAMETERS.get(bare, bare)
    return known if re.match(r"[a-z]", known) else f"p_{known}"


def is_parameter(text: str) -> bool:
    """Whether a name is customary for a parameter."""
    return _bare(text) in _PARAMETERS


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _last(column: ArrayColumn) -> str:
    return (column.field or re.split(r"[/.]", column.name)[-1]).lower()


def _group(column: ArrayColumn) -> str:
    own = f"/{column.field}" if column.field else f"/{column.name.rpartition('/')[2]}"
    return column.name.removesuffix(own).rpartition("/")[2].lower() if own in column.name else ""

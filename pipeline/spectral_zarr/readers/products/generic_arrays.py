"""Any NumPy archive, HDF5 or Parquet file with a spectrum per row and, perhaps, a table of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ArrayOptions, ReaderOptions
from spectral_zarr.contract.companions import Kind
from spectral_zarr.contract.rows import SENTINELS, is_listed
from spectral_zarr.contract.schema import FluxType, SourceType
from spectral_zarr.errors import MissingField, RefusedProduct, SourceError, UnknownUnit
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.array_roles import ArrayRoles, array_roles, has_spectra
from spectral_zarr.readers.arrays import ArrayColumn, ArrayFile, Block, as_text, check_size
from spectral_zarr.readers.companion_units import companion_unit
from spectral_zarr.readers.fits import HeaderPolicy
from spectral_zarr.readers.masks import bad_by_masks
from spectral_zarr.readers.observing import sky_texts
from spectral_zarr.readers.wavelength_files import grid_wavelengths

_POSITION = ("ra", "dec")


class GenericArrays:
    """Spectra in arrays, without knowledge of who made them.

    The flux has the shape (spectra, pixels), or (pixels,) for one spectrum; the wavelength is shared or of the same
    shape; parameters are arrays of their own, a structured array or a table with names. Parquet files have a list of
    pixels in each row, of equal length or not. Units, medium, simulator and origin come from attributes, from text in
    the file (``flux_unit``, ``medium``, ``simulator``, ``source_type``) or from ``[readers.arrays]``. Rows are read by
    blocks. Arrays of Python objects are refused, because reading them would run the code in them.
    """

    name = "generic-arrays"
    version = "1"
    title = "NumPy archives, HDF5 and Parquet files with a spectrum per row and a table of parameters"
    priority = 100
    policy = HeaderPolicy()
    reads = ArrayFile

    def claims(self, file: ArrayFile, options: ReaderOptions) -> bool:
        return has_spectra(file.columns.values(), options.arrays)

    def read(self, file: ArrayFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        roles = array_roles(file.columns, options.arrays, path=file.name, lists=file.lists)
        check_size(roles.flux, roles.flux.nbytes, file.size, file.name)
        if roles.n_rows == 0:
            raise MissingField(f"{roles.flux.name} has no rows; fetch the file again", path=file.name)
        shared = _shared(file, roles, options)
        if len(roles.flux.shape) == 1:
            pixels = {column.name for column in roles.pixel_arrays()}
            values = {column.name: file.whole(column.name) for column in roles.row_arrays()}
            only = {name: array[np.newaxis] if name in pixels else array for name, array in values.items()}
            yield from _spectra(file, roles, options, shared, 0, only)
            return
        nbytes = 0
        for first, block in file.rows([column.name for column in roles.row_arrays()]):
            nbytes += sum(np.asarray(flux).nbytes for flux in block[roles.flux.name])
            check_size(roles.flux, nbytes, file.size, file.name)
            yield from _spectra(file, roles, options, shared, first, block)


@dataclass(frozen=True, slots=True, eq=False)
class _Shared:
    """What all spectra of a file have in common."""

    sampling: Sampling
    flux_unit: str
    unit_written: bool
    observation: Observation
    stem: str
    masks: Mapping[str, NDArray[Any]]
    noise_unit: str
    continuum_unit: str


def _shared(file: ArrayFile, roles: ArrayRoles, options: ReaderOptions) -> _Shared:
    arrays = options.arrays
    flux_unit = _flux_unit(file, roles, arrays)
    values = None
    wavelength = roles.wavelength
    if wavelength is None:
        if not options.wavelength_file:
            message = "no array is the wavelength; set wavelength in [readers.arrays] or wavelength_file in [readers]"
            raise MissingField(message, path=file.name)
        values = grid_wavelengths(file, (), options, n_pix=roles.flux.shape[-1])
    elif wavelength not in roles.pixel_arrays():
        values = file.whole(wavelength.name).reshape(-1)
    unit = arrays.wavelength_unit or (wavelength.unit if wavelength else "") or file.facts.get("wavelength_unit", "")
    if not unit:
        message = "nothing tells the unit of the wavelength; set wavelength_unit in [readers.arrays]"
        raise UnknownUnit(message, path=file.name)
    return _Shared(
        Sampling(unit=unit, medium=_medium(file, roles, arrays), scale=roles.scale, values=values),
        flux_unit,
        flux_unit in (roles.flux.unit, file.facts.get("flux_unit")),
        _observation(file, roles, arrays),
        _stem(file.name),
        {mask.name: file.whole(mask.name) for mask in roles.masks if mask not in roles.pixel_arrays()},
        _companion_unit(file, roles, roles.noise, roles.noise_kind, flux_unit),
        _companion_unit(file, roles, roles.continuum, "continuum", flux_unit),
    )


def _spectra(
    file: ArrayFile, roles: ArrayRoles, options: ReaderOptions, shared: _Shared, first: int, block: Block
) -> Iterator[Spectrum | SourceError]:
    params = _params(roles, block)
    own_axis = roles.wavelength is not None and roles.wavelength.name in block
    for i in range(len(block[roles.flux.name])):
        row = first + i
        flux = block[roles.flux.name][i]
        if len(flux) == 0:
            yield MissingField("the row has no pixels; leave it out", path=file.name, hdu=0, row=row)
            continue
        axis = block[roles.wavelength.name][i] if own_axis and roles.wavelength else None
        noise, continuum, normalized = (
            None if column is None else block[column.name][i]
            for column in (roles.noise, roles.continuum, roles.normalized)
        )
        masks = [(m.name, shared.masks[m.name] if m.name in shared.masks else block[m.name][i]) for m in roles.masks]
        try:
            bad = bad_by_masks(masks, noise, options, path=file.name, hdu=0, row=row)
        except SourceError as error:
            yield error
            continue
        yield Spectrum(
            spec_id=_spec_id(roles, shared, block, i, row),
            flux=flux,
            flux_unit=shared.flux_unit,
            unit_written=shared.unit_written,
            sampling=shared.sampling if axis is None else replace(shared.sampling, values=axis),
            observation=_with_facts(shared.observation, roles, block, i),
            noise=noise,
            noise_kind=roles.noise_kind,
            noise_unit=shared.noise_unit,
            bad=bad,
            continuum=continuum,
            continuum_unit=shared.continuum_unit,
            continuum_method="none" if roles.continuum is None else f"column:{roles.continuum.name}",
            normalized=normalized,
            normalized_product=roles.is_normalized,
            params={name: float(values[i]) for name, values in params.items()},
            row=row,
        )


def _params(roles: ArrayRoles, block: Block) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = {}
    if roles.table is not None:
        table = np.asarray(block[roles.table.name], np.float64)
        found = {name: table[:, i] for i, name in enumerate(roles.table_names)}
    found.update({name: np.asarray(block[column.name], np.float64) for name, column in roles.params.items()})
    return {name: np.where(is_listed(values, SENTINELS), np.nan, values) for name, values in found.items()}


def _with_facts(observation: Observation, roles: ArrayRoles, block: Block, i: int) -> Observation:
    facts: dict[str, Any] = {}
    for fact, column in roles.facts.items():
        value = block[column.name][i]
        if fact in _POSITION:
            continue
        if fact != "snr":
            facts[fact] = _identifier(value) if fact == "gaia_id" else _name(value)
        elif column.numeric and math.isfinite(float(value)) and not is_listed(np.array([float(value)]), SENTINELS)[0]:
            facts[fact] = float(value)
    if roles.facts.keys() & set(_POSITION):
        columns = [roles.facts.get(fact) for fact in _POSITION]
        ra, dec = ("" if column is None else as_text(block[column.name][i]).strip() for column in columns)
        units = ("" if column is None else column.unit for column in columns)
        facts.update(sky_texts(ra, dec, (next(units), next(units)))._asdict())
    if "snr" in facts:
        facts["snr_method"] = f"catalogue:{roles.facts['snr'].name}"
    return replace(observation, **facts) if facts else observation


def _name(value: Any) -> str:
    # An integer in a column of floating-point numbers is shown as one where it is exact.
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() and abs(float(value)) < 2**53 else ""
    return as_text(value).strip()


def _identifier(value: Any) -> str:
    # An identifier that went through floating point has lost its last digits.
    if isinstance(value, float | np.floating):
        return ""
    text = as_text(value).strip()
    return text if text.isdigit() and int(text) > 0 else ""


def _spec_id(roles: ArrayRoles, shared: _Shared, block: Block, i: int, row: int) -> str:
    if roles.spec_id is not None and (text := as_text(block[roles.spec_id.name][i]).strip()):
        return text
    return f"{shared.stem}-h0r{row}" if roles.n_rows > 1 else shared.stem


def _stem(name: str) -> str:
    directory, slash, last = name.rpartition("/")
    return directory + slash + (last.rpartition(".")[0] or last)


def _flux_unit(file: ArrayFile, roles: ArrayRoles, options: ArrayOptions) -> str:
    if roles.is_normalized:
        return "dimensionless"
    unit = options.flux_unit or roles.flux.unit or file.facts.get("flux_unit", "")
    if not unit:
        message = f"nothing tells the unit of {roles.flux.name}; set flux_unit in [readers.arrays]"
        raise UnknownUnit(message, path=file.name)
    return unit


def _companion_unit(
    file: ArrayFile, roles: ArrayRoles, companion: ArrayColumn | None, kind: Kind, flux_unit: str
) -> str:
    if companion is None:
        return ""
    return companion_unit(
        companion.unit,
        kind,
        flux_unit,
        beside=roles.flux.unit or file.facts.get("flux_unit", ""),
        name=companion.name,
        flux_name=roles.flux.name,
        path=file.name,
    )


def _medium(file: ArrayFile, roles: ArrayRoles, options: ArrayOptions) -> str:
    if options.medium != "unknown":
        return options.medium
    said = (file.facts.get("medium") or file.facts.get("wavelength_medium") or "").lower()
    if roles.wavelength is not None and roles.wavelength.name.lower().rpartition("/")[2] == "awav":
        return "air"
    return {"air": "air", "vac": "vacuum", "vacuum": "vacuum"}.get(said, "unknown")


def _observation(file: ArrayFile, roles: ArrayRoles, options: ArrayOptions) -> Observation:
    source_type = options.source_type or _one_of(file, "source_type", tuple(SourceType))
    if not source_type:
        if roles.noise is not None:
            message = (
                f"{roles.noise.name} gives uncertainties, so the spectra may be observed or models; set source_type in"
                " [readers.arrays]"
            )
            raise RefusedProduct(message, path=file.name)
        source_type = SourceType.SYNTHETIC.value
    sources: Sequence[str] = [column.name for column in roles.params.values()]
    table = [roles.table.name] if roles.table is not None else []
    model = source_type not in (SourceType.OBSERVED, SourceType.STACKED)
    return Observation(
        source_type=source_type,
        flux_type=options.flux_type or _one_of(file, "flux_type", tuple(FluxType)) or FluxType.FLUX.value,
        simulator=file.facts.get("simulator", "") if model else "",
        instrument=file.facts.get("instrument", ""),
        velocity_frame="rest" if model else file.facts.get("velocity_frame", "unknown"),
        flux_calibration="normalized" if roles.is_normalized else "",
        params_source="file" if sources or table else "",
    )


def _one_of(file: ArrayFile, fact: str, allowed: tuple[str, ...]) -> str:
    said = _lower(file.facts, fact)
    if said and said not in allowed:
        message = f"{fact} is '{said}' in the file, expected one of {', '.join(allowed)}; set it in [readers.arrays]"
        raise RefusedProduct(message, path=file.name)
    return said


def _lower(facts: Mapping[str, str], fact: str) -> str:
    return facts.get(fact, "").strip().lower()


READERS = (GenericArrays(),)

"""Spitzer IRS spectra: the CASSIS atlas in FITS, and IPAC tables of CASSIS and of the Spitzer Science Center."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.arms import Arm, join_arms
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.observing import (
    date_obs,
    exposure,
    first_sky,
    first_text,
    iso_moment,
    observe,
    sky,
    sky_texts,
    start_mjd,
)
from spectral_zarr.readers.space import placed
from spectral_zarr.readers.text import TextFile

FATAL_FLAG = 4096
"""IRS Instrument Handbook, section 7.3: bits from 12 on say that a pixel has no data or must not be used."""
BONUS_ORDER = 3
FIRST_ECHELLE_ORDER = 11

_KEYWORD = re.compile(r"^\\(?:(?:char|int|real|double)\s+)?([A-Za-z_][\w-]*)\s*=\s*'?(.*?)'?\s*(?:/.*)?$")
_NO_NUMBER = frozenset({"null", "nan", "-nan", "indef"})


@dataclass(frozen=True, slots=True, eq=False)
class IrsTable:
    """Columns of an IRS spectrum, a pixel per row."""

    wavelength: NDArray[Any]
    flux: NDArray[Any]
    error: NDArray[Any] | None
    order: NDArray[Any] | None
    module: NDArray[Any] | None
    flag: NDArray[Any] | None
    wavelength_unit: str = "um"
    flux_unit: str = "Jy"


class IrsFits:
    """Low-resolution spectra of CASSIS.

    Combined Atlas of Sources with Spitzer IRS Spectra (Lebouteiller et al. 2011, ApJS 196, 8): one image whose columns
    the cards COL01DEF and so on name: wavelength (um), flux (Jy), errors, module and order. Orders and modules are one
    spectrum, cut at mid-overlap without scaling; the bonus order 3, which lies within the others, is left out.
    Orders of the high-resolution modules (11 and more) are rows only on request.
    """

    name = "spitzer-irs-fits"
    version = "1"
    title = "Spitzer IRS spectra of CASSIS in FITS, orders joined"
    priority = 0
    policy = HeaderPolicy(allow=(r"AORKEY|AOT_TYPE|PROGID|OBSRVR|DATE_OBS|(RA|DEC)_(FOV|RQST|SLT)|CREATOR|CAL_SET",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        primary = file.primary
        known = primary.text("TELESCOP").upper().startswith("SPITZER") and "COL01DEF" in primary
        return known and len(file.hdus[0].shape) == 2

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        primary, image = file.primary, file.hdus[0].image()
        names = [primary.text(f"COL{number:02d}DEF") for number in range(1, image.shape[1] + 1)]
        table = _columns({name.lower(): image[:, i] for i, name in enumerate(names) if name}, file.name)
        header = project([(0, primary)], policy)
        yield from _spectra(table, _observation(primary), options, file.name, header)


class IrsText:
    """IPAC tables of CASSIS and of the Spitzer Science Center (post-BCD spectra and enhanced products).

    Columns order, wavelength (micron), flux or flux_density (Jy), error and bit-flag; joined as in `IrsFits`.
    """

    name = "spitzer-irs-text"
    version = "1"
    title = "Spitzer IRS spectra in IPAC tables, orders joined"
    priority = 0
    policy = HeaderPolicy()
    reads = TextFile
    names = r"(?i:(cassis_[^/]*|SPITZER_S\d+_[^/]*(tune|bksub|merge|spect)[^/]*)\.tbl)"

    def claims(self, file: TextFile, options: ReaderOptions) -> bool:
        comments = "\n".join(line for line in file.head if line.startswith("\\")).upper()
        names = _ipac_names(file)
        return "SPITZER" in comments and any(name.startswith("wave") for name in names) and _flux_of(names) is not None

    def read(self, file: TextFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        names = _ipac_names(file)
        values = _ipac_numbers(file, len(names))
        table = _columns({name: values[:, i] for i, name in enumerate(names)}, file.name, _ipac_units(file, names))
        cards = {match[1].upper(): match[2].strip() for line in file.head if (match := _KEYWORD.match(line))}
        yield from _spectra(table, _observed(cards), options, file.name, {})


def _spectra(
    table: IrsTable, observation: Observation, options: ReaderOptions, path: str, header: Mapping[Any, str]
) -> Iterator[Spectrum | SourceError]:
    pieces = _pieces(table)
    echelle = [key for key in pieces if key[1] >= FIRST_ECHELLE_ORDER]
    if echelle and options.echelle != "rows":
        message = f"{len(echelle)} orders of the high-resolution modules that overlap and that nobody merged;"
        raise RefusedProduct(f'{message} set [readers] echelle = "rows" to get one row per order', path=path)
    if echelle:
        for row, (key, piece) in enumerate(pieces.items()):
            facts = replace(observation, order=f"{key[1]:g}")
            build = partial(_order, table, piece, facts, header, f"m{key[0]:g}-o{key[1]:03g}", row, path)
            yield placed(build, path=path, hdu=0, row=row)
        return
    arm, method = join_arms(list(pieces.values()))
    yield _spectrum(table, arm, replace(observation, arm_merge=method), header, "", 0, path)


def _order(
    table: IrsTable, piece: Arm, observation: Observation, header: Mapping[Any, str], order: str, row: int, path: str
) -> Spectrum:
    return _spectrum(table, join_arms([piece])[0], observation, header, order, row, path)


def _spectrum(
    table: IrsTable, arm: Arm, observation: Observation, header: Mapping[Any, str], order: str, row: int, path: str
) -> Spectrum:
    stem = path.rpartition("/")[2].rpartition(".")[0]
    return Spectrum(
        spec_id=f"{stem}-{order}" if order else "",
        flux=arm.flux,
        flux_unit=table.flux_unit,
        sampling=Sampling(unit=table.wavelength_unit, medium="vacuum", values=arm.wavelength),
        observation=observation,
        noise=arm.noise,
        bad=arm.bad,
        header=header,
        row=row,
    )


def _pieces(table: IrsTable) -> dict[tuple[float, float], Arm]:
    known = np.isfinite(table.wavelength) & (table.wavelength > 0)
    module = np.zeros(known.size) if table.module is None else table.module
    order = np.zeros(known.size) if table.order is None else table.order
    pieces: dict[tuple[float, float], Arm] = {}
    for key in sorted({(float(one), float(other)) for one, other in zip(module[known], order[known], strict=True)}):
        pixels = np.flatnonzero(known & (module == key[0]) & (order == key[1]))
        pixels = pixels[np.argsort(table.wavelength[pixels], kind="stable")]
        pieces[key] = Arm(
            wavelength=table.wavelength[pixels],
            flux=table.flux[pixels],
            noise=None if table.error is None else table.error[pixels],
            bad=None if table.flag is None else np.nan_to_num(table.flag[pixels]) >= FATAL_FLAG,
        )
    # The bonus order repeats wavelengths of the first and the second one.
    spare = [key for key in pieces if key[1] == BONUS_ORDER and {(key[0], 1.0), (key[0], 2.0)} <= set(pieces)]
    return {key: arm for key, arm in pieces.items() if key not in spare}


def _columns(columns: Mapping[str, NDArray[Any]], path: str, units: Mapping[str, str] | None = None) -> IrsTable:
    wavelength = next((name for name in columns if name.startswith("wave")), None)
    flux = _flux_of(columns)
    if wavelength is None or flux is None:
        message = f"no wavelength or no flux among {', '.join(columns)}; leave the file out"
        raise MissingField(message, path=path)
    error = next((name for name in columns if name.startswith(("error", "flux_err", "uncert"))), None)
    flag = next((name for name in columns if name.replace("_", "-") in ("bit-flag", "bitflag", "flag")), None)
    return IrsTable(
        wavelength=columns[wavelength],
        flux=columns[flux],
        error=columns[error] if error is not None else None,
        order=columns.get("order"),
        module=columns.get("module"),
        flag=columns[flag] if flag is not None else None,
        wavelength_unit=(units or {}).get(wavelength) or "um",
        flux_unit=(units or {}).get(flux) or "Jy",
    )


def _flux_of(names: Iterable[str]) -> str | None:
    return next((name for name in names if name in ("flux", "flux_density", "flux density")), None)


def _ipac_names(file: TextFile) -> list[str]:
    line = next((line for line in file.head if line.startswith("|")), "")
    return [name.strip().lower() for name in line.strip().strip("|").split("|")] if line else []


def _ipac_units(file: TextFile, names: list[str]) -> dict[str, str]:
    lines = [line for line in file.head if line.startswith("|")]
    units = [unit.strip() for unit in lines[2].strip().strip("|").split("|")] if len(lines) > 2 else []
    return dict(zip(names, units, strict=True)) if len(units) == len(names) else {}


def _ipac_numbers(file: TextFile, n_columns: int) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    for line in file.data.decode("latin-1").splitlines():
        if not line.strip() or line.startswith(("\\", "|")):
            continue
        cells = line.split()
        try:
            rows.append([float("nan") if cell.lower() in _NO_NUMBER else float(cell) for cell in cells])
        except ValueError as error:
            raise MissingField(f"a line is not of numbers: {error}; leave the file out", path=file.name) from error
        if len(cells) != n_columns:
            message = f"a line of {len(cells)} numbers in a table of {n_columns} columns; fetch the file again"
            raise MissingField(message, path=file.name)
    if not rows:
        raise MissingField("the table has no lines; fetch the file again", path=file.name)
    return np.array(rows)


_POSITIONS = (("RA_RQST", "DEC_RQST"), ("RA_FOV", "DEC_FOV"), ("RA_SLT", "DEC_SLT"), ("RA", "DEC"))


def _observation(primary: Header) -> Observation:
    return observe(
        primary,
        instrument="IRS",
        date_obs=date_obs(primary, cards=("DATE_OBS", "DATE-OBS")),
        mjd=start_mjd(primary, ("MJD_OBS", "MJD-OBS")),
        program_id=first_text(primary, "PROGID", "PROGRAM"),
        **sky(primary, *_POSITIONS)._asdict(),
        exptime=exposure(primary, "EXPTOT_T"),
        flux_calibration="absolute",
    )


def _observed(cards: Mapping[str, str]) -> Observation:
    return Observation(
        instrument="IRS",
        object=cards.get("OBJECT", ""),
        program_id=cards.get("PROGID", ""),
        date_obs=iso_moment(cards.get("DATE_OBS", "")),
        **first_sky(sky_texts(cards.get(pair[0], ""), cards.get(pair[1], "")) for pair in _POSITIONS)._asdict(),
        flux_calibration="absolute",
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return float("nan")
    return value if math.isfinite(value) else float("nan")


READERS = (IrsFits(), IrsText())

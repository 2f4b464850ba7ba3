"""Gaia RVS and XP sampled mean spectra as CSV, ECSV and VOTable, of one source or of many."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator
from functools import partial
from itertools import groupby

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Pixels, Spectrum
from spectral_zarr.readers.fits import HeaderPolicy
from spectral_zarr.readers.gaia import (
    COEFFICIENTS,
    TIME_SERIES,
    GaiaRow,
    gaia_spectrum,
    is_named_gaia,
    is_table_of_sources,
    release_and_source,
)
from spectral_zarr.readers.gaia_votable import votable_rows
from spectral_zarr.readers.observing import Sky, sky_texts
from spectral_zarr.readers.space import placed
from spectral_zarr.readers.text import TextFile

LONGEST_FIELD = 1 << 24
"""Characters of one field of a CSV file; the vectors of a spectrum have some 50,000."""

_FLUXES = frozenset({"flux", "flux_error"})
_FIELD = re.compile(r"<FIELD\b[^>]*\bname\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
_DELIMITER = re.compile(r"^#\s*delimiter:\s*['\"]([,;|\t ])['\"]", re.MULTILINE)
_COMMENT = re.compile(r"^#\s?", re.MULTILINE)
_ECSV_UNIT = re.compile(
    r"\bname:\s*['\"]?wavelength['\"]?\s*(?:,|\n)(?:(?!\bname:).)*?\bunit:\s*['\"]?([^'\",}\s]+)", re.DOTALL
)
_ECSV_SOURCE = re.compile(r"^\s+source_id:\s*['\"]?(\d+)", re.MULTILINE)
_ECSV_POSITION = re.compile(r"^\s+spatialLocation:\s*\[([^,\]]+),([^,\]]+)\]", re.MULTILINE)
_VECTOR = ("[", "(", "{")


class GaiaText:
    """Spectra of a text file of the Gaia archive.

    Gaia DR3 data model, ``rvs_mean_spectrum`` and ``xp_sampled_mean_spectrum``, as CSV, ECSV or VOTable. DataLink gives
    wavelength (nm), flux and flux_error of one source whose source_id is in the file name only; its raw and the bulk
    files have a row per source with vectors in brackets, where ``null`` and ``NaN`` are missing, and no wavelengths,
    because all sources share the grid of the product.
    """

    name = "gaia-text"
    version = "1"
    title = "Gaia RVS and XP sampled mean spectra, CSV, ECSV and VOTable"
    priority = 0
    policy = HeaderPolicy()
    reads = TextFile
    names = (
        r"(?i:(RVS|XP_SAMPLED)[^/]*Gaia[ _]E?DR\d+[ _]\d+\.(csv|ecsv|xml|vot|votable)(\.gz)?"
        r"|(RvsMeanSpectrum|XpSampledMeanSpectrum)_\d+-\d+\.csv(\.gz)?)"
    )

    def claims(self, file: TextFile, options: ReaderOptions) -> bool:
        names = set(_names(file))
        if names & {"bp_coefficients", "rp_coefficients"}:
            return True
        alone = names >= _FLUXES | {"wavelength"} and not names & TIME_SERIES and is_named_gaia(file.name)
        return alone or is_table_of_sources(names)

    def read(self, file: TextFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        names = _names(file)
        if not set(names) >= _FLUXES:
            raise RefusedProduct(COEFFICIENTS, path=file.name)
        if "wavelength" not in names and "solution_id" not in names:
            message = (
                "no wavelength and no solution_id: the sampling of GaiaXPy is in another file; add the wavelengths"
            )
            raise MissingField(message, path=file.name)
        rows = votable_rows(file) if _is_votable(file) else _csv_rows(file, names)
        for number, found in rows:
            build = partial(_checked, found, file.name, number)
            yield placed(build, path=file.name, hdu=0, row=number)


def _checked(found: GaiaRow | SourceError, name: str, row: int) -> Spectrum:
    if isinstance(found, SourceError):
        raise found
    return gaia_spectrum(found, name=name, row=row)


def _is_votable(file: TextFile) -> bool:
    return any("<VOTABLE" in line.upper() for line in file.head[:50])


def _names(file: TextFile) -> list[str]:
    if _is_votable(file):
        return [name.lower() for name in _FIELD.findall("\n".join(file.head))]
    line = next((line for line in file.head if line.strip() and not line.startswith("#")), "")
    try:
        return [name.strip().strip('"').lower() for name in next(csv.reader([line], delimiter=_delimiter(file)), [])]
    except csv.Error:
        return []


def _delimiter(file: TextFile) -> str:
    declared = _DELIMITER.search("\n".join(line for line in file.head if line.startswith("#")))
    # The header of ECSV names the delimiter unless it is a blank.
    return declared[1] if declared else " " if file.head[0].startswith("# %ECSV") else ","


def _preamble(file: TextFile) -> str:
    return _COMMENT.sub("", "\n".join(line for line in file.head if line.startswith("#")))


def _declared_source(file: TextFile) -> str:
    declared = _ECSV_SOURCE.search(_preamble(file))
    return declared[1] if declared else release_and_source(file.name)[1]


def _csv_rows(file: TextFile, names: list[str]) -> Iterator[tuple[int, GaiaRow | SourceError]]:
    previous = csv.field_size_limit(LONGEST_FIELD)
    try:
        records = list(_records(file, names)) if "wavelength" in names else _records(file, names)
        if "wavelength" not in names:
            for number, record in records:
                yield number, record if isinstance(record, SourceError) else _of_record(record, file)
            return
        source = _declared_source(file)
        good = [(number, record) for number, record in records if isinstance(record, dict)]
        yield from ((number, record) for number, record in records if isinstance(record, SourceError))
        for identifier, group in groupby(good, key=lambda one: one[1].get("source_id", "") or source):
            members = list(group)
            yield members[0][0], _of_samples(identifier, [record for _, record in members], file)
    finally:
        csv.field_size_limit(previous)


def _records(file: TextFile, names: list[str]) -> Iterator[tuple[int, dict[str, str] | SourceError]]:
    text = io.TextIOWrapper(io.BytesIO(file.data), encoding="latin-1", newline="")
    lines = (line for line in text if not line.startswith("#") and line.strip())
    number = -2
    try:
        for number, cells in enumerate(csv.reader(lines, delimiter=_delimiter(file)), start=-1):
            if number < 0:
                continue
            if len(cells) == len(names):
                yield number, dict(zip(names, (one.strip() for one in cells), strict=True))
            else:
                message = f"{len(cells)} fields in a line of {len(names)} columns; fetch the file again"
                yield number, MissingField(message, path=file.name, row=number)
    except csv.Error as error:
        raise MissingField(f"the lines are no CSV: {error}; fetch the file again", path=file.name) from error
    if number < 0:
        raise MissingField("the file has a line of names and no data; fetch it again", path=file.name)


def _of_record(record: dict[str, str], file: TextFile) -> GaiaRow | SourceError:
    try:
        flux, error = (_vector(record[name]) for name in ("flux", "flux_error"))
        return GaiaRow(
            source_id=record.get("source_id", ""),
            flux=flux,
            error=error,
            sky=_position(record),
        )
    except ValueError as problem:
        return MissingField(f"flux or flux_error is no list of numbers: {problem}", path=file.name)


def _of_samples(identifier: str, records: list[dict[str, str]], file: TextFile) -> GaiaRow | SourceError:
    first = records[0]
    preamble = _preamble(file)
    unit, position = _ECSV_UNIT.search(preamble), _ECSV_POSITION.search(preamble)
    try:
        if first["flux"].startswith(_VECTOR):
            columns = [_vector(first[name]) for name in ("flux", "flux_error", "wavelength")]
        else:
            columns = [
                np.array([_number(record[name]) for record in records]) for name in ("flux", "flux_error", "wavelength")
            ]
    except ValueError as problem:
        return MissingField(f"flux, flux_error or wavelength is no number: {problem}", path=file.name)
    return GaiaRow(
        source_id=identifier,
        flux=columns[0],
        error=columns[1],
        wavelength=columns[2],
        wavelength_unit=unit[1] if unit else "nm",
        sky=sky_texts(position[1], position[2]) if position else _position(first),
    )


def _position(record: dict[str, str]) -> Sky:
    return sky_texts(record.get("ra", ""), record.get("dec", ""))


def _vector(text: str) -> Pixels:
    inner = text.strip().lstrip("[({").rstrip("])}")
    with warnings.catch_warnings():
        # NumPy may only warn when it stops at what is no number.
        warnings.simplefilter("error")
        try:
            values = np.fromstring(inner.replace("null", "nan"), sep=",")
        except (ValueError, DeprecationWarning):
            values = np.empty(0)
    return values if values.size == inner.count(",") + 1 else np.array([_number(one) for one in inner.split(",")])


def _number(text: str) -> float:
    text = text.strip().strip("\"'")
    return float(text) if text.lower() not in ("", "null", "none", "--") else float("nan")


READERS = (GaiaText(),)

"""Catalogues of stellar parameters in FITS, Parquet, CSV or VOTable: exact keys as text, parameters as float64."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spectral_zarr.config import CatalogOptions
from spectral_zarr.contract.columns import param_sentinels
from spectral_zarr.errors import BadCatalog

USUAL = {
    "teff": ("teff", "t_eff"),
    "logg": ("logg", "log_g"),
    "feh": ("feh", "fe_h"),
    "m_h": ("m_h", "mh", "moh"),
    "alpha_m": ("alpha_m", "alpha_fe", "a_fe"),
    "vmic": ("vmic", "vmicro"),
    "vsini": ("vsini",),
    "rv": ("rv", "rv_comp_1", "radial_velocity"),
}
"""Parameter to the names that its column customarily has, compared without case."""

_FLOAT = r"^[0-9]+\.[0-9]*([eE]\+?[0-9]+)?$"
"""An identifier that another program has written as a float, and so without its last digits."""

_ERRORS = ("e_{}", "{}_err", "{}_error")


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """A catalogue of parameters.

    Attributes
    ----------
    name, sha256 : str
        File name and SHA-256 of the file.
    keys : StringArray
        Identifiers as text, '' where missing; integers are written in decimal, so that no digit is lost.
    params : mapping of str to ndarray
        Parameter to float64 values, NaN where missing, flagged, infinite or a sentinel.
    """

    name: str
    sha256: str
    keys: Any
    params: Mapping[str, NDArray[np.float64]]


def read_catalog(options: CatalogOptions) -> Catalog:
    """Read the columns of a catalogue that the options name.

    Raises
    ------
    BadCatalog
        When it cannot be read, lacks a column, or has a key of floats.
    """
    path = Path(options.file)
    if not options.key:
        raise BadCatalog("name the column that identifies the spectra with --catalog-key", path=options.file)
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        table = _open(path, options)
        names = table.names
        wanted = _columns(names, options)
        keys = _key_texts(table.column(_found(names, options.key, options)), options)
        params = {name: _numbers(table.column(column), column, options) for name, column in wanted.items()}
        if options.flag:
            flags = _numbers(table.column(_found(names, options.flag, options)), options.flag, options)
            for values in params.values():
                values[flags != 0] = np.nan
    except OSError as error:
        raise BadCatalog(f"cannot be read: {error.strerror or error}", path=options.file) from error
    missing = {name: np.isnan(values) for name, values in params.items()}
    for name, values in params.items():
        values[param_sentinels(name, values, missing) | np.isinf(values)] = np.nan
    for name, values in params.items():
        if name.startswith("e_") and name[2:] in params:
            # An error of zero beside a missing value is missing too.
            values[(values <= 0) & np.isnan(params[name[2:]])] = np.nan
    return Catalog(path.name, sha256, keys, params)


@dataclass(frozen=True, slots=True)
class _Table:
    names: list[str]
    column: Callable[[str], Any]
    """Column by name, as an Arrow array or a (masked) NumPy array."""


def _open(path: Path, options: CatalogOptions) -> _Table:
    suffixes = path.name.lower().removesuffix(".gz")
    if suffixes.endswith((".parquet", ".pq")):
        return _parquet(path)
    if suffixes.endswith((".csv", ".tsv")):
        return _csv(path, options, "\t" if suffixes.endswith(".tsv") else ",")
    if suffixes.endswith((".fits", ".fit", ".fts")):
        return _fits(path, options)
    if suffixes.endswith((".vot", ".votable", ".xml")):
        return _votable(path)
    raise BadCatalog("the suffix tells no known format: .parquet, .csv, .tsv, .fits, .vot or .xml", path=options.file)


def _parquet(path: Path) -> _Table:
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        return _Table(file.schema_arrow.names, lambda name: file.read([name]).column(0).combine_chunks())
    except pa.ArrowException as error:
        raise BadCatalog(f"not a Parquet file: {error}", path=str(path)) from error


def _csv(path: Path, options: CatalogOptions, delimiter: str) -> _Table:
    import pyarrow.csv

    def load(names: list[str]) -> pa.Table:
        nothing = ["", "NA", "N/A", "nan", "NaN", "null", "NULL", "None", "--"]
        types = {name: pa.string() for name in names if name.lower() == options.key.lower()}
        convert = pyarrow.csv.ConvertOptions(column_types=types, null_values=nothing, strings_can_be_null=True)
        return pyarrow.csv.read_csv(path, parse_options=parse, convert_options=convert)

    parse = pyarrow.csv.ParseOptions(delimiter=delimiter)
    try:
        table = load(load([]).column_names)
    except pa.ArrowException as error:
        raise BadCatalog(f"not a table of comma-separated values: {error}", path=str(path)) from error
    return _Table(table.column_names, lambda name: table[name].combine_chunks())


def _fits(path: Path, options: CatalogOptions) -> _Table:
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The file stays open as long as a column that is mapped from it.
            hdu = fits.open(path, memmap=True)[options.hdu]
            columns = hdu.columns
            names = list(columns.names)
    except (OSError, IndexError, AttributeError, TypeError) as error:
        raise BadCatalog(f"HDU {options.hdu} is no table: {error}; name it in [catalog] hdu", path=str(path)) from error

    def column(name: str) -> Any:
        values, null = np.asarray(hdu.data.field(name)), columns[name].null
        # Undefined is what is stored, and not what a scale makes of it.
        stored = hdu.data.view(np.ndarray)[name]
        if isinstance(hdu, fits.TableHDU):
            texts = np.char.strip(stored)
            return np.ma.array(values, mask=(texts == b"") | (texts == str(null).strip().encode()))
        if stored.dtype.kind not in "iu" or not isinstance(null, int):
            return values
        return np.ma.array(values, mask=stored == null)

    return _Table(names, column)


def _votable(path: Path) -> _Table:
    from astropy.io.votable import parse_single_table

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = parse_single_table(str(path))
    except Exception as error:
        # Its parser has a dozen exception types.
        raise BadCatalog(f"not a VOTable: {type(error).__name__}: {error}", path=str(path)) from error
    return _Table([one.name for one in table.fields], lambda name: table.array[name])


def _found(names: list[str], wanted: str, options: CatalogOptions) -> str:
    matches = [name for name in names if name == wanted] or [name for name in names if name.lower() == wanted.lower()]
    if len(matches) == 1:
        return matches[0]
    problem = "several columns are" if matches else "no column is"
    raise BadCatalog(f"{problem} called {wanted}; there are {', '.join(names[:30])}", path=options.file)


def _columns(names: list[str], options: CatalogOptions) -> dict[str, str]:
    if options.columns:
        return {name: _found(names, column, options) for name, column in options.columns.items()}
    lower = {name.lower(): name for name in reversed(names)}
    found: dict[str, str] = {}
    for param, usual in USUAL.items():
        for name in usual:
            if name in lower and param not in found:
                found[param] = lower[name]
                errors = (pattern.format(name) for pattern in _ERRORS)
                if error := next((lower[one] for one in errors if one in lower), ""):
                    found[f"e_{param}"] = error
    if not found:
        message = f"no column has a usual name of a parameter; map them in [catalog.columns]: {', '.join(names[:30])}"
        raise BadCatalog(message, path=options.file)
    return found


def _key_texts(values: Any, options: CatalogOptions) -> Any:
    if isinstance(values, pa.Array):
        if pa.types.is_floating(values.type):
            raise _float_key(options)
        texts = pc.fill_null(pc.utf8_trim_whitespace(values.cast(pa.string())), "")
        if pc.any(pc.match_substring_regex(texts, _FLOAT)).as_py():
            raise _float_key(options)
        return texts
    if values.ndim != 1 or values.dtype.kind in "fc":
        raise _float_key(options)
    texts = [_text(value) for value in np.ma.getdata(values).tolist()]
    mask = np.ma.getmaskarray(values)
    return pa.array(["" if hidden else text for text, hidden in zip(texts, mask, strict=True)], pa.string())


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace").strip("\0 ") if isinstance(value, bytes) else str(value).strip()


def _float_key(options: CatalogOptions) -> BadCatalog:
    message = (
        f"the key {options.key} is not one integer or text a row; a float cannot hold every digit of an identifier"
    )
    return BadCatalog(message, path=options.file)


def _numbers(values: Any, column: str, options: CatalogOptions) -> NDArray[np.float64]:
    try:
        if isinstance(values, pa.Array):
            return np.array(pc.fill_null(values.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False))
        numbers = np.ma.filled(np.ma.array(values, np.float64), np.nan)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise BadCatalog(f"the column {column} is not of numbers: {error}", path=options.file) from error
    if numbers.ndim != 1:
        raise BadCatalog(f"the column {column} has several values a row; name one of numbers", path=options.file)
    return numbers

"""Identifier, parameters and facts of each row of a table with a spectrum in every row."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import TableOptions
from spectral_zarr.contract.rows import SENTINELS, is_listed
from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.model import Observation
from spectral_zarr.readers.array_roles import FACT_COLUMNS, SPEC_ID_NAMES, is_parameter, parameter_name
from spectral_zarr.readers.fits import FitsFile
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.observing import NOWHERE, sky_cells
from spectral_zarr.readers.several import stem_of

_SCALAR = re.compile(r"1?[BIJKED]|\d*A.*")
_NUMBERS = frozenset({"ra", "dec", "snr"})
_IDENTIFIERS = (
    *sorted(SPEC_ID_NAMES),
    *("specobjid", "specobj_id", "sobject_id", "targetid", "target_id", "mangaid", "apogee_id", "obsid"),
    *("object_id", "objid", "obj_id", "source_id", "gaia_id", "gaia_source_id", "name", "id"),
)
"""Columns that name a spectrum, the surer ones first."""


class RowColumns:
    """What the scalar columns of a table say of the spectrum in each row.

    Parameters
    ----------
    file : FitsFile
        The file, for messages and names.
    table : Hdu
        A table of `n_rows` spectra.
    options : TableOptions
        Names of the columns for the identifier and the parameters; without them the customary names are looked for.

    Raises
    ------
    MissingField
        When a column that the options name does not exist.
    RefusedProduct
        When it holds vectors, or text in place of a parameter.
    """

    def __init__(self, file: FitsFile, table: Hdu, options: TableOptions) -> None:
        self._table = table
        self._path = file.name
        self._stem = f"{stem_of(file.name)}-h{table.index}r"
        forms = {column: table.header.text(f"TFORM{column.number}").upper() for column in table.layout.columns}
        self._scalars = {
            column.name.strip().lower(): column for column, form in forms.items() if _SCALAR.fullmatch(form.strip())
        }
        self._text = frozenset(column for column, form in forms.items() if "A" in form)
        self._floats = frozenset(column for column, form in forms.items() if form.strip()[-1:] in ("E", "D"))
        self._identifiers = self._identifier_texts(options)
        self._params = self._parameters(options)
        self._facts: dict[str, tuple[str, NDArray[Any]]] = {}
        for name, fact in FACT_COLUMNS.items():
            column = self._scalars.get(name)
            if column is not None and fact not in self._facts and (column in self._text) == (fact not in _NUMBERS):
                values = table.column_data(column) if fact in _NUMBERS else self._exact(column)
                self._facts[fact] = column.name, values
        if "gaia_id" not in self._facts:
            self._add_gaia()

    def spec_id(self, row: int) -> str:
        """Identifier of the column; where it is blank or not that of one row, the file and the row."""
        text = self._identifiers[row] if self._identifiers else ""
        return text or f"{self._stem}{row}"

    def params(self, row: int) -> Mapping[str, float]:
        """Parameters by their names in the store, NaN for missing."""
        return {name: float(values[row]) for name, values in self._params.items()}

    def observation(self, common: Observation, row: int) -> Observation:
        """The facts of the file with those of the row."""
        facts: dict[str, Any] = {}
        for fact, (_, values) in self._facts.items():
            if fact not in _NUMBERS:
                if text := _text(values[row]):
                    facts[fact] = text
            elif fact == "snr":
                number = float(values[row])
                if math.isfinite(number) and not is_listed(np.array([number]), SENTINELS)[0]:
                    facts[fact] = number
        place = sky_cells(self._table, row, ("ra", "dec"))
        if place != NOWHERE:
            facts.update(place._asdict())
        if "snr" in facts:
            facts["snr_method"] = f"catalogue:{self._facts['snr'][0]}"
        if self._identifiers and self._identifiers[row]:
            facts["object_id"] = self._identifiers[row]
        if self._params:
            facts["params_source"] = "file"
        return replace(common, **facts)

    def _identifier_texts(self, options: TableOptions) -> list[str]:
        if options.spec_id:
            column: TableColumn | None = self._named(options.spec_id, "spec_id")
        else:
            # An identifier that went through floating point has lost its last digits.
            found = (self._scalars.get(name) for name in _IDENTIFIERS)
            column = next((one for one in found if one is not None and one not in self._floats), None)
        if column is None:
            return []
        texts = [_text(value) for value in self._exact(column)]
        if len(set(texts)) == len(texts):
            return texts
        known = [text for text in texts if text]
        if options.spec_id and len(set(known)) < len(known):
            message = f"the column {column.name} (spec_id of [readers.table]) repeats; name one that tells rows apart"
            raise RefusedProduct(message, path=self._path, hdu=self._table.index)
        return texts if len(set(known)) == len(known) else []

    def _parameters(self, options: TableOptions) -> dict[str, NDArray[np.float64]]:
        if options.params:
            columns = {name: self._named(of, f"params.{name}") for name, of in options.params.items()}
        else:
            columns = {}
            for column in self._scalars.values():
                if column not in self._text and is_parameter(column.name):
                    columns.setdefault(parameter_name(column.name), column)
        found = {}
        for name, column in columns.items():
            if column in self._text:
                message = f"the column {column.name} ({name} in [readers.table] params) holds text; name one of numbers"
                raise RefusedProduct(message, path=self._path, hdu=self._table.index)
            values = np.asarray(self._table.column_data(column), np.float64)
            found[name] = np.where(is_listed(values, SENTINELS), np.nan, values)
        return found

    def _named(self, name: str, option: str) -> TableColumn:
        column = self._scalars.get(name.strip().lower())
        if column is None:
            seen = ", ".join(one.name for one in list(self._scalars.values())[:20])
            message = f"no column {name} ({option} of [readers.table]) with one value in each row among {seen}"
            raise MissingField(f"{message}; correct the name", path=self._path, hdu=self._table.index)
        return column

    def _add_gaia(self) -> None:
        for name in ("gaia_id", "gaia_source_id", "gaiaedr3_source_id", "gaiadr3_source_id", "gaia_dr3_source_id"):
            column = self._scalars.get(name)
            if column is not None and column not in self._floats:
                self._facts["gaia_id"] = column.name, self._exact(column)
                return

    def _exact(self, column: TableColumn) -> NDArray[Any]:
        """Texts or integers with every digit; undefined integers, beside which the others become floats, are 0."""
        if column.null is None:
            return self._table.column_data(column)
        texts = (self._table.cell_text(column.name, row) for row in range(self._table.n_rows))
        return np.array([int(text) if text.lstrip("-").isdigit() else 0 for text in texts], object)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1").strip("\0 ")
    if isinstance(value, str):
        return value.strip("\0 ")
    return str(value) if int(value) > 0 else ""

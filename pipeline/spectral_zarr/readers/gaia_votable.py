"""Rows of a VOTable with Gaia mean spectra: samples of one or many sources, or vectors of many."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from spectral_zarr.errors import MissingField
from spectral_zarr.model import Pixels
from spectral_zarr.readers.gaia import GaiaRow, release_and_source
from spectral_zarr.readers.observing import NOWHERE, Sky, sky_texts
from spectral_zarr.readers.text import TextFile


def votable_rows(file: TextFile) -> Iterator[tuple[int, GaiaRow]]:
    """Spectra of all tables that have flux and flux_error, each with the row of its first sample.

    Raises
    ------
    MissingField
        When astropy cannot read the document, or no table has a row with a flux.
    """
    found = False
    for table in _tables(file):
        columns = {str(one.name).lower(): table.array[one.ID] for one in table.fields}
        if "flux" not in columns or "flux_error" not in columns or len(columns["flux"]) == 0:
            continue
        found = True
        params = {str(one.name).lower(): one.value for one in table.params}
        units = {str(one.name).lower(): str(one.unit or "") for one in table.fields}
        source = str(params.get("source_id", "")) or release_and_source(file.name)[1]
        identifiers = _identifiers(columns, source)
        vectors = np.ndim(columns["flux"][0]) == 1
        for start, stop in _spans(identifiers, one_each=vectors):
            rows: Any = start if vectors else slice(start, stop)
            yield (
                start,
                GaiaRow(
                    source_id=identifiers[start],
                    flux=_plain(columns["flux"][rows]),
                    error=_plain(columns["flux_error"][rows]),
                    wavelength=_plain(columns["wavelength"][rows]) if "wavelength" in columns else None,
                    wavelength_unit=units.get("wavelength") or "nm",
                    flux_unit=units["flux"],
                    sky=_position(columns, units, params, start),
                ),
            )
    if not found:
        raise MissingField("no table of the VOTable has rows of flux and flux_error; fetch it again", path=file.name)


def _tables(file: TextFile) -> list[Any]:
    from astropy.io.votable import parse

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(parse(io.BytesIO(file.data), verify="ignore").iter_tables())
        except Exception as error:
            # astropy and expat have many exception types for a damaged document, and this is the one place of them.
            message = f"the VOTable cannot be read: {type(error).__name__}: {error}; fetch the file again"
            raise MissingField(message, path=file.name) from error


def _identifiers(columns: dict[str, Any], source: str) -> list[str]:
    if "source_id" not in columns:
        return [source] * len(columns["flux"])
    return ["" if one is None else str(one) for one in columns["source_id"].tolist()]


def _spans(identifiers: list[str], *, one_each: bool) -> list[tuple[int, int]]:
    if one_each:
        return [(row, row + 1) for row in range(len(identifiers))]
    starts = [i for i, one in enumerate(identifiers) if i == 0 or one != identifiers[i - 1]]
    return list(zip(starts, [*starts[1:], len(identifiers)], strict=True))


def _position(columns: dict[str, Any], units: dict[str, str], params: dict[str, Any], row: int) -> Sky:
    if "ra" in columns and "dec" in columns:
        return sky_texts(str(_plain(columns["ra"][row])), str(_plain(columns["dec"][row])), (units["ra"], units["dec"]))
    declared = np.ravel(_plain(params.get("spatiallocation", ())))
    return sky_texts(str(declared[0]), str(declared[1])) if declared.size == 2 else NOWHERE


def _plain(values: Any) -> Pixels:
    return np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)

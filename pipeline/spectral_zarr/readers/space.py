"""What HST, JWST and IUE products share: the header cards to keep, cells of vector tables, facts of two headers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import DamagedData, MissingField, SourceError
from spectral_zarr.model import Observation, Pixels, Spectrum
from spectral_zarr.readers.fits import Header, HeaderPolicy
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import first_number, first_text, instrument_name, observe, positive, sky, start_mjd

SPACE_POLICY = HeaderPolicy(
    allow=(
        r"[LS](TARGET|TARGRA|TARGDEC|OBJECT|DATEOBS|TIMEOBS|JD-OBS|EXPTIME|IUECLAS)|PGM-ID|STATION|DISPERSN|CAMERA|IMAGE",
        r"TARG_RA|TARG_DEC|MU_RA|MU_DEC|PI_NAME|OBS_ID|VISIT_ID|VISIT|DATE-BEG|ROOTNAME|EXPNAME|PROPOSID|PR_INV_L",
        r"OPT_ELEM|CENWAVE|PROPAPER|EXPSTART|EXPEND|V_HELIO|HELCORR|SPECRES|CAL_VER|SUNANGLE|MOONANGL|SUN_ALT|GALLAT",
        r"GALLON|SRCTYPE|GRATING|LAPTIME|SDQFLAGS|SLTNAME|SOURCEID|SRCNAME|SRCALIAS|SPORDER|EXTVER|LIFE_ADJ|SEGMENT",
    ),
    deny=(
        r"(?!HELCORR).*CORR|.*(TAB|FILE)|CORNER\d.*|SIZE\d+|STIM(?!EOBS).*|LMP.*|SP_.*|B_.*|GLOBRT.*|DETHV.*|HVLEVEL.*",
        r"PHA.*|PATTERN\d|P1_.*|WCSAXES|DPOS.*",
    ),
)

FLAM = "erg/s/cm2/Angstrom"
"""Unit of the flux of HST spectra, where the card of the unit is missing."""


def tables_with(hdus: tuple[Hdu, ...], *columns: str) -> list[Hdu]:
    """Tables with at least one row that have all the columns."""
    return [
        hdu
        for hdu in hdus
        if hdu.kind == "table" and hdu.n_rows > 0 and all(hdu.find(column) is not None for column in columns)
    ]


def cell(table: Hdu, row: int, *names: str, n_pix: int | None = None, path: str) -> Pixels:
    """Vector cell of the first column that exists, its first `n_pix` values.

    Raises
    ------
    MissingField
        When no column has any of the names, or the cell is shorter.
    """
    column = table.find(*names)
    if column is None:
        seen = ", ".join(column.name for column in table.layout.columns[:16])
        message = f"no column {' or '.join(names)} among {seen}; the file is of another product or damaged"
        raise MissingField(message, path=path, hdu=table.index, row=row)
    values = table.flat_cell(column.name, row)
    if n_pix is not None and values.size < n_pix:
        message = f"{column.name} holds {values.size} values and the row declares {n_pix}; fetch the file again"
        raise MissingField(message, path=path, hdu=table.index, row=row)
    return values if n_pix is None else values[:n_pix]


def length(table: Hdu, row: int, column: str) -> int | None:
    """Pixels of a row by a column that counts them, None without such a column or a positive number in it."""
    count = table.cell_number(column, row)
    return int(count) if math.isfinite(count) and count > 0 else None


def used_columns(table: Hdu, *names: str) -> tuple[int, ...]:
    """One-based numbers of the columns that exist, for the header projection."""
    found = (table.find(name) for name in names)
    return tuple(column.number for column in found if column is not None)


def placed(build: Callable[[], Spectrum], *, path: str, hdu: int, row: int) -> Spectrum | SourceError:
    """The spectrum of one row, or its error with its place, so that the other rows go on."""
    try:
        return build()
    except DamagedData:
        raise
    except SourceError as error:
        return type(error)(error.message, path=path, hdu=hdu, row=row)


INDEFINITE = 1.6e38
"""INDEF of the tables of IRAF and STSDAS."""
_LEAST_INDEFINITE, _MOST_INDEFINITE = 0.999 * INDEFINITE, 1.001 * INDEFINITE


def indefinite(values: Pixels) -> NDArray[np.bool_]:
    """Numbers that are missing from a table that IRAF or STSDAS wrote."""
    found: NDArray[np.bool_] = (values >= _LEAST_INDEFINITE) & (values <= _MOST_INDEFINITE)
    return found


def unit_of(table: Hdu, name: str, default: str) -> str:
    """TUNIT of a column, or what the product defines where the card is missing."""
    column = table.find(name)
    return column.unit if column is not None and column.unit else default


def helcorr_frame(primary: Header) -> str:
    """Velocity frame of an HST spectrum: heliocentric where the pipeline applied HELCORR."""
    return "heliocentric" if primary.text("HELCORR").upper() == "COMPLETE" else "topocentric"


def observe_hst(primary: Header, table: Header, **known: Any) -> Observation:
    """Facts of an exposure whose target is in the primary header and whose times are in that of its table."""
    timed = table if "DATE-OBS" in table or "EXPSTART" in table else primary
    facts: dict[str, Any] = {
        "instrument": instrument_name(primary),
        "object": first_text(primary, "TARGNAME", "OBJECT"),
        "program_id": first_text(primary, "PROPOSID", "PROGRAM"),
        **sky(primary, ("RA_TARG", "DEC_TARG"), ("TARG_RA", "TARG_DEC"), ("RA", "DEC"))._asdict(),
        "exptime": positive(first_number(timed, "EXPTIME", "TEXPTIME")),
        "mjd": start_mjd(timed, ("EXPSTART", "TEXPSTRT")),
        "flux_calibration": "absolute",
        "resolving_power": positive(primary.number("SPECRES")),
    }
    return observe(timed, **{**facts, **known})


def root_name(primary: Header) -> str:
    """ROOTNAME, else the stem of FILENAME, '' when both are missing."""
    name = primary.text("ROOTNAME") or primary.text("FILENAME").split(".")[0]
    return "_".join(name.split())

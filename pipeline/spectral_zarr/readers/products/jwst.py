"""JWST extracted spectra: x1d and c1d, a source per extension or a source per row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct, SourceError
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import JWST_BITS, bad_pixels
from spectral_zarr.readers.observing import (
    Sky,
    date_from_mjd,
    date_obs,
    first_moment,
    first_number,
    first_sky,
    first_text,
    iso_moment,
    observe,
    positive,
    sky,
    sky_cells,
    velocity_frame,
)
from spectral_zarr.readers.space import SPACE_POLICY, cell, length, placed, tables_with, unit_of, used_columns

_EXTENSIONS = ("EXTRACT1D", "COMBINE1D")


class JwstSpectra:
    """Spectra of EXTRACT1D and COMBINE1D extensions.

    JWST pipeline data models ``SpecModel``, ``MultiSpecModel``, ``CombinedSpecModel`` and their flat successors
    (``TSOMultiSpecModel``, ``WFSSMultiSpecModel``): WAVELENGTH in um (vacuum, barycentric), FLUX in Jy with FLUX_ERROR
    (ERROR in combined spectra), SURF_BRIGHT in MJy sr-1 with SB_ERROR, and DQ, whose bit 0 is DO_NOT_USE. Every
    extension is a slit, source, order or integration with a pixel per row of the table; in flat tables every row is
    one, with vectors that are padded behind N_ALONGDISP pixels. Point sources have their flux, extended ones
    their surface brightness. The cards of the extension are projected as those of HDU 1, whichever it is.
    """

    name = "jwst-spec"
    version = "1"
    title = "JWST x1d, x1dints and c1d, one spectrum per source, order or integration"
    priority = 0
    policy = HeaderPolicy(
        allow=(
            *SPACE_POLICY.allow,
            r"BAND|CHANNEL|EXP_TYPE|EXPGRPID|INT_NUM|STLARITY|PUPIL|TARGPROP|FXD_SLIT|MSAMETID",
        ),
        deny=SPACE_POLICY.deny,
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return file.primary.text("TELESCOP").upper() == "JWST" and bool(_tables(file))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        tables = _tables(file)
        alone = len(tables) == 1
        for number, table in enumerate(tables, start=1):
            flat = _is_flat(table)
            extension = "" if alone else f"{table.header.integer('EXTVER') or number}{_kind(table, tables)}"
            rows = range(table.n_rows if flat else 1)
            for row in rows:
                if flat and table.cell_number("N_ALONGDISP", row) == 0:
                    # The source has no spectrum in this exposure.
                    continue
                suffix = f"r{row}" if len(rows) > 1 else ""
                parts = (_stem(file.primary), extension, suffix)
                build = partial(_spectrum, file, policy, options, table, row, "-".join(part for part in parts if part))
                yield placed(build, path=file.name, hdu=table.index, row=row)


def _tables(file: FitsFile) -> list[Hdu]:
    named = tuple(hdu for hdu in file.hdus if hdu.kind == "table" and hdu.name in _EXTENSIONS)
    if not named:
        # Tables that were written again by astropy have lost their EXTNAME and kept their columns.
        unnamed = tuple(hdu for hdu in file.hdus if hdu.kind == "table" and not hdu.name)
        return tables_with(unnamed, "WAVELENGTH", "FLUX", "SURF_BRIGHT")
    return tables_with(named, "WAVELENGTH", "FLUX")


def _kind(table: Hdu, tables: list[Hdu]) -> str:
    # A file with both kinds numbers each of them from one.
    mixed = len({one.name for one in tables}) > 1
    return "c" if mixed and table.name == "COMBINE1D" else ""


def _is_flat(table: Hdu) -> bool:
    column = table.find("WAVELENGTH")
    return column is not None and column.repeat > 1


def _spectrum(
    file: FitsFile, policy: HeaderPolicy, options: ReaderOptions, table: Hdu, row: int, spec_id: str
) -> Spectrum:
    flux_name, error_names = _chosen(file.primary, table, row)
    n_pix = length(table, row, "N_ALONGDISP")
    wavelength = _values(table, row, n_pix, file.name, "WAVELENGTH")
    flux = _values(table, row, n_pix, file.name, flux_name)
    error = _values(table, row, n_pix, file.name, *error_names) if table.find(*error_names) is not None else None
    quality = _values(table, row, n_pix, file.name, "DQ") if table.find("DQ") is not None else None
    # Extractions leave pixels without a wavelength inside the spectrum as well as at its ends.
    known = np.isfinite(wavelength) & (wavelength > 0)
    keep = slice(None) if known.all() else known
    return Spectrum(
        spec_id=spec_id,
        flux=flux[keep],
        flux_unit=unit_of(table, flux_name, "Jy" if flux_name == "FLUX" else "MJy/sr"),
        sampling=Sampling(unit=unit_of(table, "WAVELENGTH", "um"), medium="vacuum", values=wavelength[keep]),
        observation=_observation(file.primary, table, row),
        noise=None if error is None else error[keep],
        noise_unit=unit_of(table, next((name for name in error_names if table.find(name)), ""), ""),
        bad=None if quality is None else bad_pixels(quality[keep], options, JWST_BITS),
        header=project(
            [(0, file.primary), (1, table.header)],
            policy,
            {1: used_columns(table, "WAVELENGTH", flux_name, *error_names, "DQ")},
        ),
        hdu=table.index,
        row=row,
    )


def _chosen(primary: Header, table: Hdu, row: int) -> tuple[str, tuple[str, ...]]:
    kind = (
        table.header.text("SRCTYPE") or table.cell_text("SOURCE_TYPE", row) or primary.text("SRCTYPE") or "UNKNOWN"
    ).upper()
    if kind == "EXTENDED":
        return "SURF_BRIGHT", ("SB_ERROR",)
    if kind not in ("POINT", "UNKNOWN"):
        message = f"SRCTYPE is '{kind}', neither POINT nor EXTENDED, so flux or surface brightness cannot be chosen"
        raise RefusedProduct(f"{message}; correct the card or leave the file out")
    return "FLUX", ("FLUX_ERROR", "ERROR")


def _values(table: Hdu, row: int, n_pix: int | None, path: str, *names: str) -> Pixels:
    if _is_flat(table):
        return cell(table, row, *names, n_pix=n_pix, path=path)
    values: Pixels = table.column(*names)
    return values


def _observation(primary: Header, table: Hdu, row: int) -> Observation:
    header = table.header
    began = _first_finite(
        table.cell_number("MJD-BEG", row), header.number("MJD-BEG"), first_number(primary, "EXPSTART")
    )
    slitless = any(kind in primary.text("EXP_TYPE").upper() for kind in ("SOSS", "WFSS"))
    source = first_text(header, "SOURCEID") or table.cell_text("SOURCE_ID", row)
    return observe(
        primary,
        object=first_text(header, "SRCNAME", "SRCALIAS") or first_text(primary, "TARGNAME", "TARGPROP"),
        object_id=f"jwst-{primary.text('PROGRAM')}-{source}" if source and primary.text("PROGRAM") else "",
        program_id=first_text(primary, "PROGRAM"),
        date_obs=_moment(primary, table, row),
        mjd=began,
        exptime=positive(first_number(primary, "EFFEXPTM", "XPOSURE", "EXPTIME", "DURATION")),
        **_position(primary, table, row)._asdict(),
        velocity_frame=velocity_frame(first_text(header, "SPECSYS") or first_text(primary, "SPECSYS"), "barycentric"),
        flux_calibration="absolute",
        order=(header.text("SPORDER") or _order(table, row)) if slitless else "",
    )


def _order(table: Hdu, row: int) -> str:
    order = table.cell_number("SPECTRAL_ORDER", row)
    return str(int(order)) if math.isfinite(order) else ""


def _moment(primary: Header, table: Hdu, row: int) -> str:
    integration = date_from_mjd(table.cell_number("MJD-BEG", row))
    return first_moment(integration, iso_moment(primary.text("DATE-BEG")), date_obs(primary))


def _position(primary: Header, table: Hdu, row: int) -> Sky:
    return first_sky(
        (
            sky(table.header, ("SRCRA", "SRCDEC"), beside=primary),
            sky_cells(table, row, ("SOURCE_RA", "SOURCE_DEC")),
            sky(primary, ("TARG_RA", "TARG_DEC")),
        )
    )


def _first_finite(*values: float) -> float:
    return next((value for value in values if math.isfinite(value)), float("nan"))


def _stem(primary: Header) -> str:
    return "_".join(primary.text("FILENAME").removesuffix(".gz").removesuffix(".fits").split())


READERS = (JwstSpectra(),)

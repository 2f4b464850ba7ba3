"""Euclid NISP spectra of the SIR pipeline: the combined spectra of all objects of a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import MissingField, SourceError
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.masks import EUCLID_BITS, bad_pixels
from spectral_zarr.readers.observing import exposure, first_text, instrument_name, sky
from spectral_zarr.readers.space import FLAM, placed, unit_of

_IDENTIFIERS = ("OBJ_ID", "OBJECT_ID", "SOURC_ID", "SOURCEID", "SOURCE_ID")
_COMBINED = re.compile(r"^(-?\d+)_COMBINED1D_SIGNAL$")
_SCALED = re.compile(r"^[\d.]")


class EuclidSir:
    """Combined spectra, an extension per object.

    Euclid data product description, ``DpdSirCombinedSpectra``: extensions ``<k>_META`` with the identifier and position
    of an object, ``<k>_COMBINED1D_SIGNAL`` with WAVELENGTH (Angstrom, vacuum), SIGNAL and VAR in units of FSCALE and
    of its square, MASK, QUALITY and NDITH, and the single dithers, which are not read because their combination is.
    FSCALE goes into the unit of the flux. Pixels without a dither were not measured. Only the cards of the primary HDU
    are projected, because a file has thousands of extensions.
    """

    name = "euclid-sir"
    version = "1"
    title = "Euclid SIR combined spectra, one spectrum per object"
    priority = 0
    policy = HeaderPolicy(allow=(r"TILE_?ID|LRANGE|FITS_DEF|N_OBJ|SOFTNAME|SOFTVERS|RELEASE",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        first = file.hdus[1] if len(file.hdus) > 1 else file.hdus[0]
        # Files of other surveys have wide tables further back, which need not be looked at to know them.
        if first.kind == "table" and first.find("SIGNAL") is None and not first.name.endswith("_META"):
            return False
        return any(_is_combined(hdu) or _is_alone(hdu) for hdu in file.hdus[1:8])

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        tables = [hdu for hdu in file.hdus[1:] if _is_combined(hdu)] or [hdu for hdu in file.hdus[1:] if _is_alone(hdu)]
        objects = {hdu.name.removesuffix("_META"): hdu for hdu in file.hdus[1:] if hdu.name.endswith("_META")}
        header = project([(0, file.primary)], policy)
        for table in tables:
            match = _COMBINED.match(table.name)
            described = objects.get(match[1], table) if match else table
            build = partial(_spectrum, file, options, table, described.header, header, match[1] if match else "")
            yield placed(build, path=file.name, hdu=table.index, row=0)


def _is_combined(hdu: Hdu) -> bool:
    return hdu.kind == "table" and hdu.name.endswith("_SIGNAL") and _COMBINED.match(hdu.name) is not None


def _is_alone(hdu: Hdu) -> bool:
    if hdu.find("SIGNAL") is None or "FSCALE" not in hdu.header or "_DITH1D_" in hdu.name:
        return False
    return hdu.find("WAVELENGTH") is not None and hdu.find("VAR") is not None


def _spectrum(
    file: FitsFile,
    options: ReaderOptions,
    table: Hdu,
    described: Header,
    header: dict[tuple[int, str, int], str],
    key: str,
) -> Spectrum:
    flux = table.column("SIGNAL")
    identifier = first_text(described, *_IDENTIFIERS) or first_text(table.header, *_IDENTIFIERS)
    # An archive that serves one object names the extension after it; the pipeline numbers the extensions.
    if not identifier and len(key) > 10:
        identifier = key
    grism = first_text(file.primary, "LRANGE") or first_text(table.header, "LRANGE")
    parts = ("euclid", grism.lower(), identifier)
    return Spectrum(
        spec_id="-".join(part for part in parts if part) if identifier else "",
        flux=flux,
        flux_unit=_flux_unit(table),
        sampling=Sampling(
            unit=unit_of(table, "WAVELENGTH", "Angstrom"), medium="vacuum", values=table.column("WAVELENGTH")
        ),
        observation=Observation(
            instrument=instrument_name(file.primary) or "NISP",
            object=identifier,
            object_id=f"euclid-{identifier}" if identifier else "",
            flux_calibration="absolute",
            exptime=exposure(table.header),
            **sky(described, ("RA_OBJ", "DEC_OBJ"), ("RA", "DEC"), beside=file.primary)._asdict(),
        ),
        noise=table.column("VAR"),
        noise_kind="variance",
        bad=_bad(table, options),
        missing=table.column("NDITH") == 0 if table.find("NDITH") is not None else None,
        header=header,
        hdu=table.index,
    )


def _flux_unit(table: Hdu) -> str:
    unit = unit_of(table, "SIGNAL", FLAM)
    if _SCALED.match(canonical_unit(unit) or ""):
        return unit
    scale = table.header.number("FSCALE")
    if not (math.isfinite(scale) and scale > 0):
        raise MissingField(f"FSCALE is missing, so the scale of SIGNAL in '{unit}' is unknown; fetch the file again")
    return f"{scale!r} {unit}"


def _bad(table: Hdu, options: ReaderOptions) -> NDArray[np.bool_] | None:
    if table.find("MASK") is None:
        return None
    return bad_pixels(table.column("MASK"), options, EUCLID_BITS)


READERS = (EuclidSir(),)

"""DEEP2 and DEEP3 spectra of DEIMOS: both chips joined, one row for each method of extraction."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.arms import Arm, join_arms
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import observe
from spectral_zarr.readers.several import asked_hdus, stem_of
from spectral_zarr.readers.space import cell, unit_of, used_columns

_NAME = re.compile(r"(?P<method>BXSPF|HORNE|BOXCAR|OPTIMAL)(?P<sky>-NL)?-(?P<chip>[BR])")
_COLUMNS = ("SPEC", "LAMBDA", "IVAR")


class Deep2:
    """Spectrum of one slit by the spec2d pipeline of DEEP2.

    DEEP2 DR4 spectra primer (``spec1d.mmmm.sss.oooooooo.fits``): tables of one row named ``Bxspf-B`` and ``Bxspf-R``
    (boxcar), ``Horne-B`` and ``Horne-R`` (optimal), and with ``-NL`` where the sky is not local. SPEC is in electrons
    an hour, IVAR its inverse variance, LAMBDA in Angstrom; the gap between the chips is a gap of the row. Every method
    is a row, whose identifier ends with its name; ``hdu`` in ``[readers]`` chooses those of the named tables.
    Wavelengths are topocentric; no card tells their medium, which ``[readers.table] medium`` gives.
    """

    name = "deep2-spec1d"
    version = "1"
    title = "DEEP2 and DEEP3 DEIMOS spec1d, a row per extraction, the chips joined"
    priority = 0
    policy = HeaderPolicy(allow=(r"OBJNO|SLITNO|MASKNAME|GRATENAM|RA_OBJ|DEC_OBJ",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return any(_is_chip(hdu) for hdu in file.hdus[1:5])

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        chips: dict[str, list[Hdu]] = {}
        asked = asked_hdus(file, options, options.table.hdu)
        for hdu in file.hdus[1:]:
            if _is_chip(hdu):
                chips.setdefault(hdu.name.rpartition("-")[0].lower(), []).append(hdu)
        chosen = {method: tables for method, tables in chips.items() if not asked or set(asked) & set(tables)}
        for method, tables in chosen.items():
            table = tables[0]
            joined, merge = join_arms([_arm(one, file.name) for one in tables])
            header = table.header
            yield Spectrum(
                spec_id=f"{stem_of(file.name)}-{method}" if len(chosen) > 1 else "",
                flux=joined.flux,
                flux_unit=unit_of(table, "SPEC", "electron / h"),
                sampling=Sampling(unit="Angstrom", medium=options.table.medium, values=joined.wavelength),
                observation=observe(
                    header if "OBJNO" in header else file.primary,
                    instrument="DEIMOS",
                    object_id=header.text("OBJNO"),
                    velocity_frame="topocentric",
                    flux_calibration="counts",
                    arm_merge=merge,
                ),
                noise=joined.noise,
                noise_kind="ivar",
                noise_unit=unit_of(table, "IVAR", ""),
                missing=joined.missing,
                header=project([(0, file.primary), (1, header)], policy, {1: used_columns(table, *_COLUMNS)}),
                hdu=table.index,
            )


def _is_chip(hdu: Hdu) -> bool:
    named = hdu.kind == "table" and hdu.n_rows == 1 and _NAME.fullmatch(hdu.name) is not None
    return named and all(hdu.find(column) is not None for column in _COLUMNS)


def _arm(table: Hdu, path: str) -> Arm:
    wavelength, flux, ivar = (cell(table, 0, name, path=path) for name in ("LAMBDA", "SPEC", "IVAR"))
    # A pixel on which no row of the slit fell has neither counts nor weight.
    return Arm(wavelength=wavelength, flux=flux, noise=ivar, missing=np.asarray((flux == 0) & (ivar == 0)))


READERS = (Deep2(),)

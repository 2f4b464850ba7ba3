"""Unmerged orders of infrared echelle spectrographs: IGRINS, CRIRES+ and NIRSPEC at Keck, one row each on request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.eso import ESO_POLICY
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import observe
from spectral_zarr.readers.orders import are_orders, order_rows, require_rows
from spectral_zarr.readers.several import stem_of

_CHIP = re.compile(r"CHIP[123]\.INT1")
_TRACE = re.compile(r"(?P<trace>\d+_\d+)_SPEC", re.IGNORECASE)
_ORDER_IN_NAME = re.compile(r"_(\d+)_flux_tbl\.fits", re.IGNORECASE)
_NSDRP = ("WAVE (A)", "FLUX (CNTS)", "NOISE (CNTS)")


class IgrinsOrders:
    """Target divided by its telluric standard, as the IGRINS pipeline package writes it.

    Products of the PLP (Kaplan et al. 2024, Zenodo 11080095; ``SDCH_*.spec_a0v.fits``): images SPEC_DIVIDE_A0V and
    WAVELENGTH (micrometres, vacuum, topocentric) of one row an order, from version 3 on with SPEC_DIVIDE_A0V_VARIANCE.
    The spectra of target, standard and Vega behind them are not read.
    """

    name = "igrins"
    version = "1"
    title = "IGRINS spec_a0v orders (SPEC_DIVIDE_A0V, WAVELENGTH)"
    priority = 0
    policy = HeaderPolicy(allow=(r"BAND|OBJTYPE|OBSID|EXPTIME|JD-OBS|TELRA|TELDEC|OBJRA|OBJDEC",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return "SPEC_DIVIDE_A0V" in file.names and "WAVELENGTH" in file.names

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        flux, wavelength = file.named("SPEC_DIVIDE_A0V"), file.named("WAVELENGTH")
        noise = file.named("SPEC_DIVIDE_A0V_VARIANCE")
        if flux is None or wavelength is None or not are_orders(flux, wavelength, *([noise] if noise else [])):
            message = f"the orders and their wavelengths have several shapes: {file.describe()}; fetch the file again"
            raise MissingField(message, path=file.name)
        require_rows(options, f"IGRINS: {flux.shape[0]} unmerged echelle orders", path=file.name, hdu=flux.index)
        whole = Spectrum(
            spec_id="",
            flux=flux.image()[0],
            flux_unit="Relative Flux",
            sampling=Sampling(unit="um", medium="vacuum"),
            observation=observe(file.primary, velocity_frame="topocentric", flux_calibration="relative"),
            noise_kind="variance",
            header=project([(0, file.primary)], policy),
            hdu=flux.index,
        )
        yield from order_rows(whole, flux.image(), wavelength.image(), noise.image() if noise else None)


class CriresOrders:
    """Extracted orders of the CRIRES+ pipeline.

    Data format of cr2res (``cr2res_obs_nodding_extractedA.fits``): a table for each detector, CHIP1.INT1 to CHIP3.INT1,
    with columns ``OO_TT_SPEC``, ``OO_TT_ERR`` (sigma) and ``OO_TT_WL`` (nm, vacuum, topocentric) for every order OO and
    trace TT. Each is a row; one without any wavelength or flux, as at the edge of a detector, is none.
    """

    name = "crires-orders"
    version = "1"
    title = "CRIRES+ pipeline orders (CHIP1.INT1, 05_01_SPEC, _ERR, _WL)"
    priority = 0
    policy = ESO_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return any(_CHIP.fullmatch(hdu.name) and _traces(hdu) for hdu in file.hdus[1:4])

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        chips = [hdu for hdu in file.hdus if _CHIP.fullmatch(hdu.name)]
        number = sum(len(_traces(hdu)) for hdu in chips)
        require_rows(options, f"CRIRES+: {number} pieces of unmerged orders", path=file.name, hdu=chips[0].index)
        observation = observe(
            file.primary, instrument="CRIRES", velocity_frame="topocentric", flux_calibration="counts"
        )
        whole = Spectrum(
            spec_id="",
            flux=np.empty(0),
            flux_unit="adu",
            sampling=Sampling(unit="nm", medium="vacuum"),
            observation=observation,
            header=project([(0, file.primary)], policy),
        )
        for chip in chips:
            yield from _of_chip(whole, chip, stem_of(file.name))


def _of_chip(whole: Spectrum, chip: Hdu, stem: str) -> Iterator[Spectrum]:
    for row, trace in enumerate(_traces(chip)):
        flux, axis = chip.column(f"{trace}_SPEC"), chip.column(f"{trace}_WL")
        known = np.isfinite(axis) & (axis > 0)
        if not np.isfinite(flux[known]).any():
            continue
        noise = chip.column(f"{trace}_ERR") if chip.find(f"{trace}_ERR") is not None else None
        yield replace(
            whole,
            spec_id=f"{stem}-{chip.name.partition('.')[0].lower()}-{trace}",
            flux=flux[known],
            sampling=replace(whole.sampling, values=axis[known]),
            observation=replace(whole.observation, order=trace),
            noise=None if noise is None else noise[known],
            hdu=chip.index,
            row=row,
        )


def _traces(chip: Hdu) -> list[str]:
    if chip.kind != "table":
        return []
    found = (_TRACE.fullmatch(column.name) for column in chip.layout.columns)
    traces = [match["trace"] for match in found if match]
    return [trace for trace in traces if chip.find(f"{trace}_WL") is not None]


class NirspecOrder:
    """One order of Keck NIRSPEC, as its data reduction pipeline writes it.

    NSDRP (Tran et al. 2016; ``NS.*_OO_flux_tbl.fits``): a table of one order with ``wave (A)``, ``flux (cnts)`` and
    ``noise (cnts)``, in vacuum and topocentric; the name of the file ends with the number of the order.
    """

    name = "nirspec-nsdrp"
    version = "1"
    title = "Keck NIRSPEC orders of NSDRP (flux_tbl: wave (A), flux (cnts), noise (cnts))"
    priority = 0
    policy = HeaderPolicy()

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _nsdrp_table(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table = _nsdrp_table(file)
        if table is None:
            raise MissingField("no table has wave (A), flux (cnts) and noise (cnts)", path=file.name)
        require_rows(options, "NIRSPEC: one unmerged echelle order", path=file.name, hdu=table.index)
        match = _ORDER_IN_NAME.search(file.name)
        wave, flux, noise = (table.column(name) for name in _NSDRP)
        yield Spectrum(
            spec_id="",
            flux=flux,
            flux_unit="ct",
            sampling=Sampling(unit="Angstrom", medium="vacuum", values=wave),
            observation=observe(
                file.primary,
                instrument="NIRSPEC",
                velocity_frame="topocentric",
                flux_calibration="counts",
                order=match[1] if match else "",
            ),
            noise=noise,
            header=project([(0, file.primary)], policy),
            hdu=table.index,
        )


def _nsdrp_table(file: FitsFile) -> Hdu | None:
    tables = (hdu for hdu in file.hdus[1:3] if hdu.kind == "table")
    return next((hdu for hdu in tables if all(hdu.find(name) is not None for name in _NSDRP)), None)


READERS = (IgrinsOrders(), CriresOrders(), NirspecOrder())

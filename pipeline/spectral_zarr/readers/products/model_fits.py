"""Model grids in FITS with parameters in the header or the name: Coelho, INTRIGOSS and BT-Settl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from spectral_zarr.config import ImageOptions, ReaderOptions
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import MissingField, UnknownUnit
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.readers.axis import image_sampling
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.synthetic import (
    MODEL_POLICY,
    SURFACE_FLUX,
    finite,
    model_observation,
    model_stem,
    scaled_metals,
)

_BT_NAME = re.compile(
    r"lte(?P<teff>\d{3}(?:\.\d)?)-?(?P<logg>[-+]?\d\.\d+)(?P<m_h>[-+]\d\.\d+)(?:a(?P<alpha_m>[-+]\d\.\d+))?"
    r"\.(?P<grid>BT-\w+)"
)


class CoelhoImage:
    """Synthetic spectrum of the libraries of Coelho et al.

    Coelho et al. (2005, A&A 443, 735; 2007; 2014, MNRAS 440, 1027): one-dimensional image, linear wavelengths in
    Angstrom in air, parameters in TEFF, LOG_G, FEH and AFE. The unit of the flux is that of BUNIT or of the
    configuration, because the libraries have fluxes as well as normalised spectra.
    """

    name = "coelho"
    version = "1"
    title = "Coelho synthetic libraries (image with TEFF, LOG_G, FEH, AFE)"
    priority = 0
    policy = MODEL_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if "LOG_G" not in file.primary:
            return False
        shape = file.hdus[0].shape
        line = bool(shape) and shape[-1] > 1 and all(length == 1 for length in shape[:-1])
        return line and all(keyword in file.primary for keyword in ("TEFF", "LOG_G", "FEH", "AFE"))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, flux = file.primary, file.hdus[0].image().reshape(-1)
        unit = options.image.flux_unit or header.text("BUNIT")
        if not unit:
            message = "no BUNIT, and the library has fluxes and normalised spectra; set flux_unit in [readers.image]"
            raise UnknownUnit(message, path=file.name, hdu=0)
        axis = ImageOptions(wavelength_unit="Angstrom")
        sampling = image_sampling(header, axis, path=file.name, hdu=0, n_pix=flux.size)
        yield Spectrum(
            spec_id=model_stem(file.name),
            flux=flux,
            flux_unit=unit,
            sampling=replace(sampling, medium="air"),
            observation=model_observation("Coelho", "header", flux_calibration=""),
            params=_header_params(file, AFE="alpha_m"),
            header=project([(0, header)], policy),
        )


class IntrigossTable:
    """Synthetic spectrum of INTRIGOSS.

    Franchini et al. (2018, ApJ 862, 146): HDU1 with the columns wavelength and surface_flux; parameters in TEFF, LOG_G,
    FEH, ALPHA and VT. The medium is that of the configuration.
    """

    name = "intrigoss"
    version = "1"
    title = "INTRIGOSS synthetic spectra (table with wavelength and surface_flux)"
    priority = 0
    policy = MODEL_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file, "wavelength", "surface_flux") is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        params = _header_params(file, ALPHA="alpha_m", VT="vmic")
        observation = model_observation("INTRIGOSS", "header")
        names = ("wavelength", "surface_flux")
        yield _of_table(file, names, policy, observation, params, options.table.medium, ("Angstrom", SURFACE_FLUX))


class BtSettlTable:
    """Synthetic spectrum of BT-Settl and its sisters, in the FITS form of the CIFIST grid.

    Baraffe et al. (2015, A&A 577, A42): HDU1 with the columns Wavelength in um (vacuum) and Flux in W m-2 um-1. The
    parameters are in the name: ``lte035.0-4.5-0.0a+0.0.BT-Settl.spec.fits`` has 3500 K.
    """

    name = "bt-settl"
    version = "1"
    title = "BT-Settl model spectra (CIFIST FITS tables)"
    priority = 0
    policy = MODEL_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if file.hdus[0].shape or _table(file, "Wavelength", "Flux") is None:
            return False
        return "PHXTEFF" in file.primary or _BT_NAME.match(model_stem(file.name)) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        match = _BT_NAME.match(model_stem(file.name))
        if match is None:
            raise MissingField("the name does not give the parameters of the model; restore it", path=file.name)
        params = {
            "teff": 100 * float(match["teff"]),
            "logg": float(match["logg"]),
            **scaled_metals(float(match["m_h"]) + 0.0),
            **({"alpha_m": float(match["alpha_m"])} if match["alpha_m"] else {}),
        }
        observation = model_observation(match["grid"], "file name")
        yield _of_table(file, ("Wavelength", "Flux"), policy, observation, params, "vacuum", ("um", "W/m2/um"))


def _table(file: FitsFile, *names: str) -> Hdu | None:
    for hdu in file.hdus[1:2]:
        if hdu.n_rows > 0 and all(hdu.find(name) is not None for name in names):
            return hdu
    return None


def _of_table(
    file: FitsFile,
    names: tuple[str, str],
    policy: HeaderPolicy,
    observation: Observation,
    params: dict[str, float],
    medium: str,
    units: tuple[str, str],
) -> Spectrum:
    """The spectrum of a table with a column of wavelengths and one of fluxes, whose units stand in for missing ones."""
    table = _table(file, *names)
    wavelength, flux = (table.find(name) if table else None for name in names)
    if table is None or wavelength is None or flux is None:
        raise MissingField(f"no table with {' and '.join(names)}; fetch the file again", path=file.name)
    unit = wavelength.unit if wavelength_factor(wavelength.unit) else units[0]
    return Spectrum(
        spec_id=model_stem(file.name),
        flux=_values(table, flux),
        flux_unit=flux.unit or units[1],
        sampling=Sampling(unit=unit, medium=medium, values=_values(table, wavelength)),
        observation=observation,
        params=params,
        header=project(
            [(0, file.primary), (table.index, table.header)], policy, {table.index: (wavelength.number, flux.number)}
        ),
        hdu=table.index,
    )


def _values(table: Hdu, column: TableColumn) -> Pixels:
    return table.column_data(column) if table.n_rows > 1 else table.flat_cell(column.name)


def _header_params(file: FitsFile, **others: str) -> dict[str, float]:
    cards = {"TEFF": "teff", "LOG_G": "logg", "FEH": "feh", **others}
    headers = [hdu.header for hdu in file.hdus[:2]]
    values = {
        name: next((header.number(card) for header in headers if card in header), float("nan"))
        for card, name in cards.items()
    }
    params = finite(values)
    if not {"teff", "logg", "feh"} <= set(params):
        raise MissingField("TEFF, LOG_G or FEH is missing from the header; fetch the file again", path=file.name)
    return params


READERS = (CoelhoImage(), IntrigossTable(), BtSettlTable())

"""MARCS model fluxes: one column of text, with the wavelengths of the whole grid in a file of their own."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.fits import HeaderPolicy
from spectral_zarr.readers.synthetic import SURFACE_FLUX, marcs_parameters, model_observation, model_stem
from spectral_zarr.readers.text import TextFile
from spectral_zarr.readers.wavelength_files import grid_wavelengths

WAVELENGTH_FILE = "flx_wavelengths.vac"


class MarcsFlux:
    """Surface flux of one MARCS model.

    Gustafsson et al. (2008, A&A 486, 951): ``.flx`` files have one column, the flux in erg s-1 cm-2 Angstrom-1 at the
    wavelengths of ``flx_wavelengths.vac`` (Angstrom, vacuum, R = 20,000). All parameters are in the name of the file.
    """

    name = "marcs-flux"
    version = "1"
    title = "MARCS model fluxes (.flx with flx_wavelengths.vac)"
    priority = 0
    policy = HeaderPolicy()
    reads = TextFile
    names = r"[ps]\d{4,5}_g.*\.flx\.bz2"
    beside = r"flx_wavelengths\..*"

    def claims(self, file: TextFile, options: ReaderOptions) -> bool:
        return ".flx" in file.name.lower().rpartition("/")[2]

    def read(self, file: TextFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        stem = model_stem(file.name)
        params = marcs_parameters(stem)
        if not params:
            message = "the name does not give Teff, log g and [M/H] as those of MARCS do; give it its original name"
            raise MissingField(message, path=file.name)
        table = file.numbers()
        if table.shape[1] != 1:
            message = f"{table.shape[1]} columns where MARCS has the flux only; fetch the file again"
            raise MissingField(message, path=file.name)
        names = (WAVELENGTH_FILE, f"{WAVELENGTH_FILE}.gz")
        yield Spectrum(
            spec_id=stem,
            flux=table[:, 0],
            flux_unit=SURFACE_FLUX,
            sampling=Sampling(
                unit="Angstrom",
                medium="vacuum",
                values=grid_wavelengths(file, names, options, n_pix=table.shape[0]),
            ),
            observation=model_observation("MARCS", "file name", resolving_power=2e4),
            params=params,
        )


READERS = (MarcsFlux(),)

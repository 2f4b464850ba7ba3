"""BOSZ model spectra of 2017 (FITS tables and text) and of 2024 (text), with their continua."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.contract.units import wavelength_factor
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Pixels, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.synthetic import (
    EDDINGTON_FLUX,
    MODEL_POLICY,
    model_observation,
    model_stem,
    scaled_metals,
)
from spectral_zarr.readers.text import TextFile
from spectral_zarr.readers.wavelength_files import grid_wavelengths

_STEM_2024 = (
    r"bosz2024_(?P<atmosphere>mp|ms|ap)_t(?P<teff>\d+)_g(?P<logg>[+-]\d+\.\d+)_m(?P<m_h>[+-]\d+\.\d+)"
    r"_a(?P<alpha_m>[+-]\d+\.\d+)_c(?P<c_m>[+-]\d+\.\d+)_v(?P<vmic>\d+)_r(?P<resolution>\d+|orig)_(?:no)?resam"
)
_STEM_2017 = (
    r"am(?P<m_h>[mp]\d\d)c(?P<c_m>[mp]\d\d)o(?P<alpha_m>[mp]\d\d)t(?P<teff>\d+)g(?P<logg>\d\d)v(?P<vmic>\d\d)"
    r"modrt(?P<vsini>\d+)b(?P<resolution>\d+)rs"
)
_NAME_2024, _NAME_2017 = re.compile(_STEM_2024), re.compile(_STEM_2017)


class Bosz2024:
    """BOSZ spectrum of the grid of 2024.

    Meszaros et al. (2024, A&A 688, A197): text with the columns H, the Eddington flux, and its continuum, both to be
    multiplied by 4 pi for the flux in erg s-1 cm-2 Angstrom-1. Resampled spectra share the wavelengths of
    ``bosz2024_wave_r<R>.txt``; those at the original resolution have them in the first column. Angstrom, vacuum.
    """

    name = "bosz-2024"
    version = "1"
    title = "BOSZ 2024 model spectra (.txt, gzip or bzip2, with their bosz2024_wave file)"
    priority = 0
    policy = HeaderPolicy()
    reads = TextFile
    names = r"bosz2024_(mp|ms|ap)_t\d+_g[^/]*\.txt(\.gz|\.bz2)?"
    beside = r"bosz2024_wave_.*"

    def claims(self, file: TextFile, options: ReaderOptions) -> bool:
        return file.name.rpartition("/")[2].startswith("bosz2024_")

    def read(self, file: TextFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        stem = model_stem(file.name)
        match = _NAME_2024.fullmatch(stem)
        if match is None:
            raise MissingField("the name does not give the parameters of the model; restore it", path=file.name)
        table = file.numbers(columns=2)
        if table.shape[1] == 2:
            wave = f"bosz2024_wave_r{match['resolution']}.txt"
            values = grid_wavelengths(file, (wave, f"{wave}.gz", f"{wave}.bz2"), options, n_pix=table.shape[0])
        elif table.shape[1] == 3:
            values = table[:, 0]
        else:
            raise MissingField(f"{table.shape[1]} columns, expected H and continuum; fetch it again", path=file.name)
        names = ("teff", "logg", "m_h", "alpha_m", "c_m", "vmic")
        params = {name: float(match[name]) for name in names}
        yield Spectrum(
            spec_id=stem,
            flux=table[:, -2],
            flux_unit=EDDINGTON_FLUX,
            sampling=Sampling(unit="Angstrom", medium="vacuum", values=values),
            observation=model_observation(
                "BOSZ-2024",
                "file name",
                resolving_power=math.nan if match["resolution"] == "orig" else float(match["resolution"]),
            ),
            continuum=table[:, -1],
            continuum_method="column:CONTINUUM",
            params={**params, **scaled_metals(params["m_h"])},
        )


class Bosz2017:
    """BOSZ spectrum of the grid of 2017, as a FITS table.

    Bohlin et al. (2017, AJ 153, 234): columns Wavelength in Angstrom (vacuum), SpecificIntensity, which is the
    Eddington flux H, and Continuum. The parameters are in the name, rounded to tenths: ``amm13...`` is [M/H] = -1.25.
    """

    name = "bosz-2017"
    version = "1"
    title = "BOSZ 2017 model spectra (FITS)"
    priority = 0
    policy = MODEL_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return _table(file) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table = _table(file)
        if table is None:
            raise MissingField("no table has a specific intensity and a continuum", path=file.name)
        wavelength = table.find("Wavelength")
        unit = wavelength.unit if wavelength and wavelength_factor(wavelength.unit) else "Angstrom"
        flux, continuum, values = (
            table.column(name) if table.n_rows > 1 else table.flat_cell(name)
            for name in ("SpecificIntensity", "Continuum", "Wavelength")
        )
        yield _spectrum_2017(
            file.name,
            Sampling(unit=unit, medium="vacuum", values=values),
            flux,
            continuum,
            header=project([(0, file.primary), (table.index, table.header)], policy),
            hdu=table.index,
        )


class Bosz2017Text:
    """BOSZ spectrum of the grid of 2017, as text: wavelength, Eddington flux and continuum, see `Bosz2017`."""

    name = "bosz-2017-text"
    version = "1"
    title = "BOSZ 2017 model spectra (.asc, bzip2)"
    priority = 0
    policy = HeaderPolicy()
    reads = TextFile
    names = r"am[mp]\d\dc[mp]\d\do[mp]\d\dt\d+g\d\dv\d\dmodrt\d+b\d+rs\.asc(\.bz2|\.gz)?"

    def claims(self, file: TextFile, options: ReaderOptions) -> bool:
        return _NAME_2017.match(file.name.rpartition("/")[2]) is not None

    def read(self, file: TextFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        table = file.numbers(columns=3)
        sampling = Sampling(unit="Angstrom", medium="vacuum", values=table[:, 0])
        yield _spectrum_2017(file.name, sampling, table[:, 1], table[:, 2])


def _table(file: FitsFile) -> Hdu | None:
    for hdu in file.hdus[1:2]:
        if hdu.n_rows > 0 and hdu.find("SpecificIntensity") is not None:
            return hdu if hdu.find("Wavelength") is not None and hdu.find("Continuum") is not None else None
    return None


def _spectrum_2017(
    name: str,
    sampling: Sampling,
    flux: Pixels,
    continuum: Pixels,
    header: Mapping[HeaderKey, str] | None = None,
    hdu: int = 0,
) -> Spectrum:
    stem = model_stem(name)
    match = _NAME_2017.match(stem)
    if match is None:
        raise MissingField("the name does not give the parameters of the model; restore it", path=name)
    params = {
        "teff": float(match["teff"]),
        "logg": int(match["logg"]) / 10,
        "m_h": _tenths(match["m_h"]),
        "c_m": _tenths(match["c_m"]),
        "alpha_m": _tenths(match["alpha_m"]),
        "vmic": int(match["vmic"]) / 10,
        "vsini": float(match["vsini"]),
    }
    return Spectrum(
        spec_id=stem,
        flux=flux,
        flux_unit=EDDINGTON_FLUX,
        sampling=sampling,
        observation=model_observation("BOSZ-2017", "file name", resolving_power=float(match["resolution"])),
        continuum=continuum,
        continuum_method="column:CONTINUUM",
        params={**params, **scaled_metals(params["m_h"])},
        header=header or {},
        hdu=hdu,
    )


def _tenths(text: str) -> float:
    """``m13`` is -1.25: quarters are rounded up to tenths."""
    value = int(text[1:])
    quarter = value * 10 - 5 if value % 5 == 3 else value * 10
    return (-quarter if text[0] == "m" else quarter) / 100 + 0.0


READERS = (Bosz2024(), Bosz2017(), Bosz2017Text())

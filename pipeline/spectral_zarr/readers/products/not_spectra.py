"""Files that lie among spectra and are none, refused by what they are before or after the generic readers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import NotASpectrum, RefusedProduct, SourceError
from spectral_zarr.model import Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.table_columns import is_spectrum

Recognises = Callable[[FitsFile], bool]

_LOOKED_AT = 12
_VELOCITY = re.compile(r"^\s*k?m\s*(/|\.|\s)?\s*s(\*{2}|\^)?(-1)?\s*$", re.IGNORECASE)
_SKY = re.compile(r"^(RA--|DEC-|GLON|GLAT|ELON|ELAT)", re.IGNORECASE)
_SPECTRAL = re.compile(r"^(WAVE|AWAV|LAMBDA|LINEAR|FREQ|VELO|VRAD|VOPT|ENER|LOG)", re.IGNORECASE)
_RADIO = re.compile(r"^(FREQ|VRAD|VELO|FELO|VOPT|ZOPT|BETA)", re.IGNORECASE)
_RADIO_COLUMNS = frozenset({"freq", "frequency", "velocity", "vhelio", "vlsr", "vrad"})
_CORRELATION = re.compile(r"(^|_)CCF", re.IGNORECASE)
_SAMPLES = re.compile(
    r"^(ln|log)_?(prob|like(lihood)?|post(erior)?|prior|l|p)\d*$|^(chain|walker|sample_?(no|weight)|mcmc.*|acceptance)$",
    re.IGNORECASE,
)
_POLARISED = frozenset({"pol", "stokesq", "stokesu", "stokesv", "null1", "null2", "stokes_q", "stokes_u", "stokes_v"})
_INTENSITY = frozenset({"flux", "fluxab", "intensity", "i"})
_BASIS = re.compile(r"EIGEN|BASIS_?VECTORS|TEMPLATE_?(BASIS|VECTORS)", re.IGNORECASE)
_ORDERS = re.compile(r"^(S2D|E2DS)|E2DS|^WAVEDATA_", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is, how it is recognised and what to do about it."""

    what: str
    recognises: Recognises
    advice: str


def _hdus(file: FitsFile) -> tuple[Hdu, ...]:
    return file.hdus[:_LOOKED_AT]


def _images(file: FitsFile) -> Iterator[Hdu]:
    return (hdu for hdu in _hdus(file) if hdu.kind == "image" and hdu.shape)


def _tables(file: FitsFile) -> Iterator[Hdu]:
    return (hdu for hdu in _hdus(file) if hdu.kind == "table")


def _axes(hdu: Hdu) -> list[str]:
    return [hdu.header.text(f"CTYPE{axis}").upper() for axis in range(1, len(hdu.shape) + 1)]


def _long_axes(hdu: Hdu) -> int:
    return sum(length > 1 for length in hdu.shape)


def _is_correlation(file: FitsFile) -> bool:
    hdus = _hdus(file)
    if any(_CORRELATION.search(hdu.name) for hdu in hdus if "CCF" in hdu.name):
        return True
    if any(hdu.find("CCF") is not None for hdu in hdus):
        return True
    texts = (
        hdu.header.text(keyword) for hdu in _images(file) for keyword in ("CTYPE1", "CUNIT1") if len(hdu.shape) < 3
    )
    return any(_VELOCITY.match(text) for text in texts) and not _is_radio(file)


def _is_radio(file: FitsFile) -> bool:
    return any(_RADIO.match(axis) for hdu in _images(file) for axis in _axes(hdu))


def _is_basis(file: FitsFile) -> bool:
    names = (file.name.rpartition("/")[2], *(hdu.name for hdu in _hdus(file)))
    return "RRTYPE" in file.primary or any(_BASIS.search(name) for name in names)


def _is_polarised(file: FitsFile) -> bool:
    tables = [table.layout.by_name.keys() for table in _tables(file)]
    names = [{hdu.name.lower() for hdu in _hdus(file)}, *tables]
    return not all(_POLARISED.isdisjoint(one) for one in names) and all(_INTENSITY.isdisjoint(one) for one in names)


@lru_cache(maxsize=4096)
def _samples(column: str) -> bool:
    return _SAMPLES.match(column.strip()) is not None


def _is_chain(file: FitsFile) -> bool:
    return any(_samples(column.name) for table in _tables(file) for column in table.layout.columns)


def _is_cube(file: FitsFile) -> bool:
    return any(_long_axes(hdu) == 3 and any(map(_SKY.match, _axes(hdu))) for hdu in _images(file))


def _is_slit(file: FitsFile) -> bool:
    return any(
        _long_axes(hdu) == 2
        and ("DISPAXIS" in hdu.header or any(map(_SPECTRAL.match, _axes(hdu)[1:])))
        and min(hdu.shape) > 1
        for hdu in _images(file)
    )


def _is_reduce(file: FitsFile) -> bool:
    # Packed wavelengths are a few polynomial coefficients for thousands of pixels.
    for table in _tables(file):
        wavelength, flux = table.find("WAVE"), table.find("SPEC")
        if table.n_rows == 1 and flux is not None and table.find("ORDERS", "COLUMNS") is not None:
            return True
        if table.n_rows == 1 and flux is not None and wavelength is not None and wavelength.repeat < flux.repeat:
            return True
    return False


def _is_orders(file: FitsFile) -> bool:
    catg = file.primary.text("ESO PRO CATG").upper()
    return catg.startswith("S2D_") or any(_ORDERS.search(hdu.name) and len(hdu.shape) == 2 for hdu in _hdus(file))


def _is_sky_image(file: FitsFile) -> bool:
    return any(_long_axes(hdu) == 2 and any(map(_SKY.match, _axes(hdu))) for hdu in _images(file))


def _is_radio_table(file: FitsFile) -> bool:
    for table in _tables(file):
        names = table.layout.by_name.keys()
        if not _RADIO_COLUMNS.isdisjoint(names) and any(name.startswith("flux") for name in names):
            return True
    return False


def _is_empty(file: FitsFile) -> bool:
    return not any(map(_long_axes, _images(file))) and not any(table.n_rows for table in _tables(file))


_USUAL = TableOptions()
_MERGED = "ingest the merged one-dimensional spectrum of the exposure (s1d)"

KINDS: tuple[Kind, ...] = (
    Kind("a cross-correlation function (its axis is a velocity)", _is_correlation, _MERGED),
    Kind("a basis of eigenvectors or templates, not observed spectra", _is_basis, "leave it out"),
    Kind("polarimetric planes without an intensity", _is_polarised, "ingest the intensity spectrum of the sequence"),
    Kind("samples of a Markov chain", _is_chain, "leave it out"),
    Kind("a table of REDUCE (.ech): unmerged orders with packed wavelengths", _is_reduce, "merge the orders first"),
    Kind("unmerged echelle orders (S2D or E2DS)", _is_orders, _MERGED),
    Kind("a cube of an integral field unit or a radio telescope", _is_cube, "extract spectra of one dimension first"),
    Kind("a spectrum with a frequency or radio velocity axis", _is_radio, "convert the axis to wavelength first"),
)
"""What the generic readers could misread or refuse for a lesser reason, in the order in which it is tried."""

REMAINDERS: tuple[Kind, ...] = (
    Kind("an image of a slit, its second axis is a place on the sky", _is_slit, "extract a spectrum first (apall)"),
    Kind("an image of the sky", _is_sky_image, "leave it out"),
    Kind("a spectrum on a frequency or velocity axis", _is_radio_table, "convert the axis to wavelength first"),
    Kind("a file without data", _is_empty, "fetch it again or leave it out"),
    Kind(
        "a table of wavelengths and fluxes with text in every row, so perhaps a list of lines",
        lambda file: any(table.n_rows > 1 and is_spectrum(table.layout.columns, _USUAL) for table in _tables(file)),
        "set wavelength in [readers.table] if it is a spectrum",
    ),
    Kind(
        "a catalogue: a table without a wavelength and a flux column",
        lambda file: any(table.n_rows > 0 for table in _tables(file)) and not any(map(_long_axes, _images(file))),
        "join it as parameters, or name its columns in [readers.table]",
    ),
    Kind(
        "an image without a wavelength axis",
        lambda file: any(map(_long_axes, _images(file))),
        "tell what its rows are with rows in [readers.image] if it is a spectrum, or leave it out",
    ),
)
"""What no reader understands, tried last."""


class KnownNonSpectra:
    """Products that contain arrays on an axis and are no spectra."""

    name = "unsupported-kinds"
    version = "1"
    title = "correlations, eigenvectors, cubes, chains, unmerged orders: refused by what they are"
    priority = 95
    policy = HeaderPolicy()
    kinds = KINDS
    error: type[SourceError] = RefusedProduct

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return not options.table.flux and any(kind.recognises(file) for kind in self.kinds)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        kind = next(kind for kind in self.kinds if kind.recognises(file))
        raise self.error(f"{kind.what}: {file.describe()}; {kind.advice}", path=file.name)
        yield


class OtherFiles(KnownNonSpectra):
    """Whatever is left when no reader understands a file, named as well as its headers allow."""

    name = "unsupported-files"
    title = "catalogues, slit images and other files that are no spectra: refused by what they are"
    priority = 120
    kinds = REMAINDERS
    error = NotASpectrum


READERS = (KnownNonSpectra(), OtherFiles())

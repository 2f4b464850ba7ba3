"""Survey products that are recognised but have no reader, refused before a generic reader could misunderstand them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy

Recognises = Callable[[FitsFile], bool]


def _card(keyword: str, *starts: str) -> Recognises:
    wanted = tuple(start.upper() for start in starts)

    def has_text(file: FitsFile) -> bool:
        texts = [hdu.header.text(keyword) for hdu in file.hdus[:2]]
        return any(text.upper().startswith(wanted) for text in texts if text)

    return has_text


def _cards(*keywords: str) -> Recognises:
    first, *others = keywords

    def has_cards(file: FitsFile) -> bool:
        headers = [hdu.header for hdu in file.hdus[:2]]
        if not any(first in header for header in headers):
            return False
        return all(any(keyword in header for header in headers) for keyword in others)

    return has_cards


def _hdus(*names: str) -> Recognises:
    return lambda file: file.names.issuperset(names)


def _columns(*names: str) -> Recognises:
    first, *others = names
    return lambda file: any(
        hdu.find(first) is not None and all(hdu.find(name) is not None for name in others) for hdu in file.hdus[1:3]
    )


def _all(*rules: Recognises) -> Recognises:
    return lambda file: all(rule(file) for rule in rules)


def _is_6df(file: FitsFile) -> bool:
    # Images of the sky come first; the spectra of the arms V and R and their sum follow.
    return any(name.startswith(("SPECTRUM V", "SPECTRUM R")) for name in file.names)


_WEAVE = "WEAVE L1, whose files do not say whether their wavelengths are in air or in vacuum"

PRODUCTS: tuple[tuple[str, Recognises], ...] = (
    ("LAMOST (a product other than spectra)", _card("TELESCOP", "LAMOST")),
    ("LAMOST (a product other than spectra)", _card("ORIGIN", "NAOC-LAMOST")),
    ("an SDSS-V table without spectra", _hdus("BOSS/APO", "APOGEE/APO")),
    ("an APOGEE product other than apStar, aspcapStar and apVisit", _all(_cards("MJD5"), _cards("LOCID"))),
    ("SDSS (a product other than spec, spec-lite, spSpec and spPlate)", _card("TELESCOP", "SDSS 2.5")),
    ("DESI frame of one exposure", _hdus("IVAR", "WAVELENGTH", "RESOLUTION", "FIBERMAP")),
    (_WEAVE, _hdus("RED_DATA", "FIBTABLE")),
    (_WEAVE, _hdus("BLUE_DATA", "FIBTABLE")),
    (_WEAVE, _hdus("GREEN_DATA", "FIBTABLE")),
    ("WEAVE L2", _hdus("CLASS_SPEC")),
    ("HST FOS or GHRS", _all(_card("TELESCOP", "HST"), _card("INSTRUME", "FOS", "HRS", "GHRS"))),
    ("HST (a product other than COS and STIS x1d, and cspec)", _card("TELESCOP", "HST")),
    ("FUSE (a product other than the coadds of HULLYSES)", _card("TELESCOP", "FUSE")),
    ("JWST (a product other than x1d and c1d)", _card("TELESCOP", "JWST")),
    ("IUE (a product other than MXLO and MXHI of NEWSIPS)", _card("TELESCOP", "IUE")),
    ("Gaia (a product other than RVS and XP sampled spectra)", _card("PUBLISHE", "ESA/GAIA")),
    ("Gaia (a product other than RVS and XP sampled spectra)", _columns("source_id", "solution_id")),
    ("Euclid SIR without WAVELENGTH or VAR", _all(_cards("FSCALE"), _columns("SIGNAL"))),
    ("PHOENIX model atmosphere", _cards("PHXTEFF")),
    ("PypeIt (a product other than spec1d and coadd1d)", _cards("PYP_SPEC")),
    ("6dFGS in image form (the table form of its archive is read)", _is_6df),
    (
        "a GIRAFFE pipeline image of all fibres (the ESO archive has its spectra as science data products)",
        _all(_card("INSTRUME", "GIRAFFE"), _cards("ESO PRO CATG")),
    ),
    ("an ESO pipeline product outside Phase 3", _cards("ESO PRO CATG")),
)
"""Name of each product and how its headers show it, in the order in which they are tried."""


class Unsupported:
    """Products whose medium, masks, frames or several arms a generic reader would get wrong."""

    name = "unsupported"
    version = "1"
    title = "recognised products without a reader, refused by name"
    priority = 50
    policy = HeaderPolicy()

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return any(recognises(file) for _, recognises in PRODUCTS)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        product = next(name for name, recognises in PRODUCTS if recognises(file))
        message = f"recognised as {product}; there is no reader for it in this version, leave it out"
        raise RefusedProduct(message, path=file.name)
        yield


READERS = (Unsupported(),)

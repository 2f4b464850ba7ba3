"""Flux and its error in two images of one name: ``*_F.fits`` with ``*_E.fits`` (XIDL) and MAKEE's ``*e.fits``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import RefusedProduct
from spectral_zarr.model import SourceFile, Spectrum
from spectral_zarr.readers.axis import has_axis, image_sampling, increment
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, open_fits, project
from spectral_zarr.readers.observing import observe, velocity_frame

_NAME = re.compile(r".+[_-]n?(?P<role>[EFef])\.fits(?:\.gz)?")
_ERROR = re.compile(r"\s*[\[(]\s*(error|err|sigma|sig)\s*[\])]\s*$", re.IGNORECASE)
_INSTRUMENTS = ("HIRES", "ESI", "MAGE", "MIKE")
_SAME_TEXT = ("OBJECT", "DATE-OBS", "UT-TIME", "UTC", "EXPTIME")


class FluxErrorPair:
    """Merged spectrum of an echelle spectrograph with flux and error in files of their own.

    Conventions of the XIDL pipelines (mage_pipe, HIRedux, ESIRedux, MIKE: ``name_F.fits`` with ``name_E.fits``, or in
    lower case) and of MAKEE (``name.fits`` with ``namee.fits``), as the readers of linetools know them: images of one
    dimension with DC-FLAG = 1, CRVAL1 and CDELT1 in log10 of Angstrom, without CUNIT1. The card SIGFILE names the
    error in the header of both. The medium is not recorded. Files whose names pair up but whose axis, object or date
    differ are refused, and so is an error without its flux.
    """

    name = "flux-error-pair"
    version = "1"
    title = "flux and error in two images (XIDL: MagE, HIRES, ESI, MIKE *_F.fits and *_E.fits; MAKEE)"
    priority = 10
    policy = HeaderPolicy(allow=(r"RESVEL|SIGFILE|UT-DATE|UT-TIME|SLITNAME|EXPTYPE|RA-D|DEC-D|DECKNAME|XDISPERS",))
    joins = r"(?P<key>.+[_-]n?)(?:(?P<lead>[Ff])|[Ee])\.fits(?:\.gz)?"

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        image, header = file.hdus[0], file.primary
        if image.kind != "image" or len(image.shape) != 1 or len(file.hdus) > 1 or not has_axis(header):
            return False
        return "SIGFILE" in header or header.text("INSTRUME").upper().startswith(_INSTRUMENTS)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        flux, error = _flux_and_error(file, options)
        if error is not None:
            _require_pair(flux, error)
        header, image = flux.primary, flux.hdus[0]
        # These pipelines sample Angstrom and do not say so.
        image_options = replace(options.image, wavelength_unit=options.image.wavelength_unit or "Angstrom")
        yield Spectrum(
            spec_id="",
            flux=image.image(),
            flux_unit=header.text("BUNIT") or options.image.flux_unit or "Relative Flux",
            sampling=image_sampling(header, image_options, path=flux.name, hdu=0, n_pix=image.shape[0]),
            observation=observe(
                header, velocity_frame=velocity_frame(header.text("SPECSYS"), options.image.velocity_frame)
            ),
            noise=None if error is None else error.hdus[0].image(),
            noise_unit=error.primary.text("BUNIT") if error is not None and header.text("BUNIT") else "",
            zero_padded=True,
            header=project([(0, header)], policy),
        )


def _role(name: str) -> str:
    match = _NAME.fullmatch(name.rpartition("/")[2])
    return match["role"].upper() if match else ""


def _flux_and_error(file: FitsFile, options: ReaderOptions) -> tuple[FitsFile, FitsFile | None]:
    files = (SourceFile(file.path, file.name, file.size), *file.companions)
    by_role: dict[str, list[SourceFile]] = {}
    for one in files:
        by_role.setdefault(_role(one.name), []).append(one)
    if any(len(group) > 1 for group in by_role.values()):
        names = ", ".join(one.name for one in files)
        raise RefusedProduct(f"{names} share one name, so their errors are not certain; rename them", path=file.name)
    check = options.check_damage
    opened = {
        role: file if one is files[0] else open_fits(one.path, one.name, check_damage=check)
        for role, (one,) in by_role.items()
    }
    if "F" in opened:
        return opened["F"], opened.get("E")
    if "E" in opened or _basename(file.name) == file.primary.text("SIGFILE").lower():
        message = "by its name this is the error of a spectrum; ingest it together with its flux (*_F.fits)"
        raise RefusedProduct(message, path=file.name, hdu=0)
    return file, _makee_error(file, check_damage=check)


def _makee_error(file: FitsFile, *, check_damage: bool) -> FitsFile | None:
    path = Path(file.path)
    if not file.path or ".fits" not in path.name:
        return None
    stem, _, rest = path.name.partition(".fits")
    if stem.endswith("e") and path.with_name(f"{stem[:-1]}.fits{rest}").exists():
        message = f"by its name this is the error of {stem[:-1]}.fits, which is ingested with it; leave it out"
        raise RefusedProduct(message, path=file.name, hdu=0)
    error = path.with_name(f"{stem}e.fits{rest}")
    return open_fits(str(error), error.name, check_damage=check_damage) if error.exists() else None


def _basename(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _require_pair(flux: FitsFile, error: FitsFile) -> None:
    one, other = flux.primary, error.primary
    differing = [keyword for keyword in _SAME_TEXT if _bare(one.text(keyword)) != _bare(other.text(keyword))]
    if flux.hdus[0].shape != error.hdus[0].shape or not _same_axis(one, other):
        differing.append("the wavelength axis")
    if differing:
        message = (
            f"{flux.name} and {error.name} pair up by their names as flux and error and differ in"
            f" {', '.join(differing)}; rename them if they are two spectra"
        )
        raise RefusedProduct(message, path=flux.name, hdu=0)


def _bare(text: str) -> str:
    # XIDL appends to the OBJECT of an error what the file is.
    return _ERROR.sub("", text)


def _same_axis(one: Header, other: Header) -> bool:
    pairs = [(one.number("CRVAL1"), other.number("CRVAL1")), (increment(one), increment(other))]
    return all(math.isclose(first, second, rel_tol=1e-9) for first, second in pairs)


READERS = (FluxErrorPair(),)

"""DESI spectra and coadds: hundreds of targets per file, the cameras B, R and Z of each joined."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import AllZero, MissingField, SourceError, TooFewPixels, UnknownUnit
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.readers.arms import Arm, combine_arms, join_arms, lattice_distance
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.left_out import LeftOutRows
from spectral_zarr.readers.masks import Bad, bad_pixels
from spectral_zarr.readers.observing import date_from_mjd, positive, sky_cells

STEP = 0.8
"""Step in Angstrom of the lattice of all cameras."""

TOLERANCE = 0.01
"""Pixels; wavelengths kept in single precision are off by less."""

_FLUX_HDU = re.compile(r"([BRZ]+)_FLUX")
_IMAGE_HDU = re.compile(r"([BRZ]+)_(WAVELENGTH|FLUX|IVAR|MASK)")
_FEWEST_IMAGES = 2
_NAME = re.compile(
    r"(?:coadd|spectra)-(?:(?P<survey>cmx|main|special|sv\d)-(?P<program>[a-z]+\d*)-\d+"
    r"|\d-(?P<tile>\d+)-(?P<group>[A-Za-z0-9]+))\."
)
_NO_TARGET = frozenset({"SKY", "BAD", "NON"})
_GAIA_RELEASES = MappingProxyType({"G2": "DR2", "G3": "EDR3"})
_USUAL_UNIT = "10**-17 erg/(s cm2 Angstrom)"


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """One camera, or several that the survey has combined: images of shape (n_targets, n_pix)."""

    band: str
    hdu: int
    wavelength: Pixels
    flux: Pixels
    ivar: Pixels
    bad: Bad | None

    def arm(self, row: int) -> Arm:
        """The spectrum of one target."""
        flux, ivar = self.flux[row], self.ivar[row]
        return Arm(
            wavelength=self.wavelength,
            flux=flux,
            noise=ivar,
            bad=None if self.bad is None else self.bad[row],
            missing=(flux == 0) & (ivar == 0),
        )


class Desi:
    """Spectra of the targets of one healpixel, or of one petal of a tile.

    DESI data model ``coadd`` and ``spectra`` (early data release and data release 1; DESI Collaboration 2024, AJ 168,
    58; Guy et al. 2023, AJ 165, 144): per camera a WAVELENGTH, FLUX, IVAR and MASK image, told by name; files with
    some of the cameras, and files whose cameras are combined already (``BRZ_*``), are read alike. Vacuum, barycentric,
    1e-17 erg s-1 cm-2 Angstrom-1. The cameras share the lattice ``k * 0.8`` Angstrom and are combined on it as the
    pipeline itself does, by inverse variance. Pixels with an inverse variance of zero or a mask bit are bad.

    Rows are targets (coadds) or exposures of targets (spectra). Left out by the survey are sky fibres, fibres without a
    target, and targets without a good pixel whose fibre has a status; in a sound fibre, such a target is rejected.
    """

    name = "desi"
    version = "1"
    title = "DESI coadd and spectra, by healpixel or tile, the cameras joined"
    priority = 0
    policy = HeaderPolicy(
        allow=(r"SPGRP(VAL)?|HPXPIXEL|HPXNSIDE|SURVEY|PROGRAM|TILEID|NIGHT|PETAL|SPECTRO|SPECPROD",),
        deny=(r"DEP(NAM|VER)\d+|INFIL\d+|.*_MASK.*",),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return bool(_bands(file))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        _require_alike(file)
        cameras = [_camera(file, band, options) for band in _bands(file)]
        fibermap = _fibermap(file, cameras)
        targets = _integers(fibermap, "TARGETID", file)
        unit = _unit(file, cameras)
        ivar_unit = _ivar_unit(file, cameras)
        on_lattice = all(lattice_distance(camera.wavelength, STEP) <= TOLERANCE for camera in cameras)
        names = _Names(file, fibermap)
        first = cameras[0].hdu
        header = project([(0, file.primary), (first, file.hdus[first].header)], policy)
        left_out = LeftOutRows(file.name, fibermap.index)
        for row, target in enumerate(targets.tolist()):
            kind = fibermap.cell_text("OBJTYPE", row).upper()
            if target <= 0 or kind in _NO_TARGET:
                left_out.add(f"OBJTYPE = {kind}" if kind in _NO_TARGET else "no TARGETID", row)
                continue
            if not any(np.any(camera.flux[row]) for camera in cameras):
                if flag := _status(fibermap, row):
                    left_out.add(f"every pixel is zero, {flag}", row)
                else:
                    yield AllZero("every pixel is zero, of a sound fibre", path=file.name, hdu=first, row=row)
                continue
            arms = [camera.arm(row) for camera in cameras]
            joined, method = combine_arms(arms, STEP, tolerance=TOLERANCE) if on_lattice else join_arms(arms)
            if not _any_good(joined):
                message = "every pixel is masked or has an inverse variance of zero"
                if flag := _status(fibermap, row):
                    left_out.add(f"{message}, {flag}", row)
                else:
                    yield TooFewPixels(f"{message}, of a sound fibre", path=file.name, hdu=first, row=row)
                continue
            yield Spectrum(
                spec_id=names.spec_id(target, row),
                flux=joined.flux,
                flux_unit=unit,
                sampling=Sampling(
                    unit="Angstrom",
                    medium="vacuum",
                    values=joined.wavelength,
                    lattice_step=STEP if on_lattice else None,
                    lattice_tolerance=TOLERANCE,
                ),
                observation=_observation(file, fibermap, target, row, cameras, names.program, method),
                noise=joined.noise,
                noise_kind="ivar",
                noise_unit=ivar_unit,
                bad=joined.bad,
                missing=joined.missing,
                header=header,
                hdu=first,
                row=row,
            )
        yield from left_out.errors()


def _bands(file: FitsFile) -> list[str]:
    # Every file of every survey comes by here, so the columns of its tables are not looked at.
    images = [hdu.header for hdu in file.hdus if hdu.kind == "image"]
    if len(images) < _FEWEST_IMAGES:
        return []
    names = [header.text("EXTNAME").upper() for header in images]
    found = (match[1] for name in names if (match := _FLUX_HDU.fullmatch(name)))
    return [band for band in dict.fromkeys(found) if f"{band}_WAVELENGTH" in names]


def _require_alike(file: FitsFile) -> None:
    """Refuse a file one of whose cameras lacks an image that another has: without it the spectra would be others."""
    parts: dict[str, set[str]] = {}
    for name in sorted(file.names):
        if match := _IMAGE_HDU.fullmatch(name):
            parts.setdefault(match[1], set()).add(match[2])
    everything = set().union(*parts.values())
    if missing := [f"{band}_{part}" for band, found in parts.items() for part in sorted(everything - found)]:
        message = f"{', '.join(missing)} is missing beside those of the other cameras; fetch the file again"
        raise MissingField(message, path=file.name)


def _camera(file: FitsFile, band: str, options: ReaderOptions) -> Camera:
    hdus = {part: file.named(f"{band}_{part}") for part in ("WAVELENGTH", "FLUX", "IVAR", "MASK")}
    wavelength, flux, ivar, mask = hdus.values()
    if wavelength is None or flux is None or ivar is None:
        raise MissingField(f"the HDU {band}_IVAR is missing: {file.describe()}; fetch the file again", path=file.name)
    images = {
        hdu.name: np.atleast_2d(hdu.image()) if hdu is not wavelength else np.ravel(hdu.image())
        for hdu in hdus.values()
        if hdu is not None
    }
    expected = images[flux.name].shape
    for name, image in images.items():
        if image.shape != (expected if name != wavelength.name else expected[-1:]):
            message = f"{name} has shape {image.shape} beside {band}_FLUX of {expected}; fetch the file again"
            raise MissingField(message, path=file.name, hdu=flux.index)
    return Camera(
        band=band,
        hdu=flux.index,
        wavelength=images[wavelength.name].astype(np.float64),
        flux=images[flux.name],
        ivar=images[ivar.name],
        bad=bad_pixels(images[mask.name], options) if mask is not None else None,
    )


def _fibermap(file: FitsFile, cameras: list[Camera]) -> Hdu:
    fibermap = file.named("FIBERMAP")
    if fibermap is None or fibermap.kind != "table":
        message = f"there is no FIBERMAP, so that the targets are unknown: {file.describe()}; fetch the file again"
        raise MissingField(message, path=file.name)
    for camera in cameras:
        if camera.flux.shape[0] != fibermap.n_rows:
            message = f"{camera.band}_FLUX has {camera.flux.shape[0]} rows and FIBERMAP {fibermap.n_rows}"
            raise MissingField(f"{message}; fetch the file again", path=file.name, hdu=camera.hdu)
    return fibermap


def _integers(table: Hdu, name: str, file: FitsFile) -> NDArray[np.int64]:
    values = table.column(name)
    if values.dtype.kind not in "iu" or values.ndim != 1:
        message = f"{name} is no column of integers, and a float cannot hold its digits; fetch the file again"
        raise MissingField(message, path=file.name, hdu=table.index)
    return values.astype(np.int64)


def _unit(file: FitsFile, cameras: list[Camera]) -> str:
    units = {file.hdus[camera.hdu].header.text("BUNIT") or _USUAL_UNIT for camera in cameras}
    if len(units) > 1:
        message = f"the cameras have the units {', '.join(sorted(units))}; convert them to one unit"
        raise UnknownUnit(message, path=file.name, hdu=cameras[0].hdu)
    return units.pop()


def _ivar_unit(file: FitsFile, cameras: list[Camera]) -> str:
    hdus = [hdu for camera in cameras if (hdu := file.named(f"{camera.band}_IVAR")) is not None]
    units = {hdu.header.text("BUNIT") for hdu in hdus}
    if len(units) > 1:
        message = f"the inverse variances have the units {', '.join(sorted(units))}; convert them to one unit"
        raise UnknownUnit(message, path=file.name, hdu=hdus[0].index)
    return units.pop() if units else ""


def _any_good(joined: Arm) -> bool:
    assert joined.noise is not None
    good = (joined.noise > 0) & np.isfinite(joined.flux)
    return bool(np.any(good if joined.bad is None else good & ~joined.bad))


def _status(fibermap: Hdu, row: int) -> str:
    """The flag by which the survey says that a fibre gave no spectrum, '' for a sound one."""
    for name in ("COADD_FIBERSTATUS", "FIBERSTATUS"):
        if fibermap.find(name) and fibermap.cell_number(name, row) > 0:
            return f"{name} = {fibermap.cell_text(name, row)}"
    return (
        "COADD_NUMEXP = 0" if fibermap.find("COADD_NUMEXP") and fibermap.cell_number("COADD_NUMEXP", row) == 0 else ""
    )


class _Names:
    """Identifiers: ``<survey>-<program>-<target>`` by healpixel, with tile and exposure where rows belong to them."""

    def __init__(self, file: FitsFile, fibermap: Hdu) -> None:
        header = file.primary
        match = _NAME.match(PurePath(file.name).name)
        parts = match.groupdict(default="") if match else dict.fromkeys(("survey", "program", "tile", "group"), "")
        survey = header.text("SURVEY") or parts["survey"]
        program = header.text("PROGRAM") or parts["program"]
        self.program = "-".join(filter(None, (survey, program)))
        by_healpixel = "HPXPIXEL" in header or bool(parts["survey"])
        self._tile = "" if by_healpixel else header.text("TILEID") or parts["tile"]
        self._tiles = fibermap if not by_healpixel and not self._tile and fibermap.find("TILEID") else None
        self._group = "" if by_healpixel else parts["group"] or header.text("SPGRPVAL")
        coadded = any(fibermap.find(name) for name in ("COADD_NUMEXP", "COADD_FIBERSTATUS", "NUM_EXPID"))
        self._exposures = None if coadded or not fibermap.find("EXPID") else fibermap

    def spec_id(self, target: int, row: int) -> str:
        """Identifier of one row."""
        tile = self._tiles.cell_text("TILEID", row) if self._tiles else self._tile
        exposure = self._exposures.cell_text("EXPID", row) if self._exposures else ""
        parts = (self.program or "desi", f"tile{tile}" if tile else "", self._group, str(target), exposure)
        return "-".join("_".join(part.split()) for part in parts if part)


def _observation(
    file: FitsFile, fibermap: Hdu, target: int, row: int, cameras: list[Camera], program: str, method: str
) -> Observation:
    stacked = fibermap.cell_number("COADD_NUMNIGHT", row) > 1
    mjd = _mjd(file, fibermap, target, row)
    snr = _snr(file, fibermap, cameras, target, row)
    release = _GAIA_RELEASES.get(fibermap.cell_text("REF_CAT", row).upper(), "")
    gaia_id = int(_integers(fibermap, "REF_ID", file)[row]) if release and fibermap.find("REF_ID") else 0
    return Observation(
        source_type="stacked" if stacked else "observed",
        instrument="DESI",
        object=fibermap.cell_text("DESINAME", row) or str(target),
        object_id=str(target),
        gaia_id=str(gaia_id) if gaia_id > 0 else "",
        gaia_dr=release if gaia_id > 0 else "",
        program_id=program,
        date_obs="" if stacked else date_from_mjd(mjd),
        mjd=mjd,
        velocity_frame="barycentric",
        flux_calibration="absolute",
        arm_merge=method,
        **sky_cells(fibermap, row, ("TARGET_RA", "TARGET_DEC"))._asdict(),
        exptime=_first_positive(fibermap, row, "COADD_EXPTIME", "EXPTIME"),
        snr=snr,
        snr_method="header:MEDIAN_COADD_SNR" if math.isfinite(snr) else "",
    )


def _first_positive(table: Hdu, row: int, *names: str) -> float:
    values = (positive(table.cell_number(name, row)) for name in names)
    return next((value for value in values if math.isfinite(value)), math.nan)


def _mjd(file: FitsFile, fibermap: Hdu, target: int, row: int) -> float:
    mjd = _first_positive(fibermap, row, "MEAN_MJD", "MJD")
    exposures = file.named("EXP_FIBERMAP")
    if math.isfinite(mjd) or exposures is None or not exposures.find("MJD") or not exposures.find("TARGETID"):
        return mjd
    own = exposures.column("TARGETID") == target
    # The exposures in the coadd are those of a sound fibre, unless there are none.
    good = own & (exposures.column("FIBERSTATUS") == 0) if exposures.find("FIBERSTATUS") else own
    used = exposures.column("MJD")[good if good.any() else own]
    return float(used.mean()) if used.size else math.nan


def _snr(file: FitsFile, fibermap: Hdu, cameras: list[Camera], target: int, row: int) -> float:
    """Median over the cameras of their median signal-to-noise ratios, from the row of SCORES that is the target's."""
    scores = file.named("SCORES")
    if scores is None or scores.n_rows != fibermap.n_rows or not scores.find("TARGETID"):
        return math.nan
    if int(scores.column("TARGETID")[row]) != target:
        return math.nan
    found = [_first_positive(scores, row, f"MEDIAN_COADD_SNR_{camera.band}") for camera in cameras]
    known = [value for value in found if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan


READERS = (Desi(),)

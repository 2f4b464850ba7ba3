"""SDSS, BOSS and eBOSS optical spectra: ``spec-PPPP-MMMMM-FFFF.fits`` and spec-lite."""

from __future__ import annotations

import math
from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.file import Hdu
from spectral_zarr.readers.observing import date_from_mjd, date_obs, first_number, first_text, positive

_TAI_MINUS_UTC = (
    (57754.0, 37.0),
    (57204.0, 36.0),
    (56109.0, 35.0),
    (54832.0, 34.0),
    (53736.0, 33.0),
    (51179.0, 32.0),
)
"""First MJD (UTC) and TAI-UTC in seconds, from the IERS Bulletin C series; SDSS has no spectra before 1999."""


class SdssSpec:
    """SDSS/BOSS/eBOSS coadded spectrum of one fibre.

    Data model ``spec`` of SDSS DR8 to DR17: HDU1 COADD with ``flux``, ``loglam``, ``ivar``; vacuum, heliocentric;
    flux in 1e-17 erg s-1 cm-2 Angstrom-1. All files sample one lattice, log10(wavelength) = k * 1e-4, which
    float32 ``loglam`` blurs by at most 0.0024 pixel in real files. Pixels with ``ivar`` = 0 are bad.
    """

    name = "sdss-spec"
    version = "1"
    title = "SDSS/BOSS/eBOSS spec and spec-lite (HDU1 COADD: flux, loglam, ivar)"
    priority = 0
    policy = HeaderPolicy(
        allow=(
            r"PLATE(ID)?|MJD|FIBERID|NAME|TILEID|PLUG_RA|PLUG_DEC|RUN2D|VERS2D|NEXP|TAI-(BEG|END)|CARTID|COEFF0|COEFF1",
            r"FIELD|CATALOGID|SDSS_ID",
        ),
        deny=(
            r"EXPID\d+|SCHI2.*|.*OFFSTD|.*RMSSTD|MC2.*|SN2EXT.*|(FRAMESN2|DFRAME|SPCALIB).*",
            r"VERS(UTIL|IDL|READ|FLAT|CAL|LOG|COMB).*|OP\w*|OPSCAN.*|NGUIDE|GUIDER\d+|SEEING\d+|TCCOFF.*|IDLUTV.*",
            r"SPECTRO.*FILE",
        ),
    )

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus) < 2 or file.hdus[1].kind != "table" or file.primary.text("TELESCOP") == "LAMOST":
            return False
        survey = file.primary.text("TELESCOP").startswith("SDSS") or "VERS2D" in file.primary or "RUN2D" in file.primary
        coadd = file.hdus[1]
        return survey and coadd.n_rows > 1 and all(coadd.find(name) for name in ("flux", "loglam", "ivar"))

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, coadd = file.primary, file.hdus[1]
        summary = next((hdu for hdu in file.hdus[2:4] if hdu.name in ("SPECOBJ", "SPALL", "ZALL")), None)
        used = tuple(column.number for name in ("flux", "loglam", "ivar") if (column := coadd.find(name)))
        yield Spectrum(
            spec_id=_spec_id(header, summary, file.name),
            flux=coadd.column("flux"),
            flux_unit=header.text("BUNIT") or "1E-17 erg/cm^2/s/Ang",
            sampling=Sampling(
                unit="Angstrom",
                medium="vacuum" if header.flag("VACUUM") or "VACUUM" not in header else "air",
                scale="log10",
                values=coadd.column("loglam"),
                lattice_step=1e-4,
                lattice_tolerance=0.01,
            ),
            observation=_observation(header, summary),
            noise=coadd.column("ivar"),
            noise_kind="ivar",
            header=project([(0, header), (1, coadd.header)], policy, {1: used}),
            hdu=1,
        )


def _spec_id(header: Header, summary: Hdu | None, name: str) -> str:
    mjd = header.integer("MJD")
    field, catalog = header.text("FIELD"), header.text("CATALOGID")
    if field and catalog:
        return f"sdss-{field}-{mjd}-{catalog}"
    plate = header.integer("PLATEID") if "PLATEID" in header else header.integer("PLATE")
    fiber = header.integer("FIBERID")
    if summary is not None:
        plate = plate if plate is not None else _cell_integer(summary, "PLATE")
        fiber = fiber if fiber is not None else _cell_integer(summary, "FIBERID")
        mjd = mjd if mjd is not None else _cell_integer(summary, "MJD")
    if plate is None or fiber is None or mjd is None:
        raise MissingField("PLATEID, MJD or FIBERID is missing from the header and from SPECOBJ", path=name, hdu=0)
    return f"sdss-{plate}-{mjd}-{fiber:04d}"


def _cell_integer(hdu: Hdu, column: str) -> int | None:
    value = hdu.cell_number(column)
    return int(value) if math.isfinite(value) else None


def _observation(header: Header, summary: Hdu | None) -> Observation:
    snr = positive(summary.cell_number("SN_MEDIAN_ALL")) if summary is not None else float("nan")
    mjd = _tai_start(header)
    return Observation(
        instrument=first_text(header, "INSTRUME")
        or (summary.cell_text("INSTRUMENT") if summary is not None else "")
        or _spectrograph(header),
        object=first_text(header, "OBJECT"),
        object_id=_thing_id(summary),
        program_id=first_text(header, "PROGRAM"),
        date_obs=date_from_mjd(mjd) or date_obs(header),
        velocity_frame="heliocentric",
        flux_calibration="absolute",
        snr=snr,
        snr_method="header:SN_MEDIAN_ALL" if math.isfinite(snr) else "",
        ra=first_number(header, "PLUG_RA", "RA"),
        dec=first_number(header, "PLUG_DEC", "DEC"),
        mjd=mjd,
        exptime=first_number(header, "EXPTIME"),
        airmass=first_number(header, "AIRMASS"),
        rv_applied=first_number(header, "HELIO_RV"),
    )


def _spectrograph(header: Header) -> str:
    # Reductions of the BOSS spectrographs are named v5_* and v6_*, those of the SDSS spectrographs 26, 103 and 104.
    return "BOSS" if first_text(header, "RUN2D", "VERS2D").startswith("v") else "SDSS"


def _thing_id(summary: Hdu | None) -> str:
    value = _cell_integer(summary, "THING_ID") if summary is not None and summary.find("THING_ID") else None
    return f"thing-{value}" if value is not None and value > 0 else ""


def _tai_start(header: Header) -> float:
    tai = first_number(header, "TAI-BEG", "TAI")
    if not 4.0e9 < tai < 7.0e9:
        return float("nan")
    mjd = tai / 86400
    offset = next((seconds for first, seconds in _TAI_MINUS_UTC if mjd >= first), 32.0)
    return mjd - offset / 86400


READERS = (SdssSpec(),)

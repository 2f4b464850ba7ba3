"""ESO Phase 3 science data products: a primary header and one table row of vectors, whatever the instrument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spectral_zarr.readers.samples.cards import Column, Header, Part, Value, padding, table_text
from spectral_zarr.readers.samples.draw import Draw, Sample, Star, mjd, stamp

_PRIMARY = """
SIMPLE = T / conforms to FITS standard
BITPIX = 8 / array data type
NAXIS = 0 / number of array dimensions
EXTEND = T
DATE = '2014-09-16T11:05:24' / Date this file was written
PRODCATG = 'SCIENCE.SPECTRUM' / Data product category
ORIGIN = '{origin}' / European Southern Observatory
TELESCOP = '{telescope}' / ESO Telescope Name
INSTRUME = '{instrument}' / Instrument used.
OBJECT = 'HD 1000' / Target designation
RA = 230.876323 / RA (J2000) pointing (deg)
DEC = -38.35773 / DEC (J2000) pointing (deg)
EQUINOX = 2000. / Standard FK5 (years)
RADECSYS = 'FK5' / Coordinate reference frame
EXPTIME = 900.0007 / Total integration time per exposure
TEXPTIME = 900.0007 / Total integration time of all exposures
MJD-OBS = 55784.97491049 / Start of observations (days)
MJD-END = 55784.98532716 / End of observations (days)
DATE-OBS = '2011-08-11T23:23:52.266' / Date of observation
UTC = 84223.000 / UTC at start (sec)
LST = 57744.300 / LST at start (sec)
TIMESYS = 'UTC' / Time system used
PI-COI = 'UNKNOWN' / PI-COI name.
OBSERVER = 'UNKNOWN' / Name of observer.
PROG_ID = '087.C-0991(A)' / ESO program identification
OBID1 = 200219190 / Observation block ID
M_EPOCH = F / TRUE if resulting from multiple epochs
SINGLEXP = T / TRUE if resulting from single exposure
NCOMBINE = 1 / # of combined raw science data files
OBSTECH = 'ECHELLE' / Technique of observation
FLUXCAL = '{fluxcal}' / Certifies the validity of PHOTZP
PROCSOFT = '{software}' / ESO pipeline version
REFERENC = '' / Bibliographic reference
PROV1 = 'RAW.2011-08-11T23:23:52.266.fits' / Originating raw science file
ASSON1 = 'ANCILLARY.2014-09-16T11:05:24.tar' / Associated file name
ASSOC1 = 'ANCILLARY.{instrument}' / Associated file category
ASSOM1 = '0cc175b9c0f1b6a831c399e269772661' / Associated file md5sum
SPECSYS = '{frame}' / Reference frame for spectral coordinates
EXT_OBJ = F / TRUE if extended
CONTNORM = F / TRUE if normalised to the continuum
TOT_FLUX = F / TRUE if all src flux is captured
FLUXERR = {fluxerr} / Uncertainty in flux scale (%)
WAVELMIN = 378.0 / [nm] Minimum wavelength
WAVELMAX = 691.3 / [nm] Maximum wavelength
SPEC_BIN = 0.001 / [nm] Wavelength bin size
SPEC_RES = {resolution}. / Reference spectral resolving power
SPEC_ERR = 0.00002 / [nm] Statistical error in spectral coordinate
SPEC_SYE = 0.000002 / [nm] Systematic error in spectral coordinate
SNR = 50.0 / Median signal to noise ratio per order
LAMNLIN = 7200 / # of arc lines used in the solution
LAMRMS = 0.00003 / [nm] RMS of the residuals of the solution
DISPELEM = 'ECHELLE' / Dispersive element name
"""

_FOOT = """
ARCFILE = 'ADP.2014-09-16T11:05:24.123.fits' / Archive File Name
ORIGFILE = '{instrument}_SCI_0001.fits' / Original File Name
P3ORIG = 'IDP' / ESO internal data product
CHECKSUM = '0000000000000000' / HDU checksum updated 2014-09-16T11:05:24
DATASUM = '0' / data unit checksum updated 2014-09-16T11:05:24
"""

_SPECTRUM = """
EXTNAME = '{extname}' / FITS Extension name
INHERIT = T / Denotes the INHERIT keyword convention
VOCLASS = 'SPECTRUM V1.0' / VO Data Model
VOPUB = 'ESO/SAF' / VO Publishing Authority
TITLE = 'HD 1000' / Dataset title
OBJECT = 'HD 1000' / Target designation
RA = 230.876323 / [deg] Spectroscopic target position (J2000)
DEC = -38.35773 / [deg] Spectroscopic target position (J2000)
APERTURE = {aperture} / [deg] Aperture diameter
TELAPSE = 900.0007 / [s] Total elapsed time
TMID = 55784.98011883 / [d] MJD mid exposure
SPEC_VAL = 534.65 / [nm] Mean wavelength
SPEC_BW = 313.3 / [nm] Bandpass width Wmax - Wmin
NELEM = 1 / Length of the data arrays
TDMIN1 = 3780.0 / Start in spectral coordinate
TDMAX1 = 6913.0 / Stop in spectral coordinate
"""

_CHECKSUMS = """
CHECKSUM = '0000000000000000' / HDU checksum updated 2014-09-16T11:05:24
DATASUM = '0' / data unit checksum updated 2014-09-16T11:05:24
"""


class Vector(NamedTuple):
    """A column of the spectrum: its type letter, unit, utype and UCD."""

    name: str
    code: str
    unit: str
    utype: str
    ucd: str


@dataclass(frozen=True, slots=True)
class Setup:
    """What one instrument's products have in common."""

    instrument: str
    telescope: str
    software: str
    frame: str
    resolution: int
    vectors: tuple[Vector, ...]
    nm_per_unit: float = 0.1
    fluxcal: str = "UNCALIBRATED"
    fluxerr: str = "-1."
    aperture: str = "0.000277778"
    extname: str = "SPECTRUM"
    origin: str = "ESO"
    since: int = 2007

    def headers(self, hierarch: str) -> tuple[Header, Header]:
        """Format the primary header (with the instrument's HIERARCH cards) and that of the spectrum."""
        names = {name: getattr(self, name) for name in self.__slots__}
        columns = [Column(vector.name, f"1{vector.code}", vector.unit) for vector in self.vectors]
        roles = [
            f"TUTYP{number} = '{vector.utype}' / UTYPE of field {number}\nTUCD{number} = '{vector.ucd}'"
            for number, vector in enumerate(self.vectors, 1)
        ]
        primary = Header(_PRIMARY.format(**names), hierarch, _FOOT.format(**names))
        spectrum = Header(table_text(columns, 1), _SPECTRUM.format(**names), *roles, _CHECKSUMS)
        return primary, spectrum


def write_product(
    draw: Draw,
    setup: Setup,
    headers: tuple[Header, Header],
    star: Star,
    arrays: tuple[npt.NDArray[np.generic], ...],
    changes: Mapping[str, Value],
) -> Sample:
    """Assemble a product file from its columns.

    Parameters
    ----------
    draw, star
        What varies in this file.
    setup, headers
        The instrument and its formatted headers.
    arrays
        One big-endian vector per column of the setup, the wavelength first.
    changes
        Instrument cards of the primary header to patch.
    """
    rng = draw.rng
    began = draw.moment(setup.since)
    exposure = round(float(rng.choice([300.0, 600.0, 900.0, 1200.0, 1800.0])) + float(rng.uniform(0.0, 0.002)), 4)
    ended = began + timedelta(seconds=exposure)
    archived = draw.moment(max(2014, setup.since + 1)) + timedelta(hours=11)
    name = draw.hd_name()
    program = f"{60 + draw.index % 40:03d}.{'ABCD'[draw.index % 4]}-{draw.index * 37 % 1000:04d}(A)"
    raw = f"{setup.instrument[:5]}.{stamp(began)}"
    length = arrays[0].size
    nm = setup.nm_per_unit
    low, high = float(arrays[0][0]), float(arrays[0][-1])
    shared: dict[str, Value] = {"OBJECT": name, "RA": star.ra, "DEC": star.dec}
    primary: dict[str, Value] = {
        **shared,
        "DATE": archived.isoformat(timespec="seconds"),
        "EXPTIME": exposure,
        "TEXPTIME": exposure,
        "MJD-OBS": round(mjd(began), 8),
        "MJD-END": round(mjd(ended), 8),
        "DATE-OBS": stamp(began),
        "UTC": _seconds(began),
        "PROG_ID": program,
        "OBID1": 200_000_000 + draw.index,
        "PROV1": f"{raw}.fits",
        "WAVELMIN": round(low * nm, 8),
        "WAVELMAX": round(high * nm, 8),
        "SPEC_BIN": round((high - low) * nm / max(1, length - 1), 10),
        "SNR": star.snr,
        "ARCFILE": f"ADP.{stamp(archived)}.fits",
        "ESO OBS ID": 200_000_000 + draw.index,
        "ESO OBS NAME": name,
        "ESO OBS TARG NAME": name,
        "ESO OBS PROG ID": program,
        "ESO OBS START": (began - timedelta(minutes=5)).isoformat(timespec="seconds"),
        "ESO TPL START": (began - timedelta(seconds=20)).isoformat(timespec="seconds"),
        "ESO TEL AIRM START": round(float(rng.uniform(1.0, 1.8)), 3),
        "ESO TEL AIRM END": round(float(rng.uniform(1.0, 1.8)), 3),
        **changes,
    }
    spectrum: dict[str, Value] = {
        **shared,
        "NAXIS1": sum(array.nbytes for array in arrays),
        "TITLE": name,
        "TELAPSE": exposure,
        "TMID": round((mjd(began) + mjd(ended)) / 2.0, 8),
        "SPEC_VAL": round((low + high) / 2.0 * nm, 8),
        "SPEC_BW": round((high - low) * nm, 8),
        "NELEM": length,
        "TDMIN1": round(low, 8),
        "TDMAX1": round(high, 8),
    }
    for number, vector in enumerate(setup.vectors, 1):
        spectrum[f"TFORM{number}"] = f"{length}{vector.code}"
    data = tuple(array.tobytes() for array in arrays)
    parts: list[Part] = [headers[0].render_signed(primary, ()), headers[1].render_signed(spectrum, data), *data]
    parts.append(padding(sum(len(part) for part in data)))
    return Sample(f"ADP.{stamp(archived)}.fits", tuple(parts))


def _seconds(moment: datetime) -> float:
    return round((moment - datetime(moment.year, moment.month, moment.day)) / timedelta(seconds=1), 3)

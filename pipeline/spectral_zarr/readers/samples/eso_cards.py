"""Header text that all ESO products share: the HIERARCH groups of telescope, target, detector and instrument."""

from __future__ import annotations

OBS_TPL = """
ESO OBS DID = 'ESO-VLT-DIC.OBS-1.11' / OBS Dictionary
ESO OBS EXECTIME = 0 / Expected execution time
ESO OBS GRP = '0' / linked blocks
ESO OBS ID = 200219190 / Observation block ID
ESO OBS NAME = 'HD 1000' / OB name
ESO OBS OBSERVER = 'UNKNOWN' / Observer Name
ESO OBS PI-COI ID = 7879 / ESO internal PI-COI ID
ESO OBS PI-COI NAME = 'UNKNOWN' / PI-COI name
ESO OBS PROG ID = '087.C-0991(A)' / ESO program identification
ESO OBS START = '2011-08-11T23:18:32' / OB start time
ESO OBS TARG NAME = 'HD 1000' / OB target name
ESO OBS TPLNO = 2 / Template number within OB
ESO TPL DID = 'ESO-VLT-DIC.TPL-1.9' / Data dictionary for TPL
ESO TPL EXPNO = 1 / Exposure number within template
ESO TPL ID = '{template}' / Template signature ID
ESO TPL NAME = '{template}' / Template name
ESO TPL NEXP = 1 / Number of exposures within templat
ESO TPL PRESEQ = '{template}.seq' / Sequencer script
ESO TPL START = '2011-08-11T23:23:32' / TPL start time
ESO TPL VERSION = '@(#) $Revision: 2.55 $' / Version of the templat
ESO DPR CATG = 'SCIENCE' / Observation category
ESO DPR TECH = 'ECHELLE' / Observation technique
ESO DPR TYPE = 'OBJECT' / Observation type
ESO OCS DET1 IMGNAME = '{template}_' / Data File Name
ESO OCS DET1 NAMING = 'Sequence-Naming' / Data File Naming Type
"""

TEL = """
ESO TEL AIRM END = 1.054 / Airmass at end
ESO TEL AIRM START = 1.04 / Airmass at start
ESO TEL ALT = 74.033 / Alt angle at start (deg)
ESO TEL AMBI FWHM END = 1.01 / Observatory Seeing queried from ASM
ESO TEL AMBI FWHM START = 1.05 / Observatory Seeing queried from ASM
ESO TEL AMBI PRES END = 743.37 / Observatory ambient air pressure queried
ESO TEL AMBI PRES START = 743.18 / Observatory ambient air pressure queried
ESO TEL AMBI RHUM = 8. / Observatory ambient relative humidity
ESO TEL AMBI TAU0 = 0.001364 / Average coherence time
ESO TEL AMBI TEMP = 12.93 / Observatory ambient temperature queried
ESO TEL AMBI WINDDIR = 152. / Observatory ambient wind direction
ESO TEL AMBI WINDSP = 9.25 / Observatory ambient wind speed queried
ESO TEL AZ = 28.134 / Az angle at start (deg) S=0,W=90
ESO TEL CHOP ST = F / True when chopping is active
ESO TEL DATE = '2000-01-01T00:00:00' / TCS installation date
ESO TEL DID = 'ESO-VLT-DIC.TCS' / Data dictionary for TEL
ESO TEL DOME STATUS = 'FULLY-OPEN' / Dome status
ESO TEL FOCU ID = 'CA' / Telescope focus station ID
ESO TEL FOCU LEN = 28.914 / Focal length (m)
ESO TEL FOCU SCALE = 7.120 / Focal scale (arcsec/mm)
ESO TEL FOCU VALUE = -29.899 / M2 setting (mm)
ESO TEL GEOELEV = 2400. / Elevation above sea level (m)
ESO TEL GEOLAT = -29.2584 / Tel geo latitute (+=North) (deg)
ESO TEL GEOLON = -70.7345 / Tel geo longitude (+=East) (deg)
ESO TEL ID = 'v 3.44+' / TCS version number
ESO TEL IA FWHM = 1.45 / Delivered seeing corrected by airmass
ESO TEL MOON DEC = -17.49229 / -17:29:32.2 DEC (J2000) (deg)
ESO TEL MOON RA = 299.85979 / 19:59:26.3 RA (J2000) (deg)
ESO TEL OPER = 'I, Condor' / Telescope Operator
ESO TEL PARANG END = 46.172 / Parallactic angle at end (deg)
ESO TEL PARANG START = 33.169 / Parallactic angle at start (deg)
ESO TEL TARG ALPHA = 152330.4 / Alpha coordinate for the target
ESO TEL TARG COORDTYPE = 'M' / Coordinate type (M=mean A=apparent)
ESO TEL TARG DELTA = -382128.8 / Delta coordinate for the target
ESO TEL TARG EPOCH = 2000. / Epoch
ESO TEL TARG EPOCHSYSTEM = 'J' / Epoch system (default J=Julian)
ESO TEL TARG EQUINOX = 2000. / Equinox
ESO TEL TARG PARALLAX = 0. / Parallax
ESO TEL TARG PMA = 0. / Proper Motion Alpha
ESO TEL TARG PMD = 0. / Proper motion Delta
ESO TEL TARG RADVEL = 0. / Radial velocity
ESO TEL TH M1 TEMP = -1.00 / M1 superficial temperature
ESO TEL TRAK STATUS = 'NORMAL' / Tracking status
ESO ADA ABSROT END = 90.04517 / Abs rot angle at exp end (deg)
ESO ADA ABSROT START = 90.04517 / Abs rot angle at exp start (deg)
ESO ADA GUID DEC = -38.28817 / Guide star DEC J2000
ESO ADA GUID RA = 230.949025 / Guide star RA J2000
ESO ADA GUID STATUS = 'ON' / Status of autoguider
ESO ADA POSANG = 0.00000 / Position angle at start
"""

DET = """
ESO DET BITS = 16 / Bits per pixel readout
ESO DET CHIPS = 2 / # of chips in detector array
ESO DET DATE = '2001-11-01' / Installation date
ESO DET DID = 'ESO-VLT-DIC.CCDDCS,ESO-VLT-DIC.FCDDCS' / Dictionary
ESO DET EXP NO = 12261 / Unique exposure ID number
ESO DET EXP RDTTIME = 22.557 / image readout time
ESO DET EXP TYPE = 'Normal' / Exposure type
ESO DET EXP XFERTIM = 22.507 / image transfer time
ESO DET FRAM ID = 1 / Image sequencial number
ESO DET FRAM TYPE = 'Normal' / Type of frame
ESO DET ID = 'CCD FIERA - Rev: 3.96' / Detector system Id
ESO DET NAME = '{detector}' / Name of detector system
ESO DET OUTPUTS = 2 / # of outputs
ESO DET READ CLOCK = '416kpx/rr' / Readout clock pattern used
ESO DET READ MODE = 'normal' / Readout method
ESO DET READ NFRAM = 1 / Number of readouts buffered in single frame
ESO DET READ SPEED = '416kHz,1,high' / Readout speed
ESO DET SHUT ID = 'SESO' / Shutter unique identifier
ESO DET SHUT TMCLOS = 0.021 / Time taken to close shutter
ESO DET SHUT TMOPEN = 0.020 / Time taken to open shutter
ESO DET SHUT TYPE = 'IRIS' / type of shutter
ESO DET SOFW MODE = 'Normal' / CCD sw operational mode
ESO DET TELE INT = 600.0 / Interval between two successive telemetry
ESO DET TELE NO = 3 / # of sources active
ESO DET WIN1 BINX = 1 / Binning factor along X
ESO DET WIN1 BINY = 1 / Binning factor along Y
ESO DET WIN1 DIT1 = 900.000671 / actual subintegration time
ESO DET WIN1 DKTM = 900.0787 / Dark current time
ESO DET WIN1 NDIT = 1 / # of subintegrations
ESO DET WIN1 NX = 4296 / # of pixels along X
ESO DET WIN1 NY = 4096 / # of pixels along Y
ESO DET WIN1 ST = T / If T, window enabled
ESO DET WIN1 STRX = 1 / Lower left pixel in X
ESO DET WIN1 STRY = 1 / Lower left pixel in Y
ESO DET WIN1 UIT1 = 900.000000 / user defined subintegration time
ESO DET WINDOWS = 1 / # of windows readout
"""

INS = """
ESO INS DATE = '2000-06-16' / Instrument release date (yyyy-mm-dd)
ESO INS DID = 'ESO-VLT-DIC.{instrument}_ICS-1.22' / Data dictionary for INS
ESO INS ID = '{instrument}/1.57' / Instrument ID.
ESO INS MODE = '{instrument}' / Instrument mode used.
ESO INS PATH = 'DEFAULT' / Optical path used.
ESO INS SWSIM = 'NORMAL' / Software simulation.
ESO INS ADC1 DEC = -74321.394970 / -~~:~~:~~.~ DEC (J2000) pointing
ESO INS ADC1 END = 321.8240 / Position angle at end [deg].
ESO INS ADC1 MODE = 'AUTO' / ADC mode.
ESO INS ADC1 RA = 151927.222260 / ~~:~~:~~.~ RA (J2000) pointing [deg]
ESO INS DET1 CTMAX = 2465. / Maximum count during exposure.
ESO INS DET1 CTMEAN = 1560.6 / Average counts during exposure.
ESO INS DET1 CTMIN = 444. / Minimum count during exposure.
ESO INS DET1 CTRMS = 275.28 / RMS of counts during exposure.
ESO INS DET1 CTTOT = 1406107. / Total counts during exposure.
ESO INS DET1 ID = 'EXPM' / Exposure meter identifier.
ESO INS DET1 NAME = 'ExpMeter' / Detector name.
ESO INS DET1 TMMEAN = 0.52 / Normalised mean exposure time.
ESO INS DET1 UIT = 1.000 / User defined Integration time [sec].
"""

_SENSOR_FIELDS = (
    ("DETCOEF", "1.000000", "RMS of linear regression slope."),
    ("GRAD", "0.000002", "Linear regression slope."),
    ("ID", "'PA{n:03d}'", "Temperature sensor ID."),
    ("LRCONST", "{t:.6f}", "Linear regression constant."),
    ("LRRMS", "0.000000", "Linear regression RMS."),
    ("MAX", "{high:.6f}", "Maximum value."),
    ("MEAN", "{t:.6f}", "Average value."),
    ("MIN", "{low:.6f}", "Minimum value."),
    ("NAME", "'Opt. Bench sensor {n}'", "Temperature sensor name."),
    ("RMS", "0.000500", "RMS of samples over exposure."),
    ("VAL", "{t:.3f}", "Temperature sensor numeric value."),
)


def sensor_cards(count: int, fields: int = len(_SENSOR_FIELDS), *, group: str = "INS TEMP") -> str:
    """Return `fields` cards (from the last) for each of `count` temperature sensors."""
    lines = []
    for number in range(1, count + 1):
        temperature = 17.0 + 0.01 * (number % 7)
        for name, value, comment in _SENSOR_FIELDS[-fields:]:
            text = value.format(n=number, t=temperature, low=temperature - 0.001, high=temperature + 0.001)
            lines.append(f"ESO {group}{number} {name} = {text} / {comment}")
    return "\n".join(lines)


def device_cards(instrument: str, count: int) -> str:
    """Return the cards of `count` slides, shutters and lamps of an instrument."""
    kinds = (("OPTI", "General optical device"), ("SHUT", "Shutter"), ("LAMP", "Lamp"), ("MIRR", "Mirror"))
    lines = []
    for number in range(count):
        kind, what = kinds[number % len(kinds)]
        name = f"ESO INS {kind}{number // len(kinds) + 1}"
        lines += [
            f"{name} ID = '{instrument[:4]}{number}' / {what} unique ID.",
            f"{name} NAME = 'OUT' / {what} common name.",
            f"{name} NO = {number % 4 + 1} / Slide position.",
            f"{name} ST = F / {what} active.",
        ]
    return "\n".join(lines)


def recipe_cards(recipe: str, calibrations: int, parameters: int) -> str:
    """Return the PRO group that a pipeline recipe writes: input, calibrations and parameters."""
    lines = [
        "ESO PRO DID = 'PRO-1.15' / Data dictionary for PRO",
        "ESO PRO TYPE = 'REDUCED' / Product type",
        "ESO PRO SCIENCE = T / Scientific product if T",
        f"ESO PRO REC1 ID = '{recipe}' / Pipeline recipe (unique) identifier",
        "ESO PRO REC1 DRS ID = 'cpl-6.1.1' / Data Reduction System identifier",
        f"ESO PRO REC1 PIPE ID = '{recipe[:4]}/5.1.5' / Pipeline (unique) identifier",
        "ESO PRO REC1 RAW1 NAME = 'RAW.2011-08-11T23:23:52.266.fits' / File name of raw frame",
        "ESO PRO REC1 RAW1 CATG = 'SCIENCE' / Category of raw frame",
    ]
    for number in range(1, calibrations + 1):
        lines += [
            f"ESO PRO REC1 CAL{number} NAME = 'MASTER_{number:02d}.fits' / File name of calibration frame",
            f"ESO PRO REC1 CAL{number} CATG = 'MASTER_{number:02d}' / Category of calibration frame",
            f"ESO PRO REC1 CAL{number} DATAMD5 = '{number * 0x9E3779B97F4A7C15:032x}' / MD5 signature",
        ]
    for number in range(1, parameters + 1):
        lines += [
            f"ESO PRO REC1 PARAM{number} NAME = 'reduce.option{number}' / Recipe parameter",
            f"ESO PRO REC1 PARAM{number} VALUE = '{number}' / Default: {number}",
        ]
    return "\n".join(lines)


def order_cards(count: int, *, ripple: bool = True) -> str:
    """Return the quality-control cards of `count` echelle orders."""
    lines = []
    for number in range(1, count + 1):
        lines += [
            f"ESO QC ORD{number} OBJ SN = {3.7 + 0.8 * number:.4f} / Av. S/N at order center",
            f"ESO QC ORD{number} OBJ POS = {9.4 - 0.0036 * number:.4f} / Av. OBJ POS at order center",
            f"ESO QC ORD{number} OBJ FWHM = 3.4105 / Av. FWHM on order",
        ]
        if ripple:
            lines.append(f"ESO QC ORD{number} OBJ RPLPAR = -1. / Av. relative ripple amplitude")
    return "\n".join(lines)

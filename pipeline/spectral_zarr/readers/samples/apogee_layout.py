"""Header text and table columns of APOGEE apStar and aspcapStar files."""

from __future__ import annotations

from spectral_zarr.readers.samples.cards import Column, row_dtype

PIXELS = 8575

STAR_HEAD = """
SIMPLE = T /image conforms to FITS standard
BITPIX = 16 /bits per data value
NAXIS = 0 /number of axes
EXTEND = T /file may contain extensions
DATE = '2016-01-26' / Creation UTC (CCCC-MM-DD) date of FITS header
COMMENT FITS (Flexible Image Transport System) format is defined in 'Astronomy
COMMENT and Astrophysics', volume 376, page 359; bibcode 2001A&A...376..359H
OBJID = '2M00452143+1634446' / Object ID
J = 13.0590 / 2MASS J magnitude
H = 12.0590 / 2MASS H magnitude
K = 11.3660 / 2MASS Ks magnitude
TARG1 = -2146828288 / First APOGEE targeting flag (bitwise, see docs)
TARG2 = 0 / Second APOGEE targeting flag (bitwise, see docs)
TARG3 = 0 / Third APOGEE targeting flag (bitwise, see docs)
SURVEY = 'apogee' / Survey name (for targeting flags)
TELESCOP = 'apo25m' / Telescope
LOCID = 4476 / LocationID
FIELD = '120-45' / Field name
RA = 11.3393040000 / right ascension, deg, J2000
DEC = 16.5790820000 / declination, deg, J2000
GLON = 120.824025923 / galactic longitude, deg, J2000
GLAT = -46.2676996110 / galactic latitude, deg, J2000
NVISITS = 3 / number of visit spectra combined
COMMENT MEAN VALUES:
VRAD = 0.00000 / Doppler shift (km/s) of this spectrum
VHELIO = 6.73279 / mean heliocentric velocity (km/s)
VSCATTER = 0.378796 / STDEV of VHELIO (km/s)
VERR = 0.0676797 / weighted error in VHELIO (km/s)
VERR_MED = 0.117598 / median error in VHELIO (km/s)
SVHELIO = 6.30111 / mean heliocentric velocity (km/s) from SYNTHVHELIO
SVERR = 0.0952481 / weighted error in SYNTHVHELIO
SVERR_ME = 0.165661 / median error of SYNTHVHELIO velocity (km/s) from
SVSCAT = 0.812045 / STDEV of SYNTHVHELIO (km/s)
SYNTHSCA = 0.449890 / STDEV of VHELIO-SYNTHVHELIO (km/s)
SNR = 79.0154 / final median Signal/Noise ratio
STARFLAG = 131076 / bitwise OR of individual visit starflags
ANDFLAG = 4 / bitwise AND of individual visit starflags
MEANFIB = 129.033 / S/N weighted mean fiber number
SIGFIB = 3.46410 / standard deviation (unweighted) of fiber number
RVFEH = -0.500000 / metallicity [Fe/H] from mini-grid cross correlation
RVTEFF = 2700.00 / effective temperature (K) from mini-grid cross cor
RVLOGG = 4.00000 / surface gravity (dex) from mini-grid cross corr
RVALPH = 0.00000 / alpha abundance for mini-grid cross correlation
RVCARB = 0.00000 / carbon abundance for mini-grid cross correlation
CCPFWHM = 70.6579 / FWHM of RV CCF of star with template (km/s)
AUTOFWHM = 19.0957 / FWHM of RV CCF of template with template (km/s)
"""

VISIT = """
COMMENT VISIT {n} INFORMATION:
SFILE{n} = 'apVisit-r6-6561-56587-131.fits' / Visit #{n} spectrum file
DATE{n} = '2013-10-22T05:06:52.142' / DATE-OBS of visit {n}
JD{n} = 2456587.73637 / Julian date of visit {n}
HJD{n} = 56587.7418962 / Reduced Heliocentric JD of visit {n}
FIBER{n} = 131 / Fiber, visit {n}
BC{n} = -6.46675 / Barycentric correction (km/s),visit {n}
VTYPE{n} = 3 / RV type (1=chisq, 2=xcorr) from visit {n}
VRAD{n} = 13.6288 / Doppler shift (km/s) of visit {n}
VERR{n} = 0.117598 / error in VRAD (km/s)
VHELIO{n} = 7.16206 / Heliocentric velocity (km/s), visit {n}
RVTEFF{n} = 2700.00 / effective temperature (K) from visit mini-grid
RVLOGG{n} = 4.00000 / surface gravity (dex) from visit mini-grid xcor
RVFEH{n} = -0.500000 / metallicity [Fe/H] from visit mini-grid xcorr
RVALPH{n} = 0.00000 / alpha abundance from visit mini-grid xcorr
RVCARB{n} = 0.00000 / carbon abundance from visit mini-grid xcorr
SNRVIS{n} = 39.9079 / Signal/Noise ratio, visit {n}
FLAG{n} = 4 / STARFLAG for visit {n}
"""

_WCS = """
CRVAL1 = 4.17900000000 /{0}
CDELT1 = 6.00000000000E-06 /{1}
CRPIX1 = 1 /{2}
CTYPE1 = 'LOG-LINEAR' /{3}
DC-FLAG = 1 /{3}
"""

STAR_TAIL = (
    """
RMIN = 6301 / Min pixel of red chip contrib, any frame
RMAX = 8366 / Maxmm pixel of red chip contrib, any frame
GMIN = 3545 / Min pixel of green chip contrib, any frame
GMAX = 6113 / Maxm pixel of green chip contrib, any frame
BMIN = 206 / Min pixel of blue chip contrib, any frame
BMAX = 3306 / Maxm pixel of blue chip contrib, any frame
ROVERMIN = 6305 / Min pixel of red chip contrib, all frames
ROVERMAX = 8362 / Max pixel of red chip contrib, all frames
GOVERMIN = 3548 / Min pixel of green chip contrib, all frames
GOVERMAX = 6109 / Max pixel of green chip contrib, all frames
BOVERMIN = 210 / Minimum pixel of blue chip contrib, all frames
BOVERMAX = 3302 / Maximum pixel of blue chip contrib, all frames
COMMENT Wavelength polynomial coefficients (Ang):
NWAVE = 8575 /Number of wavelengths in subsequent HDUs
"""
    + _WCS.format(
        "Start log10(wavelength) in subsequent HDUs",
        "Dispersion in log10(wavelength) in subsequent HDUs",
        "Pixel of starting wavelength in subsequent HDUs",
        "Logarithmic wavelength scale in subsequent HDUs",
    )
    + """
HISTORY APSTAR: Tue Jan 26 08:07:52 2016
HISTORY APSTAR: The data are in separate extensions:
HISTORY APSTAR:  HDU0 = Header only
HISTORY APSTAR:  All image extensions have:
HISTORY APSTAR:    row 1: combined spectrum with individual pixel weighting
HISTORY APSTAR:    row 2: combined spectrum with global weighting
HISTORY APSTAR:    row 3-nvisits+2: individual resampled visit spectra
HISTORY APSTAR:   unless nvisits=1, which only have a single row
HISTORY APSTAR:  All spectra shifted to rest (vacuum) wavelength scale
HISTORY APSTAR:  HDU1 - Flux (10^-17 ergs/s/cm^2/Ang)
HISTORY APSTAR:  HDU2 - Error (10^-17 ergs/s/cm^2/Ang)
HISTORY APSTAR:  HDU3 - Flag mask:
HISTORY APSTAR:    row 1: bitwise OR of all visits
HISTORY APSTAR:    row 2: bitwise AND of all visits
HISTORY APSTAR:    row 3-nvisits+2: individual visit masks
HISTORY APSTAR:  HDU4 - Sky (10^-17 ergs/s/cm^2/Ang)
HISTORY APSTAR:  HDU5 - Sky Error (10^-17 ergs/s/cm^2/Ang)
HISTORY APSTAR:  HDU6 - Telluric
HISTORY APSTAR:  HDU7 - Telluric Error
HISTORY APSTAR:  HDU8 - LSF coefficients
HISTORY APSTAR:  HDU9 - RV and CCF structure
"""
)

IMAGE_WCS = _WCS.format("", "", "", "")

STAR_UNITS = (
    "Flux (10^-17 erg/s/cm^2/Ang)",
    "Error (10^-17 erg/s/cm^2/Ang)",
    "Flag Mask (bitwise)",
    "Sky (10^-17 erg/s/cm^2/Ang)",
    "Sky error (10^-17 erg/s/cm^2/Ang)",
    "Telluric",
    "Telluric error",
)

LSF = """
XTENSION = 'IMAGE   ' / IMAGE extension
BITPIX = -64 / Number of bits per data pixel
NAXIS = 1 / Number of data axes
NAXIS1 = 26 /
PCOUNT = 0 / No Group Parameters
GCOUNT = 1 / One Data Group
CTYPE1 = 'Parameters' /
BUNIT = 'LSF Coefficients' /
HISTORY LSF Coefficients to be used with LSF_GH.PRO:
HISTORY   binsize  The width of a pixel in X-units.
HISTORY   X0       An additive x-offset.
HISTORY   Horder   The highest Hermite order.
HISTORY   Porder   The polynomial order of each LSF parameter.
HISTORY   GHcoefs  The polynomial coefficients.
"""

ASPCAP_PRIMARY = """
SIMPLE = T /image conforms to FITS standard
BITPIX = 16 /bits per data value
NAXIS = 0 /number of axes
EXTEND = T /file may contain extensions
DATE = '2016-03-11' / Creation UTC (CCCC-MM-DD) date of FITS header
COMMENT FITS (Flexible Image Transport System) format is defined in 'Astronomy
COMMENT and Astrophysics', volume 376, page 359; bibcode 2001A&A...376..359H
IDLVER = '8.1 linux x86_64' /IDL Version
IDLUTVER = 'v5_5_10' /Software version of IDLUTILS
IDLWRAP = 'v50' /Software version of IDLWRAP
FERRE = 'v461a' /Software version of FERRE
SPECLIB = 'v17' /Software version of SPECLIB
OBJ = '2M00452143+1634446' / Object ID
RA = 11.3393040000 / RA (J2000)
DEC = 16.5790820000 / DEC (J2000)
GLON = 120.824025923 / Galactic longitude
GLAT = -46.2676996110 / Galactic latitude
J = 13.0590 / 2MASS J magnitude
H = 12.0590 / 2MASS H magnitude
K = 11.3660 / 2MASS Ks magnitude
LOCID = 4476 / LOCATION ID
FIELD = '120-45' / Field
TARG1 = -2146828288 / APOGEE_TARGET1 target flag
TARG2 = 0 / APOGEE_TARGET2 target flag
AKTARG = 0.0257536 / Targeting extinction
AKMETHOD = 'SFD             ' / extinction method used for targeting
AKWISE = NAN / WISE extinction
SFD_EBV = 0.0852768 / SFD E(B-V)
SNR = 79.0154 / signal-to-noise
VRAD = 0.00000 / radial velocity of this spectrum
VHELIO = 6.73279 / heliocentric velocity (km/s)
VSCATTER = 0.378796 / STDEV of VHELIO
VERR = 0.0676797 / weighted error of VHELIO
NVISITS = 3 / number of visits
"""

_ASPCAP_TEXT = (
    "FILE:28A RED_VERS:5A FIELD:8A LOCATION_ID:J APOGEE_ID:18A RA:D DEC:D GLON:D GLAT:D J:E H:E K:E AK_TARG:E "
    "AK_TARG_METHOD:16A AK_WISE:E SFD_EBV:E APOGEE_TARGET1:J APOGEE_TARGET2:J TARGFLAGS:30A STARFLAG:J ANDFLAG:J "
    "SNR:E SNREV:E VRAD:E VHELIO:E VSCATTER:E VERR:E NVISITS:I VISIT:I RV_CCFWHM:E RV_AUTOFWHM:E MEANFIB:E "
    "SIGFIB:E VISITFILES:A CLASS:4A PARAM:9E PARAM_COV:81E FPARAM:9E FPARAM_COV:81E PARAMFLAG:9J PARAM_CHI2:E "
    "ASPCAPFLAG:J NDIM:I NOV:I INDV:9I NRUNS:I INIT:I INDINI:9I INTER:I NTHREADS:I PCAPROJECT:I PCACHI:I "
    "F_FORMAT:I F_ACCESS:I ALGOR:I MONO:I LSF:I ERRBAR:I FILTERFILE:107A BADFRAC:E FPARAM_CLASS:207E "
    "CHI2_CLASS:23E FELEM:26E FELEM_ERR:26E ELEM:26E ELEM_ERR:26E X_H:26E X_H_ERR:26E X_M:26E X_M_ERR:26E "
    "ELEM_CHI2:26E ELEMFLAG:26I"
)
ASPCAP_COLUMNS = tuple(Column(*word.split(":")) for word in _ASPCAP_TEXT.split())
ASPCAP_DIMENSIONS = """
TDIM2 = '(5, 1)  ' /
TDIM37 = '( 9, 9) ' /
TDIM39 = '( 9, 9) ' /
TDIM59 = '(107, 1)' /
TDIM61 = '( 9, 23)' /
"""


def velocity_columns(visits: int) -> tuple[Column, ...]:
    """Return the columns of the radial-velocity table of an apStar file."""
    rows = 1 if visits == 1 else visits + 2
    n = "" if visits == 1 else str(visits)
    forms = (
        f"FILE:{30 * visits}A FIBER:{n}I PLATE:{4 * visits}A MJD:{n}J LOCID:{n}I JD:{n}D VREL:{n}E VRELERR:{n}E "
        f"VHELIO:{n}E BC:{n}E BINARY:2I STABLERV_CHI2:2E STABLERV_RCHI2:2E CHI2_THRESHOLD:2E STABLERV_CHI2_PROB:2E "
        f"TEFF:E LOGG:E FEH:E ALPHA:E CARBON:E SYNTHVREL:{n}E SYNTHVHELIO:{n}E SYNTHVRELERR:{n}E CCF:{401 * rows}E "
        f"CCFERR:{401 * rows}E CCFLAG:401E CCFW0:D CCFDW:D AUTOCF:401E"
    )
    return tuple(Column(*word.split(":")) for word in forms.split())


def idl_table_text(columns: tuple[Column, ...], dimensions: str) -> str:
    """Return the cards of a one-row table in the order in which IDL's MWRFITS writes them."""
    lines = [
        "XTENSION = 'BINTABLE' /Binary table written by MWRFITS v1.11",
        "BITPIX = 8 /Required value",
        "NAXIS = 2 /Required value",
        f"NAXIS1 = {row_dtype(columns).itemsize} /Number of bytes per row",
        "NAXIS2 = 1 /Number of rows",
        "PCOUNT = 0 /Normally 0 (no varying arrays)",
        "GCOUNT = 1 /Required value",
        f"TFIELDS = {len(columns)} /Number of columns in table",
        "COMMENT\nCOMMENT  *** End of mandatory fields ***\nCOMMENT\nCOMMENT\nCOMMENT  *** Column names ***\nCOMMENT",
    ]
    lines += [f"TTYPE{number} = '{column.name}' /" for number, column in enumerate(columns, 1)]
    lines.append("COMMENT\nCOMMENT  *** Column formats ***\nCOMMENT")
    lines += [f"TFORM{number} = '{column.form}' /" for number, column in enumerate(columns, 1)]
    lines.append("COMMENT\nCOMMENT  *** Column dimensions (2 D or greater) ***\nCOMMENT")
    return "\n".join((*lines, dimensions))

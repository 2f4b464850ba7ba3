"""Header text and table columns of SDSS spec files."""

from __future__ import annotations

from spectral_zarr.readers.samples.cards import Column

PRIMARY = """
SIMPLE = T / conforms to FITS standard
BITPIX = 8 / array data type
NAXIS = 0 / number of array dimensions
EXTEND = T
TELESCOP = 'SDSS 2.5-M' / Sloan Digital Sky Survey
FLAVOR = 'science' / exposure type, SDSS spectro style
BOSSVER = '2' / ICC version
MJD = 55181 / APO MJD day at start of exposure
MJDLIST = '55181' /
TAI-BEG = 4767690000.00 / MJD(TAI) seconds at start of exposure
TAI-END = 4767690900.00 / MJD(TAI) seconds at end of exposure
DATE-OBS = '2009-12-16T02:13:20' / TAI date at start of exposure
TIMESYS = 'TAI' / TAI, not UTC
NAME = '3586-55171-01' / The name of the currently loaded plate
PLATEID = 3586 / The currently loaded plate
TILEID = 10050 /Cartridge used in this plugging
CARTID = 13 /Cartridge used in this plugging
MAPID = 1 / The mapping version of the loaded plate
CONFIID = 0 / Configuration of the fibres
OBSERVER = 'dmbiz'
RA = 8.001738 / RA of telescope boresight (deg)
DEC = 0.001221 / Dec of telescope boresight (deg)
EQUINOX = 2000.00 /
RADECSYS = 'FK5' /
RADEG = 8.0 / RA of telescope pointing(deg)
DECDEG = 0.0 / Dec of telescope pointing (deg)
AIRMASS = 1.20 / Airmass at the middle of the exposures
ALT = 56.4 / Altitude of telescope (deg)
AZ = 172.2 / Azimuth of telescope (deg)
ROTTYPE = 'Obj' / Rotator request type
ROTPOS = 0.0 / Rotator request position (deg)
OBJSYS = 'ICRS' / The TCC objSys
BOREOFFX = 0.0 / TCC Boresight offset, deg
BOREOFFY = 0.0 / TCC Boresight offset, deg
ARCOFFX = 0.0 / TCC ObjArcOff, deg
ARCOFFY = 0.0 / TCC ObjArcOff, deg
GUIDOFFX = 0.0 / TCC GuideOff, deg
GUIDOFFY = 0.0 / TCC GuideOff, deg
FOCUS = 128.4 / User-specified focus offset (um)
M2PISTON = 2180.6 / TCC SecOrient
M2XTILT = -2.6 / TCC SecOrient
M2YTILT = -12.9 / TCC SecOrient
SEEING20 = 0.9 / 20th percentile seeing
SEEING50 = 1.2 / 50th percentile seeing
SEEING80 = 1.4 / 80th percentile seeing
PRESSURE = 21.5 / APO atmospheric pressure
WINDD = 214.8 / wind direction
WINDS = 12.8 / wind speed
GUSTS = 18.1 / wind gusts
AIRTEMP = 5.0 / air temperature (deg C)
DEWPOINT = -6.2 / dew point (deg C)
HUMIDITY = 35.6 / humidity (percent)
DUSTA = 21972.1 / particle counter
MC2HUMHT = 43.6 / sp2 mech Hartmann humidity, %
MC2HUMCO = 23.8 / sp2 mech Central optics humidity, %
MC2TEMDN = 1.6 / sp2 mech Median temp, C
MC2THT = 1.4 / sp2 mech Hartmann Top Temp, C
MC2TRCB = 1.6 / sp2 mech Red Cam Bottom Temp, C
MC2TRCT = 1.7 / sp2 mech Red Cam Top Temp, C
MC2TBCB = 1.1 / sp2 mech Blue Cam Bottom Temp, C
MC2TBCT = 2.1 / sp2 mech Blue Cam Top Temp, C
BESTEXP = 104929 /
NEXP_B1 = 7 / b1 camera number of exposures
NEXP_R1 = 7 / r1 camera number of exposures
EXPT_B1 = 6302.00 / b1 camera exposure time (seconds)
EXPT_R1 = 6302.00 / r1 camera exposure time (seconds)
EXPTIME = 6302.00 / Minimum of exposure times for all cameras
SPCOADD = 'Fri May 27 20:24:09 2016' / SPCOADD finished
QUALITY = 'excellent' / night/image quality
SHOPETIM = 0.715 / open shutter transit time, s
SHCLOTIM = 0.57 / close shutter transit time, s
VERSIDL = '7.1.1' / Version of IDL
VERSUTIL = 'v5_5_17' / Version of idlutils
VERSREAD = 'v5_10_0' / Version of idlspec2d for pre-processing raw dat
VERS2D = 'v5_10_0' / Version of idlspec2d for 2D reduction
VERSCOMB = 'v5_10_0' / Version of idlspec2d for combining multiple spe
VERSLOG = 'trunk 23369' / Version of SPECLOG product
VERSFLAT = 'v1_25' / Version of SPECFLAT product
RDNOISE0 = 2.01619 /CCD read noise amp 0 [electrons]
BADPIXEL = 'badpixels-55056-b1.fits.gz' /
RUN2D = 'v5_10_0' / Spectro-2D reduction name
REDDEN01 = 0.111600 / Median extinction in u-band
REDDEN02 = 0.0821000 / Median extinction in g-band
REDDEN03 = 0.0595000 / Median extinction in r-band
REDDEN04 = 0.0452000 / Median extinction in i-band
REDDEN05 = 0.0320000 / Median extinction in z-band
PLUGFILE = 'plPlugMapM-3586-55171-01.par' /
HELIO_RV = 29.4926864173 / Heliocentric correction (added to velocities)
VACUUM = T / Wavelengths are in vacuum
SFLATTEN = T / Superflat has been applied
PSFSKY = 3 / Order of PSF skysubtraction
SKYCHI2 = 1.06857280535 / Mean chi^2 of sky-subtraction
SCHI2MIN = 0.981637551179 /
SCHI2MAX = 1.29157655262 /
PREJECT = 0.200000 / Profile area rejection threshold
SPEC1_G = 14.1637 / (S/N)^2 for spec  1 at mag 21.20
SN2EXT1G = 14.1637 / Extinction corrected (S/N)^2
SPEC1_R = 31.8241 / (S/N)^2 for spec  1 at mag 20.20
SN2EXT1R = 31.8241 / Extinction corrected (S/N)^2
SPEC1_I = 23.3642 / (S/N)^2 for spec  1 at mag 20.20
SN2EXT1I = 23.3642 / Extinction corrected (S/N)^2
NSTD = 20 / Number of (good) std stars
GOFFSTD = -0.000381470 / Spectrophoto offset for std stars in G-band
GRMSSTD = 0.0376871 / Spectrophoto RMS for std stars in G-band
ROFFSTD = 0.00690842 / Spectrophoto offset for std stars in R-band
RRMSSTD = 0.0492916 / Spectrophoto RMS for std stars in R-band
IOFFSTD = -0.00219822 / Spectrophoto offset for std stars in I-band
IRMSSTD = 0.0727228 / Spectrophoto RMS for std stars in I-band
GROFFSTD = 0.0112057 / Spectrophoto offset for std stars in (GR)
GRRMSSTD = 0.0506262 / Spectrophoto RMS for std stars in (GR)
RIOFFSTD = -0.00499535 / Spectrophoto offset for std stars in (RI)
RIRMSSTD = 0.0333365 / Spectrophoto RMS for std stars in (RI)
LOWREJ = 4 / Extraction: low rejection
HIGHREJ = 4 / Extraction: high rejection
SCATPOLY = 0 / Extraction: Order of scattered light polynomial
PROFTYPE = 1 / Extraction profile: 1=Gaussian
NFITPOLY = 1 / Extraction: Number of parameters in each profil
XCHI2 = 0.00000 / Extraction: Mean chi^2
NWORDER = 2 / Linear-log10 coefficients
WFITTYPE = 'LOG-LINEAR' / Linear-log10 dispersion
COEFF0 = 3.5516 / Central wavelength (log10) of first pixel
COEFF1 = 0.000100000000000 / Log10 dispersion per pixel
FBADPIX = 0.0207044 / Fraction of bad pixels
FBADPIX1 = 0.0130734 / Fraction of bad pixels on spectro-1
FBADPIX2 = 0.0283353 / Fraction of bad pixels on spectro-2
WAT0_001 = 'system=linear' /
WAT1_001 = 'wtype=linear label=Wavelength units=Angstroms' /
DC-FLAG = 1 / Log-linear flag
BUNIT = '1E-17 erg/cm^2/s/Ang' /
PLUG_RA = 6.713738599999999 / RA of object [deg]
PLUG_DEC = 0.012459214 / dec of object [deg]
THING_ID = 96714281 / Unique object identifier
FIBERID = 500 / Fiber number (1-1000)
NEXP = 14 / Number of individual exposures
"""


def _columns(text: str) -> tuple[Column, ...]:
    return tuple(Column(*word.split(":")) for word in text.split())


COADD = _columns("flux:E loglam:E ivar:E and_mask:J or_mask:J wdisp:E sky:E model:E")

SPECOBJ = _columns(
    "SURVEY:6A INSTRUMENT:4A CHUNK:16A PROGRAMNAME:23A PLATERUN:16A PLATEQUALITY:8A PLATESN2:E DEREDSN2:E "
    "LAMBDA_EFF:E BLUEFIBER:J ZOFFSET:E SNTURNOFF:E NTURNOFF:J SPECPRIMARY:B SPECSDSS:B SPECLEGACY:B SPECSEGUE:B "
    "SPECSEGUE1:B SPECSEGUE2:B SPECBOSS:B BOSS_SPECOBJ_ID:J SPECOBJID:22A FLUXOBJID:19A BESTOBJID:19A "
    "TARGETOBJID:22A PLATEID:19A NSPECOBS:I FIRSTRELEASE:4A RUN2D:7A RUN1D:7A DESIGNID:J CX:D CY:D CZ:D XFOCAL:E "
    "YFOCAL:E SOURCETYPE:19A TARGETTYPE:8A PRIMTARGET:J SECTARGET:J LEGACY_TARGET1:J LEGACY_TARGET2:J "
    "SPECIAL_TARGET1:K SPECIAL_TARGET2:K SEGUE1_TARGET1:J SEGUE1_TARGET2:J SEGUE2_TARGET1:J SEGUE2_TARGET2:J "
    "MARVELS_TARGET1:J MARVELS_TARGET2:J BOSS_TARGET1:K BOSS_TARGET2:K ANCILLARY_TARGET1:K ANCILLARY_TARGET2:K "
    "SPECTROGRAPHID:I PLATE:J TILE:J MJD:J FIBERID:J OBJID:5J PLUG_RA:D PLUG_DEC:D CLASS:6A SUBCLASS:21A Z:E "
    "Z_ERR:E RCHI2:E DOF:J RCHI2DIFF:E TFILE:24A TCOLUMN:10J NPOLY:J THETA:10E VDISP:E VDISP_ERR:E VDISPZ:E "
    "VDISPZ_ERR:E VDISPCHI2:E VDISPNPIX:E VDISPDOF:J WAVEMIN:E WAVEMAX:E WCOVERAGE:E ZWARNING:J SN_MEDIAN_ALL:E "
    "SN_MEDIAN:5E CHI68P:E FRACNSIGMA:10E FRACNSIGHI:10E FRACNSIGLO:10E SPECTROFLUX:5E SPECTROFLUX_IVAR:5E "
    "SPECTROSYNFLUX:5E SPECTROSYNFLUX_IVAR:5E SPECTROSKYFLUX:5E ANYANDMASK:J ANYORMASK:J SPEC1_G:E SPEC1_R:E "
    "SPEC1_I:E SPEC2_G:E SPEC2_R:E SPEC2_I:E ELODIE_FILENAME:25A ELODIE_OBJECT:21A ELODIE_SPTYPE:10A ELODIE_BV:E "
    "ELODIE_TEFF:E ELODIE_LOGG:E ELODIE_FEH:E ELODIE_Z:E ELODIE_Z_ERR:E ELODIE_Z_MODELERR:E ELODIE_RCHI2:E "
    "ELODIE_DOF:J Z_NOQSO:E Z_ERR_NOQSO:E ZWARNING_NOQSO:J CLASS_NOQSO:6A SUBCLASS_NOQSO:21A RCHI2DIFF_NOQSO:E "
    "Z_PERSON:E CLASS_PERSON:J Z_CONF_PERSON:J COMMENTS_PERSON:1A CALIBFLUX:5E CALIBFLUX_IVAR:5E"
)

SPZLINE = _columns(
    "PLATE:J MJD:J FIBERID:J LINENAME:13A LINEWAVE:D LINEZ:E LINEZ_ERR:E LINESIGMA:E LINESIGMA_ERR:E LINEAREA:E "
    "LINEAREA_ERR:E LINEEW:E LINEEW_ERR:E LINECONTLEVEL:E LINECONTLEVEL_ERR:E LINENPIXLEFT:J LINENPIXRIGHT:J "
    "LINEDOF:E LINECHI2:E"
)

# Names and vacuum wavelengths of the lines that the pipeline fits.
LINES = (
    ("Ly_alpha", 1215.67), ("N_V 1240", 1240.81), ("C_IV 1549", 1549.48), ("He_II 1640", 1640.42),
    ("C_III] 1908", 1908.734), ("Mg_II 2799", 2800.3152), ("[O_II] 3725", 3727.0917), ("[O_II] 3727", 3729.8754),
    ("[Ne_III] 3868", 3869.8568), ("H_epsilon", 3890.1511), ("[Ne_III] 3970", 3971.1232), ("H_delta", 4102.8916),
    ("H_gamma", 4341.6843), ("[O_III] 4363", 4364.4353), ("He_II 4685", 4686.9914), ("H_beta", 4862.683),
    ("[O_III] 4959", 4960.2949), ("[O_III] 5007", 5008.2396), ("He_II 5411", 5413.0244), ("[O_I] 5577", 5578.8877),
    ("[O_I] 6300", 6302.0464), ("[S_III] 6312", 6313.8055), ("[O_I] 6363", 6365.5354), ("[N_II] 6548", 6549.8589),
    ("H_alpha", 6564.6139), ("[N_II] 6583", 6585.2684), ("[S_II] 6716", 6718.2942), ("[S_II] 6730", 6732.6781),
    ("[Ar_III] 7135", 7137.7571),
)  # fmt: skip

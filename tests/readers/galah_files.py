"""Files with the layout of GALAH release 3, after its documentation (Data Central, GALAH DR3 spectra)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

WINDOWS = ((4713.5, 0.046), (5649.0, 0.055), (6478.0, 0.063), (7585.0, 0.074))
"""First wavelength and step of each CCD in Angstrom, near those of real files."""


def release_3(
    directory: Path,
    ccd: int,
    *,
    star: str = "170418003701205",
    n_pix: int = 400,
    n_hdus: int = 5,
    first_pixel: float = 1.0,
    **cards: Any,
) -> Path:
    """Write one CCD: flux, relative error, both without sky subtraction, normalised flux.

    The normalised flux is shorter and lies on the wavelengths of the rest frame.

    Parameters
    ----------
    directory : Path
        Where to write.
    ccd : int
        1 to 4.
    star : str
        Identifier of fifteen digits.
    n_pix, n_hdus : int
        Pixels and HDUs; the fifth HDU is the normalised flux.
    first_pixel : float
        CRPIX1, which is 0 in some files and 1 in others.
    **cards
        Cards of the primary header.
    """
    start, step = WINDOWS[ccd - 1]
    random = np.random.default_rng(int(star) + ccd)
    flux = random.normal(3000, 40, n_pix).astype("f4")
    relative = random.uniform(0.01, 0.05, n_pix).astype("f4")
    relative[[3, 7]] = -0.2, 0
    hdus = [fits.PrimaryHDU(flux), fits.ImageHDU(relative, name="input_sigma")]
    hdus += [fits.ImageHDU(flux + 90, name="no_sky_subspectrum"), fits.ImageHDU(relative * 1.1)]
    hdus += [fits.ImageHDU((flux / 3000).astype("f8")[: n_pix - 20], name="normalised spectra")]
    for number, hdu in enumerate(hdus):
        shift = 1.0 - 21.55 / 299792.458 if number == 4 else 1.0
        axis = {"CTYPE1": "LINEAR", "CUNIT1": "Angstroms", "CRVAL1": start * shift, "CDELT1": step * shift}
        hdu.header.update({**axis, "CRPIX1": first_pixel})
    facts = {"ORIGIN": "GALAH DR3", "BARYEFF": 12.25, "CCD": ccd, "RVCOM": "None", "SNR": 40.0 + ccd, "GAIA_ID": "None"}
    facts |= {"UTMJD": 57861.625, "MEANRA": 10.0, "MEANDEC": -20.0, "TEFF_R": 5555.0, "OBJECT": "a,b", "NCOMBINE": 3}
    path = directory / f"{star}{ccd}.fits"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in {**facts, **cards}.items():
            hdus[0].header[keyword] = value
        fits.HDUList(hdus[:n_hdus]).writeto(path)
    return path

"""PHOENIX-ACES model spectra of Husser et al.: high and medium resolution, and intensities by angle."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import BadWavelength, MissingField
from spectral_zarr.model import Observation, Pixels, Sampling, Spectrum
from spectral_zarr.readers.axis import affine_sampling
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.synthetic import MODEL_POLICY, finite, model_observation, model_stem, scaled_metals
from spectral_zarr.readers.wavelength_files import grid_wavelengths

WAVELENGTH_FILE = "WAVE_PHOENIX-ACES-AGSS-COND-2011.fits"

_LARGEST_LOGARITHM = 15.0
_R10000_STEP = 1e-5
_NAME = re.compile(
    r"lte(?P<teff>\d{5})[-+](?P<logg>\d\.\d\d)(?P<m_h>[-+]\d\.\d)(?:\.Alpha=(?P<alpha_m>[-+]\d\.\d\d))?(?=\.PHOENIX|\Z)"
)


class PhoenixFlux:
    """Surface flux of one model.

    Goettingen spectral library (Husser et al. 2013, A&A 553, A6): the primary image is the flux in erg s-1 cm-2 cm-1.
    Files of high resolution have no axis; their 1,569,128 wavelengths are in ``WAVE_PHOENIX-ACES-AGSS-COND-2011.fits``.
    Files of medium resolution have CRVAL1 and CDELT1, of ln(wavelength) at R = 10,000. All wavelengths are in vacuum:
    the label ``AWAV-LOG`` of the files at R = 10,000 is wrong, their lines lie at vacuum positions.
    """

    name = "phoenix-aces"
    version = "1"
    title = "PHOENIX-ACES model fluxes (HiResFITS with its WAVE file, R = 10,000)"
    priority = 0
    policy = MODEL_POLICY
    beside = r"WAVE_PHOENIX-.*\.fits(\.gz)?"

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        return "PHXTEFF" in file.primary and _is_line(file.hdus[0].shape)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, flux = file.primary, file.hdus[0].image().reshape(-1)
        stem = model_stem(file.name)
        sampling, resolving_power = _sampling(file, options, flux.size)
        yield Spectrum(
            spec_id=stem,
            flux=flux,
            flux_unit=header.text("BUNIT") or "erg/s/cm^2/cm",
            sampling=sampling,
            observation=_observation(header, resolving_power=resolving_power),
            params=_params(header, stem, file.name),
            header=project([(0, header)], policy),
        )


class PhoenixIntensity:
    """Specific intensities of one model, a spectrum for each angle.

    ``SpecIntFITS`` of the same library: the primary image has a row for each cosine of the angle from the normal, the
    cosines are in the HDU ``MU``. Linear axis by CRVAL1 and CDELT1 in Angstrom, vacuum.
    """

    name = "phoenix-intensity"
    version = "1"
    title = "PHOENIX-ACES specific intensities (SpecIntFITS), one spectrum per angle"
    priority = 0
    policy = MODEL_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        shape = file.hdus[0].shape
        return "PHXTEFF" in file.primary and len(shape) == 2 and not _is_line(shape)

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, intensity = file.primary, file.hdus[0].image()
        angles = _angles(file, intensity.shape[0])
        stem = model_stem(file.name)
        params = _params(header, stem, file.name)
        unit = header.text("BUNIT")
        projected = project([(0, header)], policy)
        sampling, _ = _sampling(file, options, intensity.shape[1])
        for row, angle in enumerate(angles):
            mu = float(angle)
            yield Spectrum(
                spec_id=f"{stem}_mu{np.format_float_positional(angle, trim='-')}",
                flux=intensity[row],
                flux_unit=unit if canonical_unit(unit) else "erg/s/cm^2/cm/sr",
                sampling=sampling,
                observation=_observation(header, flux_type="intensity"),
                params={**params, "mu": mu},
                header=projected,
                row=row,
            )


def _is_line(shape: tuple[int, ...]) -> bool:
    return bool(shape) and shape[-1] > 1 and all(length == 1 for length in shape[:-1])


def _sampling(file: FitsFile, options: ReaderOptions, n_pix: int) -> tuple[Sampling, float]:
    """The axis, and the resolving power that it tells (NaN)."""
    header = file.primary
    value = header.number("CRVAL1")
    if not math.isfinite(value):
        values = grid_wavelengths(file, (WAVELENGTH_FILE, f"{WAVELENGTH_FILE}.gz"), options, n_pix=n_pix)
        return Sampling(unit="Angstrom", medium="vacuum", values=values), math.nan
    logarithmic = value < _LARGEST_LOGARITHM
    axis = header.text("CTYPE1").upper()
    if axis and logarithmic != ("LOG" in axis):
        message = f"CTYPE1 = '{axis}' and CRVAL1 = {value:g} contradict each other; fetch the file again"
        raise BadWavelength(message, path=file.name, hdu=0)
    unit = header.text("CUNIT1") or "Angstrom"
    sampling = affine_sampling(
        header, n_pix, path=file.name, unit=unit, medium="vacuum", scale="ln" if logarithmic else "linear"
    )
    known = logarithmic and math.isclose(sampling.step, _R10000_STEP, rel_tol=1e-6)
    return sampling, 1e4 if known else math.nan


def _angles(file: FitsFile, n_rows: int) -> Pixels:
    hdu = file.named("MU")
    if hdu is None:
        raise MissingField("no HDU MU, so the angles of the intensities are unknown; fetch it again", path=file.name)
    angles = (hdu.column_data(hdu.layout.columns[0]) if hdu.kind == "table" else hdu.image()).reshape(-1)
    if angles.size != n_rows:
        message = f"{angles.size} angles for {n_rows} rows of intensities; the file is damaged"
        raise MissingField(message, path=file.name, hdu=hdu.index)
    return angles


def _observation(header: Header, *, flux_type: str = "flux", resolving_power: float = math.nan) -> Observation:
    return model_observation("PHOENIX-ACES-2011", "header", flux_type=flux_type, resolving_power=resolving_power)


def _params(header: Header, stem: str, name: str) -> dict[str, float]:
    match = _NAME.match(stem)
    named = {key: float(text) for key, text in match.groupdict(default="0").items()} if match else {}
    values = {
        "teff": header.number("PHXTEFF"),
        "logg": header.number("PHXLOGG"),
        "m_h": header.number("PHXM_H"),
        "alpha_m": header.number("PHXALPHA"),
        "vmic": header.number("PHXXI_L"),
    }
    params = {**named, **finite(values)}
    if not {"teff", "logg", "m_h"} <= set(params):
        raise MissingField("PHXTEFF, PHXLOGG or PHXM_H is missing from the header; fetch it again", path=name, hdu=0)
    return {**params, **scaled_metals(params["m_h"])}


READERS = (PhoenixFlux(), PhoenixIntensity())

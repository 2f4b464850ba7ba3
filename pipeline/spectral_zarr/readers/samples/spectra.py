"""Plausible stellar fluxes: one line template per wavelength range, a black body and photon noise."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

LIGHT_SPEED = 299_792.458
# Vacuum wavelength in Angstrom, optical depth in the core, full width in km/s: the lines a reader may look for.
_STRONG_LINES = (
    (3934.77, 4.0, 260.0), (3969.59, 3.6, 240.0), (4102.89, 1.1, 250.0), (4227.92, 1.4, 60.0), (4341.68, 1.2, 260.0),
    (4862.68, 1.3, 270.0), (5168.76, 1.3, 50.0), (5174.13, 1.5, 60.0), (5185.05, 1.6, 65.0), (5891.58, 1.8, 45.0),
    (5897.56, 1.6, 42.0), (6564.61, 1.4, 230.0), (8500.36, 1.1, 70.0), (8544.44, 1.6, 90.0), (8664.52, 1.5, 85.0),
    (10052.13, 0.4, 200.0), (10941.09, 0.5, 210.0), (12821.59, 0.6, 220.0), (15345.98, 0.2, 220.0),
    (15753.29, 0.5, 40.0), (15770.15, 0.6, 40.0), (15884.88, 0.3, 230.0), (15964.42, 0.5, 35.0), (16113.71, 0.3, 230.0),
    (16411.67, 0.35, 230.0), (16723.52, 0.6, 40.0), (16755.14, 0.5, 40.0), (16811.11, 0.4, 230.0),
)  # fmt: skip


def air_wavelength(vacuum: Float64) -> Float64:
    """Return air wavelengths in Angstrom (Birch and Downs 1994, the form that VALD uses)."""
    s2 = (1e4 / vacuum) ** 2
    index = 1.0 + 8.34254e-5 + 2.406147e-2 / (130.0 - s2) + 1.5998e-4 / (38.9 - s2)
    return np.asarray(vacuum / index, np.float64)


@dataclass(frozen=True, slots=True)
class Template:
    """Optical depth of a star at rest on a uniform grid of ln wavelength."""

    start: float
    step: float
    depth: Float32

    def depth_at(self, wavelength: Float64, velocity: float) -> Float32:
        """Return the optical depth seen at `wavelength` (Angstrom) from a star that recedes at `velocity`."""
        position = np.log(wavelength)
        position -= self.start + velocity / LIGHT_SPEED
        position /= self.step
        np.clip(position, 0.0, self.depth.size - 2.0, out=position)
        index = position.astype(np.intp)
        position -= index
        fraction = position.astype(np.float32)
        low = self.depth[index]
        index += 1
        return np.asarray(low + (self.depth[index] - low) * fraction, np.float32)

    def slice(self, offset: int, stride: int, count: int) -> Float32:
        """Return every `stride`-th depth: a coarser logarithmic lattice, shifted by whole fine steps."""
        return self.depth[offset : offset + stride * count : stride]


@lru_cache(maxsize=16)
def template(start: float, stop: float, resolution: float, *, air: bool, step: float | None = None) -> Template:
    """Build the template of a wavelength range.

    Parameters
    ----------
    start, stop
        Range in Angstrom that the callers need, Doppler shifts included.
    resolution
        Resolving power of the spectrograph.
    air
        Whether wavelengths are in air.
    step
        Step of the grid in ln wavelength; by default three points per resolution element.
    """
    rng = np.random.Generator(np.random.SFC64(zlib.crc32(f"{start} {stop} {resolution}".encode())))
    broadening = float(np.hypot(LIGHT_SPEED / resolution / 2.355, 4.0))
    step = broadening / LIGHT_SPEED / 1.3 if step is None else step
    size = int(np.log(stop / start) / step) + 2
    depth = np.zeros(size)
    span = np.log(stop / start)
    weak = int(span * 9000 * min(1.0, (6000.0 / start) ** 1.5))
    # Lines crowd toward the blue and most of them are weak.
    places = (rng.random(weak) ** 1.25 * (size - 1)).astype(np.intp)
    np.add.at(depth, places, np.minimum(0.05 * rng.pareto(1.1, weak), 2.5))
    sigma = broadening / LIGHT_SPEED / step
    reach = np.arange(-int(5 * sigma) - 1, int(5 * sigma) + 2)
    # A coarse spectrograph spreads the same equivalent width: keep the area of a 4 km/s line.
    kernel = np.exp(-0.5 * (reach / sigma) ** 2) * (4.0 / broadening)
    depth = np.convolve(depth, kernel, mode="same")
    centres = np.array([line[0] for line in _STRONG_LINES])
    centres = air_wavelength(centres) if air else centres
    grid = np.log(start) + step * np.arange(size)
    for centre, (_, core, width) in zip(centres, _STRONG_LINES, strict=True):
        if start < centre < stop:
            # Blurring widens a line and fills its core.
            blurred = float(np.hypot(width, 2.0 * broadening))
            core, width = core * width / blurred, blurred
            reach_km = 40.0 * width
            low, high = np.searchsorted(grid, np.log(centre) + np.array([-reach_km, reach_km]) / LIGHT_SPEED)
            offset = (grid[low:high] - np.log(centre)) * LIGHT_SPEED * 2.0 / width
            depth[low:high] += core / (1.0 + offset**2)
    return Template(float(np.log(start)), step, depth.astype(np.float32))


def continuum(wavelength: Float64, teff: float) -> Float32:
    """Return a black body per unit wavelength, one at the middle of the range."""
    nodes = np.linspace(wavelength[0], wavelength[-1], min(wavelength.size, 128))
    middle = nodes[nodes.size // 2]
    planck = (middle / nodes) ** 5 * np.expm1(1.438777e8 / (middle * teff)) / np.expm1(1.438777e8 / (nodes * teff))
    if wavelength.size <= 128:
        return np.asarray(planck, np.float32)
    return np.asarray(np.interp(wavelength, nodes, planck), np.float32)


def line_strength(teff: float, feh: float) -> float:
    """Return the factor on the optical depth: metal-rich and cool stars have deeper lines."""
    return float(10.0 ** (0.45 * feh) * (5800.0 / teff) ** 2)


def stellar_flux(wavelength: Float64, depth: Float32, teff: float, feh: float) -> Float32:
    """Return continuum times lines, about one at the middle of the range."""
    lines = np.exp(depth * np.float32(-line_strength(teff, feh)))
    lines *= continuum(wavelength, teff)
    return np.asarray(lines, np.float32)


def observe(flux: Float32, snr: float, rng: np.random.Generator) -> tuple[Float32, Float32]:
    """Add photon and read noise to a flux of about one and return it with its 1-sigma error."""
    sigma = np.sqrt(flux + np.float32(0.02))
    sigma *= np.float32(1.0 / snr)
    noisy = rng.standard_normal(flux.size, dtype=np.float32)
    noisy *= sigma
    noisy += flux
    return noisy, np.asarray(sigma, np.float32)

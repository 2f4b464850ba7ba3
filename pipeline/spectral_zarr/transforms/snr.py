"""Signal-to-noise ratio per pixel where no header gives it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def estimate_snr(flux: NDArray[np.float32], sigma: NDArray[np.float32] | None) -> tuple[float, str]:
    """Estimate the signal-to-noise ratio per pixel.

    The median of flux / sigma where sigma is known, else DER_SNR (Stoehr et al. 2008, ASP Conf. Ser. 394, 505):
    ``median(f) / (1.482602 / sqrt(6) * median(|2 f[i] - f[i-2] - f[i+2]|))`` over finite, non-zero pixels.

    Parameters
    ----------
    flux, sigma : ndarray, shape (n_pix,)
        Flux and uncertainty; None when no uncertainty is known.

    Returns
    -------
    snr : float
        NaN when fewer than five pixels can be used or the noise is zero.
    method : str
        ``median_flux_over_sigma``, ``der_snr`` or ``none``.
    """
    used = np.isfinite(flux) & (flux != 0)
    if sigma is not None:
        known = used & np.isfinite(sigma)
        if np.count_nonzero(known) >= 5:
            return float(np.median(flux[known] / sigma[known])), "median_flux_over_sigma"
    values = flux[used].astype(np.float64)
    if values.size < 5:
        return float("nan"), "none"
    noise = 1.482602 / np.sqrt(6) * float(np.median(np.abs(2 * values[2:-2] - values[:-4] - values[4:])))
    return (float(np.median(values)) / noise, "der_snr") if noise > 0 else (float("nan"), "none")

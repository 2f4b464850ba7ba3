"""Small spectra with one departure each from the plainest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spectral_zarr.model import Observation, Sampling, Spectrum

MakeSpectrum = Callable[..., Spectrum]


@pytest.fixture
def spectrum() -> MakeSpectrum:
    """A spectrum of the given flux on a linear grid; every other field by keyword."""

    def make(flux: Any, **fields: Any) -> Spectrum:
        values = np.asarray(flux)
        defaults: dict[str, Any] = {
            "spec_id": "x",
            "flux_unit": "adu",
            "sampling": Sampling(unit="Angstrom", start=5000.0, step=0.5, n_pix=values.size),
            "observation": Observation(),
        }
        return Spectrum(flux=values, **{**defaults, **fields})

    return make

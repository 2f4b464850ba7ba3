"""The plan: exact shapes, the wavelength decision, agreed units, chunks and memory, from columns and never pixels."""

from spectral_zarr.plan.agreement import Agreement
from spectral_zarr.plan.layout import CUBE_COLUMNS, STAGE_HEADROOM, predict_files, promise_memory
from spectral_zarr.plan.planner import Planner
from spectral_zarr.plan.wavelength import WavelengthTally

__all__ = [
    "CUBE_COLUMNS",
    "STAGE_HEADROOM",
    "Agreement",
    "Planner",
    "WavelengthTally",
    "predict_files",
    "promise_memory",
]

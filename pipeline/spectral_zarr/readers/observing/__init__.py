"""Facts that most headers share: dates, positions, exposure and identifiers, in the contract's form."""

from spectral_zarr.readers.observing.angles import Angle
from spectral_zarr.readers.observing.dates import (
    DATE_CARDS,
    date_from_mjd,
    date_obs,
    dated,
    first_moment,
    iso_moment,
    mjd_from_date,
    mjd_of_julian,
    moment,
    start_mjd,
)
from spectral_zarr.readers.observing.facts import (
    exposure,
    first_number,
    first_text,
    header_snr,
    instrument_name,
    observe,
    positive,
    velocity_frame,
)
from spectral_zarr.readers.observing.position import NOWHERE, Sky, first_sky, sky, sky_cells, sky_of, sky_texts

__all__ = [
    "DATE_CARDS",
    "NOWHERE",
    "Angle",
    "Sky",
    "date_from_mjd",
    "date_obs",
    "dated",
    "exposure",
    "first_moment",
    "first_number",
    "first_sky",
    "first_text",
    "header_snr",
    "instrument_name",
    "iso_moment",
    "mjd_from_date",
    "mjd_of_julian",
    "moment",
    "observe",
    "positive",
    "sky",
    "sky_cells",
    "sky_of",
    "sky_texts",
    "start_mjd",
    "velocity_frame",
]

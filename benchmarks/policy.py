"""Write the header policy of a reader and the metadata fields as JSON, for contenders that do without the package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from spectral_zarr.contract.schema import METADATA
from spectral_zarr.readers import readers
from spectral_zarr.readers.fits.projection import COMMON_ALLOW, COMMON_DENY

READERS = {"sdss-spec": "sdss-spec", "harps-adp": "eso-sdp", "uves-adp": "eso-sdp", "apstar": "apogee-apstar"}
# The table columns used are numbered 1 to 3 in every one of these products; APOGEE has images.
COLUMNS_USED = {"sdss-spec": 3, "harps-adp": 3, "uves-adp": 3, "apstar": 0}


def policy(product: str) -> dict[str, object]:
    """Patterns and keywords of one product, and the kind of every metadata field."""
    own = next(reader.policy for reader in readers() if reader.name == READERS[product])
    numbers = range(1, COLUMNS_USED[product] + 1)
    return {
        "allow": [*COMMON_ALLOW, *own.allow],
        "deny": [*COMMON_DENY, *own.deny],
        "literal": [word for pattern in own.allow for word in pattern.split("|")],
        "columns": {1: [f"{stem}{number}" for stem in ("TTYPE", "TUNIT", "TUCD") for number in numbers]},
        "metadata": {field.name: field.kind for field in METADATA},
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(policy(sys.argv[1])))

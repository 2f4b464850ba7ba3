"""The writer of many converters: the whole data set in memory, then one row after another into the chunked arrays.

Every row decodes and encodes its whole chunk again, since zarr-python has no buffer of chunks.
"""

from __future__ import annotations

from astropy_loop import READERS, run
from layout import arguments

if __name__ == "__main__":
    run(arguments(__doc__, tuple(READERS)), height=1)

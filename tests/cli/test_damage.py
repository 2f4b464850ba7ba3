"""A file whose DATASUM belies its data stops an ingest, and the option that the message names lets it pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr
from astropy.io import fits

from spectral_zarr.testing import write_samples

from .conftest import Run


def test_a_changed_pixel_is_refused_until_the_option_is_given(run: Run, tmp_path: Path) -> None:
    (path,) = write_samples(tmp_path / "files", "xshooter-adp", 1, seed=3)
    raw = bytearray(path.read_bytes())
    with fits.open(path) as hdus:
        start = hdus[1].fileinfo()["datLoc"]
        column = next(i for i, name in enumerate(hdus[1].columns.names) if name.upper() == "FLUX")
        offset = hdus[1].data.dtype.fields[hdus[1].columns.names[column]][1]
    raw[start + offset + 402] ^= 1
    path.write_bytes(raw)
    refused = run("ingest", path.parent, "out.zarr", "--cluster", "serial")
    assert refused.code == 3
    assert "damaged-data" in refused.out + refused.err
    (tmp_path / "c.toml").write_text("[readers]\ncheck_damage = false\n")
    run("abort", "out.zarr")
    taken = run("ingest", path.parent, "out.zarr", "--config", "c.toml", "--cluster", "serial")
    assert taken.code == 0, taken.err
    with fits.open(path) as hdus:
        theirs = hdus[1].data.field(column)[0].astype(np.float32)
    ours = zarr.open_group(tmp_path / "out.zarr", mode="r")["signal/flux_raw"][0]
    both = np.isfinite(ours)
    assert both.sum() > 100
    np.testing.assert_array_equal(ours[both], theirs[: ours.size][both])

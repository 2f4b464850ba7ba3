"""ESO science data products: a real file and generated ones of every instrument, compared with astropy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectral_zarr.readers.samples import write_samples
from spectral_zarr.transforms import prepare


class TestFiles:
    def test_a_real_product_agrees_with_astropy(
        self, real_files: Path, read_one: Any, reference: Any, claimants: Any
    ) -> None:
        path = real_files / "eso-sdp" / "VANDELS_CDFS_017433.fits"
        assert claimants(path) == ["eso-sdp"]
        _, spectrum = read_one(path)
        row = reference(path)[1].data[0]
        np.testing.assert_array_equal(spectrum.sampling.values, row["WAVE"])
        np.testing.assert_array_equal(spectrum.flux, row["FLUX"])
        np.testing.assert_array_equal(spectrum.noise, row["ERR"])
        assert spectrum.flux_unit == "erg cm**(-2) s**(-1) angstrom**(-1)"
        assert (spectrum.sampling.unit, spectrum.sampling.medium) == ("angstrom", "air")
        assert spectrum.spec_id == "ADP.2018-09-20T08:18:23.070"
        observation = spectrum.observation
        assert (observation.instrument, observation.velocity_frame) == ("VIMOS", "topocentric")
        assert (observation.snr, observation.snr_method) == (21.65546915126763, "header:SNR")
        assert observation.date_obs == "2015-10-12T06:57:34.272"
        assert spectrum.header[1, "TUCD1", 1] == "em.wl;obs.atmos"

    @pytest.mark.parametrize(
        ("product", "columns", "medium", "frame"),
        [
            ("harps-adp", ("FLUX", "ERR"), "air", "barycentric"),
            ("uves-adp", ("FLUX_REDUCED", "ERR_REDUCED"), "air", "topocentric"),
            ("xshooter-adp", ("FLUX", "ERR"), "air", "topocentric"),
            ("espresso-adp", ("FLUX", "ERR"), "vacuum", "barycentric"),
            ("nirps-adp", ("FLUX", "ERR"), "vacuum", "barycentric"),
            ("feros-adp", ("FLUX", ""), "air", "barycentric"),
        ],
    )
    def test_generated_products_agree_with_astropy(
        self,
        tmp_path: Path,
        read_one: Any,
        reference: Any,
        claimants: Any,
        product: str,
        columns: tuple[str, str],
        medium: str,
        frame: str,
    ) -> None:
        for path in write_samples(tmp_path, product, 3, n_pix=400):
            hdus = reference(path)
            row, header = hdus[1].data[0], hdus[0].header
            name, error_name = columns
            if name not in hdus[1].columns.names:
                name = "FLUX"
            assert claimants(path) == ["eso-sdp"]
            _, spectrum = read_one(path)
            np.testing.assert_array_equal(spectrum.flux, row[name])
            np.testing.assert_array_equal(spectrum.sampling.values, row["WAVE"])
            if error_name and name == columns[0]:
                np.testing.assert_array_equal(spectrum.noise, row[error_name])
            assert spectrum.flux_unit == hdus[1].columns[name].unit
            assert (spectrum.sampling.medium, spectrum.observation.velocity_frame) == (medium, frame)
            assert spectrum.observation.instrument == header["INSTRUME"]
            assert spectrum.observation.object == header["OBJECT"]
            assert spectrum.spec_id == header["ARCFILE"].removesuffix(".fits")
            prepare(spectrum)

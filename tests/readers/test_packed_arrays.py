"""HDF5 datasets that are packed by the CF conventions, and the values that they call missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spectral_zarr.errors import RefusedProduct
from spectral_zarr.transforms import prepare

N_SPEC, N_PIX = 4, 60
WAVELENGTH = 5000.0 + np.arange(N_PIX)
MISSING = slice(10, 15)
COUNTS = 1000 + np.arange(N_SPEC * N_PIX).reshape(N_SPEC, N_PIX)


def write(path: Path, packed: Any, attributes: dict[str, Any], **others: tuple[Any, dict[str, Any]]) -> Path:
    with h5py.File(path, "w") as file:
        datasets = {"flux": (packed, {"units": "erg / (s cm2 Angstrom)", **attributes}), **others}
        for name, (values, given) in datasets.items():
            file.create_dataset(name, data=values).attrs.update(given)
        file.create_dataset("wavelength", data=WAVELENGTH).attrs["units"] = "Angstrom"
    return path


def fluxes(spectra: Any) -> Any:
    return np.array([prepare(spectrum).flux for spectrum in spectra])


def with_missing(dtype: str, fill: Any) -> Any:
    packed = COUNTS.astype(dtype)
    packed[:, MISSING] = fill
    return packed


EXPECTED = COUNTS.astype(np.float64)
EXPECTED[:, MISSING] = np.nan


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", "<u2", "<f4", ">f8"])
def test_values_are_scaled_and_the_fill_is_missing(tmp_path: Path, read_all: Any, dtype: str) -> None:
    fill = np.array([30000], dtype)[0]
    attributes = {"scale_factor": 0.01, "add_offset": 2.5, "_FillValue": fill}
    _, spectra = read_all(write(tmp_path / "packed.h5", with_missing(dtype, fill), attributes))
    np.testing.assert_array_equal(fluxes(spectra), (EXPECTED * 0.01 + 2.5).astype(np.float32))


@pytest.mark.parametrize(
    ("fill", "attributes"),
    [
        (-999, {"missing_value": np.int32(-999)}),
        (-999, {"missing_value": np.array([-1, -999], "i4")}),
        (-999, {"valid_min": np.int32(0)}),
        (9000, {"valid_max": np.int32(8000)}),
        (-999, {"valid_range": np.array([0, 8000], "i4")}),
        (-999, {"_FillValue": np.array([-999], "i4"), "missing_value": np.int32(-1)}),
        (-2147483647, {"_Netcdf4Dimid": np.int32(0)}),
    ],
)
def test_what_the_file_calls_missing_is_missing(tmp_path: Path, read_all: Any, fill: int, attributes: Any) -> None:
    _, spectra = read_all(write(tmp_path / "missing.h5", with_missing("i4", fill), attributes))
    np.testing.assert_array_equal(fluxes(spectra), EXPECTED.astype(np.float32))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_elements_that_netcdf_never_wrote_are_missing(tmp_path: Path, read_all: Any, dtype: str) -> None:
    packed = with_missing(dtype, np.array([9.9692099683868690e36], dtype)[0])
    _, spectra = read_all(write(tmp_path / "unwritten.h5", packed, {}))
    np.testing.assert_array_equal(fluxes(spectra), EXPECTED.astype(np.float32))


def test_integers_without_sign(tmp_path: Path, read_all: Any) -> None:
    counts = (50000 + COUNTS).astype("u2")
    attributes = {"_Unsigned": "true", "scale_factor": 2.0, "_FillValue": np.int16(-1)}
    packed = counts.copy()
    packed[:, MISSING] = 65535
    _, spectra = read_all(write(tmp_path / "unsigned.h5", packed.view("i2"), attributes))
    expected = np.where(packed == 65535, np.nan, 2.0 * counts)
    np.testing.assert_array_equal(fluxes(spectra), expected.astype(np.float32))


def test_parameters_may_be_missing_and_identifiers_keep_every_digit(tmp_path: Path, read_all: Any) -> None:
    star = 4295806720038298753
    teff = (np.array([5777, 5000, -1, 4500], "i4"), {"_FillValue": np.int32(-1)})
    logg = (np.array([44, 30, 99, 20], "i2"), {"scale_factor": 0.1, "missing_value": np.int16(99)})
    gaia = (np.array([star, -1, star + 2, star + 3], "i8"), {"_FillValue": np.int64(-1)})
    _, spectra = read_all(write(tmp_path / "params.h5", COUNTS, {}, teff=teff, logg=logg, gaia_id=gaia))
    np.testing.assert_array_equal([s.params["teff"] for s in spectra], [5777, 5000, np.nan, 4500])
    np.testing.assert_allclose([s.params["logg"] for s in spectra], [4.4, 3.0, np.nan, 2.0], rtol=1e-15)
    assert [s.observation.gaia_id for s in spectra] == [str(star), "", str(star + 2), str(star + 3)]


def test_a_packed_axis_is_unpacked(tmp_path: Path, read_all: Any) -> None:
    path = write(tmp_path / "axis.h5", COUNTS, {})
    with h5py.File(path, "a") as file:
        del file["wavelength"]
        axis = file.create_dataset("wavelength", data=np.arange(N_PIX, dtype="i2"))
        axis.attrs.update(scale_factor=0.5, add_offset=5000.0, units="Angstrom")
    _, spectra = read_all(path)
    np.testing.assert_array_equal(spectra[0].sampling.values, 5000.0 + 0.5 * np.arange(N_PIX))


@pytest.mark.parametrize(
    "attributes", [{"scale_factor": "0.01"}, {"add_offset": [1.0, 2.0]}, {"_FillValue": "none"}, {"valid_range": [1.0]}]
)
def test_packing_that_is_no_number_is_refused_by_its_name(tmp_path: Path, read_all: Any, attributes: Any) -> None:
    (name,) = attributes
    with pytest.raises(RefusedProduct, match=f"{name} of flux"):
        read_all(write(tmp_path / "odd.h5", COUNTS, attributes))

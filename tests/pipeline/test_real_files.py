"""Every group of real survey files is published as astropy reads it, or refused with the right code."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from astropy.io import fits
from numpy.typing import NDArray

from spectral_zarr import IngestRequest, Outcome, SerialExecutor, Tolerance, ingest, validate
from spectral_zarr.contract import sanitise_keyword
from spectral_zarr.errors import NothingAccepted

Values = NDArray[np.float64]
Expected = tuple[Values, Values, Values | None]
"""Wavelength in Angstrom, flux and sigma as read by astropy."""


def ingest_real(root: Path, pattern: str, target: Path, tolerance: str = "0") -> Outcome:
    request = IngestRequest((str(root / pattern),), str(target), tolerance=Tolerance.parse(tolerance))
    return ingest(request, SerialExecutor())


def sdss(path: Path) -> Expected:
    table = fits.getdata(path, 1)
    with np.errstate(divide="ignore"):
        sigma = np.where(table["ivar"] > 0, 1 / np.sqrt(table["ivar"].astype("f8")), np.nan)
    return 10 ** table["loglam"].astype("f8"), table["flux"], sigma


def linear_image(path: Path) -> Expected:
    flux, header = fits.getdata(path), fits.getheader(path)
    crpix = header.get("CRPIX1", 1)
    return header["CRVAL1"] + (np.arange(1, flux.size + 1) - crpix) * header["CDELT1"], flux, None


def sdp(path: Path) -> Expected:
    row = fits.getdata(path, 1)[0]
    return row["WAVE"].astype("f8"), row["FLUX"], row["ERR"]


def apogee(path: Path) -> Expected:
    flux, sigma, header = fits.getdata(path, 1), fits.getdata(path, 2), fits.getheader(path, 1)
    flux, sigma = (values if values.ndim == 1 else values[0] for values in (flux, sigma))
    return 10 ** (header["CRVAL1"] + header["CDELT1"] * np.arange(flux.size)), flux, sigma


def xp_sampled(path: Path) -> Expected:
    table = fits.getdata(path, 1)
    return table["wavelength"] * 10, table["flux"], table["flux_error"]


def calspec(path: Path) -> Expected:
    table = fits.getdata(path, 1)
    return table["WAVELENGTH"], table["FLUX"], table["STATERROR"]


GROUPS: list[tuple[str, str, Callable[[Path], Expected], int, str, str, str]] = [
    ("sdss/*.fits", "sdss-spec", sdss, 3, "lattice", "1e-17 erg / (Angstrom cm2 s)", "vacuum"),
    ("eso-pipeline/*.fits", "uves-pipeline", linear_image, 2, "identical", "adu", "air"),
    ("eso-sdp/*.fits", "eso-sdp", sdp, 1, "identical", "erg / (Angstrom cm2 s)", "air"),
    ("harps-drs/*.fits", "harps-s1d", linear_image, 2, "lattice", "dimensionless", "air"),
    ("apogee/apStar*", "apogee-apstar", apogee, 2, "identical", "1e-17 erg / (Angstrom cm2 s)", "vacuum"),
    ("apogee/aspcapStar*", "apogee-aspcapstar", apogee, 1, "identical", "dimensionless", "vacuum"),
    ("gaia/*", "gaia-fits", xp_sampled, 1, "identical", "W / (m2 nm)", "vacuum"),
    ("hst-calspec/*", "hst-calspec", calspec, 1, "identical", "erg / (Angstrom cm2 s)", "vacuum"),
    ("stellar-libraries/*.fits", "generic-image", linear_image, 2, "identical", "dimensionless", "air"),
]


@pytest.mark.parametrize(
    ("pattern", "reader", "read", "rows", "kind", "unit", "medium"), GROUPS, ids=[group[0] for group in GROUPS]
)
def test_a_group_is_published_as_astropy_reads_it(
    pattern: str,
    reader: str,
    read: Callable[[Path], Expected],
    rows: int,
    kind: str,
    unit: str,
    medium: str,
    real_files: Path,
    tmp_path: Path,
) -> None:
    outcome = ingest_real(real_files, pattern, tmp_path / "x.zarr")
    assert (outcome.plan.n_spec, outcome.plan.wavelength.kind) == (rows, kind)
    assert validate(tmp_path / "x.zarr").valid
    store = zarr.open_group(tmp_path / "x.zarr", mode="r")
    assert store["signal/flux_raw"].attrs["units"] == unit
    assert store["signal/wavelength"].attrs["medium"] == medium
    assert {name.split("@")[0] for name in store["metadata/reader"][:]} == {reader}
    wavelength = store["signal/wavelength"][:]
    parent = real_files / Path(pattern).parent
    for row, name in enumerate(store["metadata/source_file"][:]):
        expected_wavelength, expected_flux, expected_sigma = read(parent / name)
        offset = int(store["metadata/pix_offset"][row])
        pixels = slice(offset, offset + expected_flux.size)
        axis = wavelength[row] if wavelength.ndim == 2 else wavelength
        # Single-precision wavelengths of the file are the coarser of the two.
        np.testing.assert_allclose(axis[pixels], expected_wavelength, rtol=6e-7)
        flux = store["signal/flux_raw"][row]
        measured = np.isfinite(flux[pixels])
        np.testing.assert_array_equal(flux[pixels][measured], expected_flux[measured].astype("f4"))
        assert (~np.isfinite(expected_flux[~measured]) | (expected_flux[~measured] == 0)).all()
        sigma = store["signal/uncertainty_raw"][row]
        if expected_sigma is None:
            assert np.isnan(sigma).all()
        else:
            known = np.isfinite(sigma[pixels])
            assert known.any()
            np.testing.assert_array_equal(sigma[pixels][known], expected_sigma[known].astype("f4"))
        outside = np.ones(flux.size, bool)
        outside[pixels] = False
        assert np.isnan(flux[outside]).all()


def text_of(card: fits.Card) -> str:
    try:
        value = card.value
    except fits.VerifyError:
        return ""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float):
        text = repr(value) if math.isfinite(value) else ""
    else:
        text = "" if isinstance(value, fits.card.Undefined) else str(value).rstrip()
    missing = {"NULL", "None", "nan", "NaN", "INDEF", "N/A", "-999", "-999.0", "-9999", "-9999.0"}
    return "" if text in missing else text


@pytest.mark.parametrize("pattern", [group[0] for group in GROUPS])
def test_projected_header_text_is_that_of_astropy(pattern: str, real_files: Path, tmp_path: Path) -> None:
    ingest_real(real_files, pattern, tmp_path / "x.zarr")
    metadata = zarr.open_group(tmp_path / "x.zarr", mode="r")["metadata"]
    fields = {name: array[:] for name, array in metadata.members() if name.startswith(("h0_", "h1_"))}
    assert len(fields) >= 3
    for row, source in enumerate(metadata["source_file"][:]):
        expected: dict[str, str] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(real_files / Path(pattern).parent / source) as hdus:
                for hdu in (0, 1)[: len(hdus)]:
                    seen: dict[str, int] = {}
                    for card in hdus[hdu].header.cards:
                        name = f"h{hdu}_{sanitise_keyword(card.keyword)}"
                        seen[name] = seen.get(name, 0) + 1
                        expected[name if seen[name] == 1 else f"{name}_{seen[name]}"] = text_of(card)
        assert {name: values[row] for name, values in fields.items()} == {
            name: expected.get(name, "") for name in fields
        }


REFUSED = {
    "damaged/*": {"not-fits"},
    "not-a-spectrum/*": {"refused-product"},
    "hst/*": {"refused-product"},
    "iraf-1d/evega*": {"refused-product"},
}


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_group_without_a_reader_is_refused_with_its_code(pattern: str, real_files: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingAccepted):
        ingest_real(real_files, pattern, tmp_path / "x.zarr", tolerance="100%")
    table = pq.read_table(tmp_path / "x.zarr.build" / "rejections.parquet").to_pydict()
    assert set(table["code"]) == REFUSED[pattern]
    assert all(table["reason"])

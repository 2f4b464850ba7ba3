"""DESI: the real coadd pixel by pixel, and variants of the layout written after the DESI data model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from numpy.typing import NDArray

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, validate
from spectral_zarr.errors import AllZero, MissingField, SourceError, TooFewPixels, UnknownUnit
from spectral_zarr.model import Spectrum
from spectral_zarr.transforms import prepare

NAME = "coadd-sv3-dark-26065.fits"
UNIT = "10**-17 erg/(s cm2 Angstrom)"
LONG_ID = 39627866878511337
"""Beyond 2**53: a float would change its last digits."""

AXES = {"B": (4500, 60), "R": (4550, 60), "Z": (4600, 60), "BRZ": (4500, 160)}
"""First point on the lattice k * 0.8 Angstrom and pixels, of short cameras that overlap like those of DESI."""


def combined(hdus: Any, row: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Wavelength, flux and sigma of one target, combined by hand on 3600 to 9824 Angstrom."""
    wavelength = 3600 + 0.8 * np.arange(7781)
    flux, weight, weighted = np.full(7781, np.nan), np.zeros(7781), np.zeros(7781)
    for band, start in (("B", 0), ("R", 2700), ("Z", 4900)):
        f, w, m = (hdus[f"{band}_{part}"].data[row].astype("f8") for part in ("FLUX", "IVAR", "MASK"))
        pixels = slice(start, start + f.size)
        good = np.where((w > 0) & (m == 0), w, 0)
        weight[pixels] += good
        weighted[pixels] += good * f
        unset = np.isnan(flux[pixels])
        flux[pixels] = np.where(unset & ~((w == 0) & (f == 0)), f, flux[pixels])
    with np.errstate(all="ignore"):
        return wavelength, np.where(weight > 0, weighted / weight, flux), np.where(weight > 0, weight**-0.5, np.nan)


def fibermap(n: int, **columns: Any) -> fits.BinTableHDU:
    """A FIBERMAP of n good targets, with columns added or replaced; None leaves one out."""
    usual = {
        "TARGETID": ("K", [LONG_ID + i for i in range(n)]),
        "COADD_FIBERSTATUS": ("J", [0] * n),
        "TARGET_RA": ("D", [10.5] * n),
        "TARGET_DEC": ("D", [-3.25] * n),
        "OBJTYPE": ("3A", ["TGT"] * n),
        "REF_ID": ("K", [3335074476514836609] * n),
        "REF_CAT": ("2A", ["G2"] * n),
        "COADD_NUMEXP": ("I", [2] * n),
        "COADD_NUMNIGHT": ("I", [1] * n),
        "COADD_EXPTIME": ("E", [900.0] * n),
        "MEAN_MJD": ("D", [59311.25] * n),
    }
    given = {name: column for name, column in {**usual, **columns}.items() if column is not None}
    made = [fits.Column(name, form, array=np.array(values)) for name, (form, values) in given.items()]
    return fits.BinTableHDU.from_columns(made, name="FIBERMAP")


def cameras(
    bands: tuple[str, ...], n: int = 2, *, mask: str = "plain", shift: float = 0.0, unit: str = UNIT
) -> list[Any]:
    """The images of some cameras: the flux is 1, 2 and 3 plus the row, the inverse variance 4, 5 and 6."""
    hdus: list[Any] = []
    for number, band in enumerate(bands):
        first, n_pix = AXES[band]
        wavelength = (first + np.arange(n_pix)) * 0.8 + (shift if band == "R" else 0.0)
        flux = np.full((n, n_pix), 1.0 + number, "f4") + np.arange(n, dtype="f4")[:, None]
        bits = np.zeros((n, n_pix), np.uint32)
        bits[:, 5] = 2**31
        hdus.append(fits.ImageHDU(wavelength, name=f"{band}_WAVELENGTH"))
        hdus.append(fits.ImageHDU(flux, name=f"{band}_FLUX"))
        hdus[-1].header["BUNIT"] = unit
        hdus.append(fits.ImageHDU(np.full((n, n_pix), 4.0 + number, "f4"), name=f"{band}_IVAR"))
        if mask == "plain":
            hdus.append(fits.ImageHDU(bits, name=f"{band}_MASK"))
        elif mask == "compressed":
            hdus.append(fits.CompImageHDU(bits, name=f"{band}_MASK"))
    return hdus


def good(spectra: list[Spectrum | SourceError]) -> list[Spectrum]:
    assert all(isinstance(spectrum, Spectrum) for spectrum in spectra), spectra
    return [spectrum for spectrum in spectra if isinstance(spectrum, Spectrum)]


class TestRealFile:
    def test_the_targets_are_combined_as_by_hand(
        self, real_files: Path, read_all: Any, reference: Any, claimants: Any
    ) -> None:
        path = real_files / "desi" / NAME
        hdus = reference(path)
        name, spectra = read_all(path)
        assert name == "desi" and claimants(path) == ["desi"]
        assert [spectrum.row for spectrum in good(spectra)] == [2, 4]
        for spectrum in good(spectra):
            wavelength, flux, sigma = combined(hdus, spectrum.row)
            prepared = prepare(spectrum)
            np.testing.assert_allclose(prepared.grid.wavelength(), wavelength, rtol=1e-14)
            np.testing.assert_array_equal(prepared.flux, flux.astype("f4"))
            np.testing.assert_array_equal(prepared.uncertainty, sigma.astype("f4"))
            assert prepared.flux_unit == "1e-17 erg / (Angstrom cm2 s)"

    def test_facts_are_those_of_the_fibermap(self, real_files: Path, read_all: Any, reference: Any) -> None:
        hdus = reference(real_files / "desi" / NAME)
        first, second = good(read_all(real_files / "desi" / NAME)[1])
        assert first.spec_id == f"sv3-dark-{LONG_ID}"
        observation = first.observation
        assert observation.object_id == str(hdus["FIBERMAP"].data["TARGETID"][2]) == str(LONG_ID)
        assert (observation.ra, observation.dec) == tuple(
            hdus["FIBERMAP"].data[name][2] for name in ("TARGET_RA", "TARGET_DEC")
        )
        assert observation.exptime == hdus["FIBERMAP"].data["COADD_EXPTIME"][2]
        assert (observation.velocity_frame, first.sampling.medium) == ("barycentric", "vacuum")
        assert observation.arm_merge == "ivar-weighted on the common lattice"
        scores = [hdus["SCORES"].data[f"MEDIAN_COADD_SNR_{band}"][2] for band in "BRZ"]
        assert observation.snr == np.median(scores)
        # Of the three exposures of the second target, the first had a bad fibre.
        exposures = hdus["EXP_FIBERMAP"].data
        assert second.observation.mjd == pytest.approx(exposures["MJD"][5:7].mean(), abs=1e-9)
        assert second.observation.date_obs.startswith("2021-04-08T08:04")
        assert observation.gaia_id == observation.gaia_dr == ""

    def test_an_ingest_publishes_a_valid_store_on_one_grid(
        self, real_files: Path, tmp_path: Path, reference: Any
    ) -> None:
        request = IngestRequest((str(real_files / "desi"),), str(tmp_path / "x.zarr"))
        outcome = ingest(request, SerialExecutor())
        assert (outcome.plan.n_spec, outcome.plan.n_rejected) == (2, 0)
        assert {rejection.code for rejection in outcome.rejections} == {"left-out"}
        assert validate(tmp_path / "x.zarr").valid
        store = zarr.open_group(tmp_path / "x.zarr", mode="r")
        for row, target in enumerate((2, 4)):
            wavelength, flux, sigma = combined(reference(real_files / "desi" / NAME), target)
            np.testing.assert_allclose(store["signal/wavelength"][:], wavelength, rtol=1e-14)
            np.testing.assert_array_equal(store["signal/flux_raw"][row], flux.astype("f4"))
            np.testing.assert_array_equal(store["signal/uncertainty_raw"][row], sigma.astype("f4"))
        assert store["metadata/source_row"][:].tolist() == [2, 4]


class TestCameras:
    @pytest.mark.parametrize("mask", ["plain", "compressed", "none"])
    def test_overlaps_are_weighted_and_masked_pixels_are_bad(
        self, write_fits: Any, read_all: Any, claimants: Any, mask: str
    ) -> None:
        path = write_fits(fibermap(2), *cameras(("B", "R", "Z"), mask=mask), SURVEY="main", PROGRAM="bright")
        assert claimants(path) == ["desi"]
        for row, spectrum in enumerate(good(read_all(path)[1])):
            prepared = prepare(spectrum)
            expected = np.concatenate([[1] * 50, [14 / 9] * 10, [2] * 40, [28 / 11] * 10, [3] * 50]) + row
            variance = 1 / np.concatenate([[4] * 50, [9] * 10, [5] * 40, [11] * 10, [6] * 50])
            if mask != "none":
                # Pixel 5 of each camera is masked: alone in B, beside a good pixel of the other camera in R and Z.
                expected[55], expected[105] = 1 + row, 2 + row
                variance[[5, 55, 105]] = np.nan, 1 / 4, 1 / 5
            np.testing.assert_allclose(prepared.flux, expected, rtol=1e-6)
            np.testing.assert_allclose(prepared.uncertainty, np.sqrt(variance), rtol=1e-6)
            assert (prepared.grid.first, prepared.grid.n_pix, prepared.grid.step) == (4500, 160, 0.8)

    @pytest.mark.parametrize("bands", [("B",), ("Z",), ("B", "R"), ("BRZ",)])
    def test_files_with_some_cameras_or_combined_ones(
        self, write_fits: Any, read_all: Any, bands: tuple[str, ...]
    ) -> None:
        spectra = good(read_all(write_fits(fibermap(2), *cameras(bands)))[1])
        first, stop = AXES[bands[0]][0], sum(AXES[bands[-1]])
        prepared = prepare(spectra[0])
        assert (prepared.grid.first, prepared.grid.n_pix) == (first, stop - first)
        assert bool(spectra[0].observation.arm_merge) == (len(bands) > 1)

    def test_a_missing_camera_between_two_leaves_a_gap_on_the_lattice(self, write_fits: Any, read_all: Any) -> None:
        prepared = prepare(good(read_all(write_fits(fibermap(2), *cameras(("B", "Z"))))[1])[0])
        assert (prepared.grid.first, prepared.grid.n_pix) == (4500, 160)
        assert np.isnan(prepared.flux[60:100]).all() and np.isfinite(prepared.flux[:60]).all()

    def test_cameras_that_share_no_lattice_are_cut_at_the_middle_of_the_overlap(
        self, write_fits: Any, read_all: Any
    ) -> None:
        spectrum = good(read_all(write_fits(fibermap(1), *cameras(("B", "R"), 1, shift=0.3)))[1])[0]
        prepared = prepare(spectrum)
        assert spectrum.observation.arm_merge == "cut at mid-overlap"
        assert prepared.wavelength is not None and (np.diff(prepared.wavelength) > 0).all()
        np.testing.assert_array_equal(np.unique(prepared.flux), [1, 2])

    def test_a_pixel_of_zero_without_weight_is_missing_and_one_with_flux_is_kept(
        self, write_fits: Any, read_all: Any
    ) -> None:
        hdus = cameras(("B",), 1)
        hdus[1].data[0, [10, 11]] = 0, 7
        hdus[2].data[0, [10, 11]] = 0
        prepared = prepare(good(read_all(write_fits(fibermap(1), *hdus))[1])[0])
        np.testing.assert_array_equal(prepared.flux[9:13], [1, np.nan, 7, 1])
        np.testing.assert_array_equal(np.isnan(prepared.uncertainty[9:13]), [False, True, True, False])


class TestRows:
    def test_sky_and_unassigned_fibres_are_left_out_and_bad_targets_are_rejected_alone(
        self, write_fits: Any, read_all: Any, left_out: Any
    ) -> None:
        ids = [LONG_ID, -5, LONG_ID + 2, LONG_ID + 3, LONG_ID + 4, 0]
        hdus = cameras(("B", "R"), 6)
        for hdu in (hdus[1], hdus[2], hdus[5], hdus[6]):
            hdu.data[[1, 2, 3, 5]] = 0
        hdus[2].data[4] = hdus[6].data[4] = 0
        kinds = ["TGT", "", "SKY", "TGT", "TGT", "TGT"]
        table = fibermap(6, TARGETID=("K", ids), OBJTYPE=("3A", kinds), COADD_FIBERSTATUS=("J", [0, 1, 0, 520, 0, 0]))
        path = write_fits(table, *hdus)
        found = read_all(path)[1]
        assert [type(one) for one in found] == [Spectrum, TooFewPixels]
        assert [one.row for one in found] == [0, 4]
        assert left_out(path) == [
            "no TARGETID in 2 rows: 1, 5",
            "OBJTYPE = SKY in 1 row: 2",
            "every pixel is zero, COADD_FIBERSTATUS = 520 in 1 row: 3",
        ]

    def test_a_target_of_zeros_alone_in_a_sound_fibre_is_rejected(self, write_fits: Any, read_all: Any) -> None:
        hdus = cameras(("B",), 2)
        hdus[1].data[1] = 0
        found = read_all(write_fits(fibermap(2), *hdus))[1]
        assert [type(one) for one in found] == [Spectrum, AllZero]
        assert found[1].row == 1

    def test_identifiers_of_64_bits_keep_every_digit(self, write_fits: Any, read_all: Any) -> None:
        first, second = good(read_all(write_fits(fibermap(2), *cameras(("B",)), SURVEY="sv1", PROGRAM="dark"))[1])
        assert [first.spec_id, second.spec_id] == [f"sv1-dark-{LONG_ID}", f"sv1-dark-{LONG_ID + 1}"]
        assert (first.observation.gaia_id, first.observation.gaia_dr) == ("3335074476514836609", "DR2")

    @pytest.mark.parametrize(("catalogue", "expected"), [("G3", "EDR3"), ("T2", ""), ("", "")])
    def test_only_a_gaia_catalogue_gives_a_gaia_identifier(
        self, write_fits: Any, read_all: Any, catalogue: str, expected: str
    ) -> None:
        path = write_fits(fibermap(1, REF_CAT=("2A", [catalogue])), *cameras(("B",), 1))
        observation = good(read_all(path)[1])[0].observation
        assert observation.gaia_dr == expected
        assert observation.gaia_id == ("3335074476514836609" if expected else "")

    def test_a_target_of_several_nights_is_stacked_and_has_no_date(self, write_fits: Any, read_all: Any) -> None:
        table = fibermap(2, COADD_NUMNIGHT=("I", [1, 3]))
        one, many = (spectrum.observation for spectrum in good(read_all(write_fits(table, *cameras(("B",))))[1]))
        assert (one.source_type, one.date_obs, one.mjd) == ("observed", "2021-04-07T06:00:00.000", 59311.25)
        assert (many.source_type, many.date_obs, many.mjd) == ("stacked", "", 59311.25)

    def test_exposures_of_one_target_have_identifiers_of_their_own(self, write_fits: Any, read_all: Any) -> None:
        columns: dict[str, Any] = dict.fromkeys(("COADD_FIBERSTATUS", "COADD_NUMEXP", "COADD_NUMNIGHT", "MEAN_MJD"))
        columns |= {"COADD_EXPTIME": None, "TARGETID": ("K", [LONG_ID] * 2), "EXPID": ("J", [83734, 83876])}
        columns |= {"FIBERSTATUS": ("J", [0, 0]), "MJD": ("D", [59311.5, 59312.5]), "EXPTIME": ("D", [600.0, 700.0])}
        path = write_fits(fibermap(2, **columns), *cameras(("B",)), HPXPIXEL=26065, SURVEY="main", PROGRAM="dark")
        first, second = good(read_all(path)[1])
        assert [first.spec_id, second.spec_id] == [f"main-dark-{LONG_ID}-{expid}" for expid in (83734, 83876)]
        assert (second.observation.date_obs, second.observation.exptime) == ("2021-04-08T12:00:00.000", 700.0)

    def test_targets_of_a_tile_are_named_by_it(self, write_fits: Any, read_all: Any) -> None:
        table = fibermap(1, TILEID=("J", [1000]))
        path = write_fits(table, *cameras(("B",), 1))
        moved = path.rename(path.with_name("coadd-3-1000-thru20210517.fits"))
        assert good(read_all(moved)[1])[0].spec_id == f"desi-tile1000-thru20210517-{LONG_ID}"
        path = write_fits(table, *cameras(("B",), 1), SURVEY="sv1", PROGRAM="dark", SPGRP="pernight", SPGRPVAL=20210517)
        assert good(read_all(path)[1])[0].spec_id == f"sv1-dark-tile1000-20210517-{LONG_ID}"

    def test_a_healpixel_without_cards_is_named_by_its_file(self, write_fits: Any, read_all: Any) -> None:
        path = write_fits(fibermap(1), *cameras(("B",), 1))
        moved = path.rename(path.with_name("coadd-main-bright-1234.fits"))
        assert good(read_all(moved)[1])[0].spec_id == f"main-bright-{LONG_ID}"


class TestRefusals:
    def test_a_file_without_science_fibres_says_so(self, write_fits: Any, read_all: Any, left_out: Any) -> None:
        path = write_fits(fibermap(2, OBJTYPE=("3A", ["SKY"] * 2)), *cameras(("B",)))
        assert read_all(path)[1] == []
        assert left_out(path) == ["OBJTYPE = SKY in 2 rows: 0, 1"]

    @pytest.mark.parametrize(
        ("table", "hdus", "error", "said"),
        [
            (None, cameras(("B",)), MissingField, "no FIBERMAP"),
            (fibermap(2, TARGETID=None), cameras(("B",)), MissingField, "TARGETID"),
            (fibermap(2, TARGETID=("D", [1e15, 2e15])), cameras(("B",)), MissingField, "no column of integers"),
            (fibermap(3), cameras(("B",)), MissingField, "2 rows and FIBERMAP 3"),
            (fibermap(2), cameras(("B",))[:2], MissingField, "B_IVAR"),
            (fibermap(2), [*cameras(("B",))[:2], *cameras(("BRZ",))[2:3]], MissingField, "B_IVAR"),
            (fibermap(2), [*cameras(("B",)), *cameras(("R",), unit="adu")], UnknownUnit, "convert"),
            (fibermap(2), [*cameras(("B",)), *cameras(("R",))[1:]], MissingField, "R_WAVELENGTH is missing"),
            (fibermap(2), [*cameras(("B",)), *cameras(("R",), mask="")], MissingField, "R_MASK is missing"),
        ],
    )
    def test_what_is_missing_is_named(
        self, write_fits: Any, read_all: Any, table: Any, hdus: list[Any], error: type[SourceError], said: str
    ) -> None:
        path = write_fits(*([] if table is None else [table]), *hdus)
        with pytest.raises(error, match=said):
            read_all(path)

    def test_images_of_different_shapes_are_refused(self, write_fits: Any, read_all: Any) -> None:
        hdus = cameras(("B",))
        hdus[2].data = hdus[2].data[:, :-1]
        with pytest.raises(MissingField, match="shape"):
            read_all(write_fits(fibermap(2), *hdus))

    def test_an_ingest_goes_on_beside_a_rejected_target(self, write_fits: Any, tmp_path: Path) -> None:
        hdus = cameras(("B", "R", "Z"), 3)
        for hdu in hdus:
            if hdu.name.endswith(("FLUX", "IVAR")):
                hdu.data[1] = 0
        write_fits(fibermap(3), *hdus, SURVEY="main", PROGRAM="dark", HPXPIXEL=7)
        request = IngestRequest(
            (str(tmp_path / "made.fits"),), str(tmp_path / "x.zarr"), tolerance=Tolerance.parse("1")
        )
        outcome = ingest(request, SerialExecutor())
        assert [(one.code, one.row) for one in outcome.rejections] == [("all-zero", 1)]
        store = zarr.open_group(tmp_path / "x.zarr", mode="r")
        assert store["metadata/object_id"][:].tolist() == [str(LONG_ID), str(LONG_ID + 2)]
        assert validate(tmp_path / "x.zarr").valid

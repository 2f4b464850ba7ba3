"""Facts that more than the usual cards decide: exposure, medium, instrument, velocity, identifiers, units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.model import Observation
from spectral_zarr.testing import write_samples

from .galah_files import release_3

N = 200


@pytest.fixture
def observe(write_fits: Any, line: Any, read_one: Any) -> Any:
    """Facts of a made image with the given cards."""

    def read(**cards: Any) -> Observation:
        observation: Observation = read_one(write_fits(line(**cards)))[1].observation
        return observation

    return read


class TestExposure:
    @pytest.mark.parametrize(
        ("cards", "seconds"),
        [
            ({"EXPTIME": 300.0}, 300.0),
            ({"EXPTIME": 300.0, "TOTALEXP": 900.0, "NCOMBINE": 3}, 900.0),
            ({"EXPTIME": 300.0, "TEXPTIME": 900.0}, 900.0),
            ({"EXPTIME": (900.0, "Total integration time"), "NCOMBINE": 3}, 900.0),
            ({"EXPTIME": (300.0, "[s] per exposure"), "NCOMBINE": 3}, 900.0),
            ({"ITIME": 30.0, "COADDS": 4}, 120.0),
            ({"ITIME": 30.0, "NCOMBINE": 5}, 150.0),
            ({"EXPTIME": 0.0, "NCOMBINE": 5}, np.nan),
        ],
    )
    def test_of_a_combination_it_is_the_total(self, observe: Any, cards: dict[str, Any], seconds: float) -> None:
        np.testing.assert_equal(observe(**cards).exptime, seconds)

    def test_galah_tells_the_total_beside_that_of_one(self, tmp_path: Path, read_one: Any) -> None:
        path = release_3(tmp_path, 1, EXPOSED=1200.0, TOTALEXP=3600.0)
        assert read_one(path)[1].observation.exptime == 3600.0


class TestMedium:
    def image(self, **cards: Any) -> fits.PrimaryHDU:
        rows = np.ones((5, N), np.float32)
        rows[2] = 10 ** (3.6 + 1e-4 * np.arange(N))
        hdu = fits.PrimaryHDU(rows)
        hdu.header.update({"TELESCOP": "LAMOST", "COEFF0": 3.6, "COEFF1": 1e-4, "OBSID": 7, **cards})
        return hdu

    @pytest.mark.parametrize(
        ("cards", "medium"),
        [
            ({}, "vacuum"),
            ({"AIRORVAC": "air"}, "air"),
            ({"AIRORVAC": "vac"}, "vacuum"),
            ({"VACUUM": False}, "air"),
            ({"VACUUM": "T"}, "vacuum"),
            ({"VACUUM": True, "AIRORVAC": "air"}, "unknown"),
            ({"VACUUM": 1.2e-5}, "vacuum"),
        ],
    )
    def test_lamost_and_sdss_ask_both_cards(
        self, write_fits: Any, read_one: Any, cards: dict[str, Any], medium: str
    ) -> None:
        name, spectrum = read_one(write_fits(self.image(**cards)))
        assert (name, spectrum.sampling.medium) == ("lamost-lrs", medium)
        sdss = self.image(TELESCOP="SDSS 2.5-M", PLATEID=266, MJD=51602, FIBERID=3, **cards)
        name, spectrum = read_one(write_fits(sdss))
        assert (name, spectrum.sampling.medium) == ("sdss-spspec", medium)

    @pytest.mark.parametrize(("card", "value", "medium"), [("VACUUM", True, "vacuum"), ("AIRORVAC", "air", "air")])
    def test_tables_ask_both_cards(self, write_fits: Any, read_one: Any, card: str, value: Any, medium: str) -> None:
        columns = [
            fits.Column("WAVE", "D", unit="Angstrom", array=5000.0 + np.arange(N)),
            fits.Column("FLUX", "E", unit="erg/s/cm2/Angstrom", array=np.ones(N)),
        ]
        table = fits.BinTableHDU.from_columns(columns)
        table.header[card] = value
        assert read_one(write_fits(fits.PrimaryHDU(), table))[1].sampling.medium == medium


class TestInstrument:
    def test_another_card_names_it(self, observe: Any) -> None:
        assert observe(INSTR="FIES").instrument == "FIES"
        assert observe(INSTR="FIES", INSTRUME="ALFOSC").instrument == "ALFOSC"

    @pytest.mark.parametrize(("mjd", "instrument"), [(54776, "SDSS"), (55181, "BOSS")])
    def test_the_spectrographs_before_boss_are_not_boss(
        self, write_fits: Any, read_one: Any, mjd: int, instrument: str
    ) -> None:
        rows = np.ones((5, N), np.float32)
        hdu = fits.PrimaryHDU(rows)
        cards = {"TELESCOP": "SDSS 2.5-M", "COEFF0": 3.6, "COEFF1": 1e-4, "PLATEID": 266, "FIBERID": 3}
        hdu.header.update({**cards, "MJD": mjd, "RUN2D": "v5_7_0"})
        assert read_one(write_fits(hdu))[1].observation.instrument == instrument


class TestVelocity:
    @pytest.mark.parametrize("card", ["None", (0.0, "Barycentric correction was not done")])
    def test_a_correction_that_was_not_done_was_not_done(self, tmp_path: Path, read_one: Any, card: Any) -> None:
        facts = read_one(release_3(tmp_path, 1, BARYEFF=card))[1].observation
        assert facts.velocity_frame == "topocentric" and np.isnan(facts.rv_applied)

    def test_one_that_was_done_was_done(self, tmp_path: Path, read_one: Any) -> None:
        facts = read_one(release_3(tmp_path, 1))[1].observation
        assert (facts.velocity_frame, facts.rv_applied) == ("barycentric", 12.25)


@pytest.mark.parametrize(
    ("name", "cards", "kind"),
    [
        ("hd1_fos_001.fits", {}, "stacked"),
        ("hd1_mod_002.fits", {}, "synthetic"),
        ("hd1_001.fits", {"TEFFGRAV": "9550/3.95"}, "synthetic"),
    ],
)
def test_calspec_files_without_errors_may_be_measured(
    write_fits: Any, read_one: Any, name: str, cards: dict[str, Any], kind: str
) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update({"DBTABLE": "CRSPECTRUM", "TARGETID": "HD1", "FILENAME": name, **cards})
    columns = [
        fits.Column("WAVELENGTH", "D", unit="ANGSTROMS", array=5000.0 + np.arange(N)),
        fits.Column("FLUX", "E", unit="FLAM", array=np.ones(N)),
    ]
    reader, spectrum = read_one(write_fits(primary, fits.BinTableHDU.from_columns(columns)))
    assert (reader, spectrum.observation.source_type) == ("hst-calspec", kind)
    assert bool(spectrum.observation.simulator) == (kind == "synthetic")
    assert spectrum.noise is None


class TestIdentifiers:
    def test_euclid_keeps_that_of_its_source(self, write_fits: Any, read_one: Any) -> None:
        columns = [
            fits.Column(name, "E", array=values)
            for name, values in (
                ("WAVELENGTH", 12000.0 + 13 * np.arange(N)),
                ("SIGNAL", np.ones(N)),
                ("VAR", np.ones(N)),
            )
        ]
        table = fits.BinTableHDU.from_columns(columns)
        table.header.update({"FSCALE": 1e-16, "SOURC_ID": -532814517})
        reader, spectrum = read_one(write_fits(fits.PrimaryHDU(), table))
        assert reader == "euclid-sir"
        assert spectrum.observation.object_id == "euclid--532814517"

    def test_rows_of_hdf5_keep_theirs_and_their_place(self, tmp_path: Path, read_all: Any) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file["flux"] = np.ones((3, N), np.float32)
            file["wavelength"] = 5000.0 + np.arange(N)
            file["object_id"] = np.array([2**62 + 1, 2, 3])
            file["ra"], file["dec"] = [12.5, 0.0, 1.0], [10.0, 0.0, 95.0]
            file["ra"].attrs["units"] = "hourangle"
            file.attrs.update(flux_unit="erg/s/cm2/Angstrom", wavelength_unit="Angstrom", source_type="observed")
        found = [one.observation for one in read_all(path)[1]]
        assert [one.object_id for one in found] == [str(2**62 + 1), "2", "3"]
        assert (found[0].ra, found[0].dec) == (187.5, 10.0)
        assert np.isnan([found[1].ra, found[1].dec, found[2].ra, found[2].dec]).all()
        assert [len(one.notes) for one in found] == [0, 0, 1]

    def test_rows_of_a_table_of_vectors_have_the_position_of_their_units(self, write_fits: Any, read_all: Any) -> None:
        columns = [
            fits.Column("wavelength", f"{N}D", unit="Angstrom", array=np.tile(5000.0 + np.arange(N), (3, 1))),
            fits.Column("flux", f"{N}E", unit="erg/s/cm2/Angstrom", array=np.ones((3, N))),
            fits.Column("ra", "D", unit="hour", array=[12.5, 0.0, 30.0]),
            fits.Column("dec", "D", unit="deg", array=[10.0, 0.0, 1.0]),
        ]
        found = [
            one.observation
            for one in read_all(write_fits(fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)))[1]
        ]
        np.testing.assert_array_equal([(one.ra, one.dec) for one in found], [(187.5, 10.0), *[(np.nan, np.nan)] * 2])
        assert [len(one.notes) for one in found] == [0, 0, 1]

    def test_of_a_flux_and_its_error_the_names_are_those_of_the_flux(self, tmp_path: Path) -> None:
        directory = tmp_path / "files"
        directory.mkdir()
        for role, values in (("E", np.full(N, 0.1)), ("F", np.linspace(1, 2, N))):
            hdu = fits.PrimaryHDU(values.astype(np.float32))
            hdu.header.update({"CRVAL1": 3.5, "CDELT1": 1e-4, "CRPIX1": 1, "CTYPE1": "LINEAR", "DC-FLAG": 1})
            hdu.header["INSTRUME"] = "HIRES"
            hdu.writeto(directory / f"star_{role}.fits")
        out = str(tmp_path / "out.zarr")
        ingest(IngestRequest((str(directory),), out), SerialExecutor())
        metadata = zarr.open_group(out, mode="r")["metadata"]
        assert [metadata[name][0] for name in ("spec_id", "source_file", "source_companions")] == [
            "star_F",
            "star_F.fits",
            "star_E.fits",
        ]
        assert metadata["source_size"][0] == (directory / "star_F.fits").stat().st_size


class TestOriginalUnit:
    def stored(self, sources: Path, out: Path) -> Any:
        ingest(IngestRequest((str(sources),), str(out)), SerialExecutor())
        assert validate(str(out)).valid
        return dict(zarr.open_group(str(out), mode="r")["signal/flux_raw"].attrs)

    def test_a_unit_of_the_file_is_kept(self, tmp_path: Path) -> None:
        (path,) = write_samples(tmp_path / "files", "harps-s1d", 1, seed=1)
        written = fits.getheader(path)["BUNIT"]
        assert self.stored(path, tmp_path / "a.zarr")["units_original"] == written

    def test_a_unit_that_the_file_does_not_have_is_not_invented(self, tmp_path: Path) -> None:
        (path,) = write_samples(tmp_path / "files", "harps-s1d", 1, seed=1)
        with fits.open(path, mode="update") as hdus:
            for card in ("BUNIT", "DATASUM", "CHECKSUM"):
                hdus[0].header.remove(card, ignore_missing=True)
        found = self.stored(path, tmp_path / "b.zarr")
        assert found["units"] == "dimensionless" and "units_original" not in found

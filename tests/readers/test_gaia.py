"""Gaia RVS and XP: the real DataLink file, the same spectrum in all layouts of the archive, tables of many sources."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import MissingField, NotASpectrum, RefusedProduct, SourceError
from spectral_zarr.testing import ReaderTests
from spectral_zarr.transforms import prepare
from tests.conftest import REAL_FILES

REAL = "gaia/XP_SAMPLED-Gaia DR3 5937083312263887616.fits"
STEM = "XP_SAMPLED-Gaia DR3 5937083312263887616"
SOURCE = "5937083312263887616"
IDS = [4295806720, 5937083312263887615, 5937083312263887617]
"""The last two are equal as floating-point numbers."""
UNIT = "W.m**-2.nm**-1"


@pytest.fixture
def xp(real_files: Path, reference: Any) -> Any:
    return reference(real_files / REAL)[1].data


def rvs(n: int = 3) -> tuple[Any, Any]:
    flux = (1 - 0.3 * np.exp(-(((np.arange(2401) - 1200) / 30) ** 2)) + 0.01 * np.arange(n)[:, None]).astype("f4")
    flux[:, :12] = flux[:, -7:] = np.nan
    return flux, np.where(np.isnan(flux), np.nan, 0.02).astype("f4")


def brackets(values: Any, kind: str = "[]", missing: str = "NaN") -> str:
    text = ",".join(missing if np.isnan(one) else str(one) for one in values)
    return f'"{kind[0]}{text}{kind[1]}"'


def write_bulk(path: Path, flux: Any, error: Any, *, kind: str = "[]", missing: str = "NaN", head: str = "") -> Path:
    lines = [head + "source_id,solution_id,ra,dec,flux,flux_error"]
    for i, row in enumerate(flux):
        lines.append(
            f"{IDS[i]},1,{10.5 + i},{-3.25},{brackets(row, kind, missing)},{brackets(error[i], kind, missing)}"
        )
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def assert_is_the_real_spectrum(spectrum: Any, xp: Any) -> None:
    np.testing.assert_array_equal(spectrum.flux.astype("f4"), xp["flux"])
    np.testing.assert_array_equal(spectrum.noise.astype("f4"), xp["flux_error"])
    ready = prepare(spectrum)
    axis = ready.wavelength if ready.wavelength is not None else ready.grid.wavelength()
    np.testing.assert_allclose(axis, 10 * xp["wavelength"], rtol=1e-14)
    assert (ready.flux_unit, spectrum.sampling.medium) == ("W / (m2 nm)", "vacuum")
    facts = spectrum.observation
    assert (spectrum.spec_id, facts.gaia_id, facts.gaia_dr) == (f"gaiadr3-xp-{SOURCE}", SOURCE, "DR3")
    assert (facts.source_type, facts.date_obs, facts.velocity_frame) == ("stacked", "", "unknown")


class TestOneSource:
    def test_the_real_file_agrees_with_astropy(self, real_files: Path, read_one: Any, claimants: Any, xp: Any) -> None:
        assert claimants(real_files / REAL) == ["gaia-fits"]
        _, spectrum = read_one(real_files / REAL)
        assert_is_the_real_spectrum(spectrum, xp)
        assert spectrum.observation.ra == 251.51920772923995
        assert spectrum.observation.dec == -51.50535255488219
        assert spectrum.observation.flux_calibration == "absolute"

    def test_the_real_file_is_published(self, real_files: Path, tmp_path: Path, xp: Any) -> None:
        ingest(IngestRequest((str(real_files / REAL),), str(tmp_path / "xp.zarr")), SerialExecutor())
        assert validate(tmp_path / "xp.zarr").valid
        store = zarr.open_group(tmp_path / "xp.zarr", mode="r")
        np.testing.assert_array_equal(store["signal/flux_raw"][0], xp["flux"])
        assert store["metadata/gaia_id"][0] == SOURCE

    def test_csv_of_samples(self, tmp_path: Path, read_one: Any, claimants: Any, xp: Any) -> None:
        path = tmp_path / f"{STEM}.csv"
        rows = [f"{SOURCE},4545469030156206081,251.5,-51.5,{w},{f},{e}" for w, f, e in xp]
        path.write_text("\n".join(["source_id,solution_id,ra,dec,wavelength,flux,flux_error", *rows]) + "\n")
        assert claimants(path) == ["gaia-text"]
        _, spectrum = read_one(path)
        assert_is_the_real_spectrum(spectrum, xp)
        assert (spectrum.observation.ra, spectrum.observation.dec) == (251.5, -51.5)

    def test_csv_that_names_its_source_in_its_name_only(self, tmp_path: Path, read_one: Any, xp: Any) -> None:
        path = tmp_path / f"{STEM}.csv"
        path.write_text("\n".join(["wavelength,flux,flux_error", *(f"{w},{f},{e}" for w, f, e in xp)]))
        assert_is_the_real_spectrum(read_one(path)[1], xp)

    @pytest.mark.parametrize("layout", ["lines", "inline"])
    def test_ecsv_with_its_source_in_the_comments(self, tmp_path: Path, read_one: Any, xp: Any, layout: str) -> None:
        path = tmp_path / "spectrum.ecsv"
        names = ("wavelength", "flux", "flux_error")
        if layout == "lines":
            columns = [f"# -\n#   name: {name}\n#   datatype: float64\n#   unit: {unit}" for name, unit in
                       zip(names, ("nm", UNIT, UNIT), strict=True)]  # fmt: skip
        else:
            columns = [f"# - {{name: {name}, unit: {unit}, datatype: float64}}" for name, unit in
                       zip(names, ("nm", UNIT, UNIT), strict=True)]  # fmt: skip
        head = ["# %ECSV 1.0", "# ---", "# delimiter: ','", "# datatype:", *columns, "# meta:"]
        head += [f"#   source_id: {SOURCE}", "#   spatialLocation: [251.5, -51.5]", ",".join(names)]
        path.write_text("\n".join([*head, *(f"{w},{f},{e}" for w, f, e in xp)]))
        # Only the name of the archive or a column tells that a table of fluxes is one of Gaia.
        with pytest.raises(NotASpectrum):
            read_one(path)
        _, spectrum = read_one(path.rename(tmp_path / f"{STEM}.ecsv"))
        assert_is_the_real_spectrum(spectrum, xp)
        assert (spectrum.observation.ra, spectrum.observation.dec) == (251.5, -51.5)

    @pytest.mark.parametrize("form", ["tabledata", "binary", "binary2"])
    def test_votable(self, tmp_path: Path, read_one: Any, claimants: Any, xp: Any, form: str) -> None:
        path = tmp_path / f"{STEM}.xml"
        table = Table({name: np.asarray(xp[name]).astype(xp[name].dtype.newbyteorder("=")) for name in xp.names})
        table["wavelength"].unit, table["flux"].unit, table["flux_error"].unit = "nm", "W m-2 nm-1", "W m-2 nm-1"
        votable = from_table(table)
        votable.to_xml(str(path), tabledata_format=form)
        assert claimants(path) == ["gaia-text"]
        assert_is_the_real_spectrum(read_one(path)[1], xp)

    def test_a_damaged_votable_has_a_code(self, tmp_path: Path, read_one: Any, xp: Any) -> None:
        path = tmp_path / f"{STEM}.xml"
        from_table(Table({name: np.asarray(xp[name]).astype("f8") for name in xp.names})).to_xml(str(path))
        text = path.read_text()
        path.write_text(text[: len(text) // 2])
        with pytest.raises(MissingField, match="VOTable"):
            read_one(path)

    def test_rvs_is_normalised_and_at_rest_with_missing_edges(self, tmp_path: Path, read_one: Any) -> None:
        flux, error = rvs(1)
        path = tmp_path / "RVS-Gaia DR3 4295806720.csv"
        wave = 846 + 0.01 * np.arange(2401)
        lines = [f"{w:.2f},{f},{e}".replace("nan", "NaN") for w, f, e in zip(wave, flux[0], error[0], strict=True)]
        path.write_text("\n".join(["wavelength,flux,flux_error", *lines]))
        _, spectrum = read_one(path)
        assert (spectrum.spec_id, spectrum.normalized_product) == ("gaiadr3-rvs-4295806720", True)
        assert (spectrum.observation.velocity_frame, spectrum.observation.instrument) == ("rest", "Gaia RVS")
        ready = prepare(spectrum)
        np.testing.assert_array_equal(ready.flux, flux[0])
        np.testing.assert_array_equal(ready.uncertainty, error[0])
        assert (ready.flux_unit, spectrum.sampling.medium) == ("dimensionless", "vacuum")
        assert (ready.grid.wave_min, ready.grid.wave_max) == pytest.approx((8460.0, 8700.0))

    def test_a_file_without_source_is_refused(self, write_fits: Any, read_one: Any) -> None:
        columns = [
            fits.Column(name, "D", array=336 + 2.0 * np.arange(343)) for name in ("wavelength", "flux", "flux_error")
        ]
        table = fits.BinTableHDU.from_columns(columns)
        table.header["PUBLISHE"] = "ESA/Gaia/DPAC"
        with pytest.raises(MissingField, match="source_id"):
            read_one(write_fits(table))


class TestManySources:
    @pytest.mark.parametrize("form", ["PE(2401)", "2401E"])
    def test_fits_with_a_row_per_source(self, write_fits: Any, read_all: Any, claimants: Any, form: str) -> None:
        flux, error = rvs()
        vectors = [
            fits.Column(name, form, array=np.array(list(values), dtype=object) if form[0] == "P" else values)
            for name, values in (("flux", flux), ("flux_error", error))
        ]
        columns = [
            fits.Column("source_id", "K", array=np.array(IDS)),
            fits.Column("solution_id", "K", array=np.array([1, 1, 1])),
            fits.Column("ra", "D", array=[1.0, 2.0, 3.0]),
            fits.Column("dec", "D", array=[-1.0, -2.0, -3.0]),
            *vectors,
        ]
        path = write_fits(fits.BinTableHDU.from_columns(columns))
        assert claimants(path) == ["gaia-fits"]
        _, spectra = read_all(path)
        assert [one.observation.gaia_id for one in spectra] == [str(one) for one in IDS]
        assert [one.observation.dec for one in spectra] == [-1.0, -2.0, -3.0]
        for i, one in enumerate(spectra):
            np.testing.assert_array_equal(one.flux, flux[i])
            np.testing.assert_array_equal(one.noise, error[i])
            np.testing.assert_allclose(prepare(one).grid.wavelength(), 10 * (846 + 0.01 * np.arange(2401)), rtol=1e-14)

    def test_fits_with_a_row_per_sample(self, write_fits: Any, read_all: Any, xp: Any) -> None:
        columns = [
            fits.Column("source_id", "K", array=np.repeat(IDS, 343)),
            fits.Column("solution_id", "K", array=np.ones(3 * 343)),
            fits.Column("wavelength", "D", unit="nm", array=np.tile(xp["wavelength"], 3)),
            fits.Column("flux", "E", unit=UNIT, array=np.concatenate([xp["flux"] * i for i in (1, 2, 3)])),
            fits.Column("flux_error", "E", unit=UNIT, array=np.tile(xp["flux_error"], 3)),
        ]
        _, spectra = read_all(write_fits(fits.BinTableHDU.from_columns(columns)))
        assert [one.spec_id for one in spectra] == [f"gaiadr3-xp-{one}" for one in IDS]
        assert [one.row for one in spectra] == [0, 343, 686]
        np.testing.assert_array_equal(spectra[2].flux, xp["flux"] * np.float32(3))

    @pytest.mark.parametrize(
        ("name", "kind", "missing", "head"),
        [
            ("RvsMeanSpectrum_000000-003111.csv.gz", "[]", "NaN", "# %ECSV 1.0\n# ---\n# delimiter: ','\n"),
            ("RVS_RAW.csv", "()", "null", ""),
        ],
    )
    def test_bulk_files_are_published(
        self, tmp_path: Path, read_all: Any, claimants: Any, name: str, kind: str, missing: str, head: str
    ) -> None:
        flux, error = rvs()
        path = write_bulk(tmp_path / name, flux, error, kind=kind, missing=missing, head=head)
        assert claimants(path) == ["gaia-text"]
        _, spectra = read_all(path)
        assert [one.observation.ra for one in spectra] == [10.5, 11.5, 12.5]
        ingest(IngestRequest((str(path),), str(tmp_path / "rvs.zarr")), SerialExecutor())
        assert validate(tmp_path / "rvs.zarr").valid
        store = zarr.open_group(tmp_path / "rvs.zarr", mode="r")
        np.testing.assert_array_equal(store["signal/flux_raw"][:], flux)
        np.testing.assert_array_equal(store["signal/uncertainty_raw"][:], error)
        np.testing.assert_array_equal(store["representations/normalized_flux"][:], flux)
        assert list(store["metadata/gaia_id"][:]) == [str(one) for one in IDS]
        assert store["signal/wavelength"].shape == (2401,)

    def test_bulk_files_are_found_in_directories(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        write_bulk(tmp_path / "in" / "RvsMeanSpectrum_000000-003111.csv.gz", *rvs())
        (tmp_path / "in" / "notes.csv").write_text("a,b\n1,2\n")
        outcome = ingest(IngestRequest((str(tmp_path / "in"),), str(tmp_path / "x.zarr")), SerialExecutor())
        assert outcome.plan.n_spec == 3

    def test_bad_lines_do_not_take_good_ones_along(self, tmp_path: Path, read_all: Any) -> None:
        flux, error = rvs()
        path = write_bulk(tmp_path / "RVS_RAW.csv", flux, error)
        lines = path.read_text().splitlines()
        lines.insert(2, "1,2,3")
        lines.append(f'77777,1,,,{brackets(flux[0])},"[1.0,oops]"')
        lines.append(f"88888,1,,,{brackets(flux[0, :9])},{brackets(flux[0, :9])}")
        lines.append(f"5.937e18,1,,,{brackets(flux[0])},{brackets(error[0])}")
        path.write_text("\n".join(lines))
        _, found = read_all(path)
        good = [one for one in found if not isinstance(one, SourceError)]
        assert [one.observation.gaia_id for one in good] == [str(one) for one in IDS]
        bad = {one.row: one.message for one in found if isinstance(one, SourceError)}
        assert sorted(bad) == [1, 4, 5, 6]
        assert "3 fields" in bad[1] and "oops" in bad[4] and "9 samples" in bad[5] and "5.937e18" in bad[6]

    def test_a_votable_of_vectors(self, tmp_path: Path, read_all: Any) -> None:
        flux, error = rvs()
        path = tmp_path / "RVS_RAW.xml"
        table = Table({"source_id": np.array(IDS), "solution_id": [1, 1, 1], "flux": flux, "flux_error": error})
        from_table(table).to_xml(str(path))
        _, spectra = read_all(path)
        assert [one.observation.gaia_id for one in spectra] == [str(one) for one in IDS]
        np.testing.assert_array_equal(np.array([one.flux for one in spectra]), flux.astype("f8"))

    def test_identifiers_as_floating_point_numbers_are_refused(self, write_fits: Any, read_one: Any, xp: Any) -> None:
        columns = [fits.Column("source_id", "D", array=np.full(343, float(IDS[1])))]
        columns += [fits.Column("solution_id", "K", array=np.ones(343))]
        columns += [fits.Column(name, "D", array=xp[name]) for name in ("wavelength", "flux", "flux_error")]
        with pytest.raises(MissingField, match="floating-point"):
            read_one(write_fits(fits.BinTableHDU.from_columns(columns)))


class TestOtherProducts:
    def test_coefficients_are_refused_with_what_to_do(self, write_fits: Any, tmp_path: Path, read_one: Any) -> None:
        columns = [
            fits.Column("source_id", "K", array=[IDS[0]]),
            fits.Column("solution_id", "K", array=[1]),
            fits.Column("bp_coefficients", "55D", array=np.ones((1, 55))),
            fits.Column("rp_coefficients", "55D", array=np.ones((1, 55))),
        ]
        with pytest.raises(RefusedProduct, match="GaiaXPy"):
            read_one(write_fits(fits.BinTableHDU.from_columns(columns)))
        path = tmp_path / "XP_CONTINUOUS_RAW.csv"
        path.write_text('source_id,solution_id,bp_coefficients,rp_coefficients\n1,1,"(1,2)","(1,2)"\n')
        with pytest.raises(RefusedProduct, match="GaiaXPy"):
            read_one(path)

    def test_epoch_photometry_is_no_spectrum(self, write_fits: Any, tmp_path: Path, read_one: Any) -> None:
        names = ("source_id", "solution_id", "time", "mag", "flux", "flux_error")
        columns = [fits.Column(name, "K" if "id" in name else "D", array=np.arange(1, 5)) for name in names]
        with pytest.raises(RefusedProduct, match="other than RVS"):
            read_one(write_fits(fits.BinTableHDU.from_columns(columns)))
        path = tmp_path / "EPOCH_PHOTOMETRY-Gaia DR3 4295806720.csv"
        path.write_text(",".join(names) + "\n1,2,3,4,5,6\n")
        with pytest.raises(NotASpectrum):
            read_one(path)

    def test_tables_of_other_telescopes_with_a_source_id_are_left_alone(
        self, write_fits: Any, tmp_path: Path, claimants: Any
    ) -> None:
        names = ("source_id", "wavelength", "flux", "flux_error")
        columns = [fits.Column(name, "30D", array=np.ones((2, 30))) for name in names[1:]]
        columns.insert(0, fits.Column("SOURCE_ID", "J", array=[1, 2]))
        assert claimants(write_fits(fits.BinTableHDU.from_columns(columns), TELESCOP="OTHER")) == []
        path = tmp_path / "mine.csv"
        path.write_text(",".join(names) + "\n1,500.0,1.0,0.1\n1,501.0,1.0,0.1\n")
        assert claimants(path) == []

    def test_samples_of_unknown_wavelength_are_refused(self, tmp_path: Path, read_one: Any) -> None:
        path = tmp_path / "output_spectra.csv"
        path.write_text('source_id,flux,flux_error\n4295806720,"(1.0, 2.0)","(0.1, 0.1)"\n')
        with pytest.raises(MissingField, match="GaiaXPy"):
            read_one(path)


class TestKitFits(ReaderTests):
    reader = "gaia-fits"
    n_damaged = 40

    def files(self) -> list[Path]:
        if not (REAL_FILES / REAL).exists():
            pytest.skip("the real survey files are not beside this checkout")
        return [REAL_FILES / REAL]


@pytest.fixture(scope="class")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("gaia")
    flux, error = rvs(1)
    table = Table({"wavelength": 846 + 0.01 * np.arange(2401), "flux": flux[0], "flux_error": error[0]})
    from_table(table).to_xml(str(directory / "RVS-Gaia DR3 4295806720.xml"), tabledata_format="binary2")
    bulk = write_bulk(directory / "RVS_RAW.csv", *rvs())
    request.cls.made = [bulk, directory / "RVS-Gaia DR3 4295806720.xml"]


@pytest.mark.usefixtures("made")
class TestKitText(ReaderTests):
    reader = "gaia-text"
    n_damaged = 15
    made: list[Path]

    def files(self) -> list[Path]:
        return self.made

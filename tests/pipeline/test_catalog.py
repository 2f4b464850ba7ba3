"""Joining catalogues of parameters: exact keys, declared columns, sentinels, duplicates, unmatched spectra."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import zarr
from astropy.io import fits
from astropy.table import Table

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.cluster import preview
from spectral_zarr.config import CatalogOptions, Config
from spectral_zarr.errors import BadCatalog, ResumeRefused
from spectral_zarr.readers.catalog import read_catalog
from spectral_zarr.testing import write_samples

N_STARS = 5
FIRST_ID = 5937083312263887616
"""Larger than 2**53: as a float it would be that of several stars."""

Write = Callable[[dict[str, Any]], Path]


@pytest.fixture
def stars(tmp_path: Path) -> Path:
    """Spectra of five stars as tables whose file names are Gaia identifiers."""
    directory = tmp_path / "spectra"
    for number, path in enumerate(write_samples(directory, "generic-table", N_STARS, n_pix=128)):
        path.rename(directory / f"{FIRST_ID + number}.fits")
    return directory


@pytest.fixture(params=["parquet", "csv", "tsv", "fits", "vot"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Write a catalogue in one of the formats."""
    return lambda columns: write_catalog(tmp_path / f"catalog.{request.param}", columns)


def write_catalog(path: Path, columns: dict[str, Any]) -> Path:
    """Write a catalogue in the format of the suffix."""
    if path.suffix == ".parquet":
        pa.parquet.write_table(pa.table(columns), path)
    elif path.suffix in (".csv", ".tsv"):
        options = pa.csv.WriteOptions(delimiter="," if path.suffix == ".csv" else "\t")
        pa.csv.write_csv(pa.table(columns), path, options)
    else:
        table = Table({name: np.array(values) for name, values in columns.items()})
        table.write(path, format="fits" if path.suffix == ".fits" else "votable", overwrite=True)
    return path


def ids(*numbers: int) -> list[int]:
    return [FIRST_ID + number for number in numbers]


def run(stars: Path, target: Path, **catalog: Any) -> zarr.Group:
    options = CatalogOptions(**{"field": "file_stem", "key": "source_id", **catalog})
    ingest(IngestRequest((str(stars),), str(target), Config(catalog=options)), SerialExecutor())
    verdict = validate(target)
    assert verdict.valid, verdict.findings
    return zarr.open_group(str(target), mode="r")


class TestValues:
    def test_every_star_gets_its_own_row_in_every_format(self, stars: Path, tmp_path: Path, write: Write) -> None:
        path = write(
            {
                "source_id": ids(3, 0, 9, 2, 1),
                "teff": [6003.0, 6000.0, 6009.0, 6002.0, 6001.0],
                "FE_H": [-0.3, 0.0, -0.9, -0.2, -0.1],
            }
        )
        store = run(stars, tmp_path / "out.zarr", file=str(path))
        np.testing.assert_array_equal(store["params/teff"][:], [6000, 6001, 6002, 6003, np.nan])
        np.testing.assert_array_equal(store["params/feh"][:], [0.0, -0.1, -0.2, -0.3, np.nan])
        assert list(store["metadata/params_source"][:]) == [f"catalogue:{path.name}"] * 4 + [""]
        index = pa.parquet.read_table(tmp_path / "out.zarr" / "index.parquet")
        np.testing.assert_array_equal(index["teff"].to_numpy(), store["params/teff"][:])

    def test_sentinels_and_flagged_rows_become_nan(self, stars: Path, tmp_path: Path, write: Write) -> None:
        path = write(
            {
                "source_id": ids(0, 1, 2, 3, 4),
                "teff": [-9999.0, 5777.0, 5000.0, 0.0, 4000.0],
                "logg": [4.4, -999.0, 99.0, 4.0, 2.0],
                "flag_sp": [0, 0, 0, 0, 1],
            }
        )
        store = run(stars, tmp_path / "out.zarr", file=str(path), flag="flag_sp")
        np.testing.assert_array_equal(store["params/teff"][:], [np.nan, 5777, 5000, np.nan, np.nan])
        np.testing.assert_array_equal(store["params/logg"][:], [4.4, np.nan, np.nan, 4.0, np.nan])

    def test_an_exact_9999_kelvin_is_missing_where_it_is_repeated(self, stars: Path, tmp_path: Path) -> None:
        few, many = tmp_path / "few.parquet", tmp_path / "many.parquet"
        for path, n_hot in ((few, 2), (many, 3)):
            teff = [9999.0] * n_hot + [5000.0] * (N_STARS - n_hot)
            columns = {"source_id": ids(*range(N_STARS)), "teff": teff, "e_teff": [0.0] * N_STARS}
            pa.parquet.write_table(pa.table({**columns, "logg": [4.0] * N_STARS, "feh": [0.0] * N_STARS}), path)
        assert list(run(stars, tmp_path / "few.zarr", file=str(few))["params/teff"][:2]) == [9999.0, 9999.0]
        store = run(stars, tmp_path / "many.zarr", file=str(many))
        np.testing.assert_array_equal(store["params/teff"][:], [np.nan, np.nan, np.nan, 5000, 5000])
        np.testing.assert_array_equal(store["params/e_teff"][:], [np.nan, np.nan, np.nan, 0, 0])

    def test_declared_columns_are_taken_and_no_others(self, stars: Path, tmp_path: Path) -> None:
        path = tmp_path / "catalog.parquet"
        columns = {"source_id": ids(0, 1), "teff": [1.0, 2.0], "TEFF_GSPPHOT": [5000.0, 5100.0]}
        pa.parquet.write_table(pa.table(columns), path)
        store = run(stars, tmp_path / "out.zarr", file=str(path), columns={"teff": "teff_gspphot"})
        np.testing.assert_array_equal(store["params/teff"][:], [5000, 5100, np.nan, np.nan, np.nan])
        assert sorted(store["params"].array_keys()) == ["teff"]

    def test_nulls_and_masked_values_are_nan(self, tmp_path: Path) -> None:
        parquet, fits_file = tmp_path / "a.parquet", tmp_path / "a.fits"
        pa.parquet.write_table(pa.table({"source_id": [1, None], "teff": [None, 5000.0]}), parquet)
        key = fits.Column("source_id", "K", array=np.array([1, -1]), null=-1)
        fits.BinTableHDU.from_columns([key, fits.Column("teff", "J", array=[-1, 5000], null=-1)]).writeto(fits_file)
        for path in (parquet, fits_file):
            catalog = read_catalog(CatalogOptions(file=str(path), key="source_id"))
            assert catalog.keys.to_pylist() == ["1", ""]
            np.testing.assert_array_equal(catalog.params["teff"], [np.nan, 5000.0])

    def test_a_header_field_can_be_the_key(self, tmp_path: Path) -> None:
        paths = write_samples(tmp_path / "sdss", "sdss-spec", 3, n_pix=256)
        fibers = [str(fits.getval(path, "FIBERID")) for path in paths]
        catalog = tmp_path / "catalog.csv"
        catalog.write_text("fiber,teff\n" + "\n".join(f"{name},{5000 + i}" for i, name in enumerate(fibers)))
        options = CatalogOptions(file=str(catalog), key="fiber", field="h0_fiberid")
        request = IngestRequest((str(tmp_path / "sdss"),), str(tmp_path / "out.zarr"), Config(catalog=options))
        planned = preview(request, SerialExecutor()).plan.catalog
        assert planned is not None
        assert planned.n_matched == len(set(fibers))
        ingest(request, SerialExecutor())
        store = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
        wanted = dict(zip(fibers, range(5000, 5003), strict=True))
        assert [wanted[name] for name in store["metadata/h0_fiberid"][:]] == list(store["params/teff"][:])


class TestRefusals:
    @pytest.mark.parametrize("suffix", ["parquet", "fits", "vot"])
    def test_a_key_of_floats(self, tmp_path: Path, suffix: str) -> None:
        path = write_catalog(tmp_path / f"a.{suffix}", {"source_id": [float(FIRST_ID)], "teff": [5000.0]})
        with pytest.raises(BadCatalog, match="a float cannot hold"):
            read_catalog(CatalogOptions(file=str(path), key="source_id"))

    def test_two_rows_for_one_star(self, stars: Path, tmp_path: Path, write: Write) -> None:
        path = write({"source_id": ids(1, 1), "teff": [5000.0, 5000.0]})
        with pytest.raises(BadCatalog, match=f"several rows, first {FIRST_ID + 1}"):
            run(stars, tmp_path / "out.zarr", file=str(path))
        assert not (tmp_path / "out.zarr").exists()

    def test_two_rows_for_a_star_without_a_spectrum_do_no_harm(self, stars: Path, tmp_path: Path) -> None:
        path = tmp_path / "catalog.parquet"
        pa.parquet.write_table(pa.table({"source_id": ids(0, 77, 77), "teff": [5000.0, 1e4, 2e4]}), path)
        assert run(stars, tmp_path / "out.zarr", file=str(path))["params/teff"][0] == 5000

    @pytest.mark.parametrize(
        ("catalog", "message"),
        [
            ({"key": "nothing"}, "no column is called nothing; there are source_id, teff"),
            ({"columns": {"logg": "g"}}, "no column is called g"),
            ({"field": "nothing"}, "the spectra have no text called nothing"),
            ({"field": "", "key": "teff"}, "a float cannot hold"),
            ({"field": "spec_id"}, "no spectrum has a row: spec_id is for example"),
            ({"key": ""}, "--catalog-key"),
        ],
    )
    def test_what_does_not_fit_is_named(
        self, stars: Path, tmp_path: Path, catalog: dict[str, Any], message: str
    ) -> None:
        path = tmp_path / "catalog.parquet"
        pa.parquet.write_table(pa.table({"source_id": [1], "teff": [5000.0]}), path)
        with pytest.raises(BadCatalog, match=message):
            run(stars, tmp_path / "out.zarr", file=str(path), **catalog)

    @pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.fits", "a.vot", "a.txt", "missing.parquet"])
    def test_what_is_no_table_is_refused(self, tmp_path: Path, name: str) -> None:
        if name.startswith("a."):
            (tmp_path / name).write_bytes(b"\0\1\2 no table")
        with pytest.raises(BadCatalog):
            read_catalog(CatalogOptions(file=str(tmp_path / name), key="source_id"))


def test_an_interrupted_build_refuses_another_catalogue(
    stars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, target = tmp_path / "catalog.parquet", tmp_path / "out.zarr"
    pa.parquet.write_table(pa.table({"source_id": ids(0), "teff": [5000.0]}), path)
    options = CatalogOptions(file=str(path), key="source_id", field="file_stem")
    request = IngestRequest((str(stars),), str(target), Config(catalog=options))
    with monkeypatch.context() as patched:
        patched.setattr("spectral_zarr.cluster.phases.create_store", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            _keyboard(request)
    pa.parquet.write_table(pa.table({"source_id": ids(0), "teff": [6000.0]}), path)
    with pytest.raises(ResumeRefused, match=r"another plan \(catalog\)"):
        ingest(replace(request, resume=True), SerialExecutor())
    pa.parquet.write_table(pa.table({"source_id": ids(0), "teff": [5000.0]}), path)
    ingest(replace(request, resume=True), SerialExecutor())
    assert zarr.open_group(str(target), mode="r")["params/teff"][0] == 5000


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _keyboard(request: IngestRequest) -> None:
    from spectral_zarr.errors import Interrupted

    try:
        ingest(request, SerialExecutor())
    except Interrupted as error:
        raise KeyboardInterrupt from error

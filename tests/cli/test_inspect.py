"""``spectral-zarr inspect``: groups of products, their grids and gaps, and rejections, from mixed directories."""

from __future__ import annotations

import re
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from spectral_zarr.config import Config, load_config
from spectral_zarr.testing import write_samples
from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three products, each on another kind of grid, and two bad files."""
    root = tmp_path_factory.mktemp("mixed")
    write_samples(root / "sdss", "sdss-spec", 6, n_pix=400)
    write_samples(root / "uves", "uves-adp", 3, n_pix=400)
    write_samples(root / "lines", "wcs1d", 2, n_pix=256)
    (root / "text.fits").write_text("no")
    (root / "empty.fits").write_bytes(b"")
    return root


class TestInspect:
    def test_groups_their_grids_and_counts(self, run: Run, mixed: Path) -> None:
        found = run("inspect", mixed, "--cluster", "serial", "--json").json
        kinds = {group["reader"].split("@")[0]: group for group in found["groups"]}
        assert found["n_files"] == 13
        assert kinds["sdss-spec"]["kind"] == "lattice"
        assert kinds["sdss-spec"]["n_spectra"] == 6
        assert kinds["eso-sdp"]["kind"] == "ragged"
        assert kinds["generic-image"]["kind"] == "identical"
        assert kinds["generic-image"]["n_pix"] == [256, 256]
        assert found["groups"][0]["reader"].startswith("sdss-spec")

    def test_what_would_be_stored_is_what_an_ingest_plans(self, run: Run, mixed: Path) -> None:
        group = run("inspect", mixed / "sdss", "--cluster", "serial", "--json").json["groups"][0]
        plan = run("ingest", mixed / "sdss", "o.zarr", "-n", "--cluster", "serial", "--json").json
        assert (group["kind"], group["store_pixels"]) == (plan["wavelength"], plan["n_pix"])

    def test_products_that_alternate_over_several_batches(self, run: Run, tmp_path: Path) -> None:
        for number in range(3):
            write_samples(tmp_path / f"in/{number}-lines", "wcs1d", 1, n_pix=256)
            wavelength = np.linspace(4000.0, 4100.0, 64) * (1 + number * 1e-12)
            columns = {"WAVE": wavelength * u.AA, "FLUX": np.arange(1.0, 65.0) * u.Jy}
            Table(columns).write(tmp_path / f"in/{number}-table.fits")
        (tmp_path / "small.toml").write_text('[build]\nbatch_files = 1\n[readers.table]\nmedium = "air"\n')
        options = ("--config", tmp_path / "small.toml", "--cluster", "serial", "--json")
        found = run("inspect", tmp_path / "in", *options).json["groups"]
        kinds = {group["reader"].split("@")[0]: (group["n_spectra"], group["kind"]) for group in found}
        assert kinds == {"generic-table": (3, "identical"), "generic-image": (3, "identical")}

    def test_missing_fields_are_shares(self, run: Run, files: Path) -> None:
        first = sorted(files.iterdir())[0]
        first.write_bytes(first.read_bytes().replace(b"EXPTIME =", b"EXPTIMF ="))
        missing = run("inspect", files, "--cluster", "serial", "--json").json["groups"][0]["missing"]
        assert missing["exposure time"] == pytest.approx(1 / 3)
        assert missing["Gaia id"] == 1.0

    def test_a_mixture_is_reported_with_one_suggestion_per_product(self, run: Run, mixed: Path) -> None:
        result = run("inspect", mixed, "--cluster", "serial")
        assert result.code == 0
        assert result.out.count("spectral-zarr ingest ") == 3
        for words in ("one common lattice", "one grid per spectrum", "one common grid", "one store holds one product"):
            assert words in result.out

    def test_rejections_by_code_with_reason(self, run: Run, mixed: Path) -> None:
        result = run("inspect", mixed, "--cluster", "serial")
        for words in ("not-fits", "text.fits", "remove it from the sources", "empty-file", "empty.fits"):
            assert words in result.out

    def test_lists_can_be_ingested(self, run: Run, mixed: Path, tmp_path: Path) -> None:
        found = run("inspect", mixed, "--cluster", "serial", "--lists", "lists", "--json").json
        listing = next(group["list"] for group in found["groups"] if group["reader"].startswith("sdss-spec"))
        assert run("ingest", f"@{listing}", "sdss.zarr", "--cluster", "serial", "--json").json["rows"] == 6

    def test_the_configuration_that_files_need_is_written_with_its_choices(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        columns = {"WAVE": np.linspace(4000.0, 4100.0, 64), "FLUX": np.arange(1.0, 65.0)}
        Table(columns).write(tmp_path / "in/table.fits")
        options = ("--cluster", "serial", "--write-config", "ingest.toml")
        assert run("inspect", "in", *options).code == 0
        text = (tmp_path / "ingest.toml").read_text()
        assert '# wavelength_unit = "Angstrom"  # or "nm"' in text
        assert "# flux_unit = " in text
        assert load_config(tmp_path / "ingest.toml") == Config()
        (tmp_path / "ingest.toml").write_text(text.replace("# wave", "wave").replace("# flux_unit", "flux_unit"))
        answers = ("--config", "ingest.toml", "--cluster", "serial")
        assert run("ingest", "in", "out.zarr", *answers).code == 0
        assert run("inspect", "in", *options).code == 2, "an existing file is kept"

    def test_what_the_files_tell_is_filled_in(self, run: Run, tmp_path: Path) -> None:
        columns = {"WAVE": np.linspace(4000.0, 4100.0, 64) * u.AA, "FLUX": np.arange(1.0, 65.0) * u.Jy}
        Table(columns).write(tmp_path / "table.fits")
        run("inspect", "table.fits", "--cluster", "serial", "--write-config", "ingest.toml")
        found = load_config(tmp_path / "ingest.toml").readers
        assert (found.only, found.table.flux_unit, found.table.medium) == (("generic-table",), "Jy", "unknown")
        assert '# medium = "air"  # or "vacuum"' in (tmp_path / "ingest.toml").read_text()

    def test_a_list_is_offered_only_where_it_exists(self, run: Run, tmp_path: Path) -> None:
        for product in ("sdss-spec", "wcs1d"):
            write_samples(tmp_path / "in", product, 1, n_pix=256)
        without = run("inspect", "in", "--cluster", "serial").out
        assert without.count("inspect once more with --lists DIR, then spectral-zarr ingest @DIR/") == 2
        told = run("inspect", "in", "--cluster", "serial", "--lists", "lists").out
        offered = re.findall(r"spectral-zarr ingest @(\S+)", told)
        assert len(offered) == 2
        assert all(Path(listing).is_file() for listing in offered)

    def test_without_lists_nothing_is_written(self, run: Run, mixed: Path, tmp_path: Path) -> None:
        run("inspect", mixed, "--cluster", "serial")
        assert list(tmp_path.iterdir()) == []

    def test_only_bad_files_are_no_error(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "text.fits").write_text("no")
        result = run("inspect", "text.fits")
        assert result.code == 0
        assert "0 products, 1 rejected" in result.out

    def test_a_few_files_need_no_workers(self, run: Run, mixed: Path) -> None:
        assert "starting workers" not in run("inspect", mixed).err

    def test_many_batches_start_workers(self, run: Run, mixed: Path, tmp_path: Path) -> None:
        (tmp_path / "c.toml").write_text("[build]\nbatch_files = 1\n")
        result = run("inspect", mixed, "--config", "c.toml", "--workers", 1, "--json")
        assert "starting workers" in result.err
        assert len(result.json["groups"]) == 3

    def test_sources_that_do_not_exist(self, run: Run) -> None:
        assert run("inspect", "missing").code == 2

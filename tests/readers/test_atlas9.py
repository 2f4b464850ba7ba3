"""Model grids of the STScI archive: a spectrum per gravity, absent models left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.errors import MissingField
from spectral_zarr.transforms import prepare

WAVELENGTH = np.array([91.0, 1000.0, 5000.0, 5010.0, 1e6], np.float32)


def grid(path: Path, *, columns: dict[str, Any] | None = None, **cards: Any) -> Path:
    fluxes = columns or {"g00": np.zeros(5), "g45": np.arange(1.0, 6.0), "g50": np.arange(2.0, 7.0)}
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("WAVELENGTH", "E", unit="ANGSTROM", array=WAVELENGTH),
            *(fits.Column(name, "E", unit="FLAM", array=values) for name, values in fluxes.items()),
        ]
    )
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    fits.HDUList([primary, table]).writeto(path)
    return path


class TestFiles:
    def test_real_file_agrees_with_astropy(
        self, real_files: Path, read_all: Any, reference: Any, claimants: Any
    ) -> None:
        path = real_files / "synthetic-atlas9" / "ckp00ckp00_5750.fits"
        table = reference(path)[1].data
        assert claimants(path) == ["stsci-grid"]
        _, spectra = read_all(path)
        assert len(spectra) == 11
        for i, spectrum in enumerate(spectra):
            column = f"g{5 * i:02d}"
            np.testing.assert_array_equal(spectrum.flux, table[column])
            np.testing.assert_array_equal(spectrum.sampling.values, table["WAVELENGTH"])
            assert spectrum.params == {"teff": 5750.0, "m_h": 0.0, "feh": 0.0, "logg": i / 2}
            assert spectrum.spec_id == f"ckp00ckp00_5750_{column}"
            ready = prepare(spectrum)
            assert ready.flux_unit == "erg / (Angstrom cm2 s)"
            np.testing.assert_array_equal(ready.wavelength, table["WAVELENGTH"].astype("f8"))
        assert {spectrum.observation.simulator for spectrum in spectra} == {"ATLAS9-CK04"}

    def test_the_real_file_becomes_a_valid_store(self, real_files: Path, tmp_path: Path) -> None:
        target = tmp_path / "atlas9.zarr"
        outcome = ingest(IngestRequest((str(real_files / "synthetic-atlas9"),), str(target)), SerialExecutor())
        assert (outcome.plan.n_spec, outcome.rejections) == (11, ())
        assert not [finding for finding in validate(str(target)).findings if finding.severity == "error"]
        store = zarr.open_group(str(target), mode="r")
        np.testing.assert_array_equal(store["params/logg"][:], np.arange(11) / 2)
        assert store["signal/wavelength"].shape == (1221,)

    def test_models_that_the_grid_lacks_are_no_spectra_and_no_rejections(self, tmp_path: Path, read_all: Any) -> None:
        _, spectra = read_all(grid(tmp_path / "ckp00_5750.fits", TEFF=5750, LOG_Z=0.0))
        assert [spectrum.params["logg"] for spectrum in spectra] == [4.5, 5.0]
        assert [spectrum.row for spectrum in spectra] == [1, 2]

    @pytest.mark.parametrize(
        ("name", "teff", "m_h", "simulator"),
        [
            ("km25_10500.fits", 10500, -2.5, "ATLAS9-K93"),
            ("ckp02_3500.fits.gz", 3500, 0.2, "ATLAS9-CK04"),
            ("phoenixm05_2600.fits", 2600, -0.5, "PHOENIX-STScI"),
        ],
    )
    def test_parameters_come_from_the_name_where_the_header_lacks_them(
        self, tmp_path: Path, read_all: Any, name: str, teff: float, m_h: float, simulator: str
    ) -> None:
        spectrum = read_all(grid(tmp_path / name))[1][0]
        assert (spectrum.params["teff"], spectrum.params["feh"]) == (teff, m_h)
        assert spectrum.observation.simulator == simulator

    def test_a_table_without_parameters_is_refused(self, tmp_path: Path, read_all: Any) -> None:
        with pytest.raises(MissingField, match="TEFF and LOG_Z"):
            read_all(grid(tmp_path / "renamed.fits"))

    def test_a_table_with_other_columns_is_not_claimed(self, tmp_path: Path, claimants: Any) -> None:
        columns = {"g": np.ones(5), "g00": np.ones(5)}
        assert claimants(grid(tmp_path / "photometry.fits", columns=columns)) == []

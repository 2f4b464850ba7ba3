"""2dFdr: files written after its layout, because there is no real one beside this checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest, validate
from spectral_zarr.config import ImageOptions, ReaderOptions
from spectral_zarr.errors import BadWavelength, MissingField, RefusedProduct, SourceError
from spectral_zarr.model import Spectrum
from spectral_zarr.transforms import prepare

TYPES = ("P", "S", "P", "F", "U", "N", "P")
N_PIX = 80
LINEAR = {"CTYPE1": "Wavelength", "CUNIT1": "Angstroms", "CRVAL1": 6001.5, "CDELT1": 1.5, "CRPIX1": 41.0}
RANDOM = np.random.default_rng(1)
FLUX = RANDOM.normal(500, 20, (len(TYPES), N_PIX)).astype("f4")
VARIANCE = RANDOM.uniform(1, 9, FLUX.shape).astype("f4")
VARIANCE[:, [3, 9]] = 0, -1


def fibres(types: tuple[str, ...] = TYPES, *, unit: str = "", scale: float = np.pi / 180) -> fits.BinTableHDU:
    n = len(types)
    columns = [
        fits.Column("NAME", "20A", array=[f"star {i}" for i in range(n)]),
        fits.Column("RA", "D", array=(10.0 + np.arange(n)) * scale, unit=unit or None),
        fits.Column("DEC", "D", array=(-60.0 + np.arange(n)) * scale, unit=unit or None),
        fits.Column("TYPE", "8A", array=list(types)),
        fits.Column("PIVOT", "I", array=np.arange(n)),
    ]
    return fits.BinTableHDU.from_columns(columns, name="FIBRES")


def reduction(axis: dict[str, Any] | None = None, *more: Any, table: Any = None, flux: Any = FLUX, **cards: Any) -> Any:
    """The HDUs of one exposure, in the order of AAOmega files."""
    image = fits.PrimaryHDU(flux)
    facts = {"INSTRUME": "AAOMEGA-2dF", "RUNCMD": "RUN", "UTDATE": "2006:04:25", "UTSTART": "10:32:20"}
    facts |= {"UTMJD": 53850.4395, "EXPOSED": 1200.0, "OBJECT": "field 7", "MEANRA": 11.0, "BUNIT": "counts"}
    image.header.update({**facts, **(LINEAR if axis is None else axis), **cards})
    return [image, fits.ImageHDU(VARIANCE, name="VARIANCE"), table or fibres(), *more]


def spectra(found: list[Spectrum | SourceError]) -> list[Spectrum]:
    assert all(isinstance(one, Spectrum) for one in found)
    return [one for one in found if isinstance(one, Spectrum)]


class TestLinear:
    def test_programme_fibres_are_rows_with_the_reference_pixel_in_the_middle(
        self, write_fits: Any, read_all: Any, claimants: Any
    ) -> None:
        path = write_fits(*reduction())
        assert claimants(path) == ["2dfdr"]
        found = spectra(read_all(path)[1])
        assert [one.row for one in found] == [0, 2, 6]
        for one in found:
            prepared = prepare(one)
            np.testing.assert_allclose(prepared.grid.wavelength(), 6001.5 + (np.arange(N_PIX) - 40) * 1.5, rtol=1e-14)
            np.testing.assert_array_equal(prepared.flux, FLUX[one.row])
            with np.errstate(invalid="ignore"):
                sigma = np.where(VARIANCE[one.row] > 0, np.sqrt(VARIANCE[one.row].astype("f8")), np.nan)
            np.testing.assert_array_equal(prepared.uncertainty, sigma.astype("f4"))
            assert prepared.flux_unit == "ct"

    def test_facts_are_those_of_the_fibre_and_of_the_exposure(self, write_fits: Any, read_all: Any) -> None:
        observation = spectra(read_all(write_fits(*reduction()))[1])[1].observation
        assert observation.object == "star 2"
        assert (observation.ra, observation.dec) == (pytest.approx(12.0), pytest.approx(-58.0))
        assert (observation.date_obs, observation.mjd) == ("2006-04-25T10:32:20", 53850.4395)
        assert (observation.instrument, observation.exptime) == ("AAOMEGA-2dF", 1200.0)
        assert (observation.flux_calibration, observation.velocity_frame) == ("counts", "unknown")

    @pytest.mark.parametrize(
        ("cards", "medium"), [({"VACUUM": "T"}, "vacuum"), ({"VACUUM": True}, "vacuum"), ({"VACUUM": False}, "air")]
    )
    def test_the_medium_is_that_of_the_card(
        self, write_fits: Any, read_all: Any, cards: dict[str, Any], medium: str
    ) -> None:
        assert spectra(read_all(write_fits(*reduction(**cards)))[1])[0].sampling.medium == medium

    def test_without_the_card_the_medium_is_that_of_the_configuration_or_unknown(
        self, write_fits: Any, read_all: Any
    ) -> None:
        path = write_fits(*reduction())
        assert spectra(read_all(path)[1])[0].sampling.medium == "unknown"
        options = ReaderOptions(image=ImageOptions(medium="air", velocity_frame="heliocentric"))
        spectrum = spectra(read_all(path, options)[1])[0]
        assert (spectrum.sampling.medium, spectrum.observation.velocity_frame) == ("air", "heliocentric")

    @pytest.mark.parametrize(("unit", "scale"), [("Radians", np.pi / 180), ("deg", 1.0), ("", 1.0)])
    def test_positions_in_degrees_or_radians(self, write_fits: Any, read_all: Any, unit: str, scale: float) -> None:
        path = write_fits(*reduction(table=fibres(unit=unit, scale=scale)))
        assert spectra(read_all(path)[1])[0].observation.ra == pytest.approx(10.0)

    def test_a_reduction_without_variance_has_no_uncertainty(self, write_fits: Any, read_all: Any) -> None:
        image, _, table = reduction()
        arguments = fits.BinTableHDU.from_columns([fits.Column("ARG", "8A", array=["a"])], name="REDUCTION_ARGS")
        found = spectra(read_all(write_fits(image, table, arguments))[1])
        assert prepare(found[0]).uncertainty is None


class TestLogarithmic:
    @pytest.mark.parametrize("in_log", [True, False])
    @pytest.mark.parametrize("per_fibre", [True, False])
    def test_a_wavelength_hdu_is_the_axis_or_its_decimal_logarithm(
        self, write_fits: Any, read_all: Any, in_log: bool, per_fibre: bool
    ) -> None:
        axis = np.log10(6000.0) + 1e-4 * np.arange(N_PIX)
        values = axis if in_log else 10.0**axis
        values = np.tile(values, (len(TYPES), 1)) if per_fibre else values
        path = write_fits(*reduction(LINEAR, fits.ImageHDU(values, name="WAVELENGTH")))
        for one in spectra(read_all(path)[1]):
            prepared = prepare(one)
            assert prepared.wavelength is not None
            np.testing.assert_allclose(prepared.wavelength, 10.0**axis, rtol=1e-12)

    def test_a_logarithmic_axis_in_the_cards(self, write_fits: Any, read_all: Any) -> None:
        cards = {"CTYPE1": "Wavelength", "CUNIT1": "Angstroms", "CRVAL1": 3.8, "CDELT1": 1e-4, "CRPIX1": 41.0}
        prepared = prepare(spectra(read_all(write_fits(*reduction(cards)))[1])[0])
        np.testing.assert_allclose(prepared.grid.wavelength(), 10.0 ** (3.8 + 1e-4 * (np.arange(N_PIX) - 40)))


class TestRefusals:
    @pytest.mark.parametrize(
        ("hdus", "error", "said"),
        [
            (reduction(RUNCMD="ARC"), RefusedProduct, "calibration"),
            (reduction({"CRVAL1": 5.0}), MissingField, "not put on wavelengths"),
            (reduction({**LINEAR, "CTYPE1": "PIXEL"}), RefusedProduct, "counts pixels"),
            (reduction(table=fibres(TYPES[:4])), MissingField, "7 rows for 4 fibres"),
            (reduction(flux=FLUX[:, 1:]), MissingField, "VARIANCE has shape"),
            (reduction(None, fits.ImageHDU(np.full(N_PIX, 0.6), name="WAVELENGTH")), BadWavelength, "neither"),
            (reduction(None, fits.ImageHDU(np.ones(9), name="WAVELENGTH")), MissingField, "WAVELENGTH has shape"),
        ],
    )
    def test_what_is_no_reduced_science_exposure_is_refused(
        self, write_fits: Any, read_all: Any, hdus: Any, error: type[SourceError], said: str
    ) -> None:
        with pytest.raises(error, match=said):
            read_all(write_fits(*hdus))

    def test_fibres_without_a_target_are_left_out(self, write_fits: Any, read_all: Any, left_out: Any) -> None:
        path = write_fits(*reduction(table=fibres(("S",) * 7)))
        assert read_all(path)[1] == []
        assert left_out(path) == ["TYPE = S in 7 rows: 0, 1, 2, 3, 4, ..."]

    def test_a_table_without_types_is_refused(self, write_fits: Any, read_all: Any) -> None:
        table = fits.BinTableHDU.from_columns([fits.Column("NAME", "8A", array=["a"] * 7)], name="FIBRES")
        with pytest.raises(MissingField, match="TYPE"):
            read_all(write_fits(*reduction(table=table)))


def test_an_ingest_publishes_the_good_fibres_and_names_the_dead_one(tmp_path: Path, write_fits: Any) -> None:
    flux = FLUX.copy()
    flux[2] = 0
    write_fits(*reduction(flux=flux, VACUUM=False))
    request = IngestRequest((str(tmp_path / "made.fits"),), str(tmp_path / "x.zarr"), tolerance=Tolerance.parse("1"))
    outcome = ingest(request, SerialExecutor())
    counted = [(one.code, one.row) for one in outcome.rejections if not one.by_survey]
    assert counted == [("all-zero", 2)]
    assert outcome.plan.n_rejected == 1
    assert validate(tmp_path / "x.zarr").valid
    store = zarr.open_group(tmp_path / "x.zarr", mode="r")
    np.testing.assert_array_equal(store["signal/flux_raw"][:], flux[[0, 6]])
    assert store["metadata/object"][:].tolist() == ["star 0", "star 6"]
    assert store["metadata/spec_id"][:].tolist() == ["made", "made-h0r6"]


class TestOneObject:
    def test_an_image_of_one_dimension_is_one_fibre(self, write_fits: Any, read_all: Any, claimants: Any) -> None:
        hdus = reduction(table=fibres(("P",)), flux=FLUX[0])
        hdus[1] = fits.ImageHDU(VARIANCE[0], name="VARIANCE")
        path = write_fits(*hdus)
        assert claimants(path) == ["2dfdr"]
        (one,) = spectra(read_all(path)[1])
        np.testing.assert_array_equal(one.flux, FLUX[0])
        np.testing.assert_array_equal(one.noise, VARIANCE[0])
        prepared = prepare(one)
        np.testing.assert_allclose(prepared.grid.wavelength(), 6001.5 + (np.arange(N_PIX) - 40) * 1.5, rtol=1e-14)
        assert one.observation.object == "star 0"

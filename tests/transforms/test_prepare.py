"""A spectrum made canonical: masks, missing pixels, companions, units, range and order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from spectral_zarr.errors import AllNaN, AllZero, BadWavelength, FluxRange, MissingField, SourceError, UnknownUnit
from spectral_zarr.model import Observation, Sampling
from spectral_zarr.transforms import prepare

from .conftest import MakeSpectrum

FLUX = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=">f4")
ERROR = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], dtype=">f4")
NAN = math.nan


def mask(*pixels: int) -> Any:
    flags = np.zeros(6, bool)
    flags[list(pixels)] = True
    return flags


class TestPixels:
    def test_plain_arrays_are_native_float32_and_equal(self, spectrum: MakeSpectrum) -> None:
        prepared = prepare(spectrum(FLUX, noise=ERROR))
        assert prepared.flux.dtype == np.dtype("f4")
        assert prepared.flux.dtype.isnative
        np.testing.assert_array_equal(prepared.flux, FLUX)
        np.testing.assert_array_equal(prepared.uncertainty, ERROR)
        assert (prepared.n_valid, prepared.flux_unit, prepared.was_sorted) == (6, "adu", False)
        assert prepared.continuum is prepared.normalized is prepared.normalized_uncertainty is None

    def test_a_bad_pixel_loses_its_uncertainty_and_keeps_its_flux(self, spectrum: MakeSpectrum) -> None:
        prepared = prepare(spectrum(FLUX, noise=ERROR, bad=mask(1, 4)))
        np.testing.assert_array_equal(prepared.flux, FLUX)
        np.testing.assert_array_equal(np.isnan(prepared.uncertainty), mask(1, 4))

    def test_a_missing_pixel_loses_both(self, spectrum: MakeSpectrum) -> None:
        prepared = prepare(spectrum(FLUX, noise=ERROR, missing=mask(0, 3)))
        np.testing.assert_array_equal(np.isnan(prepared.flux), mask(0, 3))
        np.testing.assert_array_equal(np.isnan(prepared.uncertainty), mask(0, 3))
        assert prepared.n_valid == 4

    def test_infinite_pixels_are_missing(self, spectrum: MakeSpectrum) -> None:
        flux = FLUX.copy()
        flux[[1, 2]] = [math.inf, -math.inf]
        prepared = prepare(spectrum(flux, noise=ERROR))
        np.testing.assert_array_equal(np.isnan(prepared.flux), mask(1, 2))
        np.testing.assert_array_equal(np.isnan(prepared.uncertainty), mask(1, 2))

    def test_zero_padding_is_blanked_only_where_the_product_pads(self, spectrum: MakeSpectrum) -> None:
        flux = np.array([0, 0, 3, 0, 5, 0], dtype=np.float32)
        padded = prepare(spectrum(flux, noise=ERROR, zero_padded=True))
        np.testing.assert_array_equal(np.isnan(padded.flux), mask(0, 1, 5))
        np.testing.assert_array_equal(np.isnan(padded.uncertainty), mask(0, 1, 5))
        np.testing.assert_array_equal(prepare(spectrum(flux, noise=ERROR)).flux, flux)

    def test_a_noise_without_known_pixel_is_no_noise(self, spectrum: MakeSpectrum) -> None:
        assert prepare(spectrum(FLUX, noise=np.zeros(6))).uncertainty is None
        assert prepare(spectrum(FLUX, noise=ERROR, bad=mask(*range(6)))).uncertainty is None

    @pytest.mark.parametrize("kind", ["ivar", "variance", "relative", "sigma"])
    def test_a_descending_axis_reverses_every_companion(self, spectrum: MakeSpectrum, kind: str) -> None:
        fields: dict[str, Any] = {
            "noise": ERROR,
            "noise_kind": kind,
            "bad": mask(1),
            "missing": mask(5),
            "continuum": FLUX * 10,
            "normalized": FLUX / 10,
            "normalized_sigma": ERROR / 10,
        }
        up = Sampling(unit="Angstrom", values=5000.0 + np.arange(6))
        down = Sampling(unit="Angstrom", values=5000.0 + np.arange(6)[::-1])
        one = prepare(spectrum(FLUX, sampling=up, **fields))
        flipped = {name: value if isinstance(value, str) else value[::-1] for name, value in fields.items()}
        two = prepare(spectrum(FLUX[::-1], sampling=down, **flipped))
        assert one.grid == two.grid
        for name in ("wavelength", "flux", "uncertainty", "continuum", "normalized", "normalized_uncertainty"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
            assert not np.array_equal(getattr(one, name)[:5], getattr(one, name)[4::-1], equal_nan=True)

    def test_trimmed_wavelengths_trim_every_companion(self, spectrum: MakeSpectrum) -> None:
        sampling = Sampling(unit="nm", values=np.array([NAN, 500.0, 501.0, 502.0, 503.0, NAN]))
        prepared = prepare(spectrum(FLUX, sampling=sampling, noise=ERROR, continuum=FLUX * 2, bad=mask(1)))
        np.testing.assert_array_equal(prepared.flux, FLUX[1:5])
        np.testing.assert_array_equal(prepared.continuum, 2 * FLUX[1:5])
        np.testing.assert_array_equal(np.isnan(prepared.uncertainty), [True, False, False, False])

    def test_overlapping_orders_are_sorted_on_request_only(self, spectrum: MakeSpectrum) -> None:
        sampling = Sampling(unit="Angstrom", values=np.array([5000.0, 5002.0, 5004.0, 5001.0, 5003.0, 5005.0]))
        overlapping = spectrum(FLUX, sampling=sampling, noise=ERROR)
        with pytest.raises(BadWavelength, match="orders"):
            prepare(overlapping)
        prepared = prepare(overlapping, sort_orders=True)
        assert prepared.flux.tolist() == [1, 4, 2, 5, 3, 6]
        np.testing.assert_array_equal(prepared.uncertainty, ERROR[[0, 3, 1, 4, 2, 5]])
        assert prepared.was_sorted
        assert not prepare(spectrum(FLUX), sort_orders=True).was_sorted


class TestCompanions:
    def test_of_a_normalized_product_are_flux_and_noise_themselves(self, spectrum: MakeSpectrum) -> None:
        prepared = prepare(spectrum(FLUX, noise=ERROR, normalized_product=True, flux_unit="nonsense"))
        assert prepared.flux_unit == "dimensionless"
        np.testing.assert_array_equal(prepared.normalized, prepared.flux)
        np.testing.assert_array_equal(prepared.normalized_uncertainty, prepared.uncertainty)

    def test_infinities_are_nan_and_nothing_is_none(self, spectrum: MakeSpectrum) -> None:
        continuum = np.array([1, math.inf, -math.inf, NAN, 2, 3])
        prepared = prepare(spectrum(FLUX, continuum=continuum, normalized=np.full(6, NAN)))
        np.testing.assert_array_equal(prepared.continuum, [1, NAN, NAN, NAN, 2, 3])
        assert prepared.normalized is None

    @pytest.mark.parametrize("name", ["noise", "bad", "missing", "continuum", "normalized", "normalized_sigma"])
    def test_of_another_length_are_refused(self, spectrum: MakeSpectrum, name: str) -> None:
        dtype = bool if name in ("bad", "missing") else float
        with pytest.raises(MissingField, match="companion"):
            prepare(spectrum(FLUX, **{"noise": ERROR, name: np.zeros(5, dtype)}))

    def test_a_flux_of_two_dimensions_is_refused(self, spectrum: MakeSpectrum) -> None:
        with pytest.raises(MissingField, match="shape"):
            prepare(spectrum(FLUX.reshape(2, 3)))

    def test_single_values_too_small_for_float32_are_counted_and_told(self, spectrum: MakeSpectrum) -> None:
        small = np.array([1e-30, 1e-47, 2e-42, 0.0, NAN, 1e-30])
        prepared = prepare(spectrum(small, noise=np.full(6, 1e-31)))
        (note,) = prepared.observation.notes
        assert note.startswith("values too small for float32: 2 of them")
        assert prepare(spectrum(np.full(6, 1e-30), noise=np.full(6, 1e-31))).observation.notes == ()

    @pytest.mark.parametrize(("kind", "tiny"), [("sigma", 1e-47), ("variance", 1e-90), ("ivar", 1e90)])
    def test_noise_too_small_for_float32_is_told(self, spectrum: MakeSpectrum, kind: str, tiny: float) -> None:
        noise = np.array([tiny, 1e-30, 1e-30, 1e-30, 1e-30, 1e-30])
        (note,) = prepare(spectrum(np.full(6, 1e-30), noise=noise, noise_kind=kind)).observation.notes
        assert note.startswith("values too small for float32: 1 of them")


class TestRange:
    @pytest.mark.parametrize("value", [1e39, -1e39, 1e300])
    def test_a_flux_beyond_float32_is_refused(self, spectrum: MakeSpectrum, value: float) -> None:
        with pytest.raises(FluxRange, match="power of ten"):
            prepare(spectrum(np.array([1.0, value, 3.0])))

    @pytest.mark.parametrize("hole", [False, True])
    def test_a_flux_below_float32_is_refused_and_not_called_zero(self, spectrum: MakeSpectrum, hole: bool) -> None:
        flux = np.array([1e-50, 2e-50, 3e-50, 4e-50])
        flux[0] = NAN if hole else flux[0]
        with pytest.raises(FluxRange):
            prepare(spectrum(flux))

    @pytest.mark.parametrize("scale", [1e-17, 1e-30, 1e-37, 1e-40, 1e-43])
    def test_a_tiny_flux_keeps_its_digits_or_is_refused(self, spectrum: MakeSpectrum, scale: float) -> None:
        flux = scale * np.linspace(1, 2, 50)
        try:
            prepared = prepare(spectrum(flux))
        except FluxRange:
            assert scale < 1e-37
            return
        np.testing.assert_allclose(prepared.flux.astype("f8"), flux, rtol=1e-6)

    def test_infinities_of_the_file_are_no_overflow(self, spectrum: MakeSpectrum) -> None:
        assert prepare(spectrum(np.array([1.0, math.inf, 3.0]))).n_valid == 2

    @pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4", ">i8", ">u2", ">f8", "<f4"])
    def test_every_number_type_is_taken(self, spectrum: MakeSpectrum, dtype: str) -> None:
        assert prepare(spectrum(np.arange(1, 7).astype(dtype))).flux.tolist() == [1, 2, 3, 4, 5, 6]


class TestRefusals:
    def test_nothing_measured(self, spectrum: MakeSpectrum) -> None:
        with pytest.raises(AllNaN):
            prepare(spectrum(np.full(6, NAN)))
        with pytest.raises(AllZero):
            prepare(spectrum(np.array([0, NAN, 0, 0, 0, 0])))
        with pytest.raises(AllNaN):
            prepare(spectrum(FLUX, missing=mask(*range(6))))
        with pytest.raises(AllNaN):
            prepare(spectrum(np.full(6, math.inf)))

    @pytest.mark.parametrize("source_type", ["observed", "synthetic"])
    @pytest.mark.parametrize("lost", ["missing", "infinite"])
    def test_a_flux_of_which_only_zeros_remain(self, spectrum: MakeSpectrum, lost: str, source_type: str) -> None:
        # Rule Q-02 of the contract forbids rows of NaN and zeros: one that passes here would fail the whole build.
        flux = np.array([0, 0, 0, 4, 5, 6], dtype=np.float32)
        fields: dict[str, Any] = {"missing": mask(3, 4, 5)} if lost == "missing" else {}
        if lost == "infinite":
            flux[flux > 0] = math.inf
        with pytest.raises((AllZero, AllNaN)):
            prepare(spectrum(flux, observation=Observation(source_type=source_type), **fields))

    @pytest.mark.parametrize("unit", ["", "banana", "km"])
    def test_a_flux_without_unit(self, spectrum: MakeSpectrum, unit: str) -> None:
        with pytest.raises(UnknownUnit, match="flux_unit"):
            prepare(spectrum(FLUX, flux_unit=unit))

    def test_garbage_is_refused_for_observations_only(self, spectrum: MakeSpectrum) -> None:
        flux = np.ones(200, np.float32)
        flux[::20] = 1e20
        with pytest.raises(SourceError) as caught:
            prepare(spectrum(flux))
        assert caught.value.code == "finite-garbage"
        assert prepare(spectrum(flux, observation=Observation(source_type="synthetic"))).n_valid == 200


class TestSnr:
    def test_of_the_header_is_kept(self, spectrum: MakeSpectrum) -> None:
        seen = prepare(spectrum(FLUX, noise=ERROR, observation=Observation(snr=7.0, snr_method="header:SNR")))
        assert (seen.observation.snr, seen.observation.snr_method) == (7.0, "header:SNR")

    def test_is_estimated_without_header(self, spectrum: MakeSpectrum) -> None:
        seen = prepare(spectrum(FLUX, noise=ERROR)).observation
        assert seen.snr == pytest.approx(10.0)
        assert seen.snr_method == "median_flux_over_sigma"

    def test_of_a_model_is_none(self, spectrum: MakeSpectrum) -> None:
        seen = prepare(spectrum(FLUX, noise=ERROR, observation=Observation(source_type="synthetic"))).observation
        assert math.isnan(seen.snr)
        assert seen.snr_method == "none"

"""IRAF images: every dispersion function against the definition in `specwcs`, apertures, bands and the real echelle.

The images are written with astropy from the description of the format (Valdes 1993); the echelle of Vega is real.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from spectral_zarr import IngestRequest, SerialExecutor, ingest, validate
from spectral_zarr.config import Config, ImageOptions, ReaderOptions
from spectral_zarr.errors import (
    BadWavelength,
    DamagedData,
    MissingField,
    RefusedProduct,
    SourceError,
    Truncated,
    UnknownUnit,
)
from spectral_zarr.readers.iraf import evaluate_functions
from spectral_zarr.transforms import prepare

ROWS = ReaderOptions(echelle="rows")
N_PIX = 40

BANDS = {
    "BANDID1": "spectrum - background median, weights variance, clean yes",
    "BANDID2": "raw - background median, weights none, clean no",
    "BANDID3": "background - background median",
    "BANDID4": "sigma - background median, weights variance, clean yes",
}
EQUISPEC = {
    "WAT0_001": "system=equispec",
    "WAT1_001": "wtype=linear label=Wavelength units=Angstroms",
    "WAT2_001": "wtype=linear",
    "CTYPE1": "LINEAR",
    "CTYPE2": "LINEAR",
    "CRVAL1": 4204.463,
    "CRPIX1": 1.0,
    "CD1_1": 6.166897,
    "DC-FLAG": 0,
}


def attributes(specs: Sequence[str]) -> dict[str, str]:
    """WAT2 cards as IRAF cuts them: 68 characters each, and the header drops the blanks at the cut."""
    text = "wtype=multispec " + " ".join(f'spec{i} = "{spec}"' for i, spec in enumerate(specs, 1))
    return {f"WAT2_{i // 68 + 1:03d}": text[i : i + 68] for i in range(0, len(text), 68)}


def multispec(data: Any, specs: Sequence[str], **cards: Any) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU(np.asarray(data, np.float32))
    usual = {
        "CTYPE1": "MULTISPE",
        "CTYPE2": "MULTISPE",
        "CDELT1": 1.0,
        "CD1_1": 1.0,
        "WAT0_001": "system=multispec",
        "WAT1_001": "wtype=multispec label=Wavelength units=angstroms",
        **attributes(specs),
    }
    for keyword, value in {**usual, **cards}.items():
        if value is not None:
            hdu.header[keyword] = value
    return hdu


def flux(*shape: int) -> np.ndarray:
    return np.arange(1.0, np.prod(shape) + 1).reshape(shape)


def wavelengths(spectrum: Any) -> np.ndarray:
    ready = prepare(spectrum)
    return ready.wavelength if ready.wavelength is not None else ready.grid.wavelength()


def specwcs(fields: Sequence[float], p: float) -> float:
    """Wavelength of one physical pixel, by the recursions and sums that `specwcs` prints, one term at a time."""
    rest = list(fields)
    total = 0.0
    while rest:
        weight, offset, kind, *rest = rest
        if kind in (1, 2):
            order, pmin, pmax, *rest = rest
            n = (p - (pmax + pmin) / 2) / ((pmax - pmin) / 2)
            x = [1.0, n]
            for i in range(3, int(order) + 1):
                chebyshev = 2 * n * x[i - 2] - x[i - 3]
                legendre = ((2 * i - 3) * n * x[i - 2] - (i - 2) * x[i - 3]) / (i - 1)
                x.append(chebyshev if kind == 1 else legendre)
            value = sum(c * term for c, term in zip(rest[: int(order)], x, strict=False))
            rest = rest[int(order) :]
        elif kind in (3, 4):
            pieces, pmin, pmax, *rest = rest
            s = (p - pmin) / (pmax - pmin) * pieces
            j = min(max(int(s), 0), int(pieces) - 1)
            a, b = (j + 1) - s, s - j
            cubic = [a**3, 1 + 3 * a * (1 + a * b), 1 + 3 * b * (1 + a * b), b**3]
            basis = cubic if kind == 3 else [a, b]
            value = sum(rest[i + j] * basis[i] for i in range(len(basis)))
            rest = rest[int(pieces) + len(basis) - 1 :]
        elif kind == 5:
            count, *rest = rest
            k = min(max(int(p), 1), int(count) - 1)
            value = ((k + 1) - p) * rest[k - 1] + (p - k) * rest[k]
            rest = rest[int(count) :]
        else:
            pairs, _, *rest = rest
            points = [(rest[2 * i], rest[2 * i + 1]) for i in range(int(pairs))]
            rest = rest[2 * int(pairs) :]
            i = max((i for i in range(len(points) - 1) if points[i][0] <= p), default=0)
            (x0, y0), (x1, y1) = points[i], points[i + 1]
            value = y0 + (p - x0) / (x1 - x0) * (y1 - y0)
        total += weight * (offset + value)
    return total


CHEBYSHEV = "1. 0. 1 4 1. 40. 5000. 20. 0.3 -0.02"
LEGENDRE = "1. 0. 2 4 1. 40. 5000. 20. 0.3 -0.02"
CUBIC = "1. 0. 3 3 1. 40. 830. 832. 835. 837. 840. 842."
LINEAR_SPLINE = "1. 0. 4 3 1. 40. 5000. 5011. 5023. 5030."
PIXELS = "1. 0. 5 40 " + " ".join(f"{5000 + 0.5 * i + 0.001 * i * i:.4f}" for i in range(40))
SAMPLES = "1. 0. 6 4 0. 1. 5000. 12. 5006. 25.5 5011.25 40. 5020."
TWO = "0.25 1.5 1 3 1. 40. 5000. 20. 0.3 0.75 -0.5 2 3 1. 40. 5001. 20.5 0.2"


class TestDispersionFunctions:
    @pytest.mark.parametrize(
        "function", [CHEBYSHEV, LEGENDRE, CUBIC, LINEAR_SPLINE, PIXELS, SAMPLES, TWO, "1. 0. 1 1 1. 40. 5000."]
    )
    def test_a_function_is_what_its_definition_says(self, function: str) -> None:
        fields = tuple(map(float, function.split()))
        pixels = np.arange(1.0, N_PIX + 1)
        expected = [specwcs(fields, p) for p in pixels]
        np.testing.assert_allclose(evaluate_functions(fields, pixels), expected, rtol=1e-13)

    @given(
        kind=st.sampled_from([1, 2, 3, 4]),
        order=st.integers(1, 8),
        low=st.floats(-20, 20),
        width=st.floats(5, 4000),
        data=st.data(),
    )
    def test_any_polynomial_or_spline_is_what_its_definition_says(
        self, kind: int, order: int, low: float, width: float, data: Any
    ) -> None:
        count = order + {1: 0, 2: 0, 3: 3, 4: 1}[kind]
        coefficients = data.draw(st.lists(st.floats(-1e4, 1e4), min_size=count, max_size=count))
        fields = (1.0, 0.0, kind, order, low, low + width, *coefficients)
        pixels = low + width * np.array([0.0, 0.013, 0.25, 0.5, 0.77, 0.999])
        expected = np.array([specwcs(fields, p) for p in pixels])
        np.testing.assert_allclose(evaluate_functions(fields, pixels), expected, rtol=1e-9, atol=1e-6)

    @given(
        positions=st.lists(st.integers(1, 500), min_size=2, max_size=30, unique=True).map(sorted),
        data=st.data(),
    )
    def test_any_table_is_interpolated_between_its_entries(self, positions: list[int], data: Any) -> None:
        size = len(positions)
        values = data.draw(st.lists(st.floats(100, 1e5), min_size=size, max_size=size))
        pairs = [number for pair in zip(positions, values, strict=True) for number in pair]
        pixels = np.arange(positions[0], positions[-1] + 1.0)
        fields = (1.0, 0.0, 6.0, float(size), 0.0, *map(float, pairs))
        np.testing.assert_allclose(evaluate_functions(fields, pixels), np.interp(pixels, positions, values), rtol=1e-12)

    @pytest.mark.parametrize(
        "function",
        [
            "1. 0. 1 4 1. 40. 5000. 20.",
            "1. 0. 1",
            "1. 0. 9 4 1. 40. 5000.",
            "1. 0. 1 0 1. 40.",
            "1. 0. 2 2.5 1. 40. 1. 2.",
            "1. 0. 3 2 7. 7. 1. 2. 3. 4. 5.",
            "1. 0. 6 2 0. 5. 1. 5. 2.",
            "1. 0. 5 1e9 5000.",
            "",
        ],
    )
    def test_a_broken_function_has_a_code(self, write_fits: Any, read_one: Any, function: str) -> None:
        spec = f"1 1 2 5000. 0.5 40 0. 1. 2. {function}"
        with pytest.raises(MissingField):
            read_one(write_fits(multispec(flux(1, N_PIX), [spec])))


class TestMultispec:
    def test_a_linear_line_with_a_redshift(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(multispec(flux(1, N_PIX), [f"1 113 0 5000.25 0.05 {N_PIX} 0.001 23.22 31.27"]))
        name, spectrum = read_one(path)
        assert (name, spectrum.row, spectrum.observation.order) == ("generic-iraf", 0, "")
        np.testing.assert_array_equal(spectrum.flux, np.arange(1.0, N_PIX + 1))
        expected = (5000.25 + 0.05 * np.arange(N_PIX)) / 1.001
        np.testing.assert_allclose(wavelengths(spectrum), expected, rtol=1e-13)
        assert spectrum.observation.flux_calibration == "relative"
        assert prepare(spectrum).flux_unit == "dimensionless"

    def test_a_logarithmic_line_is_divided_by_the_redshift_as_well(self, write_fits: Any, read_one: Any) -> None:
        spec = f"1 1 1 3.7 1e-5 {N_PIX} 0.01 1. 2."
        _, spectrum = read_one(write_fits(multispec(flux(1, N_PIX), [spec])))
        assert spectrum.sampling.scale == "log10"
        np.testing.assert_allclose(wavelengths(spectrum), 10 ** (3.7 + 1e-5 * np.arange(N_PIX)) / 1.01, rtol=1e-12)

    @pytest.mark.parametrize("function", [CHEBYSHEV, LEGENDRE, CUBIC, LINEAR_SPLINE, PIXELS, SAMPLES])
    def test_a_nonlinear_line_comes_through_the_cut_cards(self, write_fits: Any, read_one: Any, function: str) -> None:
        spec = f"1 113 2 5000.123456789 0.05 {N_PIX} 0.002 23.22 31.27 {function}"
        _, spectrum = read_one(write_fits(multispec(flux(1, N_PIX), [spec])))
        fields = list(map(float, function.split()))
        expected = np.array([specwcs(fields, p) / 1.002 for p in range(1, N_PIX + 1)])
        np.testing.assert_allclose(wavelengths(spectrum), np.sort(expected), rtol=1e-12)

    def test_blanks_at_the_cut_belong_to_the_text(self, write_fits: Any, read_all: Any) -> None:
        for extra in range(68):
            # The aperture limit grows a digit at a time, so that every blank falls on the cut once.
            specs = [f"{i} {i} 0 {5000 + i}.{'0' * extra}1 0.05 {N_PIX} 0. 1. 2." for i in range(1, 4)]
            _, spectra = read_all(write_fits(multispec(flux(3, N_PIX), specs)), ROWS)
            starts = [spectrum.sampling.start for spectrum in spectra]
            np.testing.assert_allclose(starts, [float(f"{5000 + i}.{'0' * extra}1") for i in range(1, 4)], rtol=1e-15)

    def test_orders_are_refused_by_default_and_rows_on_request(self, write_fits: Any, read_all: Any) -> None:
        specs = [f"{i} {100 + i} 0 {5000 + 30 * i}. 0.5 {N_PIX - i} 0. 1. 2." for i in (1, 2, 3)]
        path = write_fits(multispec(flux(3, N_PIX), specs, BUNIT="adu", APID2="second"))
        with pytest.raises(RefusedProduct, match=r'\[readers\] echelle = "rows"'):
            read_all(path)
        _, spectra = read_all(path, ROWS)
        assert [one.observation.order for one in spectra] == ["101", "102", "103"]
        assert [one.row for one in spectra] == [0, 1, 2]
        assert spectra[1].observation.object == "second"
        for i, spectrum in enumerate(spectra, 1):
            np.testing.assert_array_equal(spectrum.flux, flux(3, N_PIX)[i - 1, : N_PIX - i])
            np.testing.assert_allclose(wavelengths(spectrum), 5000 + 30 * i + 0.5 * np.arange(N_PIX - i), rtol=1e-13)

    def test_bad_lines_leave_the_others_alone(self, write_fits: Any, read_all: Any) -> None:
        specs = [
            f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2.",
            f"2 2 -1 1. 1. {N_PIX} 0. 1. 2.",
            "3 3 0 5000.",
            f"4 4 0 5000. 0.5 {N_PIX} -1. 1. 2.",
            f"5 5 0 what 0.5 {N_PIX} 0. 1. 2.",
            "6 6 0 5000. 0.5 0 0. 1. 2.",
        ]
        _, spectra = read_all(write_fits(multispec(flux(7, N_PIX), specs)), ROWS)
        kinds = [type(one) for one in spectra[1:]]
        assert kinds == [RefusedProduct, MissingField, BadWavelength, MissingField, RefusedProduct, MissingField]
        assert [one.row for one in spectra] == list(range(7))
        assert all(one.hdu == 0 and one.path for one in spectra if isinstance(one, SourceError))

    def test_a_damaged_image_is_refused_whole(self, write_fits: Any, read_all: Any) -> None:
        specs = [f"{i} {i} 0 {5000 + 100 * i}. 0.5 {N_PIX} 0. 1. 2." for i in (1, 2, 3)]
        path = write_fits(multispec(flux(3, N_PIX), specs))
        sound = path.read_bytes()
        at = sound.index(flux(3, N_PIX).astype(">f4").tobytes()) + 200
        for damaged in (sound[:at] + sound[at + 4 :], sound[:at] + bytes(4) + sound[at:-4]):
            path.write_bytes(damaged)
            with pytest.raises((DamagedData, Truncated)):
                read_all(path, ROWS)
        hdu = multispec(flux(3, N_PIX), specs)
        hdu.add_datasum()
        path = write_fits(hdu)
        path.write_bytes(path.read_bytes().replace(sound[at : at + 40], sound[at + 4 : at + 44]))
        with pytest.raises(DamagedData, match="DATASUM"):
            read_all(path, ROWS)

    def test_indef_aperture_limits_are_no_reason_to_refuse(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(multispec(flux(1, N_PIX), [f"1 1 0 5.0D3 5d-1 {N_PIX} 0. INDEF INDEF"]))
        np.testing.assert_allclose(wavelengths(read_one(path)[1])[:2], [5000.0, 5000.5])

    def test_a_section_keeps_its_physical_pixels(self, write_fits: Any, read_one: Any) -> None:
        spec = f"1 1 2 5000. 0.05 {N_PIX} 0. 1. 2. {CHEBYSHEV}"
        path = write_fits(multispec(flux(1, 20), [spec], LTM1_1=1.0, LTV1=-10.0))
        expected = [specwcs(list(map(float, CHEBYSHEV.split())), p) for p in range(11, 31)]
        np.testing.assert_allclose(wavelengths(read_one(path)[1]), expected, rtol=1e-13)

    def test_block_averaging_spreads_the_physical_pixels(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(multispec(flux(1, 20), [f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2."], LTM1_1=0.5, LTV1=0.25))
        # l = 0.5 p + 0.25 puts the first logical pixel at p = 1.5.
        np.testing.assert_allclose(wavelengths(read_one(path)[1]), 5000.25 + np.arange(20), rtol=1e-13)

    def test_a_line_taken_from_an_image_knows_which_it_was(self, write_fits: Any, read_one: Any) -> None:
        specs = [f"{i} {i} 0 {5000 + 100 * i}. 0.5 {N_PIX} 0. 1. 2." for i in (1, 2, 3)]
        path = write_fits(multispec(flux(N_PIX), specs, WAXMAP01="1 0 0 1", WCSDIM=2))
        assert wavelengths(read_one(path)[1])[0] == 5200.0

    def test_lines_taken_from_an_image_keep_their_numbers(self, write_fits: Any, read_all: Any) -> None:
        specs = [f"{i} {i} 0 {5000 + 100 * i}. 0.5 {N_PIX} 0. 1. 2." for i in (1, 2, 3)]
        _, spectra = read_all(write_fits(multispec(flux(2, N_PIX), specs, LTM2_2=1.0, LTV2=-1.0)), ROWS)
        assert [wavelengths(one)[0] for one in spectra] == [5200.0, 5300.0]

    def test_a_one_dimensional_image_with_one_line(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(multispec(flux(N_PIX), [f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2."]))
        assert wavelengths(read_one(path)[1])[0] == 5000.0

    def test_attributes_that_are_missing_have_a_code(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(MissingField, match="spec1"):
            read_one(write_fits(multispec(flux(N_PIX), [])))

    def test_the_unit_is_not_guessed(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(multispec(flux(1, N_PIX), [f"1 1 0 500. 0.05 {N_PIX} 0. 1. 2."], WAT1_001="wtype=multispec"))
        with pytest.raises(UnknownUnit, match="wavelength_unit"):
            read_one(path)
        _, spectrum = read_one(path, ReaderOptions(image=ImageOptions(wavelength_unit="nm", medium="air")))
        assert (wavelengths(spectrum)[0], spectrum.sampling.medium) == (5000.0, "air")


class TestBands:
    def test_the_sigma_band_is_the_noise(self, write_fits: Any, read_one: Any) -> None:
        spec = f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2."
        _, spectrum = read_one(write_fits(multispec(flux(4, 1, N_PIX), [spec], **BANDS)))
        np.testing.assert_array_equal(spectrum.flux, flux(4, 1, N_PIX)[0, 0])
        np.testing.assert_array_equal(spectrum.noise, flux(4, 1, N_PIX)[3, 0])

    def test_bands_of_several_apertures(self, write_fits: Any, read_all: Any) -> None:
        specs = [f"{i} {i} 0 {5000 + i}. 0.5 {N_PIX} 0. 1. 2." for i in (1, 2)]
        bands = {"BANDID1": "sigma - x", "BANDID2": "spectrum - x"}
        _, spectra = read_all(write_fits(multispec(flux(2, 2, N_PIX), specs, **bands)), ROWS)
        np.testing.assert_array_equal(spectra[1].flux, flux(2, 2, N_PIX)[1, 1])
        np.testing.assert_array_equal(spectra[1].noise, flux(2, 2, N_PIX)[0, 1])

    def test_bands_of_a_lost_aperture_axis(self, write_fits: Any, read_one: Any) -> None:
        specs = [f"{i} {i} 0 {5000 + 100 * i}. 0.5 {N_PIX} 0. 1. 2." for i in (1, 2)]
        cards = {**BANDS, "WAXMAP01": "1 0 0 1 2 0", "WCSDIM": 3}
        name, spectrum = read_one(write_fits(multispec(flux(4, N_PIX), specs, **cards)))
        assert (name, wavelengths(spectrum)[0]) == ("generic-iraf", 5200.0)
        np.testing.assert_array_equal(spectrum.noise, flux(4, N_PIX)[3])

    def test_bands_without_names_are_not_guessed(self, write_fits: Any, read_one: Any) -> None:
        with pytest.raises(RefusedProduct, match="BANDID"):
            read_one(write_fits(multispec(flux(4, 1, N_PIX), [f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2."])))

    def test_of_two_extractions_the_weighted_one_is_the_spectrum(self, write_fits: Any, read_one: Any) -> None:
        names = (
            "spectrum: background fit, weights none, clean no",
            "spectrum: background fit, weights variance, clean no",
        )
        names += ("background: background fit", "sigma - background fit, weights variance, clean no")
        cards = {f"BANDID{i}": name for i, name in enumerate(names, 1)}
        spec = f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2."
        _, spectrum = read_one(write_fits(multispec(flux(4, 1, N_PIX), [spec], **cards)))
        np.testing.assert_array_equal(spectrum.flux, flux(4, 1, N_PIX)[1, 0])
        np.testing.assert_array_equal(spectrum.noise, flux(4, 1, N_PIX)[3, 0])

    def test_two_extractions_that_no_word_tells_apart_are_refused(self, write_fits: Any, read_one: Any) -> None:
        cards = {"BANDID1": "spectrum: background fit, weights variance", "BANDID2": "spectrum - background none"}
        spec = f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2."
        with pytest.raises(RefusedProduct, match="several bands are the spectrum"):
            read_one(write_fits(multispec(flux(2, 1, N_PIX), [spec], **cards)))

    def test_the_bands_of_carpy_have_other_names(self, write_fits: Any, read_one: Any) -> None:
        names = ("sky spectrum", "object spectrum", "noise spectrum", "signal-to-noise spectrum", "lamp spectrum")
        names += ("flat spectrum", "spectrum: object divided by flat")
        cards = {f"BANDID{i}": name for i, name in enumerate(names, 1)}
        spec = f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2."
        _, spectrum = read_one(write_fits(multispec(flux(7, 1, N_PIX), [spec], **cards)))
        np.testing.assert_array_equal(spectrum.flux, flux(7, 1, N_PIX)[1, 0])
        np.testing.assert_array_equal(spectrum.noise, flux(7, 1, N_PIX)[2, 0])

    def test_a_sigma_alone_is_no_flux(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(
            multispec(flux(1, N_PIX), [f"1 1 0 5000. 0.5 {N_PIX} 0. 1. 2."], BANDID1="sigma - background none")
        )
        with pytest.raises(RefusedProduct, match="sigma"):
            read_one(path)


class TestEquispec:
    def image(self, *shape: int, **cards: Any) -> fits.PrimaryHDU:
        hdu = fits.PrimaryHDU(flux(*shape).astype(np.float32))
        hdu.header.update({**EQUISPEC, **cards})
        return hdu

    def test_a_single_spectrum_with_its_bands(self, write_fits: Any, read_one: Any) -> None:
        name, spectrum = read_one(write_fits(self.image(4, 1, N_PIX, **BANDS)))
        assert name == "generic-iraf"
        np.testing.assert_array_equal(spectrum.noise, flux(4, 1, N_PIX)[3, 0])
        np.testing.assert_allclose(wavelengths(spectrum), 4204.463 + 6.166897 * np.arange(N_PIX), rtol=1e-13)

    def test_apertures_share_one_axis(self, write_fits: Any, read_all: Any) -> None:
        cards = {"APNUM1": "41 3 7.37 13.48", "APNUM2": "15 1 28.04 34.15"}
        path = write_fits(self.image(2, N_PIX, **cards))
        with pytest.raises(RefusedProduct, match="2 apertures"):
            read_all(path)
        _, spectra = read_all(path, ROWS)
        assert [one.observation.order for one in spectra] == ["3", "15"]
        assert {wavelengths(one)[1] for one in spectra} == {4204.463 + 6.166897}

    def test_a_logarithmic_axis(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(self.image(N_PIX, **{"DC-FLAG": 1, "CRVAL1": 3.7, "CD1_1": 1e-5}))
        np.testing.assert_allclose(wavelengths(read_one(path)[1]), 10 ** (3.7 + 1e-5 * np.arange(N_PIX)), rtol=1e-12)

    @pytest.mark.parametrize("cards", [{"DC-FLAG": -1}, {"WAT1_001": "wtype=linear label=Pixel"}])
    def test_an_uncalibrated_spectrum_is_refused(self, write_fits: Any, read_one: Any, cards: dict[str, Any]) -> None:
        with pytest.raises(RefusedProduct, match="dispcor"):
            read_one(write_fits(self.image(N_PIX, **cards)))


class TestRealEchelle:
    def test_every_order_of_vega_agrees_with_its_attribute(
        self, real_files: Path, read_all: Any, reference: Any
    ) -> None:
        path = real_files / "iraf-1d" / "evega.0039.rs.ec.dispcor.fits"
        hdu = reference(path)[0]
        text = "".join(
            str(hdu.header[f"WAT2_{i:03d}"]).ljust(68) for i in range(1, 200) if f"WAT2_{i:03d}" in hdu.header
        )
        specs = text.split('"')[1::2]
        _, spectra = read_all(path, ROWS)
        assert len(spectra) == len(specs) == hdu.data.shape[0] == 107
        for row, (spectrum, spec) in enumerate(zip(spectra, specs, strict=True)):
            aperture, beam, kind, first, step, n_pix = spec.split()[:6]
            assert (kind, int(aperture), int(n_pix)) == ("0", row + 1, 2048)
            np.testing.assert_array_equal(spectrum.flux, hdu.data[row])
            np.testing.assert_allclose(wavelengths(spectrum), float(first) + float(step) * np.arange(2048), rtol=1e-13)
            assert spectrum.observation.order == beam

    def test_its_date_is_in_utc(self, real_files: Path, read_all: Any) -> None:
        _, spectra = read_all(real_files / "iraf-1d" / "evega.0039.rs.ec.dispcor.fits", ROWS)
        assert spectra[0].observation.date_obs == "2007-10-31T02:25:00.124"

    def test_its_orders_are_published(self, real_files: Path, tmp_path: Path) -> None:
        path = real_files / "iraf-1d" / "evega.0039.rs.ec.dispcor.fits"
        out = tmp_path / "vega.zarr"
        ingest(IngestRequest((str(path),), str(out), Config(readers=ROWS)), SerialExecutor())
        assert validate(str(out)).valid
        store = zarr.open_group(str(out), mode="r")
        assert store["metadata/order"][:].tolist() == [str(order) for order in range(56, 163)]
        assert store["signal/wavelength"].shape == store["signal/flux_raw"].shape == (107, 2048)

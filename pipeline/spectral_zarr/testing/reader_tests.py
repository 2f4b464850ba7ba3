"""Tests that the author of a reader inherits: claims, coded errors on damage, shapes, units, and values as astropy."""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit, wavelength_factor
from spectral_zarr.errors import SourceError
from spectral_zarr.model import SourceFile, Spectrum
from spectral_zarr.readers import FitsFile, RawFile, Reader, find_reader, open_source, readers
from spectral_zarr.readers.fits import Hdu
from spectral_zarr.readers.reader import kind_of_file
from spectral_zarr.tasks.sources import scan_sources
from spectral_zarr.transforms import prepare

ARRAYS = ("flux", "noise", "bad", "missing", "continuum", "normalized", "normalized_sigma")
GENERIC_PRIORITY = 50
"""Readers from here on take what no product reader claims."""


class ReaderTests:
    """Inherit from this class in a test module, and say which reader it is and where its files are.

    Examples
    --------
    >>> class TestLampSpectrum(ReaderTests):
    ...     reader = "lamp"
    ...
    ...     def files(self):
    ...         return sorted(Path("tests/data/lamps").glob("*.fits"))

    Attributes
    ----------
    reader : str
        Name of the reader.
    options : ReaderOptions
        Options with which the files are read.
    n_damaged : int
        Damaged copies of each file, from a fixed seed.
    """

    reader: ClassVar[str]
    options: ClassVar[ReaderOptions] = ReaderOptions()
    n_damaged: ClassVar[int] = 40

    def files(self) -> Sequence[Path]:
        """Files of the product; those of one spectrum are named by the first."""
        raise NotImplementedError("say where files of the product are")

    def other_files(self) -> Sequence[Path]:
        """Files of other products, which the reader must leave alone."""
        return ()

    def expected(self, path: Path) -> Mapping[str, Any]:
        """Values that attributes of the first spectrum of a file must have, such as ``flux``; NaN equals NaN."""
        return {}

    def test_it_claims_its_own_files(self) -> None:
        """The registry gives the files to the reader, and no other product reader claims them."""
        for source in self._sources():
            file = open_source(source)
            assert find_reader(file, self.options).name == self.reader, source.name
            asked = [
                one for one in readers() if one.priority < GENERIC_PRIORITY and isinstance(file, kind_of_file(one))
            ]
            others = [one.name for one in asked if one.name != self.reader and one.claims(file, self.options)]
            assert not others, f"{source.name} is claimed by {', '.join(others)} as well"

    def test_it_claims_no_other_files(self) -> None:
        """Files of other products are not claimed."""
        for path in self.other_files():
            file = open_source(_source(path))
            claimed = isinstance(file, kind_of_file(self._reader)) and self._reader.claims(file, self.options)
            assert not claimed, f"{path.name} is claimed"

    def test_it_claims_by_headers_alone(self) -> None:
        """With all pixels overwritten, a FITS file is claimed all the same."""
        for source in self._sources():
            file = open_source(source)
            if isinstance(file, FitsFile):
                blank = FitsFile(_without_pixels(file), source.name, source.path, source.companions)
                assert self._reader.claims(blank, self.options), source.name

    def test_arrays_are_of_one_shape(self) -> None:
        """Flux and its companions have one value per pixel of the wavelength axis."""
        for name, spectrum in self._spectra():
            axis = spectrum.sampling
            assert spectrum.flux.ndim == 1, name
            assert spectrum.flux.size == (axis.n_pix if axis.values is None else np.size(axis.values)), name
            for field in ARRAYS:
                values = getattr(spectrum, field)
                assert values is None or values.shape == spectrum.flux.shape, f"{name}: {field}"
            for field in ("bad", "missing"):
                values = getattr(spectrum, field)
                assert values is None or values.dtype == np.bool_, f"{name}: {field} is {values.dtype}"
            assert spectrum.flux.dtype.kind in "fiu", name

    def test_units_are_understood(self) -> None:
        """Flux and wavelength have units that the contract accepts."""
        for name, spectrum in self._spectra():
            assert spectrum.normalized_product or canonical_unit(spectrum.flux_unit), f"{name}: {spectrum.flux_unit!r}"
            assert wavelength_factor(spectrum.sampling.unit), f"{name}: {spectrum.sampling.unit!r}"
            assert spectrum.sampling.medium in ("air", "vacuum", "unknown"), name

    def test_views_of_the_file_are_read_only(self) -> None:
        """No array lets the bytes of the file be changed."""
        for source in self._sources():
            file = open_source(source)
            content = np.frombuffer(file.data, np.uint8)
            for spectrum in self._read(file):
                for field in ARRAYS if isinstance(spectrum, Spectrum) else ():
                    values = getattr(spectrum, field)
                    if values is not None and np.may_share_memory(values, content):
                        assert not values.flags.writeable, f"{source.name}: {field}"

    def test_reading_again_gives_the_same(self) -> None:
        """Two readings agree in every attribute, bit by bit."""
        for source in self._sources():
            first, second = (list(self._read(open_source(source))) for _ in range(2))
            assert len(first) == len(second)
            for one, other in zip(first, second, strict=True):
                _assert_same(one, other, source.name)

    def test_identifiers_are_unique(self) -> None:
        """No two spectra of one file have the same place or identifier."""
        for source in self._sources():
            found = [one for one in self._read(open_source(source)) if isinstance(one, Spectrum)]
            places = [(one.hdu, one.row) for one in found]
            identifiers = [one.spec_id for one in found if one.spec_id]
            assert len(set(places)) == len(places), source.name
            assert len(set(identifiers)) == len(identifiers), source.name

    def test_spectra_become_canonical(self) -> None:
        """At least one spectrum of every file is good, and what is refused is refused with a code."""
        for source in self._sources():
            good = 0
            for spectrum in self._read(open_source(source)):
                try:
                    prepared = prepare(_spectrum(spectrum), sort_orders=True)
                except SourceError:
                    continue
                good += 1
                assert prepared.flux.dtype == np.float32
                assert np.isfinite(prepared.flux).any()
                sigma = prepared.uncertainty
                assert sigma is None or not (sigma <= 0).any(), f"{source.name}: uncertainties of zero or below"
            assert good, f"{source.name}: no spectrum is good"

    def test_the_file_is_read_as_astropy_reads_it(self) -> None:
        """Every image and column of a FITS file equals that of astropy."""
        from astropy.io import fits

        for source in self._sources():
            file = open_source(source)
            if not isinstance(file, FitsFile):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with fits.open(io.BytesIO(file.data), memmap=False) as reference:
                    for hdu, other in zip(file.hdus, reference, strict=True):
                        for label, mine, theirs in _pairs(hdu, other):
                            np.testing.assert_array_equal(mine, theirs, err_msg=f"{source.name}: HDU {label}")

    def test_values_are_the_expected_ones(self) -> None:
        """The first spectrum has the attributes that `expected` names."""
        for source in self._sources():
            wanted = self.expected(Path(source.path))
            if not wanted:
                continue
            spectrum = _spectrum(next(iter(self._read(open_source(source)))))
            for field, value in wanted.items():
                found: Any = spectrum
                for part in field.split("."):
                    found = getattr(found, part)
                np.testing.assert_array_equal(np.asarray(found), np.asarray(value), err_msg=f"{source.name}: {field}")

    def test_cut_files_give_coded_errors(self) -> None:
        """A file that ends early is refused with a code, or gives spectra that are good or refused with a code."""
        for source in self._sources():
            file = open_source(source)
            for share in (0.0, 0.01, 0.1, 0.5, 0.9, 0.999):
                self._survives(file, file.data[: int(share * len(file.data))], source)

    def test_damaged_files_give_coded_errors(self) -> None:
        """Changed bytes never give any other exception than a coded one."""
        for source in self._sources():
            file = open_source(source)
            generator = random.Random(source.name)
            headers = _header_bytes(file)
            for _ in range(self.n_damaged):
                data = bytearray(file.data)
                for _ in range(generator.choice((1, 1, 3, 20))):
                    start, stop = generator.choice(headers)
                    data[generator.randrange(start, stop)] = generator.choice(b" '=0123456789-.TFE\0\xff")
                self._survives(file, bytes(data), source)

    def _survives(self, file: RawFile, data: bytes, source: SourceFile) -> None:
        try:
            copy = type(file)(data, source.name, source.path, source.companions)
            if not self._reader.claims(copy, self.options):
                return
            for spectrum in self._read(copy):
                try:
                    prepare(_spectrum(spectrum))
                except SourceError:
                    continue
        except SourceError as error:
            assert error.code
            assert error.message

    @property
    def _reader(self) -> Reader:
        return next(one for one in readers() if one.name == self.reader)

    def _sources(self) -> list[SourceFile]:
        files = self.files()
        if not files:
            pytest.fail("files() names no file")
        return [_source(path) for path in files]

    def _read(self, file: RawFile) -> Iterator[Spectrum | SourceError]:
        return self._reader.read(file, self.options, self._reader.policy)

    def _spectra(self) -> Iterator[tuple[str, Spectrum]]:
        for source in self._sources():
            for spectrum in self._read(open_source(source)):
                if isinstance(spectrum, Spectrum):
                    yield f"{source.name} [{spectrum.hdu}, {spectrum.row}]", spectrum


def _source(path: Path) -> SourceFile:
    """The file with its companions, as an ingest of its directory would find it."""
    beside = scan_sources([str(path.parent.absolute()), str(path.absolute())])
    found = next(one for one in beside if str(path.absolute()) in (one.path, *(other.path for other in one.companions)))
    return replace(found, name=Path(found.path).name)


def _spectrum(found: Spectrum | SourceError) -> Spectrum:
    if isinstance(found, SourceError):
        raise found
    return found


def _header_bytes(file: RawFile) -> list[tuple[int, int]]:
    """Places worth damaging: the headers of a FITS file, three times out of four, and everything."""
    everything = (0, len(file.data))
    if not isinstance(file, FitsFile):
        return [everything]
    places = []
    for hdu in file.hdus:
        start = file.data.find(hdu.header.raw)
        places.append((start, start + len(hdu.header.raw)))
    return [*places, *[everything] * (1 + len(places) // 3)]


def _without_pixels(file: FitsFile) -> bytes:
    data = bytearray(b"\x5a" * len(file.data))
    position = 0
    for hdu in file.hdus:
        start = file.data.index(hdu.header.raw, position)
        # The END card and the padding belong to the header.
        stop = start + -(-(len(hdu.header.raw) + 80) // 2880) * 2880
        data[start:stop] = file.data[start:stop]
        position = stop
    return bytes(data)


def _pairs(hdu: Hdu, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if hdu.kind == "image" and hdu.shape and other.data is not None:
        yield str(hdu.index), hdu.image(), other.data
    elif hdu.kind == "table":
        for position, column in enumerate(hdu.layout.columns):
            theirs = other.data.field(position)
            if theirs.dtype.kind in "fiub" and theirs.ndim <= 2:
                yield f"{hdu.index}, column {column.name}", np.squeeze(hdu.column_data(column)), np.squeeze(theirs)


def _assert_same(one: Any, other: Any, name: str) -> None:
    assert type(one) is type(other), name
    if not isinstance(one, Spectrum):
        assert one.code == other.code, name
        return
    for field in Spectrum.__dataclass_fields__:
        first, second = getattr(one, field), getattr(other, field)
        if field == "sampling":
            for part in first.__dataclass_fields__:
                np.testing.assert_array_equal(getattr(first, part), getattr(second, part), err_msg=f"{name}: {part}")
        elif isinstance(first, np.ndarray):
            np.testing.assert_array_equal(first, second, err_msg=f"{name}: {field}")
        else:
            assert repr(first) == repr(second), f"{name}: {field}"

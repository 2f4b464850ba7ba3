"""Files of no known product in which several HDUs, or the rows of a table, hold a spectrum each: none is lost."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from spectral_zarr.config import ImageOptions, ReaderOptions, TableOptions, load_config
from spectral_zarr.errors import MissingField, NotASpectrum, RefusedProduct, SourceError

UNIT = "erg/s/cm2/Angstrom"
WAVE = 4000.0 + np.arange(50.0)


def table(start: float, name: str = "") -> fits.BinTableHDU:
    columns = [
        fits.Column("WAVE", "D", unit="Angstrom", array=start + np.arange(50.0)),
        fits.Column("FLUX", "E", unit=UNIT, array=np.full(50, start)),
    ]
    return fits.BinTableHDU.from_columns(columns, name=name or None)


def line(start: float, name: str = "", kind: Any = fits.ImageHDU) -> Any:
    hdu = kind(np.full(50, start, np.float32))
    hdu.header.update(CRVAL1=start, CDELT1=1.0, CRPIX1=1.0, CUNIT1="Angstrom", BUNIT=UNIT)
    if name:
        hdu.header["EXTNAME"] = name
    return hdu


def primary_line(start: float) -> fits.PrimaryHDU:
    return line(start, kind=fits.PrimaryHDU)


def lines_of_iraf() -> list[Any]:
    hdus = [line(4000.0, kind=fits.PrimaryHDU), line(6000.0)]
    for hdu in hdus:
        hdu.header.update(WCSDIM=1, CTYPE1="LINEAR", WAT0_001="system=equispec", WAT1_001="units=angstroms")
    return hdus


def two_rows(kind: Any) -> Any:
    return kind(np.stack([WAVE, np.full(50, 7.0)]))


ROWS = ImageOptions(rows=("wavelength", "flux"), wavelength_unit="Angstrom", flux_unit="adu")

FILES = [
    pytest.param(lambda: [table(4000.0, "BLUE"), table(6000.0, "RED")], ReaderOptions(), [1, 2], id="tables"),
    pytest.param(
        lambda: [table(4000.0), fits.ImageHDU(np.zeros((4, 4))), table(6000.0)], ReaderOptions(), [1, 3], id="apart"
    ),
    pytest.param(lambda: [line(4000.0, "BLUE"), line(6000.0, "RED")], ReaderOptions(), [1, 2], id="images"),
    pytest.param(lambda: [primary_line(4000.0), line(6000.0)], ReaderOptions(), [0, 1], id="primary-and-image"),
    pytest.param(lambda: [primary_line(4000.0), table(6000.0)], ReaderOptions(), [0, 1], id="primary-and-table"),
    pytest.param(lines_of_iraf, ReaderOptions(), [0, 1], id="iraf"),
    pytest.param(
        lambda: [two_rows(fits.PrimaryHDU), two_rows(fits.ImageHDU)], ReaderOptions(image=ROWS), [0, 1], id="rows"
    ),
]


@pytest.mark.parametrize(("make", "options", "hdus"), FILES)
class TestSeveralHdus:
    def test_are_refused_by_their_numbers(
        self, write_fits: Any, read_all: Any, make: Any, options: Any, hdus: list[int]
    ) -> None:
        with pytest.raises(RefusedProduct) as caught:
            read_all(write_fits(*make()), options)
        seen = caught.value.message.split(" hold ")[0]
        assert [int(text) for text in re.findall(r"(\d+) \(", seen)] == hdus

    def test_each_is_read_by_the_option_that_the_message_names(
        self, write_fits: Any, read_all: Any, make: Any, options: Any, hdus: list[int]
    ) -> None:
        path = write_fits(*make())
        with pytest.raises(RefusedProduct) as caught:
            read_all(path, options)
        named = ast.literal_eval(re.search(r"hdu = (\d+)", caught.value.message)[1])  # type: ignore[index]
        assert named == hdus[0]
        if together := re.search(r"hdu = (\[.*\])", caught.value.message):
            _, spectra = read_all(path, ReaderOptions(hdu=tuple(ast.literal_eval(together[1])), image=options.image))
            assert [one.hdu for one in spectra] == hdus
        for hdu in hdus:
            _, (spectrum,) = read_all(path, ReaderOptions(hdu=hdu, image=options.image))
            assert spectrum.hdu == hdu
            expected = fits.getdata(path, hdu)
            flux = expected["FLUX"] if expected.dtype.names else expected[-1] if expected.ndim == 2 else expected
            np.testing.assert_array_equal(spectrum.flux, flux)


class TestAList:
    @pytest.mark.parametrize("asked", [(1, 2), ("blue", "RED"), ("BLUE", 2)])
    @pytest.mark.parametrize("make", [table, line])
    def test_gives_a_row_for_each(self, write_fits: Any, read_all: Any, make: Any, asked: Any) -> None:
        path = write_fits(make(4000.0, "BLUE"), make(6000.0, "RED"))
        _, spectra = read_all(path, ReaderOptions(hdu=asked))
        assert [(one.hdu, float(one.flux[0])) for one in spectra] == [(1, 4000.0), (2, 6000.0)]
        assert [one.spec_id.rpartition("/")[2] for one in spectra] == ["made-h1r0", "made-h2r0"]

    def test_takes_what_a_file_has_of_it(self, write_fits: Any, read_all: Any) -> None:
        _, (spectrum,) = read_all(write_fits(table(4000.0, "BLUE")), ReaderOptions(hdu=("BLUE", "RED")))
        assert spectrum.hdu == 1

    def test_that_names_nothing_of_the_file_is_refused(self, write_fits: Any, read_all: Any) -> None:
        with pytest.raises(MissingField, match="no HDU GREEN or 7"):
            read_all(write_fits(table(4000.0, "BLUE")), ReaderOptions(hdu=("GREEN", 7)))

    @pytest.mark.parametrize("text", ["hdu = 2", 'hdu = "RED"', 'hdu = [1, "RED"]'])
    def test_stands_in_the_configuration(self, tmp_path: Path, write_fits: Any, read_all: Any, text: str) -> None:
        config = tmp_path / "ingest.toml"
        config.write_text(f"[readers]\n{text}\n")
        path = write_fits(table(4000.0, "BLUE"), table(6000.0, "RED"))
        _, spectra = read_all(path, load_config(config).readers)
        assert [one.hdu for one in spectra] == ([1, 2] if "[" in text else [2])


def synphot_file() -> list[Any]:
    tables = []
    for level in (1.0, 2.0):
        wave = fits.Column("WAVELENGTH", "E", unit="ANGSTROMS", array=WAVE)
        tables.append(fits.BinTableHDU.from_columns([wave, fits.Column("FLUX", "E", unit="FLAM", array=WAVE * level)]))
        tables[-1].header["EXPR"] = "em(1215.7,0.04,3.05e-13,flam)"
    return tables


def eso_file() -> list[Any]:
    tables = []
    for level in (1.0, 2.0):
        wave = fits.Column("WAVE", "50D", unit="nm", array=WAVE[None] / 10)
        flux = fits.Column("FLUX", "50E", unit=UNIT, array=WAVE[None] * level)
        tables.append(fits.BinTableHDU.from_columns([wave, flux]))
        tables[-1].header.update(VOCLASS="SPECTRUM V2.0", INSTRUME="FORS2")
    return tables


class TestProductsOfOneTable:
    @pytest.mark.parametrize(("make", "reader"), [(synphot_file, "stsci-synphot"), (eso_file, "eso-sdp")])
    def test_a_second_one_is_not_lost(self, write_fits: Any, read_all: Any, make: Any, reader: str) -> None:
        path = write_fits(*make(), PRODCATG="SCIENCE.SPECTRUM" if reader == "eso-sdp" else "none")
        with pytest.raises(RefusedProduct, match=r"HDUs 1 \(table\), 2 \(table\) hold a spectrum each; set hdu = 1"):
            read_all(path)
        for hdu in (1, 2):
            name, (spectrum,) = read_all(path, ReaderOptions(hdu=hdu))
            assert (name, spectrum.hdu) == (reader, hdu)
            np.testing.assert_array_equal(spectrum.flux, np.ravel(fits.getdata(path, hdu)["FLUX"]))


class TestCompanions:
    @pytest.mark.parametrize("name", ["ERROR", "IVAR", "SKY", "MASK", "MODEL", "WAVELENGTH_SKY", "FLUX_ERR"])
    def test_what_describes_a_spectrum_is_none(self, write_fits: Any, read_one: Any, name: str) -> None:
        path = write_fits(primary_line(4000.0), line(4000.0, name))
        assert read_one(path)[1].hdu == 0

    def test_the_image_called_flux_is_the_spectrum(self, write_fits: Any, read_one: Any) -> None:
        path = write_fits(line(4000.0, "FLUX"), line(4000.0, "SKY"))
        assert read_one(path)[1].hdu == 1


class TestText:
    def test_in_every_row_is_named_and_the_option_helps(self, write_fits: Any, read_all: Any) -> None:
        made = table(4000.0)
        flag = fits.Column("FLAG", "3A", array=np.array(["ok "] * 50))
        path = write_fits(fits.BinTableHDU.from_columns(made.columns + fits.ColDefs([flag])))
        with pytest.raises(NotASpectrum, match=r"text .*FLAG.*set wavelength in \[readers.table\]"):
            read_all(path)
        _, (spectrum,) = read_all(path, ReaderOptions(table=TableOptions(wavelength="WAVE")))
        np.testing.assert_array_equal(spectrum.flux, fits.getdata(path, 1)["FLUX"])


N_PIX = 20


def vectors(n_rows: int = 3, **columns: Any) -> fits.BinTableHDU:
    rng = np.random.default_rng(7)
    made = [
        fits.Column("WAVE", f"{N_PIX}D", unit="Angstrom", array=5000.0 + np.tile(np.arange(N_PIX), (n_rows, 1))),
        fits.Column("FLUX", f"{N_PIX}E", unit=UNIT, array=rng.normal(1, 0.1, (n_rows, N_PIX))),
        fits.Column("IVAR", f"{N_PIX}E", array=rng.uniform(1, 2, (n_rows, N_PIX))),
    ]
    forms = {"i": "K", "f": "D", "S": "12A"}
    made += [fits.Column(name, forms[np.asarray(of).dtype.kind], array=of) for name, of in columns.items()]
    return fits.BinTableHDU.from_columns(made)


class TestASpectrumInEachRow:
    def test_values_are_those_of_astropy(self, write_fits: Any, read_all: Any) -> None:
        path = write_fits(vectors())
        name, spectra = read_all(path)
        data = fits.getdata(path, 1)
        assert name == "generic-table"
        assert [(one.hdu, one.row) for one in spectra] == [(1, 0), (1, 1), (1, 2)]
        for row, spectrum in enumerate(spectra):
            np.testing.assert_array_equal(spectrum.flux, data["FLUX"][row])
            np.testing.assert_array_equal(spectrum.noise, data["IVAR"][row])
            np.testing.assert_array_equal(spectrum.sampling.values, data["WAVE"][row])
            assert spectrum.noise_kind == "ivar"

    def test_identifier_parameters_and_facts_have_their_usual_names(self, write_fits: Any, read_all: Any) -> None:
        made = vectors(
            TARGETID=np.array([39633001, 39633002, 39633003]),
            OBJECT=np.array([b"star 1", b"star 2", b""]),
            RA=np.array([10.0, 20.0, 30.0]),
            DEC=np.array([-5.0, 5.0, -9999.0]),
            SNR=np.array([12.0, 13.0, 14.0]),
            TEFF=np.array([5777.0, -9999.0, 4500.0]),
            LOGG=np.array([4.4, 2.5, 3.0]),
            GAIA_SOURCE_ID=np.array([2**62 + 1, 0, 5]),
        )
        _, spectra = read_all(write_fits(made))
        assert [one.spec_id for one in spectra] == ["39633001", "39633002", "39633003"]
        assert [one.observation.object_id for one in spectra] == ["39633001", "39633002", "39633003"]
        assert [one.observation.object for one in spectra] == ["star 1", "star 2", ""]
        assert [one.observation.gaia_id for one in spectra] == [str(2**62 + 1), "", "5"]
        np.testing.assert_array_equal([one.observation.ra for one in spectra], [10.0, 20.0, 30.0])
        np.testing.assert_array_equal([one.observation.dec for one in spectra], [-5.0, 5.0, np.nan])
        np.testing.assert_array_equal([one.observation.snr for one in spectra], [12.0, 13.0, 14.0])
        np.testing.assert_array_equal([one.params["teff"] for one in spectra], [5777.0, np.nan, 4500.0])
        np.testing.assert_array_equal([one.params["logg"] for one in spectra], [4.4, 2.5, 3.0])

    def test_identifiers_beside_an_undefined_one_keep_every_digit(self, write_fits: Any, read_all: Any) -> None:
        made = vectors(
            TARGETID=np.array([2**60 + 1, 999999, 2**60 + 3]), GAIA_SOURCE_ID=np.array([2**62 + 1, 2**62 + 3, 999999])
        )
        for name in ("TARGETID", "GAIA_SOURCE_ID"):
            made.columns[name].null = 999999
        _, spectra = read_all(write_fits(made))
        assert [one.observation.object_id for one in spectra] == [str(2**60 + 1), "", str(2**60 + 3)]
        assert [one.observation.gaia_id for one in spectra] == [str(2**62 + 1), str(2**62 + 3), ""]

    def test_options_name_the_columns(self, write_fits: Any, read_all: Any) -> None:
        made = vectors(label=np.array([b"a", b"b", b"c"]), T_FIT=np.array([1.0, 2.0, 3.0]))
        options = TableOptions(spec_id="Label", params={"teff": "t_fit"})
        _, spectra = read_all(write_fits(made), ReaderOptions(table=options))
        assert [one.spec_id for one in spectra] == ["a", "b", "c"]
        assert [one.params["teff"] for one in spectra] == [1.0, 2.0, 3.0]

    def test_an_identifier_that_repeats_names_no_row(self, write_fits: Any, read_all: Any) -> None:
        made = vectors(SOURCE_ID=np.array([7, 7, 9]))
        _, spectra = read_all(write_fits(made))
        assert [one.spec_id.rpartition("/")[2] for one in spectra] == ["made-h1r0", "made-h1r1", "made-h1r2"]
        with pytest.raises(RefusedProduct, match=r"SOURCE_ID .* repeats"):
            read_all(write_fits(made), ReaderOptions(table=TableOptions(spec_id="source_id")))

    @pytest.mark.parametrize(
        ("options", "what"),
        [(TableOptions(spec_id="nowhere"), "spec_id"), (TableOptions(params={"teff": "FLUX"}), "params.teff")],
    )
    def test_a_name_that_no_scalar_column_has_is_refused(
        self, write_fits: Any, read_all: Any, options: TableOptions, what: str
    ) -> None:
        with pytest.raises(MissingField, match=re.escape(what)):
            read_all(write_fits(vectors(n=np.arange(3))), ReaderOptions(table=options))

    def test_padding_behind_a_shorter_spectrum_is_left_out(self, write_fits: Any, read_all: Any) -> None:
        made = vectors()
        made.data["WAVE"][1, 15:] = np.nan
        made.data["WAVE"][2, 12:] = 0.0
        _, spectra = read_all(write_fits(made))
        assert [one.flux.size for one in spectra] == [20, 15, 12]
        assert [one.sampling.values.size for one in spectra] == [20, 15, 12]

    def test_a_row_without_pixels_costs_itself_alone(self, write_fits: Any, read_all: Any) -> None:
        arrays = np.empty(3, object)
        arrays[:] = [np.arange(5.0), np.empty(0), np.arange(7.0)]
        columns = [fits.Column("WAVE", "PD()", unit="nm", array=arrays + np.array([500.0])[0])]
        columns.append(fits.Column("FLUX", "PD()", unit=UNIT, array=arrays))
        _, spectra = read_all(write_fits(fits.BinTableHDU.from_columns(columns)))
        assert [one.row for one in spectra] == [0, 1, 2]
        assert isinstance(spectra[1], SourceError)
        np.testing.assert_array_equal(spectra[2].flux, np.arange(7.0))

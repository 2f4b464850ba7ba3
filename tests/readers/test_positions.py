"""Positions as headers write them, against astropy: units, equinoxes, placeholders, cards that exclude one another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from spectral_zarr.model import Observation

DEEP = SkyCoord("12h30m12.5s", "-10d15m30s", frame="icrs")
HOURS, DEGREES, DEC = DEEP.ra.hour, DEEP.ra.deg, DEEP.dec.deg
SEXAGESIMAL = {"QRA": "12:30:12.5", "QDEC": "-10:15:30"}


@pytest.fixture
def observe(write_fits: Any, line: Any, read_one: Any) -> Any:
    """Facts of a made image with the given cards, a value or a value and a comment each."""

    def read(**cards: Any) -> Observation:
        observation: Observation = read_one(write_fits(line(**cards)))[1].observation
        return observation

    return read


def assert_at(found: Observation, expected: SkyCoord) -> None:
    assert SkyCoord(found.ra * u.deg, found.dec * u.deg).separation(expected).arcsec < 0.01
    assert found.notes == ()


def assert_unknown(found: Observation, *words: str) -> None:
    assert np.isnan([found.ra, found.dec]).all()
    (note,) = found.notes
    assert note.startswith("no position: ") and all(word in note for word in words)


class TestUnits:
    @pytest.mark.parametrize(
        "comment", ["[hours] right ascension", "RA (h)", "RA in decimal hours", "[hr] J2000", "RA hh.hhhh"]
    )
    def test_a_comment_tells_hours(self, observe: Any, comment: str) -> None:
        assert_at(observe(RA=(HOURS, comment), DEC=(DEC, "[deg]")), DEEP)

    @pytest.mark.parametrize("comment", ["[deg] 12:30:12.5 RA", "RA (degrees)", "decimal degrees, not hour angle", ""])
    def test_degrees_are_usual(self, observe: Any, comment: str) -> None:
        assert_at(observe(RA=(DEGREES, comment), DEC=DEC), DEEP)

    @pytest.mark.parametrize("comment", ["[rad]", "right ascension in radians"])
    def test_a_comment_tells_radians(self, observe: Any, comment: str) -> None:
        assert_at(observe(RA=(DEEP.ra.rad, comment), DEC=DEEP.dec.rad), DEEP)

    @pytest.mark.parametrize("ra", ["12:30:12.5", "12 30 12.5", "12h30m12.5s", "187:33:07.5"])
    def test_text_in_three_parts_is_in_hours_where_it_can_be(self, observe: Any, ra: str) -> None:
        assert_at(observe(RA=ra, DEC="-10:15:30"), DEEP)

    @pytest.mark.parametrize(
        "witness",
        [
            SEXAGESIMAL,
            {"OBJRA": "12:30:12", "OBJDEC": "-10:15:31"},
            {"RA_TARG": DEGREES, "DEC_TARG": DEC},
            {"CTYPE2": "RA---TAN", "CTYPE3": "DEC--TAN", "CRVAL2": DEGREES, "CRVAL3": DEC},
        ],
    )
    @pytest.mark.parametrize("ra", [HOURS, DEGREES])
    def test_a_second_position_tells_the_unit(self, observe: Any, witness: dict[str, Any], ra: float) -> None:
        assert_at(observe(RA=ra, DEC=DEC, **witness), DEEP)

    def test_a_second_position_tells_radians(self, observe: Any) -> None:
        assert_at(observe(RA=DEEP.ra.rad, DEC=DEEP.dec.rad, **SEXAGESIMAL), DEEP)

    def test_sexagesimal_text_in_the_comment_tells_the_unit(self, observe: Any) -> None:
        assert_at(observe(RA=(HOURS, "12:30:12.5 RA"), DEC=(DEC, "-10:15:30.0 DEC")), DEEP)

    def test_a_plate_and_its_fibre_are_no_contradiction(self, observe: Any) -> None:
        found = observe(RA=0.2, DEC=-1.0, TELRA="00:08:00", TELDEC="-01:00:00")
        assert (found.ra, found.dec) == (0.2, -1.0)

    def test_a_negative_declination_keeps_its_sign_at_zero_degrees(self, observe: Any) -> None:
        assert_at(observe(RA="00:01:00", DEC="-00:30:00"), SkyCoord(0.25 * u.deg, -0.5 * u.deg))


class TestContradictions:
    def test_a_comment_and_a_second_card(self, observe: Any) -> None:
        assert_unknown(observe(RA=(HOURS, "[deg]"), DEC=DEC, **SEXAGESIMAL), "RA", "QRA", "degrees apart")

    def test_no_unit_agrees_with_the_second_card(self, observe: Any) -> None:
        assert_unknown(observe(RA=100.0, DEC=40.0, **SEXAGESIMAL), "QRA")

    def test_hours_that_are_none(self, observe: Any) -> None:
        assert_unknown(observe(RA=(187.5, "[hours]"), DEC=DEC), "hours")

    def test_a_declination_that_is_none(self, observe: Any) -> None:
        assert_unknown(observe(RA=187.5, DEC=95.0), "95")

    @pytest.mark.parametrize(
        "cards",
        [
            {"EQUINOX": 2000.0, "RADECSYS": "FK4"},
            {"EQUINOX": 1950.0, "RADESYS": "ICRS"},
            {"EQUINOX": "B1950", "RADESYS": "FK5"},
        ],
    )
    def test_a_system_and_an_equinox(self, observe: Any, cards: dict[str, Any]) -> None:
        assert_unknown(observe(RA=DEGREES, DEC=DEC, **cards), "EQUINOX", "exclude")

    def test_an_equinox_and_a_comment(self, observe: Any) -> None:
        assert_unknown(observe(RA=(DEGREES, "RA (J2000)"), DEC=DEC, EQUINOX=1950.0), "J2000", "1950")


class TestEquinoxes:
    @pytest.mark.parametrize(
        ("cards", "frame", "equinox"),
        [
            ({"EQUINOX": 1950.0}, "fk4", "B1950"),
            ({"EQUINOX": "B1950.0"}, "fk4", "B1950"),
            ({"EPOCH": 1950.0}, "fk4", "B1950"),
            ({"RADECSYS": "FK4"}, "fk4", "B1950"),
            ({"RADESYS": "FK4", "EQUINOX": 1950.0}, "fk4", "B1950"),
            ({"EQUINOX": 1975.0, "RADESYS": "FK5"}, "fk5", "J1975"),
            ({"EQUINOX": 2015.53}, "fk5", "J2015.53"),
            ({"EQUINOX": 1900.0}, "fk4", "B1900"),
        ],
    )
    def test_positions_are_brought_to_icrs(self, observe: Any, cards: dict[str, Any], frame: str, equinox: str) -> None:
        expected = SkyCoord(DEGREES * u.deg, DEC * u.deg, frame=frame, equinox=equinox).icrs
        assert expected.separation(DEEP).arcmin > 5
        assert_at(observe(RA=DEGREES, DEC=DEC, **cards), expected)

    def test_hours_of_an_equinox_that_only_the_comment_tells(self, observe: Any) -> None:
        expected = SkyCoord(DEGREES * u.deg, DEC * u.deg, frame="fk4", equinox="B1950").icrs
        assert_at(observe(RA=(HOURS, "[hours] RA (B1950)"), DEC=DEC), expected)

    @pytest.mark.parametrize(
        "cards",
        [
            {},
            {"EQUINOX": 2000.0, "RADECSYS": "FK5"},
            {"RADESYS": "ICRS", "EQUINOX": 2000.0},
            {"EQUINOX": 2000.0, "EPOCH": 2012.52823},
            {"EPOCH": (2021.03967, "Mean epoch")},
            {"EQUINOX": 0.0},
        ],
    )
    def test_positions_of_today_stay_as_they_are(self, observe: Any, cards: dict[str, Any]) -> None:
        found = observe(RA=DEGREES, DEC=DEC, **cards)
        assert (found.ra, found.dec) == (DEGREES, DEC)

    def test_usual_positions_do_not_import_the_coordinates_of_astropy(
        self, write_fits: Any, line: Any, tmp_path: Path
    ) -> None:
        path = write_fits(line(RA=(DEGREES, "[deg]"), DEC=DEC, EQUINOX=2000.0, RADECSYS="FK5"))
        code = (
            "import sys; from spectral_zarr.config import ReaderOptions; from spectral_zarr.model import SourceFile;"
            "from spectral_zarr.readers import find_reader, open_source; path = sys.argv[1];"
            "file = open_source(SourceFile(path, 'a.fits', len(open(path, 'rb').read()))); o = ReaderOptions();"
            "reader = find_reader(file, o); (one,) = reader.read(file, o, reader.policy);"
            "assert one.observation.ra > 0; print('astropy.coordinates' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False"


class TestPlaceholders:
    @pytest.mark.parametrize("zero", [0.0, 0, "00:00:00"])
    def test_two_zeros_are_no_position(self, observe: Any, zero: Any) -> None:
        found = observe(RA=zero, DEC=zero)
        assert np.isnan([found.ra, found.dec]).all() and found.notes == ()

    def test_another_card_has_it(self, observe: Any) -> None:
        assert_at(observe(RA=0.0, DEC=0.0, RA_TARG=DEGREES, DEC_TARG=DEC), DEEP)


class TestColumns:
    @pytest.mark.parametrize(
        ("unit", "ra", "dec"),
        [("hourangle", HOURS, DEC), ("h", HOURS, DEC), ("rad", DEEP.ra.rad, DEEP.dec.rad), ("deg", DEGREES, DEC)],
    )
    def test_the_unit_of_the_column_counts(
        self, write_fits: Any, read_all: Any, unit: str, ra: float, dec: float
    ) -> None:
        image = fits.PrimaryHDU(np.ones((1, 20), np.float32))
        image.header.update(CRVAL1=5000.0, CDELT1=1.0, CRPIX1=1.0, CUNIT1="Angstrom", BUNIT="ADU")
        columns = [
            fits.Column("NAME", "4A", array=["star"]),
            fits.Column("TYPE", "1A", array=["P"]),
            fits.Column("RA", "D", unit=unit, array=[ra]),
            fits.Column("DEC", "D", unit="rad" if unit == "rad" else "deg", array=[dec]),
        ]
        table = fits.BinTableHDU.from_columns(columns, name="FIBRES")
        variance = fits.ImageHDU(np.ones((1, 20), np.float32), name="VARIANCE")
        reader, (one,) = read_all(write_fits(image, variance, table))
        assert reader == "2dfdr"
        assert_at(one.observation, DEEP)

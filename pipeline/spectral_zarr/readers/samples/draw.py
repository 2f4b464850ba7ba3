"""What varies from one sample file to the next: a seeded draw of a star and of a moment."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from spectral_zarr.readers.samples.cards import Part

_GOLDEN = 0.6180339887498949
_EPOCH = datetime(1858, 11, 17)


@dataclass(frozen=True, slots=True)
class Sample:
    """A file: its survey-like name and the parts of its content in order."""

    name: str
    parts: tuple[Part, ...]


class Star(NamedTuple):
    """The observed object; parameters follow the usual astronomical units (K, dex, km/s, degrees)."""

    ra: float
    dec: float
    teff: float
    logg: float
    feh: float
    velocity: float
    snr: float
    magnitude: float


@dataclass(frozen=True, slots=True)
class Draw:
    """The random source of one file; equal (product, seed, index) give equal files."""

    product: str
    seed: int
    index: int
    n_pix: int | None
    rng: np.random.Generator

    @classmethod
    def of(cls, product: str, seed: int, index: int, n_pix: int | None) -> Draw:
        """Seed the draw of file `index`, whatever the number of files."""
        rng = np.random.Generator(np.random.SFC64([zlib.crc32(product.encode()), seed, index]))
        return cls(product, seed, index, n_pix, rng)

    def shortened(self, full: int) -> int | None:
        """Return the number of pixels asked for if it is less than the product's usual `full`."""
        return None if self.n_pix is None or self.n_pix >= full else self.n_pix

    def star(self, *, faint: float = 20.0, bright: float = 150.0) -> Star:
        """Draw a star; right ascensions are spread so that coordinate names never collide."""
        teff = float(self.rng.uniform(3900.0, 6800.0))
        giant = teff < 5300.0 and self.rng.random() < 0.5
        return Star(
            ra=round(360.0 * ((self.seed * 0.7548776662 + (self.index + 1) * _GOLDEN) % 1.0), 7),
            dec=round(float(self.rng.uniform(-60.0, 60.0)), 6),
            teff=round(teff, 1),
            logg=round(float(self.rng.uniform(1.0, 3.3) if giant else self.rng.uniform(3.8, 4.7)), 3),
            feh=round(float(np.clip(self.rng.normal(-0.2, 0.35), -2.2, 0.45)), 3),
            velocity=round(float(self.rng.normal(0.0, 40.0)), 4),
            snr=round(float(np.exp(self.rng.uniform(np.log(faint), np.log(bright)))), 2),
            magnitude=round(float(self.rng.uniform(6.0, 13.0)), 3),
        )

    def moment(self, year: int = 2007) -> datetime:
        """Return a start of exposure that no other file of the same seed has, the same at every call."""
        start = datetime(year, 1, 3) + timedelta(days=self.seed % 1000, minutes=7 * self.index)
        return start + timedelta(milliseconds=_milliseconds(self.product, self.seed, self.index))

    def hd_name(self) -> str:
        """Return a catalogue name for the target."""
        return f"HD {1000 + (self.index * 7919 + self.seed * 104729) % 224000}"


def _milliseconds(product: str, seed: int, index: int) -> int:
    # Products get different offsets, so that archive names do not collide in a shared directory.
    return (zlib.crc32(product.encode()) + seed * 104729 + index * 7919) * 15485863 % 360_000


def mjd(moment: datetime) -> float:
    """Return the modified Julian date of a moment."""
    return (moment - _EPOCH) / timedelta(days=1)


def stamp(moment: datetime) -> str:
    """Return a moment with milliseconds, as archives write it in cards and file names."""
    return moment.isoformat(timespec="milliseconds")


def sexagesimal(star: Star) -> str:
    """Return the 2MASS-like designation `hhmmssss+ddmmsss` of the coordinates."""
    hundredths = int(star.ra / 15.0 * 360_000)
    tenths = int(abs(star.dec) * 36_000)
    sign = "-" if star.dec < 0 else "+"
    ra = f"{hundredths // 360_000:02d}{hundredths // 6000 % 60:02d}{hundredths % 6000:04d}"
    return f"{ra}{sign}{tenths // 36_000:02d}{tenths // 600 % 60:02d}{tenths % 600:03d}"

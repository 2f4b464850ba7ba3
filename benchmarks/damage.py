"""Damage sound files in many ways, and count the copies that are accepted with other values.

Every file is damaged twice: as it is, and as astropy writes it again with DATASUM. A copy counts as changed when a
spectrum that is accepted has another flux, uncertainty, continuum, wavelength or parameter than in the sound file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import SourceError
from spectral_zarr.readers import FitsFile
from spectral_zarr.readers.fits.integrity import declared_sum
from spectral_zarr.tasks.sources import scan_sources
from spectral_zarr.testing.damage import KINDS, Sound, outcomes, with_datasums

SETS = ("as they are", "with DATASUM")
"""Files without a sum in some HDU with data, and files with all sums."""
MODEL_PIXELS = 212_027
"""Pixels of the PHOENIX spectra, whose wavelengths are in a file of their own."""


def sound_files(paths: list[str], options: ReaderOptions) -> Iterator[tuple[str, Sound]]:
    """The files that are accepted, and each again with the sums that it lacks."""
    for source in scan_sources(paths):
        try:
            sound = Sound.of(source, Path(source.path).read_bytes(), options)
        except SourceError as error:
            print(f"left out: {error}")
            continue
        if all(declared_sum(hdu.header) for hdu in FitsFile(sound.data, "").hdus if hdu.shape):
            yield SETS[1], sound
        else:
            yield SETS[0], sound
            yield SETS[1], Sound.of(source, with_datasums(sound.data), options)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--copies", type=int, default=10_000, help="of each of the two sets")
    parser.add_argument("--places", action="store_true", help="print where the files differ whose values changed")
    options = parser.parse_args()
    counts: Counter[tuple[str, str, str]] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        wave = Path(scratch) / "WAVE.fits"
        fits.PrimaryHDU(np.geomspace(500.0, 55_000.0, MODEL_PIXELS)).writeto(wave)
        readers = ReaderOptions(echelle="rows", wavelength_file=str(wave))
        files = list(sound_files(options.sources, readers))
        for which in SETS:
            members = [sound for found, sound in files if found == which]
            print(f"{len(members)} files {which}")
            count = -(-options.copies // (len(KINDS) * len(members)))
            for kind in KINDS:
                for sound in members:
                    for data, outcome in outcomes(sound, kind, count, readers):
                        counts[which, kind, outcome] += 1
                        if options.places and outcome in ("changed", "fewer rows"):
                            print(f"{which}: {kind}: {outcome}: {place(sound, data)}")
    print(
        "\n| damage | set | copies | refused | same values | fewer rows | changed |\n|---|---|---:|---:|---:|---:|---:|"
    )
    for kind in KINDS:
        for which in SETS:
            found = [counts[which, kind, outcome] for outcome in ("refused", "same", "fewer rows", "changed")]
            print(f"| {kind} | {which} | {sum(found)} | {' | '.join(map(str, found))} |")


def place(sound: Sound, data: bytes) -> str:
    """The first byte that differs, and whether it is in a header."""
    shorter = min(len(data), len(sound.data))
    one, other = (np.frombuffer(bytes_, np.uint8, shorter) for bytes_ in (data, sound.data))
    differing = np.flatnonzero(one != other)
    first = int(differing[0]) if differing.size else shorter
    hdu = max(i for i, (start, _) in enumerate(sound.headers) if start <= first)
    start, end = sound.headers[hdu]
    card = sound.data[first - (first - start) % 80 :][:80].decode("latin-1").rstrip() if first < end else "data"
    return f"{sound.source.name}[{hdu}] {len(sound.data)} -> {len(data)}, byte {first}: {card}"


if __name__ == "__main__":
    main()

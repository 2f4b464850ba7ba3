"""Text tables of iSpec and of the Gaia FGK benchmark star library: ``waveobs``, ``flux``, ``err``."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import HeaderPolicy
from spectral_zarr.readers.text import TextFile

_HEADINGS = (["waveobs", "flux"], ["waveobs", "flux", "err"])


class IspecText:
    """One spectrum as iSpec writes it.

    Blanco-Cuaresma et al. 2014, A&A 569, A111: a line of column names and columns separated by tabulators, with
    wavelengths in nm and a flux without unit. An error of zero is unknown. The medium and the unit of the flux are
    those of ``[readers.table]``.
    """

    name = "ispec-text"
    version = "1"
    title = "iSpec text tables (waveobs, flux, err)"
    priority = 0
    policy = HeaderPolicy()
    reads = TextFile

    def claims(self, file: TextFile, options: ReaderOptions) -> bool:
        return _heading(file)[1] in _HEADINGS

    def read(self, file: TextFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        line, names = _heading(file)
        table = file.numbers(skip=line + 1, columns=len(names))
        yield Spectrum(
            spec_id="",
            flux=table[:, 1],
            flux_unit=options.table.flux_unit or "Relative Flux",
            sampling=Sampling(
                unit=options.table.wavelength_unit or "nm", medium=options.table.medium, values=table[:, 0]
            ),
            observation=Observation(flux_calibration="" if options.table.flux_unit else "relative"),
            noise=table[:, 2] if len(names) > 2 else None,
            zero_padded=True,
        )


def _heading(file: TextFile) -> tuple[int, list[str]]:
    for number, line in enumerate(file.head):
        if line.strip():
            return number, line.lstrip("#").lower().replace(",", " ").split()
    return 0, []


READERS = (IspecText(),)

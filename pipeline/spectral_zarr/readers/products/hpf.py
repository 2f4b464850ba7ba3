"""Spectra of the Habitable-zone Planet Finder: 28 orders with their wavelengths and errors."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import MissingField
from spectral_zarr.model import NoiseKind, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.observing import observe, sky
from spectral_zarr.readers.orders import are_orders, order_rows, require_rows


class HpfOrders:
    """Science fibre of one HPF exposure.

    Goldilocks and the HPF pipeline (Mahadevan et al. 2014, SPIE 9147): images of 28 x 2048 pixels named ``Sci``,
    ``Sky`` and ``Cal`` with ``Flux``, ``Error`` or ``Variance``, and ``Wavl`` in Angstrom, vacuum, topocentric. The
    sky and calibration fibres are not read.
    """

    name = "hpf"
    version = "1"
    title = "HPF orders (Sci Flux, Sci Error or Variance, Sci Wavl)"
    priority = 0
    policy = HeaderPolicy(allow=(r"QPROG|QOBJECT|QRA|QDEC|ITIME|DATE-OBS|AIRMASS|JD_FW\d+",), deny=(r"JD_FW.*",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus) < 2 or file.hdus[1].kind != "image":
            return False
        return file.named("SCI FLUX") is not None and (
            file.named("SCI WAVL") is not None or "HPF" in file.primary.text("INSTRUME").upper()
        )

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        flux, wavelength = file.named("SCI FLUX"), file.named("SCI WAVL")
        if flux is None or wavelength is None or not are_orders(flux, wavelength):
            message = f"HPF needs Sci Flux and Sci Wavl of one shape: {file.describe()}; fetch the file again"
            raise MissingField(message, path=file.name)
        require_rows(options, f"HPF: {flux.shape[0]} unmerged echelle orders", path=file.name, hdu=flux.index)
        error, variance = file.named("SCI ERROR"), file.named("SCI VARIANCE")
        noise = error or variance
        kind: NoiseKind = "sigma" if error is not None else "variance"
        if noise is not None and not are_orders(flux, noise):
            message = f"{noise.name} has another shape than Sci Flux: {file.describe()}; fetch the file again"
            raise MissingField(message, path=file.name, hdu=noise.index)
        whole = Spectrum(
            spec_id="",
            flux=flux.image()[0],
            flux_unit=unit if canonical_unit(unit := flux.header.text("BUNIT")) else "Relative Flux",
            sampling=Sampling(unit="Angstrom", medium="vacuum"),
            observation=observe(
                file.primary,
                instrument="HPF",
                velocity_frame="topocentric",
                flux_calibration="relative",
                **sky(file.primary, ("QRA", "QDEC"), ("RA", "DEC"))._asdict(),
            ),
            noise_kind=kind,
            noise_unit=noise.header.text("BUNIT") if noise is not None and canonical_unit(unit) else "",
            zero_padded=True,
            header=project([(0, file.primary)], policy),
            hdu=flux.index,
        )
        yield from order_rows(whole, flux.image(), wavelength.image(), None if noise is None else noise.image())


READERS = (HpfOrders(),)

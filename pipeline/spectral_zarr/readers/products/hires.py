"""Keck HIRES orders: the reduced spectra of the California Planet Search, and MAKEE images that are refused."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.contract.units import canonical_unit
from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.iraf import system
from spectral_zarr.readers.observing import first_number, first_text, observe
from spectral_zarr.readers.orders import order_rows, require_rows


class HiresOrders:
    """Unmerged orders of one HIRES detector.

    California Planet Search layout: HDU0 the flux of 16 (or 23, or 10) orders of 4021 pixels in counts, HDU1 its
    relative error, HDU2 the wavelengths in Angstrom, topocentric. The copies of the NASA Exoplanet Science Institute
    have the first HDU only and hence no wavelengths. The medium is not recorded: give it in ``[readers.image]``.
    """

    name = "hires-orders"
    version = "1"
    title = "Keck HIRES orders of the California Planet Search (flux, relative error, wavelength)"
    priority = 0
    policy = HeaderPolicy(allow=(r"TARGNAME|OBJECT|DECKNAME|ECHANGL|XDANGL|IODIN|DATE_BEG|UTC|ELAPTIME|KOAID|PROGID",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        image = file.hdus[0]
        if image.kind != "image" or len(image.shape) != 2 or not min(image.shape) > 1:
            return False
        if system(file.primary):
            return False
        named = first_text(file.primary, "INSTRUME", "CURRINST").upper().startswith("HIRES")
        return (named or image.shape[1] == 4021) and image.shape[0] < 100

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        flux = file.hdus[0]
        n_orders, n_pix = flux.shape
        what = f"HIRES: {n_orders} unmerged echelle orders of {n_pix} pixels"
        if "WV_0_01" in file.primary:
            message = f"{what} of MAKEE with polynomials for wavelengths; ingest the merged spectrum instead"
            raise RefusedProduct(message, path=file.name, hdu=0)
        require_rows(options, what, path=file.name, hdu=0)
        alike = [hdu for hdu in file.hdus[1:] if hdu.kind == "image" and hdu.shape == flux.shape]
        wavelength = next((hdu for hdu in alike if "WAV" in hdu.name), alike[1] if len(alike) > 1 else None)
        if wavelength is None:
            message = f"{what} without an HDU of wavelengths: {file.describe()}; append the wavelength solution"
            raise MissingField(message, path=file.name, hdu=0)
        error: Hdu | None = next((hdu for hdu in alike if hdu is not wavelength), None)
        header = file.primary
        whole = Spectrum(
            spec_id="",
            flux=flux.image()[0],
            flux_unit=unit if canonical_unit(unit := header.text("BUNIT")) else "counts",
            sampling=Sampling(unit="Angstrom", medium=options.image.medium),
            observation=observe(
                header,
                instrument="HIRES",
                velocity_frame="topocentric",
                flux_calibration="counts",
                exptime=first_number(header, "EXPTIME", "ELAPTIME"),
            ),
            noise_kind="relative",
            zero_padded=True,
            header=project([(0, header)], policy),
        )
        yield from order_rows(whole, flux.image(), wavelength.image(), None if error is None else error.image())


READERS = (HiresOrders(),)

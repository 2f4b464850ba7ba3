"""The FITS hot path: one read, a scan of the cards, views of the arrays; astropy for everything unusual."""

from spectral_zarr.readers.fits.file import FitsFile, open_fits
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.header import Header
from spectral_zarr.readers.fits.projection import HeaderPolicy, project

__all__ = ["FitsFile", "Hdu", "Header", "HeaderPolicy", "open_fits", "project"]

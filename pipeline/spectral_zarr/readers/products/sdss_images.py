"""SDSS spectra as rows of images: ``spSpec`` of DR7 and earlier, and ``spPlate`` with all fibres of a plate."""

from __future__ import annotations

import math
from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, SourceError
from spectral_zarr.model import Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.left_out import LeftOutRows
from spectral_zarr.readers.masks import SDSS_BITS, bad_where_asked
from spectral_zarr.readers.observing import first_number, header_snr, sky, sky_cells
from spectral_zarr.readers.sdss import (
    LOG_STEP,
    LOG_TOLERANCE,
    SDSS_POLICY,
    fibre_id,
    flux_unit,
    is_sdss,
    medium,
    observe_sdss,
    plate_number,
)

_NO_TARGET = frozenset({"SKY", "NA", "COHERENT_SKY"})


class SdssSpSpec:
    """Coadded spectrum of one fibre in the layout of SDSS-I and II.

    Data model ``spSpec`` (DR1 to DR7): a primary image whose rows are the flux in 1e-17 erg s-1 cm-2 Angstrom-1, the
    continuum-subtracted flux, the error and the mask; log10(wavelength) = COEFF0 + COEFF1 * i, vacuum, heliocentric.
    An error of zero marks a bad pixel.
    """

    name = "sdss-spspec"
    version = "1"
    title = "SDSS spSpec (DR7 and earlier)"
    priority = 0
    policy = SDSS_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        shape, header = file.hdus[0].shape, file.primary
        rows = len(shape) == 2 and 3 <= shape[0] <= 9
        return rows and is_sdss(header) and "FIBERID" in header and plate_number(header) is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        header, rows = file.primary, file.hdus[0].image()
        snr, snr_method = header_snr(header, "SN_R", "SN_G", "SN_I")
        yield Spectrum(
            spec_id=fibre_id(plate_number(header), header.integer("MJD"), header.integer("FIBERID"), file.name),
            flux=rows[0],
            flux_unit=flux_unit(header),
            sampling=_sampling(header, rows.shape[1], file.name),
            # RA and DEC are those of the plate.
            observation=observe_sdss(
                header,
                **sky(header, ("RAOBJ", "DECOBJ"))._asdict(),
                snr=snr,
                snr_method=snr_method,
            ),
            noise=rows[2],
            bad=bad_where_asked(lambda: rows[3] if len(rows) > 3 else rows[:0], options, SDSS_BITS),
            zero_padded=True,
            header=project([(0, header)], policy),
        )


class SdssSpPlate:
    """Coadded spectra of all fibres of one plate.

    Data model ``spPlate`` (SDSS, BOSS, eBOSS): images with one row per fibre, HDU0 the flux in 1e-17 erg s-1 cm-2
    Angstrom-1, HDU1 its inverse variance, HDU5 the plug map; log10(wavelength) = COEFF0 + COEFF1 * i, vacuum,
    heliocentric. Sky and unassigned fibres are left out.
    """

    name = "sdss-spplate"
    version = "1"
    title = "SDSS/BOSS/eBOSS spPlate, one row per fibre without the sky fibres"
    priority = 0
    policy = SDSS_POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if len(file.hdus) < 6 or not is_sdss(file.primary) or plate_number(file.primary) is None:
            return False
        images, plug_map = file.hdus[:5], file.hdus[5]
        same = all(hdu.kind == "image" and hdu.shape == images[0].shape for hdu in images)
        return same and len(images[0].shape) == 2 and plug_map.find("OBJTYPE") is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum | SourceError]:
        header, plug_map = file.primary, file.hdus[5]
        flux, ivar = file.hdus[0].image(), file.hdus[1].image()
        bad = bad_where_asked(file.hdus[2].image, options, SDSS_BITS)
        if plug_map.n_rows != len(flux):
            message = f"the plug map has {plug_map.n_rows} rows for {len(flux)} spectra; fetch the file again"
            raise MissingField(message, path=file.name, hdu=5)
        plate, mjd = plate_number(header), header.integer("MJD")
        sampling, projected = _sampling(header, flux.shape[1], file.name), project([(0, header)], policy)
        left_out = LeftOutRows(file.name, 5)
        for row in range(len(flux)):
            number = plug_map.cell_number("FIBERID", row)
            fiber = row + 1 if math.isnan(number) else int(number)
            kind = plug_map.cell_text("OBJTYPE", row).upper()
            if kind in _NO_TARGET or fiber < 1:
                left_out.add(f"OBJTYPE = {kind}" if fiber > 0 else f"FIBERID = {fiber}", row)
                continue
            yield Spectrum(
                spec_id=fibre_id(plate, mjd, fiber, file.name),
                flux=flux[row],
                flux_unit=flux_unit(header),
                sampling=sampling,
                observation=observe_sdss(header, **sky_cells(plug_map, row, ("RA", "DEC"))._asdict()),
                noise=ivar[row],
                noise_kind="ivar",
                bad=None if bad is None else bad[row],
                zero_padded=True,
                header=projected,
                row=row,
            )
        yield from left_out.errors()


def _sampling(header: Header, n_pix: int, path: str) -> Sampling:
    start = first_number(header, "COEFF0", "CRVAL1")
    step = first_number(header, "COEFF1", "CD1_1", "CDELT1")
    if not (math.isfinite(start) and math.isfinite(step)):
        message = "COEFF0 or COEFF1 is missing, so the pixels have no wavelength; fetch the file again"
        raise MissingField(message, path=path, hdu=0)
    return Sampling(
        unit="Angstrom",
        medium=medium(header),
        scale="log10",
        start=start,
        step=step,
        n_pix=n_pix,
        lattice_step=LOG_STEP,
        lattice_tolerance=LOG_TOLERANCE,
    )


READERS = (SdssSpSpec(), SdssSpPlate())

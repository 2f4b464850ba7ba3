"""4MOST level-1 spectra in the form of the survey's mock data; files with the ESO cards go to the ESO reader."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, UnknownUnit
from spectral_zarr.model import Pixels, Sampling, Spectrum
from spectral_zarr.readers.companion_units import companion_unit
from spectral_zarr.readers.fits import FitsFile, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.masks import bad_pixels
from spectral_zarr.readers.observing import first_text, header_snr, instrument_name, observe, sky
from spectral_zarr.readers.sdp_columns import spectrum_columns
from spectral_zarr.readers.several import only_table

_MARKS = ("SPECUID", "OBJ_UID", "OBJ_NME", "4L1_SNR")


class FourmostL1:
    """Joined spectrum of one target.

    Layout of the 4MOST level-1 mock spectra: one row of vectors WAVE, FLUX, ERR_FLUX and QUAL in the HDU
    PHASE3SPECTRUM, perhaps with FLUX_NOSS and ERR_FLUX_NOSS without sky subtraction, which are left out. QUAL is zero
    for good pixels. The mock files have neither UCDs nor SPECSYS, so that medium and frame are unknown unless the
    configuration tells the medium. Files with ``PRODCATG = SCIENCE.SPECTRUM`` are ESO science data products.
    """

    name = "4most-l1"
    version = "1"
    title = "4MOST L1 spectra without the cards of ESO Phase 3"
    priority = 0
    policy = HeaderPolicy(allow=(r"SPECUID|OBJ_UID|OBJ_NME|OBJ_RA|OBJ_DEC|4L1_SNR",))

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        table = _table(file)
        if table is None or table.find("WAVE") is None or table.find("FLUX") is None:
            return False
        by_eso = file.primary.text("PRODCATG").upper().startswith("SCIENCE.SPECTRUM")
        if by_eso or table.header.text("VOCLASS").upper().startswith("SPECTRUM"):
            return False
        marked = any(keyword in file.primary or keyword in table.header for keyword in _MARKS)
        return marked or file.primary.text("INSTRUME").upper().startswith("QMOST")

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        found = _table(file)
        table = only_table(file, found, options) if found else None
        columns = spectrum_columns(table.layout, normalized=False) if table is not None else None
        if table is None or columns is None or columns.wavelength is None or columns.flux is None:
            raise MissingField("PHASE3SPECTRUM has no columns WAVE and FLUX; fetch the file again", path=file.name)
        if table.n_rows != 1:
            message = f"PHASE3SPECTRUM has {table.n_rows} rows, and one of vectors is expected; fetch the file again"
            raise MissingField(message, path=file.name, hdu=table.index)
        flux, quality = _vector(table, columns.flux), columns.quality
        if not columns.wavelength.unit or not columns.flux.unit:
            message = "WAVE or FLUX has no unit (TUNIT); fetch the file again"
            raise UnknownUnit(message, path=file.name, hdu=table.index)
        header = file.primary
        snr, snr_method = header_snr(header, "4L1_SNR", "SNR")
        identifier = header.text("SPECUID")
        ucd = columns.wavelength.ucd.lower()
        yield Spectrum(
            spec_id=f"4most-{identifier}" if identifier else "",
            flux=flux,
            flux_unit=columns.flux.unit,
            sampling=Sampling(
                unit=columns.wavelength.unit,
                medium=options.table.medium if not ucd else "air" if "obs.atmos" in ucd else "vacuum",
                values=_vector(table, columns.wavelength),
            ),
            observation=observe(
                header,
                instrument=instrument_name(header) or "QMOST",
                object=first_text(header, "OBJ_NME", "OBJECT"),
                object_id=header.text("OBJ_UID"),
                **sky(header, ("OBJ_RA", "OBJ_DEC"), ("RA", "DEC"))._asdict(),
                flux_calibration="absolute",
                snr=snr,
                snr_method=snr_method,
            ),
            noise=_vector(table, columns.error) if columns.error else None,
            noise_unit=companion_unit(
                columns.error.unit if columns.error else "",
                "sigma",
                columns.flux.unit,
                name=columns.error.name if columns.error else "",
                flux_name=columns.flux.name,
                path=file.name,
                hdu=table.index,
            ),
            bad=bad_pixels(_vector(table, quality), options) if quality else None,
            zero_padded=True,
            header=project([(0, header), (table.index, table.header)], policy, {table.index: columns.numbers()}),
            hdu=table.index,
        )


def _table(file: FitsFile) -> Hdu | None:
    first = next((hdu for hdu in file.hdus[1:3] if hdu.kind == "table"), None)
    return first if first is not None and first.name == "PHASE3SPECTRUM" else None


def _vector(table: Hdu, column: TableColumn) -> Pixels:
    return np.ravel(table.column_data(column)[0])


READERS = (FourmostL1(),)

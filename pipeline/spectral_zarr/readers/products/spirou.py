"""CFHT SPIRou spectra of the APERO pipeline: ``s.fits`` in one dimension, and the orders of ``t.fits``, ``e.fits``."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.config import ReaderOptions
from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.model import Observation, Sampling, Spectrum
from spectral_zarr.readers.fits import FitsFile, Header, HeaderPolicy, project
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.observing import first_number, first_text, observe, start_mjd
from spectral_zarr.readers.orders import are_orders, order_rows, require_rows

_REFUSED = (
    ("POL", "a polarimetric product (p.fits)"),
    ("CCF", "cross-correlation functions (v.fits)"),
    ("CCF_RV", "cross-correlation functions (v.fits)"),
    ("SLOPE", "a detector image (o.fits)"),
)
_POLICY = HeaderPolicy(
    allow=(r"RUNID|OBSID|EXPNUM|RA_DEG|DEC_DEG|MJDATE|UTC-OBS|UTIME|FILENAME|BJD|BERV(MAX)?|OBJTEMP|VERSION|PVERSION",),
    deny=(r"WAVE\d+|WFP.*|.*(CCD|BIN|SEC)\d*",),
)


class Spirou:
    """Spectrum of the two science fibres together (AB).

    APERO (Cook et al. 2022, PASP 134, 114509) and the CFHT file structure: ``s.fits`` has a table of uniform
    wavelength steps with ``Wave`` (nm), ``FluxAB`` and ``FluxErrAB``, and ``FluxABTelluCorrected`` with its error
    where tellurics were removed, which ``[readers.table] flux`` can choose, and a second table of the same spectrum in
    uniform steps of velocity, which is not read; ``t.fits`` (telluric-corrected) and
    ``e.fits`` have images ``FluxAB`` and ``WaveAB`` of 49 orders without errors. Vacuum; not corrected for the card
    BERV. NaN marks gaps and strong tellurics.
    """

    name = "spirou-apero"
    version = "1"
    title = "CFHT SPIRou s.fits, and orders of t.fits and e.fits (APERO)"
    priority = 0
    policy = _POLICY

    def claims(self, file: FitsFile, options: ReaderOptions) -> bool:
        if any(hdu.header.text("INSTRUME").upper().startswith("SPIROU") for hdu in file.hdus[:2]):
            return True
        if _table(file) is not None:
            return True
        return len(file.hdus) > 2 and file.named("FLUXAB") is not None and file.named("WAVEAB") is not None

    def read(self, file: FitsFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        if (table := _table(file)) is not None:
            yield _merged(file, table, options, policy)
            return
        flux, wavelength = file.named("FLUXAB"), file.named("WAVEAB")
        what = next((what for name, what in _REFUSED if file.named(name) is not None), "")
        if what or flux is None or wavelength is None or not are_orders(flux, wavelength):
            seen = what or f"no spectrum of APERO ({file.describe()})"
            raise RefusedProduct(f"SPIRou: {seen}; ingest the s.fits file of the exposure", path=file.name)
        what = f"SPIRou: {flux.shape[0]} unmerged echelle orders"
        require_rows(options, what, path=file.name, hdu=flux.index, instead="ingest the s.fits file of the exposure")
        whole = Spectrum(
            spec_id="",
            flux=flux.image()[0],
            flux_unit=flux.header.text("BUNIT") or "Relative Flux",
            sampling=Sampling(unit="nm", medium="vacuum"),
            observation=_observation(_header(file, flux)),
            header=project([(0, file.primary), (flux.index, flux.header)], policy),
            hdu=flux.index,
        )
        yield from order_rows(whole, flux.image(), wavelength.image())


def _table(file: FitsFile) -> Hdu | None:
    for hdu in file.hdus[1:3]:
        if hdu.find("FluxAB") is not None and hdu.find("Wave") is not None:
            return hdu
    return None


def _merged(file: FitsFile, table: Hdu, options: ReaderOptions, policy: HeaderPolicy) -> Spectrum:
    name = options.table.flux or "FluxAB"
    columns = [table.find("Wave"), table.find(name), table.find(name.replace("Flux", "FluxErr", 1))]
    wavelength, flux, error = columns
    if wavelength is None or flux is None or table.n_rows < 2:
        seen = ", ".join(column.name for column in table.layout.columns)
        raise MissingField(f"no column {name} among {seen} of SPIRou", path=file.name, hdu=table.index)
    unit = flux.unit
    return Spectrum(
        spec_id="",
        flux=table.column_data(flux),
        flux_unit=unit if unit and unit.lower() != "relative flux" else "Relative Flux",
        sampling=Sampling(
            unit=wavelength.unit or "nm",
            medium="vacuum",
            values=table.column_data(wavelength),
        ),
        observation=_observation(_header(file, table)),
        noise=None if error is None else table.column_data(error),
        noise_unit=error.unit if error is not None and unit else "",
        header=project(
            [(0, file.primary), (table.index, table.header)],
            policy,
            {table.index: [column.number for column in columns if column]},
        ),
        hdu=table.index,
    )


def _header(file: FitsFile, hdu: Hdu) -> Header:
    return file.primary if "OBJECT" in file.primary or "OBJECT" not in hdu.header else hdu.header


def _observation(header: Header) -> Observation:
    return observe(
        header,
        instrument="SPIRou",
        object=first_text(header, "OBJECT", "OBJNAME", "DRSOBJN"),
        program_id=first_text(header, "RUNID", "PROG_ID"),
        velocity_frame="topocentric",
        flux_calibration="relative",
        mjd=start_mjd(header, ("MJDATE", "MJD-OBS")),
        berv=first_number(header, "BERV"),
    )


READERS = (Spirou(),)

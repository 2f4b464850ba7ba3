"""Which HDUs of a FITS file of unknown origin hold a spectrum: those that the user chooses, or the only one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.errors import MissingField, RefusedProduct
from spectral_zarr.model import Spectrum
from spectral_zarr.readers.axis import has_axis
from spectral_zarr.readers.fits import FitsFile
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.table import TableColumn
from spectral_zarr.readers.table_columns import flux_columns, is_spectrum

_BESIDE_A_SPECTRUM = re.compile(
    r"^(WAVE|LAMBDA|LAM$|LOGLAM|ERR|SIG|NOISE|UNC|STD|IVAR|INVVAR|VAR|STAT|CONT|CO$|SNR|S/N|DQ|MASK|BAD|FLAG|QUAL|BPM"
    r"|SKY|BKG|BACKGROUND|BLAZE|FLAT|RESOL|RES$|DISP|LSF|PSF|WEIGHT|WGT|NPIX|NEXP|NCOMB|EXP|CALIB|SENS|TELL|TRANS"
    r"|MODEL|FIT|BEST|RESID|TEMPL|COV|HIST|PROFILE)|(_|^)(ERR|ERROR|SIGMA|IVAR|VAR|VARIANCE|MASK|DQ)$"
)
"""EXTNAMEs of images that describe the spectrum beside which they lie."""

_SUFFIXES = re.compile(r"(\.(fits?|fts|fz|gz|bz2))+$", re.IGNORECASE)


def asked_hdus(file: FitsFile, options: ReaderOptions, own: int | None) -> tuple[Hdu, ...]:
    """HDUs that the user chose, in the order of the file.

    Parameters
    ----------
    file : FitsFile
        The file.
    options : ReaderOptions
        Its `hdu` wins.
    own : int, optional
        The choice in the table of options of one reader.

    Returns
    -------
    tuple of Hdu
        () when nothing was chosen; of several, those that the file has.

    Raises
    ------
    MissingField
        When the file has none of them.
    """
    asked = options.hdu if isinstance(options.hdu, tuple) else (options.hdu,)
    if not asked and own is not None:
        asked = (own,)
    if not asked:
        return ()
    wanted = {one.upper() if isinstance(one, str) else one for one in asked}
    found = tuple(hdu for hdu in file.hdus if hdu.index in wanted or (hdu.name and hdu.name in wanted))
    if not found:
        message = f"the file has no HDU {' or '.join(map(str, asked))}, which hdu in [readers] asks for"
        raise MissingField(f"{message}, but {file.describe()}; correct the number or the name", path=file.name)
    return found


def is_line(hdu: Hdu) -> bool:
    """Whether the HDU is an image of one row of several pixels."""
    return (
        hdu.kind == "image" and bool(hdu.shape) and hdu.shape[-1] > 1 and all(length == 1 for length in hdu.shape[:-1])
    )


def spectrum_images(file: FitsFile) -> list[Hdu]:
    """One-dimensional images on an axis that are not named after something else than a flux."""
    return [
        hdu
        for hdu in file.hdus
        if is_line(hdu) and has_axis(hdu.header) and (hdu.index == 0 or not beside_a_spectrum(hdu))
    ]


def beside_a_spectrum(hdu: Hdu) -> bool:
    """Whether an HDU is named after what describes a spectrum: its noise, mask, sky, model and the like."""
    return _BESIDE_A_SPECTRUM.search(hdu.name) is not None


def spectrum_tables(file: FitsFile, options: TableOptions) -> list[Hdu]:
    """Tables with columns for wavelength and flux that hold one spectrum, or one in each row."""
    return [hdu for hdu in file.hdus if hdu.kind == "table" and _has_spectra(hdu, options)]


def has_vectors(table: Hdu, options: TableOptions) -> bool:
    """Whether each of several rows holds a spectrum."""
    return table.n_rows > 1 and any(_is_vector(table, flux) for flux in flux_columns(table.layout.columns, options))


def require_one(file: FitsFile, spectra: Sequence[Hdu], others: Iterable[Hdu] = (), *, lists: bool = True) -> None:
    """Refuse a file in which more than one HDU holds a spectrum and the user chose none.

    Parameters
    ----------
    file : FitsFile
        The file.
    spectra : sequence of Hdu
        What the reader would read.
    others : iterable of Hdu
        What another reader would.
    lists : bool
        Whether the reader takes a list of HDUs of one kind.

    Raises
    ------
    RefusedProduct
        With the HDUs by number and name, and the option that chooses.
    """
    others = [hdu for hdu in others if hdu not in spectra]
    both = sorted([*spectra, *others], key=lambda hdu: hdu.index)
    if len(both) < 2:
        return
    seen = ", ".join(f"{hdu.index} ({hdu.name or hdu.kind})" for hdu in both)
    together = lists and len({hdu.kind for hdu in both}) == 1
    rows = f", or hdu = {[hdu.index for hdu in both]} to store a row of each" if together else ""
    message = f"HDUs {seen} hold a spectrum each; set hdu = {both[0].index}, for example, in [readers] to choose one"
    raise RefusedProduct(message + rows, path=file.name)


def only_table(file: FitsFile, table: Hdu, options: ReaderOptions) -> Hdu:
    """The table of a product that has one spectrum in a file, or the one that the user chose of several.

    Raises
    ------
    RefusedProduct
        When further tables have the same columns, so that they hold spectra too, and ``hdu`` chooses none.
    """
    if len(file.hdus) < 3:
        return table
    names = table.layout.by_name.keys()
    alike = [hdu for hdu in file.hdus if hdu.kind == "table" and hdu.layout.by_name.keys() == names]
    if len(alike) < 2:
        return table
    asked = asked_hdus(file, options, options.table.hdu)
    chosen = [hdu for hdu in alike if hdu in asked]
    if len(chosen) != 1:
        require_one(file, alike, lists=False)
    return chosen[0]


def named_by_hdu(spectrum: Spectrum, file: FitsFile, *, several: bool) -> Spectrum:
    """The spectrum with an identifier that tells its HDU, where a file gives several."""
    if not several:
        return spectrum
    return replace(spectrum, spec_id=f"{stem_of(file.name)}-h{spectrum.hdu}r{spectrum.row}")


def stem_of(name: str) -> str:
    """Name of a file in the store without its suffixes."""
    directory, slash, last = name.rpartition("/")
    return directory + slash + _SUFFIXES.sub("", last)


def _has_spectra(hdu: Hdu, options: TableOptions) -> bool:
    if not is_spectrum(hdu.layout.columns, options):
        return False
    if hdu.n_rows == 1:
        return any(_is_vector(hdu, column) for column in hdu.layout.columns)
    # Text in every row is the mark of a catalogue or a line list, unless the user names the columns.
    listing = any(column.dtype.startswith("S") for column in hdu.layout.columns) and not options.wavelength
    return hdu.n_rows > 1 and (not listing or has_vectors(hdu, options))


def _is_vector(table: Hdu, column: TableColumn) -> bool:
    form = table.header.text(f"TFORM{column.number}").strip().lstrip("0123456789")[:1].upper()
    return form in ("P", "Q") or (column.repeat > 1 and form != "A")

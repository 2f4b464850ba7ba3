"""Every option of an ingest with its default, as frozen values; the TOML file has the same names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

Medium = Literal["air", "vacuum", "unknown"]
ImageRow = Literal["wavelength", "flux", "uncertainty", "ivar", "variance", "continuum", "mask", ""]
Bit = Annotated[int, Meta(ge=0, le=63)]
Count = Annotated[int, Meta(ge=0)]
PositiveCount = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """``[readers.table]``: columns and units of a generic table; '' lets the reader look for the usual names.

    Attributes
    ----------
    hdu : int, optional
        Zero-based HDU of the table; ``hdu`` in ``[readers]`` wins.
    wavelength, flux, uncertainty, ivar, continuum, mask : str
        Column names, compared without case.
    spec_id : str
        Column of identifiers in a table with a spectrum in each row; '' looks for the usual names.
    params : dict of str to str
        Parameter name to column of such a table; when empty, the columns with the usual names are taken.
    wavelength_scale : {'linear', 'log10', 'ln'}
        Whether the column holds wavelengths or their logarithm.
    wavelength_unit, flux_unit : str
        Units that the file does not give, or that replace what it gives.
    medium : {'air', 'vacuum', 'unknown'}
        Medium of the wavelengths, which no header card of a generic table tells.
    """

    hdu: Count | None = None
    wavelength: str = ""
    flux: str = ""
    uncertainty: str = ""
    ivar: str = ""
    continuum: str = ""
    spec_id: str = ""
    params: dict[str, str] = field(default_factory=dict)
    mask: str = ""
    wavelength_scale: Literal["linear", "log10", "ln"] = "linear"
    wavelength_unit: str = ""
    flux_unit: str = ""
    medium: Medium = "unknown"


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """``[readers.image]``: what a generic one-dimensional image does not say in its header.

    Attributes
    ----------
    hdu : int, optional
        Zero-based HDU of the flux; ``hdu`` in ``[readers]`` wins.
    rows : tuple of str
        What the rows of an image of one spectrum hold, first row first; '' for one that is not read. Without it, an
        image of several rows is refused.
    wavelength_unit, flux_unit : str
        Units that the header does not give.
    medium : {'air', 'vacuum', 'unknown'}
        Medium of the wavelengths where the header does not tell it.
    velocity_frame : str
        Velocity frame where the header has no SPECSYS.
    """

    hdu: Count | None = None
    rows: tuple[ImageRow, ...] = ()
    wavelength_unit: str = ""
    flux_unit: str = ""
    medium: Medium = "unknown"
    velocity_frame: str = "unknown"


@dataclass(frozen=True, slots=True)
class ArrayOptions:
    """``[readers.arrays]``: arrays of a NumPy archive, HDF5 or Parquet file; '' lets the reader look for usual names.

    Attributes
    ----------
    wavelength, flux, uncertainty, ivar, continuum, normalized, mask, spec_id : str
        Names of the arrays (of HDF5 datasets with their groups, of Parquet columns), compared without case. Flux has
        the shape (spectra, pixels), the wavelength (pixels,) or that of the flux.
    params : dict of str to str
        Parameter name to array of shape (spectra,); when empty, the arrays with the usual names and all of a group or
        structured array called ``params`` are taken.
    param_table : str
        Array of shape (spectra, parameters), ``params`` or ``labels`` by default.
    param_names : tuple of str
        Parameters of its columns; by default an array of text beside it tells them.
    wavelength_scale : {'linear', 'log10', 'ln'}
        Whether the array holds wavelengths or their logarithm.
    wavelength_unit, flux_unit : str
        Units that the file does not give, or that replace what it gives.
    medium : {'air', 'vacuum', 'unknown'}
        Medium of the wavelengths where the file does not tell it.
    flux_type : {'', 'flux', 'intensity'}
        What the values are; '' is what the file says, else flux.
    source_type : str
        Origin of the spectra; '' is what the file says, else synthetic, unless it has uncertainties.
    """

    wavelength: str = ""
    flux: str = ""
    uncertainty: str = ""
    ivar: str = ""
    continuum: str = ""
    normalized: str = ""
    mask: str = ""
    spec_id: str = ""
    params: dict[str, str] = field(default_factory=dict)
    param_table: str = ""
    param_names: tuple[str, ...] = ()
    wavelength_scale: Literal["linear", "log10", "ln"] = "linear"
    wavelength_unit: str = ""
    flux_unit: str = ""
    medium: Medium = "unknown"
    flux_type: Literal["", "flux", "intensity"] = ""
    source_type: Literal["", "observed", "synthetic", "emulator", "forward_model", "stacked"] = ""


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """``[readers]``: which readers may claim a file, and the options of the generic ones.

    Attributes
    ----------
    only : tuple of str
        Names of the readers that may claim a file; all when empty.
    hdu : int, str or tuple of them
        Zero-based HDUs or EXTNAMEs of the spectra in FITS files of no known product; each is a row. Without it, a
        file in which several HDUs hold a spectrum is refused.
    echelle : {'refuse', 'rows'}
        What becomes of echelle orders that nobody merged: the file is rejected, or each order is a row.
    flagged : {'bad', 'good', 'ignore'}
        What a flag in a mask of a file of unknown origin means; ``ignore`` reads such a file without its masks.
    mask_bits : tuple of int
        Bits of a mask that make a pixel bad, from 0 on, for every product that has bits; by default those that the
        survey calls bad, else any.
    wavelength_file : str
        File of wavelengths for model grids that keep them apart; by default the usual name is looked for beside
        the model and in the directories above it.
    check_damage : bool
        Whether a FITS file is rejected whose size, or the padding or DATASUM of an HDU that is read, shows that bytes
        were lost, moved or changed.
    """

    only: tuple[str, ...] = ()
    hdu: Count | str | tuple[Count | str, ...] = ()
    echelle: Literal["refuse", "rows"] = "refuse"
    flagged: Literal["bad", "good", "ignore"] = "bad"
    mask_bits: tuple[Bit, ...] = ()
    wavelength_file: str = ""
    check_damage: bool = True
    table: TableOptions = field(default_factory=TableOptions)
    image: ImageOptions = field(default_factory=ImageOptions)
    arrays: ArrayOptions = field(default_factory=ArrayOptions)


@dataclass(frozen=True, slots=True)
class HeaderOptions:
    """``[header]``: patterns of keywords to project or to leave out, beside those of the product."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """``[dataset]``: facts of the data set that no file tells; '' keeps what the reader finds."""

    source_type: Literal["", "observed", "synthetic", "emulator", "forward_model", "stacked"] = ""
    instrument: str = ""
    simulator: str = ""
    data_rights: str = ""
    allow_mixed_frame: bool = False


@dataclass(frozen=True, slots=True)
class CatalogOptions:
    """``[catalog]``: a table of stellar parameters that is joined to the spectra.

    Attributes
    ----------
    file : str
        FITS, Parquet, CSV or VOTable; '' for none.
    key : str
        Column of the catalogue that identifies a spectrum or its star: integers or text, never floats.
    field : str
        Field of ``metadata/`` that has the same values, ``file_name`` or ``file_stem``; '' where the name of the key
        column tells.
    columns : dict of str to str
        Parameter name to column of the catalogue; when empty, the columns with the usual names are taken.
    flag : str
        Column that is zero where the parameters may be trusted; elsewhere they become NaN.
    hdu : int
        Zero-based HDU of the table in a FITS file.
    """

    file: str = ""
    key: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    flag: str = ""
    hdu: Count = 1
    field: str = ""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """``[store]``: format and layout; 0 chunk rows or columns mean the contract's recommendation."""

    zarr_format: Literal[2, 3] = 3
    clevel: Literal[5, 6, 7] = 5
    chunk_rows: Count = 0
    chunk_columns: Count = 0


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """``[build]``: how the work is cut and which spectra are good enough.

    Attributes
    ----------
    batch_bytes : int
        Source bytes per stage task, of a large table the bytes of its rows; 0 lets the size of the input decide.
    batch_files : int
        Source files per stage task, at most.
    min_valid_share : float
        Least share of pixels with a finite flux.
    hash_sources : bool
        Whether the SHA-256 of every source file is recorded.
    orders : {'refuse', 'sort'}
        What becomes of a spectrum whose wavelengths step back because echelle orders overlap: it is rejected, or
        its pixels are sorted by wavelength, which interleaves the two orders.
    """

    batch_bytes: Count = 0
    batch_files: PositiveCount = 2048
    min_valid_share: Share = 0.02
    hash_sources: bool = True
    orders: Literal["refuse", "sort"] = "refuse"


@dataclass(frozen=True, slots=True)
class Config:
    """All options of one ingest."""

    readers: ReaderOptions = field(default_factory=ReaderOptions)
    header: HeaderOptions = field(default_factory=HeaderOptions)
    dataset: DatasetOptions = field(default_factory=DatasetOptions)
    catalog: CatalogOptions = field(default_factory=CatalogOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    build: BuildOptions = field(default_factory=BuildOptions)
